//! A variant with a transport server and no service of the pool, for the tests of this room: the model itself makes what is
//! remembered.
//!
//! Not a run: who sends when, and how long things take, is written down here.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::VariantReport;
use super::{RUN, variant};
use crate::metrics::Metrics;
use crate::metrics::limits::{LimitFigures, SenderFigures, TransportFigures, Wanted};
use crate::models::transport::spec::{Machine, Role, TransportSpec, Version};
use crate::models::transport::{
    Caller, Destination, DomainId, Effect, GroupId, Mail, MessageId, Outcome, Peer, Said, SessionId, SourceId,
    Stimulus, Transport, Usage,
};
use crate::plan::limits::transport::{
    Domain, Entrance, Group, Mailboxes, Retry, Sessions, Share, Sizes, StallsAt, Whither,
};
use crate::plan::limits::{Limits, TransportPlan};
use crate::policy::registry::Registry;
use crate::time::Nanos;
use crate::workload::arrivals::{Pattern, RatePiece, RateProfile, Spacing};
use crate::workload::distribution::Distribution;
use crate::workload::journey::{Arrivals, Journey, LoadSpec, Source};

const GIB: u64 = 1 << 30;
const HONEST: GroupId = GroupId(0);
const FLOOD: GroupId = GroupId(1);
/// Honest messages, each in a session of its own, one every 5 s; until 99 % of the drive are used, from 300 s to 400 s.
const EVERY: u64 = 5;

const fn s(seconds: u64) -> Nanos {
    Nanos::from_secs(seconds)
}

/// `watches`: back pressure is on. A message comes every 5 s; a flood takes the 100 connections that one source may have, and
/// asks for one more. From 300 s to 400 s the drive is full.
pub(in crate::report) fn with_transport(name: &str, watches: bool) -> VariantReport {
    let mut report = variant(name, &[], Nanos::ZERO);
    let mut plan = (*report.plan).clone();
    plan.title = "Exchange 2007: throttling and back pressure".into();
    plan.classes.clear();
    plan.asserts.clear();
    plan.load = Arc::new(LoadSpec::default());
    plan.registry = Registry::empty();
    let own = plan_of(watches);
    let figures = figures(&own);
    report.limits = LimitFigures { transport: Some(figures), ..LimitFigures::default() };
    assert_eq!(report.limits.violations(), Vec::<String>::new());
    let listed = report.limits.listed();
    report.limits_over_runs = crate::metrics::failover::over_runs(&[listed.clone(), listed]);
    plan.limits = Limits { transport: Some(Arc::new(own)), ..Limits::default() };
    report.plan = Arc::new(plan);
    report.summary = Metrics::new(0, 0, Nanos::SECOND, RUN).close(RUN, [], []);
    report.counts.clear();
    report.asserts.clear();
    report.mean_waits.clear();
    report
}

fn plan_of(watches: bool) -> TransportPlan {
    let machine = Machine { queue_drive_bytes: 40 * GIB, log_drive_bytes: Some(40 * GIB), memory_bytes: 8 * GIB };
    let mut spec = TransportSpec::after_setup(Role::Hub, Version::Sp1, machine);
    spec.back_pressure.enabled = watches;
    spec.assumptions.sample_every = s(10);
    let constant = |ms| Distribution::Constant(Nanos::from_millis(ms));
    let sessions = |first: u32| Sessions {
        servers: 1,
        first_source: SourceId(first),
        authenticated: false,
        peer: Peer::Other,
        messages: (1, 1),
        recipients: (1, 1),
        unknown_recipients: 0.0,
        harvests: false,
        protocol_errors: 0.0,
        command: constant(50),
        transfer: constant(200),
        stalls: 0.0,
        stalls_at: StallsAt::Greeting,
        patience: s(300),
    };
    let group = |name: &str, honest: bool, first| Group {
        name: name.into(),
        honest,
        entrance: Entrance::Smtp(Box::new(sessions(first))),
        size: Sizes { mean: 50 << 10, cv: 0.0 },
        to: vec![Share { share: 1.0, to: Whither::Domain(0) }],
        retry: honest.then(|| Retry { after: Distribution::Constant(s(60)), attempts: 192 }),
    };
    let domain = Domain {
        name: "partner".into(),
        first: DomainId(0),
        count: 1,
        delivery: constant(30_000),
        silent: 0.0,
        deferred: 0.0,
        bounced: 0.0,
    };
    let mailboxes = Mailboxes { delivery: constant(200), submission: constant(200) };
    let source = |name: &str, group: GroupId, per_second: f64| {
        let piece = RatePiece { start: Nanos::ZERO, from: per_second, to: per_second };
        let rate = RateProfile { pieces: vec![piece], period: None };
        Source {
            name: name.into(),
            arrivals: Arrivals::Open { pattern: Pattern::Rate { spacing: Spacing::Even, rate }, batch: 1 },
            journey: Journey::Message(TransportPlan::stage(group)),
        }
    };
    let sources = vec![source("mail", HONEST, 1.0 / EVERY as f64), source("attack", FLOOD, 0.5)];
    let usages = vec![(s(300), Usage::QueueDrive(GIB / 10 * 396)), (s(400), Usage::QueueDrive(0))];
    TransportPlan::new(
        spec,
        vec![group("honest", true, 0), group("flood", false, 1)],
        vec![domain],
        mailboxes,
        usages,
        sources,
    )
}

