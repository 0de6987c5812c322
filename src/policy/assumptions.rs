//! What the published texts leave open about the pool's shape, the KB's formulas and the work queues, each as a named
//! setting with its reason.
//!
//! Not registry values (`registry`) and not decisions. Filled from a scenario by `scenario`, read by `sizing`,
//! `recommend`, `dispatch` and `regfile`, listed by `report` and `cli`.

use super::drain::Drain;
use super::order::Order;
use crate::problem::{Place, Problem, nearest};

/// An enum whose variants have one kebab-case name each.
macro_rules! named {
    ($(#[$meta:meta])* $kind:ident { $($(#[$variant_meta:meta])* $variant:ident = $name:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $kind { $($(#[$variant_meta])* $variant,)+ }

        impl $kind {
            /// Every variant, in the order in which they are declared.
            pub const ALL: &'static [$kind] = &[$($kind::$variant,)+];

            /// The name in scenario files and reports.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $($kind::$variant => $name,)+ }
            }

            /// The variant of this name; names are lower case.
            #[must_use]
            pub fn from_name(name: &str) -> Option<$kind> {
                match name { $($name => Some($kind::$variant),)+ _ => None }
            }
        }
    };
}

named! {
    /// The five work queues that each SMTP virtual server has.
    // ATQ: SMTP has five work queues that draw on the ATQ threads (KB 281868).
    // Guess: their names. The KB gives none; these are the queues of advanced queuing that do work (TechNet aa997040).
    SmtpQueue {
        /// Accepted messages; event sinks run here.
        PreSubmission = "pre-submission",
        /// Messages that wait for the directory: the categorizer's queue.
        PreCategorization = "pre-categorization",
        /// Categorized messages that wait for a next hop.
        PreRouting = "pre-routing",
        /// Messages for mailboxes of this server: the store driver's queue.
        LocalDelivery = "local-delivery",
        /// Delivery status notifications that wait to be submitted.
        Dsn = "dsn",
    }
}

named! {
    /// How often `AdditionalPoolThreadsPerProc` counts.
    AdditionalThreads {
        /// Once, when the SMTP service starts.
        Once = "once",
        /// Once for each SMTP virtual server that starts.
        PerStart = "per-start",
    }
}

named! {
    /// How the formula's fraction becomes a whole `AdditionalPoolThreadsPerProc`.
    Rounding {
        /// Down.
        Floor = "floor",
        /// Up.
        Ceil = "ceil",
    }
}

named! {
    /// What the formula for `AdditionalPoolThreadsPerProc` divides by in the end.
    FormulaDivisor {
        /// The printed 2.
        Two = "two",
        /// The number of virtual servers.
        VirtualServers = "virtual-servers",
    }
}

named! {
    /// Which key of the SMTP service counts for the two values of KB 281868.
    QueuingKey {
        /// `SMTPSVC\Queuing` only, as the KB says.
        Queuing = "queuing",
        /// `SMTPSVC\Queuing`, and where a value is absent there, `SMTPSvc\Parameters`, as ExBPA says.
        Parameters = "parameters",
    }
}

/// Every undocumented choice that the pool's shape, the formulas and the dispatch need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assumptions {
    /// How often the additional threads count.
    pub additional_threads: AdditionalThreads,
    /// Rounding of the formula's additional threads.
    pub additional_rounding: Rounding,
    /// Last divisor of the formula.
    pub formula_divisor: FormulaDivisor,
    /// `MaxPoolThreads` where the registry has none, threads per processor: published are 4 and 10.
    pub max_pool_threads_default: u32,
    /// `ListenBackLog` where the registry has none, connections: published are 25 and 15. In [1, 250].
    pub listen_backlog_default: u32,
    /// The queues that `MaxPercentPoolThreads` bounds. A queue named twice counts once.
    pub heavy_queues: Vec<SmtpQueue>,
    /// The most threads that each other queue requests. At least 1.
    pub light_queue_threads: u32,
    /// How long a granted thread serves its queue.
    pub drain: Drain,
    /// In which order waiting items get the free threads.
    pub order: Order,
    /// Which registry key counts.
    pub queuing_key: QueuingKey,
}

