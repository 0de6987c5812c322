//! The other simulators, one file each. Each does the whole work: so many customers come, and all are served.
//!
//! Not a model of any: what a peer has for calendars and events is its own, queues and figures are the same for all
//! (`works::station`). Called by `contenders`.

pub(crate) mod desru;
pub(crate) mod nexosim;
pub(crate) mod python;
pub(crate) mod simrs;