fn figures(plan: &TransportPlan) -> TransportFigures {
    let mut model = Transport::new(Arc::clone(&plan.spec));
    let mut senders = vec![SenderFigures::default(), SenderFigures::default()];
    senders[0].honest = true;
    let mut ends: BTreeMap<Nanos, Vec<MessageId>> = BTreeMap::new();
    let mut began: BTreeMap<MessageId, Nanos> = BTreeMap::new();
    let mut effects = Vec::new();
    for second in 0..RUN.0 / Nanos::SECOND.0 {
        let now = s(second);
        while model.next_deadline() <= now {
            let at = model.next_deadline();
            model.tell(at, Stimulus::Time, &mut effects);
        }
        for (_, usage) in plan.usages.iter().filter(|(at, _)| *at == now) {
            model.tell(now, Stimulus::Uses(*usage), &mut effects);
        }
        for message in ends.remove(&now).unwrap_or_default() {
            model.tell(now, Stimulus::DeliveryEnds(message, Outcome::Delivered), &mut effects);
            senders[0].to_delivery.record(now.since(began[&message]));
        }
        let caller =
            |source, group| Caller { source: SourceId(source), group, authenticated: false, peer: Peer::Other };
        if second % EVERY == 0 {
            honest(&mut model, now, second, caller(0, HONEST), &mut senders[0], &mut effects);
            began.insert(MessageId(second), now);
        }
        if second % 2 == 0 {
            let session = SessionId(1_000_000 + second);
            model.tell(now, Stimulus::Connects { session, caller: caller(1, FLOOD) }, &mut effects);
        }
        for effect in effects.drain(..) {
            if let Effect::DeliveryBegins { message, .. } = effect {
                ends.entry(now + s(30)).or_default().push(message);
            }
        }
    }
    TransportFigures { summary: model.close_books(RUN), senders }
}

/// A session that hands a message over within one moment, if it may.
fn honest(
    model: &mut Transport,
    now: Nanos,
    number: u64,
    caller: Caller,
    own: &mut SenderFigures,
    effects: &mut Vec<Effect>,
) {
    let (session, message) = (SessionId(number), MessageId(number));
    let wanted = &mut own.messages;
    *wanted = Wanted { wanted: wanted.wanted + 1, ..*wanted };
    let before = effects.len();
    model.tell(now, Stimulus::Connects { session, caller }, effects);
    if !effects[before..].contains(&Effect::Opened(session)) {
        wanted.given_up += 1;
        return;
    }
    let mail = Mail { bytes: 50 << 10, destination: Destination::Remote(DomainId(0)) };
    for what in [
        Stimulus::Offers(session, message),
        Stimulus::Says(session, Said::Data),
        Stimulus::MessageEnds(session, mail),
        Stimulus::Quits(session),
    ] {
        model.tell(now, what, effects);
    }
    wanted.handed_over += 1;
    own.recipients_asked += 1;
    own.recipients_found += 1;
    own.to_queue.record(Nanos::ZERO);
}
