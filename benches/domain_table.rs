//! Question: what does an entry of the domain table take, and how many lookups does it answer in a second?
//!
//! Workload: ten million distinct domains (`ATQ_DOMAINS` for another number), named as `mail0001234.example0.com`, are put
//! into an empty table; then names are looked up in an order without order, that are there and that are not. Memory is the
//! resident set of the process before and after (`/proc/self/statm`; Linux only), names included; the table's own count of
//! its arrays is printed beside it. The names that are asked for are made outside the measured loops. Criterion measures the
//! same lookups in tables that fit a cache and that do not.

use std::fmt::Write;
use std::hint::black_box;
use std::time::{Duration, Instant};

use atqsim::models::domain_table::DomainTable;
use criterion::{BatchSize, Criterion, Throughput, criterion_group};

/// Names that are looked up in one go.
const ASKED: u64 = 1_000_000;

/// The name of domain `n`.
fn name(n: u64, into: &mut String) {
    into.clear();
    write!(into, "mail{n:07}.example{}.com", n % 10).expect("a string takes it");
}

/// Names of domains in `[first, first + among)`, in an order without order.
fn names(first: u64, among: u64, count: u64) -> Vec<String> {
    let made = |i: u64| {
        let mut text = String::new();
        // An odd factor near 2^64 / golden ratio: neighbours are far apart.
        let scattered = i.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        name(first + ((u128::from(scattered) * u128::from(among)) >> 64) as u64, &mut text);
        text
    };
    (0..count).map(made).collect()
}

fn filled(domains: u64) -> DomainTable {
    let (mut table, mut text) = (DomainTable::default(), String::new());
    for n in 0..domains {
        name(n, &mut text);
        table.enqueue(&text, 1).expect("a name");
    }
    table
}

/// Bytes of this process that are resident, where the system tells.
fn resident() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    // Pages of 4 KiB, as on every x86 and most others.
    Some(pages * 4096)
}

/// Lookups of all of them; how many were found.
fn look_up(table: &DomainTable, asked: &[String]) -> usize {
    asked.iter().filter(|name| black_box(table.find(name)).is_some()).count()
}

fn per_second(count: u64, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64() / 1e6
}

fn ten_million(domains: u64) {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("{domains} distinct domains; load average {}", load.trim());
    let before = resident();
    let begun = Instant::now();
    let mut table = filled(domains);
    let took = begun.elapsed();
    assert_eq!(table.len() as u64, domains, "every name is a domain of its own");
    println!("  entries put, growth and names included: {:.2} million/s", per_second(domains, took));
    println!("  own arrays: {:.1} bytes an entry", table.own_bytes() as f64 / domains as f64);
    if let (Some(before), Some(after)) = (before, resident()) {
        println!(
            "  resident, names included: {:.1} bytes an entry",
            after.saturating_sub(before) as f64 / domains as f64
        );
    }
    for (what, first) in [("that are there", 0), ("that are not", domains)] {
        let asked = names(first, domains, ASKED.min(domains));
        let begun = Instant::now();
        let found = look_up(&table, &asked);
        let took = begun.elapsed();
        assert_eq!(found, if first == 0 { asked.len() } else { 0 });
        println!("  lookups of names {what}: {:.2} million/s", per_second(asked.len() as u64, took));
    }
    let asked = names(0, domains, domains.min(ASKED));
    for name in &asked {
        let id = table.find(name).expect("it is there");
        if table.queued_of(id) > 0 {
            table.dequeue(id, 1);
            table.bury(id);
        }
    }
    let dead = table.dead() as u64;
    let begun = Instant::now();
    assert_eq!(table.sweep() as u64, dead);
    println!("  sweep of {dead} dead entries: {:.2} million/s", per_second(dead, begun.elapsed()));
}

fn bench(c: &mut Criterion) {
    let mut group = c.benchmark_group("domain table");
    group.sample_size(20);
    for domains in [1_000, 1_000_000] {
        let table = filled(domains);
        let asked = names(0, domains, 10_000);
        group.throughput(Throughput::Elements(asked.len() as u64));
        group.bench_function(format!("lookup among {domains}"), |b| b.iter(|| look_up(&table, &asked)));
    }
    group.throughput(Throughput::Elements(1000));
    group.bench_function("1000 new domains, queued, sent, dead, swept", |b| {
        let asked = names(0, 1 << 40, 1000);
        let once = |mut table: DomainTable| {
            for name in &asked {
                let (id, _) = table.enqueue(name, 1).expect("a name");
                table.dequeue(id, 1);
                table.bury(id);
            }
            table.sweep();
            table
        };
        b.iter_batched(DomainTable::default, once, BatchSize::SmallInput);
    });
    group.finish();
}

criterion_group!(benches, bench);

fn main() {
    let domains = std::env::var("ATQ_DOMAINS").ok().and_then(|text| text.parse().ok()).unwrap_or(10_000_000);
    // First, in a process that holds nothing else.
    if domains > 0 {
        ten_million(domains);
    }
    benches();
    Criterion::default().configure_from_args().final_summary();
}
