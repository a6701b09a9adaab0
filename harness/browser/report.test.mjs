// report.html in a real browser: `just test-browser`. Leaves pictures of it in target/browser, to be looked at.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, describe, test } from "node:test";
import { parse } from "parse5";

import { REPORTS, fileOf, launch, open, openAll } from "./pages.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

let browser;
before(async () => (browser = await launch()));
after(() => browser?.close());

/** A page for the length of a test, which must not have complained by its end. */
const withPage = (report, options, look) => async (t) => {
  const { page, wrong, close } = await open(browser, report, options);
  try {
    await look(page, t);
    assert.deepEqual(wrong, []);
  } finally {
    await close();
  }
};

/** The text of each row of a table that is shown, one array a group. */
const rowsOf = (page, table) =>
  page.evaluate((table) => {
    const rows = (body) => [...body.rows].filter((row) => !row.hidden && row.cells[0].scope === "row");
    return [...document.getElementById(table).tBodies].map((body) => rows(body).map((row) => row.innerText));
  }, table);

/** The identifier of the first table of figures, or of what failed in a report of experiments. */
const figures = (page) => page.evaluate(() => document.querySelector("table.f[id$='.figures'], table.f[id$='.events']").id);

const head = (page, table, at) => page.locator(`[id="${table}"] thead th`).nth(at);