impl Default for Assumptions {
    fn default() -> Assumptions {
        Assumptions {
            additional_threads: AdditionalThreads::Once,
            additional_rounding: Rounding::Floor,
            formula_divisor: FormulaDivisor::Two,
            max_pool_threads_default: 4,
            listen_backlog_default: 25,
            heavy_queues: vec![SmtpQueue::PreCategorization, SmtpQueue::LocalDelivery],
            light_queue_threads: 1,
            drain: Drain::UntilEmpty,
            order: Order::Port,
            queuing_key: QueuingKey::Queuing,
        }
    }
}

/// One assumption, as it is shown to a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assumption {
    /// The setting's path in a scenario file: `assumptions.additional_threads`.
    pub name: &'static str,
    /// The value that is in force.
    pub value: String,
    /// The values that may be chosen, or `fixed`.
    pub choices: &'static str,
    /// Why this is a choice, and why the default is what it is.
    pub why: &'static str,
    /// The published text that leaves it open.
    pub source: &'static str,
}

impl Assumptions {
    /// Whether `MaxPercentPoolThreads` bounds `queue`.
    #[must_use]
    pub fn is_heavy(&self, queue: SmtpQueue) -> bool {
        self.heavy_queues.contains(&queue)
    }

    /// How many different heavy queues a virtual server has; in [0, 5].
    #[must_use]
    pub fn heavy_kinds(&self) -> u32 {
        SmtpQueue::ALL.iter().map(|&queue| u32::from(self.is_heavy(queue))).sum()
    }

    /// Every problem of the settings themselves; each is an error, placed at the setting's path.
    #[must_use]
    pub fn check(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut error = |name: &str, message: String, remedy: &str| {
            problems.push(Problem::error(Place::Named(format!("assumptions.{name}")), message, remedy));
        };
        if self.light_queue_threads == 0 {
            let remedy = "set 1 or more: a queue that requests no thread never moves";
            error("light_queue_threads", "light_queue_threads is 0, and at least 1 is needed".into(), remedy);
        }
        if self.drain == Drain::Messages(0) {
            let remedy = "set messages-1 or more, or until-empty";
            error("drain", "a turn of 0 messages serves nothing".into(), remedy);
        }
        if !(1..=250).contains(&self.listen_backlog_default) {
            let found = format!("listen_backlog_default {} is outside 1 to 250", self.listen_backlog_default);
            error("listen_backlog_default", found, "set 25 (Q301310) or 15 (IIS 5.0 help)");
        }
        problems
    }

