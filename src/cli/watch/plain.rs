//! A run as plain lines, where there is no terminal: the figures of the screen, one line at a time. Not the screen.

use super::state::Screen;
use crate::models::cluster::spec::{ClusterSpec, ResourceId};
use crate::models::cluster::{Entry, GroupState, ResourceState, What};
use crate::plan::Role;

/// The run at one moment, in one line.
#[must_use]
pub fn line(screen: &Screen) -> String {
    let picture = &screen.picture;
    let mut parts = vec![picture.now.to_string()];
    for (at, node) in picture.nodes.iter().enumerate() {
        let name = if screen.nodes.len() > 1 { format!("{} ", screen.nodes[at]) } else { String::new() };
        let size = screen.status.in_effect[at].size;
        parts.push(format!("{name}{} of {size} threads, {} busy", node.live, node.busy));
    }
    let (users, others): (Vec<usize>, Vec<usize>) =
        screen.order.iter().partition(|at| screen.signs[**at].role == Role::Protocol);
    for at in users {
        let class = &picture.classes[at];
        let starved = if class.starved { " STARVED" } else { "" };
        let served = format!("{:.1}/s", class.served_per_second);
        parts.push(format!(
            "{} wait {} ({} waiting) {served}{starved}",
            screen.signs[at].name, class.wait, class.waiting
        ));
    }
    let mail: Vec<_> = others.iter().filter(|at| screen.signs[**at].role.is_mail()).map(|at| class_id(*at)).collect();
    if !mail.is_empty() {
        let (waiting, threads, wait) = picture.together(&mail);
        parts.push(format!("mail wait {wait} ({waiting} waiting), {threads} threads"));
    }
    if let (Some(spec), Some(cluster)) = (&screen.cluster, &picture.cluster) {
        for (group, (state, node)) in spec.groups.iter().zip(&cluster.groups) {
            let on = node.map_or("no node", |node| spec.nodes[node.index()].as_str());
            parts.push(format!("{} on {on} {}", group.name, group_word(*state)));
        }
    }
    if screen.is_restarting() {
        parts.push("IIS Admin restarts".into());
    }
    if (screen.status.load - 1.0).abs() > 1e-9 {
        parts.push(format!("load x {}", screen.status.load));
    }
    parts.extend(picture.late.map(|late| format!("host late by {late}: too fast for this computer")));
    parts.join("; ")
}

fn class_id(at: usize) -> crate::ids::ClassId {
    crate::ids::ClassId(at as u16)
}

/// What a group is at, in a word.
#[must_use]
pub fn group_word(state: GroupState) -> &'static str {
    match state {
        GroupState::Online => "online",
        GroupState::Offline => "OFFLINE",
        GroupState::Failed => "FAILED",
        GroupState::PartialOnline => "PARTLY ONLINE",
        GroupState::Pending => "PENDING",
    }
}

/// What a resource is at, in a word.
#[must_use]
pub fn resource_word(state: ResourceState) -> &'static str {
    match state {
        ResourceState::Online => "online",
        ResourceState::Offline => "OFFLINE",
        ResourceState::Failed => "FAILED",
        ResourceState::OnlinePending => "comes online",
        ResourceState::OfflinePending => "goes offline",
    }
}

/// An entry of the cluster's event log in few words; its text in the log has more.
#[must_use]
pub fn event_words(entry: &Entry, spec: &ClusterSpec) -> String {
    let resource = |id: ResourceId| {
        let own = &spec.resources[id.index()];
        format!("{}.{}", spec.groups[own.group.index()].name, own.name)
    };
    let on = entry.node.map_or_else(String::new, |node| format!(" on {}", spec.nodes[node.index()]));
    match entry.what {
        What::FailedIsAlive(id) => format!("{}{on} has failed: its probes went unanswered", resource(id)),
        What::FailedOnline(id) => format!("{}{on} has failed: it did not come online in time", resource(id)),
        What::FailedStartBit(id) => format!("{}{on} cannot be started", resource(id)),
        What::Restarted(id) => format!("{}{on} is restarted", resource(id)),
        What::LeftFailed(id) => format!("{} is past its restarts and stays failed", resource(id)),
        What::Retried(id) => format!("{} is tried once more", resource(id)),
        What::Abandoned(id) => format!("{}{on}: what was still in service is lost", resource(id)),
        _ => entry.text(spec),
    }
}
