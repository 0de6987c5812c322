//! The event log as an administrator reads it.
//!
//! Entries of the source `MSExchangeCluster` have ids and texts that are published; those of the source `atqsim` are this
//! emulator's own words for what has no published text at hand, and have no id. Not a file format. Made by the machine,
//! read by `report`.

use super::spec::{ClusterSpec, GroupId, NodeId, ResourceId};
use crate::time::Nanos;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The resource did not answer for `IsAliveTimeout`.
    FailedIsAlive(ResourceId),
    /// The resource did not come online within `PendingTimeout`.
    FailedOnline(ResourceId),
    /// The resource was to start on a node whose pool stands still.
    FailedStartBit(ResourceId),
    /// The resource is restarted.
    Restarted(ResourceId),
    /// The resource is past its restarts and stays failed; its group stays.
    LeftFailed(ResourceId),
    /// `RetryPeriodOnFailure` is over.
    Retried(ResourceId),
    /// `PendingTimeout` is over: what was in service is lost.
    Abandoned(ResourceId),
    /// The group begins to move.
    Moves {
        /// Which.
        group: GroupId,
        /// Where to.
        to: NodeId,
        /// Because its first owner is there again, and not because something failed.
        home: bool,
    },
    /// The group comes online on its node.
    Arrives(GroupId),
    /// The group was to fail over, and no other node may host it: it starts again where it is.
    RestartsHere(GroupId),
    /// The group is past its failovers and is left failed.
    GivenUp(GroupId),
    /// No node is there that may host the group.
    NoOwner(GroupId),
    /// The service that hosts Exchange's protocols on the node is restarted by somebody.
    ServicesRestarted(NodeId),
    /// The node is gone.
    NodeDown(NodeId),
    /// The node's pool stands still.
    NodeHangs(NodeId),
    /// The node is there again.
    NodeUp(NodeId),
}

/// One entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: Nanos,
    /// The node in whose log it is, where it is in one.
    pub node: Option<NodeId>,
    /// What.
    pub what: What,
}

/// How grave an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Something failed.
    Error,
    /// Something may be wrong.
    Warning,
    /// Something went on.
    Information,
}

impl Kind {
    /// Its name in a log.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Error => "Error",
            Kind::Warning => "Warning",
            Kind::Information => "Information",
        }
    }
}

impl Entry {
    /// The event id; `None` for entries of our own.
    /// ATQ: KB 314266.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        match self.what {
            What::FailedIsAlive(_) => Some(2074),
            What::FailedOnline(_) => Some(2065),
            What::FailedStartBit(_) => Some(2086),
            _ => None,
        }
    }

    /// `MSExchangeCluster`, or `atqsim` for entries of our own.
    #[must_use]
    pub fn source(&self) -> &'static str {
        if self.id().is_some() { "MSExchangeCluster" } else { "atqsim" }
    }

    /// The category's number; the published entries are of category (4).
    #[must_use]
    pub fn category(&self) -> Option<u32> {
        self.id().map(|_| 4)
    }

    /// How grave it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.what {
            What::FailedIsAlive(_) | What::FailedOnline(_) | What::FailedStartBit(_) => Kind::Error,
            What::LeftFailed(_) | What::GivenUp(_) | What::NoOwner(_) | What::NodeDown(_) => Kind::Error,
            What::NodeHangs(_) | What::Abandoned(_) | What::Restarted(_) | What::RestartsHere(_) => Kind::Warning,
            What::Moves { home, .. } if !home => Kind::Warning,
            _ => Kind::Information,
        }
    }

    /// The resource that it is about, if it is one.
    #[must_use]
    pub fn resource(&self) -> Option<ResourceId> {
        match self.what {
            What::FailedIsAlive(id) | What::FailedOnline(id) | What::FailedStartBit(id) => Some(id),
            What::Restarted(id) | What::LeftFailed(id) | What::Retried(id) | What::Abandoned(id) => Some(id),
            _ => None,
        }
    }

    /// The group that it is about, if it is about one or a resource of one.
    #[must_use]
    pub fn group(&self, spec: &ClusterSpec) -> Option<GroupId> {
        match self.what {
            What::Moves { group, .. } | What::Arrives(group) | What::GivenUp(group) | What::NoOwner(group) => {
                Some(group)
            }
            _ => self.resource().map(|id| spec.resources[id.index()].group),
        }
    }

    /// Its text.
    #[must_use]
    pub fn text(&self, spec: &ClusterSpec) -> String {
        let resource = |id: ResourceId| {
            let own = &spec.resources[id.index()];
            format!("{} - ({})", own.display_name, spec.groups[own.group.index()].display_name)
        };
        let group = |id: GroupId| spec.groups[id.index()].name.as_str();
        let node = |id: NodeId| spec.nodes[id.index()].as_str();
        match self.what {
            What::FailedIsAlive(id) => {
                format!("{}: Cluster Service failed the isalive checking for the resource", resource(id))
            }
            What::FailedOnline(id) => format!("{}: Failed to bring the resource online", resource(id)),
            What::FailedStartBit(id) => format!(
                "{}: Failed to set the start bit in the metabase in order to start the protocol, check if any process in \
                 the system is dead",
                resource(id)
            ),
            What::Restarted(id) => format!("{} is restarted", resource(id)),
            What::LeftFailed(id) => format!("{} is past its restarts and stays failed", resource(id)),
            What::Retried(id) => format!("{} is tried once more", resource(id)),
            What::Abandoned(id) => {
                format!("{}: what was in service when PendingTimeout was over is lost", resource(id))
            }
            What::Moves { group: id, to, home: false } => format!("Group {} fails over to {}", group(id), node(to)),
            What::Moves { group: id, to, home: true } => format!("Group {} fails back to {}", group(id), node(to)),
            What::RestartsHere(id) => format!("Group {} has no other node and is restarted here", group(id)),
            What::Arrives(id) => format!("Group {} comes online here", group(id)),
            What::GivenUp(id) => format!("Group {} is past its failovers and is left failed", group(id)),
            What::NoOwner(id) => format!("Group {} has no node that may host it", group(id)),
            What::ServicesRestarted(id) => format!("IIS Admin of node {} is restarted by hand", node(id)),
            What::NodeDown(id) => format!("Node {} is down", node(id)),
            What::NodeHangs(id) => format!("Node {} hangs: its pool stands still", node(id)),
            What::NodeUp(id) => format!("Node {} is up", node(id)),
        }
    }
}
