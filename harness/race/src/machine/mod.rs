//! What the machine did while a window was measured: by the row's own tree, by the generator, and by everybody else.
//!
//! Counters are read twice, before a window's load begins and after it has ended, and subtracted; nothing is read in between, since
//! whoever reads runs on a CPU that is being measured ([`edge`]). Nothing here decides whether a window counts, and nothing knows a
//! latency.

pub mod alone;
pub mod cpu_times;
pub mod edge;
pub mod generator;
pub mod memory;
pub mod offset;
pub mod row;
pub mod shares;
pub mod tasks;

pub mod sample;
