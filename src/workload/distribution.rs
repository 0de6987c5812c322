//! Distributions of times: how long a service, a think time or a gap is.
//!
//! Not a source of randomness: every draw takes a [`Stream`]. Logarithms and exponentials come from `libm`, so that
//! the same seed gives the same nanoseconds on every machine. Called by the rest of `workload`, built by `scenario`.

use std::sync::Arc;

use super::response::Response;
use crate::rng::Stream;
use crate::time::Nanos;

/// A distribution of times. All parameters are in emulated time; the constructors of `scenario` check their ranges.
#[derive(Clone, Debug, PartialEq)]
pub enum Distribution {
    /// Always the same.
    Constant(Nanos),
    /// Exponential.
    Exponential {
        /// Its mean.
        mean: Nanos,
    },
    /// Lognormal.
    Lognormal {
        /// Its mean (not that of the logarithm).
        mean: Nanos,
        /// Standard deviation divided by mean; above 0.
        cv: f64,
    },
    /// Uniform between two times.
    Uniform {
        /// The least.
        low: Nanos,
        /// The most; at least `low`.
        high: Nanos,
    },
    /// Pareto with a bound: heavy-tailed between `low` and `high`.
    Pareto {
        /// The tail's exponent; above 0. Smaller is heavier.
        shape: f64,
        /// The least.
        low: Nanos,
        /// The most; above `low`.
        high: Nanos,
    },
    /// One of two exponentials.
    Hyperexponential {
        /// Probability of the first; in [0, 1].
        p1: f64,
        /// Mean of the first.
        mean1: Nanos,
        /// Mean of the second.
        mean2: Nanos,
    },
    /// The sum of `stages` exponentials with this mean in all.
    Erlang {
        /// How many; at least 1.
        stages: u32,
        /// Mean of the sum.
        mean: Nanos,
    },
    /// One of these values, each as likely as the others.
    Empirical(Arc<[Nanos]>),
    /// The time for which a response of random size holds its thread.
    Response(Response),
}

impl Distribution {
    /// One draw.
    #[must_use]
    #[inline(always)]
    pub fn draw(&self, stream: &mut Stream) -> Nanos {
        match self {
            Distribution::Exponential { mean } => mean.scale(exponential(stream)),
            other => other.draw_other(stream),
        }
    }

    fn draw_other(&self, stream: &mut Stream) -> Nanos {
        match self {
            Distribution::Constant(value) => *value,
            Distribution::Exponential { mean } => mean.scale(exponential(stream)),
            Distribution::Lognormal { mean, cv } => {
                // mean = exp(mu + s2/2), cv^2 = exp(s2) - 1, hence value = mean * exp(s z - s2/2).
                let s2 = libm::log1p(cv * cv);
                mean.scale(libm::exp(s2.sqrt() * normal(stream) - s2 / 2.0))
            }
            Distribution::Uniform { low, high } => *low + high.since(*low).scale(stream.unit()),
            Distribution::Pareto { shape, low, high } => {
                // Inverse of F(x) = (1 - (low/x)^a) / (1 - (low/high)^a).
                let kept = 1.0 - libm::pow(low.0 as f64 / high.0 as f64, *shape);
                let value = low.scale(libm::pow(1.0 - stream.unit() * kept, -1.0 / shape));
                value.clamp(*low, *high)
            }
            Distribution::Hyperexponential { p1, mean1, mean2 } => {
                let mean = if stream.unit() < *p1 { mean1 } else { mean2 };
                mean.scale(exponential(stream))
            }
            Distribution::Erlang { stages, mean } => {
                let sum: f64 = (0..*stages).map(|_| exponential(stream)).sum();
                mean.scale(sum / f64::from(*stages))
            }
            Distribution::Empirical(values) => {
                let at = (stream.unit() * values.len() as f64) as usize;
                values[at.min(values.len() - 1)]
            }
            Distribution::Response(response) => response.draw(stream),
        }
    }

    /// The same shape, with all times `factor` times as long; `factor` is above 0.
    ///
    /// # Panics
    /// For responses: a gap or a pause is none.
    #[must_use]
    pub fn times(&self, factor: f64) -> Distribution {
        let long = |time: &Nanos| time.scale(factor);
        match self {
            Distribution::Constant(value) => Distribution::Constant(long(value)),
            Distribution::Exponential { mean } => Distribution::Exponential { mean: long(mean) },
            Distribution::Lognormal { mean, cv } => Distribution::Lognormal { mean: long(mean), cv: *cv },
            Distribution::Uniform { low, high } => Distribution::Uniform { low: long(low), high: long(high) },
            Distribution::Pareto { shape, low, high } => {
                // Both ends are above 0 and apart, however short the times become.
                let low = long(low).max(Nanos(1));
                Distribution::Pareto { shape: *shape, low, high: long(high).max(low + Nanos(1)) }
            }
            Distribution::Hyperexponential { p1, mean1, mean2 } => {
                Distribution::Hyperexponential { p1: *p1, mean1: long(mean1), mean2: long(mean2) }
            }
            Distribution::Erlang { stages, mean } => Distribution::Erlang { stages: *stages, mean: long(mean) },
            Distribution::Empirical(values) => Distribution::Empirical(values.iter().map(long).collect()),
            Distribution::Response(_) => panic!("a response takes the time that it takes"),
        }
    }

