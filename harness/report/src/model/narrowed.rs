//! Less of a report: some of its scenarios, or some of its rows. What stays is what it was: nothing is compared again.

use race::plan::run_plan::AGAIN;

use super::{
    report::{Report, Section},
    table::Table,
};

impl Report {
    /// The names of its scenarios.
    pub fn scenarios(&self) -> Vec<String> {
        self.sections.iter().map(|section| section.name.clone()).collect()
    }

    /// The names of the rows that were to be raced.
    pub fn row_names(&self) -> Vec<String> {
        self.rows.lines().filter_map(|(_, cells)| Some(cells.first()?.text.clone())).collect()
    }

    /// Only the scenarios called `names`.
    #[must_use]
    pub fn of_scenarios(mut self, names: &[String]) -> Self {
        self.sections.retain(|section| names.contains(&section.name));
        let shown: Vec<usize> = (0..self.choices.columns.len())
            .filter(|&at| at == 0 || names.contains(&self.choices.columns[at].key))
            .collect();
        let choices = &mut self.choices;
        choices.columns = shown.iter().map(|&at| choices.columns[at].clone()).collect();
        for row in choices.groups.iter_mut().flat_map(|group| &mut group.rows) {
            *row = shown.iter().map(|&at| row[at].clone()).collect();
        }
        self
    }

    /// Only lines of the rows called `names`. Places are still among all rows, and so are answers, choices and findings; pictures, which
    /// are of all rows, are left out.
    #[must_use]
    pub fn of_rows(mut self, names: &[String]) -> Self {
        self.sections.iter_mut().for_each(|section| section.keep_rows(names));
        self.rows.keep_rows(names);
        if let Some(conformance) = &mut self.conformance {
            conformance.rows.retain(|row| names.contains(&row.row));
        }
        self
    }
}

impl Section {
    fn keep_rows(&mut self, names: &[String]) {
        let all = self.figures.iter_mut().chain(&mut self.beside).chain(&mut self.beneath);
        all.for_each(|table| table.keep_rows(names));
        self.plots.clear();
        let is_of = |note: &String, name: &String| {
            let rest = note.strip_prefix(name.as_str());
            rest.is_some_and(|rest| rest.strip_prefix(AGAIN).unwrap_or(rest).starts_with(": "))
        };
        self.notes.retain(|note| names.iter().any(|name| is_of(note, name)));
    }
}

impl Table {
    /// Only lines that are about rows called `names`, whatever else they are about; and what their symbols mean.
    fn keep_rows(&mut self, names: &[String]) {
        let about: Vec<usize> =
            ["row", "first", "second"].iter().filter_map(|key| self.column(key)).collect();
        let is_asked = |label: &str| {
            let name = label.strip_suffix(AGAIN).unwrap_or(label);
            names.iter().any(|asked| asked == name || asked == label)
        };
        for group in &mut self.groups {
            group.rows.retain(|cells| about.iter().all(|&at| is_asked(&cells[at].text)));
        }
        self.groups.retain(|group| !group.rows.is_empty());
        if let Some(notes) = self.column("notes") {
            let groups = &self.groups;
            let occurs = |symbol: char| {
                let mut lines = groups.iter().flat_map(|group| &group.rows);
                lines.any(|cells| cells[notes].text.contains(symbol))
            };
            self.legend.retain(|symbol| occurs(symbol.symbol));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        made_up::{around, cell, raced},
        model::Report,
        whole,
    };

    fn report() -> Report {
        let rows = ["work-stealing", "rayon-offload", "single-thread", "ceiling"];
        let contents = raced("mixed", &rows, (6, 2), |wanted| {
            let us = if wanted.entry.row.name == "rayon-offload" { 800 } else { 3000 };
            let mut measured = around(us + 7 * wanted.start as u64);
            if wanted.entry.row.name == "single-thread" {
                measured.streams[0].answered_in_window = 65;
            }
            measured
        });
        whole::of(&contents)
    }

    #[test]
    fn hiding_rows_changes_no_place_and_no_answer() {
        let whole = report();
        let asked = ["work-stealing".to_owned()];
        let less = whole.clone().of_rows(&asked);
        let [whole, less] = [&whole, &less].map(|report| &report.sections[0]);
        assert_eq!(cell(less, "work-stealing", "place"), cell(whole, "work-stealing", "place"));
        assert_eq!(cell(less, "work-stealing", "place"), "2");
        assert_eq!((&less.answer, &less.findings), (&whole.answer, &whole.findings));
        let names: Vec<&str> =
            less.tables().flat_map(|table| table.lines()).map(|(_, row)| &*row[0].text).collect();
        assert!(!names.is_empty() && names.iter().all(|name| name.starts_with("work-stealing")), "{names:?}");
        assert!(names.contains(&"work-stealing (again)"), "{names:?}");
        // What only the hidden rows' symbols mean is not said.
        let legend = |section: &crate::model::Section| section.figures.as_ref().unwrap().legend.len();
        assert!(legend(whole) > legend(less));
        assert!(less.notes.iter().all(|note| note.starts_with("work-stealing")), "{:?}", less.notes);
    }

    #[test]
    fn a_pair_stays_where_both_of_its_rows_do() {
        let asked = ["work-stealing".to_owned(), "rayon-offload".to_owned()];
        let less = report().of_rows(&asked);
        let pairs = less.sections[0].beneath.iter().find(|table| table.id == "pairs").unwrap();
        assert_eq!(pairs.lines().count(), 1);
    }

    #[test]
    fn of_one_scenario_there_is_one_section_and_one_column_of_choices() {
        let whole = report();
        assert_eq!((whole.scenarios(), whole.row_names().len()), (vec!["mixed".to_owned()], 4));
        let none = whole.clone().of_scenarios(&["other".to_owned()]);
        assert_eq!((none.sections.len(), none.choices.columns.len()), (0, 1));
        let same = whole.clone().of_scenarios(&["mixed".to_owned()]);
        assert_eq!(same, whole);
    }
}
