//! Pictures as data: what is drawn, in the units of the axes, and not how.

use schemars::JsonSchema;
use serde::Serialize;

/// A picture.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Plot {
    /// Its kind, which is its part of the names of files and of links: a scenario has one of each. A page that has several scenarios gives
    /// each picture an identifier of its own, without blanks.
    pub id: String,
    /// What it shows, in a few words.
    pub title: String,
    /// What is to be seen in it, for those who cannot see it.
    pub description: String,
    /// What is drawn.
    pub drawn: Drawn,
}

/// What is drawn.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "kind", content = "of", rename_all = "snake_case")]
pub enum Drawn {
    /// A figure of each row with its interval.
    Dots(Dots),
    /// Latency by percentile.
    Percentiles(Percentiles),
    /// Windows by latency.
    Windows(Windows),
    /// CPU time a request.
    Cpu(Cpu),
    /// Rates and latencies along the run.
    Along(Along),
    /// Rates, latencies and failures around the events of an experiment.
    Around(Around),
    /// Latency against throughput.
    Curve(Curve),
}

/// A figure of each row with its interval.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Dots {
    /// What the figure is.
    pub axis: String,
    /// Its unit.
    pub measure: Measure,
    /// Whether the axis is logarithmic.
    pub is_log: bool,
    /// Within what chance keeps a row that is compared with itself.
    pub band: Option<Band>,
    /// Rows that are compared with each other, and apart from others.
    pub groups: Vec<Group<Dot>>,
}

/// What an axis counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Times, in microseconds.
    Microseconds,
    /// Events a second.
    PerSecond,
    /// Memory, in bytes.
    Bytes,
}

/// A stretch of an axis.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Band {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// What it is.
    pub meaning: String,
}

/// Rows that stand together.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Group<T> {
    /// What they have in common.
    pub heading: String,
    /// The rows.
    pub rows: Vec<T>,
}

/// A row's figure.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Dot {
    /// The row.
    pub label: String,
    /// The figure in words, or why there is none.
    pub said: String,
    /// The figure; absent where only `said` stands for it.
    pub estimate: Option<Estimate>,
    /// Its place among the rows of its group.
    pub place: Option<String>,
}

/// A value with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Estimate {
    /// The value.
    pub value: f64,
    /// Whether it is only known to be at least that.
    pub is_bound: bool,
    /// The interval, where there is one at the level that others have.
    pub interval: Option<[f64; 2]>,
    /// Whether its upper end is only known to be at least that.
    pub is_open: bool,
}

/// Latency by percentile: a line each row.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Percentiles {
    /// The lines.
    pub lines: Vec<Line>,
    /// Which rows have none, and why.
    pub note: Option<String>,
}

/// A row's percentiles.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Line {
    /// The row.
    pub label: String,
    /// Its number in the scenario, by which its colour and dashes are chosen.
    pub style: usize,
    /// Some of them in words.
    pub said: String,
    /// By ascending percentile.
    pub points: Vec<Point>,
    /// Whether what comes next is only known from below: requests that were never answered.
    pub is_open: bool,
}

/// A percentile.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Point {
    /// The number of nines, -log10(1 - q): 2 for p99.
    pub nines: f64,
    /// The time, microseconds.
    pub us: f64,
}

/// Latency against throughput over the steps of a ladder of rates: a line each row.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Curve {
    /// What is shown of the latency: `p99`.
    pub percentile: String,
    /// What it is to be below, microseconds; absent where nothing is wanted of it.
    pub objective_us: Option<f64>,
    /// The rows.
    pub lines: Vec<CurveOf>,
}

/// A row over the steps that it carried.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct CurveOf {
    /// The row.
    pub label: String,
    /// Its number in the scenario, by which its colour and dashes are chosen.
    pub style: usize,
    /// What it comes to, in words.
    pub said: String,
    /// By ascending rate.
    pub points: Vec<CurvePoint>,
    /// Whether it was overloaded at the step that comes next.
    pub is_open: bool,
}

/// A step of a row.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct CurvePoint {
    /// Right answers a second.
    pub per_second: f64,
    /// The time, microseconds.
    pub us: Estimate,
}

/// Windows by latency: which part of its requests took how long, window by window.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Windows {
    /// The starts, in the order of time.
    pub starts: Vec<Columns>,
    /// Where the bins of latency begin and end, microseconds and ascending.
    pub edges_us: Vec<f64>,
    /// The least share of requests for each level but 0 and 1, ascending. At level 0 there is none, at level 1 any.
    pub levels: Vec<f64>,
    /// The rows.
    pub rows: Vec<OfRow<Levels>>,
}

/// How many windows a start has, of the row that has most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Columns {
    /// The start, counted from 1.
    pub start: usize,
    /// The windows.
    pub windows: usize,
}

/// A row window by window.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct OfRow<T> {
    /// The row.
    pub label: String,
    /// What must be known of it, in words.
    pub note: Option<String>,
    /// What there is of each start.
    pub starts: Vec<OfStart<T>>,
}

/// A row's windows of one start.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct OfStart<T> {
    /// What it comes to, in words.
    pub said: String,
    /// Its windows in the order of time.
    pub windows: Vec<T>,
}

/// A window by latency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Levels {
    /// Whether the window counts.
    pub counts: bool,
    /// The level of each bin; none where nothing was measured.
    pub levels: Vec<u8>,
}

/// CPU time a request.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Cpu {
    /// Rows that are compared with each other.
    pub groups: Vec<Group<Bar>>,
}

/// A row's CPU time.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Bar {
    /// The row.
    pub label: String,
    /// The time in words.
    pub said: String,
    /// In all, microseconds.
    pub us: f64,
    /// Of it in user mode, microseconds; absent where nobody knows.
    pub user_us: Option<f64>,
}

/// Rates and latencies along the run.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Along {
    /// The starts, in the order of time.
    pub starts: Vec<Columns>,
    /// Which percentile: `p99`.
    pub percentile: String,
    /// The rows.
    pub rows: Vec<OfRow<Pair>>,
}

/// A window in two figures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Pair {
    /// Whether the window counts.
    pub counts: bool,
    /// The rate of right answers as a part of the row's median; absent where nothing was measured.
    pub rate: Option<f64>,
    /// The percentile, microseconds; absent where nothing was answered.
    pub us: Option<f64>,
}

/// Rates, latencies and failures around the events of an experiment, in slices of time that count from the event.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Around {
    /// Where the first slice begins, milliseconds after the event: less than nothing is before it.
    pub from_ms: f64,
    /// How long a slice is, milliseconds.
    pub width_ms: f64,
    /// The rows, and each kind of event of theirs by itself.
    pub rows: Vec<AroundOf>,
}

/// What there was around a row's events of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct AroundOf {
    /// The row.
    pub label: String,
    /// What happened to it, and how often.
    pub kind: String,
    /// What it comes to, in words.
    pub said: String,
    /// By slice, the rate of right answers as a part of what was due before the event; nothing where too few events have the slice.
    pub rate: Vec<Option<Spread>>,
    /// By slice, the longest response to what was due in it, microseconds; nothing where nothing was answered.
    pub longest_us: Vec<Option<Spread>>,
    /// By slice, what failed in all events together.
    pub failed: Vec<u64>,
}

/// A figure over events.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Spread {
    /// What a tenth of the events is not above.
    pub low: f64,
    /// Its median.
    pub middle: f64,
    /// What nine tenths are not above.
    pub high: f64,
}
