//! A letter and a tint for every class: two classes never share a letter, so that colour is never the only carrier.
//!
//! Not the drawing. Called by `state`.

use crate::plan::{Plan, Role};

/// The colour of a class, whatever the terminal can show of it. Those of users' protocols are warm, those of mail cold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tint {
    /// The first protocol: POP3.
    Yellow,
    /// Other protocols: IMAP4.
    Orange,
    /// Inbound mail.
    Green,
    /// A heavy queue: the categorizer's.
    Blue,
    /// Another heavy queue: local delivery.
    Sky,
    /// Queues that need few threads.
    Grey,
    /// Probes of a cluster.
    Purple,
}

/// A class as the screen names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sign {
    /// Its name.
    pub name: String,
    /// What it is.
    pub role: Role,
    /// Its letter; no other class has it, as long as there are letters.
    pub letter: char,
    /// Its colour.
    pub tint: Tint,
}

/// What is left when a class's own letters are used up.
const OTHERS: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The signs of all classes, in their order. Classes of one kind (`smtp1.dsn`, `smtp2.dsn`) have one letter, the first as a
/// capital and the second as a small one.
#[must_use]
pub fn signs(plan: &Plan) -> Vec<Sign> {
    let kinds: Vec<&str> = plan.classes.iter().map(|class| kind(&class.name)).collect();
    let mut letter_of: Vec<(&str, char)> = Vec::new();
    for kind in &kinds {
        if !letter_of.iter().any(|(known, _)| known == kind) {
            let is_free = |letter: &char| letter_of.iter().all(|(_, taken)| taken != letter);
            let mut own = kind.chars().filter(char::is_ascii_alphabetic).map(|c| c.to_ascii_uppercase());
            if let Some(letter) = own.find(is_free) {
                letter_of.push((kind, letter));
            }
        }
    }
    let mut signs: Vec<Sign> = Vec::new();
    for (at, class) in plan.classes.iter().enumerate() {
        let letter = letter_of.iter().find(|(known, _)| *known == kinds[at]).map(|(_, letter)| *letter);
        let before = kinds[..at].iter().filter(|kind| **kind == kinds[at]).count();
        let own = match (letter, before) {
            (Some(letter), 0) => Some(letter),
            (Some(letter), 1) => Some(letter.to_ascii_lowercase()),
            _ => None,
        };
        let reserved = |c: &char| letter_of.iter().any(|(_, taken)| *taken == c.to_ascii_uppercase());
        let other = || OTHERS.chars().filter(|c| !reserved(c)).find(|c| signs.iter().all(|sign| sign.letter != *c));
        let letter = own.or_else(other).unwrap_or('?');
        signs.push(Sign { name: class.name.clone(), role: class.role, letter, tint: Tint::Grey });
    }
    let tints: Vec<Tint> = kinds.iter().zip(&plan.classes).map(|(kind, class)| tint(plan, kind, class.role)).collect();
    signs.iter_mut().zip(tints).for_each(|(sign, tint)| sign.tint = tint);
    signs
}

/// `smtp2.local-delivery`: `local-delivery`; `evs1.pop3`: `pop3`; without the `pre-` that several queues have.
fn kind(name: &str) -> &str {
    let last = name.rsplit('.').next().unwrap_or(name);
    last.strip_prefix("pre-").unwrap_or(last)
}

fn tint(plan: &Plan, own: &str, role: Role) -> Tint {
    let first_of_role = plan.classes.iter().find(|class| class.role == role).map(|class| kind(&class.name));
    let is_first = first_of_role == Some(own);
    match role {
        Role::Protocol if is_first => Tint::Yellow,
        Role::Protocol => Tint::Orange,
        Role::SmtpIn => Tint::Green,
        Role::HeavyQueue if is_first => Tint::Blue,
        Role::HeavyQueue => Tint::Sky,
        Role::LightQueue => Tint::Grey,
        Role::Probe => Tint::Purple,
    }
}
