//! What the criterion benchmarks of the pieces have in common.
//!
//! They answer what one piece costs on its own: an operation, understanding a target, a whole request through
//! the HTTP stack without a kernel, recording a latency. What a server does with them under load is the
//! harness's question.

pub mod memory;
pub mod settings;
