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
pub static SCENARIOS: &[Builtin] = &[Builtin { name: "kb281868", text: include_str!("../../scenarios/kb281868.toml") }];

/// Every file that scenarios which are built in may name, by its name relative to `scenarios/`. To add one, put it into
/// `scenarios/data/` and name it here: `("data/x.csv", include_bytes!("../../scenarios/data/x.csv"))`.
static DATA: &[(&str, &[u8])] = &[];

impl Builtin {
    /// What it shows, in one line: its first line where that is a comment, else its title.
    #[must_use]
    pub fn summary(&self) -> &'static str {
        let first = self.text.lines().next().unwrap_or("");
        if let Some(comment) = first.strip_prefix('#') {
            return comment.trim();
        }
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

/// The bytes of a file that is built in, by its name relative to `scenarios/`.
#[must_use]
pub fn data(name: &str) -> Option<&'static [u8]> {
    let name = name.strip_prefix("./").unwrap_or(name);
    DATA.iter().find(|(known, _)| *known == name).map(|(_, bytes)| *bytes)
}
