//! What a run's closures really did, written down beside the pool, and the laws that are checked against it.
//!
//! The standard library's locks on purpose: looking something up here is no step of the model. Called by `run`.

use std::sync::{Mutex, MutexGuard, PoisonError};

use atqsim::policy::decision_log::LogLine;
use atqsim::policy::dispatch::{Decision, Event, Kind, Rules};

/// What became of one closure.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fate {
    /// It was handed to the pool.
    pub submitted: bool,
    pub began: u32,
    pub ended: u32,
    /// It was dropped without having run.
    pub dropped: u32,
}

#[derive(Debug, Default)]
pub struct Pages {
    pub fates: Vec<Fate>,
    /// Closures that run, of each class.
    pub running: Vec<u32>,
    /// How often a closure came back: errors, withdrawals, shutdowns.
    pub given_back: u64,
    pub panicked: u64,
    /// No ceiling and no size of this run is ever higher.
    pub highest: Vec<u32>,
    pub highest_size: u32,
    /// What is wrong. A panic on a thread of the pool would be caught by the pool.
    pub wrong: Vec<String>,
    /// What the policy granted, from its decisions alone.
    granted: Vec<u32>,
    class_of: Vec<(u32, usize)>,
    caps: Vec<u32>,
    size: u32,
}

#[derive(Debug, Default)]
pub struct Book(Mutex<Pages>);

impl Book {
    pub fn open(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    pub fn check(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.wrong.push(what());
        }
    }

    /// How many closures have begun.
    pub fn began(&self) -> u64 {
        self.fates.iter().map(|fate| u64::from(fate.began)).sum()
    }

    /// How many have ended, or are about to.
    pub fn ended(&self) -> u64 {
        self.fates.iter().map(|fate| u64::from(fate.ended)).sum()
    }

    pub fn begin(&mut self, id: usize, class: usize) {
        self.fates[id].began += 1;
        self.running[class] += 1;
        let (now, most) = (self.running[class], self.highest[class]);
        self.check(now <= most, || format!("{now} closures of class {class} run, at most {most} may"));
        let (now, most) = (self.running.iter().sum::<u32>(), self.highest_size);
        self.check(now <= most, || format!("{now} closures run in a pool of {most}"));
    }

    pub fn end(&mut self, id: usize, class: usize) {
        self.fates[id].ended += 1;
        self.running[class] -= 1;
    }

    /// The policy starts from these rules.
    pub fn knows(&mut self, rules: &Rules) {
        let cap = |kind: &Kind| if let Kind::WorkQueue { cap, .. } = kind { *cap } else { u32::MAX };
        self.caps = rules.classes.iter().map(|class| cap(&class.kind)).collect();
        self.granted = vec![0; self.caps.len()];
        self.size = rules.pool_size;
    }

    /// One step of the policy, under the pool's lock: no closure runs without a grant, none is granted above a ceiling.
    pub fn note(&mut self, line: &LogLine) {
        match line.event {
            Event::Finishes { thread } => {
                let at = self.class_of.iter().position(|(t, _)| *t == thread.0).expect("a busy thread");
                self.granted[self.class_of.swap_remove(at).1] -= 1;
            }
            Event::SetCap { class, cap } => self.caps[class.index()] = self.caps[class.index()].max(cap),
            Event::SetPoolSize { size } => self.size = self.size.max(size),
            _ => {}
        }
        for decision in &line.decisions {
            if let Decision::Start { thread, class, .. } = decision {
                self.granted[class.index()] += 1;
                self.class_of.push((thread.0, class.index()));
                let (now, cap) = (self.granted[class.index()], self.caps[class.index()]);
                self.check(now <= cap, || format!("{now} grants of {class:?}, its ceiling is {cap}"));
                let (now, size) = (self.granted.iter().sum::<u32>(), self.size);
                self.check(now <= size, || format!("{now} grants in a pool of {size}"));
            }
        }
        for class in 0..self.granted.len() {
            let (running, granted) = (self.running[class], self.granted[class]);
            self.check(running <= granted, || format!("{running} of class {class} run on {granted} grants"));
        }
    }
}
