//! The page over a small report that is written down here: whatever the statistics say, it is shown like this.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use sha2::{Digest as _, Sha256};

use crate::model::{
    Cell, Column, Conformance, Deviation, Exact, Group, List, Made, Report, RowScore, Said, Section, Symbol,
    Table,
};

use super::page;

/// Names that would do something where they are not escaped.
const SCRIPT: &str = "<script>alert(1)</script>";
const QUOTES: &str = "\" onclick=\"alert(2)\" x='";
const TURNED: &str = "שרת \u{202e}turned\u{7}";

fn figures() -> Table {
    let row = |name: &str, figure: Cell, place: Cell, note: &str| {
        vec![Cell::text(name), figure, place, Cell::text(note)]
    };
    let figure = |text: &str, interval: &str, exact| Cell {
        interval: Some(interval.to_owned()),
        exact: Some(exact),
        ..Cell::text(text)
    };
    let controlled = vec![
        row(
            SCRIPT,
            figure("194", "[188, 201]", Exact::between(194.1, 188.25, 201.0)),
            Cell::number("1", 1.0),
            "",
        ),
        row(
            QUOTES,
            figure("> 5,000", "(of 3)", Exact { is_bound: true, ..Exact::of(5_000_000.0) }),
            Cell::number("2-3", 2.0),
            "b",
        ),
        row("single-thread", Cell::text("overloaded"), Cell::none(), "o"),
    ];
    let native = vec![row("100% | a&b", Cell::none(), Cell::none(), "")];
    let group = |heading: &str, rows| Group { heading: Some(heading.to_owned()), rows };
    Table {
        id: "figures".to_owned(),
        caption: "The p99 of simple: the median over starts.".to_owned(),
        columns: vec![
            Column::text("row", "row"),
            Column::number("simple p99, us", "p99_us"),
            Column::number("place", "place"),
            Column::text("notes", "notes"),
        ],
        groups: vec![group("controlled", controlled), group("native", native)],
        legend: vec![Symbol { symbol: 'o', meaning: "overloaded".to_owned() }],
        is_detail: false,
    }
}

fn report() -> Report {
    let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    let section = Section {
        name: "mixed/1".to_owned(),
        question: "What becomes of the cheap ones?".to_owned(),
        answer: format!("Fastest: {SCRIPT}."),
        load: texts(&["1,000 requests a second"]),
        caveats: texts(&["A disturbed machine."]),
        figures: Some(figures()),
        beneath: vec![Table {
            id: "times-simple".to_owned(),
            caption: "simple, times; and more.".to_owned(),
            ..figures()
        }],
        beside: Vec::new(),
        plots: Vec::new(),
        notes: texts(&["single-thread: overloaded"]),
        findings: vec![Said::warning("Kept shares differ."), Said::from("Two differ.".to_owned())],
    };
    let choice = vec![Cell::text("short p99"), Cell::text(format!("{SCRIPT} or {TURNED}"))];
    Report {
        made: Made {
            started: "2026-11-21T04:00:00+00:00".to_owned(),
            host: TURNED.to_owned(),
            command: format!("cargo bench-all --only '{QUOTES}'"),
            revision: "0123456789ab".to_owned(),
            is_modified: true,
            machine: "2 CPUs".to_owned(),
            compiler: "rustc 1.95.0".to_owned(),
            seed: 7,
            starts: 6,
            complete: 5,
            passes: 0,
            passes_complete: 0,
        },
        warnings: texts(&["5 of 6 starts were finished."]),
        reading: "A figure is the median over starts.".to_owned(),
        choices: Table {
            id: "choices".to_owned(),
            caption: "The best controlled row.".to_owned(),
            columns: vec![Column::text("if you want", "objective"), Column::text("mixed/1", "mixed/1")],
            groups: vec![Group { heading: None, rows: vec![choice] }],
            ..Table::default()
        },
        sections: vec![section],
        rows: Table {
            id: "rows".to_owned(),
            caption: "What the rows are.".to_owned(),
            columns: vec![Column::text("row", "row"), Column::text("tier", "tier")],
            groups: vec![Group {
                heading: None,
                rows: vec![vec![Cell::text(SCRIPT), Cell::text("controlled")]],
            }],
            ..Table::default()
        },
        conformance: Some(Conformance {
            rows: vec![RowScore {
                row: QUOTES.to_owned(),
                score: "MUST 209 of 210".to_owned(),
                is_broken: true,
                deviations: vec![Deviation {
                    why: "no trailers".to_owned(),
                    cases: "<b>trailers</b>".to_owned(),
                }],
            }],
        }),
        left_out: vec![List { heading: "Skipped".to_owned(), items: texts(&["pm2: no node"]) }],
        machine: List { heading: "The host".to_owned(), items: texts(&["kernel: 6.0", "memory"]) },
    }
}

