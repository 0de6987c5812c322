//! What senders and receivers draw, each at an address of its own: the same item draws the same in every variant, whatever
//! became of others.

use super::TransportRun;
use super::senders::Job;
use crate::models::transport::{Destination, DomainId, Mail};
use crate::plan::limits::TransportPlan;
use crate::plan::limits::transport::{Group, Whither};
use crate::rng::Stream;

/// What is drawn.
#[derive(Clone, Copy, Debug)]
pub(super) enum Draw {
    /// How many messages there are.
    Count,
    /// Everything of a message, in this order: size, destination, recipients.
    Message(u32),
    /// Everything that one attempt at a session draws.
    Session,
    /// How long an attempt's submission takes.
    Submission,
    /// A message's delivery, by its number and the attempt.
    Delivery(u32, u32),
    /// When the next attempt is.
    Again,
}

impl Draw {
    /// Numbers of messages are below 2^14; of more attempts than 2^20 the later ones draw as earlier ones did.
    fn purpose(self, attempt: u32) -> u64 {
        let of = |kind: u64, number: u64| (kind << 36) | number;
        match self {
            Draw::Count => of(0, 0),
            Draw::Message(number) => of(1, number.into()),
            Draw::Session => of(2, attempt.into()),
            Draw::Submission => of(3, attempt.into()),
            Draw::Delivery(number, attempt) => of(4, u64::from(number) << 20 | u64::from(attempt & 0xf_ffff)),
            Draw::Again => of(5, attempt.into()),
        }
    }
}

impl TransportRun {
    pub(super) fn draw(&self, job: &Job, what: Draw) -> Stream {
        self.load.draws(&job.item, what.purpose(job.attempt))
    }
}

/// Size and destination of a message.
pub(super) fn mail(plan: &TransportPlan, group: &Group, stream: &mut Stream) -> Mail {
    let bytes = group.size.draw(stream);
    let (mut chance, within) = (stream.unit(), stream.unit());
    let mut to = group.to.last().map_or(Whither::Mailboxes, |share| share.to);
    for share in &group.to {
        if chance < share.share {
            to = share.to;
            break;
        }
        chance -= share.share;
    }
    let destination = match to {
        Whither::Mailboxes => Destination::Mailbox,
        Whither::Domain(at) => {
            let domain = &plan.domains[at];
            let which = ((within * f64::from(domain.count)) as u32).min(domain.count - 1);
            Destination::Remote(DomainId(domain.first.0 + which))
        }
    };
    Mail { bytes, destination }
}

/// Uniform between two numbers, both included.
pub(super) fn between((least, most): (u32, u32), stream: &mut Stream) -> u32 {
    let span = f64::from(most - least) + 1.0;
    least + ((stream.unit() * span) as u32).min(most - least)
}
