//! The two reference cases about polling, on the engine in virtual time: polls that come evenly, failures that come at
//! random, and an observer that measures from a failure to the poll that sees it.
//!
//! The exact values are those of `poll_detect_T5` and `availability_poll60` in the table of `atqsim verify`. A failure is
//! memoryless, so how long after the last good poll it comes does not depend on how many polls were good: what counts is
//! the first failure after each poll. Not a health monitor: the pool only carries the two streams.

use std::any::Any;

use atqsim::engine::observer::Observer;
use atqsim::engine::{Options, virtual_time};
use atqsim::item::Outcome;
use atqsim::scenario::{Base, Overrides, read};
use atqsim::time::Nanos;
use atqsim::workload::{Item, JourneyEnd};

#[derive(Debug, Default)]
struct Watch {
    /// The first failure since the last poll.
    failed: Option<Nanos>,
    delays_s: Vec<f64>,
}

impl Observer for Watch {
    fn started(&mut self, item: &Item, now: Nanos) {
        // The classes are in the order of the file: polls, failures.
        if item.class.0 == 1 {
            self.failed.get_or_insert(now);
        } else if let Some(failed) = self.failed.take() {
            self.delays_s.push(now.since(failed).as_secs_f64());
        }
    }
    fn arrived(&mut self, _: &Item, _: Nanos) {}
    fn refused(&mut self, _: &Item, _: Nanos) {}
    fn gave_up(&mut self, _: &Item, _: Nanos) {}
    fn finished(&mut self, _: &Item, _: Outcome, _: Nanos) {}
    fn journey_ended(&mut self, _: &JourneyEnd, _: Nanos) {}
    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// From each failure to the poll that sees it, in seconds; one failure in 3,600 s on average, one poll every `interval_s`.
fn detection_delays(interval_s: u64, failures: u64, failing: &str) -> Vec<f64> {
    let duration = failures * 3_600;
    let text = format!(
        "format = 1\ntitle = \"polling\"\nduration = \"{duration}s\"\nseed = 5\n[node]\nprocessors = 2\nthreads = 2\n\
         [class.poll]\nwait = \"0s\"\n[class.failure]\nwait = \"0s\"\n\
         [load.polls]\nservice = \"poll\"\narrivals = \"even\"\nrate = \"{}/h\"\n\
         [load.failures]\nservice = \"failure\"\n{failing}\n",
        3_600 / interval_s
    );
    let (plans, problems) = read("polling.toml", &text, &Base::Builtin, &Overrides::default());
    let plan = plans.unwrap_or_else(|| panic!("{problems:#?}")).remove(0);
    let (_, watch) = virtual_time::observe(&plan, &Options::default(), Some(Box::<Watch>::default())).unwrap();
    watch.unwrap().into_any().downcast::<Watch>().unwrap().delays_s
}

/// Mean, and half of its 95 % interval as a part of it.
fn mean(values: &[f64]) -> (f64, f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let error = (values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (n * (n - 1.0))).sqrt();
    (mean, error, 1.96 * error / mean)
}

const AT_RANDOM: &str = "rate = \"1/h\"";

#[test]
fn polls_every_5_s_see_a_failure_after_2_5006_s_on_average() {
    let delays = detection_delays(5, 14_000, AT_RANDOM);
    let (mean, error, half) = mean(&delays);
    assert!(half < 0.01, "an interval of {half} proves nothing");
    assert!((mean - 2.500_578_704).abs() < 3.9 * error, "{mean} ± {error}");
    assert!(delays.iter().all(|delay| (0.0..=5.0).contains(delay)), "no failure waits for longer than 5 s");
}

#[test]
fn polls_every_60_s_and_restarts_of_30_s_leave_the_service_up_for_98_36_percent() {
    let (mean, error, _) = mean(&detection_delays(60, 14_000, AT_RANDOM));
    let downtime = mean + 30.0;
    assert!(1.96 * error / downtime < 0.01);
    assert!((downtime - 60.083_332_95).abs() < 3.9 * error, "{downtime} ± {error}");
    // Renewal and reward: up time divided by up time and down time, and its error to first order.
    let available = 3_600.0 / (3_600.0 + downtime);
    let error = available * available * error / 3_600.0;
    assert!((available - 0.983_584_162_6).abs() < 3.9 * error, "{available} ± {error}");
}

/// Failures that keep a distance from the last poll are seen sooner, and the test would notice.
#[test]
fn failures_that_are_not_at_random_give_another_mean() {
    let (mean, error, _) = mean(&detection_delays(5, 2_000, "rate = \"1/h\"\narrivals = \"even\""));
    assert!((mean - 2.500_578_704).abs() > 3.9 * error.max(0.01), "{mean} ± {error}");
}
