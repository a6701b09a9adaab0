//! What a run leaves: its folder, and what the files in it hold.

pub mod conformance;
pub mod environment;
pub mod experiment;
pub mod generator_host;
pub mod host_record;
pub mod interface;
pub mod server_host;
pub mod window;

pub(crate) mod durable;

pub mod log;
pub mod reading;

pub mod folder;
pub mod made;
pub mod outline;
pub mod resume;
pub mod schemas;
