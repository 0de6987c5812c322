//! The memory of the SMTP domain table (KB 910932).

use atqsim::metrics::limits::DomainFigures;
use atqsim::plan::Plan;
use atqsim::run::EngineKind;
use atqsim::scenario::Overrides;
use atqsim::time::Nanos;

use super::super::{figures, plans, shipped, told};

fn tables(plans: &[Plan], engine: EngineKind) -> Vec<(String, DomainFigures)> {
    figures(plans, engine).into_iter().map(|(name, found)| (name, found.domains.expect("a table"))).collect()
}

#[test]
fn without_the_value_memory_goes_with_it_or_a_nightly_restart_it_does_not() {
    let plans = shipped("kb910932");
    let found = tables(&plans, EngineKind::Virtual);
    let [without, with, restarted] = [0, 1, 2].map(|at| &found[at].1.summary);
    let spec = &plans[0].limits.domains.as_ref().expect("a table").spec;
    assert_eq!(without.created, spec.entries_that_fit(), "memory is gone when what fits is there, and not before");
    assert!(without.memory_gone_at.is_some() && without.refused_no_memory > 0);
    assert_eq!((with.memory_gone_at, restarted.memory_gone_at), (None, None));
    assert_eq!(with.most_dead, 1_000, "swept once so many are dead: 0x3E8");
    assert_eq!(with.swept, with.sweeps * 1_000);
    // 72 h, each night at 3.
    assert_eq!((restarted.planned_restarts, restarted.away), (3, Nanos::from_secs(180)));
    assert!(restarted.refused_away > 0 && restarted.refused_away < 3_000, "some three minutes of ten a second");
    assert_eq!(without.messages, with.messages, "the load is identical");
    // The curves: available bytes fall and the working set rises, by the same, until memory is gone.
    let curve = without.samples.values();
    let gone = without.memory_gone_at.expect("it is gone");
    let before: Vec<_> = curve.iter().filter(|(at, _)| *at < gone).map(|(_, counters)| counters).collect();
    assert!(before.len() > 50);
    for pair in before.windows(2) {
        assert!(pair[0].available_bytes > pair[1].available_bytes);
        let risen = pair[1].working_set_bytes - pair[0].working_set_bytes;
        assert_eq!(pair[0].available_bytes - pair[1].available_bytes, risen);
    }
}

fn small(names: &str, more: &str) -> String {
    format!(
        "format = 1\ntitle = \"Small\"\nseed = 9\nduration = \"5000s\"\nspeed = 2000\n[node]\nprocessors = 1\n\
         memory_mb = 512\n[domains]\nnames = {names}\ndelivery = \"1s\"\n{more}\n\
         [load.mail]\nservice = \"domains\"\nrate = 10\narrivals = \"even\"\n"
    )
}

/// Of n messages to domains with parts p, the domains that got any are `sum(1 - (1 - p)^n)` on average.
#[test]
fn as_many_entries_as_the_popularity_law_says() {
    let expected = |parts: &[f64], n: f64| parts.iter().map(|p| 1.0 - (1.0 - p).powf(n)).sum::<f64>();
    let zipf = |exponent: f64| {
        let weights: Vec<f64> = (1..=20_000).map(|k| f64::from(k).powf(-exponent)).collect();
        let sum: f64 = weights.iter().sum();
        weights.iter().map(|weight| weight / sum).collect::<Vec<_>>()
    };
    let cases = [
        ("{ law = \"uniform\", count = 20000 }", vec![1.0 / 20_000.0; 20_000]),
        ("{ count = 20000 }", zipf(1.0)),
        ("{ law = \"zipf\", count = 20000, exponent = 1.5 }", zipf(1.5)),
    ];
    for (names, parts) in cases {
        let found = &tables(&plans(&small(names, "")), EngineKind::Virtual)[0].1.summary;
        let expected = expected(&parts, found.messages as f64);
        // The variance of the number of distinct names is at most its mean.
        let off = (found.created as f64 - expected).abs();
        assert!(off < 5.0 * expected.sqrt(), "{names}: {} entries, and {expected} are expected", found.created);
        assert_eq!(found.created + found.found + found.revived, found.messages);
    }
}

