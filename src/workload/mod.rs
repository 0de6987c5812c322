//! What is asked of the pool: arrivals, demand, sessions, message flow, logs.
//!
//! Never knows policy or engines. Called by `plan` and `engine`.

pub mod logs;
