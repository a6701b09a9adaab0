//! A report as Markdown that is also readable as it is: tables are aligned, and no wider than a page.

use crate::{
    model::{Conformance, List, Plot, Report, Said, Section, Table},
    render::{
        clean::clean,
        code_span::code_span,
        fit::{Room, fit, in_parts},
        wrap::{WIDTH, hanging, wrapped},
    },
};

/// The room of a Markdown table.
fn room(wide: usize) -> Room {
    Room { wide, around: 3, edge: 1, is_plain: false }
}

/// The whole report.
pub fn report(report: &Report) -> String {
    let mut text = format!("# {}\n\n", escaped(&report.title()));
    for warning in &report.warnings {
        text.push_str(&format!("**{}**\n\n", escaped(warning)));
    }
    if let Some(made) = report.choices() {
        text.push_str(&choices(made, WIDTH));
        text.push('\n');
    }
    report.sections.iter().for_each(|section| text.push_str(&answered(section)));
    text.push('\n');
    text.push_str(&wrapped(&escaped_but_for_code(report)));
    text.push('\n');
    text.push_str(&wrapped(&report.reading));
    for section in &report.sections {
        text.push_str(&of_section(section));
    }
    text.push_str("\n## What the rows are\n\n");
    text.push_str(&table(&report.rows, WIDTH));
    text.push_str("\nWhat each does otherwise than the others: [rows.csv](tables/rows.csv).");
    if report.conformance.is_some() {
        text.push_str(" Whether they keep the contract, and where not: [deviations.md](deviations.md).");
    }
    text.push('\n');
    for list in report.left_out.iter().chain([&report.machine]) {
        text.push_str(&of_list(list));
    }
    text
}

/// A scenario's question, and its answer on lines of its own.
pub(crate) fn answered(section: &Section) -> String {
    let question =
        hanging(&format!("- **{}**: {}", escaped(&section.name), escaped(&section.question)), "  ", WIDTH);
    format!("{question}  {}", hanging(&escaped(&section.answer), "  ", WIDTH - 2))
}

/// What to choose: the table of choices, in parts that fit.
pub(crate) fn choices(choices: &Table, wide: usize) -> String {
    let parts: Vec<String> =
        in_parts(choices, room(wide), escaped).iter().map(|part| table(part, wide)).collect();
    format!("{}\n{}", parts.join("\n"), wrapped(&escaped(&choices.caption)))
}

/// The command, the code and the host of a run, in one paragraph.
fn escaped_but_for_code(report: &Report) -> String {
    report.made.sentence(&code_span(&clean(&report.made.command)))
}

/// One scenario: its answer, its tables, and what may be concluded from them.
fn of_section(section: &Section) -> String {
    let mut text = format!(
        "\n## {}\n\n{} **{}**\n",
        escaped(&section.name),
        escaped(&section.question),
        escaped(&section.answer)
    );
    text.push_str(&list(None, section.caveats.iter().map(|caveat| format!("**{}**", escaped(caveat)))));
    text.push_str(&list(None, section.load.iter().map(|line| escaped(line))));
    for shown in section.tables().filter(|table| !table.is_detail) {
        text.push_str(&format!("\n{}\n{}", wrapped(&escaped(&shown.caption)), table(shown, WIDTH)));
    }
    let more = section.tables().map(|table| {
        let file = format!("{}.{}", section.name, table.id);
        format!("[{}]({})", escaped(&table.id), link("tables", &file, "csv"))
    });
    let plots = section.plots.iter().map(|plot| image(section, plot));
    let more: Vec<String> = more.collect();
    if !more.is_empty() {
        text.push('\n');
        text.push_str(&wrapped(&format!("All columns, exact: {}.", more.join(", "))));
    }
    let plots: Vec<String> = plots.collect();
    if !plots.is_empty() {
        text.push_str(&format!("\n{}\n", plots.join("\n\n")));
    }
    let notes = section.notes.iter().map(|note| escaped(note));
    let findings = section.findings.iter().map(|Said { text, is_warning }| match is_warning {
        true => format!("**{}**", escaped(text)),
        false => escaped(text),
    });
    text + &list(Some("Of single rows:"), notes) + &list(Some("Findings:"), findings)
}

fn image(section: &Section, plot: &Plot) -> String {
    format!("![{}]({})", escaped(&plot.title), link("plots", &format!("{}.{}", section.name, plot.id), "svg"))
}

/// A link to a file of the run's folder.
fn link(folder: &str, name: &str, extension: &str) -> String {
    let file = crate::model::file_name(name);
    format!("{folder}/{}.{extension}", file.replace('%', "%25"))
}

