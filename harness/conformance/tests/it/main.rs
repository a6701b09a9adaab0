//! The suite and the attacks against servers with a known fault each.

mod model;
mod weak_servers_are_caught;
mod wrong_servers_are_caught;
