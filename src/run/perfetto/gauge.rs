//! The counters of a node in a Perfetto trace: what waits, what threads exist, what capped queues asked for and hold.
//!
//! A counter that changes at every event would be most of the file, so two values of one are at least a step apart: the
//! first change after that is written at once, others when the step is over, with what then holds. Not the counts, which a
//! `Dispatch` has. Called by [`super::node`].

use crate::ids::ClassId;
use crate::policy::dispatch::{Dispatch, Kind, Rules};
use crate::report::perfetto::{Packets, Track};
use crate::time::Nanos;

/// All counters of one node.
pub(super) struct Gauges {
    step: Nanos,
    window: (Nanos, Nanos),
    live: Gauge,
    waiting: Vec<Gauge>,
    /// Of the queues that have a cap: requested and granted thread requests.
    capped: Vec<(ClassId, Gauge, Gauge)>,
}

struct Gauge {
    track: Track,
    value: u64,
    /// The last value that was written, and when.
    written: Option<(Nanos, u64)>,
}

impl Gauges {
    pub(super) fn new(
        packets: &mut Packets,
        process: Track,
        names: &[&str],
        rules: &Rules,
        step: Nanos,
        window: (Nanos, Nanos),
    ) -> Gauges {
        let mut gauge = |name: String, unit: &str| {
            let track = packets.counter(process, &name, unit);
            Gauge { track, value: 0, written: None }
        };
        let live = gauge("live threads".into(), "threads");
        let waiting = names.iter().map(|name| gauge(format!("waiting: {name}"), "items")).collect();
        let mut capped = Vec::new();
        for (at, (name, rule)) in names.iter().zip(&rules.classes).enumerate() {
            if matches!(rule.kind, Kind::WorkQueue { .. }) {
                let requested = gauge(format!("thread requests posted: {name}"), "requests");
                let granted = gauge(format!("threads granted: {name}"), "threads");
                capped.push((ClassId(at as u16), requested, granted));
            }
        }
        Gauges { step, window, live, waiting, capped }
    }

    /// The counts are now those of `dispatch`.
    pub(super) fn read(&mut self, now: Nanos, dispatch: &Dispatch<()>, packets: &mut Packets) {
        let (step, window) = (self.step, self.window);
        let mut set = |gauge: &mut Gauge, value: u64| gauge.set(now, value, step, window, packets);
        set(&mut self.live, u64::from(dispatch.counts().live_threads));
        for (at, gauge) in self.waiting.iter_mut().enumerate() {
            set(gauge, dispatch.class_counts(ClassId(at as u16)).waiting as u64);
        }
        for (class, requested, granted) in &mut self.capped {
            let counts = dispatch.class_counts(*class);
            set(requested, u64::from(counts.requested));
            set(granted, u64::from(counts.granted));
        }
    }

    /// Writes what is not written yet: the run is over.
    pub(super) fn close(&mut self, end: Nanos, packets: &mut Packets) {
        let (step, window) = (self.step, self.window);
        let all = self.capped.iter_mut().flat_map(|(_, requested, granted)| [requested, granted]);
        for gauge in all.chain(&mut self.waiting).chain([&mut self.live]) {
            gauge.settle(end, step, window, packets);
            gauge.write(end.min(window.1), window, packets);
        }
    }
}

impl Gauge {
    fn set(&mut self, now: Nanos, value: u64, step: Nanos, window: (Nanos, Nanos), packets: &mut Packets) {
        self.settle(now, step, window, packets);
        if value == self.value {
            return;
        }
        self.value = value;
        if self.written.is_some_and(|(at, _)| now >= at + step) {
            self.write(now, window, packets);
        }
    }

    /// Writes what held until now and could not be written yet.
    fn settle(&mut self, now: Nanos, step: Nanos, window: (Nanos, Nanos), packets: &mut Packets) {
        match self.written {
            None if now >= window.0 => self.write(window.0, window, packets),
            Some((at, value)) if value != self.value && now >= at + step => self.write(at + step, window, packets),
            _ => {}
        }
    }

    fn write(&mut self, at: Nanos, window: (Nanos, Nanos), packets: &mut Packets) {
        if self.written.is_some_and(|(_, value)| value == self.value) || at > window.1 {
            return;
        }
        packets.count(self.track, at, self.value);
        self.written = Some((at, self.value));
    }
}
