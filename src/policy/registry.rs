//! The registry values of the pool and its surroundings, each once, and the settings that one node has.
//!
//! Not a reader of files (`regfile`) and not arithmetic on the values (`sizing`). The only place that knows a value's
//! name, key, default and range. Called by `sizing`, `recommend`, `regfile`, `scenario`, `report` and `cli`.

mod table;

use super::assumptions::Assumptions;
use crate::problem::{Place, Problem, line_and_column};
use std::collections::BTreeMap;
use std::fmt::Write as _;

pub use table::TABLE;

/// What names a registry value inside the program. One `ValueId` is one (key, name): `MaxPoolThreads` exists in two
/// keys and has two ids. What a value means is in [`TABLE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ValueId {
    /// `MaxPercentPoolThreads` of `SMTPSVC\Queuing`.
    MaxPercentPoolThreads,
    /// `AdditionalPoolThreadsPerProc` of `SMTPSVC\Queuing`.
    AdditionalPoolThreadsPerProc,
    /// `MaxPoolThreads` of `InetInfo\Parameters`.
    MaxPoolThreads,
    /// `PoolThreadLimit` of `InetInfo\Parameters`.
    PoolThreadLimit,
    /// `ThreadTimeout` of `InetInfo\Parameters`.
    ThreadTimeout,
    /// `MaxConcurrency` of `InetInfo\Parameters`.
    MaxConcurrency,
    /// `ListenBackLog` of `InetInfo\Parameters`.
    ListenBackLog,
    /// `UseAcceptEx` of `InetInfo\Parameters`.
    UseAcceptEx,
    /// `AcceptExOutstanding` of `InetInfo\Parameters`.
    AcceptExOutstanding,
    /// `AcceptExTimeout` of `InetInfo\Parameters`.
    AcceptExTimeout,
    /// `FileCacheMaxHandles` of `InetInfo\Parameters`.
    FileCacheMaxHandles,
    /// `MsgHandleThreshold` of `SMTPSVC\Queuing`.
    MsgHandleThreshold,
    /// `MsgHandleAsyncThreshold` of `SMTPSVC\Queuing`.
    MsgHandleAsyncThreshold,
    /// `ZombieDomainEntryThreshold` of `SMTPSVC\Queuing`.
    ZombieDomainEntryThreshold,
    /// `MaxMessageObjects` of `Exchange\Mailmsg`.
    MaxMessageObjects,
    /// `MaxPoolThreads` of `MSExchangeIS\ParametersNetIf`.
    StoreMaxPoolThreads,
    /// `MaxConcurrency` of `MSExchangeIS\ParametersNetIf`.
    StoreMaxConcurrency,
    /// `ThreadTimeout` of `MSExchangeIS\ParametersNetIf`.
    StoreThreadTimeout,
    /// `Max Threads(Private+Public)` of `MSExchangeIS\ParametersSystem`.
    StoreMaxThreads,
    /// `Minimum Threads` of `MSExchangeIS\ParametersSystem`.
    StoreMinimumThreads,
    /// `Background Threads` of `MSExchangeIS\ParametersSystem`.
    StoreBackgroundThreads,
    /// `Gateway In Threads` of `MSExchangeIS\ParametersPrivate`.
    GatewayInThreads,
    /// `Gateway Out Threads` of `MSExchangeIS\ParametersPrivate`.
    GatewayOutThreads,
    /// `POP3 Protocol Logging Level` of `MSExchangeIS\ParametersSystem`.
    Pop3LoggingLevel,
    /// `IMAP4 Protocol Logging Level` of `MSExchangeIS\ParametersSystem`.
    Imap4LoggingLevel,
    /// `MaxBufferSize` of `POP3Svc\Parameters`.
    Pop3MaxBufferSize,
    /// `MaxBufferSize` of `IMAP4Svc\Parameters`.
    Imap4MaxBufferSize,
}

/// What a value counts as where the registry has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultData {
    /// This number.
    Value(u32),
    /// A number that depends on the machine, the version or an assumption; the text says on what.
    Computed(&'static str),
    /// The published texts do not say.
    NotPublished,
}

