//! Parity as text: one block a plan, one line a service, and a closing line.
//!
//! Not the verdicts (`judge`). Called by `cli` and tests.

use std::fmt::Write;

use super::judge::{self, Three, Verdict};
use super::{Compared, Costs, DEALS, Delay, Service};
use crate::metrics::host::HostVerdict;
use crate::plan::Plan;
use crate::time::Nanos;

/// What is about to be run: scenarios with their plans, and how long that takes.
#[must_use]
pub fn opening(scenarios: &[Vec<Plan>]) -> String {
    let plans: usize = scenarios.iter().map(Vec::len).sum();
    let wall = scenarios.iter().map(|plans| super::wall(plans)).fold(Nanos::ZERO, |sum, span| sum + span);
    let mut text = format!(
        "{} scenario(s), {plans} variant(s), each on real threads, its twin (but for clusters), and in virtual time: {wall} in all\n",
        scenarios.len()
    );
    for plans in scenarios {
        if let Some(first) = plans.first() {
            let (wall, n) = (super::wall(plans), plans.len());
            let _ = writeln!(text, "  {}: speed {}, {n} variant(s), {wall}", first.file, first.speed);
        }
    }
    text + "\n" + LEGEND
}

const LEGEND: &str = "\
twin     virtual time with the delays that the real run measured; real against twin is the engine
virtual  virtual time; twin against virtual is the host
noise    how far the host's delays, dealt out anew to other items, move virtual time's figures (docs/parity.md)

";

/// One plan.
#[must_use]
pub fn block(compared: &Compared) -> String {
    let plan = &compared.plan;
    let mut text = format!("{}, {}, speed {}\n", plan.file, plan.variant, plan.speed);
    let (word, reasons) = compared.host.verdict(plan.starvation_after);
    let reasons = if reasons.is_empty() { String::new() } else { format!(": {}", reasons.join("; ")) };
    let _ = writeln!(text, "  host     {}{reasons}", word.word());
    let _ = writeln!(text, "  service  {} on average, in real time", compared.mean_service);
    let _ = writeln!(text, "  items    {}", items(compared));
    let _ = writeln!(text, "  cost     {}", costs(&compared.costs));
    for trouble in &compared.troubles {
        let _ = writeln!(text, "  FAILED   {trouble}");
    }
    if word == HostVerdict::Unusable {
        let slower = (plan.speed / 2.0).max(0.1);
        let _ = writeln!(text, "  The host cannot hold speed {}: nothing is judged. Try --speed {slower}.", plan.speed);
    }
    let widest = compared.services.iter().map(|service| service.name.chars().count()).max().unwrap_or(0).max(7);
    waits(&mut text, &compared.services, widest);
    tails(&mut text, &compared.services, widest);
    text
}

fn waits(text: &mut String, services: &[Service], widest: usize) {
    let _ = writeln!(
        text,
        "\n  {:<widest$} {:>9} {:>9} {:>9} {:>8} {:>8} {:>8}  verdict",
        "mean wait", "real", "twin", "virtual", "engine", "host", "allowed"
    );
    for service in services {
        let mean = |run: &Three| span(run.wait_mean_us);
        let f = &service.figures;
        let allowed = if f.overloaded() { f64::NAN } else { service.noise.allowed_us(f.in_virtual_time.wait_mean_us) };
        let _ = writeln!(
            text,
            "  {:<widest$} {:>9} {:>9} {:>9} {:>8} {:>8} {:>8}  {}",
            service.name,
            mean(&f.real),
            mean(&f.twin),
            mean(&f.in_virtual_time),
            apart(f.real.wait_mean_us, f.twin.wait_mean_us),
            apart(f.twin.wait_mean_us, f.in_virtual_time.wait_mean_us),
            share(allowed, f.in_virtual_time.wait_mean_us),
            service.verdict.words(),
        );
    }
}

