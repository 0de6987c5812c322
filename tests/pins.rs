//! The shipped scenarios' JSON in virtual time, pinned: the same bytes on every machine, and no silent change.
//!
//! A deliberate change of results changes these numbers: `just bless` prints the new table, and the changelog says why.

use atqsim::report::json::json;
use atqsim::run::{EngineKind, RunOptions, Silent, run};
use atqsim::scenario::{Base, Overrides, builtin, read};

/// Hash of each scenario's JSON.
const PINS: &[(&str, u64)] = &[
    ("kb281868", 0x316696a60d9b8643),
    ("kb281868-three-servers", 0x0f0221a9de5c61d9),
    ("which-value", 0xcc2f110a6b064921),
    ("slow-global-catalog", 0xdddc252c34c6f79e),
    ("healthy", 0x576fb65c56a8dc8e),
    ("drain-rule", 0x4cc0e275583f9fba),
    ("pool-thread-limit", 0xabd8382f2b77bc5f),
    ("kb281868-cluster", 0x18fee009df6a4f7f),
    ("cluster-lost-node", 0x0516f9dc58a4ef99),
    ("cluster-healthy", 0xb16cec45f6695251),
    ("kb169686", 0xed06754b634a7fc3),
    ("kb169686-values", 0x2eb39698392d767d),
    ("kb910932", 0x3dd978de9e779c86),
    ("kb823857", 0xb691620af3d2bae1),
    ("throttling", 0x590f0e688af8dacc),
    ("back-pressure", 0xfa769497716d09a2),
    ("one-server", 0x7ba3730b6e7007f5),
    ("replay-sample", 0xc96e5158fe34bf87),
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
