use super::*;
use crate::{of, tests::contents};

fn look(columns: usize) -> Look {
    Look { columns, colour: false, is_whole: false }
}

/// `text` without what colours it; anything else that moves a terminal stays.
fn without_colours(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let letters = part.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == ';');
        out.push_str(letters.strip_prefix('m').unwrap_or("\u{1b}"));
    }
    out
}

const HOSTILE: &str = "<script>\u{1b}[31m|%\"\u{202e}\n\u{5e9}\u{5dc}\u{5d5}\u{5dd}";

/// The report with a row, and whatever speaks of it, under a name that nobody would choose.
fn hostile() -> Report {
    let name = format!("{HOSTILE}{}", "x".repeat(300));
    let renamed = |text: &mut String| *text = text.replace("rayon-offload", &name);
    let mut report = of(&contents());
    let of_table = |table: &mut Table| {
        renamed(&mut table.caption);
        let cells = table.groups.iter_mut().flat_map(|group| &mut group.rows).flatten();
        cells.for_each(|cell| renamed(&mut cell.text));
    };
    of_table(&mut report.choices);
    of_table(&mut report.rows);
    for section in &mut report.sections {
        renamed(&mut section.answer);
        section.name = format!("{}{name}", section.name);
        section.figures.iter_mut().chain(&mut section.beneath).for_each(of_table);
        section.notes.iter_mut().for_each(renamed);
        section.findings.iter_mut().for_each(|said| renamed(&mut said.text));
    }
    report.made.host = name.clone();
    report.warnings.push(format!("{name} is odd."));
    report
}

#[test]
fn a_report_is_as_narrow_as_its_terminal() {
    let report = of(&contents());
    for columns in [110, 80, 60, 40] {
        insta::assert_snapshot!(format!("at_{columns}"), text(&report, look(columns)));
    }
}

#[test]
fn all_of_it_is_shown_where_it_is_asked_for() {
    insta::assert_snapshot!("whole", text(&of(&contents()), Look { is_whole: true, ..look(110) }));
}

#[test]
fn no_line_is_wider_than_the_terminal_whatever_rows_are_called() {
    for report in [of(&contents()), hostile()] {
        for columns in 40..=130 {
            for is_whole in [false, true] {
                let shown = text(&report, Look { is_whole, ..look(columns) });
                let wide: Vec<&str> = shown.lines().filter(|line| line.width() > columns).collect();
                assert!(wide.is_empty(), "at {columns}:\n{}", wide.join("\n"));
            }
        }
    }
    // What is narrower still is set as if it were not.
    let report = of(&contents());
    assert_eq!(text(&report, look(1)), text(&report, look(40)));
}

#[test]
fn nothing_in_a_name_is_obeyed() {
    let shown = text(&hostile(), Look { is_whole: true, ..look(80) });
    assert!(shown.contains("<script>\u{fffd}[31m|%\"\u{fffd} "), "{shown}");
    let obeyed = |letter: char| (letter.is_control() && letter != '\n') || letter == '\u{202e}';
    assert!(!shown.contains(obeyed), "{shown:?}");
}

#[test]
fn colours_change_no_character() {
    for report in [of(&contents()), hostile()] {
        let plain = text(&report, look(80));
        let coloured = text(&report, Look { colour: true, ..look(80) });
        assert!(coloured.contains('\u{1b}') && !plain.contains('\u{1b}'));
        assert_eq!(without_colours(&coloured), plain);
        // No line leaves the terminal in a colour.
        let last = |line: &str| line.rsplit_once("\u{1b}[").map(|(_, last)| last.to_owned());
        let left: Vec<&str> =
            coloured.lines().filter(|line| last(line).is_some_and(|last| !last.starts_with("0m"))).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn what_the_best_row_is_and_what_an_interval_is_can_be_seen() {
    let coloured = text(&of(&contents()), Look { colour: true, ..look(110) });
    let line = |name: &str| {
        let mut lines = coloured.lines();
        let own = lines.find(|line| without_colours(line).starts_with(name) && line.contains('['));
        own.map(str::to_owned).unwrap_or_default()
    };
    let (first, second) = (line("rayon-offload "), line("work-stealing "));
    assert!(first.starts_with("\u{1b}[1mrayon-offload"), "{first:?}");
    assert!(second.starts_with("work-stealing") && second.contains("\u{1b}[2m ["), "{second:?}");
}

#[test]
fn a_run_without_anything_says_so() {
    let mut contents = contents();
    contents.measurements.complete.clear();
    contents.run.gate = None;
    let shown = text(&of(&contents), look(60));
    assert!(shown.contains("Warning: 0 of 6 starts were finished."), "{shown}");
    assert_eq!(shown.matches("No start was finished.").count(), 3, "{shown}");
}
