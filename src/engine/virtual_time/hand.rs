//! Somebody's hand on a run in virtual time: the pace, and wishes that are carried out between two events.
//!
//! Without one the engine is compiled as if there were no such thing ([`NoHand`]). With one it keeps pace with a clock, or
//! goes as fast as it can; a wish for a stated moment is carried out in exactly that moment, before whatever else is due in
//! it. Not what may be wished (`engine::control`). Called by the main loop.

use std::time::Duration;

use super::Engine;
use crate::engine::control::{Control, Tuning, Wish, resizing};
use crate::engine::threaded::clock::Clock;
use crate::engine::{EngineError, Options};
use crate::policy::dispatch::Rules;
use crate::time::Nanos;

/// How often somebody who watches sees the time go on, in wall time.
const TICK: Duration = Duration::from_millis(50);

/// A run without a pace shows its cluster once in so many events.
const SHOWS: u32 = 4_096;

/// What comes before an event.
pub(super) enum Before {
    /// Nothing: the event.
    Event,
    /// Something was changed: another event may come first now.
    Anew,
    /// The end, because somebody wants it.
    End,
}

/// Who may have a hand on a run.
pub(super) trait Hand {
    /// Whether anybody has.
    const IS_THERE: bool;

    /// Waits until the moment of the next event, and does before it what is wished.
    fn before(&mut self, engine: &mut Engine<'_>, next: Nanos, options: &Options<'_>) -> Before;
}

/// Nobody has a hand on the run.
pub(super) struct NoHand;

impl Hand for NoHand {
    const IS_THERE: bool = false;

    #[inline(always)]
    fn before(&mut self, _: &mut Engine<'_>, _: Nanos, _: &Options<'_>) -> Before {
        Before::Event
    }
}

/// Somebody has.
pub(super) struct ByHand<'a> {
    control: &'a Control,
    /// `None`: as fast as it can.
    clock: Option<Clock>,
    stands_still: bool,
    events: u32,
}

impl Hand for ByHand<'_> {
    const IS_THERE: bool = true;

    fn before(&mut self, engine: &mut Engine<'_>, next: Nanos, options: &Options<'_>) -> Before {
        self.events = self.events.wrapping_add(1);
        if self.events % SHOWS == 1 {
            engine.floor.show_cluster(self.control.live());
        }
        loop {
            let here = self.here(engine.now, next);
            if let Some(wish) = self.control.take_asked() {
                if self.changes_the_pace(wish) {
                    continue;
                }
                engine.carry_out_wish(self.control, wish, here);
                return Before::Anew;
            }
            if options.interrupt.is_set() {
                engine.now = here;
                return Before::End;
            }
            // What is planned for the end itself comes too late.
            let planned = self.control.next_planned();
            let until = next.min(planned);
            let has_come = !self.stands_still && (self.clock.is_none() || here >= until);
            if has_come && planned <= next && planned < engine.plan.duration {
                if let Some((at, wish)) = self.control.take_planned(planned)
                    && !self.changes_the_pace(wish)
                {
                    engine.carry_out_wish(self.control, wish, at.max(engine.now));
                    return Before::Anew;
                }
                continue;
            }
            if has_come {
                return Before::Event;
            }
            self.wait(until);
            self.control.live().reached(self.here(engine.now, next));
            engine.floor.show_cluster(self.control.live());
        }
    }
}

impl<'a> ByHand<'a> {
    fn new(control: &'a Control) -> ByHand<'a> {
        let host = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
        let clock = control.status().speed.map(|speed| Clock::start_by_hand(speed, host));
        control.joins();
        if let Some(clock) = &clock {
            clock.join();
        }
        ByHand { control, clock, stands_still: false, events: 0 }
    }

    /// The moment: between the last event and the next.
    fn here(&self, last: Nanos, next: Nanos) -> Nanos {
        self.clock.as_ref().map_or(last, |clock| clock.now().min(next).max(last))
    }

    /// Whether the wish was one about the pace; then it is carried out.
    fn changes_the_pace(&mut self, wish: Wish) -> bool {
        match wish {
            Wish::Pause | Wish::Resume => {
                self.stands_still = wish == Wish::Pause;
                if let Some(clock) = &self.clock {
                    clock.stand_still(self.stands_still);
                }
                self.control.note_pause(self.stands_still);
            }
            Wish::Speed(speed) => {
                if let Some(clock) = &self.clock {
                    clock.set_speed(speed);
                }
                self.control.note_speed(speed);
            }
            Wish::Load(_) | Wish::Apply(_) | Wish::Restart(_) => return false,
        }
        true
    }

    /// Waits until a moment, or for a tick, or until somebody calls.
    fn wait(&self, until: Nanos) {
        match &self.clock {
            None => std::thread::park_timeout(TICK),
            Some(clock) => {
                let _ = clock.wait_until(until.min(clock.now() + clock.emulated(TICK)), true);
            }
        }
    }
}

impl Engine<'_> {
    /// The main loop with somebody's hand on it. `true`: interrupted.
    #[inline(never)]
    pub(super) fn run_by_hand(&mut self, options: &Options<'_>, control: &Control) -> Result<bool, EngineError> {
        // Threads that wait must be known as such when the pool grows above the runnable limit.
        self.tells_waits = true;
        self.floor.put_under_a_hand(self.plan);
        let result = self.run(options, &mut ByHand::new(control));
        let interrupted = *result.as_ref().unwrap_or(&true);
        control.live().reached(if interrupted { self.now } else { self.plan.duration });
        self.floor.show_cluster(control.live());
        control.live().ends();
        result
    }

    fn carry_out_wish(&mut self, control: &Control, wish: Wish, at: Nanos) {
        self.now = at;
        match wish {
            Wish::Load(factor) => {
                self.floor.set_load(factor, at);
                control.note_load(factor, at);
            }
            Wish::Apply(tuning) => self.retune(control, tuning, false),
            Wish::Restart(tuning) => self.retune(control, tuning, true),
            Wish::Pause | Wish::Resume | Wish::Speed(_) => {}
        }
    }

    fn retune(&mut self, control: &Control, tuning: Tuning, restart: bool) {
        let Some(retuned) = control.retuned(self.plan, tuning, u32::MAX) else { return };
        if restart {
            self.floor.restart(tuning.node, self.now);
            self.carry_out();
        }
        self.go_to(tuning.node);
        self.resize(&retuned.rules);
        self.count_threads();
        control.note_retuned(tuning, retuned, restart, self.now);
    }

    /// The node that is here has these sizes from now on.
    pub(super) fn resize(&mut self, rules: &Rules) {
        for event in resizing(rules) {
            self.apply(event);
            self.settle();
        }
    }
}
