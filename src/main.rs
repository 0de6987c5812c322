//! The `atqsim` binary: hands over to `atqsim::cli`.

fn main() {}
