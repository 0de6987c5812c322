//! `verify --parity`: twins of recorded runs, the rules that judge them, and what the command prints.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use atqsim::engine::recording::{Recorder, Recording};
use atqsim::engine::{Options, RunOutput, threaded, twin, virtual_time};
use atqsim::metrics::host::HostVerdict;
use atqsim::plan::Plan;
use atqsim::policy::decision_log::Trace;
use atqsim::scenario::{self, Base, Overrides, builtin};
use atqsim::time::Nanos;
use atqsim::verify::parity::judge::{Figures, Noise, Three, Verdict, judge, slow_hand_over};
use atqsim::verify::parity::{self, repeated};

/// Two services, two variants.
const SMALL: &str = r#"
format = 1
title = "Small"
seed = 5
duration = "20s"
speed = 40

[node]
processors = 2

[smtp]
virtual_servers = 2
[smtp.in]
wait = "30ms"
[smtp.queues]
pre-submission = { cpu = "1ms" }
pre-categorization = { wait = { mean = "300ms" } }
pre-routing = { cpu = "1ms" }
local-delivery = { wait = { mean = "300ms" } }
dsn = { cpu = "1ms" }

[pop3]
timeout = "5s"
[pop3.commands]
stat = { wait = "10ms" }

[imap4]
[imap4.commands]
noop = { cpu = "1ms" }

[load.mail]
service = "smtp"
rate = "5/s"
[load.pop]
service = "pop3"
rate = "2/s"
script = ["stat"]
[load.imap]
service = "imap4"
clients = 5
pause = { mean = "1s" }
script = ["noop 2"]

[[variant]]
name = "untuned"
registry = "empty"
[[variant]]
name = "tuned"
registry = "recommended"
"#;

fn plans(name: &str, text: &str, duration_s: u64) -> Vec<Plan> {
    let overrides = Overrides { duration: Some(Nanos::from_secs(duration_s)), ..Overrides::default() };
    scenario::read(name, text, &Base::Builtin, &overrides).0.expect("a sound scenario")
}

fn recording_options() -> (Arc<Recorder>, Options<'static>) {
    recording_with(Recorder::default())
}

fn recording_with(recorder: Recorder) -> (Arc<Recorder>, Options<'static>) {
    let recorder = Arc::new(recorder);
    let trace = Some(Arc::clone(&recorder) as Arc<dyn Trace>);
    let options = Options { trace, recorder: Some(Arc::clone(&recorder)), ..Options::default() };
    (recorder, options)
}

fn recorded_virtual(plan: &Plan) -> (RunOutput, Recording) {
    let (recorder, options) = recording_options();
    let (output, _) = virtual_time::observe(plan, &options, Some(recorder.observer())).unwrap();
    (output, recorder.take(plan.duration))
}

fn twin_of(plan: &Plan, recording: &Recording) -> (twin::Twin, Recording) {
    let (recorder, options) = recording_options();
    let twin = twin::run(plan, recording, &options).unwrap();
    (twin, recorder.take(plan.duration))
}

/// Handlers that panic and clients that give up: what the shipped scenarios do not have.
fn faulty() -> String {
    let fault = "[[fault]]\nservice = \"smtp\"\nfrom = \"2s\"\nuntil = \"12s\"\npanics = 0.05\n";
    let text = SMALL.replace("timeout = \"5s\"", "timeout = \"200ms\"").replace("rate = \"5/s\"", "rate = \"60/s\"");
    format!("{text}\n{fault}")
}

#[test]
fn a_twin_of_virtual_time_has_its_figures_to_the_nanosecond() {
    let mut runs = 0;
    for shipped in builtin::SCENARIOS {
        // A cluster has no twin, and a scenario of limits alone has nothing in its pool.
        let has_twin = |plan: &Plan| plan.cluster.is_none() && !plan.classes.is_empty();
        for plan in plans(shipped.name, shipped.text, 100).into_iter().filter(has_twin) {
            let (output, recording) = recorded_virtual(&plan);
            let (twin, again) = twin_of(&plan, &recording);
            assert_eq!(twin.output.summary, output.summary, "{}, {}", plan.file, plan.variant);
            let items = repeated(&recording, &again);
            assert!(items.recorded > 1_000 && items.same == items.recorded, "{items:?}");
            // Without a recording it is virtual time, too.
            let (silent, _) = twin_of(&plan, &Recording::default());
            assert_eq!(silent.output.summary, output.summary, "{}, {}", plan.file, plan.variant);
            runs += 1;
        }
    }
    assert!(runs > 20);
}

