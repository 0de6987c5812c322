//! The figures of a run, added up once more from what an observer was told.
//!
//! Not how they are shown. Only what is exact in nanoseconds and whole numbers is compared.

use std::collections::VecDeque;

use atqsim::item::Outcome;
use atqsim::time::Nanos;

use crate::witness::{Key, Life, Seen, What};

/// Of each class: items that came in the measured time, how they ended, and their waits in sum.
pub(crate) fn outcomes(seen: &Seen) -> Result<(), String> {
    let lives = seen.lives();
    let (from, end) = (seen.plan.warmup.length(), seen.plan.duration);
    for (plan, class) in seen.plan.classes.iter().zip(&seen.output.summary.classes) {
        let own = || lives.values().filter(|life| life.class == plan.name && life.due >= from);
        let ended = |what: Option<What>| own().filter(|life| life.ended.map(|(_, what)| what) == what).count() as u64;
        let counts = [
            (class.arrivals, own().count() as u64),
            (class.outcomes.served, ended(Some(What::Finished(Outcome::Served)))),
            (class.outcomes.lost, ended(Some(What::Finished(Outcome::Lost)))),
            (class.outcomes.gave_up, ended(Some(What::GaveUp))),
            (class.outcomes.refused, ended(Some(What::Refused))),
            (class.outcomes.unfinished, ended(None)),
            (class.outcomes.total(), class.arrivals),
        ];
        if counts.iter().any(|(counted, seen)| counted != seen) {
            return Err(format!("{}: counted and seen {counts:?}", plan.name));
        }
        let wait = |life: &Life| {
            let until = life.started.or(life.ended.map(|(at, _)| at)).unwrap_or(end);
            u128::from(until.since(life.due).0)
        };
        let waited = || own().filter(|life| life.ended.is_none_or(|(_, what)| what != What::Refused));
        let waits: u128 = waited().map(wait).sum();
        if class.wait_recorded.sum_ns() != waits || class.wait.count != waited().count() as u64 {
            let told = class.wait_recorded.sum_ns();
            return Err(format!("{}: the waits are {waits} ns in sum, and the figures say {told}", plan.name));
        }
    }
    Ok(())
}

/// One class as time goes by.
#[derive(Default)]
struct Class {
    waiting: VecDeque<(Key, Nanos)>,
    busy: u32,
    waited_ns: u128,
    held_ns: u128,
    starved: Nanos,
    shut_out: Nanos,
}

impl Class {
    /// Nothing changes from `from` to `to`.
    fn lasts(&mut self, from: Nanos, to: Nanos, starvation_after: Nanos) {
        let length = u128::from(to.since(from).0);
        self.waited_ns += self.waiting.len() as u128 * length;
        self.held_ns += u128::from(self.busy) * length;
        if let Some((_, oldest)) = self.waiting.front() {
            let starved = to.since((*oldest + starvation_after).max(from));
            self.starved += starved;
            if self.busy == 0 {
                self.shut_out += starved;
            }
        }
    }

    fn told(&mut self, what: What, key: &Key, due: Nanos) {
        match what {
            What::Arrived => self.waiting.push_back((key.clone(), due)),
            What::GaveUp | What::Started => {
                self.waiting.retain(|(other, _)| other != key);
                self.busy += u32::from(what == What::Started);
            }
            What::Finished(_) => self.busy -= 1,
            What::Refused => {}
        }
    }
}

/// Time averages, starvation and what is left at the end, of each class.
pub(crate) fn over_time(seen: &Seen) -> Result<(), String> {
    let (from, end) = (seen.plan.warmup.length(), seen.plan.duration);
    let mut classes: Vec<Class> = Vec::new();
    classes.resize_with(seen.plan.classes.len(), Class::default);
    let mut last = from;
    for told in &seen.told {
        if told.now > last {
            classes.iter_mut().for_each(|class| class.lasts(last, told.now, seen.plan.starvation_after));
            last = told.now;
        }
        classes[told.item.class.index()].told(told.what, &seen.key(&told.item), told.item.due);
    }
    classes.iter_mut().for_each(|class| class.lasts(last, end, seen.plan.starvation_after));
    for ((class, told), plan) in classes.iter().zip(&seen.output.summary.classes).zip(&seen.plan.classes) {
        let own = (
            class.waited_ns as f64 / end.since(from).0 as f64,
            class.held_ns as f64 / 1e9,
            class.starved,
            class.shut_out,
            class.waiting.len() as u64,
            class.waiting.front().map(|(_, due)| end.since(*due)),
        );
        let told = (
            told.mean_waiting,
            told.thread_seconds,
            told.starved,
            told.shut_out,
            told.still_waiting,
            told.oldest_waiting,
        );
        if own != told {
            return Err(format!("{}: waiting, held, starved, shut out, left, oldest: {own:?} and {told:?}", plan.name));
        }
    }
    Ok(())
}
