//! Coverage of the intervals: the experiments are the same on any number of threads, honest intervals pass, dishonest
//! ones do not, and runs that are too short are not believed. The full size is `atqsim verify --coverage`.

use assert_cmd::Command;
use atqsim::plan::Plan;
use atqsim::verify::coverage::{Method, Row, SYSTEMS, System, Verdict, check};
use atqsim::verify::{Settings, Tampering};
use atqsim::workload::distribution::Distribution;

fn system(case: &'static str, method: Method, items: f64) -> System {
    System { case, method, items, quick: false }
}

fn rows(system: &System, experiments: usize, settings: &Settings<'_>) -> Vec<Row> {
    check(system, experiments, settings, &|| {}).expect("it runs")
}

fn verdicts(rows: &[Row]) -> Vec<Verdict> {
    rows.iter().map(Row::verdict).collect()
}

#[test]
fn intervals_over_several_runs_cover_and_planted_mistakes_make_them_miss() {
    let system = system("mm1_rho0.5", Method::SeveralRuns, 400.0);
    let honest = rows(&system, 200, &Settings::default());
    let names: Vec<&str> = honest.iter().map(|row| row.figure.as_str()).collect();
    assert_eq!(names, ["A.thread_seconds", "A.wait_mean_s"]);
    assert!(honest.iter().all(|row| row.trusted == 200), "{honest:?}");
    assert_eq!(verdicts(&honest), [Verdict::Ok; 2], "{honest:?}");
    assert_eq!(honest, rows(&system, 200, &Settings { workers: 1, ..Settings::default() }));
    // Services that are a tenth too long: the intervals are as narrow as before, beside the exact value.
    let longer = |plan: &mut Plan| {
        for phase in std::sync::Arc::make_mut(&mut plan.load).stages.iter_mut().flat_map(|stage| &mut stage.phases) {
            phase.time = Distribution::Exponential { mean: atqsim::time::Nanos::from_f64(phase.time.mean_ns() * 1.1) };
        }
    };
    let tampering = Tampering { plan: Some(&longer), observer: None };
    let planted = rows(&system, 200, &Settings { tampering, ..Settings::default() });
    assert_eq!(verdicts(&planted), [Verdict::Low; 2], "{planted:?}");
}

#[test]
fn a_run_that_is_too_short_says_so_and_a_long_one_is_trusted() {
    let settings = Settings::default();
    let short = rows(&system("mm1_rho0.8", Method::TooShort, 5_000.0), 40, &settings);
    assert_eq!((short.len(), short[0].trusted, short[0].verdict()), (1, 0, Verdict::Ok));
    // The same runs, if one said that they were long enough.
    let pretended = rows(&system("mm1_rho0.8", Method::OneRun, 5_000.0), 40, &settings);
    assert_eq!(verdicts(&pretended), [Verdict::Doubted]);
    let long = rows(&system("mm1_rho0.5", Method::OneRun, 8_000.0), 60, &settings);
    assert_eq!((long[0].trusted, long[0].verdict()), (60, Verdict::Ok), "{long:?}");
    // And the long ones, if one said that they were short.
    let pretended = rows(&system("mm1_rho0.5", Method::TooShort, 8_000.0), 10, &settings);
    assert_eq!(verdicts(&pretended), [Verdict::Believed]);
}

#[test]
fn at_least_six_systems_are_looked_at_in_full() {
    let mut cases: Vec<&str> =
        SYSTEMS.iter().filter(|system| system.method == Method::SeveralRuns).map(|system| system.case).collect();
    cases.dedup();
    assert!(cases.len() >= 6, "{cases:?}");
    assert!(SYSTEMS.iter().any(|system| system.quick));
}

#[test]
fn the_command_line_names_the_systems_and_refuses_others() {
    let run = |args: &[&str]| {
        let output = Command::cargo_bin("atqsim").unwrap().args(["verify", "--coverage"]).args(args).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, listed, _) = run(&["--list"]);
    assert_eq!((code, listed.lines().count()), (Some(0), SYSTEMS.len()));
    let (code, listed, _) = run(&["--list", "--quick"]);
    assert!(code == Some(0) && listed.contains("mmck_c4_K10") && !listed.contains("mh2c_c4"), "{listed}");
    let (code, _, told) = run(&["--case", "mm1_rho0.88"]);
    assert!(code == Some(2) && told.contains("did you mean mm1_rho0.8?"), "{code:?} {told}");
    let (code, ..) = run(&["--show"]);
    assert_eq!(code, Some(2));
}
