//! Laws that hold for every load and under every order, counted when broken.
//!
//! Not a rule: nothing here decides anything, and what is counted is a bug of this program. Unlike `check`, which debug
//! builds run, this costs next to nothing and is on in every run. Called by `dispatch`, read by the engines.

/// How often each law was broken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Laws {
    /// An item began before an older one of its class: first in, first out inside a class.
    pub overtaken: u64,
    /// After an event a thread was idle, an item might have used it, and the runnable limit allowed it.
    pub idle_beside_work: u64,
    /// A work queue held more threads than the largest cap that it ever had.
    pub above_cap: u64,
}

impl Laws {
    /// One line for each broken law.
    #[must_use]
    pub fn lines(self) -> Vec<String> {
        let all = [
            (self.overtaken, "items began before an older one of their class"),
            (self.idle_beside_work, "times a thread stayed idle beside an item that it might have served"),
            (self.above_cap, "items began above the cap of their work queue"),
        ];
        all.iter().filter(|(times, _)| *times > 0).map(|(times, what)| format!("{times} {what}")).collect()
    }
}
