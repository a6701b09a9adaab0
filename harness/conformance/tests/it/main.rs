//! The suite, the attacks and the faults against servers with a known weakness each.

mod faulty_servers_are_caught;
mod model;
mod weak_servers_are_caught;
mod wrong_servers_are_caught;
