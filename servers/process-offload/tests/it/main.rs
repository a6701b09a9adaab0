//! The server from outside: one program, so that it is linked once and its tests share the machine.

mod attacks;
mod conformance;
mod faults;
mod surroundings;