/// One registry value (`REG_DWORD`), as published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryValue {
    /// Its name inside the program.
    pub id: ValueId,
    /// Its name in the registry, in Microsoft's spelling.
    pub name: &'static str,
    /// Other published spellings of the name.
    pub aliases: &'static [&'static str],
    /// Its key below `HKEY_LOCAL_MACHINE`.
    pub key: &'static str,
    /// Keys that other published texts give.
    pub other_keys: &'static [&'static str],
    /// What counts where the value is absent.
    pub default: DefaultData,
    /// The least and the most that is accepted. What is published, but for `MaxPercentPoolThreads` (1 to 100) and
    /// `PoolThreadLimit` (from 1), whose other values are documented nowhere or leave no pool.
    pub range: (u32, u32),
    /// The most that published advice gives; more is warned of.
    pub advised_most: Option<u32>,
    /// What it counts.
    pub unit: &'static str,
    /// What it does, in one clause.
    pub meaning: &'static str,
    /// Where that is published.
    pub source: &'static str,
    /// Whether the emulated pool uses it.
    pub modelled: bool,
    /// The section of a scenario whose limit uses it, beside the pool: `[store]`, `[domains]`.
    pub limit: Option<&'static str>,
}

impl ValueId {
    /// The row of [`TABLE`].
    #[must_use]
    pub fn value(self) -> &'static RegistryValue {
        &TABLE[self as usize]
    }
}

impl RegistryValue {
    /// Whether `name` is this value's name or an alias, in any case of letters. A part of the key may stand before it,
    /// which tells it from values of the same name: `POP3Svc\MaxBufferSize`.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        let (of, name) = name.rsplit_once('\\').map_or((None, name), |(of, name)| (Some(of), name));
        let is_of = |of: &str| self.key.split('\\').any(|part| part.eq_ignore_ascii_case(of));
        of.is_none_or(is_of) && self.has_name(name)
    }

    /// The name as a scenario has to write it: where others of the name are as likely meant, with a part of its key.
    #[must_use]
    pub fn full_name(&self) -> String {
        let is_of_inetinfo = |value: &RegistryValue| value.key.to_lowercase().contains(r"\inetinfo\");
        let namesakes = || TABLE.iter().filter(|other| other.has_name(self.name));
        if namesakes().count() == 1 || namesakes().any(is_of_inetinfo) {
            return self.name.to_string();
        }
        let of = self.key.split('\\').rev().nth(1).unwrap_or(self.key);
        format!(r"{of}\{}", self.name)
    }

    fn has_name(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name) || self.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(name))
    }

    /// The default as a reader wants it: `90`, a rule, or `not published`.
    #[must_use]
    pub fn default_text(&self) -> String {
        match self.default {
            DefaultData::Value(data) => data.to_string(),
            DefaultData::Computed(rule) => rule.to_string(),
            DefaultData::NotPublished => "not published".to_string(),
        }
    }

    /// The accepted range as a reader wants it: `1 to 100`, `from 1`, `any`.
    #[must_use]
    pub fn range_text(&self) -> String {
        match self.range {
            (0, u32::MAX) => "any".to_string(),
            (least, u32::MAX) => format!("from {least}"),
            (least, most) => format!("{least} to {most}"),
        }
    }
}

/// A key in the one spelling in which keys are compared: lower case, without `HKLM\` or `HKEY_LOCAL_MACHINE\`, and
/// with any `ControlSet001` or the like as `currentcontrolset`.
///
/// A key of another hive keeps its hive, so it never equals a key of this table.
#[must_use]
pub fn canonical_key(key: &str) -> String {
    let lower = key.trim().to_lowercase();
    let below = ["hklm\\", "hkey_local_machine\\"].iter().find_map(|hive| lower.strip_prefix(hive)).unwrap_or(&lower);
    let parts: Vec<&str> = below.split('\\').filter(|part| !part.is_empty()).collect();
    let mut parts = parts;
    if parts.first() == Some(&"system")
        && let Some(set) = parts.get_mut(1)
        && set.strip_prefix("controlset").is_some_and(|n| n.len() == 3 && n.bytes().all(|b| b.is_ascii_digit()))
    {
        *set = "currentcontrolset";
    }
    parts.join("\\")
}

