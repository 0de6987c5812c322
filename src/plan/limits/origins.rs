//! Where the values of the limits come from, in words: a registry setting, setup, Performance Optimizer, a default.
//!
//! Not the values' meaning (the models' `spec`s say it) and not their reading (`scenario`). Called by `report`.

use super::{DomainsPlan, StorePlan};
use crate::models::domain_table::spec::{Software, Windows};
use crate::models::store::perfopt::Answers;
use crate::models::store::spec::{Registered, Version};
use crate::policy::registry::{Registry, ValueId};

/// One of the store's numbers of threads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadValue {
    /// Its registry value.
    pub id: ValueId,
    /// What is in force.
    pub data: u32,
    /// Why: `server.reg:4`, `left by setup`, `default of 5.0`.
    pub origin: String,
}

impl Version {
    /// `5.0`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Version::V40 => "4.0",
            Version::V50 => "5.0",
            Version::V55 => "5.5",
        }
    }
}

impl Answers {
    /// What the administrator answered, as a scenario writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Answers { all_server_types: true, .. } => "all-server-types",
            Answers { few_users: true, .. } => "few-users",
            Answers { .. } => "defaults",
        }
    }
}

impl StorePlan {
    /// The registry values that it is made of.
    pub const VALUES: [ValueId; 4] = [
        ValueId::StoreMaxThreads,
        ValueId::StoreBackgroundThreads,
        ValueId::GatewayInThreads,
        ValueId::GatewayOutThreads,
    ];

    /// Its numbers of threads with their origins, in the order of [`StorePlan::VALUES`].
    #[must_use]
    pub fn thread_values(&self, registry: &Registry) -> [ThreadValue; 4] {
        let threads = self.spec.threads;
        let data = [threads.max, threads.background, threads.gateway_in, threads.gateway_out];
        let mut data = data.into_iter();
        StorePlan::VALUES.map(|id| {
            let data = data.next().expect("there are as many");
            let origin = registry.setting(id).map_or_else(|| self.without_a_setting(id, data), |found| found.origin());
            ThreadValue { id, data, origin }
        })
    }

    fn without_a_setting(&self, id: ValueId, data: u32) -> String {
        let version = self.spec.version;
        match id {
            ValueId::StoreMaxThreads if self.optimizer.is_some_and(|run| run.left.max_threads == Some(data)) => {
                let answers = self.optimizer.map_or(Answers::DEFAULTS, |run| run.answers);
                format!("left by Performance Optimizer, {}", answers.name())
            }
            // What setup leaves is never what a version has without an entry.
            ValueId::StoreMaxThreads if Registered::after_setup(version).max_threads == Some(data) => {
                "left by setup".to_string()
            }
            ValueId::StoreMaxThreads | ValueId::StoreBackgroundThreads => match version {
                Version::V40 => "default of 5.0 without an entry, taken for 4.0 as well".to_string(),
                Version::V50 => "default of 5.0 without an entry".to_string(),
                Version::V55 => "default of 5.5".to_string(),
            },
            _ => "default".to_string(),
        }
    }

    /// Threads that the service holds as long as it is logged on.
    #[must_use]
    pub fn held_by_gateway(&self) -> u32 {
        let threads = self.spec.threads;
        let counts = self.spec.assumptions.gateway_threads_count;
        if counts { threads.gateway_in.saturating_add(threads.gateway_out) } else { 0 }
    }

    /// Threads that are left for calls while the service is logged on.
    #[must_use]
    pub fn left_for_calls(&self) -> u32 {
        self.spec.threads.max.saturating_sub(self.held_by_gateway())
    }

    /// How the number of sessions comes about. ATQ: Q156063.
    #[must_use]
    pub fn sessions_worked_out(&self) -> String {
        let threads = self.spec.threads;
        format!("((({} x 3)/4 + {}) x 3)/5 + 1", threads.max, threads.background)
    }
}

impl Software {
    /// `Windows Server 2003 SP1 with the hotfix of KB 910932`.
    #[must_use]
    pub fn text(self) -> String {
        let windows = match self.windows {
            Windows::Windows2000 => "Windows 2000",
            Windows::Server2003 => "Windows Server 2003",
            Windows::Server2003Sp1 => "Windows Server 2003 SP1",
            Windows::Server2003Sp2 => "Windows Server 2003 SP2",
        };
        let edition = if self.is_x64 { " (x64)" } else { "" };
        let hotfix = if self.has_hotfix { " with the hotfix of KB 910932" } else { "" };
        format!("{windows}{edition}{hotfix}")
    }

    /// Whether it reads `ZombieDomainEntryThreshold`, and why or why not.
    #[must_use]
    pub fn reading(self) -> &'static str {
        match (self.windows, self.has_hotfix) {
            (Windows::Windows2000, _) => "no: no text names the value for Windows 2000",
            (Windows::Server2003Sp2, _) => "yes: Service Pack 2 has it",
            (Windows::Server2003, true) if !self.is_x64 => "no: the hotfix needs Service Pack 1",
            (_, true) => "yes: the hotfix has it",
            (_, false) => "no: it needs the hotfix of KB 910932 or Service Pack 2",
        }
    }
}

impl DomainsPlan {
    /// What a registry says of `ZombieDomainEntryThreshold`, with its origin; `None`: it was not added.
    #[must_use]
    pub fn threshold_set(&self, registry: &Registry) -> Option<(u32, String)> {
        let data = self.spec.zombie_domain_entry_threshold?;
        let setting = registry.setting(ValueId::ZombieDomainEntryThreshold);
        Some((data, setting.map_or_else(|| "the scenario".to_string(), |setting| setting.origin())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whether_the_value_is_read_and_why_agree() {
        for windows in [Windows::Windows2000, Windows::Server2003, Windows::Server2003Sp1, Windows::Server2003Sp2] {
            for (is_x64, has_hotfix) in [(false, false), (false, true), (true, false), (true, true)] {
                let software = Software { windows, is_x64, has_hotfix };
                let told = software.reading().starts_with("yes");
                assert_eq!(told, software.knows_the_threshold(), "{software:?}: {}", software.reading());
            }
        }
    }
}
