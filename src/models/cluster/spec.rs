//! What a cluster is made of: nodes, groups of resources, and the numbers of their policies.
//!
//! Plain data, made by `scenario` and read by the cluster's state machine and by `report`. Every number has the name
//! of the cluster property that it stands for; those that nothing published settles are named assumptions
//! (`// Guess:`), and an output lists them.

use crate::time::Nanos;

/// A node, as an index into [`ClusterSpec::nodes`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NodeId(pub u16);

/// A group (one Exchange virtual server), as an index into [`ClusterSpec::groups`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct GroupId(pub u16);

/// A resource of any group, as an index into [`ClusterSpec::resources`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ResourceId(pub u16);

macro_rules! index {
    ($($id:ident),*) => {$(
        impl $id {
            /// The id as an index.
            #[must_use]
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}
index!(NodeId, GroupId, ResourceId);

/// Everything that the state machine needs to know before its first stimulus.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterSpec {
    /// Names of the nodes, in the order of the scenario; 1 to 8.
    pub nodes: Vec<String>,
    /// The groups; at least 1.
    pub groups: Vec<GroupSpec>,
    /// The resources of all groups; those of one group lie together, in the order of the groups.
    pub resources: Vec<ResourceSpec>,
    /// What happens to nodes at stated times, in order of time.
    pub faults: Vec<NodeFault>,
}

/// One Exchange virtual server: a group of resources that is on one node at a time.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupSpec {
    /// Its name, which the names of its classes begin with: `evs1`.
    pub name: String,
    /// Its name in event texts: `VIRTUAL SERVER 1`.
    pub display_name: String,
    /// The nodes that may host it, the most preferred first; at least 1, none twice.
    pub owners: Vec<NodeId>,
    /// Where it is at the begin; one of the owners.
    pub starts_on: NodeId,
    /// `FailoverThreshold`: so many failovers within `failover_period` are tolerated; the next one that is wanted leaves the
    /// group failed.
    /// ATQ: 10 in the NT 4-era SDK (cluprops). 0 tolerates none.
    pub failover_threshold: u32,
    /// `FailoverPeriod`. ATQ: 6 hours.
    pub failover_period: Nanos,
    /// `AutoFailbackType` with its window. ATQ: 0, prevented (Q197047).
    pub failback: Failback,
}

/// Whether a group goes home by itself when its most preferred owner is there again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failback {
    /// It stays where it is.
    Prevent,
    /// It goes home as soon as it can.
    Immediate,
    /// It goes home within these hours of the day, `FailbackWindowStart` (included) to `FailbackWindowEnd` (excluded); the
    /// run begins at midnight, and a window may go over midnight. Hours from 0 to 23.
    Window {
        /// First hour.
        from_hour: u8,
        /// The hour before which it goes.
        until_hour: u8,
    },
}

/// What a resource is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResourceKind {
    /// An SMTP virtual server instance: inbound requests and five work queues.
    Smtp,
    /// A POP3 virtual server instance.
    Pop3,
    /// An IMAP4 virtual server instance.
    Imap4,
    /// Something that is neither probed nor asked: a disk, an address, a name, the System Attendant, the store.
    Other,
}

/// One resource.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceSpec {
    /// Its name within its group: `pop3`.
    pub name: String,
    /// Its name in event texts: `Exchange POP3 Virtual Server Instance`.
    pub display_name: String,
    /// Whose it is.
    pub group: GroupId,
    /// What it is.
    pub kind: ResourceKind,
    /// Resources of the same group that must be online before it and go offline after it. Without cycles.
    pub depends_on: Vec<ResourceId>,
    /// `RestartThreshold`: so many restarts within `restart_period` are tolerated; the next failure escalates to the group.
    /// ATQ: 3 (mscs, resources-restartthreshold).
    pub restart_threshold: u32,
    /// `RestartPeriod`. ATQ: 900,000 ms in the property's table (the page's remarks say 90000).
    pub restart_period: Nanos,
    /// `RestartAction`. Guess: published, but its default is not at hand.
    pub restart_action: RestartAction,
    /// `RetryPeriodOnFailure`: how long a failed resource that no longer restarts stays failed before it is tried once
    /// more; `None` for never. Guess: its default was not at hand.
    pub retry_after: Option<Nanos>,
    /// `PendingTimeout`: how long coming online or going offline may take. ATQ: 180,000 ms (bb124063).
    pub pending_timeout: Nanos,
    /// How long it takes to come online, once what it depends on is. Guess: published nowhere.
    pub online_takes: Nanos,
    /// How long it takes to go offline, beside what it still has in service. Guess: published nowhere.
    pub offline_takes: Nanos,
    /// How it is watched; `None` for one that is not.
    pub watch: Option<Watch>,
}

/// `RestartAction`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartAction {
    /// A failed resource is not restarted, and its group stays (`ClusterResourceDontRestart`).
    DontRestart,
    /// It is restarted; past its threshold it stays failed, and its group stays (`ClusterResourceRestartNoNotify`).
    RestartNoNotify,
    /// It is restarted; past its threshold it fails its group over (`ClusterResourceRestartNotify`).
    RestartNotify,
}

/// How a resource is watched. Every probe is an ordinary request in the pool of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// As Exchange's resource DLL does: a monitor thread probes, and the cluster sees its last word.
    /// ATQ: KB 810860 (every 10 s, not configurable), KB 836566 (`IsAliveTimeout`, 3 minutes).
    Monitor {
        /// Time between probes; no further one while one is out.
        every: Nanos,
        /// `IsAliveTimeout`: unanswered for so long, counted from the last answer or from coming online, it has failed.
        is_alive_timeout: Nanos,
    },
    /// The generic two steps of other resource types: a shallow look and a deep one, each with a poll of its own; one
    /// that is not answered by `answer_within` fails the resource.
    /// ATQ: `LooksAlivePollInterval` 5,000 ms; `IsAlivePollInterval` 60 s. Guess: `answer_within`.
    Generic {
        /// `LooksAlivePollInterval`.
        looks_alive_every: Nanos,
        /// `IsAlivePollInterval`.
        is_alive_every: Nanos,
        /// How long an answer may take.
        answer_within: Nanos,
    },
}

/// Something that happens to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeFault {
    /// When.
    pub at: Nanos,
    /// To whom.
    pub node: NodeId,
    /// What.
    pub what: NodeEvent,
}

/// See [`NodeFault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeEvent {
    /// The node is gone, with everything that its threads did; its groups move.
    Dies,
    /// Its pool stops: nothing is begun and nothing ends, the cluster service goes on.
    Hangs,
    /// A dead node joins again, empty; a hung one goes on where it stood.
    Returns,
}
