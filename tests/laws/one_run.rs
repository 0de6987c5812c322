//! The laws of a single run, worked out from what was seen of it alone: nothing here asks the policy or the figures.
//!
//! The program checks some of them itself in every run (`Summary::violations`); this is the same by another way.

use std::collections::{BTreeMap, VecDeque};

use atqsim::policy::decision_log::{LogLine, replay};
use atqsim::policy::dispatch::{Decision, Event, Kind};
use atqsim::policy::order::Order;
use atqsim::time::Nanos;

use crate::figures;
use crate::witness::{Key, Life, Seen, What};

/// Every law that holds for one run.
pub(crate) fn laws(seen: &Seen) -> Result<(), String> {
    let own = &seen.output.summary.violations;
    if !own.is_empty() {
        return Err(format!("the run itself says {own:?}"));
    }
    times(seen)?;
    figures::outcomes(seen)?;
    first_in_first_out(seen)?;
    figures::over_time(seen)?;
    threads(seen)?;
    little(seen)?;
    if seen.lines.is_empty() {
        return Ok(());
    }
    work(seen)?;
    let lines: Vec<LogLine> = seen.lines.iter().map(|(_, line)| line.clone()).collect();
    replay(&seen.plan.rules(), &lines)
        .map_err(|difference| format!("a fresh dispatch decides otherwise: {difference:?}"))
}

/// Time does not go back, and an item arrives when it is due.
fn times(seen: &Seen) -> Result<(), String> {
    let mut last = Nanos::ZERO;
    for told in &seen.told {
        let late = matches!(told.what, What::Arrived | What::Refused) && told.now != told.item.due;
        if told.now < last || told.now >= seen.plan.duration || late {
            return Err(format!("at {last}: {told:?}"));
        }
        last = told.now;
    }
    Ok(())
}

/// Busy threads of a class are never above its cap, all of them never above the pool.
fn threads(seen: &Seen) -> Result<(), String> {
    let mut busy = vec![0_u32; seen.plan.classes.len()];
    for told in &seen.told {
        let class = told.item.class.index();
        match told.what {
            What::Started => busy[class] += 1,
            What::Finished(_) if busy[class] == 0 => return Err(format!("it never began: {told:?}")),
            What::Finished(_) => busy[class] -= 1,
            _ => {}
        }
        let all: u32 = busy.iter().sum();
        if busy[class] > cap(seen, class) || all > seen.plan.pool.size {
            return Err(format!("{} busy in class {class}, {all} in all: {told:?}", busy[class]));
        }
    }
    Ok(())
}

fn cap(seen: &Seen, class: usize) -> u32 {
    match seen.plan.classes[class].rule.kind {
        Kind::WorkQueue { cap, .. } => cap,
        Kind::Requests => u32::MAX,
    }
}

/// The integral of the number in the system is the sum of the sojourns.
fn little(seen: &Seen) -> Result<(), String> {
    let (mut inside, mut integral, mut last) = (0_i128, 0_i128, Nanos::ZERO);
    for told in &seen.told {
        integral += inside * i128::from(told.now.since(last).0);
        last = told.now;
        inside += match told.what {
            What::Arrived => 1,
            What::GaveUp | What::Finished(_) => -1,
            What::Started | What::Refused => 0,
        };
    }
    integral += inside * i128::from(seen.plan.duration.since(last).0);
    let sojourn = |life: &Life| match life.ended {
        Some((at, _)) => i128::from(at.since(life.due).0),
        None => i128::from(seen.plan.duration.since(life.due).0),
    };
    let sojourns: i128 = seen.lives().values().map(sojourn).sum();
    if integral == sojourns { Ok(()) } else { Err(format!("integral {integral}, sojourns {sojourns}")) }
}

/// Items of a class begin in the order in which they came.
fn first_in_first_out(seen: &Seen) -> Result<(), String> {
    let mut waiting: Vec<VecDeque<Key>> = vec![VecDeque::new(); seen.plan.classes.len()];
    for told in &seen.told {
        let (key, queue) = (seen.key(&told.item), &mut waiting[told.item.class.index()]);
        match told.what {
            What::Arrived => queue.push_back(key),
            What::GaveUp => queue.retain(|other| *other != key),
            What::Started if queue.front() == Some(&key) => {
                queue.pop_front();
            }
            What::Started => return Err(format!("{key:?} began before {:?}", queue.front())),
            What::Refused | What::Finished(_) => {}
        }
    }
    Ok(())
}

