//! `[write_buffers]`: how a front-end writes the responses of POP3 and IMAP4 to clients behind a link (KB 823857).

use std::sync::Arc;

use super::truth;
use crate::ids::ClassId;
use crate::models::write_buffers::spec::{
    Acks, Assumptions, Finding, Held, Link, Nagle, Opening, Software, TooSmall, Version, WriteBuffersSpec, WriteReturns,
};
use crate::plan::limits::write_buffers::{FrontEnd, WriteBuffersPlan, Writer};
use crate::policy::registry::{Registry, ValueId};
use crate::problem::Problem;
use crate::scenario::Basics;
use crate::scenario::services::Services;
use crate::scenario::tree::Origin;
use crate::scenario::walk::{Fields, Walk};
use crate::time::Nanos;
use crate::workload::response::Sender;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// An IP packet has at most 65,535 bytes, and every host takes 576.
const MSS: (u64, u64) = (88, 65_495);

/// The section as it was read.
#[derive(Clone, Debug)]
pub(in crate::scenario) struct WriteBuffers {
    origin: Origin,
    software: Software,
    link: Link,
    memory_bytes: u64,
    assumptions: Assumptions,
}

pub(super) fn write_buffers(mut fields: Fields<'_, '_>, basics: &Basics) -> WriteBuffers {
    let versions = ["2000", "2000-sp1", "2000-sp2", "2000-sp3", "2003"];
    let version = match fields.choice("version", &versions) {
        Some("2000") => Version::Exchange2000,
        Some("2000-sp1") => Version::Exchange2000Sp1,
        Some("2000-sp2") => Version::Exchange2000Sp2,
        Some("2000-sp3") => Version::Exchange2000Sp3,
        _ => Version::Exchange2003,
    };
    let software = Software { version, is_front_end: truth(&mut fields, "front_end", true) };
    let latency = fields.need_time("latency", Nanos::ZERO, "give the time of one way to the client, like \"50ms\"");
    let bits_per_second = match fields.whole("bits_per_second", (0, 1_000_000_000_000), 0) {
        0 => None,
        bits => Some(bits),
    };
    let link = Link { latency: latency.unwrap_or_default(), bits_per_second };
    let mut own = Assumptions::default();
    if fields.choice("too_small", &["as-it-is", "default"]) == Some("default") {
        own.too_small = TooSmall::ReadAsDefault;
    }
    if fields.choice("write_returns", &["accepted", "acknowledged"]) == Some("acknowledged") {
        own.write_returns = WriteReturns::Acknowledged;
    }
    if fields.choice("held", &["until-written", "until-acknowledged"]) == Some("until-acknowledged") {
        own.held = Held::UntilAcknowledged;
    }
    own.send_buffer_bytes = fields.whole("send_buffer_bytes", (1, GIB), own.send_buffer_bytes);
    own.window_bytes = fields.whole("window_bytes", (1, GIB), own.window_bytes);
    let segments = fields.whole("slow_start_segments", (0, 1_000), 0) as u32;
    if segments > 0 {
        own.opening = Opening::SlowStart { initial_segments: segments };
    }
    own.mss = fields.whole("mss", MSS, own.mss.into()) as u32;
    own.header_bytes = fields.whole("header_bytes", (0, 1_000), own.header_bytes.into()) as u32;
    if truth(&mut fields, "nagle", false) {
        own.nagle = Nagle::On;
    }
    own.acks = acks(&mut fields);
    own.buffers_per_connection = fields.whole("buffers_per_connection", (1, 1_000), 1) as u32;
    own.other_bytes_per_connection = fields.whole("connection_bytes", (0, GIB), own.other_bytes_per_connection);
    own.base_bytes = fields.whole("base_mb", (0, MIB), own.base_bytes / MIB) * MIB;
    let origin = fields.origin.clone();
    let memory_bytes = basics.memory_mb.saturating_mul(MIB);
    if own.base_bytes >= memory_bytes {
        let message = format!(
            "node.memory_mb is {}, and a front-end without connections takes write_buffers.base_mb {}: no user fits",
            basics.memory_mb,
            own.base_bytes / MIB
        );
        fields.walk.error(&origin, message, "raise memory_mb, or lower base_mb");
    }
    fields.finish();
    WriteBuffers { origin, software, link, memory_bytes, assumptions: own }
}

