//! What of a page in Markdown others can point to, and what it points to itself.

use std::collections::BTreeSet;

/// A page without its blocks of code and its drawings.
pub(crate) fn prose_of(page: &str) -> String {
    let mut in_code = false;
    let mut prose = String::new();
    for line in page.lines() {
        let is_drawn = line.starts_with("    ");
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if !in_code && !is_drawn {
            prose.push_str(line);
            prose.push('\n');
        }
    }
    prose
}

/// A changelog without the sections of what was published: they name what was.
pub(crate) fn unreleased(page: &str) -> &str {
    let sections: Vec<usize> = page.match_indices("\n## ").map(|(at, _)| at).collect();
    &page[..sections.get(1).copied().unwrap_or(page.len())]
}

/// The targets of inline links.
pub(crate) fn links_in(prose: &str) -> impl Iterator<Item = &str> {
    let targets = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.map(|target| target.trim_start_matches('<').trim_end_matches('>'))
}

/// A page and one of its headings, in quotes, over line ends.
pub(crate) fn headings_named_in(text: &str) -> Vec<(&str, &str)> {
    let after = text.match_indices(".md, \"").map(|(at, mark)| {
        let start =
            text[..at].rfind(|c: char| c.is_whitespace() || "(`\"".contains(c)).map_or(0, |at| at + 1);
        (&text[start..at + 3], &text[at + mark.len()..])
    });
    after.filter_map(|(page, rest)| Some((page, rest.split_once('"')?.0))).collect()
}

/// The headings of a page, as they are read.
fn headings(page: &str) -> Vec<String> {
    let prose = prose_of(page);
    let headings = prose.lines().filter_map(|line| {
        let text = line.trim_start_matches('#');
        (text.len() < line.len() && text.starts_with(' ')).then(|| text.trim().replace(['`', '*'], ""))
    });
    headings.collect()
}

/// What can be named: headings, and the bold words that a paragraph begins with.
pub(crate) fn titles_of(page: &str) -> BTreeSet<String> {
    let prose = prose_of(page);
    let bold =
        prose.lines().filter_map(|line| line.trim_start_matches("- ").strip_prefix("**")?.split_once("**"));
    bold.map(|(title, _)| title.trim_end_matches('.').to_owned()).chain(headings(page)).collect()
}

/// The anchors that GitHub gives to headings.
pub(crate) fn slugs_of(page: &str) -> BTreeSet<String> {
    let mut slugs = BTreeSet::new();
    for heading in headings(page) {
        let kept = heading.to_lowercase().replace(' ', "-");
        let slug: String = kept.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect();
        let mut numbered = (1..).map(|n| format!("{slug}-{n}"));
        let free = std::iter::once(slug.clone()).chain(numbered.by_ref()).find(|slug| !slugs.contains(slug));
        slugs.extend(free);
    }
    slugs
}

#[test]
fn headings_links_and_prose_are_told_from_each_other() {
    let page = "# One\n\n## The *second* `one`, again?\n\n## One\n\n**Run in.** Text.\n";
    assert_eq!(slugs_of(page), ["one", "the-second-one-again", "one-1"].map(str::to_owned).into());
    assert_eq!(titles_of(page), ["One", "The second one, again?", "Run in"].map(str::to_owned).into());
    assert_eq!(links_in("[a](b.md) and [c d](<e.md#f>)").collect::<Vec<_>>(), ["b.md", "e.md#f"]);
    let named = "see METHODOLOGY.md, \"Time and load\", and (README.md, \"Words\").";
    assert_eq!(headings_named_in(named), [("METHODOLOGY.md", "Time and load"), ("README.md", "Words")]);
    assert_eq!(prose_of("a\n```sh\nb/c.rs\n```\n\n    x\nd"), "a\n\nd\n");
    assert_eq!(unreleased("# C\n## Unreleased\na\n## 0.1\nb"), "# C\n## Unreleased\na");
}
