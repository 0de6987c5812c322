//! What goes wrong around the pool, and when: slow or hanging dependencies, handlers that crash.
//!
//! Pure: given a phase and a moment it says how long the phase takes. Not the cluster's faults. Called by `Workload`.

use crate::ids::{ClassId, DependencyId};
use crate::time::Nanos;

/// A fault in a window of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// What it hits.
    pub target: Target,
    /// Its first moment.
    pub from: Nanos,
    /// The first moment after it.
    pub until: Nanos,
    /// What it does.
    pub effect: Effect,
}

/// What a fault hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Every wait for this dependency.
    Dependency(DependencyId),
    /// Every wait of this class, and its handlers.
    Class(ClassId),
}

/// What a fault does to a wait, or to a handler, that begins inside its window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Effect {
    /// The wait takes this many times as long; at least 0.
    Slower(f64),
    /// A share (in [0, 1]) of the waits takes this long instead.
    /// `ATQ:` KB 830906: a directory call that was to time out after 30 s does so after 30,000 s.
    Hangs {
        /// How long.
        lasts: Nanos,
        /// Which share of the waits.
        share: f64,
    },
    /// A share (in [0, 1]) of the handlers panics when the wait is over. Only for a class.
    Panics {
        /// Which share of the handlers.
        share: f64,
    },
}

/// A wait of `time` on `dependency` in `class` that begins at `now`; `chance` is the item's own draw in [0, 1).
#[must_use]
pub fn stretched(
    faults: &[Fault],
    class: ClassId,
    dependency: DependencyId,
    time: Nanos,
    now: Nanos,
    chance: f64,
) -> Nanos {
    let mut result = time;
    for fault in active(faults, now) {
        let hit = match fault.target {
            Target::Dependency(d) => d == dependency,
            Target::Class(c) => c == class,
        };
        match fault.effect {
            Effect::Slower(factor) if hit => result = result.scale(factor),
            Effect::Hangs { lasts, share } if hit && chance < share => result = lasts,
            _ => {}
        }
    }
    result
}

/// Whether a handler of `class` that began at `now` panics; `chance` is the item's own draw in [0, 1).
#[must_use]
pub fn panics(faults: &[Fault], class: ClassId, now: Nanos, chance: f64) -> bool {
    active(faults, now).any(|fault| {
        fault.target == Target::Class(class) && matches!(fault.effect, Effect::Panics { share } if chance < share)
    })
}

fn active(faults: &[Fault], now: Nanos) -> impl Iterator<Item = &Fault> {
    faults.iter().filter(move |fault| fault.from <= now && now < fault.until)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_act_only_on_their_target_and_in_their_window() {
        let fault = |target, effect| Fault { target, from: Nanos(10), until: Nanos(20), effect };
        let directory = DependencyId(0);
        let faults = [
            fault(Target::Dependency(directory), Effect::Slower(10.0)),
            fault(Target::Class(ClassId(3)), Effect::Hangs { lasts: Nanos(30_000), share: 0.5 }),
            fault(Target::Class(ClassId(4)), Effect::Panics { share: 0.1 }),
        ];
        let table = [
            (0, directory, 9, 0.0, 7),
            (0, directory, 10, 0.0, 70),
            (0, directory, 19, 0.9, 70),
            (0, directory, 20, 0.0, 7),
            (0, DependencyId(1), 15, 0.0, 7),
            (3, DependencyId(1), 15, 0.49, 30_000),
            (3, DependencyId(1), 15, 0.5, 7),
        ];
        for (class, dependency, now, chance, want) in table {
            let got = stretched(&faults, ClassId(class), dependency, Nanos(7), Nanos(now), chance);
            assert_eq!(got, Nanos(want), "class {class} at {now}");
        }
        assert!(panics(&faults, ClassId(4), Nanos(10), 0.09));
        assert!(!panics(&faults, ClassId(4), Nanos(10), 0.1));
        assert!(!panics(&faults, ClassId(5), Nanos(10), 0.0));
    }
}
