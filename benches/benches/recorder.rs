//! Recording a latency, which the generator does several times for each request, and reading it back.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use stats::Histogram;

/// How many latencies are recorded in turn: more than the branch predictor learns by heart.
const LATENCIES: u64 = 4096;

/// Latencies between 1 us and some 4 ms in a scattered order: steps of the golden ratio's fraction.
fn latencies_ns() -> Vec<u64> {
    (1..=LATENCIES).map(|n| 1_000 + n.wrapping_mul(0x9E37_79B9_7F4A_7C15) % 4_000_000).collect()
}

fn recorder(criterion: &mut Criterion) {
    let latencies = latencies_ns();
    let mut group = criterion.benchmark_group("histogram");

    group.throughput(Throughput::Elements(LATENCIES));
    let mut histogram = Histogram::new();
    group.bench_function("record", |bencher| {
        bencher.iter(|| {
            for &latency in &latencies {
                histogram.record_ns(black_box(latency));
            }
        });
    });

    group.throughput(Throughput::Elements(1));
    group.bench_function("quantile", |bencher| bencher.iter(|| histogram.quantile_ns(black_box(0.999))));
    group.bench_function("merge", |bencher| {
        bencher.iter_batched_ref(
            Histogram::new,
            |total| total.merge(black_box(&histogram)),
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group! {
    name = recorders;
    config = benches::settings::short();
    targets = recorder
}
criterion_main!(recorders);
