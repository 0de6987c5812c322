//! What the Internet Mail Service does: it logs on, asks for its messages, and after a failed call tries one refresh.
//!
//! The part of the store's machine that is about the service; how threads are given out is not here. A started service
//! waits for the gateway threads that it holds, then runs. A call of its own that finds no thread in time takes the
//! connection with it: no further call is made, one refresh is tried; answered, it runs on; not answered, it shuts down,
//! and is started again after a while.
//! ATQ: Q169686 (the order of the events and that there is one attempt). What each step takes: `spec::Assumptions`.

use super::events::{MessageId, What};
use super::memory::Ending;
use super::spec::Casualties;
use super::{Aside, Direction, Effect, ServiceState, Store, Work};
use crate::time::Nanos;

impl Store {
    fn becomes(&mut self, state: ServiceState, step_at: Nanos, effects: &mut Vec<Effect>) {
        self.service = state;
        self.step_at = step_at;
        effects.push(Effect::Service(state));
    }

    /// The service is started.
    pub(super) fn starts(&mut self, effects: &mut Vec<Effect>) {
        self.memory.write(self.now, What::Started);
        self.memory.life_begins(self.now);
        self.becomes(ServiceState::Starting, self.now + self.spec.assumptions.start_takes, effects);
        if self.step_at <= self.now {
            self.step(effects);
        }
    }

    /// What the service was waiting for by itself has come.
    pub(super) fn step(&mut self, effects: &mut Vec<Effect>) {
        self.step_at = Nanos::MAX;
        match self.service {
            ServiceState::Stopped => self.starts(effects),
            ServiceState::Starting => self.logs_on(effects),
            ServiceState::Refreshing => {
                let deadline = self.now + self.spec.assumptions.call_patience;
                self.threads.ask(Work::Refresh, 1, deadline);
            }
            ServiceState::ShuttingDown => self.stops(Ending::RefreshFailed, effects),
            ServiceState::LoggingOn | ServiceState::Running => {}
        }
    }

    fn logs_on(&mut self, effects: &mut Vec<Effect>) {
        let own = &self.spec.assumptions;
        let (threads, deadline) = (self.spec.threads, self.now + own.call_patience);
        self.gateways_wanted =
            if own.gateway_threads_count { threads.gateway_in.saturating_add(threads.gateway_out) } else { 0 };
        self.becomes(ServiceState::LoggingOn, Nanos::MAX, effects);
        if self.gateways_wanted == 0 {
            self.is_logged_on(effects);
        }
        for _ in 0..self.gateways_wanted {
            self.threads.ask(Work::Gateway, 1, deadline);
        }
    }

    /// The service has got one of the threads that it holds.
    pub(super) fn gateway_held(&mut self, effects: &mut Vec<Effect>) {
        self.gateways_wanted -= 1;
        if self.gateways_wanted == 0 {
            self.is_logged_on(effects);
        }
    }

    fn is_logged_on(&mut self, effects: &mut Vec<Effect>) {
        self.memory.write(self.now, What::LoggedOn);
        if let Some(since) = self.away_since.take() {
            self.memory.away += self.now.since(since);
        }
        self.becomes(ServiceState::Running, Nanos::MAX, effects);
    }

    // Guess: a start without threads is told as 4023 (Q322829 has it for another cause) and 4102.
    pub(super) fn logon_failed(&mut self, effects: &mut Vec<Effect>) {
        self.memory.write(self.now, What::NoWorkThreads);
        self.stops(Ending::NoWorkThreads, effects);
    }

    /// A running service has a call out for as many messages as it has sessions.
    pub(super) fn service_asks(&mut self) {
        if self.service != ServiceState::Running {
            return;
        }
        let own = &self.spec.assumptions;
        let (deadline, wants) = (self.now + own.call_patience, own.threads_per_call);
        let sessions = [(Direction::Inbound, own.inbound_sessions), (Direction::Outbound, own.outbound_sessions)];
        for (direction, sessions) in sessions {
            loop {
                let (mail, _) = self.mail(direction);
                if mail.asked + mail.in_service >= sessions {
                    break;
                }
                let Some(message) = mail.queue.pop_front() else { break };
                mail.asked += 1;
                self.threads.ask(Work::Message(direction, message), wants, deadline);
            }
        }
    }

