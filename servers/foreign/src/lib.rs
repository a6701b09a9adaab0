//! Starts the originals that are not this project's code, and speaks for them.
//!
//! nginx and PM2 know no ready line, choose no free port and leave processes behind. The launcher gives them a folder of
//! their own and a port, waits until they answer, prints the ready line in their name, and ends all of it
//! with a stop signal or with itself. It is not what is measured: it sleeps while they serve.
//!
//! What it refuses to know: HTTP beyond the question whether something answers, and measurements.

pub mod nginx;
mod parts;
pub mod pm2;
pub mod proxy;
pub mod tied;

mod answering;
mod failure;
mod port;
mod run_folder;