    /// The mean, in nanoseconds.
    #[must_use]
    pub fn mean_ns(&self) -> f64 {
        match self {
            Distribution::Constant(value) => value.0 as f64,
            Distribution::Exponential { mean }
            | Distribution::Lognormal { mean, .. }
            | Distribution::Erlang { mean, .. } => mean.0 as f64,
            Distribution::Uniform { low, high } => (low.0 as f64 + high.0 as f64) / 2.0,
            Distribution::Pareto { shape, low, high } => pareto_mean(*shape, low.0 as f64, high.0 as f64),
            Distribution::Hyperexponential { p1, mean1, mean2 } => p1 * mean1.0 as f64 + (1.0 - p1) * mean2.0 as f64,
            Distribution::Empirical(values) => {
                values.iter().map(|v| v.0 as f64).sum::<f64>() / values.len().max(1) as f64
            }
            Distribution::Response(response) => response.mean_ns(),
        }
    }
}

/// Mean of a bounded Pareto distribution.
fn pareto_mean(shape: f64, low: f64, high: f64) -> f64 {
    let kept = 1.0 - libm::pow(low / high, shape);
    if (shape - 1.0).abs() < 1e-9 {
        return low * libm::log(high / low) / kept;
    }
    shape / (shape - 1.0) * low * (1.0 - libm::pow(low / high, shape - 1.0)) / kept
}

/// An exponential variate with mean 1, by the ziggurat method (Marsaglia and Tsang 2000) with 256 layers.
///
/// `rand_distr` has one, but it takes its logarithms from the platform wherever another crate turns on the standard
/// library's floats; here the tables and the rare cases come from `libm`, so the draws are the same everywhere.
#[inline(always)]
pub(super) fn exponential(stream: &mut Stream) -> f64 {
    let bits = stream.bits();
    let (layer, x) = candidate(bits);
    if x < LAYERS.x[layer + 1] { x } else { exponential_from(layer, x, stream) }
}

/// The layer that 64 random bits choose, and the point in it.
#[inline(always)]
fn candidate(bits: u64) -> (usize, f64) {
    let layer = (bits & 0xff) as usize;
    // 53 bits that the layer's number does not use.
    (layer, (bits >> 11) as i64 as f64 * (1.0 / 9_007_199_254_740_992.0) * LAYERS.x[layer])
}

/// Goes on from a candidate that may lie outside the density: one in a hundred.
#[cold]
fn exponential_from(mut layer: usize, mut x: f64, stream: &mut Stream) -> f64 {
    while x >= LAYERS.x[layer + 1] {
        if layer == 0 {
            return TAIL - libm::log(stream.unit_above_zero());
        }
        let height = LAYERS.f[layer] + (LAYERS.f[layer + 1] - LAYERS.f[layer]) * stream.unit();
        if height < libm::exp(-x) {
            return x;
        }
        (layer, x) = candidate(stream.bits());
    }
    x
}

/// Where the tail begins, and the area of each layer, for 256 layers (Marsaglia and Tsang 2000).
const TAIL: f64 = 7.697_117_470_131_487;
const AREA: f64 = 3.949_659_822_581_572e-3;

/// Right edges of the layers and the density there; layer 0 is the base with its tail.
struct Layers {
    x: [f64; 257],
    f: [f64; 257],
}

/// Computed by the compiler, whose floats are the same everywhere.
static LAYERS: Layers = {
    let mut layers = Layers { x: [0.0; 257], f: [0.0; 257] };
    layers.x[0] = AREA / exp_minus(TAIL);
    layers.x[1] = TAIL;
    let mut at = 2;
    while at < 256 {
        let below = layers.x[at - 1];
        layers.x[at] = minus_log(exp_minus(below) + AREA / below);
        at += 1;
    }
    at = 0;
    while at < 257 {
        layers.f[at] = exp_minus(layers.x[at]);
        at += 1;
    }
    layers
};

