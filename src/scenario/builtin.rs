//! The scenarios that the program brings along, and the files that they name.
//!
//! Not a reader: the texts go through `super::read` like anybody's. Called by `base.rs` and `cli`.

/// A scenario that is built in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Builtin {
    /// Its name: `kb281868`.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

/// Every scenario that is built in. To add one, put it into `scenarios/` and name it here.
pub static SCENARIOS: &[Builtin] = &[
    Builtin { name: "kb281868", text: include_str!("../../scenarios/kb281868.toml") },
    Builtin { name: "kb281868-three-servers", text: include_str!("../../scenarios/kb281868-three-servers.toml") },
    Builtin { name: "which-value", text: include_str!("../../scenarios/which-value.toml") },
    Builtin { name: "slow-global-catalog", text: include_str!("../../scenarios/slow-global-catalog.toml") },
    Builtin { name: "healthy", text: include_str!("../../scenarios/healthy.toml") },
    Builtin { name: "drain-rule", text: include_str!("../../scenarios/drain-rule.toml") },
    Builtin { name: "pool-thread-limit", text: include_str!("../../scenarios/pool-thread-limit.toml") },
    Builtin { name: "kb281868-cluster", text: include_str!("../../scenarios/kb281868-cluster.toml") },
    Builtin { name: "cluster-lost-node", text: include_str!("../../scenarios/cluster-lost-node.toml") },
    Builtin { name: "cluster-healthy", text: include_str!("../../scenarios/cluster-healthy.toml") },
    Builtin { name: "kb169686", text: include_str!("../../scenarios/kb169686.toml") },
    Builtin { name: "kb169686-values", text: include_str!("../../scenarios/kb169686-values.toml") },
    Builtin { name: "kb910932", text: include_str!("../../scenarios/kb910932.toml") },
    Builtin { name: "throttling", text: include_str!("../../scenarios/throttling.toml") },
    Builtin { name: "back-pressure", text: include_str!("../../scenarios/back-pressure.toml") },
    Builtin { name: "replay-sample", text: include_str!("../../scenarios/replay-sample.toml") },
];

/// Every file that scenarios which are built in may name, by its name relative to `scenarios/`. To add one, put it into
/// `scenarios/data/` and name it here: `("data/x.csv", include_bytes!("../../scenarios/data/x.csv"))`.
static DATA: &[(&str, &[u8])] = &[
    ("data/smtp-w3c.log", include_bytes!("../../scenarios/data/smtp-w3c.log")),
    ("data/smtp-ncsa.log", include_bytes!("../../scenarios/data/smtp-ncsa.log")),
    ("data/load.csv", include_bytes!("../../scenarios/data/load.csv")),
    ("data/tuned.reg", include_bytes!("../../scenarios/data/tuned.reg")),
    ("data/exported-nt4.reg", include_bytes!("../../scenarios/data/exported-nt4.reg")),
];

impl Builtin {
    /// What it shows, in one line: its title.
    #[must_use]
    pub fn summary(&self) -> &'static str {
        let title = self.text.lines().find_map(|line| line.strip_prefix("title = "));
        title.unwrap_or("").trim().trim_matches('"')
    }

    /// Its name as plans and problems show it: `kb281868.toml`.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}.toml", self.name)
    }
}

/// The scenario of this name, which may carry the directory and the ending that it has in the repository: `kb281868`,
/// `kb281868.toml`, `scenarios/kb281868.toml`.
#[must_use]
pub fn find(name: &str) -> Option<&'static Builtin> {
    let name = name.strip_prefix("./").unwrap_or(name);
    let name = name.strip_prefix("scenarios/").unwrap_or(name);
    let name = name.strip_suffix(".toml").unwrap_or(name);
    SCENARIOS.iter().find(|scenario| scenario.name == name)
}

/// Every file that is built in, by its name relative to `scenarios/`.
pub fn files() -> impl Iterator<Item = (String, &'static [u8])> {
    let scenarios = SCENARIOS.iter().map(|scenario| (scenario.file_name(), scenario.text.as_bytes()));
    scenarios.chain(DATA.iter().map(|(name, bytes)| (name.to_string(), *bytes)))
}

/// The bytes of a file that is built in, by its name relative to `scenarios/`.
#[must_use]
pub fn data(name: &str) -> Option<&'static [u8]> {
    let name = name.strip_prefix("./").unwrap_or(name);
    DATA.iter().find(|(known, _)| *known == name).map(|(_, bytes)| *bytes)
}