for (const report of REPORTS) {
  const is = (options, look) => withPage(report, options, look);

  describe(`the ${report} report`, () => {
    test("is HTML without a fault, and its pictures are XML", is({}, async (page) => {
      const source = readFileSync(fileOf(report), "utf8");
      const faults = [];
      parse(source, { onParseError: ({ code, startLine, startCol }) => faults.push(`${code} at ${startLine}:${startCol}`) });
      assert.deepEqual(faults, []);
      const pictures = source.match(/<svg\b.*?<\/svg>/gs) ?? [];
      const broken = await page.evaluate((pictures) => {
        const error = (text) => new DOMParser().parseFromString(text, "application/xml").querySelector("parsererror");
        return pictures.map((text) => error(text)?.textContent).filter(Boolean);
      }, pictures);
      assert.deepEqual(broken, []);
      const ids = await page.evaluate(() => [...document.querySelectorAll("[id]")].map((element) => element.id));
      assert.deepEqual(ids.filter((id, at) => ids.indexOf(id) !== at), [], "one identifier, one element");
    }));

    for (const colorScheme of ["light", "dark"]) {
      test(`has no barrier of level A or AA in ${colorScheme}`, is({ colorScheme }, async (page, t) => {
        await openAll(page);
        await page.evaluate(AXE);
        const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
        const told = violations.map(({ id, tags, nodes }) => ({ id, tags, nodes: nodes.map((node) => node.failureSummary + node.html) }));
        const counts = (violation) => violation.tags.some((tag) => LEVELS.includes(tag));
        told.filter((violation) => !counts(violation)).forEach(({ id, nodes }) => t.diagnostic(`best practice: ${id}: ${nodes[0]}`));
        assert.deepEqual(told.filter(counts), []);
      }));
    }

    test("has one h1, and headings in order", is({}, async (page) => {
      const levels = await page.evaluate(() => [...document.querySelectorAll("h1,h2,h3,h4")].map((it) => Number(it.tagName[1])));
      assert.equal(levels[0], 1);
      levels.slice(1).forEach((level, at) => assert.ok(level > 1 && level <= levels[at] + 1, levels.join()));
    }));

    test("allows neither styles nor scripts but its own", async () => {
      const { page, wrong, close } = await open(browser, report);
      await page.evaluate(() => {
        document.body.append(Object.assign(document.createElement("script"), { textContent: "window.ran = true" }));
        document.body.append(Object.assign(document.createElement("img"), { src: "https://127.0.0.1/x.png" }));
        document.querySelector("h1").setAttribute("style", "color: red");
      });
      await page.waitForFunction(() => document.images[0].complete);
      assert.equal(await page.evaluate(() => window.ran), undefined);
      for (const directive of ["script-src", "style-src", "img-src"]) {
        assert.ok(wrong.some((said) => said.startsWith(`console: policy: ${directive}`)), `${directive}: ${wrong}`);
      }
      await close();
    });

    test("is complete without its script, and has no controls then", async () => {
      const script = await open(browser, report);
      const plain = await open(browser, report, { javaScriptEnabled: false });
      const text = ({ page }) => page.evaluate(() => [...document.querySelectorAll("tr,p:not([role]),li,dt,dd,summary,h2")].map((it) => it.textContent));
      await script.page.evaluate(() => document.querySelector(".bar").remove());
      assert.deepEqual(await text(script), await text(plain));
      assert.equal(await plain.page.locator("button, input, [aria-sort]").count(), 0);
      assert.ok(await script.page.locator("thead button").count());
      await Promise.all([script.close(), plain.close()]);
    });

    test("sorts within each tier by exact values, and gives the order back", is({}, async (page) => {
      const table = await figures(page);
      const button = head(page, table, 1).getByRole("button");
      const asItCame = await rowsOf(page, table);
      const values = () => page.evaluate((table) =>
        [...document.getElementById(table).tBodies].map((body) =>
          [...body.rows].filter((row) => row.cells[0].scope === "row").map((row) => row.cells[1].dataset.x?.split(" ")[0])), table);
      const last = (values) => values.map((value) => value === undefined);
      for (const [direction, sign] of [["ascending", 1], ["descending", -1]]) {
        await button.press("Enter");
        assert.equal(await head(page, table, 1).getAttribute("aria-sort"), direction);
        for (const group of await values()) {
          const numbers = group.filter((value) => value !== undefined).map(Number);
          assert.deepEqual(numbers, numbers.toSorted((a, b) => sign * (a - b)));
          assert.deepEqual(last(group), last(group).toSorted(), "what has no value is last");
        }
      }
      await button.click();
      assert.equal(await head(page, table, 1).getAttribute("aria-sort"), null);
      assert.deepEqual(await rowsOf(page, table), asItCame);
    }));

    test("filters by name and tier, and no figure or place changes", is({}, async (page) => {
      const table = await figures(page);
      const all = (await rowsOf(page, table)).flat();
      await page.getByRole("searchbox").fill("work-");
      const named = (await rowsOf(page, table)).flat();
      assert.ok(named.length > 0 && named.length < all.length);
      assert.deepEqual(named, all.filter((row) => row.split("\t")[0].includes("work-")));
      await page.getByRole("searchbox").fill("");
      await page.getByRole("checkbox", { name: "controlled" }).uncheck();
      const others = (await rowsOf(page, table)).flat();
      assert.ok(others.length < all.length && others.every((row) => all.includes(row)));
      assert.equal(await page.locator("tbody[data-group='controlled'] tr:not(:has(.g)):not([hidden])").count(), 0, "second servers too");
      assert.match(await page.locator(".bar [role=status]").innerText(), /^\d+ of \d+ rows shown$/);
      await page.getByRole("button", { name: "Show all" }).click();
      assert.deepEqual((await rowsOf(page, table)).flat(), all);
      assert.ok(!page.url().includes("="), page.url());
    }));

    test("keeps filters and orders in the address, and takes them from it", is({}, async (page) => {
      const table = await figures(page);
      await page.getByRole("searchbox").fill("s");
      await page.getByRole("checkbox", { name: "calibration" }).uncheck();
      await head(page, table, 1).getByRole("button").click();
      await page.locator("nav a").first().click();
      const [shown, url] = [await rowsOf(page, table), page.url()];
      await page.reload();
      assert.equal(page.url(), url);
      assert.deepEqual(await rowsOf(page, table), shown);
      assert.equal(await head(page, table, 1).getAttribute("aria-sort"), "ascending");
      const other = await open(browser, report, { fragment: url.slice(url.indexOf("#")) });
      assert.deepEqual(await rowsOf(other.page, table), shown);
      assert.deepEqual(other.wrong, []);
      await other.close();
    }));

    test("shows exact values to keyboard and pointer", is({}, async (page) => {
      const table = await figures(page);
      const cells = page.locator(`[id="${table}"] td[data-x]`);
      const first = await cells.first().getAttribute("data-x");
      await head(page, table, -1).getByRole("button").focus();
      await page.keyboard.press("Tab");
      const told = page.locator(".exact");
      const [value, low] = first.split(" ");
      assert.ok((await told.innerText()).includes(value) && (!low || (await told.innerText()).includes(low)), await told.innerText());
      await page.keyboard.press("ArrowDown");
      assert.ok(await page.evaluate(() => document.activeElement.matches("td[data-x]") && document.activeElement.tabIndex === 0));
      assert.equal(await page.locator(`[id="${table}"] td[tabindex="0"]`).count(), 1);
      await page.keyboard.press("Escape");
      assert.equal(await told.innerText(), "");
      await cells.first().hover();
      assert.ok((await told.innerText()).includes(value));
    }));

    test("does not scroll sideways at 400 pixels, and what does can have the focus", is({ viewport: { width: 400, height: 800 } }, async (page) => {
      await openAll(page);
      const [wide, unreachable] = await page.evaluate(() => [
        document.scrollingElement.scrollWidth,
        [...document.querySelectorAll("main *")].filter((it) => it.scrollWidth > it.clientWidth + 1 && getComputedStyle(it).overflowX === "auto" && it.tabIndex < 0).length,
      ]);
      assert.equal(wide, 400);
      assert.equal(unreachable, 0);
    }));

    test("prints everything and no controls", is({}, async (page) => {
      await page.emulateMedia({ media: "print" });
      const [hidden, controls] = await page.evaluate(() => [
        [...document.querySelectorAll("details > *")].filter((it) => !it.checkVisibility({ contentVisibilityAuto: true })).length,
        [...document.querySelectorAll(".bar, .exact, .skip, nav")].filter((it) => it.checkVisibility()).length,
      ]);
      assert.equal(hidden, 0);
      assert.equal(controls, 0);
      assert.equal(await page.evaluate(() => document.getAnimations().length), 0, "nothing moves");
    }));

    test("is looked at by a person", is({}, async (page, t) => {
      const picture = (name) => page.screenshot({ path: fileOf(report, `${name}.png`), fullPage: true });
      for (const colorScheme of ["light", "dark"]) {
        await page.emulateMedia({ colorScheme });
        await picture(colorScheme);
      }
      await page.emulateMedia({ colorScheme: "light", forcedColors: "active" });
      await picture("forced-colours");
      await page.emulateMedia({ forcedColors: "none" });
      await page.pdf({ path: fileOf(report, "printed.pdf"), format: "A4", preferCSSPageSize: true });
      await page.setViewportSize({ width: 400, height: 800 });
      await picture("narrow");
      await openAll(page);
      await picture("narrow-open");
      const { loadEventEnd, domInteractive } = await page.evaluate(() => performance.getEntriesByType("navigation")[0].toJSON());
      t.diagnostic(`interactive after ${domInteractive.toFixed(0)} ms, loaded after ${loadEventEnd.toFixed(0)} ms`);
    }));
  });
}
