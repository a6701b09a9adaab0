//! The server from outside: one program, so that it is linked once and its tests share the machine.

#![expect(clippy::disallowed_macros, reason = "what a test prints is what it is for")]

mod attacks;
mod commands;
mod conformance;
mod faults;
mod places;
mod played;
mod reloads;
mod supervision;
mod surrounded;
mod surroundings;
mod systemd;
