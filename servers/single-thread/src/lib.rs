//! One thread, one event loop: the baseline.