#[test]
fn a_twin_repeats_panics_refusals_and_those_who_give_up() {
    let text = faulty().replace("processors = 2", "processors = 2\nwaiting_room = 60");
    let plan = &plans("faulty", &text, 20)[0];
    let (output, recording) = recorded_virtual(plan);
    let outcomes = |of: fn(&atqsim::metrics::Outcomes) -> u64| -> u64 {
        output.summary.classes.iter().map(|class| of(&class.outcomes)).sum()
    };
    let ends = [outcomes(|o| o.gave_up), outcomes(|o| o.lost), outcomes(|o| o.refused)];
    assert!(ends.iter().all(|count| *count > 5), "{ends:?}");
    assert_eq!(twin_of(plan, &recording).0.output.summary, output.summary);
}

#[test]
fn real_threads_do_what_virtual_time_does_with_their_delays() {
    let plan = Arc::new(plans("small", SMALL, 10).remove(1));
    let (recorder, options) = recording_options();
    let real = threaded::run(&plan, &options).unwrap();
    let recording = recorder.take(plan.duration);
    let (twin, again) = twin_of(&plan, &recording);
    let items = repeated(&recording, &again);
    assert!(items.recorded > 100, "{items:?}");
    assert_eq!((items.same, items.most), (items.recorded, Nanos::ZERO));
    assert_eq!(twin.phases_drawn, 0);
    let waits = |output: &RunOutput| -> Vec<_> {
        output.summary.classes.iter().map(|class| (class.started_wait.clone(), class.starved)).collect()
    };
    assert_eq!(waits(&twin.output), waits(&real));
}

#[test]
fn one_phase_that_is_a_tenth_longer_is_seen() {
    let plan = &plans("small", SMALL, 20)[0];
    let (output, mut recording) = recorded_virtual(plan);
    let life = recording.lives.values_mut().find(|life| {
        life.returned.is_some() && life.phases.first().is_some_and(|phase| phase.ended > Some(phase.began))
    });
    let phase = &mut life.expect("an item that waits").phases[0];
    phase.ended = phase.ended.map(|ended| ended + ended.since(phase.began).scale(0.1));
    let (twin, again) = twin_of(plan, &recording);
    assert_ne!(twin.output.summary, output.summary);
    let (_, untouched) = recorded_virtual(plan);
    let items = repeated(&untouched, &again);
    assert!(items.same < items.recorded && items.most > Nanos::ZERO, "{items:?}");
}

#[test]
fn phases_that_are_all_a_tenth_longer_fail_the_twin() {
    let plan = &plans("kb281868", builtin::find("kb281868").unwrap().text, 200)[1];
    let (output, mut recording) = recorded_virtual(plan);
    for phase in recording.lives.values_mut().flat_map(|life| &mut life.phases) {
        phase.ended = phase.ended.map(|ended| ended + ended.since(phase.began).scale(0.1));
    }
    let (twin, _) = twin_of(plan, &recording);
    let heavy = plan.class("smtp1.local-delivery").unwrap().index();
    let [real, twin] = [&output, &twin.output].map(|run| Three::of(&run.summary.classes[heavy]));
    let figures = Figures { real, twin, in_virtual_time: real, arrivals: output.summary.classes[heavy].arrivals };
    assert_eq!(judge(&figures, &Noise::default(), HostVerdict::Clean, true), Verdict::TwinDiffers);
}

#[test]
fn a_recording_has_a_bound_and_counts_the_rest() {
    let plan = &plans("small", SMALL, 20)[0];
    let (recorder, options) = recording_with(Recorder::with_room(50));
    let _ = virtual_time::observe(plan, &options, Some(recorder.observer())).unwrap();
    let recording = recorder.take(plan.duration);
    let (_, whole) = recorded_virtual(plan);
    assert_eq!(recording.lives.len(), 50);
    assert_eq!(recording.dropped, whole.lives.len() as u64 - 50);
    // What is there is the same; the rest is drawn.
    let (twin, again) = twin_of(plan, &recording);
    assert_eq!(repeated(&recording, &again).same, 50);
    assert!(twin.phases_drawn > twin.phases_fed);
}

#[test]
fn dealt_delays_move_figures_and_the_same_seed_moves_them_the_same_way() {
    let plan = &plans("kb281868", builtin::find("kb281868").unwrap().text, 200)[1];
    let (output, mut recording) = recorded_virtual(plan);
    for life in recording.lives.values_mut() {
        life.started = life.started.map(|started| started + Nanos::from_millis(5));
    }
    let (twin, _) = twin_of(plan, &recording);
    let deal = |seed| twin::deal(plan, &twin.suffered, seed, &Options::default()).unwrap().output.summary;
    assert_eq!(deal(1), deal(1));
    let pop3 = plan.class("pop3").unwrap().index();
    let wait = |summary: &atqsim::metrics::Summary| Three::of(&summary.classes[pop3]);
    let dealt: Vec<Three> = (0..4).map(|seed| wait(&deal(seed))).collect();
    let noise = Noise::of(&dealt, &wait(&output.summary));
    // Everybody is called 5 ms late, whoever gets whose delay.
    assert!((5_000.0..8_000.0).contains(&noise.wait_mean_us), "{noise:?}");
}