/// exp(-x) for x in [0, 16]: the series of exp(-x / 64), six times squared.
const fn exp_minus(x: f64) -> f64 {
    let small = -x / 64.0;
    let (mut term, mut sum, mut n) = (1.0, 1.0, 1.0);
    while n < 24.0 {
        term *= small / n;
        sum += term;
        n += 1.0;
    }
    let mut square = 0;
    while square < 6 {
        sum *= sum;
        square += 1;
    }
    sum
}

/// -ln(y) for y in (0, 1]: Newton's method on `exp_minus`.
const fn minus_log(y: f64) -> f64 {
    let (mut x, mut step) = (0.0, 0);
    while step < 60 {
        // From the left of the root the steps are shorter than 1 and never too long.
        x += 1.0 - y / exp_minus(x);
        step += 1;
    }
    x
}

/// A standard normal variate (Box and Muller 1958, one of the pair).
fn normal(stream: &mut Stream) -> f64 {
    let radius = (2.0 * exponential(stream)).sqrt();
    radius * libm::cos(2.0 * std::f64::consts::PI * stream.unit())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every distribution's sample mean lies within five standard errors of the mean that it states.
    #[test]
    fn stated_means_are_the_means_drawn() {
        let ms = Nanos::from_millis;
        let all = [
            Distribution::Constant(ms(7)),
            Distribution::Exponential { mean: ms(40) },
            Distribution::Lognormal { mean: ms(40), cv: 1.2 },
            Distribution::Uniform { low: ms(5), high: ms(25) },
            Distribution::Pareto { shape: 1.5, low: ms(5), high: ms(5_000) },
            Distribution::Pareto { shape: 1.0, low: ms(5), high: ms(500) },
            Distribution::Hyperexponential { p1: 0.9, mean1: ms(5), mean2: ms(80) },
            Distribution::Erlang { stages: 4, mean: ms(10) },
            Distribution::Empirical(Arc::from([ms(1), ms(2), ms(9)])),
        ];
        for distribution in all {
            let mut stream = Stream::seeded(11);
            let n = 400_000;
            let (mut sum, mut squares) = (0.0, 0.0);
            for _ in 0..n {
                let x = distribution.draw(&mut stream).0 as f64;
                sum += x;
                squares += x * x;
            }
            let mean = sum / f64::from(n);
            let error = ((squares / f64::from(n) - mean * mean).max(0.0) / f64::from(n)).sqrt();
            let off = (mean - distribution.mean_ns()).abs();
            assert!(off <= 5.0 * error + 1.0, "{distribution:?}: {mean} is not {}", distribution.mean_ns());
        }
    }

    #[test]
    fn the_layers_are_those_of_the_logarithm_and_the_exponential() {
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-12 * b.abs().max(1e-3);
        for at in 0..257 {
            assert!(close(LAYERS.f[at], libm::exp(-LAYERS.x[at])), "density {at}: {}", LAYERS.f[at]);
        }
        for at in 2..256 {
            let x = -libm::log(libm::exp(-LAYERS.x[at - 1]) + AREA / LAYERS.x[at - 1]);
            assert!(close(LAYERS.x[at], x), "edge {at}: {} is not {x}", LAYERS.x[at]);
        }
        assert!((LAYERS.x[255] * (1.0 - LAYERS.f[255]) - AREA).abs() < 1e-9, "the last layer has the area of all");
    }

    /// Mean, variance and tail of the ziggurat's exponential against the exponential's own, within five standard errors.
    #[test]
    fn exponential_variates_have_the_right_tail() {
        let mut stream = Stream::seeded(5);
        let n = 4_000_000;
        let (mut sum, mut squares) = (0.0, 0.0);
        let mut above = [0_u32; 10];
        for _ in 0..n {
            let x = exponential(&mut stream);
            sum += x;
            squares += x * x;
            for (k, count) in above.iter_mut().enumerate() {
                *count += u32::from(x > k as f64 + 0.5);
            }
        }
        let n = f64::from(n);
        assert!((sum / n - 1.0).abs() < 5.0 / n.sqrt());
        assert!((squares / n - 2.0).abs() < 5.0 * (20.0 / n).sqrt());
        for (k, count) in above.iter().enumerate() {
            let p = (-(k as f64 + 0.5)).exp();
            let error = (p * (1.0 - p) / n).sqrt();
            assert!((f64::from(*count) / n - p).abs() < 5.0 * error, "P(x > {}.5)", k);
        }
    }

    #[test]
    fn bounds_hold() {
        let mut stream = Stream::seeded(3);
        let pareto = Distribution::Pareto { shape: 0.4, low: Nanos(100), high: Nanos(1_000) };
        for _ in 0..10_000 {
            assert!((100..=1_000).contains(&pareto.draw(&mut stream).0));
        }
    }
}
