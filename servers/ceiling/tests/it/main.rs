//! The null server from outside: one program, so that it is linked once and its tests share the machine.

mod serves;
mod surroundings;
