//! What a run found, as plain values that every renderer takes: no record, no statistics and no format is known here.

mod file_name;
mod narrowed;
pub mod plot;
mod report;
mod table;

pub use file_name::file_name;
pub use plot::Plot;
pub use report::{Conformance, Deviation, List, Made, Report, RowScore, Said, Section};
pub use table::{Cell, Column, Exact, Group, Kind, Symbol, Table};
