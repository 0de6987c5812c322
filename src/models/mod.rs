//! What stands around the pool: models of the things that ask it, watch it and move its work about.
//!
//! Pure: a model is told a stimulus and answers with effects and with the next moment at which it wants to be told the
//! time. No clock, no thread, no lock, no file, no random draw; never the policy, an engine or another model. Called by
//! `engine`, which carries the effects out; no engine drives `write_buffers` and `transport` yet. The former has no deadlines:
//! it is asked what a response takes.

pub mod cluster;
pub mod domain_table;
pub mod samples;
pub mod store;
pub mod transport;
pub mod write_buffers;
