//! The whole path of a request without a socket or a runtime: bytes in, bytes out. Benchmarks take the same way.

mod answers;
mod endings;
mod played;
mod refusals;
mod stops;
mod timeouts;
