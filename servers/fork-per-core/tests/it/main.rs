//! The server from outside: one program, so that it is linked once and its tests share the machine.

#![expect(clippy::disallowed_macros, reason = "what a test prints is what it is for")]

mod attacks;
mod conformance;
mod supervision;
mod surroundings;
mod systemd;