/// A list after an empty line, under a line that says what it is; nothing where it is empty.
fn list(head: Option<&str>, items: impl Iterator<Item = String>) -> String {
    let items: String = items.map(|item| format!("- {item}\n")).collect();
    if items.is_empty() {
        return String::new();
    }
    let head = head.map_or_else(String::new, |head| format!("{head}\n\n"));
    format!("\n{head}{items}")
}

fn of_list(of: &List) -> String {
    format!("\n## {}\n{}", escaped(&of.heading), list(None, of.items.iter().map(|item| escaped(item))))
}

/// The lines of a table in at most `wide` columns, with what its symbols mean.
pub(crate) fn table(of: &Table, wide: usize) -> String {
    let fitted = fit(of, room(wide), escaped_in_a_cell);
    let widths: Vec<usize> = fitted.widths().into_iter().map(|width| width.max(3)).collect();
    let line = |cells: &[String]| format!("| {} |\n", fitted.padded(cells, &widths).join(" | "));
    let rule = widths.iter().zip(&fitted.is_number).map(|(width, is_number)| match is_number {
        true => format!("{}:", "-".repeat(width + 1)),
        false => "-".repeat(width + 2),
    });
    let mut text = line(&fitted.headings);
    text.push_str(&format!("|{}|\n", rule.collect::<Vec<_>>().join("|")));
    let has_several = fitted.groups.len() > 1;
    for (at, (heading, rows)) in fitted.groups.iter().enumerate() {
        // The first group needs no heading: the others stand apart from it.
        if let (Some(heading), true) = (heading, has_several && at > 0) {
            let mut cells = vec![String::new(); fitted.headings.len()];
            cells[0] = format!("*{}*", escaped_in_a_cell(&clean(heading)));
            text.push_str(&line(&cells));
        }
        rows.iter().for_each(|row| text.push_str(&line(row)));
    }
    if !of.legend.is_empty() {
        text.push_str(&format!("\n{}", wrapped(&escaped(&of.meanings()))));
    }
    text
}

/// Deviations from the contract, on a page of their own; nothing where nobody asked.
pub fn deviations(report: &Report) -> Option<String> {
    let Conformance { rows } = report.conformance.as_ref()?;
    let mut text = format!("# Conformance of the rows of {}\n\n", escaped(&report.title()));
    text.push_str(&wrapped(
        "Cases of the suite that each row's very binary passes, of those that were judged (METHODOLOGY.md, \"What verified means\"), \
         and where it deviates from the contract, as the registry lists.",
    ));
    for row in rows {
        let broken = if row.is_broken { " **Not raced, because it does not hold.**" } else { "" };
        text.push_str(&format!("\n## {}\n\n{}.{broken}\n", escaped(&row.row), escaped(&row.score)));
        let deviations =
            row.deviations.iter().map(|it| format!("{}: {}", escaped(&it.why), escaped(&it.cases)));
        text.push_str(&list(None, deviations));
    }
    Some(text)
}

/// Text that is shown as it is.
pub(crate) fn escaped(text: &str) -> String {
    let text = clean(text);
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let next = letters.peek().copied().unwrap_or(' ');
        let is_special = match letter {
            '\\' | '`' | '*' | '<' => true,
            // Within a word it is a letter.
            '_' => !before.is_alphanumeric() || !next.is_alphanumeric(),
            // A link, and nothing else, follows a bracket.
            '(' => before == ']',
            '#' | '>' | '+' | '-' | '=' | '~' => out.is_empty() && text.len() > 1,
            _ => false,
        };
        if is_special {
            out.push('\\');
        }
        out.push(letter);
        before = letter;
    }
    out
}

/// The same where a bar would end the cell.
fn escaped_in_a_cell(text: &str) -> String {
    let text = if text == "-" { "-".to_owned() } else { escaped(text) };
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_are_shown_as_they_are() {
        assert_eq!(escaped("<script>alert(1)</script>"), "\\<script>alert(1)\\</script>");
        assert_eq!(escaped("[x](http://y) **z** `w` \\"), "[x]\\(http://y) \\*\\*z\\*\\* \\`w\\` \\\\");
        assert_eq!(escaped("may_minihttp _x_ 0.19 [0.18, 0.20]"), "may_minihttp \\_x\\_ 0.19 [0.18, 0.20]");
        assert_eq!(escaped("# not a heading"), "\\# not a heading");
        assert_eq!(escaped_in_a_cell("a|b"), "a\\|b");
        assert_eq!(escaped_in_a_cell("-"), "-");
    }
}
