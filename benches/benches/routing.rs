//! From a method and a target to an operation, or to the reason why not.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};

fn routing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("route");
    for (name, method, path, query) in [
        ("simple", "GET", "/simple", None),
        ("complex", "GET", "/complex", Some("iterations=4000000")),
        ("randoms", "GET", "/api/randoms", Some("count=100000&seed=42")),
        ("alias", "GET", "/operacion-compleja", None),
        ("unknown path", "GET", "/nowhere", None),
        ("bad parameter", "GET", "/complex", Some("iterations=many")),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| app::route(black_box(method), black_box(path), black_box(query)));
        });
    }
    group.finish();
}

criterion_group! {
    name = routes;
    config = benches::settings::short();
    targets = routing
}
criterion_main!(routes);
