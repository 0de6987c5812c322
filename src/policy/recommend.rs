//! The formulas of KB 281868: which values to set for a number of virtual servers, step by step, and what a box then
//! gets.
//!
//! Not a judgement whether they help: that is what a run shows. Called by `cli` and `plan` (the tuned variants of a
//! comparison).

use super::assumptions::{Assumptions, FormulaDivisor, Rounding};
use super::registry::{Registry, ValueId};
use super::sizing::{Machine, PoolShape, computed_limit, pool_shape};
use crate::problem::{Place, Problem};
use std::fmt;

/// What both heavy queues of all virtual servers may ask for together, in per cent.
// ATQ: MaxPercentPoolThreads = 90 / (2 x number of virtual server instances), rounded down (KB 281868).
const SHARE_PERCENT: u32 = 90;
/// Heavy queues of one virtual server, as the formula counts them whatever the assumptions say.
const HEAVY_QUEUES: u32 = 2;
/// A result above this is also to be set as `PoolThreadLimit`.
// ATQ: KB 281868 as ExBPA aa998026 gives it.
const LIMIT_CLAUSE_ABOVE: u32 = 200;
/// How registry changes take effect.
// ATQ: KB 281868 as ExBPA aa998026 gives it.
pub const RESTART: &str = "restart the IIS Admin service, so that every service of inetinfo restarts";

/// An exact fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio {
    /// Above the line.
    pub numerator: u64,
    /// Below the line; not 0.
    pub denominator: u64,
}

impl Ratio {
    /// The whole number next to it, by `rounding`.
    #[must_use]
    pub fn round(self, rounding: Rounding) -> u64 {
        match rounding {
            Rounding::Floor => self.numerator / self.denominator,
            Rounding::Ceil => self.numerator.div_ceil(self.denominator),
        }
    }
}

/// The fraction with up to four decimals, the rest cut off: `18.4545`, `8`.
impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rest = u128::from(self.numerator % self.denominator);
        let decimals = format!("{:04}", rest * 10_000 / u128::from(self.denominator));
        let decimals = decimals.trim_end_matches('0');
        let point = if decimals.is_empty() { "" } else { "." };
        write!(f, "{}{point}{decimals}", self.numerator / self.denominator)
    }
}

/// What the formulas give for one box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recommendation {
    /// Virtual servers it is for; in [1, 45].
    pub virtual_servers: u32,
    /// `MaxPercentPoolThreads`; in [1, 45].
    pub percent: u32,
    /// `AdditionalPoolThreadsPerProc` as the formula gives it.
    pub additional_exact: Ratio,
    /// The same as a whole number, by `assumptions.additional_rounding`.
    pub additional: u32,
    /// `PoolThreadLimit`, where the formula says to set it: the additional threads are above 200.
    pub pool_thread_limit: Option<u32>,
    /// What two heavy queues on each virtual server may ask for together, in per cent of the pool; at most 90.
    pub requested_percent: u32,
    /// What that leaves; at least 10.
    pub left_percent: u32,
    /// The pool that a box with these values gets.
    pub shape: PoolShape,
    /// The formulas with their numbers, one readable line a step; the pool's own steps are in `shape`.
    pub steps: Vec<String>,
}

impl Recommendation {
    /// The recommended values as a registry, to be written as a file or laid over a node's.
    #[must_use]
    pub fn registry(&self) -> Registry {
        values(self.percent, self.additional, self.pool_thread_limit)
    }
}

