//! One progress bar per variant, on stderr, and only where stderr is a terminal.
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
}

impl Bars {
    /// A bar for each of `plans`; hidden unless stderr is a terminal and `quiet` is false.
    #[must_use]
    pub(super) fn new(plans: &[Plan], quiet: bool) -> Bars {
        let shown = std::io::stderr().is_terminal() && !quiet;
        let target = if shown { ProgressDrawTarget::stderr_with_hz(10) } else { ProgressDrawTarget::hidden() };
        let all = MultiProgress::with_draw_target(target);
        let widest = plans.iter().map(|plan| plan.variant.chars().count()).max().unwrap_or(0);
        let template =
            format!("{{prefix:>{widest}}} [{{bar:32}}] {{percent:>3}} %  {{msg}}  wall {{elapsed}}, {{eta}} left");
        let style = ProgressStyle::with_template(&template).expect("the template is well formed").progress_chars("=> ");
        let bar = |plan: &Plan| {
            let bar = all.add(ProgressBar::new(plan.duration.as_micros().max(1)).with_style(style.clone()));
            bar.set_prefix(plan.variant.clone());
            bar.set_message(format!("waits  of {}", plan.duration));
            bar
        };
        let bars = plans.iter().map(bar).collect();
        Bars { all, bars: Mutex::new(bars) }
    }

    /// Takes the bars away.
    pub(super) fn clear(&self) {
        // Nothing can be done about a terminal that went away.
        let _ = self.all.clear();
    }
}

impl Progress for Bars {
    fn begins(&self, variant: usize, _: &Plan) {
        self.bars.lock()[variant].reset();
    }

    fn reached(&self, variant: usize, now: Nanos) {
        let bar = &self.bars.lock()[variant];
        bar.set_position(now.as_micros());
        let of = Nanos::from_micros(bar.length().unwrap_or(0));
        bar.set_message(format!("emulated {now} of {of}"));
    }

    fn ends(&self, variant: usize) {
        self.bars.lock()[variant].abandon();
    }
}
