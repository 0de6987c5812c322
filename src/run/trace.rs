//! The decision log of a run, streamed as text while it goes on: one section a variant, or one for
//! each node of its cluster.
//!
//! Not the form of the text (`policy::decision_log::text`). What cannot be written any more (a full disk) ends the log
//! and not the run; [`TraceFile::close`] says so. Memory is one buffer, however long the run.

use std::fmt::{self, Write as _};
use std::io::{self, BufWriter, Write};

use parking_lot::Mutex;

use crate::plan::Plan;
use crate::plan::cluster::NodePlan;
use crate::policy::decision_log::text::{Header, write_line};
use crate::policy::decision_log::{LogLine, Trace};
use crate::time::Nanos;

/// See the module's head.
pub struct TraceFile(Mutex<Inner>);

struct Inner {
    out: BufWriter<Box<dyn Write + Send>>,
    text: String,
    last: Nanos,
    /// What the logs of a cluster's nodes begin with, by node.
    headers: Vec<Header>,
    /// By log of the present run: how many events it has.
    events: Vec<u64>,
    /// Whose line was the last.
    at: u32,
    failed: Option<io::Error>,
}

impl fmt::Debug for TraceFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TraceFile")
    }
}

impl TraceFile {
    /// A log that goes to `out`.
    #[must_use]
    pub fn new(out: Box<dyn Write + Send>) -> TraceFile {
        let out = BufWriter::with_capacity(64 * 1024, out);
        TraceFile(Mutex::new(Inner {
            out,
            text: String::new(),
            last: Nanos::ZERO,
            headers: Vec::new(),
            events: Vec::new(),
            at: 0,
            failed: None,
        }))
    }

    /// Begins the section of a plan's run. Those of a cluster's nodes begin with the nodes.
    pub(super) fn begin(&self, engine: &str, plan: &Plan) {
        let header = |node, rules| Header {
            engine: engine.to_string(),
            variant: plan.variant.clone(),
            node,
            rules,
            names: plan.classes.iter().map(|class| class.name.clone()).collect(),
        };
        let mut inner = self.0.lock();
        (inner.last, inner.at) = (Nanos::ZERO, 0);
        inner.events.clear();
        match &plan.cluster {
            None => inner.begins(&header(None, plan.rules())),
            Some(cluster) => {
                let of_node = |node: &NodePlan| header(Some((node.name.clone(), 0)), node.rules.clone());
                inner.headers = cluster.nodes.iter().map(of_node).collect();
            }
        }
    }

    /// Ends the section: the run is over.
    pub(super) fn end(&self) {
        let mut inner = self.0.lock();
        for log in 0..inner.events.len() {
            inner.text.clear();
            inner.goes_to(log as u32);
            let events = inner.events[log];
            let _ = writeln!(inner.text, "end {events}");
            inner.write();
        }
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// The first thing that could not be written; the log ends there.
    pub fn close(&self) -> io::Result<()> {
        let mut inner = self.0.lock();
        match inner.failed.take() {
            Some(error) => Err(error),
            None => inner.out.flush(),
        }
    }
}

impl Trace for TraceFile {
    fn note(&self, now: Nanos, line: &LogLine) {
        self.note_of(0, now, line);
    }

    fn begins(&self, node: usize, first_number: u64) -> u32 {
        let mut inner = self.0.lock();
        let mut header = inner.headers[node].clone();
        header.node = header.node.map(|(name, _)| (name, first_number));
        inner.begins(&header);
        inner.at
    }

    fn note_of(&self, log: u32, now: Nanos, line: &LogLine) {
        let mut inner = self.0.lock();
        let gap = now.since(inner.last);
        inner.last = inner.last.max(now);
        inner.events[log as usize] += 1;
        inner.text.clear();
        inner.goes_to(log);
        write_line(&mut inner.text, gap, line);
        inner.write();
    }
}

impl Inner {
    /// Another log begins; the lines that follow are its own.
    fn begins(&mut self, header: &Header) {
        self.at = self.events.len() as u32;
        self.events.push(0);
        self.text = header.text();
        self.write();
    }

    /// The next line is of this log.
    fn goes_to(&mut self, log: u32) {
        if self.at != log {
            self.at = log;
            let _ = writeln!(self.text, "log {log}");
        }
    }

    fn write(&mut self) {
        if self.failed.is_none() {
            self.failed = self.out.write_all(self.text.as_bytes()).err();
        }
    }
}
