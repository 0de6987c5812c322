//! simrs: one component whose state lies in the simulation's store, as the crate means it.
//!
//! Not simrs' own queues: they hold no class that is capped.

use std::time::Duration;

use anyhow::anyhow;
use simrs::{Component, ComponentId, Executor, Key, Scheduler, Simulation, State};

use crate::works::station::{Customer, Draws, Station};
use crate::works::{Outcome, Work};

#[derive(Debug)]
enum Event {
    Comes,
    Ends(Customer),
}

struct Store {
    draws: Draws,
    station: Station,
    customers: u64,
}

struct Pool {
    store: Key<Store>,
}

impl Component for Pool {
    type Event = Event;

    fn process_event(&self, me: ComponentId<Event>, event: &Event, scheduler: &mut Scheduler, state: &mut State) {
        let Some(store) = state.get_mut(self.store) else { return };
        let now = scheduler.time().as_nanos() as u64;
        let starts = match event {
            Event::Comes => {
                let customer = Customer { class: store.draws.class(), came: now };
                let starts = store.station.comes(customer);
                if store.station.came() < store.customers {
                    scheduler.schedule(Duration::from_nanos(store.draws.gap()), me, Event::Comes);
                }
                starts.then_some(customer)
            }
            Event::Ends(customer) => store.station.ends(*customer, now),
        };
        if let Some(customer) = starts {
            scheduler.schedule(Duration::from_nanos(store.draws.service()), me, Event::Ends(customer));
        }
    }
}

/// Does the work.
///
/// # Errors
/// The store is gone, which would be a mistake of the crate.
pub(crate) fn run(work: &Work, customers: u64, seed: u64) -> anyhow::Result<Outcome> {
    let mut simulation = Simulation::default();
    let mut store = Store { draws: Draws::new(work, seed), station: Station::new(work), customers };
    let first = Duration::from_nanos(store.draws.gap());
    let key = simulation.state.insert(store);
    let pool = simulation.add_component(Pool { store: key });
    simulation.schedule(first, pool, Event::Comes);
    simulation.execute(Executor::unbound());
    let store = simulation.state.remove(key).ok_or_else(|| anyhow!("simrs lost the store"))?;
    Ok(store.station.close())
}
