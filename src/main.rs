//! The `atqsim` binary: hands over to [`atqsim::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    atqsim::cli::main()
}
