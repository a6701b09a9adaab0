//! What a run found, whole.

use schemars::JsonSchema;
use serde::Serialize;

use super::{plot::Plot, table::Table};

/// What a run found.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Report {
    /// Where, when and from what it was made.
    pub made: Made,
    /// What must be known before any figure is read.
    pub warnings: Vec<String>,
    /// How a figure is to be read.
    pub reading: String,
    /// Which rows to choose, by what is asked for and under which scenario. It has no scenario's column where none compares rows.
    pub choices: Table,
    /// One part for each scenario.
    pub sections: Vec<Section>,
    /// What the rows are.
    pub rows: Table,
    /// Whether they keep the contract; nothing where nobody asked.
    pub conformance: Option<Conformance>,
    /// What was left out, and why.
    pub left_out: Vec<List>,
    /// The host.
    pub machine: List,
}

/// How a run was made.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Made {
    /// When it began, RFC 3339.
    pub started: String,
    /// The host's name.
    pub host: String,
    /// The command.
    pub command: String,
    /// The code: a git revision, or that nobody knows it.
    pub revision: String,
    /// Whether the files were others than that revision's.
    pub is_modified: bool,
    /// On what: CPUs, processor, kernel.
    pub machine: String,
    /// The compiler.
    pub compiler: String,
    /// Seed of the orders and arrivals.
    pub seed: u64,
    /// Starts of all servers that were planned.
    pub starts: u32,
    /// Those that were finished.
    pub complete: usize,
    /// Passes of experiments that were planned: of one row alone each.
    pub passes: usize,
    /// Those that were finished.
    pub passes_complete: usize,
}

/// One scenario: its answer, its tables and plots, and what else may be concluded from them.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Section {
    /// The scenario's name.
    pub name: String,
    /// What a reader wants to know.
    pub question: String,
    /// What is true, as far as it can be told.
    pub answer: String,
    /// The load, on which CPUs, and which windows count.
    pub load: Vec<String>,
    /// What must be known before a table is read: why there are no places, for example.
    pub caveats: Vec<String>,
    /// The figure that rows are compared by.
    pub figures: Option<Table>,
    /// Others that everybody is to see.
    pub beside: Vec<Table>,
    /// The rest: times of each stream, and what they took.
    pub beneath: Vec<Table>,
    /// The same as pictures.
    pub plots: Vec<Plot>,
    /// What must be known of single rows.
    pub notes: Vec<String>,
    /// What is true, and how surely.
    pub findings: Vec<Said>,
}

/// A sentence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Said {
    /// The sentence.
    pub text: String,
    /// Whether it speaks against figures, so that nobody should miss it.
    pub is_warning: bool,
}

/// Whether rows keep the contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Conformance {
    /// A row each.
    pub rows: Vec<RowScore>,
}

/// How a row fared in the suite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RowScore {
    /// The row.
    pub row: String,
    /// Its score, in words.
    pub score: String,
    /// Whether it was not raced, because it does not hold.
    pub is_broken: bool,
    /// Where it deviates, as its registry lists.
    pub deviations: Vec<Deviation>,
}

/// A deviation from the contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Deviation {
    /// Why.
    pub why: String,
    /// The cases that it shows in.
    pub cases: String,
}

/// Things of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct List {
    /// What they are.
    pub heading: String,
    /// A line each.
    pub items: Vec<String>,
}

impl Said {
    /// What speaks against figures.
    pub fn warning(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_warning: true }
    }
}

impl From<String> for Said {
    fn from(text: String) -> Self {
        Self { text, is_warning: false }
    }
}

impl Made {
    /// The day, as far as it is known.
    pub fn day(&self) -> &str {
        self.started.split('T').next().unwrap_or("unknown")
    }

    /// In one sentence, with the command as `quoted` shows it.
    pub fn sentence(&self, command: &str) -> String {
        let Self { revision, machine, compiler, seed, starts, passes, .. } = self;
        let modified = if self.is_modified { " with local changes" } else { "" };
        let starts = (*starts > 0).then(|| format!("{starts} starts of all servers"));
        let passes = (*passes > 0).then(|| match passes {
            1 => "one pass of an experiment".to_owned(),
            passes => format!("{passes} passes of experiments, of one row each"),
        });
        let parts: Vec<String> =
            [Some(format!("Seed {seed}")), starts, passes].into_iter().flatten().collect();
        format!(
            "Made by {command} at revision {revision}{modified}, on {machine}, with {compiler}. {}.",
            parts.join(", ")
        )
    }
}

impl Report {
    /// A heading for the whole.
    pub fn title(&self) -> String {
        format!("{} on {}", self.made.day(), self.made.host)
    }

    /// What to choose; `None` where no scenario compares rows, so that nothing is to be chosen by it.
    pub fn choices(&self) -> Option<&Table> {
        (self.choices.columns.len() > 1).then_some(&self.choices)
    }
}

impl Section {
    /// All of its tables.
    pub fn tables(&self) -> impl Iterator<Item = &Table> {
        self.figures.iter().chain(&self.beside).chain(&self.beneath)
    }
}
