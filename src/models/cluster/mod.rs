//! A cluster of nodes that hosts Exchange virtual servers, and its health monitor.
pub mod spec;
use std::sync::Arc; use spec::*; use crate::time::Nanos;
/// x
#[derive(Debug)] pub struct Cluster;
/// x
#[derive(Clone, Copy, Debug, PartialEq)] pub enum Stimulus { /// x
Time, /// x
ProbeServed { /// x
resource: ResourceId, /// x
probe: u64 }, /// x
Drained { /// x
resource: ResourceId } }
/// x
#[derive(Clone, Copy, Debug, PartialEq)] pub enum Why { /// x
Restart }
/// x
#[derive(Clone, Copy, Debug, PartialEq)] pub enum Effect { /// x
Probe { /// x
resource: ResourceId, /// x
probe: u64, /// x
node: NodeId }, /// x
Close { /// x
resource: ResourceId, /// x
node: NodeId, /// x
why: Why }, /// x
Abandon { /// x
resource: ResourceId, /// x
node: NodeId }, /// x
Open { /// x
resource: ResourceId, /// x
node: NodeId }, /// x
NodeDown { /// x
node: NodeId }, /// x
NodeHangs { /// x
node: NodeId }, /// x
NodeUp { /// x
node: NodeId } }
/// x
#[derive(Clone, Debug, PartialEq)] pub struct ClusterSummary;
impl Cluster { /// x
pub fn new(_: Arc<ClusterSpec>) -> Cluster { Cluster } /// x
pub fn begin(&mut self, _: &mut Vec<Effect>) {} /// x
pub fn next_deadline(&self) -> Nanos { Nanos::MAX } /// x
pub fn tell(&mut self, _: Nanos, _: Stimulus, _: &mut Vec<Effect>) {} /// x
pub fn close_books(self, _: Nanos) -> ClusterSummary { ClusterSummary } }
