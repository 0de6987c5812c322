//! Whole runs of clusters on both engines: what becomes of messages, sessions and threads when services and nodes come and
//! go. The state machine alone: `cluster_model.rs`.

mod cluster {
    mod any_cluster;
    mod both_engines;
    mod logs;
    mod virtual_time;
    pub(crate) mod world;
}