    /// Sets the assumption called `name` (without `assumptions.`) from text, as a flag has it.
    ///
    /// # Errors
    /// What was found, and what to write instead.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), (String, String)> {
        let name = name.trim_start_matches("assumptions.");
        let full = format!("assumptions.{name}");
        let list = self.list();
        let Some(known) = list.iter().find(|a| a.name == full) else {
            let names = list.iter().map(|a| a.name.trim_start_matches("assumptions."));
            let remedy = match nearest(name, names.clone()) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("the assumptions are: {}", names.collect::<Vec<_>>().join(", ")),
            };
            return Err((format!("there is no assumption {name}"), remedy));
        };
        let wrong = || (format!("{value} is no value of {name}"), format!("allowed: {}", known.choices));
        let number = || value.parse::<u32>().map_err(|_| wrong());
        match name {
            "additional_threads" => self.additional_threads = AdditionalThreads::from_name(value).ok_or_else(wrong)?,
            "additional_rounding" => self.additional_rounding = Rounding::from_name(value).ok_or_else(wrong)?,
            "formula_divisor" => self.formula_divisor = FormulaDivisor::from_name(value).ok_or_else(wrong)?,
            "queuing_key" => self.queuing_key = QueuingKey::from_name(value).ok_or_else(wrong)?,
            "order" => self.order = Order::from_name(value).ok_or_else(wrong)?,
            "drain" => self.drain = Drain::from_name(value).ok_or_else(wrong)?,
            "max_pool_threads_default" => self.max_pool_threads_default = number()?,
            "listen_backlog_default" => self.listen_backlog_default = number()?,
            "light_queue_threads" => self.light_queue_threads = number()?,
            "heavy_queues" => {
                let queues: Option<Vec<SmtpQueue>> =
                    value.split(',').map(|queue| SmtpQueue::from_name(queue.trim())).collect();
                self.heavy_queues = queues.ok_or_else(wrong)?;
            }
            _ => return Err((format!("{name} is fixed"), "it is listed so that it is known".into())),
        }
        match self.check().into_iter().next() {
            Some(problem) => Err((problem.message, problem.remedy)),
            None => Ok(()),
        }
    }

    /// Every assumption with the value that is in force, in a fixed order.
    #[must_use]
    pub fn list(&self) -> Vec<Assumption> {
        self.list_of_sizes().into_iter().chain(self.list_of_queues()).chain(list_of_fixed()).collect()
    }

    fn list_of_sizes(&self) -> [Assumption; 6] {
        [
            Assumption {
                name: "assumptions.additional_threads",
                value: self.additional_threads.name().into(),
                choices: "once, per-start",
                why: "the additional threads come \"when SMTP is started\"; the text does not say whether each virtual \
                      server is a start, though the formula's last division could be read so",
                source: "KB 281868",
            },
            Assumption {
                name: "assumptions.additional_rounding",
                value: self.additional_rounding.name().into(),
                choices: "floor, ceil",
                why: "the formula gives 18.4545 for two virtual servers, and no rounding is published; down asks for \
                      fewer threads",
                source: "KB 281868",
            },
            Assumption {
                name: "assumptions.formula_divisor",
                value: self.formula_divisor.name().into(),
                choices: "two, virtual-servers",
                why: "the formula ends in \"/ 2\", which may be a constant or the two virtual servers of the KB's \
                      example; divided by one server it gives the documented default of 6",
                source: "KB 281868",
            },
            Assumption {
                name: "assumptions.max_pool_threads_default",
                value: self.max_pool_threads_default.to_string(),
                choices: "4, 10, or any other number",
                why: "published defaults differ; 4 is what the KB's formula needs to come out at 10 threads per \
                      processor",
                source: "Q196016 (4), Q301310 and Q143180 (10)",
            },
            Assumption {
                name: "assumptions.listen_backlog_default",
                value: self.listen_backlog_default.to_string(),
                choices: "25, 15, or any other number from 1 to 250",
                why: "published defaults differ",
                source: "Q301310 (25), IIS 5.0 help (15)",
            },
            Assumption {
                name: "assumptions.queuing_key",
                value: self.queuing_key.name().into(),
                choices: "queuing, parameters",
                why: "the KB puts both values under SMTPSVC\\Queuing, ExBPA under SMTPSvc\\Parameters; the other \
                      queuing values that are documented live under Queuing",
                source: "KB 281868, ExBPA aa998026 and aa997700",
            },
        ]
    }

    fn list_of_queues(&self) -> [Assumption; 6] {
        let heavy: Vec<&str> = SmtpQueue::ALL.iter().filter(|&&q| self.is_heavy(q)).map(|q| q.name()).collect();
        [
            Assumption {
                name: "assumptions.heavy_queues",
                value: if heavy.is_empty() { "none".into() } else { heavy.join(", ") },
                choices: "any of pre-submission, pre-categorization, pre-routing, local-delivery, dsn",
                why: "two of the five queues may use up to 90 % of the threads; the text names neither, and these two \
                      wait on something outside the process (the directory, the store)",
                source: "KB 281868",
            },
            Assumption {
                name: "assumptions.light_queue_threads",
                value: self.light_queue_threads.to_string(),
                choices: "1 or more",
                why: "nothing published bounds the other three queues",
                source: "KB 281868",
            },
            Assumption {
                name: "assumptions.drain",
                value: self.drain.to_string(),
                choices: "until-empty, messages-N",
                why: "how long a thread stays with a queue that asked for it is not published",
                source: "KB 281868",
            },
            Assumption {
                name: "assumptions.order",
                value: self.order.name().into(),
                choices: "port, priority, oldest-eligible, reserve",
                why: "threads are taken to leave the completion port in its order; the other orders are ours, to ask what \
                      they would change",
                source: "Microsoft, I/O Completion Ports",
            },
            Assumption {
                name: "assumptions.counted_servers",
                value: "smtp-virtual-servers".into(),
                choices: "fixed",
                why: "the formula counts \"virtual server instances\"; each SMTP virtual server has its own queues, so \
                      those are counted, and POP3 and IMAP4 ones are not",
                source: "KB 281868",
            },
            Assumption {
                name: "assumptions.cap_base",
                value: "configured-pool-size".into(),
                choices: "fixed",
                why: "the text says a percentage of \"ATQ threads\" and not whether of those alive or of the most \
                      there may be; rounded down, at least 1",
                source: "KB 281868",
            },
        ]
    }
}

