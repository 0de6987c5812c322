//! The report for programs: JSON of the schema `atqsim.report/1`, described in `docs/json.md`.
//!
//! Not the domain's types, which are never serialised: the wire structs in `json/wire.rs` own names and units. Called
//! by `cli`. Fields come in a fixed order, so equal reports are equal bytes.

pub(super) mod cluster;
mod fill;
mod limits;
mod transport;
mod wire;

use std::io;

use serde::Serialize as _;

use super::Report;

/// The name and version of what [`json`] writes.
pub const SCHEMA: &str = "atqsim.report/1";

/// The report as JSON, with a newline at its end.
#[must_use]
pub fn json(report: &Report) -> String {
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, Lines::default());
    fill::document(report).serialize(&mut serializer).expect("writing to memory, and all keys are text");
    bytes.push(b'\n');
    String::from_utf8(bytes).expect("JSON is UTF-8")
}

/// One line a field; arrays stay on their line, as they are long and of numbers.
#[derive(Debug, Default)]
struct Lines {
    depth: usize,
    filled: bool,
}

impl Lines {
    fn line(&self, writer: &mut (impl io::Write + ?Sized)) -> io::Result<()> {
        writer.write_all(b"\n")?;
        (0..self.depth).try_for_each(|_| writer.write_all(b"  "))
    }
}

