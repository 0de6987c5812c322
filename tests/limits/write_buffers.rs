//! Write buffers of a front-end (KB 823857): what is sent, and that a slow link holds the pool's threads.

use std::sync::Arc;

use atqsim::metrics::limits::WriteFigures;
use atqsim::models::write_buffers::spec::{Finding, Link, Software, Version, WriteBuffersSpec};
use atqsim::models::write_buffers::{Totals, Transfer};
use atqsim::plan::Plan;
use atqsim::policy::assumptions::Assumptions;
use atqsim::policy::registry::{Registry, ValueId};
use atqsim::problem::Place;
use atqsim::report::VariantReport;
use atqsim::run::{EngineKind, RunOptions, Silent, run};
use atqsim::scenario::Overrides;
use atqsim::time::Nanos;

use super::super::{plans, shipped, told};

const BOTH: [EngineKind; 2] = [EngineKind::Virtual, EngineKind::Threads];

/// POP3 with `response` and IMAP4 with responses of 5,000 bytes, on more threads than are ever needed.
fn front_end(response: &str, more: &str) -> String {
    format!(
        "format = 1\ntitle = \"Front-end\"\nseed = 3\nduration = \"60s\"\nspeed = 20\n[node]\nprocessors = 8\n\
         [registry]\nMaxPoolThreads = 20\n[write_buffers]\nlatency = \"30ms\"\nbits_per_second = 1000000\n{more}\n\
         [pop3.commands.retr]\nwait = \"10ms\"\nresponse_bytes = {response}\n[pop3.commands.quit]\nwait = \"1ms\"\n\
         [imap4.commands.fetch]\nwait = \"10ms\"\nresponse_bytes = 5000\n\
         [load.pop]\nservice = \"pop3\"\nrate = 4\narrivals = \"even\"\nscript = [\"retr\", \"quit\"]\n\
         [load.imap]\nservice = \"imap4\"\nrate = 4\narrivals = \"even\"\nscript = [\"fetch\"]\n"
    )
}

fn ran(plans: &[Plan], engine: EngineKind) -> Vec<VariantReport> {
    let ran = run(plans, &RunOptions { engine, ..RunOptions::default() }, &Silent);
    assert!(!ran.went_wrong(), "{:?}", ran.error);
    ran.report.expect("it ran").variants
}

fn writes(variant: &VariantReport) -> &[WriteFigures] {
    variant.limits.write_buffers.as_deref().expect("a front-end")
}

fn spec(plan: &Plan, at: usize) -> Arc<WriteBuffersSpec> {
    Arc::clone(&plan.limits.write_buffers.as_ref().expect("a front-end").services[at].spec)
}

/// What so many responses of so many bytes come to.
fn so_many(responses: u64, bytes: u64, spec: &WriteBuffersSpec) -> Totals {
    let mut totals = Totals::default();
    (0..responses).for_each(|_| totals.add(&Transfer::of(spec, bytes)));
    totals
}

#[test]
fn each_served_request_sends_what_the_model_says_on_either_engine() {
    let plans = plans(&front_end("26624", "write_returns = \"acknowledged\""));
    for engine in BOTH {
        let variant = &ran(&plans, engine)[0];
        let [pop3, imap4] = writes(variant) else { panic!("two protocols") };
        for (found, class, bytes, at) in [(pop3, "pop3", 26_624, 0), (imap4, "imap4", 5_000, 1)] {
            let spec = spec(&plans[0], at);
            assert_eq!(found.totals, so_many(found.totals.responses, bytes, &spec), "{engine:?}");
            let class = plans[0].class(class).expect("it is there").index();
            let served = variant.summary.classes[class].outcomes.served;
            assert!(found.totals.responses > 150 && found.totals.responses <= served, "{engine:?}");
            assert_eq!(found.response.count(), found.totals.responses);
        }
        // KB 823857: 26 KB in pieces of 1,024 bytes are 26 writes, each below the MSS.
        assert_eq!(pop3.totals.writes, 26 * pop3.totals.responses);
        assert_eq!(pop3.totals.small_segments, pop3.totals.segments);
        // Another command of the same protocol sends nothing: half of what POP3 served.
        assert!(variant.summary.classes[0].outcomes.served > 3 * pop3.totals.responses / 2);
    }
}

