//! Replays the text of decision logs, line by line, through fresh dispatches, and stops at the first difference.
//!
//! Not a reader of files: `cli` gives it lines. A log may be anybody's, so an event that cannot be is told and never
//! reaches the dispatch, which would panic. Memory follows the threads and the waiting items of the log.

use super::LogLine;
use super::text::{BEGIN, Header, MAGIC, Partial, VERSION, clipped, decisions_text, event_text, parse_line, whole};
use crate::ids::ThreadId;
use crate::policy::dispatch::{Decision, Dispatch, Event};

/// Why a replay ends early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The line is none of a log. Remedy: with it.
    Malformed {
        /// What is wrong.
        message: String,
        /// What to do.
        remedy: String,
    },
    /// A fresh dispatch decides otherwise, or could not have been told this event.
    Difference {
        /// The variant whose log it is.
        variant: String,
        /// The event.
        event: String,
        /// What the log says was decided.
        logged: String,
        /// What is decided, or why the event cannot be.
        decided: String,
    },
}

/// What a replay has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Logs: one a variant. Those of the nodes of a cluster are one.
    pub logs: u64,
    /// Events that were replayed.
    pub events: u64,
    /// Decisions that agree.
    pub decisions: u64,
    /// Logs without an end: the run was cut off.
    pub cut: u64,
}

/// What a thread of the log is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seat {
    Absent,
    Starting,
    Idle,
    Busy,
    Waits,
}

#[derive(Debug)]
struct Replay {
    header: Header,
    dispatch: Dispatch<()>,
    seats: Vec<Seat>,
    events: u64,
    ended: bool,
    scratch: Vec<Decision<()>>,
}

/// See the module's head.
#[derive(Debug, Default)]
pub struct Replayer {
    /// A header that has begun.
    header: Option<Partial>,
    /// The logs of a run that is not over: of a single server that is one. None: a header is due.
    logs: Vec<Replay>,
    /// Whose lines come.
    at: usize,
    tally: Tally,
}

fn malformed(message: impl Into<String>) -> Trouble {
    let remedy = "give a log that `--trace` wrote, unchanged".to_string();
    Trouble::Malformed { message: message.into(), remedy }
}

impl Replayer {
    /// Takes the next line, without its end.
    ///
    /// # Errors
    /// [`Trouble`]; the replay is over then.
    pub fn line(&mut self, line: &str) -> Result<(), Trouble> {
        if let Some(version) = line.strip_prefix(MAGIC).and_then(|rest| rest.strip_prefix(' ')) {
            return self.begin(version);
        }
        if let Some(header) = &mut self.header {
            if line != BEGIN {
                return header.read(line).map_err(malformed);
            }
            let header = header.complete().map_err(malformed)?;
            self.header = None;
            self.begins(header);
            return Ok(());
        }
        let Some(replay) = self.logs.get_mut(self.at) else {
            let begins = clipped(line);
            let message = format!("a log begins with `{MAGIC} {VERSION}` and its header, and this line is `{begins}`");
            return Err(malformed(message));
        };
        if let Some(number) = line.strip_prefix("log ") {
            let number: usize = whole(number).map_err(malformed)?;
            if number >= self.logs.len() {
                return Err(malformed(format!("there is no log {number} yet")));
            }
            self.at = number;
            return Ok(());
        }
        if replay.ended {
            return Err(malformed("this log has ended before"));
        }
        if let Some(events) = line.strip_prefix("end ") {
            let (said, seen): (u64, u64) = (whole(events).map_err(malformed)?, replay.events);
            if said != seen {
                return Err(malformed(format!("the log ends after {said} events, and {seen} are there")));
            }
            replay.ended = true;
            if self.logs.iter().all(|replay| replay.ended) {
                self.logs.clear();
            }
            return Ok(());
        }
        let (_, logged) = parse_line(line).map_err(malformed)?;
        replay.event(logged)?;
        self.tally.events += 1;
        self.tally.decisions += replay.scratch.len() as u64;
        Ok(())
    }

    fn begin(&mut self, version: &str) -> Result<(), Trouble> {
        if self.header.is_some() {
            return Err(malformed("another log begins within a header"));
        }
        if version != VERSION.to_string() {
            let message = format!("the log is of version {}, and {VERSION} is read", clipped(version));
            let remedy = "replay it with the program that wrote it".to_string();
            return Err(Trouble::Malformed { message, remedy });
        }
        self.header = Some(Partial::default());
        Ok(())
    }

