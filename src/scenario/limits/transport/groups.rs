//! `[transport.groups.NAME]`: who sends, how, what, where to, and what he does with what is refused.

use super::super::{distribution_or, truth};
use super::domains::{MAILBOXES, SHARES_OFF};
use crate::models::transport::spec::Role;
use crate::models::transport::{Peer, SourceId};
use crate::plan::limits::transport::{Entrance, Group, Retry, Sessions, Share, Sizes, StallsAt, Whither};
use crate::problem::nearest;
use crate::scenario::service_time::distribution;
use crate::scenario::tree::{Entry, Node, Value, shortened};
use crate::scenario::walk::{Fields, Walk};
use crate::time::Nanos;
use crate::workload::distribution::Distribution;

const SHARE: (f64, f64) = (0.0, 1.0);
const SERVERS: (u64, u64) = (1, 1_000_000);
const ATTEMPTS: (u64, u64) = (1, 1_000_000);
const MESSAGES: (u64, u64) = (1, 10_000);
const RECIPIENTS: (u64, u64) = (1, 10_000);
const SIZE_KB: (f64, f64) = (0.001, 1e9);
const CV: (f64, f64) = (0.0, 100.0);
/// The most groups.
const GROUPS_MOST: usize = 1_000;
/// The least time to the next attempt, on average: one that comes again at once would stop the clock.
const RETRY_LEAST: Nanos = Nanos::from_millis(1);
/// What only sessions have.
const OF_SESSIONS: [&str; 13] = [
    "servers",
    "authenticated",
    "peer",
    "messages",
    "recipients",
    "unknown_recipients",
    "harvests",
    "protocol_errors",
    "command",
    "transfer",
    "stalls",
    "stalls_at",
    "patience",
];

/// Every group; `None` where one is not sound.
pub(super) fn groups(walk: &Walk<'_>, entries: &[Entry], role: Role, domains: &[String]) -> Option<Vec<Group>> {
    if let Some(entry) = entries.get(GROUPS_MOST) {
        let message = format!("there are more than {GROUPS_MOST} sections [transport.groups.NAME]");
        walk.error(&entry.key_origin, message, "join some of them");
        return None;
    }
    let mut sound = Some(Vec::new());
    let mut first_source = 0;
    for entry in entries {
        match group(walk, entry, role, domains, &mut first_source) {
            Some(group) => sound.iter_mut().for_each(|all: &mut Vec<Group>| all.push(group.clone())),
            None => sound = None,
        }
    }
    sound.filter(|all| !all.is_empty())
}

fn group(walk: &Walk<'_>, entry: &Entry, role: Role, domains: &[String], first: &mut u32) -> Option<Group> {
    let is_named = walk.check_name(&entry.key, &entry.key_origin, "the name of a group");
    let mut fields = walk.table(&entry.node, &format!("transport.groups.{}", entry.key))?;
    let honest = truth(&mut fields, "honest", true);
    let way = fields.choice("entrance", &["smtp", "mailbox", "pickup", "replay"]).unwrap_or("smtp");
    let entrance = match way {
        "smtp" => sessions(&mut fields, first).map(|sessions| Entrance::Smtp(Box::new(sessions))),
        other => without_sessions(&mut fields, other, role),
    };
    let (kb, cv) = (fields.number("size_kb", SIZE_KB, 50.0), fields.number("size_cv", CV, 0.0));
    let size = Sizes { mean: ((kb * 1024.0).round() as u64).max(1), cv };
    let sends = !matches!(&entrance, Some(Entrance::Smtp(sessions)) if sessions.harvests);
    let to = to(&mut fields, role, domains, sends);
    let retry = retry(&mut fields, honest);
    fields.finish();
    let group = Group { name: entry.key.clone(), honest, entrance: entrance?, size, to: to?, retry: retry? };
    is_named.then_some(group)
}

fn without_sessions(fields: &mut Fields<'_, '_>, way: &str, role: Role) -> Option<Entrance> {
    let walk = fields.walk;
    for key in OF_SESSIONS {
        if let Some(node) = fields.take(key) {
            let message = format!("{} does not go with entrance = \"{way}\"", fields.path(key));
            walk.error(&node.origin, message, "remove it: only sessions have it");
        }
    }
    match way {
        "mailbox" if role == Role::Edge => {
            let message = format!("{} sends from mailboxes, and an Edge server has none", fields.name());
            walk.error(fields.origin, message, "write role = \"hub\", or another entrance");
            None
        }
        "mailbox" => Some(Entrance::Mailbox),
        "pickup" => Some(Entrance::Pickup),
        _ => Some(Entrance::Replay),
    }
}