#[test]
fn a_response_is_part_of_its_commands_service_and_ends_when_the_client_has_it() {
    for (held, more) in [("written", ""), ("acknowledged", "held = \"until-acknowledged\"\n")] {
        let plans = plans(&front_end("26624", &format!("{more}write_returns = \"acknowledged\"")));
        let variant = &ran(&plans, EngineKind::Virtual)[0];
        let transfer = Transfer::of(&spec(&plans[0], 1), 5_000);
        let imap4 = plans[0].class("imap4").expect("it is there").index();
        let class = &variant.summary.classes[imap4];
        let service = Nanos::from_millis(10) + transfer.thread_held;
        assert_eq!(class.service.max, service, "{held}");
        assert_eq!(class.wait.max, Nanos::ZERO, "nobody waits for a thread");
        let last_byte = Nanos::from_millis(10) + transfer.response;
        let found = writes(variant)[1].response.summary();
        assert_eq!((found.max, found.count), (last_byte, writes(variant)[1].totals.responses), "{held}");
    }
}

#[test]
fn every_variant_sends_the_same_bytes_and_larger_buffers_fewer_packets() {
    let sizes = [1_024, 8_192, 16_384, 32_768, 65_536];
    let mut text = front_end("{ dist = \"lognormal\", mean = 26624, cv = 1.5 }", "write_returns = \"acknowledged\"");
    for size in sizes {
        text += &format!("[[variant]]\nname = \"{size}\"\nregistry = {{ 'POP3Svc\\MaxBufferSize' = {size} }}\n");
    }
    let variants = ran(&plans(&text), EngineKind::Virtual);
    let all: Vec<&Totals> = variants.iter().map(|variant| &writes(variant)[0].totals).collect();
    for (totals, variant) in all.iter().zip(&variants) {
        // Those that were still being served at the end apart, which are the more the longer they take.
        assert!(totals.responses + 10 > all[4].responses, "{}", variant.plan.variant);
    }
    for pair in all.windows(2) {
        let per = |totals: &Totals, of: u64| of as f64 / totals.bytes as f64;
        assert!(per(pair[1], pair[1].writes) < per(pair[0], pair[0].writes));
        assert!(per(pair[1], pair[1].packets()) <= per(pair[0], pair[0].packets()) * 1.000_1);
        assert!(pair[1].mean_response() <= pair[0].mean_response());
    }
    let imap4: Vec<&WriteFigures> = variants.iter().map(|variant| &writes(variant)[1]).collect();
    assert!(imap4.windows(2).all(|pair| pair[0] == pair[1]), "its value is another one, and is not set");
}

/// Little's law: threads held are requests a second times the time that each holds one; where that is more than there
/// are threads, the pool's users starve.
#[test]
fn a_slow_link_holds_threads_until_there_are_none() {
    let text = front_end("26624", "write_returns = \"acknowledged\"").replace("rate = 4", "rate = 20");
    let slow = text.replace("latency = \"30ms\"", "latency = \"250ms\"").replace("60s", "600s");
    let [fast, slow] = [text, slow].map(|text| ran(&plans(&text), EngineKind::Virtual).remove(0));
    let held = |variant: &VariantReport, at: usize| {
        let spec = spec(&variant.plan, at);
        let bytes = [26_624, 5_000][at];
        20.0 * (Transfer::of(&spec, bytes).thread_held + Nanos::from_millis(10)).as_secs_f64()
    };
    // POP3's other command holds one of 1,000 x 1 ms.
    let wanted = held(&fast, 0) + held(&fast, 1) + 0.02;
    let busy: f64 = fast.summary.classes.iter().map(|class| class.thread_seconds).sum::<f64>() / 60.0;
    assert!((busy / wanted - 1.0).abs() < 0.05, "{busy} threads are held, and {wanted} are expected");
    assert!(fast.summary.classes.iter().all(|class| class.starved == Nanos::ZERO));
    let wanted = held(&slow, 0) + held(&slow, 1);
    assert!(wanted > f64::from(slow.plan.threads()), "{wanted} of {}", slow.plan.threads());
    assert!(slow.summary.classes.iter().all(|class| class.starved_percent > 50.0));
}

#[test]
fn a_fault_of_the_clients_links_stretches_responses_alone() {
    let fault = "[[fault]]\non = \"clients\"\nfrom = \"0s\"\nuntil = \"60s\"\nslower = 3\n";
    let sound = front_end("26624", "");
    let [sound, slow] = [sound.clone(), sound + fault].map(|text| ran(&plans(&text), EngineKind::Virtual).remove(0));
    let transfer = Transfer::of(&spec(&sound.plan, 1), 5_000);
    let imap4 = sound.plan.class("imap4").expect("it is there").index();
    let service = |variant: &VariantReport| variant.summary.classes[imap4].service.max;
    assert_eq!(service(&slow), service(&sound) + transfer.thread_held * 2);
}

