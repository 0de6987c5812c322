//! `[transport.domains.NAME]`: remote domains, and how they take mail.

use super::super::distribution_or;
use crate::models::transport::DomainId;
use crate::plan::limits::transport::Domain;
use crate::scenario::walk::Fields;
use crate::time::Nanos;

const SHARE: (f64, f64) = (0.0, 1.0);
const COUNT: (u64, u64) = (1, 1_000_000);
/// The most sections.
const DOMAINS_MOST: usize = 1_000;
/// How far shares may be above 1 in sum: they are typed with few digits.
pub(super) const SHARES_OFF: f64 = 1e-9;

/// Name and place of one that no domain can have: it means the server's own mailboxes.
pub(super) const MAILBOXES: &str = "mailboxes";

/// The sections.
pub(super) struct Domains {
    /// Their names, also of those that are not sound.
    pub(super) names: Vec<String>,
    /// `None` where one is not sound.
    pub(super) sound: Option<Vec<Domain>>,
}

pub(super) fn domains(fields: &mut Fields<'_, '_>) -> Domains {
    let walk = fields.walk;
    let name = fields.path("domains");
    let entries = fields.take("domains").and_then(|node| walk.entries(node, &name)).unwrap_or_default();
    if let Some(entry) = entries.get(DOMAINS_MOST) {
        let message = format!("there are more than {DOMAINS_MOST} sections [transport.domains.NAME]");
        walk.error(&entry.key_origin, message, "join those that are alike, with `count`");
    }
    let mut sound: Option<Vec<Domain>> = Some(Vec::new());
    let mut first = 0;
    for entry in entries.iter().take(DOMAINS_MOST) {
        let mut is_sound = walk.check_name(&entry.key, &entry.key_origin, "the name of a domain");
        if entry.key == MAILBOXES {
            let message = "`mailboxes` means the server's own mailboxes, and cannot be the name of a domain";
            walk.error(&entry.key_origin, message, "call it otherwise");
            is_sound = false;
        }
        let Some(mut table) = walk.table(&entry.node, &format!("{name}.{}", entry.key)) else {
            sound = None;
            continue;
        };
        let count = table.whole("count", COUNT, 1) as u32;
        // Guess: how long a message takes on its connection depends on the other server.
        let delivery = distribution_or(&mut table, "delivery", Nanos::from_secs(2));
        let [silent, deferred, bounced] = ["silent", "deferred", "bounced"].map(|key| table.number(key, SHARE, 0.0));
        if silent + deferred + bounced > 1.0 + SHARES_OFF {
            let message = format!("silent, deferred and bounced of {} are more than 1 in sum", table.name());
            walk.error(table.origin, message, "lower one of them: the rest is delivered");
            is_sound = false;
        }
        table.finish();
        let domain =
            Domain { name: entry.key.clone(), first: DomainId(first), count, delivery, silent, deferred, bounced };
        first += count;
        sound = sound.filter(|_| is_sound);
        sound.iter_mut().for_each(|all| all.push(domain.clone()));
    }
    // Places among the names are those among the domains: where one is missing, no plan is made.
    let names = entries.iter().map(|entry| entry.key.clone()).filter(|name| name != MAILBOXES);
    Domains { names: names.collect(), sound }
}
