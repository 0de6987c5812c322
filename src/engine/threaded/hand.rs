//! Somebody's wishes, carried out on real threads: by the injector, between two releases.
//!
//! Not what may be wished (`engine::control`) and not what follows from it (the policy's). Without a control there is nothing
//! to do. Called by the injector.

use std::sync::Arc;

use super::clock::Waited;
use super::{Machine, THREADS_CEILING};
use crate::engine::control::{Control, Tuning, Wish, resizing};
use crate::ids::ClassId;
use crate::policy::dispatch::{Event, Rules};
use crate::pool::Ceiling;
use crate::time::Nanos;

impl Machine {
    /// Carries out what somebody wishes, and shows how far the run is. The answer is the moment of the next wish that is
    /// planned already.
    pub(super) fn take_up_wishes(self: &Arc<Machine>) -> Nanos {
        let Some(control) = &self.control else { return Nanos::MAX };
        loop {
            let now = self.now();
            let wish = control.take_asked().or_else(|| control.take_planned(now).map(|(_, wish)| wish));
            let Some(wish) = wish else { break };
            self.carry_out_wish(control, wish);
        }
        control.live().reached(self.now());
        self.floor.lock().show_cluster(control.live());
        control.next_planned()
    }

    /// Whoever watches is to know when the host cannot hold the speed.
    pub(super) fn shows_lateness(&self, waited: Waited) {
        if let (Some(control), Waited::Until(late)) = (&self.control, waited) {
            control.live().was_late(self.clock.emulated(late));
        }
    }

    fn carry_out_wish(self: &Arc<Machine>, control: &Control, wish: Wish) {
        match wish {
            Wish::Pause | Wish::Resume => {
                self.clock.stand_still(wish == Wish::Pause);
                control.note_pause(wish == Wish::Pause);
            }
            Wish::Speed(speed) => {
                self.clock.set_speed(speed);
                control.note_speed(speed);
            }
            Wish::Load(factor) => {
                let now = self.now();
                self.floor.lock().set_load(factor, now);
                control.note_load(factor, now);
            }
            Wish::Apply(tuning) => self.retune(control, tuning, false),
            Wish::Restart(tuning) => self.retune(control, tuning, true),
        }
    }

    fn retune(self: &Arc<Machine>, control: &Control, tuning: Tuning, restart: bool) {
        let Some(retuned) = control.retuned(&self.plan, tuning, THREADS_CEILING) else { return };
        let mut floor = self.floor.lock();
        let now = self.now();
        if restart {
            floor.restart(tuning.node, now);
            self.carry_out(&mut floor);
        }
        self.resize(tuning.node, &retuned.rules);
        floor.live_threads(self.nodes.live_threads(), now);
        control.note_retuned(tuning, retuned, restart, now);
    }

    /// A node that begins anew has the sizes that somebody gave it.
    pub(super) fn resize_anew(&self, node: usize) {
        if let Some(rules) = self.control.as_ref().and_then(|control| control.rules_of(node)) {
            self.resize(node, &rules);
        }
    }

    fn resize(&self, node: usize, rules: &Rules) {
        let pool = self.nodes.pool(node);
        for event in resizing::<()>(rules) {
            match event {
                Event::SetPoolSize { size } => pool.set_threads(size),
                Event::SetCap { class, cap } => set_cap(&pool, class, cap),
                _ => unreachable!("sizes alone are changed"),
            }
        }
    }
}

fn set_cap(pool: &crate::pool::AtqPool, class: ClassId, cap: u32) {
    pool.set_ceiling(class, Ceiling::Threads(cap.max(1))).expect("a work queue has a ceiling");
}
