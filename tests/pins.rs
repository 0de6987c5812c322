//! The shipped scenarios' JSON in virtual time, pinned: the same bytes on every machine, and no silent change.
//!
//! A deliberate change of results changes these numbers: `just bless` prints the new table, and the changelog says why.

use atqsim::report::json::json;
use atqsim::run::{EngineKind, RunOptions, Silent, run};
use atqsim::scenario::{Base, Overrides, builtin, read};

/// Hash of each scenario's JSON.
const PINS: &[(&str, u64)] = &[
    ("kb281868", 0x0078b24756d53c89),
    ("kb281868-three-servers", 0xedb12be614c33570),
    ("which-value", 0xeb161b13282c6830),
    ("slow-global-catalog", 0x3d53751d40d41ee3),
    ("healthy", 0x50e7ac7668ab192d),
    ("drain-rule", 0x39394abd993ceb03),
    ("pool-thread-limit", 0x9043cf37f85afa4f),
    ("replay-sample", 0x3977f4387124ea25),
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
