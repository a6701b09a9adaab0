//! How long each benchmark may take: all of them together are meant to end within two minutes.

use std::time::Duration;

use criterion::Criterion;

/// Half a second of warm-up, two seconds of measuring in 30 samples.
pub fn short() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(30)
}
