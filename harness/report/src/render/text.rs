//! A report for a terminal: the answers first, then one table after another, as narrow as the terminal is.

use anstyle::{AnsiColor, Style};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::{
    model::{Cell, List, Report, Said, Section, Table},
    render::{
        clean::clean,
        fit::{Fitted, Room, fit, fits_as_it_is, in_parts},
        wrap::{WIDTH, hanging},
    },
};

/// Narrower than this nothing is set: the terminal folds what is too long.
const NARROWEST: usize = 40;

const PLAIN: Style = Style::new();
const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const WARNING: Style = AnsiColor::Yellow.on_default();

/// How a report is to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// How wide a line may be, in columns of the terminal; fewer than 40 are taken for 40.
    pub columns: usize,
    /// Whether colours are seen.
    pub colour: bool,
    /// Whether everything is shown: details, notes on single rows, all findings, the load and the host.
    pub is_whole: bool,
}

/// The whole report.
pub fn text(report: &Report, look: Look) -> String {
    let mut page = Page::new(look);
    page.line(BOLD, &report.title());
    page.prose(DIM, "", &report.made.sentence(&report.made.command));
    page.gap();
    if let Some(choices) = report.choices() {
        page.choices(choices);
        page.gap();
    }
    for section in &report.sections {
        page.answer(section);
    }
    page.warnings(report.warnings.iter().map(String::as_str));
    if look.is_whole {
        page.gap();
        page.prose(PLAIN, "", &report.reading);
    }
    for section in &report.sections {
        page.section(section);
    }
    if look.is_whole {
        page.heading("What the rows are");
        page.table(&report.rows);
    }
    for list in &report.left_out {
        page.list(list);
    }
    if look.is_whole {
        page.list(&report.machine);
    } else {
        page.gap();
        page.prose(
            DIM,
            "",
            "Every pair, notes on single rows, all findings, the load and the host: harness show --all",
        );
    }
    page.text
}

/// One table, with what it holds and what its symbols mean.
pub fn table(of: &Table, look: Look) -> String {
    let mut page = Page::new(look);
    page.table(of);
    page.text
}

struct Page {
    look: Look,
    text: String,
}

impl Page {
    fn new(look: Look) -> Self {
        Self { look: Look { columns: look.columns.max(NARROWEST), ..look }, text: String::new() }
    }

    fn room(&self) -> Room {
        // The gap after the last column is not set.
        Room { wide: self.look.columns + GAP.len(), around: GAP.len(), edge: 0, is_plain: true }
    }

    /// How wide a paragraph is: lines that are longer than a page's are hard to read, however wide the terminal is.
    fn wide(&self) -> usize {
        self.look.columns.min(WIDTH)
    }

    fn gap(&mut self) {
        self.text.push('\n');
    }

