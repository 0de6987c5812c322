//! Question: how fast does a whole scenario run in virtual time?
//!
//! Workload: `scenarios/kb281868.toml` as shipped, both variants, with its load, its metrics and its histograms; the
//! throughput is that of finished items. On real threads a scenario takes `duration / speed`, whatever the machine.

use atqsim::engine::{Options, virtual_time};
use atqsim::scenario::{Overrides, builtin, read};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn bench(c: &mut Criterion) {
    let builtin = builtin::find("kb281868").expect("shipped");
    let (plans, _) = read(builtin.name, builtin.text, &atqsim::scenario::Base::Builtin, &Overrides::default());
    let mut group = c.benchmark_group("scenario in virtual time");
    group.sample_size(20);
    for plan in plans.expect("the shipped scenario is sound") {
        let output = virtual_time::run(&plan, &Options::default()).expect("it runs");
        let items: u64 = output.summary.classes.iter().map(|class| class.arrivals).sum();
        group.throughput(Throughput::Elements(items));
        group.bench_function(format!("kb281868, {}", plan.variant), |b| {
            b.iter(|| virtual_time::run(&plan, &Options::default()).expect("it runs"));
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
