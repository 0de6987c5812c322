//! What ATQ decides: registry values, sizes, caps, drain rules, dispatch.
//!
//! Pure: no clock, no thread, no lock, no file, no random draw. Not the load and not the machine around the pool.
//! Called by `plan`, `pool`, `engine` and `cli`.

pub mod assumptions;
pub mod cap;
pub mod decision_log;
pub mod dispatch;
pub mod drain;
pub mod order;
pub mod processors;
pub mod recommend;
pub mod registry;
pub mod sizing;