/// The KB's values for `virtual_servers` on a box of `processors` and `memory_mb`, with every warning; none where the
/// formulas have no answer (no virtual server, or more than 45) or the box is not one.
#[must_use]
pub fn recommend(
    virtual_servers: u32,
    processors: u32,
    memory_mb: u64,
    assumptions: &Assumptions,
) -> (Option<Recommendation>, Vec<Problem>) {
    let Some(percent) = percent(virtual_servers) else {
        return (None, vec![no_answer(virtual_servers)]);
    };
    let additional_exact = additional(percent, virtual_servers, assumptions.formula_divisor);
    // At most (900 - 4) / 2 = 448 for P = 1, and 896 / 23 with the other divisor.
    let additional = additional_exact.round(assumptions.additional_rounding) as u32;
    let pool_thread_limit = (additional > LIMIT_CLAUSE_ABOVE).then_some(additional);
    let machine = Machine { processors, memory_mb, smtp_virtual_servers: virtual_servers };
    let (shape, mut problems) = pool_shape(&machine, &values(percent, additional, pool_thread_limit), assumptions);
    let Some(shape) = shape else {
        return (None, problems);
    };
    let requested_percent = HEAVY_QUEUES * virtual_servers * percent;
    let mut recommendation = Recommendation {
        virtual_servers,
        percent,
        additional_exact,
        additional,
        pool_thread_limit,
        requested_percent,
        left_percent: 100 - requested_percent,
        shape,
        steps: Vec::new(),
    };
    recommendation.steps = steps(&recommendation, assumptions);
    problems.extend(warnings(&recommendation, memory_mb));
    (Some(recommendation), problems)
}

/// P, in [1, 45]; none for 0 virtual servers and for more than 45, where it would be 0.
// ATQ: 90 / (2 x number of virtual server instances), rounded down (KB 281868).
fn percent(virtual_servers: u32) -> Option<u32> {
    let queues = u64::from(HEAVY_QUEUES) * u64::from(virtual_servers);
    let percent = u64::from(SHARE_PERCENT).checked_div(queues)?;
    (percent > 0).then_some(percent as u32)
}

/// A = ((9 / (P / 100)) - 4) / D, which is (900 - 4 P) / (P D) without a rounding on the way.
// ATQ: KB 281868, with D = 2. Guess: the number of virtual servers as D is a reading of that 2.
fn additional(percent: u32, virtual_servers: u32, divisor: FormulaDivisor) -> Ratio {
    let percent = u64::from(percent);
    let divisor = match divisor {
        FormulaDivisor::Two => 2,
        FormulaDivisor::VirtualServers => u64::from(virtual_servers),
    };
    Ratio { numerator: 900 - 4 * percent, denominator: percent * divisor }
}

fn values(percent: u32, additional: u32, pool_thread_limit: Option<u32>) -> Registry {
    let place = || Place::Named("recommended (KB 281868)".into());
    let mut registry = Registry::empty();
    registry.set(ValueId::MaxPercentPoolThreads, percent, place());
    registry.set(ValueId::AdditionalPoolThreadsPerProc, additional, place());
    if let Some(limit) = pool_thread_limit {
        registry.set(ValueId::PoolThreadLimit, limit, place());
    }
    registry
}

fn no_answer(virtual_servers: u32) -> Problem {
    let place = Place::Named("virtual servers".into());
    if virtual_servers == 0 {
        let message = "with 0 virtual servers the formula of KB 281868 divides by zero";
        return Problem::error(place, message, "give the number of SMTP virtual servers, 1 to 45");
    }
    let message = format!(
        "for {virtual_servers} virtual servers 90 / (2 x {virtual_servers}) rounds down to 0 %, and the formula of KB \
         281868 for the additional threads then divides by zero"
    );
    let remedy = "the formulas answer for 1 to 45 virtual servers; spread them over more nodes";
    Problem::error(place, message, remedy)
}

fn steps(r: &Recommendation, assumptions: &Assumptions) -> Vec<String> {
    let exact = Ratio { numerator: u64::from(SHARE_PERCENT), denominator: 2 * u64::from(r.virtual_servers) };
    let whole = |ratio: Ratio| ratio.numerator.is_multiple_of(ratio.denominator);
    let down = if whole(exact) { String::new() } else { format!(", rounded down to {}", r.percent) };
    let mut steps = vec![format!("MaxPercentPoolThreads = 90 / (2 x {}) = {exact}{down}", r.virtual_servers)];
    let divisor = match assumptions.formula_divisor {
        FormulaDivisor::Two => 2,
        FormulaDivisor::VirtualServers => r.virtual_servers,
    };
    let way = match assumptions.additional_rounding {
        Rounding::Floor => "down",
        Rounding::Ceil => "up",
    };
    let rounded =
        if whole(r.additional_exact) { String::new() } else { format!(", rounded {way} to {}", r.additional) };
    steps.push(format!(
        "AdditionalPoolThreadsPerProc = ((9 / 0.{:02}) - 4) / {divisor} = {}{rounded}",
        r.percent, r.additional_exact
    ));
    steps.push(match r.pool_thread_limit {
        Some(limit) => format!("{limit} is above {LIMIT_CLAUSE_ABOVE}: PoolThreadLimit = {limit}"),
        None => format!("{} is not above {LIMIT_CLAUSE_ABOVE}: PoolThreadLimit is left alone", r.additional),
    });
    steps.push(format!(
        "2 heavy queues x {} x {} % = {} %, which leaves {} %",
        r.virtual_servers, r.percent, r.requested_percent, r.left_percent
    ));
    steps
}