fn acks(fields: &mut Fields<'_, '_>) -> Acks {
    let kinds = ["each-segment", "every-second-segment", "every-second-full-segment"];
    let kind = fields.choice("acks", &kinds);
    let name = fields.path("delayed_ack");
    let given = fields.peek("delayed_ack").map(|node| node.origin.clone());
    let timer = fields.time("delayed_ack", Nanos(1), "write the timer of delayed acknowledgements, like \"200ms\"");
    let timer = timer.unwrap_or(crate::models::write_buffers::spec::DELAYED_ACK);
    match kind {
        Some("every-second-segment") => Acks::EverySecondSegment { timer },
        Some("every-second-full-segment") => Acks::EverySecondFullSegment { timer },
        _ => {
            if let Some(origin) = given {
                let message = format!("{name} does not belong to acks = \"each-segment\"");
                let remedy = "remove it, or set acks = \"every-second-segment\"";
                fields.walk.error(&origin, message, remedy);
            }
            Acks::EachSegment
        }
    }
}

/// What sends the responses of a protocol.
#[derive(Clone, Debug, Default)]
pub(in crate::scenario) struct Senders([Option<Arc<WriteBuffersSpec>>; 2]);

impl Senders {
    /// What sends those of the protocol `name`.
    pub(in crate::scenario) fn of(&self, name: &str) -> Option<Arc<dyn Sender>> {
        let at = WriteBuffersPlan::SERVICES.iter().position(|(known, _)| *known == name)?;
        self.0[at].clone().map(|spec| Arc::new(Writer(spec)) as Arc<dyn Sender>)
    }
}

impl WriteBuffers {
    /// What the registry makes of it. Tells what the registry check alone cannot know.
    pub(super) fn senders(&self, walk: &Walk<'_>, registry: &Registry, services: &Services) -> Senders {
        let has = [&services.pop3, &services.imap4].map(|protocol| {
            protocol.as_ref().is_some_and(|own| own.commands.iter().any(|command| command.response.is_some()))
        });
        if has == [false; 2] {
            let message = "[write_buffers] is there, and no command of [pop3] or [imap4] has response_bytes";
            walk.error(&self.origin, message, "give one: `response_bytes = 26624` in [pop3.commands.NAME]");
        }
        let mut specs = WriteBuffersPlan::SERVICES.iter().zip(has).map(|((_, value), has)| {
            let spec = WriteBuffersSpec {
                software: self.software,
                max_buffer_size: registry.get(*value),
                link: self.link,
                assumptions: self.assumptions.clone(),
            };
            if has {
                self.tell_whether_it_is_read(walk, registry, *value, &spec);
            }
            has.then(|| Arc::new(spec))
        });
        Senders([specs.next().flatten(), specs.next().flatten()])
    }

    fn tell_whether_it_is_read(&self, walk: &Walk<'_>, registry: &Registry, id: ValueId, spec: &WriteBuffersSpec) {
        if let Some(setting) = registry.setting(id).filter(|_| spec.findings().contains(&Finding::NotRead)) {
            // ATQ: KB 823857: front-ends, from Exchange 2000 service pack 2 on.
            let message = "MaxBufferSize is set, and this software does not read it: the default of 1024 holds";
            let remedy = "set write_buffers.front_end = true and write_buffers.version = \"2000-sp2\" or later";
            walk.note(Problem::warning(setting.place.clone(), message, remedy));
        }
    }

    /// `classes` finds the class of a protocol by its name.
    pub(super) fn plan(&self, senders: &Senders, classes: impl Fn(&str) -> Option<ClassId>) -> WriteBuffersPlan {
        let service = |((name, value), spec): (&(&'static str, ValueId), &Option<Arc<WriteBuffersSpec>>)| {
            Some(FrontEnd { name, class: classes(name)?, value: *value, spec: spec.clone()? })
        };
        let services = WriteBuffersPlan::SERVICES.iter().zip(&senders.0).filter_map(service).collect();
        WriteBuffersPlan { services, memory_bytes: self.memory_bytes }
    }
}
