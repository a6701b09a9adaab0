//! The originals as processes: what they answer, and that nothing of them is left when they end.

mod common;

mod nginx;
mod node;
mod pm2;
mod surroundings;
