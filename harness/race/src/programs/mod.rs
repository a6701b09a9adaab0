//! The rows' programs: found or built, and started.

pub mod workspace;

pub mod builder;
pub mod prerequisites;

pub mod start_environment;

pub mod instance;

pub mod context;

pub mod made_of;

mod own_build;

pub mod build_all;
