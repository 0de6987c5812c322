//! placeholder until merged
/// When a granted thread goes back to the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drain {
    /// When its queue is empty.
    UntilEmpty,
    /// After this many messages, or when its queue is empty.
    Messages(u32),
}

impl Drain {
    /// Whether a thread that has served `served_in_turn` messages takes another of the `waiting`.
    #[must_use]
    pub fn keeps_going(self, served_in_turn: u32, waiting: usize) -> bool {
        waiting > 0
            && match self {
                Drain::UntilEmpty => true,
                Drain::Messages(n) => served_in_turn < n,
            }
    }
}
