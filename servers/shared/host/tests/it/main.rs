//! Real processes and made-up machines.

#![expect(clippy::disallowed_macros, reason = "what a test prints is what it is for")]

mod ends_together;
mod guard;
mod launch;
mod quota;
