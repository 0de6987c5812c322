//! What averages foretell of the limits before anything runs: the load as one of the pool's kind, and how many messages it
//! takes until a domain table is full.
//!
//! Not a simulation, and not the models. Called by `report`, for `explain`.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Caller, DomainsPlan, StorePlan};
use crate::plan::{ClassPlan, Plan, Role};
use crate::policy::dispatch::ClassRule;
use crate::workload::journey::LoadSpec;
use crate::workload::popularity::Popularity;

/// Domains of a law that are looked at one by one; those that are asked less often are taken together.
const ONE_BY_ONE: u64 = 4_096;
/// From one group of domains to the next their places grow by this share.
const GROUP: f64 = 0.01;

impl StorePlan {
    /// The calls as if they were services of the pool, by [`Caller`], so that their offered load can be asked for.
    #[must_use]
    pub fn as_services(&self, plan: &Plan) -> Plan {
        with_load(plan, &self.load, &Caller::ALL.map(Caller::name))
    }
}

impl DomainsPlan {
    /// The messages as if they were a service of the pool, so that their rate can be asked for.
    #[must_use]
    pub fn as_service(&self, plan: &Plan) -> Plan {
        with_load(plan, &self.load, &[DomainsPlan::NAME])
    }

    /// Messages until there are so many different domains among them, on average; `None`: there never are.
    #[must_use]
    pub fn messages_until(&self, domains: u64) -> Option<f64> {
        match &*self.names {
            Popularity::Uniform { count } => until(domains, *count, |messages| distinct_of_equals(*count, messages)),
            Popularity::Zipf { count, exponent } => {
                let law = Groups::new(*count, *exponent);
                until(domains, *count, |messages| law.distinct(messages))
            }
            Popularity::Listed(listed) => {
                let mut seen = BTreeSet::new();
                let full = |row: &u32| {
                    seen.insert(*row);
                    seen.len() as u64 >= domains
                };
                let at = listed.rows.iter().position(full);
                at.map(|at| at as f64 + 1.0)
            }
        }
    }
}

pub(super) fn with_load(plan: &Plan, load: &Arc<LoadSpec>, names: &[&str]) -> Plan {
    let class = |name: &&str| ClassPlan { name: name.to_string(), role: Role::Protocol, rule: ClassRule::default() };
    Plan { classes: names.iter().map(class).collect(), load: Arc::clone(load), cluster: None, ..plan.clone() }
}

/// The number of messages at which `distinct` comes to `domains`, of `count` that there are.
fn until(domains: u64, count: u64, distinct: impl Fn(f64) -> f64) -> Option<f64> {
    let wanted = domains as f64;
    if domains >= count {
        return None;
    }
    let (mut low, mut high) = (0.0, wanted.max(1.0));
    while distinct(high) < wanted {
        (low, high) = (high, high * 2.0);
        if high > 1e18 {
            return None;
        }
    }
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if distinct(middle) < wanted { low = middle } else { high = middle }
    }
    Some(high)
}

/// How many of `count` domains that are asked alike `messages` are for, on average.
fn distinct_of_equals(count: u64, messages: f64) -> f64 {
    let count = count as f64;
    count * hit(1.0 / count, messages)
}

/// How likely at least one of so many messages is for a domain that gets `share` of them.
fn hit(share: f64, messages: f64) -> f64 {
    if share >= 1.0 { 1.0 } else { -(messages * (-share).ln_1p()).exp_m1() }
}

/// Domains of a Zipf law in groups of about equal shares: how many, and the share of each.
struct Groups(Vec<(f64, f64)>);

impl Groups {
    fn new(count: u64, exponent: f64) -> Groups {
        let mut groups: Vec<(f64, f64)> = Vec::new();
        let mut from = 1;
        while from <= count {
            let width = if from <= ONE_BY_ONE { 1 } else { ((from as f64 * GROUP) as u64).max(1) };
            let until = from.saturating_add(width).min(count.saturating_add(1));
            let place = (from + until - 1) as f64 / 2.0;
            groups.push(((until - from) as f64, place.powf(-exponent)));
            from = until;
        }
        let all: f64 = groups.iter().map(|(domains, weight)| domains * weight).sum();
        groups.iter_mut().for_each(|(_, weight)| *weight /= all);
        Groups(groups)
    }

    fn distinct(&self, messages: f64) -> f64 {
        self.0.iter().map(|(domains, share)| domains * hit(*share, messages)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_messages_are_for_so_many_domains() {
        // The collector's problem: of 100 alike, half are there after 100 x ln 2 messages, but for a little.
        let found = until(50, 100, |messages| distinct_of_equals(100, messages)).unwrap();
        assert!((found - 68.97).abs() < 0.01, "{found}");
        assert_eq!(until(100, 100, |messages| distinct_of_equals(100, messages)), None);
        // Against a sum over every domain.
        let (count, exponent, messages) = (200_000_u64, 0.9, 30_000.0);
        let weights: Vec<f64> = (1..=count).map(|k| (k as f64).powf(-exponent)).collect();
        let all: f64 = weights.iter().sum();
        let exact: f64 = weights.iter().map(|weight| hit(weight / all, messages)).sum();
        let groups = Groups::new(count, exponent);
        let found = groups.distinct(messages);
        assert!((found / exact - 1.0).abs() < 1e-4, "{found} for {exact}");
        let back = until(exact as u64, count, |messages| groups.distinct(messages)).unwrap();
        assert!((back / messages - 1.0).abs() < 1e-3, "{back}");
        assert!(groups.0.len() < 6_000, "{}", groups.0.len());
    }
}