    /// A log begins: beside those of the other nodes of its run, or alone.
    fn begins(&mut self, header: Header) {
        let is_beside = |other: &Replay| other.header.node.is_some() && other.header.variant == header.variant;
        if header.node.is_none() || !self.logs.first().is_some_and(is_beside) {
            self.cut();
            self.tally.logs += 1;
        }
        let mut dispatch = Dispatch::new(&header.rules);
        if let Some((_, first_number)) = &header.node {
            dispatch.number_next(*first_number);
        }
        self.at = self.logs.len();
        self.logs.push(Replay { header, dispatch, seats: Vec::new(), events: 0, ended: false, scratch: Vec::new() });
    }

    /// What has no end by now has none.
    fn cut(&mut self) {
        self.tally.cut += self.logs.drain(..).filter(|replay| !replay.ended).count() as u64;
    }

    /// Ends the replay: there is no line left.
    ///
    /// # Errors
    /// Nothing could be replayed.
    pub fn finish(mut self) -> Result<Tally, Trouble> {
        if self.header.is_some() {
            return Err(malformed("the log ends within its header"));
        }
        self.cut();
        if self.tally.logs == 0 { Err(malformed("there is no log in it")) } else { Ok(self.tally) }
    }
}

impl Replay {
    fn event(&mut self, LogLine { event, decisions }: LogLine) -> Result<(), Trouble> {
        let difference = |decided: String| Trouble::Difference {
            variant: self.header.variant.clone(),
            event: event_text(&event),
            logged: decisions_text(&decisions),
            decided,
        };
        self.possible(&event).map_err(|why| difference(format!("nothing: {why}")))?;
        self.scratch.clear();
        self.dispatch.apply(event, &mut self.scratch);
        if self.scratch != decisions {
            return Err(difference(decisions_text(&self.scratch)));
        }
        self.events += 1;
        match event {
            Event::Blocks { thread } => self.seats[thread.index()] = Seat::Waits,
            Event::Wakes { thread } => self.seats[thread.index()] = Seat::Busy,
            Event::ThreadRefused { thread } => self.seats[thread.index()] = Seat::Absent,
            _ => {}
        }
        for decision in &self.scratch {
            let (thread, seat) = match *decision {
                Decision::Start { thread, .. } => (thread, Seat::Busy),
                Decision::Create { thread } => (thread, Seat::Starting),
                Decision::Idle { thread } => (thread, Seat::Idle),
                Decision::Retire { thread } => (thread, Seat::Absent),
                Decision::Queued { .. } | Decision::Refused { .. } | Decision::Left { .. } => continue,
            };
            // The dispatch numbers its threads without gaps.
            if self.seats.len() <= thread.index() {
                self.seats.resize(thread.index() + 1, Seat::Absent);
            }
            self.seats[thread.index()] = seat;
        }
        Ok(())
    }

    /// Whether the event can be told to the dispatch as it is now.
    fn possible(&self, event: &Event<()>) -> Result<(), String> {
        let is = |thread: ThreadId, wanted: Seat, what: &str| {
            let seat = self.seats.get(thread.index()).copied().unwrap_or(Seat::Absent);
            if seat == wanted { Ok(()) } else { Err(format!("t{} is not {what}", thread.0)) }
        };
        match *event {
            Event::Submit { class, .. } | Event::SetCap { class, .. } => {
                let classes = self.header.names.len();
                if class.index() < classes { Ok(()) } else { Err(format!("there are {classes} classes")) }
            }
            Event::ThreadStarted { thread } | Event::ThreadRefused { thread } => {
                is(thread, Seat::Starting, "being created")
            }
            Event::Blocks { thread } | Event::Finishes { thread } => is(thread, Seat::Busy, "busy"),
            Event::Wakes { thread } => is(thread, Seat::Waits, "waiting"),
            Event::GiveUp { .. }
            | Event::IdleTooLong { .. }
            | Event::SetPoolSize { .. }
            | Event::SetRunnableLimit { .. } => Ok(()),
        }
    }
}
