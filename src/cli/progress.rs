//! Progress bars on stderr, and only where stderr is a terminal: one a variant, or one over all runs of all variants.
//!
//! Not a log: nothing is printed when nobody looks. The bars are `indicatif`'s.

use std::io::IsTerminal;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use parking_lot::Mutex;

use crate::plan::Plan;
use crate::run::Progress;
use crate::time::Nanos;

/// Bars for several runs.
#[derive(Debug)]
pub(super) struct Bars {
    all: MultiProgress,
    bars: Mutex<Vec<ProgressBar>>,
    /// What many runs are for, and the one bar over all of them.
    together: Mutex<Option<(&'static str, ProgressBar)>>,
}

impl Bars {
    /// A bar for each of `plans` (none where all runs are to share one bar); hidden unless stderr is a terminal and
    /// `quiet` is false.
    #[must_use]
    pub(super) fn new(plans: &[Plan], quiet: bool) -> Bars {
        let shown = std::io::stderr().is_terminal() && !quiet;
        let target = if shown { ProgressDrawTarget::stderr_with_hz(10) } else { ProgressDrawTarget::hidden() };
        let all = MultiProgress::with_draw_target(target);
        let widest = plans.iter().map(|plan| plan.variant.chars().count()).max().unwrap_or(0);
        let style = style(&format!("{{prefix:>{widest}}}"));
        let bar = |plan: &Plan| {
            let bar = all.add(ProgressBar::new(plan.duration.as_micros().max(1)).with_style(style.clone()));
            bar.set_prefix(plan.variant.clone());
            bar.set_message(format!("waits  of {}", plan.duration));
            bar
        };
        let bars = plans.iter().map(bar).collect();
        Bars { all, bars: Mutex::new(bars), together: Mutex::new(None) }
    }

    /// Takes the bars away.
    pub(super) fn clear(&self) {
        // Nothing can be done about a terminal that went away.
        let _ = self.all.clear();
    }
}

/// A bar that counts to `of`; hidden unless stderr is a terminal.
#[must_use]
pub(super) fn counter(what: &str, of: u64) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr_with_hz(10)
    } else {
        ProgressDrawTarget::hidden()
    };
    ProgressBar::with_draw_target(Some(of), target).with_style(style(what)).with_message("experiments")
}

fn style(prefix: &str) -> ProgressStyle {
    let template = format!("{prefix} [{{bar:32}}] {{percent:>3}} %  {{msg}}  wall {{elapsed}}, {{eta}} left");
    ProgressStyle::with_template(&template).expect("the template is well formed").progress_chars("=> ")
}

impl Progress for Bars {
    fn begins(&self, variant: usize, _: &Plan) {
        if let Some((_, bar)) = self.together.lock().take() {
            self.all.remove(&bar);
        }
        self.bars.lock()[variant].reset();
    }

    fn reached(&self, variant: usize, now: Nanos) {
        let bar = &self.bars.lock()[variant];
        bar.set_position(now.as_micros());
        let of = Nanos::from_micros(bar.length().unwrap_or(0));
        // Emulated time a second of wall time.
        let rate = Nanos::from_f64(bar.per_sec() * 1e3);
        bar.set_message(format!("emulated {now} of {of} ({rate} a second)"));
    }

    fn ends(&self, variant: usize) {
        self.bars.lock()[variant].abandon();
    }

    fn together(&self, what: &'static str, done: usize, of: usize) {
        let mut together = self.together.lock();
        if together.as_ref().is_none_or(|(kind, _)| *kind != what) {
            if let Some((_, bar)) = together.take() {
                self.all.remove(&bar);
            }
            let bar = self.all.insert(0, ProgressBar::new(of as u64).with_style(style(what)));
            *together = Some((what, bar));
        }
        if let Some((_, bar)) = together.as_ref() {
            // Runs end on several threads: a late word must not turn the bar back.
            bar.set_length(bar.length().unwrap_or(0).max(of as u64));
            bar.set_position(bar.position().max(done as u64));
            let (done, of) = (bar.position(), bar.length().unwrap_or(0));
            bar.set_message(format!("{done} of {of} runs ({:.1} a second)", bar.per_sec()));
        }
    }
}
