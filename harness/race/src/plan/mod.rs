//! What is to be measured: scenarios, on which CPUs, in which order, under which load.

pub mod experiment;
pub mod ladder;
pub mod objective;
pub mod pointed;
pub mod scenario;
pub mod scenarios;
pub mod stream;
pub(crate) mod target;
pub mod worker_numbers;

mod contradictions;

pub mod load_line;
pub mod own_load;

pub mod calibration;
pub mod cpu_plan;
pub mod host_limits;
pub mod resolve;
pub mod run_plan;
pub mod variants;

pub mod budget;
pub mod describe;
