//! What is to be measured: scenarios, on which CPUs, in which order, under which load.

pub mod experiment;
pub mod scenario;
pub mod stream;

pub mod cpu_plan;
pub mod reach;
pub mod resolve;
pub mod run_plan;
pub mod variants;

pub mod budget;
pub mod describe;
