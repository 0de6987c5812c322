//! From the values of independent replications to a verdict: mean, standard error, interval, z.
//!
//! Pure arithmetic. Not the runs (`replicate`). Called by `verify`.

use super::figures::Wanted;

/// A figure may be this many standard errors from what is expected.
pub const ERRORS_MOST: f64 = 3.9;
/// From so many servers up a half-width of 2 % is enough, because a run there needs many more items.
const MANY_SERVERS: u32 = 40;

/// What came of one figure.
#[derive(Clone, Debug)]
pub struct Judged {
    /// What was expected.
    pub wanted: Wanted,
    /// The mean over the replications.
    pub simulated: f64,
    /// Half of the 95 % interval's width.
    pub half_width: f64,
    /// Standard errors between simulated and expected; infinite where an exact figure is missed.
    pub z: f64,
    /// The half-width that is allowed.
    pub allowed: Option<f64>,
    /// What follows.
    pub verdict: Verdict,
}

/// Whether a figure is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Within the bounds.
    Ok,
    /// Too far from what is expected.
    Off,
    /// The interval is too wide to say.
    Wide,
}

impl Verdict {
    /// The word in the output.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Off => "OFF",
            Verdict::Wide => "WIDE",
        }
    }
}

/// Mean and standard error of independent values.
#[must_use]
pub fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|x| (x - mean) * (x - mean)).sum();
    (mean, (squares / (n - 1.0) / n).sqrt())
}

/// The 97.5 % quantile of Student's t with this many degrees of freedom, at least 9 (Fisher's expansion, good to 1e-3).
#[must_use]
pub fn student(freedom: f64) -> f64 {
    let z = 1.959_963_985_f64;
    let (z3, z5, z7) = (z.powi(3), z.powi(5), z.powi(7));
    z + (z3 + z) / (4.0 * freedom)
        + (5.0 * z5 + 16.0 * z3 + 3.0 * z) / (96.0 * freedom.powi(2))
        + (3.0 * z7 + 19.0 * z5 + 17.0 * z3 - 15.0 * z) / (384.0 * freedom.powi(3))
}

/// The half-width that is allowed for a figure, as a part of what is expected: means have one, tails do not.
#[must_use]
pub fn allowed(wanted: &Wanted, servers: u32) -> Option<f64> {
    let figure = wanted.expected.figure.as_str();
    let is_mean = figure.starts_with("mean_") || figure == "utilization" || figure == "throughput";
    let part = if servers >= MANY_SERVERS { 0.02 } else { 0.01 };
    (is_mean && wanted.expected.value != 0.0).then_some(part)
}

/// Judges one figure. `values` are its estimates, one a replication; `beside` the mean tails beside a quantile;
/// `bound` the error of the expected figure itself; `items` how many items stand behind all values together.
#[must_use]
pub fn judge(
    wanted: &Wanted,
    values: &[f64],
    beside: Option<(f64, f64)>,
    servers: u32,
    bound: f64,
    items: f64,
) -> Judged {
    let known: Vec<f64> = values.iter().copied().filter(|x| x.is_finite()).collect();
    let allowed = allowed(wanted, servers);
    let target = wanted.target_value();
    let judged = |simulated, half_width, z, verdict| Judged {
        wanted: wanted.clone(),
        simulated,
        half_width,
        z,
        allowed,
        verdict,
    };
    if known.len() < 2 {
        return judged(f64::NAN, f64::INFINITY, f64::INFINITY, Verdict::Wide);
    }
    let (mean, spread) = mean_and_error(&known);
    if wanted.is_quantile() && wanted.expected.value == 0.0 {
        // The quantile is zero exactly where no more than 1 - q of the items wait.
        let verdict = if mean <= target + ERRORS_MOST * spread { Verdict::Ok } else { Verdict::Off };
        return judged(0.0, 0.0, 0.0, verdict);
    }
    let error = spread.max(rare_error(wanted, target, mean, items));
    let off = (mean - target).abs();
    let exact = error == 0.0;
    let beyond = (off - bound - if exact { target.abs() * 1e-9 } else { 0.0 }).max(0.0);
    let z = match (exact, beyond > 0.0) {
        (true, true) => f64::INFINITY,
        (true, false) => 0.0,
        (false, _) => (mean - target) / error,
    };
    let half = student(known.len() as f64 - 1.0) * error;
    let verdict = if beyond > ERRORS_MOST * error {
        Verdict::Off
    } else if allowed.is_some_and(|allowed| half > allowed * target.abs()) {
        Verdict::Wide
    } else {
        Verdict::Ok
    };
    match beside {
        Some(beside) => {
            let (quantile, change) = wanted.quantile(mean, beside);
            judged(quantile, half * change, z, verdict)
        }
        None => judged(mean, half, z, verdict),
    }
}

/// The least standard error of a rare tail, which a few hits estimate badly: that of independent items.
fn rare_error(wanted: &Wanted, target: f64, mean: f64, items: f64) -> f64 {
    const FEW: f64 = 50.0;
    let is_tail = wanted.is_quantile() || wanted.expected.figure == "p_wait_gt";
    if is_tail && target > 0.0 && mean * items < FEW { (target * (1.0 - target) / items.max(1.0)).sqrt() } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn students_quantile_is_that_of_the_tables() {
        for (freedom, expected) in [(9.0, 2.2622), (29.0, 2.0452), (63.0, 1.9983), (1e6, 1.95996)] {
            assert!((student(freedom) - expected).abs() < 2e-3, "{freedom}: {}", student(freedom));
        }
    }

    #[test]
    fn mean_and_error_are_those_of_the_sample() {
        let (mean, error) = mean_and_error(&[1.0, 2.0, 3.0, 4.0]);
        assert!((mean - 2.5).abs() < 1e-12);
        assert!((error - (5.0_f64 / 3.0 / 4.0).sqrt()).abs() < 1e-12);
    }
}
