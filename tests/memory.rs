//! How much memory a run takes: none for customers that have gone, at most 64 bytes for one that waits.
#![cfg(unix)]

use std::process::{Command, Stdio};

use nix::sys::resource::{UsageWho, getrusage};

/// The most memory that any child has had so far, in bytes, after one more run of `scenario`.
fn peak_after(scenario: &str, duration: &str) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("scenario.toml");
    std::fs::write(&file, scenario).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_atqsim"));
    command.arg("run").arg(&file).args(["--engine", "virtual", "--quiet", "--format", "json", "--duration", duration]);
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let kib = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss();
    u64::try_from(kib).unwrap() * 1024
}

/// One test, because the peak is that of all children so far.
#[test]
fn memory_follows_who_waits_and_not_who_came() {
    let stable = "format = 1\ntitle = \"stable\"\nduration = \"1h\"\n[node]\nprocessors = 1\nthreads = 4\n\
        [class.a]\nwait = { mean = \"10ms\" }\npatience = { mean = \"1min\" }\n\
        [load.a]\nservice = \"a\"\nrate = \"300/s\"\n";
    let few = peak_after(stable, "10s");
    let many = peak_after(stable, "50min");
    assert!(many < few + (2 << 20), "{few} bytes for 3 thousand customers, {many} for 900 thousand");

    // A million requests that wait behind a thread that never comes back, each with patience for longer than the run.
    let waiting = 1_000_000;
    let stuck = "format = 1\ntitle = \"stuck\"\nduration = \"1h\"\n[node]\nprocessors = 1\nthreads = 1\n\
        [class.a]\nwait = \"10000h\"\nmax_waiting = 2000000\npatience = { dist = \"uniform\", low = \"100h\", high = \"200h\" }\n\
        [load.a]\nservice = \"a\"\nrate = \"1000/s\"\n";
    let peak = peak_after(stuck, "1001s");
    // 64 bytes, and what a process has more or less from run to run.
    let each = (peak - few) as f64 / f64::from(waiting);
    assert!((16.0..65.0).contains(&each), "{each} bytes for each of {waiting} waiting items");
    eprintln!("{each:.1} bytes for each waiting item");
}
