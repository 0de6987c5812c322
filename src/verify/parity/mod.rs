//! Parity: one plan on real threads, its twin, and virtual time, all with the same draws.
//!
//! Real against twin isolates the engine: the twin is virtual time with every delay that the real run measured, so only
//! what the threads did differently is left. Twin against virtual isolates the host's timers. What the host's noise can
//! move is measured too: the measured delays are dealt out anew to other items, [`DEALS`] times. Not the verdict, which
//! is `judge`, and no layout, which is `table`. Called by `cli` and tests.

pub mod cluster;
pub mod judge;
pub mod table;

use std::sync::Arc;

use crate::engine::recording::{Life, Recorder, Recording};
use crate::engine::twin::{self, Twin};
use crate::engine::{EngineError, Interrupt, Options, RunOutput, threaded, virtual_time};
use crate::metrics::host::{HostNoise, HostVerdict};
use crate::metrics::{ClassSummary, Summary};
use crate::plan::Plan;
use crate::policy::decision_log::Trace;
use crate::time::Nanos;
use judge::{Figures, Noise, Three, Verdict};

/// How many times the measured delays are dealt out anew.
pub const DEALS: u64 = 16;
/// Real time that a scenario may take, all its variants together.
const SCENARIO: Nanos = Nanos::from_secs(75);
/// A mean service that takes at least so long in real time is long against a host's timers.
const SERVICE: Nanos = Nanos::from_millis(50);

/// One service in the three runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Its figures.
    pub figures: Figures,
    /// What of them may be the host's.
    pub noise: Noise,
    /// What follows.
    pub verdict: Verdict,
}

/// How exactly the twin repeats the real run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Items {
    /// Items of the real run that were recorded.
    pub recorded: u64,
    /// Of these, the ones that reached the policy, got their thread and began at the same three moments in the twin.
    pub same: u64,
    /// By how much the begins of the others differ at most.
    pub most: Nanos,
    /// Items beyond the recorder's bound.
    pub dropped: u64,
}

/// Delays of the items of the real run, in wall time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delay {
    /// Mean.
    pub mean: Nanos,
    /// Median.
    pub p50: Nanos,
    /// 99th percentile.
    pub p99: Nanos,
}

/// What the host and the threads cost each item, in wall time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Costs {
    /// From the due time to the policy.
    pub release: Delay,
    /// From the policy's decision until the thread began.
    pub call: Delay,
    /// From the end of the service until the policy had the thread back.
    pub back: Delay,
}

/// One plan, compared.
#[derive(Debug)]
pub struct Compared {
    /// The plan.
    pub plan: Arc<Plan>,
    /// What the host did.
    pub host: HostNoise,
    /// Mean service of the real run, in real time.
    pub mean_service: Nanos,
    /// The services, by class.
    pub services: Vec<Service>,
    /// How exactly the twin repeats the run.
    pub items: Items,
    /// What each item suffered.
    pub costs: Costs,
    /// Laws that one of the runs broke, and threads that the system refused.
    pub troubles: Vec<String>,
}

impl Compared {
    /// Whether the engine is shown to be wrong.
    #[must_use]
    pub fn failed(&self) -> bool {
        !self.troubles.is_empty() || self.services.iter().any(|service| service.verdict.is_failure())
    }

    /// Whether something could not be judged because the host did not hold the speed.
    #[must_use]
    pub fn not_held(&self) -> bool {
        self.services.iter().any(|service| service.verdict == Verdict::NotHeld)
    }
}

/// The speed at which a scenario is compared, for all its variants: slow enough that a mean service takes 50 ms of
/// real time, but as fast as the scenario must be to take no longer than 75 s, and never faster than it says.
#[must_use]
pub fn speed(plans: &[Plan]) -> f64 {
    let Some(first) = plans.first() else { return 1.0 };
    let offered = first.offered(Nanos::ZERO);
    let (threads, items) =
        offered.iter().fold((0.0, 0.0), |(threads, items), o| (threads + o.threads(), items + o.per_second));
    let long_services = if items > 0.0 { threads / items / SERVICE.as_secs_f64() } else { f64::INFINITY };
    let in_time = plans.iter().map(|plan| plan.duration.as_secs_f64()).sum::<f64>() / SCENARIO.as_secs_f64();
    // A whole tenth, so that it can be said and typed.
    (first.speed.min(long_services.max(in_time)) * 10.0).ceil() / 10.0
}

/// Real time that the plans take on real threads.
#[must_use]
pub fn wall(plans: &[Plan]) -> Nanos {
    plans.iter().map(|plan| plan.duration.scale(1.0 / plan.speed)).fold(Nanos::ZERO, |sum, span| sum + span)
}

/// Runs a plan three times and compares. `None`: interrupted.
///
/// # Errors
/// [`EngineError`] of any of the runs.
pub fn compare(
    plan: &Arc<Plan>,
    interrupt: &Interrupt,
    progress: &(dyn Fn(Nanos) + Sync),
) -> Result<Option<Compared>, EngineError> {
    let quiet = || Options { interrupt: interrupt.clone(), ..Options::default() };
    let in_virtual_time = virtual_time::run(plan, &quiet())?;
    let (real, recording) = recorded(plan, &Options { progress: Some(progress), ..quiet() }, threaded::run)?;
    let (twin, again) = recorded(plan, &quiet(), |plan, options| twin::run(plan, &recording, options))?;
    let mut dealt = Vec::new();
    for seed in 0..DEALS {
        dealt.push(twin::deal(plan, &twin.suffered, seed, &quiet())?.output.summary);
    }
    if interrupt.is_set() {
        return Ok(None);
    }
    Ok(Some(compared(plan, &real, &twin, &in_virtual_time, &dealt, (&recording, &again))))
}

