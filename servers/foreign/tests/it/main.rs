//! The originals as processes: what they answer, and that nothing of them is left when they end.

#![expect(clippy::disallowed_macros, reason = "what a test prints is what it is for")]

mod common;
mod go;

mod nginx;
mod node;
mod pm2;
mod surroundings;