/// The value of this key and name, in any case of letters and with or without the hive.
#[must_use]
pub fn find(key: &str, name: &str) -> Option<&'static RegistryValue> {
    let key = canonical_key(key);
    find_by_name(name).find(|value| canonical_key(value.key) == key)
}

/// Every value of this name or alias, in any case of letters, in the order of [`TABLE`].
pub fn find_by_name(name: &str) -> impl Iterator<Item = &'static RegistryValue> {
    TABLE.iter().filter(move |value| value.is_named(name))
}

/// [`TABLE`] as a Markdown table, for the handbook.
#[must_use]
pub fn markdown_table() -> String {
    let mut text = String::from(
        "| Value | Key below `HKEY_LOCAL_MACHINE` | Default | Accepted | Unit | Used by | Meaning | Source |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for value in TABLE {
        let mut name = format!("`{}`", value.name);
        for alias in value.aliases {
            let _ = write!(name, " or `{alias}`");
        }
        let used = match (value.modelled, value.limit) {
            (true, _) => "the pool".to_string(),
            (false, Some(limit)) => format!("`{limit}`"),
            (false, None) => "-".to_string(),
        };
        let _ = writeln!(
            text,
            "| {name} | `{}` | {} | {} | {} | {used} | {} | {} |",
            value.key,
            value.default_text(),
            value.range_text(),
            value.unit,
            value.meaning,
            value.source,
        );
    }
    text
}

/// What one value is set to, and where that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The data, in the value's unit.
    pub data: u32,
    /// Where it was set.
    pub place: Place,
}

impl Setting {
    /// Where it was set, in short: `tuned.reg:12`, or `scenario`.
    #[must_use]
    pub fn origin(&self) -> String {
        match &self.place {
            Place::Span(source, span) => format!("{}:{}", source.name, line_and_column(&source.text, span.start).0),
            Place::Line(file, line) => format!("{file}:{line}"),
            Place::Named(name) => name.clone(),
        }
    }
}

/// The values that are present in one node's registry. An absent value counts as its default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registry {
    settings: BTreeMap<ValueId, Setting>,
}

impl Registry {
    /// A registry in which every value is absent.
    #[must_use]
    pub fn empty() -> Registry {
        Registry::default()
    }

    /// Sets `id` to `data`; what was there before is replaced.
    pub fn set(&mut self, id: ValueId, data: u32, place: Place) {
        self.settings.insert(id, Setting { data, place });
    }

    /// Makes `id` absent.
    pub fn remove(&mut self, id: ValueId) {
        self.settings.remove(&id);
    }

    /// Takes over every value that is present in `other`.
    pub fn overlay(&mut self, other: &Registry) {
        self.settings.extend(other.settings.iter().map(|(&id, setting)| (id, setting.clone())));
    }

    /// The data of `id`, where it is present.
    #[must_use]
    pub fn get(&self, id: ValueId) -> Option<u32> {
        self.settings.get(&id).map(|setting| setting.data)
    }

    /// The data of `id` and where they were set, where it is present.
    #[must_use]
    pub fn setting(&self, id: ValueId) -> Option<&Setting> {
        self.settings.get(&id)
    }

    /// The data that count for `id`: what is present, or the default. `None` where the default depends on the
    /// machine (`PoolThreadLimit`) or the version, or is not published.
    #[must_use]
    pub fn effective(&self, id: ValueId, assumptions: &Assumptions) -> Option<u32> {
        self.get(id).or_else(|| match (id, id.value().default) {
            (ValueId::MaxPoolThreads, _) => Some(assumptions.max_pool_threads_default),
            (ValueId::ListenBackLog, _) => Some(assumptions.listen_backlog_default),
            (_, DefaultData::Value(data)) => Some(data),
            (_, DefaultData::Computed(_) | DefaultData::NotPublished) => None,
        })
    }

    /// The values that are present, in the order of [`TABLE`].
    pub fn iter(&self) -> impl Iterator<Item = (ValueId, &Setting)> {
        self.settings.iter().map(|(&id, setting)| (id, setting))
    }

    /// How many values are present.
    #[must_use]
    pub fn len(&self) -> usize {
        self.settings.len()
    }

