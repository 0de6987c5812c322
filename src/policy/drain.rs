//! The drain rule: how long a thread that was granted to an SMTP work queue keeps serving it.
//!
//! Not the cap (`cap.rs`) and not the order at the port (`dispatch`). Called by `dispatch`, chosen by a scenario.

use std::fmt;

/// When a granted thread goes back to the port.
// Guess: how SMTP gives a thread back to ATQ is published nowhere. A thread dump of a busy inetinfo would settle it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Drain {
    /// When its queue holds no message.
    #[default]
    UntilEmpty,
    /// When its queue holds no message, or after this many messages of one turn; in [1, `u32::MAX`].
    Messages(u32),
}

impl Drain {
    /// Whether a thread that has served `served_in_turn` messages since its grant takes one more message, when
    /// `waiting` messages are in its queue.
    #[must_use]
    pub fn keeps_going(self, served_in_turn: u32, waiting: usize) -> bool {
        if waiting == 0 {
            return false;
        }
        match self {
            Drain::UntilEmpty => true,
            Drain::Messages(most) => served_in_turn < most,
        }
    }

    /// The rule that [`Drain`] shows as `name`: `until-empty`, or `messages-N` with N of at least 1.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Drain> {
        if name == "until-empty" {
            return Some(Drain::UntilEmpty);
        }
        let digits = name.strip_prefix("messages-").filter(|d| d.bytes().all(|b| b.is_ascii_digit()))?;
        digits.parse().ok().filter(|&most| most > 0).map(Drain::Messages)
    }
}

/// The name in scenario files: `until-empty` or `messages-N`.
impl fmt::Display for Drain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Drain::UntilEmpty => f.write_str("until-empty"),
            Drain::Messages(most) => write!(f, "messages-{most}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_ends_when_the_queue_is_empty_or_the_messages_are_used_up() {
        let table = [
            (Drain::UntilEmpty, 0, 1, true),
            (Drain::UntilEmpty, 1_000_000, 1, true),
            (Drain::UntilEmpty, u32::MAX, 0, false),
            (Drain::Messages(1), 0, 1, true),
            (Drain::Messages(1), 1, 5, false),
            (Drain::Messages(3), 2, 5, true),
            (Drain::Messages(3), 3, 5, false),
            (Drain::Messages(3), 1, 0, false),
            (Drain::Messages(u32::MAX), u32::MAX, usize::MAX, false),
        ];
        for (drain, served, waiting, expected) in table {
            assert_eq!(drain.keeps_going(served, waiting), expected, "{drain} after {served}, {waiting} waiting");
        }
    }

    #[test]
    fn names_read_back() {
        for drain in [Drain::UntilEmpty, Drain::Messages(1), Drain::Messages(u32::MAX)] {
            assert_eq!(Drain::from_name(&drain.to_string()), Some(drain));
        }
        for wrong in ["", "messages-0", "messages-", "messages-+1", "messages--1", "messages-4294967296", "Until-Empty"]
        {
            assert_eq!(Drain::from_name(wrong), None, "{wrong}");
        }
    }
}
