//! Waits and services as an HdrHistogram interval log (`.hlog`), for HistogramLogAnalyzer and whatever else reads them.
//!
//! One histogram for each interval of the time line, service and kind, under a tag `variant/service/wait` or
//! `variant/service/service`; unit microseconds, maxima in milliseconds. Not the recording (`metrics::intervals`). Called by
//! `cli`. The columns are described in `docs/files.md`.

use std::time::{Duration, SystemTime};

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use super::Report;
use crate::metrics::intervals::{ClassInterval, Interval};
use crate::metrics::latency::IntervalLatency;
use crate::time::Nanos;

/// What the maxima of the lines are divided by. The Java tools divide nanoseconds by a million; these are microseconds, so
/// the maxima are milliseconds in both.
const MAX_DIVISOR: f64 = 1_000.0;

/// The Java tools' names of the columns.
const LEGEND: &[u8] = b"\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n";

/// The two kinds of histogram, in the order of [`values`].
const KINDS: [&str; 2] = ["wait", "service"];

fn values(class: &ClassInterval) -> [&IntervalLatency; 2] {
    [&class.wait, &class.service]
}

/// The log. Lines are in order of time, as readers of ranges expect; an interval in which nothing ended has no line, as
/// recorders leave it out: a line would claim that the longest wait was 0.
///
/// # Panics
/// Never: memory takes what is written.
#[must_use]
pub fn hlog(report: &Report) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut serializer = V2DeflateSerializer::new();
    head(report, &mut bytes, &mut serializer);
    bytes.extend_from_slice(LEGEND);
    let tags = tags(report);
    let mut lines: Vec<(&Interval, usize)> = Vec::new();
    for (at, variant) in report.variants.iter().enumerate() {
        lines.extend(variant.summary.intervals.iter().map(|interval| (interval, at)));
    }
    lines.sort_by_key(|(interval, variant)| (interval.from, *variant));
    let mut builder = IntervalLogWriterBuilder::new();
    builder.with_max_value_divisor(MAX_DIVISOR);
    let mut log = builder.begin_log_with(&mut bytes, &mut serializer).expect("memory takes what is written");
    for (interval, variant) in lines {
        for (class, tags) in interval.classes.iter().zip(&tags[variant]) {
            for (values, tag) in values(class).into_iter().zip(tags) {
                if values.count() == 0 {
                    continue;
                }
                let (from, length) = (span(interval.from), span(interval.to.since(interval.from)));
                log.write_histogram(&values.histogram(), from, length, Tag::new(tag))
                    .expect("memory takes what is written, and no count is above 2^63");
            }
        }
    }
    bytes
}

/// The head: version, what is in it, and when it began.
fn head(report: &Report, bytes: &mut Vec<u8>, serializer: &mut V2DeflateSerializer) {
    let began = SystemTime::UNIX_EPOCH + span(report.began());
    let mut builder = IntervalLogWriterBuilder::new();
    builder
        .add_comment("[Histogram log format version 1.3]")
        .add_comment(&format!("[Logged by atqsim {}]", env!("CARGO_PKG_VERSION")))
        .add_comment("Values are microseconds of emulated time, Interval_Max is milliseconds.")
        .add_comment("Tags are variant/service/kind; kind is wait (for a thread, from the due time) or service.")
        .add_comment("Times are emulated seconds since the begin of the run; all variants begin at 0.");
    if report.variants.iter().any(|variant| variant.replicated.is_some()) {
        builder.add_comment("Of several runs this is the first.");
    }
    builder.with_start_time(began).with_base_time(began);
    let _ = builder.begin_log_with(bytes, serializer).expect("memory takes what is written");
}

/// By variant, class and kind. Different variants have different tags, whatever their names lose.
fn tags(report: &Report) -> Vec<Vec<[String; 2]>> {
    let mut names: Vec<String> = Vec::new();
    for variant in &report.variants {
        let plain = word(&variant.plan.variant);
        let mut name = plain.clone();
        while names.contains(&name) {
            name.push('\'');
        }
        names.push(name);
    }
    let of = |(variant, name): (&super::VariantReport, &String)| {
        let tag = |class: &str| KINDS.map(|kind| format!("{name}/{}/{kind}", word(class)));
        variant.plan.classes.iter().map(|class| tag(&class.name)).collect()
    };
    report.variants.iter().zip(&names).map(of).collect()
}

/// A name as a part of a tag, which may have no blank, comma, slash or control character.
fn word(name: &str) -> String {
    let fits = |c: char| !(c.is_whitespace() || c.is_control() || c == ',' || c == '/');
    name.chars().map(|c| if fits(c) { c } else { '_' }).collect()
}

fn span(time: Nanos) -> Duration {
    Duration::from_nanos(time.0)
}
