//! `atqsim` emulates the Asynchronous Thread Queue (ATQ) of IIS 5.0/6.0 as Exchange 2000/2003 loads it, and tells who
//! starved on the shared pool of threads, for how long, and what a tuned registry changes (KB 281868).
//!
//! The house is laid out in layers; `ARCHITECTURE.md` says which room may know which.

pub mod calendar;
pub mod cli;
pub mod engine;
pub mod ids;
pub mod item;
pub mod metrics;
pub mod models;
pub mod plan;
pub mod policy;
pub mod pool;
pub mod problem;
pub mod regfile;
pub mod report;
pub mod rng;
pub mod run;
pub mod scenario;
pub mod time;
pub mod verify;
pub mod workload;
