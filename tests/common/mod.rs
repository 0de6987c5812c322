//! How the command-line tests run the program: clean environment, a watchdog, small scenarios in a directory of their own.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

use tempfile::TempDir;

/// A run that takes longer than this hangs and is killed, which fails its test. No test takes a tenth of it.
pub(crate) const HANGS: Duration = Duration::from_secs(120);

/// Two services, two variants, 20 s of emulated time: half a second each on real threads.
pub(crate) const SMALL: &str = r#"
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

/// One service without queues, for faults.
pub(crate) const ONLY_POP3: &str = r#"
format = 1
title = "Only POP3"
duration = "20s"
speed = 40
[node]
processors = 2
[pop3]
[pop3.commands]
stat = { wait = "10ms" }
[load.pop]
service = "pop3"
rate = "20/s"
script = ["stat"]
"#;

/// A directory in which the program runs.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Place {
    /// With `small.toml` and `pop3.toml` in it.
    pub(crate) fn new() -> Place {
        let place = Place { folder: TempDir::new().unwrap() };
        place.write("small.toml", SMALL);
        place.write("pop3.toml", ONLY_POP3);
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Runs the program with these arguments, parted by blanks.
    pub(crate) fn run(&self, args: &str) -> Ran {
        self.run_args(&args.split_whitespace().collect::<Vec<_>>(), "")
    }

    pub(crate) fn run_args(&self, args: &[&str], stdin: &str) -> Ran {
        let mut command = Command::new(program());
        command.args(args).current_dir(self.folder.path());
        clean(&mut command);
        ran(assert_cmd::Command::from_std(command).write_stdin(stdin).timeout(HANGS).output().unwrap())
    }
}

impl Ran {
    /// Asserts the exit code and that nothing panicked.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Ran {
        assert_eq!(self.code, Some(code), "{self:#?}");
        assert!(!self.stderr.contains("panicked at"), "{self:#?}");
        self
    }

    /// Asserts that stderr says each of these.
    #[track_caller]
    pub(crate) fn says(self, words: &[&str]) -> Ran {
        for word in words {
            assert!(self.stderr.contains(word), "no `{word}` on stderr: {self:#?}");
        }
        self
    }

    /// Asserts that stdout says each of these.
    #[track_caller]
    pub(crate) fn prints(self, words: &[&str]) -> Ran {
        for word in words {
            assert!(self.stdout.contains(word), "no `{word}` on stdout: {self:#?}");
        }
        self
    }

    /// Asserts that nothing at all was said on stderr.
    #[track_caller]
    pub(crate) fn quiet(self) -> Ran {
        assert_eq!(self.stderr, "");
        self
    }

    /// Asserts that stdout is empty.
    #[track_caller]
    pub(crate) fn prints_nothing(self) -> Ran {
        assert_eq!(self.stdout, "");
        self
    }

    /// The report on stdout.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        parse(&self.stdout)
    }
}

#[track_caller]
pub(crate) fn parse(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

pub(crate) fn program() -> &'static str {
    env!("CARGO_BIN_EXE_atqsim")
}

/// Takes out of the environment what changes the output.
pub(crate) fn clean(command: &mut Command) {
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "RUST_BACKTRACE"] {
        command.env_remove(name);
    }
}

pub(crate) fn ran(output: Output) -> Ran {
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("stdout is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("stderr is UTF-8"),
    }
}
