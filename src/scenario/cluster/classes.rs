//! The classes of a cluster: those of every group, named after it, and one for the probes of each watched resource.
//!
//! Not their load (`share.rs`); what a service's classes are is said in `stages.rs` for single servers and clusters
//! alike. Called by `super::super::plan_of`.

use super::super::services::Services;
use super::super::stages::{Caps, Entries, Names, Stages, requests};
use super::Cluster;
use crate::ids::{ClassId, SourceId, StageId};
use crate::models::cluster::spec::{GroupId, ResourceId, ResourceKind};
use crate::plan::Role;
use crate::policy::assumptions::Assumptions;
use crate::workload::journey::{Arrivals, Journey, Source, Stage, Then};

/// The most probes of one resource that may wait. There are never more than one or two.
const PROBES_MOST: usize = 1_000;

/// Which class and which source is whose.
#[derive(Debug, Default)]
pub(in crate::scenario) struct Owners {
    pub(super) resource_of: Vec<Option<ResourceId>>,
    pub(super) probe_class: Vec<Option<ClassId>>,
    pub(super) probe_source: Vec<Option<SourceId>>,
    /// By resource: where its probes enter.
    probe_stage: Vec<Option<StageId>>,
}

/// The name of the probes of a resource.
pub(super) fn probe_name(resource: &str) -> String {
    format!("{resource}-probe")
}

impl Cluster<'_> {
    /// The classes and stages of all groups.
    pub(in crate::scenario) fn stages(
        &self,
        services: &Services,
        assumptions: &Assumptions,
        caps: Caps,
    ) -> (Stages, Owners) {
        let mut all = Stages::default();
        let mut owners = Owners {
            probe_class: vec![None; self.spec.resources.len()],
            probe_source: vec![None; self.spec.resources.len()],
            probe_stage: vec![None; self.spec.resources.len()],
            ..Owners::default()
        };
        for group in 0..self.spec.groups.len() {
            self.add_group(GroupId(group as u16), &mut all, &mut owners, services, assumptions, caps);
        }
        (all, owners)
    }

    fn add_group(
        &self,
        group: GroupId,
        all: &mut Stages,
        owners: &mut Owners,
        services: &Services,
        assumptions: &Assumptions,
        caps: Caps,
    ) {
        let name = &self.spec.groups[group.index()].name;
        let own = || self.spec.resources.iter().enumerate().filter(|(_, resource)| resource.group == group);
        let mut entries = Entries::default();
        // As on a single server: POP3, IMAP4, SMTP, wherever a list of resources has them.
        for kind in [ResourceKind::Pop3, ResourceKind::Imap4, ResourceKind::Smtp] {
            for (at, _) in own().filter(|(_, resource)| resource.kind == kind) {
                match (kind, &services.pop3, &services.imap4, &services.smtp) {
                    (ResourceKind::Pop3, Some(pop3), ..) => {
                        entries.pop3 = Some(all.add_protocol(&format!("{name}.pop3"), pop3, None));
                    }
                    (ResourceKind::Imap4, _, Some(imap4), _) => {
                        entries.imap4 = Some(all.add_protocol(&format!("{name}.imap4"), imap4, None));
                    }
                    (ResourceKind::Smtp, .., Some(smtp)) if !smtp.queues.is_empty() => {
                        let names = Names { inbound: format!("{name}.smtp-in"), queues: vec![format!("{name}.")] };
                        entries.smtp = Some(all.add_smtp(smtp, &[1.0], &names, assumptions, caps));
                    }
                    // Told where the service is missing.
                    _ => {}
                }
                owners.resource_of.resize(all.classes.len(), Some(ResourceId(at as u16)));
            }
        }
        for (at, resource) in own().filter(|(_, resource)| resource.watch.is_some()) {
            let name = format!("{name}.{}", probe_name(&resource.name));
            let class = all.add_class(name.clone(), Role::Probe, requests(PROBES_MOST));
            let phases = self.probes[at].clone();
            all.stages.push(Stage { name, class, phases, patience: None, then: Then::End });
            owners.probe_class[at] = Some(class);
            owners.probe_stage[at] = Some(StageId((all.stages.len() - 1) as u16));
            owners.resource_of.push(Some(ResourceId(at as u16)));
        }
        all.entries.push(entries);
    }

    /// Adds a source for the probes of each watched resource, behind those of the load.
    pub(in crate::scenario) fn add_probes(
        &self,
        sources: &mut Vec<Source>,
        groups: &mut Vec<GroupId>,
        owners: &mut Owners,
    ) {
        for (at, resource) in self.spec.resources.iter().enumerate() {
            let Some(stage) = owners.probe_stage[at] else { continue };
            let group = &self.spec.groups[resource.group.index()].name;
            let name = format!("{group}.{}", probe_name(&resource.name));
            owners.probe_source[at] = Some(SourceId(sources.len() as u16));
            sources.push(Source { name, arrivals: Arrivals::OnCall, journey: Journey::Message(stage) });
            groups.push(resource.group);
        }
    }
}
