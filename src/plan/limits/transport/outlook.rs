//! What averages foretell of a transport server before anything runs: how many connections its senders ask for, how many
//! messages there are for its mailboxes and for each domain.
//!
//! Not a simulation, and not the model: as if nothing were refused and nobody waited. Called by `report`, for `explain`.

use std::sync::Arc;

use super::{Entrance, Sessions, StallsAt, TransportPlan, Whither};
use crate::ids::DependencyId;
use crate::models::transport::pickup::Allowance;
use crate::models::transport::spec::{Limit, PerSource};
use crate::plan::limits::outlook::with_load;
use crate::plan::{Offered, Plan};
use crate::time::Nanos;
use crate::workload::distribution::Distribution;
use crate::workload::journey::{Phase, PhaseKind};

/// What one connection of a group is about, on average.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeanSession {
    /// How long it lasts, tarpit and silence included.
    pub seconds: f64,
    /// The same without the tarpit.
    pub seconds_without_tarpit: f64,
    /// Messages with a recipient that exists, which are handed over.
    pub messages: f64,
    /// Recipients that are asked for.
    pub recipients: f64,
    /// Those of them that do not exist.
    pub unknown: f64,
    /// Wrong commands.
    pub errors: f64,
}

impl TransportPlan {
    /// The senders as if they were services of the pool, by group, so that their offered load can be asked for: an item holds a
    /// connection for a session, or a thread for a submission; a file holds nothing.
    #[must_use]
    pub fn as_services(&self, plan: &Plan) -> Plan {
        let mut load = (*self.load).clone();
        for (at, stage) in load.stages.iter_mut().enumerate() {
            // Nothing is held for longer than the run.
            let time = Distribution::Constant(Nanos::from_f64(self.held_s(at) * 1e9).min(plan.duration));
            stage.phases = vec![Phase { kind: PhaseKind::Wait(DependencyId(0)), time }];
        }
        load.dependencies = vec!["senders".to_string()];
        let names: Vec<&str> = self.groups.iter().map(|group| group.name.as_str()).collect();
        with_load(plan, &Arc::new(load), &names)
    }

    /// For how long an item of a group holds its connection or thread, in seconds.
    fn held_s(&self, group: usize) -> f64 {
        match &self.groups[group].entrance {
            Entrance::Smtp(_) => self.session(group).map_or(0.0, |session| session.seconds),
            Entrance::Mailbox => self.mailboxes.submission.mean_ns() / 1e9,
            Entrance::Pickup | Entrance::Replay => 0.0,
        }
    }

    /// The sessions of a group; `None` where it has none.
    #[must_use]
    pub fn session(&self, group: usize) -> Option<MeanSession> {
        let Entrance::Smtp(own) = &self.groups[group].entrance else { return None };
        let receive = &self.spec.receive;
        let mean = |(least, most): (u32, u32)| f64::from(least).midpoint(f64::from(most));
        let messages = mean(own.messages);
        let handed_over = if own.harvests { 0.0 } else { messages * (1.0 - for_nobody(own)) };
        let recipients = messages * mean(own.recipients);
        let unknown = recipients * own.unknown_recipients;
        // `EHLO`, for each message `MAIL`, its recipients and `DATA` or `RSET`, and `QUIT`.
        let commands = 2.0 + 2.0 * messages + recipients;
        let errors = commands * own.protocol_errors;
        let command_s = own.command.mean_ns() / 1e9;
        let talk = (commands + errors) * command_s + handed_over * own.transfer.mean_ns() / 1e9;
        let tarpit = if own.authenticated { 0.0 } else { unknown * receive.tarpit_interval.as_secs_f64() };
        let silence = receive.connection_inactivity_timeout.as_secs_f64();
        let silent = match own.stalls_at {
            StallsAt::Greeting => silence,
            StallsAt::Text => 4.0 * command_s + silence,
        };
        let most = receive.connection_timeout.as_secs_f64();
        let lasts = |seconds: f64| ((1.0 - own.stalls) * seconds + own.stalls * silent).min(most);
        Some(MeanSession {
            seconds: lasts(talk + tarpit),
            seconds_without_tarpit: lasts(talk),
            messages: handed_over * (1.0 - own.stalls),
            recipients,
            unknown,
            errors,
        })
    }

    /// Messages of one item of a group that the server is to take.
    #[must_use]
    pub fn messages_of_item(&self, group: usize) -> f64 {
        self.session(group).map_or(1.0, |session| session.messages)
    }

    /// Messages a second for a destination, if all that the groups offer is taken.
    #[must_use]
    pub fn messages_to(&self, to: Whither, offered: &[Offered]) -> f64 {
        let of = |(at, offered): (usize, &Offered)| {
            let shares = self.groups[at].to.iter().filter(|share| share.to == to).map(|share| share.share);
            offered.per_second * self.messages_of_item(at) * shares.sum::<f64>()
        };
        offered.iter().enumerate().map(of).sum()
    }

    /// For how long an attempt holds its connection to a domain, in seconds: a silent one until it is cut, or for `at_most`.
    #[must_use]
    pub fn attempt_s(&self, domain: usize, at_most: Nanos) -> f64 {
        let own = &self.domains[domain];
        let cut = self.spec.send.connection_inactivity_time_out.min(at_most).as_secs_f64();
        (1.0 - own.silent) * own.delivery.mean_ns() / 1e9 + own.silent * cut
    }

    /// Attempts that a message for a domain takes; infinitely many where none succeeds.
    #[must_use]
    pub fn attempts(&self, domain: usize) -> f64 {
        let own = &self.domains[domain];
        let again = own.silent + own.deferred;
        if again >= 1.0 { f64::INFINITY } else { 1.0 / (1.0 - again) }
    }

    /// Connections that one source may have while so many are open, and the number that decides; `None`: as many as there are.
    #[must_use]
    pub fn of_one_source(&self, open: u32) -> Option<(u32, &'static str)> {
        let (receive, own) = (&self.spec.receive, &self.spec.assumptions);
        let count = match receive.max_inbound_connection_per_source {
            Limit::At(most) if own.per_source != PerSource::PercentageOnly => {
                Some((most, "MaxInboundConnectionPerSource"))
            }
            _ => None,
        };
        let share = match own.per_source {
            PerSource::CountOnly => None,
            _ => receive.share_of_remaining(open, own.share_rounding),
        };
        let share = share.map(|share| (share, "MaxInboundConnectionPercentagePerSource"));
        count.into_iter().chain(share).min_by_key(|(most, _)| *most)
    }

    /// What the first scans of a directory may take.
    #[must_use]
    pub fn scans<const N: usize>(&self) -> [u32; N] {
        let per_minute = self.spec.server.pickup_directory_max_messages_per_minute;
        let mut allowance = Allowance::new(per_minute, self.spec.assumptions.pickup_fraction);
        std::array::from_fn(|_| allowance.next_scan())
    }
}

/// How likely no recipient of a message exists.
fn for_nobody(own: &Sessions) -> f64 {
    let (least, most) = own.recipients;
    let unknown = own.unknown_recipients;
    if unknown <= 0.0 || unknown >= 1.0 {
        return unknown;
    }
    let numbers = f64::from(most - least) + 1.0;
    // The mean of `unknown` to the power of each number of recipients.
    libm::pow(unknown, f64::from(least)) * (1.0 - libm::pow(unknown, numbers)) / (1.0 - unknown) / numbers
}