    /// The call for a message has found no thread in time.
    pub(super) fn call_failed(&mut self, direction: Direction, message: MessageId, effects: &mut Vec<Effect>) {
        debug_assert_eq!(self.service, ServiceState::Running, "calls are out of a running service only");
        self.mail(direction).0.asked -= 1;
        let others = self.threads.withdraw(|work| matches!(work, Work::Message(..)));
        let others = others.into_iter().filter_map(|work| match work {
            Work::Message(direction, message) => Some((direction, message)),
            _ => None,
        });
        let others: Vec<(Direction, MessageId)> = others.collect();
        for (direction, _) in &others {
            self.mail(*direction).0.asked -= 1;
        }
        let casualties = self.spec.assumptions.casualties;
        match (casualties, direction) {
            (Casualties::OneMessage, Direction::Inbound) => {
                self.memory.write(self.now, What::MovedToBad(message));
                self.memory.write(self.now, What::ConnectionLost);
                self.memory.write(self.now, What::MovedToArchive(message));
                self.set_aside(direction, message, Aside::BadAndArchive, effects);
                self.go_back(others);
            }
            (Casualties::OneMessage, Direction::Outbound) => {
                self.memory.write(self.now, What::ConnectionLost);
                self.go_back(std::iter::once((direction, message)).chain(others).collect());
            }
            (Casualties::ByDirection, _) => {
                let all: Vec<_> = std::iter::once((direction, message)).chain(others).collect();
                for (_, message) in all.iter().filter(|(direction, _)| *direction == Direction::Outbound) {
                    self.memory.write(self.now, What::MovedToBad(*message));
                    self.set_aside(Direction::Outbound, *message, Aside::Bad, effects);
                }
                self.memory.write(self.now, What::ConnectionLost);
                for (_, message) in all.iter().filter(|(direction, _)| *direction == Direction::Inbound) {
                    self.memory.write(self.now, What::MovedToArchive(*message));
                    self.set_aside(Direction::Inbound, *message, Aside::Archive, effects);
                }
            }
        }
        self.becomes(ServiceState::Refreshing, self.now + self.spec.assumptions.refresh_after, effects);
    }

    fn set_aside(&mut self, direction: Direction, message: MessageId, aside: Aside, effects: &mut Vec<Effect>) {
        self.mail(direction).1.set_aside += 1;
        effects.push(Effect::SetAside(direction, message, aside));
    }

    /// Messages whose calls were withdrawn are the first to be asked for again, in their order.
    fn go_back(&mut self, messages: Vec<(Direction, MessageId)>) {
        for (direction, message) in messages.into_iter().rev() {
            self.mail(direction).0.queue.push_front(message);
        }
    }

    pub(super) fn refreshed(&mut self, effects: &mut Vec<Effect>) {
        self.memory.write(self.now, What::Refreshed);
        self.becomes(ServiceState::Running, Nanos::MAX, effects);
    }

    pub(super) fn refresh_failed(&mut self, effects: &mut Vec<Effect>) {
        self.memory.write(self.now, What::RefreshFailed);
        self.away_since = Some(self.now);
        self.becomes(ServiceState::ShuttingDown, self.now + self.spec.assumptions.shutdown_takes, effects);
    }

    /// The service ends and gives back what it holds. Calls that are in service still end.
    fn stops(&mut self, ending: Ending, effects: &mut Vec<Effect>) {
        self.memory.write(self.now, What::Stopped);
        self.memory.life_ends(self.now, ending);
        self.threads.withdraw(|work| *work == Work::Gateway);
        self.threads.release_all(|work| *work == Work::Gateway);
        self.gateways_wanted = 0;
        let again = self.spec.assumptions.restarted_after.map_or(Nanos::MAX, |after| self.now + after);
        self.becomes(ServiceState::Stopped, again, effects);
    }
}
