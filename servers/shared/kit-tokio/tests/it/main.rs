//! What rows build of kit and tokio, on real sockets.

mod loops;
