//! The server from outside: one program, so that it is linked once and its tests share the machine.

#![expect(clippy::disallowed_macros, reason = "what a test prints is what it is for")]

mod attacks;
mod commands;
mod conformance;
mod faults;
mod handoff;
mod places;
mod played;
mod reloads;
mod shared;
mod supervision;
mod surrounded;
mod surroundings;
mod systemd;

/// How the rows run it whose connections do not come from a listener each.
const SHARED: &[&str] = &["--accept", "shared"];
const ROUND_ROBIN: &[&str] = &["--accept", "handoff"];
const LEAST_CONNECTIONS: &[&str] = &["--accept", "handoff", "--handoff", "least-connections"];