fn warnings(r: &Recommendation, memory_mb: u64) -> Vec<Problem> {
    let mut warnings = Vec::new();
    let shape = &r.shape;
    let usual = computed_limit(memory_mb);
    if let Some(limit) = r.pool_thread_limit {
        let effect = match limit.cmp(&usual) {
            std::cmp::Ordering::Less => format!("lowers the usual limit of {usual}"),
            std::cmp::Ordering::Equal => format!("is the usual limit of {usual}"),
            std::cmp::Ordering::Greater => format!("raises the usual limit of {usual}"),
        };
        warnings.push(Problem::warning(
            Place::Named("PoolThreadLimit".into()),
            format!(
                "the KB sets a number per processor as the limit of the whole process: {limit} {effect}, and the box \
                 wants {} threads and gets {}",
                shape.wanted, shape.size
            ),
            format!(
                "set PoolThreadLimit to {} if the pool is to have the size that the formula is after",
                shape.wanted
            ),
        ));
    } else if shape.wanted > u64::from(shape.size) {
        warnings.push(Problem::warning(
            Place::Named("PoolThreadLimit".into()),
            format!(
                "the box wants {} threads and gets {}: the usual limit is {usual} for {memory_mb} MB",
                shape.wanted, shape.size
            ),
            format!("set PoolThreadLimit to {} as well", shape.wanted),
        ));
    }
    if shape.left_for_others == 0 {
        warnings.push(Problem::warning(
            Place::Named("MaxPercentPoolThreads".into()),
            format!(
                "{} heavy queues may ask for {} each, which leaves POP3 and IMAP4 none of {} threads",
                shape.heavy_queues, shape.heavy_queue_cap, shape.size
            ),
            "name fewer heavy queues, or enlarge the pool",
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Severity;

    const MB: u64 = 2048;

    fn made(virtual_servers: u32, assumptions: &Assumptions) -> (Recommendation, Vec<Problem>) {
        let (recommendation, problems) = recommend(virtual_servers, 2, MB, assumptions);
        (recommendation.unwrap_or_else(|| panic!("{problems:?}")), problems)
    }

    #[test]
    fn the_formulas_give_the_known_table() {
        let by_servers = Assumptions { formula_divisor: FormulaDivisor::VirtualServers, ..Assumptions::default() };
        // (virtual servers, P, A, A up, A divided by N, per cent asked for, per cent left)
        let table = [
            (1, 45, "8", 8, "16", 90, 10),
            (2, 22, "18.4545", 19, "18.4545", 88, 12),
            (3, 15, "28", 28, "18.6666", 90, 10),
            (4, 11, "38.909", 39, "19.4545", 88, 12),
            (5, 9, "48", 48, "19.2", 90, 10),
            (8, 5, "88", 88, "22", 80, 20),
            (12, 3, "148", 148, "24.6666", 72, 28),
            (15, 3, "148", 148, "19.7333", 90, 10),
            (16, 2, "223", 223, "27.875", 64, 36),
            (22, 2, "223", 223, "20.2727", 88, 12),
            (23, 1, "448", 448, "38.9565", 46, 54),
            (45, 1, "448", 448, "19.9111", 90, 10),
        ];
        for (n, percent, exact, up, by_n, requested, left) in table {
            let (r, _) = made(n, &Assumptions::default());
            let found = (r.percent, r.additional_exact.to_string(), r.requested_percent, r.left_percent);
            assert_eq!(found, (percent, exact.to_string(), requested, left), "{n} virtual servers");
            let down: u32 = exact.split('.').next().unwrap().parse().unwrap();
            assert_eq!(r.additional, down);
            let ceil = Assumptions { additional_rounding: Rounding::Ceil, ..Assumptions::default() };
            assert_eq!(made(n, &ceil).0.additional, up);
            assert_eq!(made(n, &by_servers).0.additional_exact.to_string(), by_n);
            assert_eq!(r.pool_thread_limit, (n >= 16).then_some(r.additional), "only 16 to 45 are above 200");
        }
    }

    #[test]
    fn no_value_exists_for_none_or_more_than_45() {
        for n in [0, 46, 47, 1000, u32::MAX] {
            let (recommendation, problems) = recommend(n, 2, MB, &Assumptions::default());
            assert_eq!(recommendation, None);
            assert_eq!(problems.len(), 1);
            assert_eq!(problems[0].severity, Severity::Error);
            assert!(problems[0].message.contains("divides by zero"), "{}", problems[0]);
            assert_eq!(problems[0].message.contains("rounds down to 0 %"), n > 0, "{}", problems[0]);
        }
        let (recommendation, problems) = recommend(2, 0, 0, &Assumptions::default());
        assert_eq!((recommendation, problems.len()), (None, 2));
    }

    #[test]
    fn the_example_of_two_virtual_servers() {
        let (r, problems) = made(2, &Assumptions::default());
        assert_eq!(problems, []);
        assert_eq!((r.shape.size, r.shape.heavy_queue_cap, r.shape.left_for_others), (44, 9, 8));
        assert_eq!(
            r.steps,
            [
                "MaxPercentPoolThreads = 90 / (2 x 2) = 22.5, rounded down to 22",
                "AdditionalPoolThreadsPerProc = ((9 / 0.22) - 4) / 2 = 18.4545, rounded down to 18",
                "18 is not above 200: PoolThreadLimit is left alone",
                "2 heavy queues x 2 x 22 % = 88 %, which leaves 12 %",
            ]
        );
        let registry = r.registry();
        assert_eq!(registry.get(ValueId::MaxPercentPoolThreads), Some(22));
        assert_eq!(registry.get(ValueId::AdditionalPoolThreadsPerProc), Some(18));
        assert_eq!(registry.len(), 2);
        // Nothing to round.
        let three = made(3, &Assumptions::default()).0.steps;
        assert_eq!(three[0], "MaxPercentPoolThreads = 90 / (2 x 3) = 15");
        assert_eq!(three[1], "AdditionalPoolThreadsPerProc = ((9 / 0.15) - 4) / 2 = 28");
    }

    #[test]
    fn the_limit_clause_lowers_the_limit_and_is_warned_of() {
        let (r, problems) = made(16, &Assumptions::default());
        assert_eq!(r.registry().get(ValueId::PoolThreadLimit), Some(223));
        let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let expected = "223 lowers the usual limit of 256, and the box wants 454 threads and gets 223";
        assert!(text.len() == 1 && text[0].contains(expected), "{text:?}");
        let (_, problems) = made(23, &Assumptions::default());
        assert!(problems[0].message.contains("448 raises the usual limit of 256"), "{}", problems[0]);
        let (r, problems) = recommend(4, 8, MB, &Assumptions::default());
        assert_eq!(r.map(|r| (r.shape.wanted, r.shape.size)), Some((336, 256)));
        assert!(problems[0].message.contains("wants 336 threads and gets 256"), "{}", problems[0]);
    }

    #[test]
    fn queues_that_leave_nothing_are_warned_of() {
        use super::super::assumptions::SmtpQueue;
        let all = Assumptions { heavy_queues: SmtpQueue::ALL.to_vec(), ..Assumptions::default() };
        let (_, problems) = made(2, &all);
        assert!(problems.iter().any(|p| p.message.contains("leaves POP3 and IMAP4 none of 44 threads")));
    }
}
