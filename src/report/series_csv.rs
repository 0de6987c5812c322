//! What happened over time as tidy CSV: one row a variant, interval of the time line, and service.
//!
//! Not the figures of the whole run (`summary_csv`), and not the intervals themselves (`metrics::intervals`). Called by
//! `cli`. The columns are described in `docs/files.md`.

use super::Report;
use super::format::Cell;
use crate::metrics::Moment;
use crate::metrics::intervals::{ClassInterval, Interval};
use crate::metrics::latency::IntervalLatency;

/// The columns, in order.
pub const COLUMNS: [&str; 31] = [
    "variant",
    "service",
    "from_s",
    "to_s",
    "arrivals",
    "served",
    "gave_up",
    "refused",
    "lost",
    "cut",
    "unreachable",
    "waits",
    "wait_mean_us",
    "wait_p50_us",
    "wait_p90_us",
    "wait_p99_us",
    "wait_p999_us",
    "wait_max_us",
    "services",
    "service_mean_us",
    "service_p50_us",
    "service_p90_us",
    "service_p99_us",
    "service_p999_us",
    "service_max_us",
    "busy_mean",
    "waiting_mean",
    "waiting",
    "busy",
    "oldest_wait_s",
    // Of the whole pool (of all pools in a cluster), so it is the same in all rows of an interval.
    "live_threads",
];

/// The file. What does not exist, as a mean of no items, is an empty field.
///
/// # Panics
/// Never: memory takes what is written.
#[must_use]
pub fn series_csv(report: &Report) -> Vec<u8> {
    let mut rows = csv::Writer::from_writer(Vec::new());
    rows.write_record(COLUMNS).expect("memory takes what is written");
    for variant in &report.variants {
        // Every interval begins at a moment of the time line.
        for (interval, moment) in variant.summary.intervals.iter().zip(&variant.summary.timeline) {
            for (at, class) in interval.classes.iter().enumerate() {
                let names = [variant.plan.variant.as_str().into(), variant.plan.classes[at].name.as_str().into()];
                let cells = names.into_iter().chain(cells(interval, class, moment, at));
                rows.write_record(cells.map(|cell: Cell| cell.text())).expect("all rows are as long");
            }
        }
    }
    rows.into_inner().expect("memory takes what is written")
}

fn cells(interval: &Interval, class: &ClassInterval, moment: &Moment, at: usize) -> Vec<Cell> {
    let (waiting, busy, oldest) = moment.classes[at];
    let mut cells: Vec<Cell> = vec![
        interval.from.into(),
        interval.to.into(),
        class.arrivals.into(),
        class.outcomes.served.into(),
        class.outcomes.gave_up.into(),
        class.outcomes.refused.into(),
        class.outcomes.lost.into(),
        class.outcomes.cut.into(),
        class.outcomes.unreachable.into(),
    ];
    cells.extend(latency(&class.wait));
    cells.extend(latency(&class.service));
    cells.extend([
        class.busy_mean.into(),
        class.waiting_mean.into(),
        waiting.into(),
        u64::from(busy).into(),
        oldest.into(),
        u64::from(moment.live_threads).into(),
    ]);
    cells
}

fn latency(values: &IntervalLatency) -> [Cell; 7] {
    let Some(mean) = values.mean_us() else {
        return [Cell::from(0), Cell::None, Cell::None, Cell::None, Cell::None, Cell::None, Cell::None];
    };
    let [p50, p90, p99, p999] = values.quantiles().map(Cell::micros);
    [values.count().into(), mean.into(), p50, p90, p99, p999, Cell::micros(values.max())]
}
