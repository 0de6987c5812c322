//! The rules by which two engines agree on one service. Pure arithmetic.
//!
//! * Where the host was *unusable*, nothing is judged: it could not hold the speed.
//! * The **twin** must show the real run's mean wait within [`TWIN`] and its starved share within half a point, for
//!   every service: it has the same times, so chance is no excuse.
//! * A service is **overloaded** where any of the three runs shows it starved for more than [`OVERLOADED`] % of the time.
//!   A full queue makes microseconds decide who goes first, so its waits are not compared: its starved share is, within
//!   [`POINTS`] percentage points or three times the noise, whichever is larger; more than [`POINTS_TELL`] tell nothing.
//!   Further apart is said, and is no failure: the twin shows that the delays alone did it, and luck among full queues
//!   has longer tails than a few runs can show.
//! * Every other service is **stable**: its mean wait on real threads and in virtual time must agree within [`MEAN`] or
//!   three times the noise, whichever is larger. Where what is allowed is more than [`TELLS`] of the wait itself, the
//!   wait is too short to tell anything on this host, and that is said; fewer than [`FEW`] items tell nothing either.
//! * The **hand-over** must not hide behind noise that it makes itself: half of the items are called and given back
//!   within twice the time in which half of the host's timers wake, or within [`HAND_OVER`] if that is longer.
//!
//! **Noise** is measured: the delays of the real run are dealt out anew to other items many times; the noise of a figure
//! is how far these runs are from virtual time, as the root of the mean square. Not the runs (`super`). Called by `super`
//! and tests.

use crate::metrics::ClassSummary;
use crate::metrics::host::HostVerdict;
use crate::time::Nanos;

/// Allowed between a real run and its twin, as a share of the mean wait.
pub const TWIN: f64 = 0.005;
/// Allowed between real threads and virtual time, as a share of the mean wait, where the noise is small.
pub const MEAN: f64 = 0.02;
/// Allowed between the starved shares of an overloaded service, in percentage points, where the noise is small.
pub const POINTS: f64 = 2.0;
/// A service that starves for more than this, in percent of the run, is overloaded.
pub const OVERLOADED: f64 = 5.0;
/// A wait tells something where what is allowed is at most this share of it.
pub const TELLS: f64 = 0.25;
/// A hand-over that takes no longer than this in real time is never slow.
pub const HAND_OVER: Nanos = Nanos::from_micros(200);
/// A starved share tells something where at most so many points are allowed.
pub const POINTS_TELL: f64 = 25.0;
/// The waits of fewer items than this are luck.
pub const FEW: u64 = 30;
/// How many times the noise is allowed.
const TIMES: f64 = 3.0;
/// Differences below a microsecond, and shares below half a point, are none.
const ROUNDING_US: f64 = 1.0;
const TWIN_POINTS: f64 = 0.5;

/// The compared figures of a service in one run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Three {
    /// Mean wait, in microseconds.
    pub wait_mean_us: f64,
    /// 99th percentile of the waits, in microseconds.
    pub wait_p99_us: f64,
    /// Starved share of the run, in percent.
    pub starved_percent: f64,
}

/// The same service in the three runs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// On real threads.
    pub real: Three,
    /// In virtual time with the real run's delays.
    pub twin: Three,
    /// In virtual time.
    pub in_virtual_time: Three,
    /// Items that came in virtual time.
    pub arrivals: u64,
}

/// What the host's noise can move.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Noise {
    /// Of the mean wait, in microseconds.
    pub wait_mean_us: f64,
    /// Of the starved share, in percentage points.
    pub starved_percent: f64,
}

/// What follows for one service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Stable, and the mean waits agree.
    Agrees,
    /// Stable, and the wait is too short to tell on this host; what can be told agrees.
    TooShort,
    /// Stable, and so few items that nothing can be told.
    TooFew,
    /// Overloaded, and the starved shares agree.
    StarvedAlike,
    /// Overloaded, and the noise moves the starved share so far that nothing can be told.
    TooNoisy,
    /// Stable, and the mean waits differ.
    WaitsDiffer,
    /// Overloaded, and the starved shares differ, by the delays alone: the twin has the real run's share.
    StarvedDiffers,
    /// The real run differs from its twin: an error of the engine, not of the host.
    TwinDiffers,
    /// The host could not hold the speed, or the run was longer than what is recorded.
    NotHeld,
}