/// Senders over SMTP. Servers of different groups are different ones.
fn sessions(fields: &mut Fields<'_, '_>, first: &mut u32) -> Option<Sessions> {
    let servers = fields.whole("servers", SERVERS, 1) as u32;
    let first_source = SourceId(*first);
    *first += servers;
    let authenticated = truth(fields, "authenticated", false);
    let peer = match fields.choice("peer", &["other", "authoritative-domain", "hub"]) {
        Some("authoritative-domain") => Peer::AuthoritativeDomain,
        Some("hub") => Peer::Hub,
        _ => Peer::Other,
    };
    let messages = from_to(fields, "messages", MESSAGES);
    let recipients = from_to(fields, "recipients", RECIPIENTS);
    let unknown_recipients = fields.number("unknown_recipients", SHARE, 0.0);
    let harvests = truth(fields, "harvests", false);
    let protocol_errors = fields.number("protocol_errors", SHARE, 0.0);
    // Guess: the way there and back, and what the sender has to do.
    let command = distribution_or(fields, "command", Nanos::from_millis(50));
    // Guess: 50 KB in 200 ms are 2 Mbit/s.
    let transfer = distribution_or(fields, "transfer", Nanos::from_millis(200));
    let stalls = fields.number("stalls", SHARE, 0.0);
    let stalls_at = match fields.choice("stalls_at", &["greeting", "text"]) {
        Some("text") => StallsAt::Text,
        _ => StallsAt::Greeting,
    };
    // RFC 5321, 4.5.3.2.1: a client waits 5 minutes for the greeting.
    let patience = fields.time("patience", Nanos(1), "write a time like \"5m\"").unwrap_or(Nanos::from_secs(300));
    Some(Sessions {
        servers,
        first_source,
        authenticated,
        peer,
        messages: messages?,
        recipients: recipients?,
        unknown_recipients,
        harvests,
        protocol_errors,
        command,
        transfer,
        stalls,
        stalls_at,
        patience,
    })
}

/// `3`, or `[1, 5]`; 1 where it is not there.
fn from_to(fields: &mut Fields<'_, '_>, key: &'static str, range: (u64, u64)) -> Option<(u32, u32)> {
    let (walk, name) = (fields.walk, fields.path(key));
    let Some(node) = fields.take(key) else { return Some((1, 1)) };
    let remedy = "write a number like 3, or the least and the most like [1, 5]";
    let one = |node: &Node| walk.whole(node, &name, range, remedy).map(|n| n as u32);
    let Value::List(_) = &node.value else {
        let n = one(node)?;
        return Some((n, n));
    };
    let [least, most] = walk.list(node, &name, (2, 2))? else { return None };
    let (least, most) = (one(least), one(most));
    let (least, most) = (least?, most?);
    if least > most {
        walk.error(&node.origin, format!("{name} is from {least} to {most}"), "swap them");
        return None;
    }
    Some((least, most))
}

/// `{ mailboxes = 0.9, slow = 0.1 }`.
fn to(fields: &mut Fields<'_, '_>, role: Role, domains: &[String], sends: bool) -> Option<Vec<Share>> {
    let (walk, name) = (fields.walk, fields.path("to"));
    let Some(node) = fields.take("to") else {
        if role == Role::Hub || !sends {
            return Some(vec![Share { share: 1.0, to: Whither::Mailboxes }]);
        }
        let message = format!("{name} is missing, and an Edge server has no mailboxes");
        walk.error(fields.origin, message, "give a section [transport.domains.NAME] and write to = { NAME = 1 }");
        return None;
    };
    let mut shares = Vec::new();
    let mut is_sound = true;
    for entry in walk.entries(node, &name)? {
        let path = format!("{name}.{}", shortened(&entry.key));
        let share = walk.number(&entry.node, &path, SHARE, "give a share from 0 to 1");
        let to = match domains.iter().position(|known| *known == entry.key) {
            Some(at) => Some(Whither::Domain(at)),
            None if entry.key == MAILBOXES && role == Role::Hub => Some(Whither::Mailboxes),
            None if entry.key == MAILBOXES => {
                let message = format!("{path}: an Edge server has no mailboxes");
                walk.error(&entry.key_origin, message, "write role = \"hub\", or name a domain");
                None
            }
            None => {
                let known: Vec<&str> = std::iter::once(MAILBOXES).chain(domains.iter().map(String::as_str)).collect();
                let remedy = match nearest(&entry.key, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known are {}; give a section [transport.domains.NAME]", known.join(", ")),
                };
                walk.error(&entry.key_origin, format!("{path}: there is no such domain"), remedy);
                None
            }
        };
        is_sound &= share.is_some() && to.is_some();
        shares.extend(share.zip(to).map(|(share, to)| Share { share, to }));
    }
    let sum: f64 = shares.iter().map(|one| one.share).sum();
    if is_sound && (sum - 1.0).abs() > SHARES_OFF {
        walk.error(&node.origin, format!("the shares of {name} come to {sum}, and not to 1"), "correct them");
        is_sound = false;
    }
    is_sound.then_some(shares)
}

/// `retry`: a distribution, or `never`; and `attempts`. The inner `None`: it gives up at once.
fn retry(fields: &mut Fields<'_, '_>, honest: bool) -> Option<Option<Retry>> {
    let (walk, name) = (fields.walk, fields.path("retry"));
    // RFC 5321, 4.5.4.1: at least 30 minutes, and 4 to 5 days in all: 192 half hours are 4 days.
    // Guess: that honest senders keep to it, and that others do not come again.
    let attempts = fields.whole("attempts", ATTEMPTS, 192) as u32;
    let node = fields.take("retry");
    let is_never = |node: &Node| matches!(&node.value, Value::Text(text) if text.trim() == "never");
    let after = match node {
        None if honest => Distribution::Constant(Nanos::from_secs(1800)),
        None => return Some(None),
        Some(node) if is_never(node) => return Some(None),
        Some(node) => {
            let found = distribution(walk, node, &name)?;
            if found.mean_ns() < RETRY_LEAST.0 as f64 {
                let message = format!("{name} has a mean of less than 1ms, so that who is refused never stops asking");
                walk.error(&node.origin, message, "give a longer one, or \"never\"");
                return None;
            }
            found
        }
    };
    Some(Some(Retry { after, attempts }))
}