    fn styled(&self, style: Style, text: &str) -> String {
        if self.look.colour && style != PLAIN { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// A line that is set already.
    fn push(&mut self, style: Style, line: &str) {
        let line = line.trim_end();
        if !line.is_empty() {
            let styled = self.styled(style, line);
            self.text.push_str(&styled);
        }
        self.text.push('\n');
    }

    /// A paragraph, with `indent` before every line.
    fn prose(&mut self, style: Style, indent: &str, text: &str) {
        let wide = self.wide();
        let words = breakable(&clean(text), wide - indent.width());
        for line in hanging(&words, "", wide - indent.width()).lines() {
            self.push(style, &format!("{indent}{line}"));
        }
    }

    fn line(&mut self, style: Style, text: &str) {
        self.prose(style, "", text);
    }

    /// Things of a list, each after a hyphen.
    fn item(&mut self, style: Style, text: &str) {
        let wide = self.wide();
        let words = breakable(&clean(text), wide - 2);
        for line in hanging(&format!("- {words}"), "  ", wide).lines() {
            self.push(style, line);
        }
    }

    fn warnings<'a>(&mut self, warnings: impl Iterator<Item = &'a str>) {
        for (at, warning) in warnings.enumerate() {
            if at == 0 {
                self.gap();
            }
            self.prose(WARNING, "", &format!("Warning: {warning}"));
        }
    }

    /// `━━ mixed ━━━━━━━━━`.
    fn heading(&mut self, text: &str) {
        self.gap();
        self.rule(BOLD, '━', Some(text), self.wide());
    }

    /// A rule, with what follows it written into it; a name that is longer than the line is a paragraph of its own.
    fn rule(&mut self, style: Style, drawn: char, text: Option<&str>, wide: usize) {
        let rule = |wide: usize| drawn.to_string().repeat(wide);
        let Some(text) = text else { return self.push(style, &rule(wide)) };
        let text = clean(text);
        match wide.saturating_sub(text.width() + 4) {
            0 => self.prose(style, "", &text),
            rest => self.push(style, &format!("{} {text} {}", rule(2), rule(rest))),
        }
    }

    fn list(&mut self, List { heading, items }: &List) {
        self.heading(heading);
        for item in items {
            self.item(PLAIN, item);
        }
    }

    /// What to choose: a table in parts where the columns fit, and otherwise a list for each scenario.
    fn choices(&mut self, choices: &Table) {
        let room = self.room();
        let parts = in_parts(choices, room, str::to_owned);
        if parts.iter().all(|part| fits_as_it_is(part, room, str::to_owned)) {
            for (at, part) in parts.iter().enumerate() {
                if at > 0 {
                    self.gap();
                }
                self.lines_of(part, &fit(part, room, str::to_owned));
            }
        } else {
            for (at, column) in choices.columns.iter().enumerate().skip(1) {
                self.prose(BOLD, "", &column.heading);
                // What is not asked of a scenario is no news of it.
                for (_, row) in choices.lines().filter(|(_, row)| row[at].text != "-") {
                    self.item(PLAIN, &format!("{}: {}", row[0].text, row[at].whole_text()));
                }
            }
        }
        self.prose(DIM, "", &choices.caption);
    }

    fn answer(&mut self, section: &Section) {
        self.prose(BOLD, "", &section.name);
        self.prose(DIM, "  ", &section.question);
        self.prose(PLAIN, "  ", &section.answer);
    }

    fn section(&mut self, section: &Section) {
        let is_whole = self.look.is_whole;
        self.heading(&section.name);
        for caveat in &section.caveats {
            self.prose(WARNING, "", caveat);
        }
        if is_whole {
            section.load.iter().for_each(|line| self.item(PLAIN, line));
        }
        if let Some(figures) = section.figures.as_ref().filter(|figures| !figures.is_empty()) {
            self.table(figures);
        }
        let mut too_wide: Vec<&str> = Vec::new();
        for table in section
            .beside
            .iter()
            .chain(&section.beneath)
            .filter(|table| !table.is_empty() && (is_whole || !table.is_detail))
        {
            let fitted = fit(table, self.room(), str::to_owned);
            match fitted.fits() && fitted.keeps_words_apart(table) {
                true => {
                    self.gap();
                    self.table(table);
                }
                false => too_wide.push(&table.id),
            }
        }
        if !too_wide.is_empty() {
            let columns = self.look.columns;
            let said =
                format!("Too wide for {columns} columns (--format csv has all): {}", too_wide.join(", "));
            self.gap();
            self.prose(DIM, "", &said);
        }
        if is_whole && !section.notes.is_empty() {
            self.gap();
            self.line(PLAIN, "Of single rows:");
            section.notes.iter().for_each(|note| self.item(PLAIN, note));
        }
        self.findings(&section.findings);
    }

    /// All of them, or those that nobody should miss.
    fn findings(&mut self, findings: &[Said]) {
        let is_whole = self.look.is_whole;
        let shown: Vec<&Said> = findings.iter().filter(|said| is_whole || said.is_warning).collect();
        if shown.is_empty() {
            return;
        }
        self.gap();
        if is_whole {
            self.line(PLAIN, "Findings:");
        }
        for said in shown {
            self.item(if said.is_warning { WARNING } else { PLAIN }, &said.text);
        }
    }

    fn table(&mut self, of: &Table) {
        if !of.caption.is_empty() {
            self.prose(DIM, "", &of.caption);
        }
        let fitted = fit(of, self.room(), str::to_owned);
        self.lines_of(of, &fitted);
        if !of.legend.is_empty() {
            self.prose(DIM, "", &of.meanings());
        }
        if !fitted.left_out.is_empty() {
            self.prose(DIM, "", &format!("No room for: {}", fitted.left_out.join(", ")));
        }
    }

    fn lines_of(&mut self, of: &Table, fitted: &Fitted) {
        let widths = fitted.widths();
        for cells in stacked(&fitted.headings, &widths) {
            self.push(BOLD, &fitted.padded(&cells, &widths).join(GAP));
        }
        let whole =
            (widths.iter().sum::<usize>() + GAP.len() * (widths.len().max(1) - 1)).min(self.look.columns);
        let place = of.column("place");
        for ((heading, rows), group) in fitted.groups.iter().zip(&of.groups) {
            self.rule(DIM, '─', heading.as_deref(), whole);
            for (cells, exact) in rows.iter().zip(&group.rows) {
                let cells = fitted.padded(cells, &widths);
                if place.is_some_and(|place| may_be_first(&exact[place])) {
                    self.push(BOLD, &cells.join(GAP));
                } else {
                    let line: Vec<String> = cells.iter().map(|cell| self.with_dim_interval(cell)).collect();
                    self.push(PLAIN, &line.join(GAP));
                }
            }
        }
    }

    fn with_dim_interval(&self, cell: &str) -> String {
        match cell.find(" [").filter(|_| self.look.colour && cell.ends_with(']')) {
            Some(at) => format!("{}{}", &cell[..at], self.styled(DIM, &cell[at..])),
            None => cell.to_owned(),
        }
    }
}

/// What stands between two columns.
const GAP: &str = "  ";

/// Whether a place begins with the first.
fn may_be_first(place: &Cell) -> bool {
    place.exact.is_some_and(|exact| exact.low.unwrap_or(exact.value) <= 1.0)
}

/// Headings in as many lines as the widest needs, each at the foot of its column.
fn stacked(headings: &[String], widths: &[usize]) -> Vec<Vec<String>> {
    let lines_of = |(heading, &width): (&String, &usize)| -> Vec<String> {
        hanging(heading, "", width).lines().map(str::to_owned).collect()
    };
    let columns: Vec<Vec<String>> = headings.iter().zip(widths).map(lines_of).collect();
    let height = columns.iter().map(Vec::len).max().unwrap_or(0);
    let line = |at: usize| {
        let of = |column: &Vec<String>| {
            let above = height - column.len();
            at.checked_sub(above).map(|own| column[own].clone()).unwrap_or_default()
        };
        columns.iter().map(of).collect()
    };
    (0..height).map(line).collect()
}

/// `text` with words that are longer than a line in parts.
fn breakable(text: &str, wide: usize) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        if word.width() <= wide {
            out.push_str(word);
            continue;
        }
        let (mut part, mut column) = (String::new(), 0);
        for letter in word.chars() {
            let width = letter.width().unwrap_or(0);
            if column + width > wide {
                out.push_str(&part);
                out.push(' ');
                (part, column) = (String::new(), 0);
            }
            part.push(letter);
            column += width;
        }
        out.push_str(&part);
    }
    out
}

#[cfg(test)]
mod tests;
