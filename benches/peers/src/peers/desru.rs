//! DESRu: a boxed closure for every event, around a state that they share.
//!
//! Its log of events is switched off: it would keep every event in memory to the end. Its times are floating seconds.

use std::cell::RefCell;
use std::rc::Rc;

use desru::{Event, EventScheduler};

use crate::works::station::{Customer, Draws, Station};
use crate::works::{Outcome, Work};

struct State {
    draws: Draws,
    station: Station,
    customers: u64,
}

type Shared = Rc<RefCell<State>>;

fn nanos(scheduler: &EventScheduler) -> u64 {
    (scheduler.current_time * 1e9).round() as u64
}

fn schedule(scheduler: &mut EventScheduler, after_ns: u64, mut then: impl FnMut(&mut EventScheduler) + 'static) {
    let action = move |scheduler: &mut EventScheduler| {
        then(scheduler);
        None
    };
    scheduler.schedule(Event::new(scheduler.current_time + after_ns as f64 / 1e9, Some(Box::new(action)), None));
}

fn comes(scheduler: &mut EventScheduler, shared: &Shared) {
    let mut state = shared.borrow_mut();
    let customer = Customer { class: state.draws.class(), came: nanos(scheduler) };
    let starts = state.station.comes(customer);
    if state.station.came() < state.customers {
        let again = Rc::clone(shared);
        schedule(scheduler, state.draws.gap(), move |scheduler| comes(scheduler, &again));
    }
    if starts {
        begins(scheduler, shared, &mut state, customer);
    }
}

fn begins(scheduler: &mut EventScheduler, shared: &Shared, state: &mut State, customer: Customer) {
    let shared = Rc::clone(shared);
    schedule(scheduler, state.draws.service(), move |scheduler| {
        let mut state = shared.borrow_mut();
        if let Some(next) = state.station.ends(customer, nanos(scheduler)) {
            begins(scheduler, &shared, &mut state, next);
        }
    });
}

/// Does the work.
pub(crate) fn run(work: &Work, customers: u64, seed: u64) -> Outcome {
    let state = State { draws: Draws::new(work, seed), station: Station::new(work), customers };
    let shared = Rc::new(RefCell::new(state));
    let mut scheduler = EventScheduler::new();
    let first = shared.borrow_mut().draws.gap();
    let again = Rc::clone(&shared);
    schedule(&mut scheduler, first, move |scheduler| comes(scheduler, &again));
    scheduler.run(Box::new(|_| false), Some(Box::new(|_, _| false)));
    shared.borrow().station.close()
}
