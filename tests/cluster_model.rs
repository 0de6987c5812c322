//! The cluster's state machine through its public door, without engines: sequences from the documentation, and laws that
//! hold whatever happens. A small driver plays the engine: it answers probes after a while or never, and says what drained.
//! Whole runs: `cluster.rs`.

mod cluster_model {
    pub(crate) mod driver;
    mod laws;
    mod sequences;
}
