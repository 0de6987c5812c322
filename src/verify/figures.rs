//! How each expected figure is estimated from one replication.
//!
//! Not how replications are put together (`judge`). Every estimator is a ratio of sums over the recorded span. Called by
//! `verify`.

use super::case::Expected;
use super::recorder::{ClassRecord, Recorder, Waits, Watch};
use super::translate::{ClassFacts, Scenario};
use crate::time::Nanos;

/// How far beside a quantile the tail is counted as well: it gives the slope there.
const BESIDE: f64 = 0.03;

/// An expected figure and where to look for it.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// What is expected.
    pub expected: Expected,
    target: Target,
    quantity: Quantity,
}

#[derive(Clone, Copy, Debug)]
enum Target {
    Class(usize),
    Pool,
    Network,
}

#[derive(Clone, Copy, Debug)]
enum Quantity {
    OfClass(OfClass),
    OfAll(OfAll),
    IdleWhileWaiting(usize),
    /// Part of the started items that waited longer.
    Tail(Nanos),
    WaitOfJob(usize),
    WaitedOfJob(usize),
    WaitOfFirst(usize),
}

type OfClass = fn(&ClassRecord, &ClassFacts, f64) -> f64;
type OfAll = fn(&Recorder, f64, f64) -> f64;

fn seconds(ns: u128) -> f64 {
    ns as f64 / 1e9
}

fn mean(waits: &Waits) -> f64 {
    seconds(waits.sum_ns) / waits.count as f64
}

fn both(class: &ClassRecord) -> f64 {
    (class.started.count + class.gave_up.count) as f64
}

/// Figures of a class: of its record, its facts and the recorded span in seconds.
const OF_CLASS: &[(&str, OfClass)] = &[
    ("mean_wait", |c, _, _| mean(&c.started)),
    ("mean_wait_served", |c, _, _| mean(&c.started)),
    ("mean_wait_all_arrivals", |c, _, _| seconds(c.started.sum_ns + c.gave_up.sum_ns) / both(c)),
    ("mean_wait_given_wait", |c, _, _| seconds(c.started.sum_ns) / c.started.positive as f64),
    ("p_wait_gt_0", |c, _, _| c.started.positive as f64 / c.started.count as f64),
    ("p_wait_gt_0_served", |c, _, _| c.started.positive as f64 / c.started.count as f64),
    ("p_wait_gt_0_all_arrivals", |c, _, _| (c.started.positive + c.gave_up.positive) as f64 / both(c)),
    ("var_wait", |c, _, _| c.started.squares / c.started.count as f64 - mean(&c.started).powi(2)),
    ("p_abandon", |c, _, _| c.gave_up.count as f64 / both(c)),
    ("p_blocked", |c, _, _| c.refused as f64 / (c.refused + c.admitted) as f64),
    ("mean_sojourn", |c, _, _| seconds(c.sojourn_ns) / c.served as f64),
    ("throughput", |c, _, span| c.served as f64 / span),
    ("mean_queue_len", |c, _, span| seconds(c.waiting_ns) / span),
    ("mean_busy", |c, _, span| seconds(c.busy_ns) / span),
    ("mean_in_system", |c, _, span| seconds(c.waiting_ns + c.busy_ns) / span),
    ("utilization", |c, facts, span| seconds(c.busy_ns) / span / f64::from(facts.cap)),
    ("var_busy", |c, _, span| seconds(c.busy_squared_ns) / span - (seconds(c.busy_ns) / span).powi(2)),
];

fn total(record: &Recorder, of: fn(&ClassRecord) -> u128) -> f64 {
    seconds(record.classes.iter().map(of).sum())
}

/// Figures of the pool: of the record, the threads and the recorded span in seconds.
const OF_POOL: &[(&str, OfAll)] = &[
    ("mean_busy", |r, _, span| total(r, |c| c.busy_ns) / span),
    ("utilization", |r, servers, span| total(r, |c| c.busy_ns) / span / servers),
    ("mean_queue_len", |r, _, span| total(r, |c| c.waiting_ns) / span),
    ("mean_in_system", |r, _, span| total(r, |c| c.waiting_ns + c.busy_ns) / span),
    ("p_all_busy", |r, _, span| seconds(r.all_busy_ns) / span),
    ("throughput", |r, _, span| r.classes.iter().map(|c| c.served).sum::<u64>() as f64 / span),
];

/// Figures of whole journeys.
const OF_NETWORK: &[(&str, OfAll)] = &[
    ("mean_sojourn", |r, _, _| seconds(r.journeys.1) / r.journeys.0 as f64),
    ("throughput", |r, _, span| r.journeys.0 as f64 / span),
    ("mean_in_system", |r, _, span| total(r, |c| c.waiting_ns + c.busy_ns) / span),
    ("mean_busy", |r, _, span| total(r, |c| c.busy_ns) / span),
];