/// The state of a pool, from its log alone.
struct State {
    waiting: Vec<usize>,
    busy: Vec<u32>,
    runnable: u32,
    /// The class that each busy thread serves.
    serves: BTreeMap<u32, usize>,
}

/// Work conservation: between events no thread is idle, or might be created, beside an item that may use it; and an
/// item is refused only where there is no room for it and it cannot begin at once.
fn work(seen: &Seen) -> Result<(), String> {
    let classes = seen.plan.classes.len();
    let mut state = State::new(seen);
    let mut last = Nanos::ZERO;
    let wasted = |state: &State, at: Nanos| match (0..classes)
        .find(|class| state.waiting[*class] > 0 && state.may_begin(seen, *class))
    {
        Some(class) => Err(format!(
            "after {at} a thread is free and class {class} waits: {:?} of {:?} busy",
            state.busy, seen.plan.pool.size
        )),
        None => Ok(()),
    };
    for (now, line) in &seen.lines {
        if *now > last {
            wasted(&state, last)?;
            last = *now;
        }
        if let (Event::Submit { class, .. }, Some(Decision::Refused { .. })) = (line.event, line.decisions.first()) {
            let own = state.waiting[class.index()] < seen.plan.classes[class.index()].rule.max_waiting;
            let all = seen.plan.pool.waiting_room.is_none_or(|room| state.waiting.iter().sum::<usize>() < room);
            if (own && all) || state.may_begin(seen, class.index()) {
                return Err(format!("at {now} an item of {class:?} is refused without need"));
            }
        }
        state.apply(line);
    }
    wasted(&state, last)
}

/// What alone kept a waiting item from a free thread at some time between events.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Held {
    pub(crate) cap: bool,
    pub(crate) runnable: bool,
    pub(crate) kept: bool,
}

/// What kept items from free threads in a run.
pub(crate) fn held_back(seen: &Seen) -> Held {
    let (mut held, mut last) = (Held::default(), Nanos::ZERO);
    let mut state = State::new(seen);
    for (now, line) in &seen.lines {
        if *now > last {
            last = *now;
            for class in (0..state.waiting.len()).filter(|class| state.waiting[*class] > 0) {
                let [below_cap, free, above_kept, runnable] = state.reasons(seen, class);
                held.cap |= !below_cap && free && above_kept && runnable;
                held.kept |= below_cap && free && !above_kept && runnable;
                held.runnable |= below_cap && free && above_kept && !runnable;
            }
        }
        state.apply(line);
    }
    held
}

impl State {
    fn new(seen: &Seen) -> State {
        let classes = seen.plan.classes.len();
        State { waiting: vec![0; classes], busy: vec![0; classes], runnable: 0, serves: BTreeMap::new() }
    }

    /// What an item of `class` needs to begin: a place below the cap, a thread, more threads than are kept free, and a
    /// place among the runnable ones.
    fn reasons(&self, seen: &Seen, class: usize) -> [bool; 4] {
        let plan = &seen.plan;
        let free = plan.pool.size.saturating_sub(self.busy.iter().sum());
        let kept = if plan.assumptions.order == Order::Reserve { plan.classes[class].rule.keep_free } else { 0 };
        [self.busy[class] < cap(seen, class), free > 0, free > kept, self.runnable < plan.pool.runnable_limit]
    }

    /// Whether an item at the head of `class` may begin now.
    fn may_begin(&self, seen: &Seen, class: usize) -> bool {
        self.reasons(seen, class) == [true; 4]
    }

    fn apply(&mut self, line: &LogLine) {
        match line.event {
            Event::Blocks { .. } => self.runnable -= 1,
            Event::Wakes { .. } => self.runnable += 1,
            Event::Finishes { thread } => {
                let class = self.serves.remove(&thread.0).expect("a busy thread finishes");
                self.busy[class] -= 1;
                self.runnable -= 1;
            }
            Event::GiveUp { ticket } if !line.decisions.is_empty() => self.waiting[ticket.class().index()] -= 1,
            _ => {}
        }
        for decision in &line.decisions {
            match *decision {
                Decision::Queued { ticket } => self.waiting[ticket.class().index()] += 1,
                Decision::Start { thread, class, .. } => {
                    self.waiting[class.index()] -= 1;
                    self.busy[class.index()] += 1;
                    self.runnable += 1;
                    self.serves.insert(thread.0, class.index());
                }
                _ => {}
            }
        }
    }
}
