//! Real processes and made-up machines.

mod ends_together;
mod guard;
mod launch;
mod quota;