fn three(wait_ms: f64, starved_percent: f64) -> Three {
    Three { wait_mean_us: wait_ms * 1e3, wait_p99_us: 0.0, starved_percent }
}

#[test]
fn verdicts_follow_the_rules() {
    use HostVerdict::{Clean, Noisy, Unusable};
    // (real, twin, virtual) as (mean wait in ms, starved %); noise as (ms, points); host; the verdict.
    type Row = ([(f64, f64); 3], (f64, f64), HostVerdict, Verdict);
    let table: &[Row] = &[
        ([(100.0, 0.0); 3], (0.0, 0.0), Clean, Verdict::Agrees),
        ([(101.9, 0.0), (101.9, 0.0), (100.0, 0.0)], (0.0, 0.0), Clean, Verdict::Agrees),
        ([(102.1, 0.0), (102.1, 0.0), (100.0, 0.0)], (0.0, 0.0), Clean, Verdict::WaitsDiffer),
        ([(97.9, 0.0), (97.9, 0.0), (100.0, 0.0)], (0.0, 0.0), Clean, Verdict::WaitsDiffer),
        // Three times the noise, where that is more.
        ([(108.9, 0.0), (108.9, 0.0), (100.0, 0.0)], (3.0, 0.0), Noisy, Verdict::Agrees),
        ([(109.1, 0.0), (109.1, 0.0), (100.0, 0.0)], (3.0, 0.0), Noisy, Verdict::WaitsDiffer),
        // More than a quarter of the wait is allowed: too short to tell, but a difference beyond it is one.
        ([(1.5, 0.0), (1.5, 0.0), (1.0, 0.0)], (0.2, 0.0), Clean, Verdict::TooShort),
        ([(1.7, 0.0), (1.7, 0.0), (1.0, 0.0)], (0.2, 0.0), Clean, Verdict::WaitsDiffer),
        // The twin: half a percent, half a point, and nothing below a microsecond.
        ([(100.0, 0.0), (100.4, 0.0), (100.0, 0.0)], (0.0, 0.0), Clean, Verdict::Agrees),
        ([(100.0, 0.0), (100.6, 0.0), (100.0, 0.0)], (5.0, 0.0), Clean, Verdict::TwinDiffers),
        ([(100.0, 50.0), (100.0, 50.6), (100.0, 50.0)], (5.0, 9.0), Clean, Verdict::TwinDiffers),
        ([(0.0, 0.0), (0.0009, 0.0), (0.0, 0.0)], (0.001, 0.0), Clean, Verdict::TooShort),
        // Overloaded in any of the three: shares, not waits.
        ([(900.0, 50.0), (900.0, 50.0), (300.0, 51.9)], (0.0, 0.0), Clean, Verdict::StarvedAlike),
        ([(900.0, 50.0), (900.0, 50.0), (300.0, 52.1)], (0.0, 0.0), Clean, Verdict::StarvedDiffers),
        ([(900.0, 50.0), (900.0, 50.0), (300.0, 55.9)], (0.0, 2.0), Clean, Verdict::StarvedAlike),
        ([(900.0, 50.0), (900.0, 50.0), (300.0, 60.0)], (0.0, 8.4), Noisy, Verdict::TooNoisy),
        ([(900.0, 4.9), (900.0, 4.9), (300.0, 5.1)], (0.0, 0.0), Clean, Verdict::StarvedAlike),
        ([(900.0, 4.9), (900.0, 4.9), (300.0, 5.0)], (0.0, 0.0), Clean, Verdict::WaitsDiffer),
        // A host that did not keep the clock says nothing, good or bad.
        ([(100.0, 0.0); 3], (0.0, 0.0), Unusable, Verdict::NotHeld),
        ([(100.0, 0.0), (200.0, 0.0), (100.0, 0.0)], (0.0, 0.0), Unusable, Verdict::NotHeld),
    ];
    for ([real, twin, in_virtual_time], noise, host, wanted) in table {
        let of = |run: &(f64, f64)| three(run.0, run.1);
        let figures = Figures { real: of(real), twin: of(twin), in_virtual_time: of(in_virtual_time), arrivals: 30 };
        let noise = Noise { wait_mean_us: noise.0 * 1e3, starved_percent: noise.1 };
        assert_eq!(judge(&figures, &noise, *host, true), *wanted, "{figures:?} {noise:?}");
        assert_eq!(judge(&figures, &noise, *host, false), Verdict::NotHeld);
        // The waits of 29 items are luck; the twin's are not.
        if [Verdict::Agrees, Verdict::TooShort, Verdict::WaitsDiffer].contains(wanted) {
            let figures = Figures { arrivals: 29, ..figures };
            assert_eq!(judge(&figures, &noise, *host, true), Verdict::TooFew);
        }
    }
    let failures = table.iter().filter(|row| row.3.is_failure()).count();
    assert_eq!(failures, 7);
}

