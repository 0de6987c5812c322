//! The command line: one file a subcommand.
//!
//! Not arithmetic and not decisions: it reads flags, calls `run`, and prints. Called by `main`.

pub mod problems;
