//! A table: what stands in its cells for people, and the exact values behind it for programs.

use schemars::JsonSchema;
use serde::Serialize;

/// A table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Table {
    /// Its part of the names of files and of links.
    pub id: String,
    /// What it holds, and what must be known before reading it.
    pub caption: String,
    /// Its columns; the first holds what a line is about.
    pub columns: Vec<Column>,
    /// Its lines, in groups that stand apart.
    pub groups: Vec<Group>,
    /// What its symbols mean; of those that occur.
    pub legend: Vec<Symbol>,
    /// Whether it is for those who want to know more: a page shows it when asked, a text names its file.
    pub is_detail: bool,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Column {
    /// Its heading, with its unit.
    pub heading: String,
    /// How programs call it, with the unit of its exact values.
    pub key: String,
    /// What its cells are.
    pub kind: Kind,
    /// Whether a narrow page may leave it out.
    pub is_optional: bool,
}

/// What the cells of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Names and words.
    Text,
    /// Numbers, with exact values behind them.
    Number,
}

/// Lines that belong together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Group {
    /// What they have in common; nothing in a table with one group.
    pub heading: Option<String>,
    /// The lines: a cell for each column.
    pub rows: Vec<Vec<Cell>>,
}

/// What stands at one place.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Cell {
    /// For people.
    pub text: String,
    /// How far it may be off, for people: `[22.1, 24.0]`. A narrow page leaves it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<String>,
    /// For programs, and to sort by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exact: Option<Exact>,
}

/// A value as it was found, in the unit of its column's key.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Exact {
    /// The value.
    pub value: f64,
    /// The lower end of its interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// The upper end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// Whether it is only known to be at least that.
    pub is_bound: bool,
}

/// A symbol in a table's cells.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Symbol {
    /// The symbol.
    pub symbol: char,
    /// What it says of the line in which it stands.
    pub meaning: String,
}

impl Table {
    /// All lines, with the heading of their group.
    pub fn lines(&self) -> impl Iterator<Item = (Option<&str>, &[Cell])> {
        self.groups
            .iter()
            .flat_map(|group| group.rows.iter().map(|row| (group.heading.as_deref(), row.as_slice())))
    }

    /// What its symbols mean, in a line; empty where it has none.
    pub fn meanings(&self) -> String {
        let meanings = self.legend.iter().map(|symbol| format!("{}: {}", symbol.symbol, symbol.meaning));
        meanings.collect::<Vec<_>>().join("; ")
    }

    /// Whether it has no line.
    pub fn is_empty(&self) -> bool {
        self.groups.iter().all(|group| group.rows.is_empty())
    }

    /// Where the column called `key` is.
    pub fn column(&self, key: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.key == key)
    }
}

impl Column {
    /// Of names or words.
    pub fn text(heading: impl Into<String>, key: impl Into<String>) -> Self {
        Self { heading: heading.into(), key: key.into(), kind: Kind::Text, is_optional: false }
    }

    /// Of numbers.
    pub fn number(heading: impl Into<String>, key: impl Into<String>) -> Self {
        Self { kind: Kind::Number, ..Self::text(heading, key) }
    }

    /// The same, which a narrow page may leave out.
    pub fn optional(self) -> Self {
        Self { is_optional: true, ..self }
    }
}

impl Cell {
    /// Words.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// Nothing to say.
    pub fn none() -> Self {
        Self::text("-")
    }

    /// A number that has no interval.
    pub fn number(text: impl Into<String>, value: f64) -> Self {
        Self { exact: Some(Exact::of(value)), ..Self::text(text) }
    }

    /// For people, with its interval.
    pub fn whole_text(&self) -> String {
        match &self.interval {
            Some(interval) => format!("{} {interval}", self.text),
            None => self.text.clone(),
        }
    }
}

impl Exact {
    /// A value without an interval.
    pub fn of(value: f64) -> Self {
        Self { value, low: None, high: None, is_bound: false }
    }

    /// A value with its interval.
    pub fn between(value: f64, low: f64, high: f64) -> Self {
        Self { value, low: Some(low), high: Some(high), is_bound: false }
    }
}
