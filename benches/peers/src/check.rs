//! Whether every contender did the same work: all customers served, caps held, waits as they should be.
//!
//! Not about speed. Called by `main` after the rounds of one piece of work.

use crate::contenders::{Contender, Ran};
use crate::works::{ARRIVALS_PER_S, SERVICE_MEAN_S, Served, THREADS, Work};

/// Standard deviations beyond which a wait is another wait and not chance.
const BEYOND: f64 = 5.0;
/// Standard deviation of the mean wait of any class in a run of N customers, relative to that mean, times the square
/// root of N. Measured by runs of the heap loop, which a test repeats.
const NOISE: f64 = 33.0;

/// The runs of one contender put together.
#[derive(Clone, Debug)]
pub(crate) struct Together {
    pub(crate) contender: Contender,
    pub(crate) classes: Vec<Served>,
}

impl Together {
    pub(crate) fn of(contender: Contender, runs: &[Ran]) -> Together {
        let classes = runs.first().map_or(0, |run| run.outcome.len());
        let sum = |at: usize| {
            let (mut customers, mut waited, mut busy_most) = (0, 0.0, 0);
            for class in runs.iter().map(|run| run.outcome[at]) {
                customers += class.customers;
                waited += class.mean_wait_us * class.customers as f64;
                busy_most = busy_most.max(class.busy_most);
            }
            Served { customers, mean_wait_us: waited / (customers as f64).max(1.0), busy_most }
        };
        Together { contender, classes: (0..classes).map(sum).collect() }
    }

    pub(crate) fn customers(&self) -> u64 {
        crate::works::customers(&self.classes)
    }

    /// Standard deviation of the mean wait of any class, relative to it.
    fn noise(&self) -> f64 {
        NOISE / (self.customers() as f64).max(1.0).sqrt()
    }
}

/// The exact mean wait of Work A, in microseconds: Erlang's formula for M/M/c.
pub(crate) fn erlang_c_wait_us() -> f64 {
    let offered = ARRIVALS_PER_S * SERVICE_MEAN_S;
    let servers = f64::from(THREADS);
    let blocked = (1..=THREADS).fold(1.0, |b, n| offered * b / (f64::from(n) + offered * b));
    let waits = blocked / (1.0 - offered / servers * (1.0 - blocked));
    waits / (servers / SERVICE_MEAN_S - ARRIVALS_PER_S) * 1e6
}

/// Everything in which a contender did not do the work; `asked` is for how many customers it was asked.
pub(crate) fn mistakes(work: &Work, all: &[(Together, u64)]) -> Vec<String> {
    let mut mistakes = Vec::new();
    let exact = (work.classes.len() == 1).then(erlang_c_wait_us);
    for (at, (one, asked)) in all.iter().enumerate() {
        let name = one.contender.name();
        let served = one.customers();
        // The engine gets a duration: as many come as come, and a few are unfinished at its end.
        if (served as f64 - *asked as f64).abs() > 5.0 * (*asked as f64).sqrt() + 100.0 {
            mistakes.push(format!("{name} served {served} customers and not {asked}"));
        }
        for (number, class) in work.classes.iter().enumerate() {
            let mine = one.classes[number];
            let most = mine.busy_most;
            // The greatest class comes to its cap in every run; a small one never does.
            if class.cap < THREADS && (most > class.cap || (class.percent > 50 && most < class.cap)) {
                mistakes.push(format!("{name}: class {} held {most} threads; its cap is {}", class.name, class.cap));
            }
            let mut compare = |with: &str, wait: f64, noise: f64| {
                if (mine.mean_wait_us - wait).abs() > BEYOND * noise * wait {
                    mistakes.push(format!(
                        "{name}: customers of {} waited {:.0} us on average; {with}: {wait:.0} us",
                        class.name, mine.mean_wait_us
                    ));
                }
            };
            if let Some(exact) = exact {
                compare("exactly", exact, one.noise());
            }
            for (other, _) in &all[..at] {
                let noise = one.noise().hypot(other.noise());
                compare(other.contender.name(), other.classes[number].mean_wait_us, noise);
            }
        }
    }
    mistakes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::works::{self, heap_loop};

    fn did(contender: Contender, customers: u64, wait: f64) -> (Together, u64) {
        let class = Served { customers, mean_wait_us: wait, busy_most: THREADS };
        (Together { contender, classes: vec![class] }, 1_000_000)
    }

    #[test]
    fn erlangs_formula_gives_the_known_value() {
        // C(20, 18) is 0.55077, divided by 20 per second.
        assert!((erlang_c_wait_us() - 27_538.0).abs() < 5.0, "{}", erlang_c_wait_us());
    }

    #[test]
    fn other_work_is_found_out() {
        let exact = erlang_c_wait_us();
        let good = did(Contender::Heap, 1_000_000, exact * 1.02);
        assert_eq!(mistakes(&works::A, std::slice::from_ref(&good)), [""; 0]);
        let few = mistakes(&works::A, &[did(Contender::Simrs, 900_000, exact)]);
        assert!(few[0].contains("served 900000"), "{few:?}");
        let long = mistakes(&works::A, &[good, did(Contender::Simrs, 1_000_000, exact * 1.5)]);
        assert_eq!(long.len(), 2, "{long:?}");
        let mut uncapped: Vec<Served> = vec![Served { customers: 142_857, mean_wait_us: exact, busy_most: 18 }; 7];
        uncapped[0].busy_most = 20;
        let uncapped = Together { contender: Contender::Desru, classes: uncapped };
        let uncapped = mistakes(&works::B, &[(uncapped, 1_000_000)]);
        assert_eq!(uncapped, ["DESRu: class bulk held 20 threads; its cap is 18"]);
    }

    #[test]
    fn the_noise_of_a_wait_is_what_the_table_says() {
        let (runs, customers) = (400, 100_000);
        for work in [&works::A, &works::B] {
            let outcomes: Vec<_> = (0..runs).map(|seed| heap_loop::plain(work, customers, seed)).collect();
            for (at, class) in work.classes.iter().enumerate() {
                let waits = outcomes.iter().map(|outcome| outcome[at].mean_wait_us);
                let mean = waits.clone().sum::<f64>() / runs as f64;
                let variance = waits.map(|wait| (wait - mean).powi(2)).sum::<f64>() / (runs - 1) as f64;
                let noise = variance.sqrt() / mean * (customers as f64).sqrt();
                assert!((noise / NOISE - 1.0).abs() < 0.15, "{} {}: {noise}", work.name, class.name);
            }
        }
    }

    #[test]
    fn every_rust_contender_does_the_same_work() {
        use Contender::{Atqsim, Desru, Heap, Nexosim, Simrs, TunedHeap};
        let customers = 200_000;
        for work in [&works::A, &works::B] {
            let ran = |contender: Contender| {
                let seed = contender as u64;
                let ran = contender.run(work, customers, seed, crate::contenders::Clock::Wall, "python3".as_ref());
                (Together::of(contender, &[ran.unwrap()]), customers)
            };
            let all: Vec<_> = [Atqsim, Heap, TunedHeap, Nexosim, Simrs, Desru].map(ran).into();
            assert_eq!(mistakes(work, &all), [""; 0]);
        }
    }
}