#[test]
fn the_warm_up_is_not_counted() {
    let text = front_end("26624", "").replace("duration = \"60s\"", "duration = \"60s\"\nwarmup = \"30s\"");
    let variant = &ran(&plans(&text), EngineKind::Virtual)[0];
    let found = &writes(variant)[1];
    // Four a second, evenly: due from 30 s on, and done before 60 s.
    assert!((118..=120).contains(&found.totals.responses), "{}", found.totals.responses);
    assert_eq!(found.measured, Nanos::from_secs(30));
}

#[test]
fn the_shipped_scenario_says_what_the_kb_says() {
    let variants = ran(&shipped("kb823857"), EngineKind::Virtual);
    let of = |name: &str| variants.iter().find(|v| v.plan.variant == name).expect("it is there");
    let mean = |name: &str| writes(of(name))[0].totals.mean_response().expect("some");
    // Latency multiplies what small buffers cost, and hardly touches large ones.
    assert!(mean("200ms-1024") > Nanos::from_secs(10) && mean("200ms-32768") < Nanos::from_secs(1));
    assert!(mean("1ms-1024").0 < mean("1ms-32768").0 * 2);
    let fits = |name: &str| {
        let own = of(name).plan.limits.write_buffers.as_ref().expect("a front-end");
        own.services[0].spec.connections_that_fit(own.memory_bytes)
    };
    assert!(fits("1ms-1024") > fits("1ms-32768") && fits("1ms-32768") > fits("1ms-65536"), "memory of each connection");
    let starved = |name: &str| of(name).summary.classes.iter().any(|class| class.starved > Nanos::ZERO);
    assert!(starved("200ms-1024") && !starved("200ms-32768") && !starved("200ms-1024-accepted"));
}

/// `.reg` files name the two values by their keys, and a front-end alone reads them.
#[test]
fn the_values_come_from_a_registry_file_too() {
    let text = front_end("26624", "");
    let reg = b"Windows Registry Editor Version 5.00\r\n\r\n\
        [HKEY_LOCAL_MACHINE\\System\\CurrentControlSet\\Services\\POP3Svc\\Parameters]\r\n\"MaxBufferSize\"=dword:00008000\r\n\
        [HKEY_LOCAL_MACHINE\\System\\CurrentControlSet\\Services\\IMAP4Svc\\Parameters]\r\n\"MaxBufferSize\"=dword:00002000\r\n";
    let registries = vec![("file".to_string(), "server.reg".to_string(), reg.to_vec())];
    let with = Overrides { registries, ..Overrides::default() };
    for (more, reads) in [("", true), ("front_end = false\n", false), ("version = \"2000-sp1\"\n", false)] {
        let (plans, problems) = told(&text.replace("[write_buffers]\n", &format!("[write_buffers]\n{more}")), &with);
        let plans = plans.unwrap_or_else(|| panic!("{problems:#?}"));
        let plan = plans.iter().find(|plan| plan.variant == "file").expect("a variant more");
        let buffers = [0, 1].map(|at| spec(plan, at).buffer());
        assert_eq!(buffers, if reads { [32_768, 8_192] } else { [1_024; 2] }, "{more}");
        let warned = problems.iter().filter(|problem| problem.message.contains("does not read it")).count();
        assert_eq!(warned, if reads { 0 } else { 2 }, "{problems:#?}");
    }
}

/// What a registry check says of a value, and what the model finds: the same, but that 32,768 is recommended at most.
#[test]
fn the_registry_and_the_model_say_the_same_of_a_value() {
    let software = Software { version: Version::Exchange2003, is_front_end: true };
    let link = Link { latency: Nanos::ZERO, bits_per_second: None };
    for value in [0, 1, 512, 1_023, 1_024, 1_025, 8_192, 32_768, 33_000, 65_535, 65_536, 65_537, 131_072, u32::MAX] {
        let mut registry = Registry::empty();
        registry.set(ValueId::Pop3MaxBufferSize, value, Place::Named("a".into()));
        let warned = !registry.check(&Assumptions::default()).is_empty();
        let assumptions = atqsim::models::write_buffers::spec::Assumptions::default();
        let spec = WriteBuffersSpec { software, max_buffer_size: Some(value), link, assumptions };
        let findings = spec.findings().into_iter().filter(|finding| *finding != Finding::AboveRecommended).count();
        assert_eq!(warned, findings > 0, "{value}: {:?}", spec.findings());
    }
}