    /// Whether every value is absent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.settings.is_empty()
    }

    /// Every problem of the values that are present: those outside their range (an error where the pool uses the
    /// value, else a warning), those above published advice, and combinations that contradict each other.
    #[must_use]
    pub fn check(&self, assumptions: &Assumptions) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (id, setting) in self.iter() {
            problems.extend(check_one(id.value(), setting));
        }
        problems.extend(self.check_pool(assumptions));
        problems
    }

    /// The combinations that leave no pool, or contradict the documentation.
    fn check_pool(&self, assumptions: &Assumptions) -> Vec<Problem> {
        let mut problems = Vec::new();
        let base = self.effective(ValueId::MaxPoolThreads, assumptions).unwrap_or(0);
        let additional = self.effective(ValueId::AdditionalPoolThreadsPerProc, assumptions).unwrap_or(0);
        if base == 0 && additional == 0 {
            // ATQ: 0 is in the published range of MaxPoolThreads (Q196016). Guess: that it then is the number, and no
            // word for "unlimited".
            let place = self.setting(ValueId::MaxPoolThreads).map(|setting| setting.place.clone());
            problems.push(Problem::error(
                place.unwrap_or_else(|| Place::Named("assumptions.max_pool_threads_default".into())),
                "MaxPoolThreads and AdditionalPoolThreadsPerProc are both 0, which leaves a pool without threads",
                "set MaxPoolThreads to 4, its default, or remove it",
            ));
        }
        // ATQ: PoolThreadLimit is to be at least MaxPoolThreads (Q301310).
        if let Some(limit) = self.setting(ValueId::PoolThreadLimit)
            && limit.data < base
            && limit.data > 0
        {
            problems.push(Problem::warning(
                limit.place.clone(),
                format!(
                    "PoolThreadLimit {} is below MaxPoolThreads {base}, and is documented to be at least that",
                    limit.data
                ),
                "raise PoolThreadLimit, or remove it for the computed limit",
            ));
        }
        problems
    }
}

/// What is wrong with one value on its own.
fn check_one(value: &RegistryValue, setting: &Setting) -> Option<Problem> {
    let (least, most) = value.range;
    let (name, data) = (value.name, setting.data);
    let place = setting.place.clone();
    if data < least || data > most {
        let message = format!("{name} {data} is outside what is accepted, {} {}", value.range_text(), value.unit);
        let default = value.default_text();
        let remedy = match value.id {
            ValueId::MaxPercentPoolThreads => format!(
                "set 1 to 100, or remove it for the default of {default}; nothing published says what other values do"
            ),
            _ => format!("correct it, or remove it for the default: {default}"),
        };
        let problem = Problem::error(place, message, remedy);
        return Some(if value.modelled {
            problem
        } else {
            Problem { severity: crate::problem::Severity::Warning, ..problem }
        });
    }
    if value.advised_most.is_some_and(|advised| data > advised) {
        let advised = value.advised_most.unwrap_or(most);
        return Some(Problem::warning(
            place,
            format!("{name} {data} is above the published advice of at most {advised} {}", value.unit),
            format!("lower it unless that is what you want to try ({})", value.source),
        ));
    }
    let is_buffer = matches!(value.id, ValueId::Pop3MaxBufferSize | ValueId::Imap4MaxBufferSize);
    let (message, remedy) = buffer_advice(data).filter(|_| is_buffer)?;
    Some(Problem::warning(place, format!("{name} {data} {message}"), remedy))
}

/// What published texts say about a `MaxBufferSize` up to 65,536; `models::write_buffers` finds the same,
/// and says where one is above the recommended 32,768.
/// ATQ: KB 823857; ExBPA aa998628, 753c8517.
fn buffer_advice(data: u32) -> Option<(&'static str, &'static str)> {
    match data {
        0 => Some(("is what no published text says the meaning of", "remove it for the default: 1024")),
        1..1024 => Some(("is below 1024 bytes, which ExBPA calls an error", "set a multiple of 1024, or remove it")),
        _ if !data.is_multiple_of(1024) => {
            Some(("is no multiple of 1024 bytes", "set one; 65536 is meant where the KB has 65535"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
