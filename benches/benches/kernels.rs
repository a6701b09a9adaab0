//! The operations themselves: time in proportion to their size, and what cutting them in parts costs.

use std::hint::black_box;

use app::{Expectation, Operation, Part};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// The time of one number must be the same for every count of them.
fn sum(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sum");
    for iterations in [1_000, 10_000, 100_000, 1_000_000, 5_000_000] {
        let operation = Operation::Complex { iterations };
        group.throughput(Throughput::Elements(iterations));
        group.bench_function(BenchmarkId::from_parameter(iterations), |bencher| {
            bencher.iter(|| black_box(operation).run());
        });
    }
    group.finish();
}

fn randoms(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("randoms");
    for count in [1_000, 100_000, 1_000_000] {
        let operation = Operation::Randoms { count, seed: 0 };
        group.throughput(Throughput::Elements(u64::from(count)));
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| black_box(operation).run());
        });
    }
    group.finish();
}

/// One after the other on one thread: what is more than the whole costs is the price of cutting and joining.
fn split(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("split in 64 and join");
    for (name, operation) in [
        ("complex", Operation::Complex { iterations: 100_000 }),
        ("randoms", Operation::Randoms { count: 100_000, seed: 0 }),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| operation.join(black_box(operation).split(64).iter().map(Part::run)));
        });
    }
    group.finish();
}

/// The bytes of an answer, and their check by the harness.
fn bodies(criterion: &mut Criterion) {
    let answers =
        [("payload", Operation::Simple), ("randoms", Operation::Randoms { count: 100_000, seed: 0 })];
    for (name, operation) in answers {
        let (answer, expectation) = (operation.run(), Expectation::of(&operation));
        let body = answer.body("work-stealing", "t1");
        criterion.bench_function(&format!("write a body/{name}"), |bencher| {
            bencher.iter(|| black_box(&answer).body("work-stealing", "t1"));
        });
        criterion.bench_function(&format!("check a body/{name}"), |bencher| {
            bencher.iter(|| expectation.matches(black_box(&body)));
        });
    }
}

criterion_group! {
    name = kernels;
    config = benches::settings::short();
    targets = sum, randoms, split, bodies
}
criterion_main!(kernels);