#[test]
fn both_engines_have_the_same_entries() {
    let text = small("{ count = 5000 }", "").replace("5000s", "500s").replace("speed = 2000", "speed = 200");
    // The last message comes long before the end, whatever the host does.
    let text = text.replace("rate = 10", "steps = [{ at = \"0s\", rate = 10 }, { at = \"490s\", rate = 0 }]");
    let plans = plans(&text);
    let [exact, real] = [EngineKind::Virtual, EngineKind::Threads].map(|engine| tables(&plans, engine).remove(0).1);
    let [exact, real] = [exact.summary, real.summary];
    assert_eq!((real.messages, real.created), (exact.messages, exact.created), "names and moments are the same");
    assert_eq!((real.refused_away, real.refused_no_memory, real.swept), (0, 0, 0));
    assert!(real.sent <= exact.sent, "nothing leaves before its time");
}

#[test]
fn the_value_counts_only_where_the_software_knows_it_and_that_is_said() {
    // ATQ: KB 910932: the hotfix on service pack 1 (none is needed on x64), and service pack 2.
    let cases = [
        ("windows = \"2000\"\nhotfix = true", false),
        ("windows = \"2003\"\nhotfix = true", false),
        ("windows = \"2003\"\nx64 = true\nhotfix = true", true),
        ("windows = \"2003-sp1\"", false),
        ("windows = \"2003-sp1\"\nhotfix = true", true),
        ("windows = \"2003-sp2\"", true),
    ];
    for (software, knows) in cases {
        let text = small("{ count = 5000 }", software) + "[registry]\nZombieDomainEntryThreshold = 0x3E8\n";
        let (plans, problems) = told(&text, &Overrides::default());
        let plans = plans.unwrap_or_else(|| panic!("{problems:#?}"));
        let warned = problems.iter().any(|problem| problem.message.contains("does not know it"));
        assert_eq!(warned, !knows, "{software}: {problems:#?}");
        let found = &tables(&plans, EngineKind::Virtual)[0].1.summary;
        assert_eq!(found.sweeps > 0, knows, "{software}");
    }
}

#[test]
fn the_domains_of_a_log_come_in_its_order() {
    let directory = tempfile::tempdir().expect("a directory");
    let log = "#Fields: time cs-method cs-uri-query sc-status\n10:00:00 RCPT +TO:<a@one.example> 250\n\
               10:00:01 RCPT +TO:<b@two.example> 250\n10:00:02 RCPT +TO:<c@one.example> 250\n";
    std::fs::write(directory.path().join("smtp.log"), log).expect("it is written");
    let text = small("{ logs = [\"smtp.log\"] }", "");
    let base = atqsim::scenario::Base::Directory(directory.path().to_path_buf());
    let (plans, problems) = atqsim::scenario::read("a.toml", &text, &base, &Overrides::default());
    let found = &tables(&plans.unwrap_or_else(|| panic!("{problems:#?}")), EngineKind::Virtual)[0].1.summary;
    assert_eq!(found.created, 2);
    // One second on the queue, ten messages in it: nearly always another one is there.
    assert!(found.messages > 49_000 && found.found > 49_000);
}

#[test]
fn memory_that_is_gone_may_restart_the_service() {
    let more = "entry_bytes = 1048576\nwhen_gone = \"restarts\"\nrestart_takes = \"100s\"";
    let plans = plans(&small("{ law = \"uniform\", count = 1000000 }", more));
    let found = &tables(&plans, EngineKind::Virtual)[0].1.summary;
    let fits = plans[0].limits.domains.as_ref().expect("a table").spec.entries_that_fit();
    assert_eq!(fits, 512 - 256 - 32 - 4);
    assert!(found.forced_restarts > 10 && found.times_gone == found.forced_restarts);
    assert_eq!(found.most_entries, fits);
    assert!(found.is_balanced());
}