/// Runs with a recorder.
fn recorded<T>(
    plan: &Arc<Plan>,
    options: &Options<'_>,
    run: impl FnOnce(&Arc<Plan>, &Options<'_>) -> Result<T, EngineError>,
) -> Result<(T, Recording), EngineError> {
    let recorder = Arc::new(Recorder::default());
    let options = Options {
        interrupt: options.interrupt.clone(),
        progress: options.progress,
        trace: Some(Arc::clone(&recorder) as Arc<dyn Trace>),
        recorder: Some(Arc::clone(&recorder)),
        ..Options::default()
    };
    let result = run(plan, &options)?;
    Ok((result, recorder.take(plan.duration)))
}

fn compared(
    plan: &Arc<Plan>,
    real: &RunOutput,
    twin: &Twin,
    in_virtual_time: &RunOutput,
    dealt: &[Summary],
    (recording, again): (&Recording, &Recording),
) -> Compared {
    let host = real.host.clone().unwrap_or_default();
    let held = host.verdict(plan.starvation_after).0;
    let items = repeated(recording, again);
    let services = (0..plan.classes.len()).map(|at| {
        let of = |summary: &Summary| Three::of(&summary.classes[at]);
        let figures = Figures {
            real: of(&real.summary),
            twin: of(&twin.output.summary),
            in_virtual_time: of(&in_virtual_time.summary),
            arrivals: in_virtual_time.summary.classes[at].arrivals,
        };
        let dealt: Vec<Three> = dealt.iter().map(of).collect();
        let noise = Noise::of(&dealt, &figures.in_virtual_time);
        let verdict = judge::judge(&figures, &noise, held, items.dropped == 0);
        Service { name: plan.classes[at].name.clone(), figures, noise, verdict }
    });
    let services = services.collect();
    let costs = costs(recording, plan.speed);
    let mut troubles = troubles(real, &twin.output, in_virtual_time);
    if held != HostVerdict::Unusable && judge::slow_hand_over((costs.call.p50, costs.back.p50), host.hiccup.p50) {
        let (call, back) = (costs.call.p50, costs.back.p50);
        troubles.push(format!("threads are called in {call} and given back in {back} (medians): that is not the host"));
    }
    Compared {
        mean_service: mean_service(&real.summary.classes).scale(1.0 / plan.speed),
        services,
        items,
        costs,
        troubles,
        plan: Arc::clone(plan),
        host,
    }
}

/// Mean service over all classes, in emulated time.
fn mean_service(classes: &[ClassSummary]) -> Nanos {
    let count: u64 = classes.iter().map(|class| class.service.count).sum();
    let sum: f64 = classes.iter().map(|class| class.service.mean_us * class.service.count as f64).sum();
    Nanos::from_f64(sum * 1e3 / count.max(1) as f64)
}

fn troubles(real: &RunOutput, twin: &RunOutput, in_virtual_time: &RunOutput) -> Vec<String> {
    let mut troubles = Vec::new();
    for (run, name) in [(real, "real threads"), (twin, "the twin"), (in_virtual_time, "virtual time")] {
        troubles.extend(run.summary.violations.iter().map(|law| format!("a law is broken ({name}): {law}")));
    }
    if real.threads_refused > 0 {
        let refused = real.threads_refused;
        troubles.push(format!("the system refused {refused} thread(s), so it is another pool; raise ulimit -u"));
    }
    troubles
}

/// How many items of a run a second one repeats.
#[must_use]
pub fn repeated(recording: &Recording, again: &Recording) -> Items {
    let mut items = Items { dropped: recording.dropped, ..Items::default() };
    for (address, life) in &recording.lives {
        items.recorded += 1;
        let Some(twin) = again.lives.get(address) else { continue };
        if (twin.submitted, twin.decided, twin.started) == (life.submitted, life.decided, life.started) {
            items.same += 1;
        } else if let (Some(a), Some(b)) = (life.started, twin.started) {
            items.most = items.most.max(Nanos(a.0.abs_diff(b.0)));
        }
    }
    items
}

fn costs(recording: &Recording, speed: f64) -> Costs {
    let delay = |of: &dyn Fn(&Life) -> Option<Nanos>| {
        let mut spans: Vec<u64> = recording.lives.values().filter_map(of).map(|span| span.0).collect();
        if spans.is_empty() {
            return Delay::default();
        }
        spans.sort_unstable();
        let wall = |emulated: f64| Nanos::from_f64(emulated / speed);
        let sum: u128 = spans.iter().map(|span| u128::from(*span)).sum();
        let at = |percent: usize| wall(spans[(spans.len() - 1) * percent / 100] as f64);
        Delay { mean: wall(sum as f64 / spans.len() as f64), p50: at(50), p99: at(99) }
    };
    let between = |from: Option<Nanos>, to: Option<Nanos>| from.zip(to).map(|(from, to)| to.since(from));
    Costs {
        release: delay(&|life| Some(life.submitted.since(life.due))),
        call: delay(&|life| between(life.decided, life.started)),
        back: delay(&|life| between(life.finished, life.returned)),
    }
}
