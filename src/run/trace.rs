//! The decision log of a run, streamed as text while it goes on: one section a variant.
//!
//! Not the form of the text (`policy::decision_log::text`). What cannot be written any more (a full disk) ends the log
//! and not the run; [`TraceFile::close`] says so. Memory is one buffer, however long the run.

use std::fmt;
use std::io::{self, BufWriter, Write};

use parking_lot::Mutex;

use crate::plan::Plan;
use crate::policy::decision_log::text::{Header, write_line};
use crate::policy::decision_log::{LogLine, Trace};
use crate::time::Nanos;

/// See the module's head.
pub struct TraceFile(Mutex<Inner>);

struct Inner {
    out: BufWriter<Box<dyn Write + Send>>,
    text: String,
    last: Nanos,
    events: u64,
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
        TraceFile(Mutex::new(Inner { out, text: String::new(), last: Nanos::ZERO, events: 0, failed: None }))
    }

    /// Begins the section of a plan's run.
    pub(super) fn begin(&self, engine: &str, plan: &Plan) {
        let header = Header {
            engine: engine.to_string(),
            variant: plan.variant.clone(),
            rules: plan.rules(),
            names: plan.classes.iter().map(|class| class.name.clone()).collect(),
        };
        let mut inner = self.0.lock();
        (inner.last, inner.events) = (Nanos::ZERO, 0);
        inner.text.clear();
        inner.text.push_str(&header.text());
        inner.write();
    }

    /// Ends the section: the run is over.
    pub(super) fn end(&self) {
        let mut inner = self.0.lock();
        inner.text = format!("end {}\n", inner.events);
        inner.write();
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
        let mut inner = self.0.lock();
        let gap = now.since(inner.last);
        inner.last = inner.last.max(now);
        inner.events += 1;
        inner.text.clear();
        write_line(&mut inner.text, gap, line);
        inner.write();
    }
}

impl Inner {
    fn write(&mut self) {
        if self.failed.is_none() {
            self.failed = self.out.write_all(self.text.as_bytes()).err();
        }
    }
}
