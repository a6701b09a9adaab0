//! The application from outside: what it refuses, and how it is described.

mod hostile_targets;
mod openapi;
