//! One trial: a server under load, and whether what was measured of it may count.

pub mod answers;
pub mod soundness;

pub mod calibrate;
pub mod drive;

pub mod validity;

pub mod one;