impl serde_json::ser::Formatter for Lines {
    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth += 1;
        self.filled = false;
        writer.write_all(b"{")
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        if self.filled {
            self.line(writer)?;
        }
        self.filled = true;
        writer.write_all(b"}")
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if !first {
            writer.write_all(b",")?;
        }
        self.line(writer)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, _writer: &mut W) -> io::Result<()> {
        self.filled = true;
        Ok(())
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use serde_json::Value;

    use super::super::sample::{compared, on_cluster, report, with_limits, with_transport};
    use super::super::{Pilot, Precision, Settling, Wide};
    use super::*;

    use crate::metrics::failover::over_runs;
    use crate::metrics::replicated::{Replicated, run_figures};
    use crate::time::Nanos;

    const DOC: &str = include_str!("../../docs/json.md");

    /// The fields of each section of the document: section, field, type.
    fn documented() -> BTreeMap<String, BTreeMap<String, String>> {
        let mut sections: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        let mut section = String::new();
        for line in DOC.lines() {
            if let Some(name) = line.strip_prefix("## ") {
                section = name.trim().to_string();
            } else if let Some(row) = line.strip_prefix("| `") {
                let cells: Vec<&str> = row.split('|').map(str::trim).collect();
                assert_eq!(cells.len(), 5, "field, type, unit, meaning: {line}");
                assert!(!cells[3].is_empty(), "no meaning: {line}");
                let field = cells[0].trim_end_matches('`').to_string();
                sections.entry(section.clone()).or_default().insert(field, cells[1].to_string());
            }
        }
        sections
    }

    struct Walk {
        sections: BTreeMap<String, BTreeMap<String, String>>,
        seen: BTreeSet<(String, String)>,
    }

    impl Walk {
        fn value(&mut self, value: &Value, kind: &str, path: &str) {
            if let Some(rest) = kind.strip_prefix("optional ") {
                self.value(value, rest, path);
            } else if let Some(rest) = kind.strip_suffix(" or null") {
                if !value.is_null() {
                    self.value(value, rest, path);
                }
            } else if let Some(rest) = kind.strip_prefix("array of ") {
                let items = value.as_array().unwrap_or_else(|| panic!("{path} is no array"));
                items.iter().for_each(|item| self.value(item, rest, &format!("{path}[]")));
            } else if let Some(rest) = kind.strip_prefix("map of ") {
                let items = value.as_object().unwrap_or_else(|| panic!("{path} is no object"));
                items.iter().for_each(|(key, item)| self.value(item, rest, &format!("{path}.{key}")));
            } else {
                match kind {
                    "string" => assert!(value.is_string(), "{path}: {value}"),
                    "integer" => assert!(value.is_u64(), "{path}: {value}"),
                    "number" => assert!(value.is_number(), "{path}: {value}"),
                    "boolean" => assert!(value.is_boolean(), "{path}: {value}"),
                    section => self.object(value, section, path),
                }
            }
        }

        fn object(&mut self, value: &Value, section: &str, path: &str) {
            let fields = self.sections.get(section).unwrap_or_else(|| panic!("no section {section} ({path})")).clone();
            let object = value.as_object().unwrap_or_else(|| panic!("{path} is no object: {value}"));
            for (key, value) in object {
                let kind = fields.get(key).unwrap_or_else(|| panic!("{section}.{key} is not documented ({path})"));
                self.seen.insert((section.to_string(), key.clone()));
                self.value(value, kind, &format!("{path}.{key}"));
            }
            for (field, kind) in &fields {
                assert!(
                    kind.starts_with("optional ") || object.contains_key(field),
                    "{section}.{field} is documented and not in {path}"
                );
            }
        }
    }

    fn parsed(report: &Report) -> Value {
        serde_json::from_str(&json(report)).expect("it is JSON")
    }

    #[test]
    fn every_field_is_documented_and_every_documented_field_is_there() {
        let mut walk = Walk { sections: documented(), seen: BTreeSet::new() };
        let mut report = compared();
        let runs: Vec<_> = report.variants.iter().map(|v| vec![run_figures(&v.summary); 2]).collect();
        for (at, variant) in report.variants.iter_mut().enumerate() {
            let waits: Vec<_> = variant.summary.classes.iter().map(|c| c.wait_recorded.clone()).collect();
            let first = (at > 0).then_some(runs[0].as_slice());
            variant.in_virtual_time = Some(variant.summary.clone());
            variant.replicated = Some(Replicated::of(&[1, 2], &runs[at], &waits, first));
        }
        let figure = || "pop3.wait.mean".to_string();
        report.precision = Some(Precision {
            asked: 0.05,
            figures: vec![figure()],
            runs: 10,
            most: 10,
            wide: vec![Wide { variant: "untuned".into(), figure: figure(), relative: 0.1 }],
            zero: vec![("tuned".into(), figure())],
        });
        let found = Settling::After(Nanos::SECOND);
        report.variants[0].pilot = Some(Pilot { runs: 20, bin: Nanos::SECOND, found });
        let mut on_cluster = on_cluster("on a cluster", Nanos::ZERO, false);
        let found = on_cluster.cluster.as_mut().expect("it is there");
        found.over_runs = over_runs(&[found.figures.listed(), found.figures.listed()]);
        report.variants.push(on_cluster);
        report.variants.push(with_limits("limits", 5, None));
        report.variants.push(with_transport("transport", true));
        walk.value(&parsed(&report), "Report", "");
        for (section, fields) in &walk.sections {
            for field in fields.keys() {
                assert!(walk.seen.contains(&(section.clone(), field.clone())), "{section}.{field} was never seen");
            }
        }
    }

    #[test]
    fn figures_are_those_of_the_report() {
        let report = compared();
        let value = parsed(&report);
        assert_eq!(value["schema"], SCHEMA);
        assert_eq!(value["variants"][1]["pool"]["size"], 44);
        assert_eq!(value["variants"][1]["registry"][0]["origin"], "tuned.reg:4");
        let pop3 = &value["variants"][0]["services"]["pop3"];
        let parts = ["served", "gave_up", "refused", "lost", "unfinished"];
        let sum: u64 = parts.iter().map(|part| pop3[part].as_u64().unwrap()).sum();
        assert_eq!(pop3["arrivals"], sum);
        assert!((pop3["wait_us"]["max"].as_f64().unwrap() - 30e6).abs() < 1e-6);
        let buckets = pop3["wait_histogram"]["buckets"].as_array().unwrap();
        let counted: u64 = buckets.iter().map(|b| b["count"].as_u64().unwrap()).sum();
        assert_eq!(pop3["wait_us"]["count"], counted);
        let holders = pop3["episodes"][0]["holders"].as_array().unwrap();
        let percent: f64 = holders.iter().map(|h| h["percent"].as_f64().unwrap()).sum();
        assert!((percent - 100.0).abs() < 1e-6, "{percent}");
        assert_eq!(value["variants"][0]["host"]["verdict"], "clean");
    }

    #[test]
    fn a_cluster_is_told_and_nothing_of_it_without_one() {
        let mut report = compared();
        assert!(!json(&report).contains("\"cluster\"") && !json(&report).contains("\"unreachable\""));
        report.variants = vec![on_cluster("untuned", Nanos::ZERO, false)];
        let value = parsed(&report);
        let cluster = &value["variants"][0]["cluster"];
        assert_eq!(
            (&cluster["failovers"], &cluster["restarts"], &cluster["sessions_cut"]),
            (&1.into(), &1.into(), &17.into())
        );
        assert!(cluster["mean_time_between_failovers_s"].is_null());
        assert_eq!(cluster["unavailable_s"]["pop3"], cluster["unavailable_s"]["evs1.pop3"]);
        assert_eq!(cluster["events"][0]["id"], 2074);
        assert_eq!(cluster["events"][0]["resource"], "pop3");
        for lane in cluster["timeline"].as_array().unwrap() {
            let spans = lane["spans"].as_array().unwrap();
            assert_eq!(spans[0]["from_s"], 0.0);
            assert!(spans.windows(2).all(|two| two[0]["to_s"] == two[1]["from_s"]), "{lane}");
            assert_eq!(spans.last().unwrap()["to_s"], 600.0);
        }
        assert!(value["variants"][0]["services"]["evs1.pop3"]["cut"].is_u64());
    }

    #[test]
    fn limits_are_told_and_nothing_of_them_without_any() {
        let text = json(&compared());
        assert!(!text.contains("\"store\":") && !text.contains("\"domains\":"));
        let report = report(vec![with_limits("five", 5, None), with_limits("twenty", 20, Some(8))]);
        let value = parsed(&report);
        let (five, twenty) = (&value["variants"][0], &value["variants"][1]);
        assert_eq!(five["verdict"]["state"], "failed");
        assert_eq!(five["store"]["threads"]["max"]["origin"], "left by Performance Optimizer, defaults");
        assert_eq!(twenty["store"]["threads"]["max"]["origin"], "kb.reg:4");
        assert_eq!(five["store"]["threads"]["sessions"], 17);
        for calls in five["store"]["calls"].as_object().unwrap().values() {
            let parts = ["done", "set_aside", "gave_up", "refused", "in_service", "waiting"];
            let sum: u64 = parts.iter().map(|part| calls[part].as_u64().unwrap()).sum();
            assert_eq!(calls["arrived"], sum);
        }
        let ids: Vec<u64> = five["store"]["events"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|event| event["id"].as_u64())
            .take(5)
            .collect();
        assert_eq!(ids, [4116, 3039, 4117, 4094, 4102]);
        let shutdowns = five["store"]["lives"].as_array().unwrap().iter().filter(|life| !life["stopped_s"].is_null());
        assert_eq!(five["store"]["shutdowns"], shutdowns.count());
        assert!(twenty["store"]["first_shutdown_s"].is_null() && twenty["store"]["time_to_shutdown_s"].is_null());
        let domains = &twenty["domains"];
        assert_eq!(
            (&domains["threshold"], &domains["swept_at"], &domains["times_gone"]),
            (&8.into(), &8.into(), &0.into())
        );
        assert_eq!(five["domains"]["memory_gone_at_s"], 100.0);
        for (curves, variant) in [("store", five), ("domains", twenty)] {
            let curves = variant[curves]["curves"].as_object().unwrap();
            let lengths: Vec<usize> = curves.values().map(|values| values.as_array().unwrap().len()).collect();
            assert!(lengths[0] > 50 && lengths.iter().all(|length| *length == lengths[0]), "{lengths:?}");
        }
    }

    #[test]
    fn services_keep_their_order_and_equal_reports_are_equal_bytes() {
        let text = json(&compared());
        assert_eq!(text, json(&compared()));
        let place = |name: &str| text.find(&format!("\"{name}\": {{")).unwrap_or_else(|| panic!("no {name}"));
        assert!(place("pop3") < place("imap4") && place("imap4") < place("smtp1.in"));
        assert!(text.starts_with("{\n  \"schema\": \"atqsim.report/1\",\n"));
        assert!(text.ends_with("\n}\n"));
    }

    #[test]
    fn numbers_that_are_none_become_zero_and_not_null() {
        let mut report = compared();
        let class = &mut report.variants[0].summary.classes[0];
        (class.starved_percent, class.mean_waiting, class.wait.mean_us) = (f64::NAN, f64::INFINITY, -f64::NAN);
        let value = parsed(&report);
        let pop3 = &value["variants"][0]["services"]["pop3"];
        assert_eq!(pop3["starved_percent"], 0.0);
        assert_eq!(pop3["mean_waiting"], f64::MAX);
        assert_eq!(pop3["wait_us"]["mean"], 0.0);
        report.variants[0].host = None;
        assert!(parsed(&report)["variants"][0]["host"].is_null());
    }
}