/// Readings that are built in; they are listed so that they are known.
fn list_of_fixed() -> [Assumption; 4] {
    [
        Assumption {
            name: "assumptions.thread_requests",
            value: "one-per-waiting-message".into(),
            choices: "fixed",
            why: "\"threads that each queue will request\" is read as packets in the completion port: a queue asks for one \
                  thread for each waiting message, and what it has asked for and holds stays within its ceiling",
            source: "KB 281868",
        },
        Assumption {
            name: "assumptions.growth",
            value: "on-demand".into(),
            choices: "fixed",
            why: "when the pool creates threads is not published; here when a packet waits and no thread is idle",
            source: "Q301310 (MaxPoolThreads, ThreadTimeout)",
        },
        Assumption {
            name: "assumptions.processors",
            value: "first-come-first-served".into(),
            choices: "fixed",
            why: "a cpu phase keeps its processor to its end; the phases are short against a time slice of Windows",
            source: "none",
        },
        Assumption {
            name: "assumptions.follower",
            value: "before-the-thread-returns".into(),
            choices: "fixed",
            why: "a message is put on its next queue, or a session's next command comes, before the thread that served \
                  it goes back to the port",
            source: "none",
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        assert!(SmtpQueue::ALL.iter().all(|&v| SmtpQueue::from_name(v.name()) == Some(v)));
        assert!(AdditionalThreads::ALL.iter().all(|&v| AdditionalThreads::from_name(v.name()) == Some(v)));
        assert!(Rounding::ALL.iter().all(|&v| Rounding::from_name(v.name()) == Some(v)));
        assert!(FormulaDivisor::ALL.iter().all(|&v| FormulaDivisor::from_name(v.name()) == Some(v)));
        assert!(QueuingKey::ALL.iter().all(|&v| QueuingKey::from_name(v.name()) == Some(v)));
        assert_eq!(SmtpQueue::ALL.len(), 5, "KB 281868 counts five");
        assert_eq!(SmtpQueue::from_name("DSN"), None);
    }

    #[test]
    fn the_list_has_each_setting_once_with_its_value_in_force() {
        let mut assumptions = Assumptions { drain: Drain::Messages(3), ..Assumptions::default() };
        assumptions.heavy_queues = vec![SmtpQueue::Dsn, SmtpQueue::PreSubmission, SmtpQueue::Dsn];
        let list = assumptions.list();
        let mut names: Vec<_> = list.iter().map(|a| a.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), list.len());
        let value = |name: &str| list.iter().find(|a| a.name == name).map(|a| a.value.clone()).unwrap();
        assert_eq!(value("assumptions.drain"), "messages-3");
        assert_eq!(value("assumptions.heavy_queues"), "pre-submission, dsn");
        assert_eq!(assumptions.heavy_kinds(), 2);
        assert_eq!(value("assumptions.max_pool_threads_default"), "4");
    }

    #[test]
    fn every_assumption_can_be_set_by_name_and_mistakes_are_told() {
        let mut assumptions = Assumptions::default();
        for (name, value) in [
            ("additional_threads", "per-start"),
            ("assumptions.additional_rounding", "ceil"),
            ("formula_divisor", "virtual-servers"),
            ("queuing_key", "parameters"),
            ("drain", "messages-8"),
            ("order", "priority"),
            ("max_pool_threads_default", "10"),
            ("listen_backlog_default", "15"),
            ("light_queue_threads", "2"),
            ("heavy_queues", "dsn, pre-routing"),
        ] {
            assumptions.set(name, value).unwrap();
        }
        assert!(assumptions.list().iter().filter(|a| a.choices != "fixed").all(|a| {
            let default = Assumptions::default().list().into_iter().find(|b| b.name == a.name).unwrap();
            default.value != a.value
        }));
        for (name, value, message) in [
            ("additional_rounding", "up", "up is no value of additional_rounding"),
            ("light_queue_threads", "0", "light_queue_threads is 0, and at least 1 is needed"),
            ("cap_base", "live", "cap_base is fixed"),
            ("drian", "until-empty", "there is no assumption drian"),
        ] {
            assert_eq!(assumptions.clone().set(name, value).unwrap_err().0, message);
        }
    }

    #[test]
    fn settings_that_would_stop_a_queue_are_refused() {
        assert_eq!(Assumptions::default().check(), []);
        let wrong = Assumptions {
            light_queue_threads: 0,
            drain: Drain::Messages(0),
            listen_backlog_default: 251,
            ..Assumptions::default()
        };
        assert_eq!(wrong.check().len(), 3);
    }
}
