//! Whoever makes a load: a generator on this host, or several on hosts of their own, each of which makes a part.

pub mod made;
pub mod order;

pub mod light;
pub mod together;

pub mod hosts;
