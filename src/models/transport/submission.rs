//! Messages that the store driver takes from mailboxes: a line, and so many threads.
//!
//! Part of the server's machine. Not how long a submission takes: the engine says when it has ended. At High the store
//! driver begins no more, and what waits stays in its mailboxes.
//! ATQ: `MaxConcurrentMailboxSubmissions` (message throttling page); bb201658.

use std::collections::{BTreeMap, VecDeque};

use super::pressure::Level;
use super::throttle::Throttle;
use super::{Effect, GroupId, Mail, MessageId, Transport};
use crate::time::Nanos;

/// A message that is not on a queue yet: a submission or a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outside {
    pub(super) message: MessageId,
    pub(super) group: GroupId,
    pub(super) mail: Mail,
    pub(super) came: Nanos,
    /// Since when it is delayed, and by what.
    pub(super) delayed: Option<(Nanos, Throttle)>,
}

#[derive(Debug, Default)]
pub(super) struct Submissions {
    pub(super) line: VecDeque<Outside>,
    pub(super) in_service: BTreeMap<MessageId, Outside>,
}

impl Transport {
    pub(super) fn submits(&mut self, message: MessageId, group: GroupId, mail: Mail, effects: &mut Vec<Effect>) {
        assert!(self.has_mailboxes(), "an Edge server has no mailboxes");
        self.memory.group(group).messages.came += 1;
        if self.submissions.line.len() >= self.spec.assumptions.most_held {
            self.refuses_message(group, message, Throttle::ModelBound, effects);
            return;
        }
        let came = self.now;
        self.submissions.line.push_back(Outside { message, group, mail, came, delayed: None });
        self.begin_submissions(effects);
        let by = if self.level() == Level::High { Throttle::HighPressure } else { Throttle::MailboxSubmissions };
        if let Some(last) = self.submissions.line.back_mut() {
            // Whoever still waits here is the one that has just come, or was marked when it came.
            last.delayed = last.delayed.or(Some((came, by)));
        }
    }

    /// What may begin now begins, in the order in which it came.
    pub(super) fn begin_submissions(&mut self, effects: &mut Vec<Effect>) {
        let most = self.spec.server.max_concurrent_mailbox_submissions as usize;
        while self.level() < Level::High && self.submissions.in_service.len() < most {
            let Some(first) = self.submissions.line.pop_front() else { break };
            self.memory.delay_ends(self.now, first.group, first.delayed);
            let before = self.submissions.in_service.insert(first.message, first);
            assert!(before.is_none(), "numbers of messages are used once");
            effects.push(Effect::SubmissionBegins(first.message));
        }
    }

    pub(super) fn submission_ended(&mut self, message: MessageId, effects: &mut Vec<Effect>) {
        let ended = self.submissions.in_service.remove(&message).expect("only a submission that was begun ends");
        let is_too_late = self.level() == Level::High && !self.spec.assumptions.begun_messages_finish;
        let by_level = is_too_late.then_some(Throttle::HighPressure);
        match by_level.or_else(|| self.has_room(ended.mail.bytes).err()) {
            Some(by) => self.refuses_message(ended.group, message, by, effects),
            None => self.queues(message, ended.group, ended.mail, ended.came, effects),
        }
    }
}