/// Where to look for an expected figure.
///
/// # Errors
/// Why it cannot be estimated.
pub fn wanted(expected: &Expected, scenario: &Scenario) -> Result<Wanted, String> {
    let named = |name: &str| scenario.classes.iter().position(|class| class.name == name);
    let target = match (named(&expected.group), expected.group.as_str()) {
        (Some(class), _) => Target::Class(class),
        (None, "pool") => Target::Pool,
        (None, "network") => Target::Network,
        (None, other) => return Err(format!("there is no class `{other}`")),
    };
    let figure = expected.figure.as_str();
    let unknown = || format!("the figure `{}.{figure}` is not known", expected.group);
    let n = || expected.at.filter(|n| *n >= 1.0).map(|n| n as usize).ok_or_else(unknown);
    let by_name = |table: &[(&str, OfAll)]| {
        table.iter().find(|(known, _)| *known == figure).map(|(_, of)| Quantity::OfAll(*of)).ok_or_else(unknown)
    };
    let quantity = match (target, figure) {
        (Target::Class(_), "p_wait_gt") => Quantity::Tail(nanos(expected.at.ok_or_else(unknown)?)),
        (Target::Class(_), "wait_quantiles") => Quantity::Tail(nanos(expected.value)),
        (Target::Class(_), "mean_wait_of_job") => Quantity::WaitOfJob(n()?),
        (Target::Class(_), "p_wait_gt_0_of_job") => Quantity::WaitedOfJob(n()?),
        (Target::Class(_), "mean_wait_of_first_n") => Quantity::WaitOfFirst(n()?),
        (Target::Class(_), _) => {
            let of = OF_CLASS.iter().find(|(known, _)| *known == figure).ok_or_else(unknown)?;
            Quantity::OfClass(of.1)
        }
        (Target::Pool, _) => match figure.strip_prefix("p_idle_while_").and_then(|rest| rest.strip_suffix("_waits")) {
            Some(name) => Quantity::IdleWhileWaiting(named(name).ok_or_else(unknown)?),
            None => by_name(OF_POOL)?,
        },
        (Target::Network, _) => by_name(OF_NETWORK)?,
    };
    Ok(Wanted { expected: expected.clone(), target, quantity })
}

/// What has to be remembered for these figures.
#[must_use]
pub fn watch(all: &[&Wanted], scenario: &Scenario) -> Watch {
    let mut watch = Watch { servers: scenario.servers, ..Watch::default() };
    watch.thresholds = vec![Vec::new(); scenario.classes.len()];
    for wanted in all {
        if let (Target::Class(class), Quantity::Tail(at)) = (wanted.target, wanted.quantity) {
            watch.thresholds[class].extend([at, at.scale(1.0 - BESIDE), at.scale(1.0 + BESIDE)]);
        }
        watch.first = watch.first.max(wanted.first().unwrap_or(0));
    }
    for thresholds in &mut watch.thresholds {
        thresholds.sort_unstable();
        thresholds.dedup();
    }
    watch
}

impl Wanted {
    /// The last item, counted from 1, that a figure of a start from empty needs.
    #[must_use]
    pub fn first(&self) -> Option<usize> {
        match self.quantity {
            Quantity::WaitOfJob(n) | Quantity::WaitedOfJob(n) | Quantity::WaitOfFirst(n) => Some(n),
            _ => None,
        }
    }

    /// Whether it is a quantile, which is judged by the tail behind it.
    #[must_use]
    pub fn is_quantile(&self) -> bool {
        self.expected.figure == "wait_quantiles"
    }

    /// What the estimator should give: for a quantile, the tail behind it.
    #[must_use]
    pub fn target_value(&self) -> f64 {
        if self.is_quantile() { 1.0 - self.expected.at.unwrap_or(0.0) } else { self.expected.value }
    }

    /// The estimate of one replication; not a number where it has nothing to say.
    #[must_use]
    pub fn value(&self, record: &Recorder, watch: &Watch, scenario: &Scenario) -> f64 {
        let span = record.span.as_secs_f64();
        let Target::Class(class) = self.target else {
            return match self.quantity {
                Quantity::OfAll(of) => of(record, f64::from(scenario.servers), span),
                Quantity::IdleWhileWaiting(class) => seconds(record.classes[class].idle_while_waiting_ns) / span,
                _ => f64::NAN,
            };
        };
        let wait = |n: usize| record.first_waits.get(n - 1).copied().flatten();
        match self.quantity {
            Quantity::OfClass(of) => of(&record.classes[class], &scenario.classes[class], span),
            Quantity::Tail(at) => tail(record, watch, class, at),
            Quantity::WaitOfJob(n) => wait(n).map_or(f64::NAN, Nanos::as_secs_f64),
            Quantity::WaitedOfJob(n) => wait(n).map_or(f64::NAN, |wait| f64::from(u8::from(wait > Nanos::ZERO))),
            Quantity::WaitOfFirst(n) => {
                let waits = record.first_waits.iter().take(n).map(|wait| wait.map_or(f64::NAN, Nanos::as_secs_f64));
                waits.sum::<f64>() / n as f64
            }
            Quantity::OfAll(_) | Quantity::IdleWhileWaiting(_) => f64::NAN,
        }
    }

    /// The tails a little below and above a quantile.
    #[must_use]
    pub fn beside(&self, record: &Recorder, watch: &Watch) -> Option<(f64, f64)> {
        let (Target::Class(class), Quantity::Tail(at), true) = (self.target, self.quantity, self.is_quantile()) else {
            return None;
        };
        let tail = |factor| tail(record, watch, class, at.scale(factor));
        Some((tail(1.0 - BESIDE), tail(1.0 + BESIDE)))
    }

    /// The quantile that belongs to a tail behind the expected one, by the slope of the tails beside it; and the change
    /// of the quantile with the tail.
    #[must_use]
    pub fn quantile(&self, tail: f64, (below, above): (f64, f64)) -> (f64, f64) {
        let at = self.expected.value;
        let slope = (below / above).ln() / (2.0 * BESIDE * at);
        if at == 0.0 || !slope.is_finite() || slope <= 0.0 || tail <= 0.0 {
            return (at, 0.0);
        }
        (at + (tail / self.target_value()).ln() / slope, 1.0 / (tail * slope))
    }
}

fn tail(record: &Recorder, watch: &Watch, class: usize, at: Nanos) -> f64 {
    let Ok(index) = watch.thresholds[class].binary_search(&at) else { return f64::NAN };
    let class = &record.classes[class];
    class.longer_than(index) as f64 / class.started.count as f64
}

fn nanos(seconds: f64) -> Nanos {
    Nanos::from_f64(seconds * 1e9)
}
