//! The shipped scenarios' JSON in virtual time, pinned: the same bytes on every machine, and no silent change.
//!
//! A deliberate change of results changes these numbers: `just bless` prints the new table, and the changelog says why.

use atqsim::report::json::json;
use atqsim::run::{EngineKind, RunOptions, Silent, run};
use atqsim::scenario::{Base, Overrides, builtin, read};

/// Hash of each scenario's JSON.
const PINS: &[(&str, u64)] = &[
    ("kb281868", 0x391ba66d3093ab45),
    ("kb281868-three-servers", 0x9ce2d0d3096e5cd4),
    ("which-value", 0x511ebd7491d18def),
    ("slow-global-catalog", 0xf1d2bffad42fb1f0),
    ("healthy", 0x66ac8ca2b0bbb160),
    ("drain-rule", 0xa9ec7fdba3d5bb2d),
    ("pool-thread-limit", 0x35c22324bb966877),
    ("replay-sample", 0x3a8669519765d8ea),
];

/// FNV-1a, 64 bits (Fowler, Noll, Vo): stable, and enough to see a change.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[test]
fn the_shipped_scenarios_give_the_bytes_they_gave() {
    let mut found = Vec::new();
    for scenario in builtin::SCENARIOS {
        let (plans, _) = read(&scenario.file_name(), scenario.text, &Base::Builtin, &Overrides::default());
        let options = RunOptions { engine: EngineKind::Virtual, ..RunOptions::default() };
        let report = run(&plans.expect("it is sound"), &options, &Silent).report.expect("it ran");
        found.push((scenario.name, hash(&json(&report))));
    }
    let table: String = found.iter().map(|(name, hash)| format!("    ({name:?}, 0x{hash:016x}),\n")).collect();
    assert_eq!(found, PINS, "if this change of results is meant, the table is now:\n{table}");
}
