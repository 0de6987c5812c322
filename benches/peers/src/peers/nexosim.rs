//! NeXosim: one model that schedules its own events, on the executor with one thread.
//!
//! Not a bench of models that are connected by ports: messages between models would only add to the work.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::anyhow;
use nexosim::model::{Context, Model, schedulable};
use nexosim::simulation::{Mailbox, SimInit};
use nexosim::time::MonotonicTime;
use serde::{Deserialize, Serialize};

use crate::works::station::{Customer, Draws, Station};
use crate::works::{Outcome, Work};

#[derive(Clone, Serialize, Deserialize)]
struct Pass {
    class: u32,
    came: u64,
}

struct State {
    draws: Draws,
    station: Station,
    customers: u64,
    served: u64,
}

#[derive(Serialize, Deserialize)]
struct Pool {
    #[serde(skip)]
    state: Option<Box<State>>,
    #[serde(skip)]
    outcome: Arc<Mutex<Option<Outcome>>>,
}

fn nanos(now: MonotonicTime) -> u64 {
    u64::try_from(now.as_secs()).unwrap_or(0) * 1_000_000_000 + u64::from(now.subsec_nanos())
}

#[Model]
impl Pool {
    #[nexosim(init)]
    async fn init(&mut self, cx: &Context<Self>) {
        let Some(state) = &mut self.state else { return };
        let gap = Duration::from_nanos(state.draws.gap());
        cx.schedule_event(gap, schedulable!(Self::comes), ()).expect("gaps are above 0");
    }

    #[nexosim(schedulable)]
    async fn comes(&mut self, _: (), cx: &Context<Self>) {
        let Some(state) = &mut self.state else { return };
        let customer = Customer { class: state.draws.class(), came: nanos(cx.time()) };
        let starts = state.station.comes(customer);
        if state.station.came() < state.customers {
            let gap = Duration::from_nanos(state.draws.gap());
            cx.schedule_event(gap, schedulable!(Self::comes), ()).expect("gaps are above 0");
        }
        if starts {
            state.begins(customer, cx);
        }
    }

    #[nexosim(schedulable)]
    async fn ends(&mut self, pass: Pass, cx: &Context<Self>) {
        let Some(state) = &mut self.state else { return };
        let ended = Customer { class: pass.class, came: pass.came };
        if let Some(next) = state.station.ends(ended, nanos(cx.time())) {
            state.begins(next, cx);
        }
        state.served += 1;
        if state.served == state.customers {
            *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(state.station.close());
        }
    }
}

impl State {
    fn begins(&mut self, customer: Customer, cx: &Context<Pool>) {
        let service = Duration::from_nanos(self.draws.service());
        let pass = Pass { class: customer.class, came: customer.came };
        cx.schedule_event(service, schedulable!(Pool::ends), pass).expect("services are above 0");
    }
}

/// Does the work.
///
/// # Errors
/// What the simulator refuses.
pub(crate) fn run(work: &Work, customers: u64, seed: u64) -> anyhow::Result<Outcome> {
    let state = State { draws: Draws::new(work, seed), station: Station::new(work), customers, served: 0 };
    let outcome = Arc::new(Mutex::new(None));
    let pool = Pool { state: Some(Box::new(state)), outcome: Arc::clone(&outcome) };
    let built = SimInit::with_num_threads(1).add_model(pool, Mailbox::new(), "pool").init(MonotonicTime::EPOCH);
    let mut simulation = built.map_err(|error| anyhow!("NeXosim does not begin: {error}"))?;
    simulation.run().map_err(|error| anyhow!("NeXosim stopped: {error}"))?;
    let outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner).take();
    outcome.ok_or_else(|| anyhow!("NeXosim ended before all were served"))
}
