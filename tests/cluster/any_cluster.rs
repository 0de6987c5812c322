//! Whatever small cluster is written down, its run keeps the laws.

use proptest::prelude::*;

use super::world::{faults, seen, two_groups};

/// Faults of two nodes in an order that can be: each dies or hangs, and returns.
fn any_faults() -> impl Strategy<Value = Vec<(u64, &'static str, &'static str)>> {
    let of = |node: &'static str| {
        prop::collection::vec((5_u64..300, prop::bool::ANY, 1_u64..200), 0..4).prop_map(move |outages| {
            let (mut all, mut at) = (Vec::new(), 0);
            for (gap, dies, lasts) in outages {
                all.push((at + gap, node, if dies { "dies" } else { "hangs" }));
                all.push((at + gap + lasts, node, "returns"));
                at += gap + lasts;
            }
            all
        })
    };
    (of("n1"), of("n2"), any::<bool>()).prop_map(|(mut one, two, stays)| {
        if stays {
            one.pop();
        }
        one.extend(two);
        one
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn any_small_cluster_keeps_the_laws(
        faults_of_nodes in any_faults(),
        seed in 0_u64..1_000,
        rate in 1_u64..12,
        (every, timeout, pending) in (1_u64..20, 5_u64..120, 1_u64..90),
        (online, offline) in (0_u64..30, 0_u64..30),
        (restarts, failovers) in (0_u64..3, 0_u64..5),
        (action, failback) in (
            prop::sample::select(vec!["dont-restart", "restart-no-notify", "restart-notify"]),
            prop::sample::select(vec!["prevent", "immediate"]),
        ),
        retry in prop::option::of(1_u64..300),
        slower in 1_u64..60,
        depends in any::<bool>(),
    ) {
        let mut numbers = format!(
            "probe_every = \"{every}s\"\nis_alive_timeout = \"{timeout}s\"\npending_timeout = \"{pending}s\"\n\
             online_takes = \"{online}s\"\noffline_takes = \"{offline}s\"\nrestart_threshold = {restarts}\n\
             failover_threshold = {failovers}\nrestart_action = \"{action}\"\nfailback = \"{failback}\"\n"
        );
        if let Some(retry) = retry {
            numbers += &format!("retry_after = \"{retry}s\"\n");
        }
        let slow = format!("[[fault]]\non = \"store\"\nfrom = \"100s\"\nuntil = \"400s\"\nslower = {slower}\n");
        let text = two_groups("12m", &numbers, &(faults(&faults_of_nodes) + &slow))
            .replace("seed = 7", &format!("seed = {seed}"))
            .replace("rate = \"2/s\"", &format!("rate = \"{rate}/s\""));
        let text = if depends {
            text.replace(
                "owners = [\"n1\", \"n2\"]\n",
                "owners = [\"n1\", \"n2\"]\nresources = [\"pop3\", \"smtp\", \"store\"]\n\
                 depends_on = { pop3 = [\"store\"], smtp = [\"store\"] }\n",
            )
        } else {
            text
        };
        seen(&text).check_messages();
    }
}
