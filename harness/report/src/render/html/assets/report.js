"use strict";
// Sorts tables, filters their rows and shows exact values. It knows nothing but what stands in the tables, and the page is whole
// without it. Hiding rows changes no figure and no place: those are text.
(() => {
  const make = (tag, properties, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };

  const tables = [...document.querySelectorAll("table")];
  const heads = (table) => [...table.tHead.rows[0].cells];
  const lines = (body) => [...body.rows].filter((row) => row.cells[0].scope !== "rowgroup");
  const names = (row) => [...row.cells].filter((cell) => cell.scope === "row").map((cell) => cell.textContent);

  // Where a cell begins and what stands there, counted in columns: a figure and its interval share a heading, words span both.
  const begin = (cell) => {
    let at = 0;
    for (let before = cell.previousElementSibling; before; before = before.previousElementSibling) at += before.colSpan;
    return at;
  };
  const cellAt = (row, at) => [...row.cells].findLast((cell) => begin(cell) <= at);
  const headOf = (cell) => cellAt(cell.closest("table").tHead.rows[0], begin(cell));

  // The tiers: each group of a table of rows says its own, and what has no groups is looked up in the table of the rows.
  const bodies = [...document.querySelectorAll("table.f tbody")];
  const tiers = [...new Set(bodies.map((body) => body.dataset.group).filter(Boolean))];
  const tierOf = new Map();
  const known = document.getElementById("rows-table");
  const tierHead = known && heads(known).find((head) => head.dataset.key === "tier");
  if (tierHead) {
    for (const row of known.tBodies[0].rows) tierOf.set(names(row)[0], cellAt(row, begin(tierHead)).textContent);
  }

  // What a reader chose. The fragment of the address carries it, so that a link does: rows=may&without=native&sort=a:ID:KEY&at=ID.
  const chosen = { rows: "", without: new Set(), sort: new Map(), at: "" };

  const read = () => {
    const fragment = location.hash.slice(1);
    // A link within the page changes where one is, and nothing else.
    if (fragment && !fragment.includes("=")) {
      chosen.at = fragment;
      return;
    }
    const asked = new URLSearchParams(fragment);
    chosen.rows = asked.get("rows") ?? "";
    chosen.without = new Set(asked.getAll("without"));
    chosen.at = asked.get("at") ?? "";
    chosen.sort = new Map();
    for (const sort of asked.getAll("sort")) {
      const [, direction, id, key] = /^([ad]):([^:]*):(.*)$/.exec(sort) ?? [];
      if (direction) chosen.sort.set(id, { key, isDown: direction === "d" });
    }
  };

  const write = () => {
    const said = new URLSearchParams();
    if (chosen.rows) said.set("rows", chosen.rows);
    chosen.without.forEach((tier) => said.append("without", tier));
    chosen.sort.forEach(({ key, isDown }, id) => said.append("sort", `${isDown ? "d" : "a"}:${id}:${key}`));
    const isPlain = said.toString() === "";
    if (chosen.at && !isPlain) said.set("at", chosen.at);
    const fragment = isPlain ? chosen.at : said.toString();
    history.replaceState(null, "", fragment ? `#${fragment}` : location.pathname + location.search);
    reset.disabled = isPlain;
  };

  // Sorting, within each group: no order goes across tiers. A third press gives the order back in which the page came.
  const asItCame = new Map(tables.flatMap((table) => [...table.tBodies].map((body) => [body, lines(body)])));
  const collator = new Intl.Collator("en", { numeric: true });

  const exact = (cell) => cell?.dataset.x?.split(" ") ?? [];
  const valueOf = (cell, isText) => {
    if (isText) return cell.textContent;
    const [value] = exact(cell);
    return value === undefined ? undefined : Number(value.replace(">", ""));
  };

  const sort = (table) => {
    const { key, isDown } = chosen.sort.get(table.id) ?? {};
    const head = heads(table).find((head) => head.dataset.key === key);
    heads(table).forEach((other) => other.removeAttribute("aria-sort"));
    head?.setAttribute("aria-sort", isDown ? "descending" : "ascending");
    const at = head && begin(head);
    for (const body of table.tBodies) {
      const rows = asItCame.get(body);
      if (!head) {
        body.append(...rows);
        continue;
      }
      const isText = !rows.some((row) => cellAt(row, at).dataset.x);
      const keyed = rows.map((row) => ({ row, value: valueOf(cellAt(row, at), isText) }));
      keyed.sort(({ value: a }, { value: b }) => {
        // What has no value is last, whichever way the others go.
        if (a === undefined || b === undefined) return (a === undefined) - (b === undefined);
        const order = isText ? collator.compare(a, b) : a - b;
        return isDown ? -order : order;
      });
      body.append(...keyed.map(({ row }) => row));
    }
  };

  const press = (table, key) => {
    const now = chosen.sort.get(table.id);
    const next = now?.key !== key ? { key, isDown: false } : now.isDown ? undefined : { key, isDown: true };
    if (next) chosen.sort.set(table.id, next);
    else chosen.sort.delete(table.id);
    sort(table);
    write();
  };

  for (const table of tables) {
    for (const head of heads(table)) {
      const button = make("button", { type: "button" }, ...head.childNodes);
      button.addEventListener("click", () => press(table, head.dataset.key));
      head.append(button);
    }
  }

  // Filtering, by a part of the name and by tier.
  const named = make("input", { type: "search", autocomplete: "off", spellcheck: false });
  const boxes = new Map(tiers.map((tier) => [tier, make("input", { type: "checkbox" })]));
  const count = make("p", { role: "status" });
  const reset = make("button", { type: "button" }, "Show all");

  const filter = () => {
    const wanted = chosen.rows.trim().toLowerCase();
    for (const body of bodies) {
      for (const row of lines(body)) {
        const own = names(row);
        const tier = body.dataset.group ?? tierOf.get(own[0]);
        row.hidden = chosen.without.has(tier) || !own.some((name) => name.toLowerCase().includes(wanted));
      }
      body.hidden = lines(body).every((row) => row.hidden);
    }
    named.value = chosen.rows;
    boxes.forEach((box, tier) => (box.checked = !chosen.without.has(tier)));
    const all = known ? lines(known.tBodies[0]) : [];
    const shown = all.filter((row) => !row.hidden);
    count.textContent = shown.length === all.length ? "" : `${shown.length} of ${all.length} rows shown`;
    tables.forEach((table) => rove(table));
  };

  // Exact values: of the cell under the pointer, or of the one that has the focus, which the arrow keys move.
  const told = make("p", { className: "exact", role: "status" });

  const tell = (cell) => {
    const [value, low, high] = exact(cell);
    if (value === undefined) {
      told.textContent = "";
      return;
    }
    const what = [names(cell.parentElement).join(" beside "), headOf(cell).dataset.key].join(", ");
    const ends = low === undefined ? "" : `, from ${low} to ${high}`;
    told.textContent = `${what}: ${value.replace(">", "at least ")}${ends}`;
  };

  const cells = (row) => (row.hidden ? [] : [...row.cells].filter((cell) => cell.dataset.x));

  // Of a table's cells one takes part in the order of Tab.
  const rove = (table, wanted) => {
    const before = table.querySelector("td[tabindex='0']");
    const target = wanted ?? (before && cells(before.parentElement).includes(before) ? before : undefined);
    const next = target ?? [...table.tBodies].flatMap(lines).map((row) => cells(row)[0]).find(Boolean);
    if (before && before !== next) before.tabIndex = -1;
    if (next) next.tabIndex = 0;
  };

  const beside = (cell, key) => {
    const own = cells(cell.parentElement);
    if (key === "ArrowLeft" || key === "ArrowRight") return own[own.indexOf(cell) + (key === "ArrowLeft" ? -1 : 1)];
    const rows = [...cell.closest("table").tBodies].flatMap(lines);
    const here = rows.indexOf(cell.parentElement);
    const onwards = key === "ArrowUp" ? rows.slice(0, here).reverse() : key === "ArrowDown" ? rows.slice(here + 1) : [];
    return onwards.map((row) => cells(row).find((other) => begin(other) === begin(cell))).find(Boolean);
  };

  const cellOf = (event) => event.target.closest?.("td[data-x]");
  document.addEventListener("pointerover", (event) => tell(cellOf(event)));
  document.addEventListener("focusin", (event) => tell(cellOf(event)));
  const focus = (cell) => {
    rove(cell.closest("table"), cell);
    cell.focus();
  };
  document.addEventListener("click", (event) => cellOf(event) && focus(cellOf(event)));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") tell();
    const next = cellOf(event) && beside(cellOf(event), event.key);
    if (!next) return;
    event.preventDefault();
    focus(next);
  });

  named.addEventListener("input", () => {
    chosen.rows = named.value;
    filter();
    write();
  });
  boxes.forEach((box, tier) =>
    box.addEventListener("change", () => {
      if (box.checked) chosen.without.delete(tier);
      else chosen.without.add(tier);
      filter();
      write();
    }),
  );
  reset.addEventListener("click", () => {
    Object.assign(chosen, { rows: "", without: new Set(), sort: new Map() });
    show();
    write();
  });

  const show = () => {
    tables.forEach(sort);
    filter();
  };

  const restore = () => {
    read();
    show();
    write();
    if (location.hash.includes("=")) document.getElementById(chosen.at)?.scrollIntoView();
  };

  const choices = [...boxes].map(([tier, box]) => make("label", {}, box, tier));
  const bar = make("div", { className: "bar", role: "search", ariaLabel: "Rows" });
  bar.append(make("label", {}, "Rows named", named));
  if (tiers.length > 1) bar.append(make("fieldset", { ariaLabel: "Tiers" }, ...choices));
  bar.append(reset, count);
  document.querySelector("nav")?.after(bar);
  document.querySelector("main").append(told);

  // A page on paper hides nothing; browsers that know ::details-content need no help.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    opened.forEach((details) => (details.open = true));
  });
  addEventListener("afterprint", () => opened.forEach((details) => (details.open = false)));
  addEventListener("hashchange", restore);
  restore();
})();
