//! The server from outside: one program, so that it is linked once and its tests share the machine.

mod attacks;
mod balance;
mod conformance;
mod faults;
mod surroundings;

/// As the row least-loaded runs it.
const LEAST_LOADED: &[&str] = &["--balance", "least-loaded", "--pin"];
