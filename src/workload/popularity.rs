//! Whom a message is for, out of very many: a popularity law with a long tail, or the domains that a log names.
//!
//! Not arrivals (`arrivals`) and not the reading of a log (`logs::domains`). Called by `engine::limits`; made by `scenario`.

use std::fmt::Write;
use std::sync::Arc;

use rand_distr::Zipf;

use crate::rng::Stream;

/// The most domains of a law.
pub const COUNT_MOST: u64 = 1_000_000_000;
/// The steepest law. 0 is a law without favourites.
pub const EXPONENT_MOST: f64 = 10.0;

/// Who is asked how often.
#[derive(Clone, Debug, PartialEq)]
pub enum Popularity {
    /// Domain k of `count` gets a part in proportion to `k^-exponent`.
    Zipf {
        /// Domains, at least 1.
        count: u64,
        /// In (0, [`EXPONENT_MOST`]].
        exponent: f64,
    },
    /// All of `count` domains get as much.
    Uniform {
        /// Domains, at least 1.
        count: u64,
    },
    /// Message n is for the domain of row n of a log, again from the first row after the last.
    Listed(Arc<Listed>),
}

/// The domains of a log's rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// Each name once.
    pub names: Vec<Box<str>>,
    /// By row: which name; at least one row.
    pub rows: Vec<u32>,
}

/// Draws names; keeps room for one.
#[derive(Debug)]
pub struct Names {
    law: Arc<Popularity>,
    zipf: Option<Zipf<f64>>,
    name: String,
}

impl Names {
    /// Names by this law.
    ///
    /// # Panics
    /// Where the law's numbers are out of the ranges that [`Popularity`] states.
    #[must_use]
    pub fn new(law: Arc<Popularity>) -> Names {
        let zipf = match *law {
            Popularity::Zipf { count, exponent } => {
                Some(Zipf::new(count as f64, exponent).expect("the numbers are in their ranges"))
            }
            _ => None,
        };
        Names { law, zipf, name: String::new() }
    }

    /// The name for message `number`, which has this stream.
    pub fn of(&mut self, number: u64, stream: &mut Stream) -> &str {
        let rank = match &*self.law {
            Popularity::Listed(listed) => {
                let row = listed.rows[(number % listed.rows.len() as u64) as usize];
                return &listed.names[row as usize];
            }
            Popularity::Uniform { count } => {
                // The high half of a product is uniform but for one part in 2^64 / count.
                ((u128::from(stream.bits()) * u128::from(*count)) >> 64) as u64 + 1
            }
            Popularity::Zipf { .. } => {
                let zipf = self.zipf.as_ref().expect("made with the law");
                stream.drawn(zipf) as u64
            }
        };
        self.name.clear();
        // Writing to a string does not fail. `example` is reserved for documents: RFC 2606.
        let _ = write!(self.name, "d{rank}.example");
        &self.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::StreamKey;

    fn shares(law: Popularity, draws: u64) -> Vec<f64> {
        let mut names = Names::new(Arc::new(law));
        let key = StreamKey::new(1, "mail");
        let mut counts = [0_u64; 11];
        for number in 0..draws {
            let name = names.of(number, &mut key.stream(number, 9)).to_string();
            let rank: usize = name.strip_prefix('d').unwrap().strip_suffix(".example").unwrap().parse().unwrap();
            counts[rank.min(10)] += 1;
        }
        counts.iter().map(|count| *count as f64 / draws as f64).collect()
    }

    #[test]
    fn a_zipf_law_gives_each_rank_its_part() {
        let shares = shares(Popularity::Zipf { count: 1_000, exponent: 1.0 }, 200_000);
        let harmonic: f64 = (1..=1_000).map(|k| 1.0 / f64::from(k)).sum();
        for (rank, share) in shares.iter().enumerate().take(10).skip(1) {
            let exact = 1.0 / (rank as f64 * harmonic);
            // Five standard deviations of a share.
            let off = 5.0 * (exact * (1.0 - exact) / 200_000.0).sqrt();
            assert!((share - exact).abs() < off, "rank {rank}: {share} and not {exact}");
        }
        assert_eq!(shares[0], 0.0);
    }

    #[test]
    fn a_uniform_law_has_no_favourites_and_keeps_to_its_domains() {
        let shares = shares(Popularity::Uniform { count: 9 }, 90_000);
        assert_eq!((shares[0], shares[10]), (0.0, 0.0));
        assert!(shares[1..10].iter().all(|share| (share - 1.0 / 9.0).abs() < 0.006), "{shares:?}");
    }

    #[test]
    fn rows_of_a_log_come_in_their_order_and_again() {
        let listed = Listed { names: vec!["a.example".into(), "b.example".into()], rows: vec![0, 1, 1] };
        let mut names = Names::new(Arc::new(Popularity::Listed(Arc::new(listed))));
        let mut stream = Stream::seeded(1);
        let drawn: String = (0..7).map(|n| names.of(n, &mut stream)[..1].to_string()).collect();
        assert_eq!(drawn, "abbabba");
    }
}
