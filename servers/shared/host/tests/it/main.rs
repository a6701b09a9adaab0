//! Real processes and made-up machines.

mod launch;
mod quota;