impl Verdict {
    /// The words in the output.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Verdict::Agrees => "agrees",
            Verdict::TooShort => "too short to tell",
            Verdict::TooFew => "too few to tell",
            Verdict::StarvedAlike => "overloaded: starves alike",
            Verdict::TooNoisy => "overloaded: too noisy to tell",
            Verdict::WaitsDiffer => "WAITS DIFFER",
            Verdict::StarvedDiffers => "overloaded: starves differently, like its twin",
            Verdict::TwinDiffers => "TWIN DIFFERS",
            Verdict::NotHeld => "not judged",
        }
    }

    /// Whether it shows that something is wrong.
    #[must_use]
    pub fn is_failure(self) -> bool {
        matches!(self, Verdict::WaitsDiffer | Verdict::TwinDiffers)
    }
}

impl Three {
    /// The compared figures of a class.
    #[must_use]
    pub fn of(class: &ClassSummary) -> Three {
        Three {
            wait_mean_us: class.wait.mean_us,
            wait_p99_us: class.wait.p99.0 as f64 / 1e3,
            starved_percent: class.starved_percent,
        }
    }
}

impl Figures {
    /// Whether the service is overloaded in any of the runs.
    #[must_use]
    pub fn overloaded(&self) -> bool {
        [self.real, self.twin, self.in_virtual_time].iter().any(|run| run.starved_percent > OVERLOADED)
    }
}

impl Noise {
    /// The noise that `dealt` runs show.
    #[must_use]
    pub fn of(dealt: &[Three], in_virtual_time: &Three) -> Noise {
        let moved = |of: fn(&Three) -> f64| {
            let squares: f64 = dealt.iter().map(|run| (of(run) - of(in_virtual_time)).powi(2)).sum();
            (squares / dealt.len().max(1) as f64).sqrt()
        };
        Noise { wait_mean_us: moved(|run| run.wait_mean_us), starved_percent: moved(|run| run.starved_percent) }
    }

    /// How far the mean wait of a stable service may be from virtual time's, in microseconds.
    #[must_use]
    pub fn allowed_us(&self, in_virtual_time_us: f64) -> f64 {
        (MEAN * in_virtual_time_us).max(TIMES * self.wait_mean_us)
    }

    /// How far the starved share of an overloaded service may be from virtual time's, in percentage points.
    #[must_use]
    pub fn allowed_points(&self) -> f64 {
        POINTS.max(TIMES * self.starved_percent)
    }
}

/// The verdict on one service. `recorded`: every item of the real run is in the recording.
#[must_use]
pub fn judge(figures: &Figures, noise: &Noise, held: HostVerdict, recorded: bool) -> Verdict {
    let Figures { real, twin, in_virtual_time, arrivals } = figures;
    if held == HostVerdict::Unusable || !recorded {
        return Verdict::NotHeld;
    }
    let twin_us = (real.wait_mean_us - twin.wait_mean_us).abs();
    let twin_points = (real.starved_percent - twin.starved_percent).abs();
    if twin_us > (TWIN * real.wait_mean_us).max(ROUNDING_US) || twin_points > TWIN_POINTS {
        return Verdict::TwinDiffers;
    }
    if figures.overloaded() {
        let points = (real.starved_percent - in_virtual_time.starved_percent).abs();
        let allowed = noise.allowed_points();
        return match points <= allowed {
            true if allowed <= POINTS_TELL => Verdict::StarvedAlike,
            true => Verdict::TooNoisy,
            false => Verdict::StarvedDiffers,
        };
    }
    if *arrivals < FEW {
        return Verdict::TooFew;
    }
    let allowed = noise.allowed_us(in_virtual_time.wait_mean_us);
    if (real.wait_mean_us - in_virtual_time.wait_mean_us).abs() > allowed {
        Verdict::WaitsDiffer
    } else if allowed > TELLS * real.wait_mean_us.max(in_virtual_time.wait_mean_us) {
        Verdict::TooShort
    } else {
        Verdict::Agrees
    }
}

/// Whether threads are called and given back too slowly to be excused by the host: `medians` of the two, and the median
/// by which the host's timers are late, all in real time.
#[must_use]
pub fn slow_hand_over(medians: (Nanos, Nanos), timer: Nanos) -> bool {
    medians.0 + medians.1 > HAND_OVER.max(timer * 2)
}