#[test]
fn noise_is_the_root_mean_square_from_virtual_time() {
    let dealt = [three(1.0, 4.0), three(3.0, 10.0)];
    let noise = Noise::of(&dealt, &three(0.0, 7.0));
    assert!((noise.wait_mean_us - 5_f64.sqrt() * 1e3).abs() < 1e-9);
    assert!((noise.starved_percent - 3.0).abs() < 1e-12);
    assert_eq!(Noise::of(&[], &three(1.0, 1.0)), Noise::default());
}

#[test]
fn a_slow_hand_over_cannot_hide_behind_its_own_noise() {
    let us = Nanos::from_micros;
    for (call, back, timer, slow) in
        [(15, 4, 55, false), (150, 49, 55, false), (150, 51, 55, true), (300, 90, 200, false), (400, 1, 200, true)]
    {
        assert_eq!(slow_hand_over((us(call), us(back)), us(timer)), slow, "{call} {back} {timer}");
    }
}

#[test]
fn speeds_follow_from_the_time_there_is() {
    for shipped in builtin::SCENARIOS {
        let mut plans = scenario::read(shipped.name, shipped.text, &Base::Builtin, &Overrides::default()).0.unwrap();
        let speed = parity::speed(&plans);
        assert!(speed > 1.0 && speed <= plans[0].speed, "{}: {speed}", shipped.name);
        plans.iter_mut().for_each(|plan| plan.speed = speed);
        let wall = parity::wall(&plans);
        assert!(wall <= Nanos::from_secs(76), "{}: {wall}", shipped.name);
    }
    assert_eq!(parity::speed(&[]), 1.0);
}

/// The program's exit code, stdout and stderr in a directory that has `small.toml`.
fn atqsim(folder: &Path, args: &str) -> (i32, String, String) {
    std::fs::write(folder.join("small.toml"), SMALL).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_atqsim"));
    let output = command.args(args.split_whitespace()).current_dir(folder).output().expect("the program runs");
    let text = |bytes| String::from_utf8(bytes).expect("it prints UTF-8");
    (output.status.code().expect("it ends by itself"), text(output.stdout), text(output.stderr))
}

#[test]
fn the_command_compares_every_service_of_every_variant() {
    let folder = tempfile::tempdir().unwrap();
    let (code, stdout, stderr) =
        atqsim(folder.path(), "verify --parity --scenario small.toml --duration 8s --speed 40");
    // Whether this host holds the speed is not this test's affair.
    assert!([0, 1, 5].contains(&code), "{code} {stdout}");
    assert_eq!(stderr, "");
    let opening = ["1 scenario(s), 2 variant(s)", "small.toml: speed 40, 2 variant(s), 400 ms"];
    let blocks = ["small.toml, untuned, speed 40\n", "small.toml, tuned, speed 40\n", "for twins 0.5 %"];
    for words in opening.into_iter().chain(blocks) {
        assert!(stdout.contains(words), "no `{words}` in {stdout}");
    }
    for service in ["pop3", "imap4", "smtp-in", "smtp1.pre-categorization", "smtp2.dsn"] {
        let lines = stdout.lines().filter(|line| line.trim_start().starts_with(&format!("{service} "))).count();
        assert_eq!(lines, 4, "{service}: {stdout}");
    }
    assert_eq!(stdout.matches("in the twin at the same nanosecond").count(), 2);
    assert_eq!(stdout.matches("\n  mean wait ").count(), 2);
}

#[test]
fn a_wrong_option_runs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for (args, words) in [
        ("verify --parity --scenario smal.toml", "there is no such file"),
        ("verify --parity --scenario small.toml --speed 0", "speed"),
        ("verify --parity --scenario small.toml --variant x", "no such variant"),
        ("verify --parity --quick", "cannot be used with"),
        ("verify --scenario small.toml", "--parity"),
    ] {
        let (code, stdout, stderr) = atqsim(folder.path(), args);
        assert_eq!((code, stdout.as_str()), (2, ""), "{args}: {stderr}");
        assert!(stderr.contains(words), "{args}: {stderr}");
    }
}