/// What stands between the first `begin` and the `end` after it.
fn between<'a>(text: &'a str, begin: &str, end: &str) -> &'a str {
    text.split_once(begin).and_then(|(_, rest)| rest.split_once(end)).expect("it has both").0
}

#[test]
fn a_page_shows_its_report() {
    let page = page(&report());
    let (style, script) = (between(&page, "<style>", "</style>"), between(&page, "<script>", "</script>"));
    let hash = |text: &str| format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(text)));
    let shown = page
        .replace(style, "/* the style */")
        .replace(script, "// the script")
        .replace(&hash(style), "hash of the style")
        .replace(&hash(script), "hash of the script")
        // A line a block and a cell, so that a change shows where it is.
        .replace("><", ">\n<")
        .replace("<t", "\n<t")
        .replace("\n\n", "\n");
    insta::assert_snapshot!(shown);
}

#[test]
fn the_policy_allows_the_style_and_the_script_of_the_page_and_nothing_else() {
    let page = page(&report());
    let hash = |text: &str| format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(text)));
    let policy = between(&page, "http-equiv=\"Content-Security-Policy\" content=\"", "\"");
    let expected = format!(
        "default-src 'none'; style-src {}; script-src {}; base-uri 'none'; form-action 'none'",
        hash(between(&page, "<style>", "</style>")),
        hash(between(&page, "<script>", "</script>"))
    );
    assert_eq!(policy, expected);
    assert_eq!((page.matches("<style").count(), page.matches("<script").count()), (1, 1));
    assert!(!page.contains(" style=") && !page.contains(" src=") && !page.contains("<link"));
}

#[test]
fn hostile_names_are_shown_and_not_obeyed() {
    let page = page(&report());
    assert!(!page.contains(SCRIPT) && page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(!page.contains("\" onclick=") && page.contains("&quot; onclick=&quot;alert(2)&quot; x='"));
    // Of what turns the direction of text only the letters themselves are left.
    assert!(page.contains("שרת \u{fffd}turned\u{fffd}") && !page.contains(['\u{202e}', '\u{7}']));
}

#[test]
fn every_link_within_the_page_leads_somewhere() {
    let page = page(&report());
    let links: Vec<&str> = page.split("href=\"#").skip(1).map(|rest| between(rest, "", "\"")).collect();
    assert!(links.len() > 6);
    for link in links {
        assert!(page.contains(&format!("id=\"{link}\"")), "{link}");
    }
}

#[test]
fn an_empty_report_is_a_page() {
    let none = Table::default();
    let empty = Report {
        sections: Vec::new(),
        choices: none.clone(),
        rows: none,
        conformance: None,
        left_out: Vec::new(),
        warnings: Vec::new(),
        ..report()
    };
    let page = page(&empty);
    assert!(
        page.contains("<h1>") && !page.contains("id=\"conformance\"") && !page.contains("<ul class=\"warn\"")
    );
}

#[test]
fn the_same_report_gives_the_same_bytes() {
    assert_eq!(page(&report()), page(&report()));
}
