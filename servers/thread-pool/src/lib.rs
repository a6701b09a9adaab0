//! A bounded pool of threads, a connection per thread.