fn tails(text: &mut String, services: &[Service], widest: usize) {
    let _ = writeln!(
        text,
        "\n  {:<widest$} {:>9} {:>9} {:>9}   {:>7} {:>7} {:>7} {:>8}  {:>9}",
        "p99, starved %", "real", "twin", "virtual", "real", "twin", "virtual", "allowed", "wait noise"
    );
    for service in services {
        let f = &service.figures;
        let p99 = |run: &Three| span(run.wait_p99_us);
        let allowed = if f.overloaded() { format!("{:.1}", service.noise.allowed_points()) } else { "-".into() };
        let _ = writeln!(
            text,
            "  {:<widest$} {:>9} {:>9} {:>9}   {:>7.1} {:>7.1} {:>7.1} {:>8}  {:>9}",
            service.name,
            p99(&f.real),
            p99(&f.twin),
            p99(&f.in_virtual_time),
            f.real.starved_percent,
            f.twin.starved_percent,
            f.in_virtual_time.starved_percent,
            allowed,
            span(service.noise.wait_mean_us),
        );
    }
    text.push('\n');
}

fn items(compared: &Compared) -> String {
    let items = &compared.items;
    let rest = if items.same == items.recorded {
        String::new()
    } else {
        format!("; the others begin up to {} earlier or later", items.most)
    };
    let dropped = if items.dropped == 0 {
        String::new()
    } else {
        format!("; {} more were not recorded, so nothing is judged: shorten the run", items.dropped)
    };
    format!("{} of {} wait and begin in the twin at the same nanosecond{rest}{dropped}", items.same, items.recorded)
}

fn costs(costs: &Costs) -> String {
    let delay = |delay: &Delay| format!("{} (p99 {})", delay.mean, delay.p99);
    let Costs { release, call, back } = costs;
    format!("release {}, call {}, return {}, in real time", delay(release), delay(call), delay(back))
}

fn span(us: f64) -> String {
    Nanos::from_f64(us * 1e3).to_string()
}

/// By how much `a` is above `b`, in percent of `b`.
fn apart(a: f64, b: f64) -> String {
    share(a - b, b)
}

fn share(part: f64, of: f64) -> String {
    let percent = part / of * 100.0;
    if part == 0.0 {
        "0".to_string()
    } else if !percent.is_finite() {
        "-".to_string()
    } else if percent.abs() >= 1_000.0 {
        ">1000 %".to_string()
    } else {
        format!("{percent:.2} %")
    }
}

/// What came of all plans.
#[must_use]
pub fn closing(all: &[Compared]) -> String {
    let count = |verdict: Verdict| all.iter().flat_map(|c| &c.services).filter(|s| s.verdict == verdict).count();
    let mut text = String::new();
    for verdict in [
        Verdict::Agrees,
        Verdict::TooShort,
        Verdict::TooFew,
        Verdict::StarvedAlike,
        Verdict::TooNoisy,
        Verdict::WaitsDiffer,
        Verdict::StarvedDiffers,
        Verdict::TwinDiffers,
        Verdict::NotHeld,
    ] {
        if count(verdict) > 0 {
            let _ = writeln!(text, "{:>4}  {}", count(verdict), verdict.words());
        }
    }
    let (same, recorded) = all.iter().fold((0, 0), |(a, b), c| (a + c.items.same, b + c.items.recorded));
    let _ = writeln!(text, "{same} of {recorded} items wait and begin in the twins at the same nanosecond");
    for (failed, say) in [(true, "FAILED"), (false, "THE HOST COULD NOT HOLD THE SPEED")] {
        let hit = |c: &&Compared| if failed { c.failed() } else { c.not_held() };
        let names: Vec<String> =
            all.iter().filter(hit).map(|c| format!("{} ({})", c.plan.file, c.plan.variant)).collect();
        if !names.is_empty() {
            let _ = writeln!(text, "{say}: {}", names.join(", "));
        }
    }
    text + &format!(
        "Allowed for stable services: {} % of the mean wait or 3 x noise; for overloaded ones {} points of starved\n\
         share or 3 x noise; for twins {} %. Noise is from {DEALS} runs.\n",
        judge::MEAN * 100.0,
        judge::POINTS,
        judge::TWIN * 100.0,
    )
}
