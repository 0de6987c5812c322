//! A cluster of nodes that hosts Exchange virtual servers, and its health monitor.
//!
//! See `spec` for what a cluster is made of.

pub mod spec;
