//! Whoever makes a load: a generator on this host, or several on hosts of their own, each of which makes a part.

pub mod made;
pub mod order;

pub mod clock;
pub(crate) mod light;
pub(crate) mod together;

pub mod hosts;
pub mod reached;
