//! The event logs of all clusters, Internet Mail Services and transport servers of a report as CSV, as an administrator exports them.
//!
//! Not the entries themselves (`events` of `models::cluster`, `models::store` and `models::transport`) and not the writing of a file. Called by `cli`.

use super::Report;
use super::format::clock;
use crate::time::Nanos;

/// The columns, in order.
pub const COLUMNS: [&str; 8] = ["variant", "time", "node", "type", "source", "id", "category", "text"];

/// One row an entry, after a row of the columns' names; the variants one after the other. `time` is emulated, since the
/// begin of the run. `id` and `category` are empty where nothing published gives them, `node` where no node has the entry.
///
/// # Panics
/// Never: a table in memory takes every row of as many fields as the first.
#[must_use]
pub fn events_csv(report: &Report) -> Vec<u8> {
    let mut rows = csv::Writer::from_writer(Vec::new());
    rows.write_record(COLUMNS).expect("memory takes what is written");
    for variant in &report.variants {
        let name = variant.plan.variant.as_str();
        let mut add = |at: Nanos, [node, kind, source, id, category, text]: [&str; 6]| {
            let row = [name, &clock_with_ms(at), node, kind, source, id, category, text];
            rows.write_record(row).expect("memory takes what is written, and all rows are as long");
        };
        for entry in variant.limits.store.iter().flat_map(|store| &store.summary.events) {
            let category = entry.category().unwrap_or_default();
            add(entry.at, ["", entry.kind().name(), entry.source(), &number(entry.id()), category, &entry.text()]);
        }
        if let Some((plan, found)) = super::text::limits::transport::found(variant) {
            for entry in &found.summary.events {
                let text = plan.event_text(entry);
                add(entry.at, ["", entry.kind().name(), entry.source(), &number(entry.id), "", &text]);
            }
        }
        let Some((plan, found)) = variant.on_cluster() else { continue };
        for entry in &found.happened.cluster.events {
            let node = entry.node.map_or("", |node| plan.spec.nodes[node.index()].as_str());
            let category = entry.category().map(|category| format!("({category})")).unwrap_or_default();
            let text = entry.text(&plan.spec);
            add(entry.at, [node, entry.kind().name(), entry.source(), &number(entry.id()), &category, &text]);
        }
    }
    rows.into_inner().expect("memory takes what is written")
}

/// An event's number; nothing where it has none.
fn number(id: Option<u32>) -> String {
    id.map(|id| id.to_string()).unwrap_or_default()
}

/// Entries that the report no longer has, of all variants: a log keeps its first ones.
#[must_use]
pub fn events_dropped(report: &Report) -> u64 {
    let of_cluster =
        report.variants.iter().filter_map(|v| v.cluster.as_ref()).map(|c| c.happened.cluster.events_dropped);
    let of_store = report.variants.iter().filter_map(|v| v.limits.store.as_ref()).map(|s| s.summary.events_dropped);
    let of_transport =
        report.variants.iter().filter_map(|v| v.limits.transport.as_ref()).map(|t| t.summary.events_dropped);
    of_cluster.chain(of_store).chain(of_transport).sum()
}

/// `03:12:07.250`.
fn clock_with_ms(at: Nanos) -> String {
    format!("{}.{:03}", clock(at), at.0 / 1_000_000 % 1_000)
}

#[cfg(test)]
mod tests {
    use super::super::sample::{compared, on_cluster, report, with_limits, with_senders, with_transport};
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let told = report(vec![on_cluster("a, \"b\"", Nanos::ZERO, false), on_cluster("quiet", Nanos::ZERO, true)]);
        let bytes = events_csv(&told);
        let mut rows = csv::Reader::from_reader(bytes.as_slice());
        assert_eq!(rows.headers().expect("there is a head").iter().collect::<Vec<_>>(), COLUMNS);
        let rows: Vec<csv::StringRecord> = rows.records().map(|row| row.expect("it is whole")).collect();
        let found = told.variants[0].cluster.as_ref().expect("it is on a cluster");
        assert_eq!(rows.len(), found.happened.cluster.events.len());
        let expected = [
            "a, \"b\"",
            "00:03:50.000",
            "n1",
            "Error",
            "MSExchangeCluster",
            "2074",
            "(4)",
            "Exchange POP3 Virtual Server Instance - (VIRTUAL SERVER 1): Cluster Service failed the isalive checking for the \
             resource",
        ];
        assert_eq!(rows[0].iter().collect::<Vec<_>>(), expected);
        assert_eq!(events_csv(&compared()), b"variant,time,node,type,source,id,category,text\n");
    }

    #[test]
    fn the_internet_mail_service_has_a_log_too() {
        let told = report(vec![with_limits("five", 5, None)]);
        let bytes = events_csv(&told);
        let rows: Vec<csv::StringRecord> =
            csv::Reader::from_reader(bytes.as_slice()).records().map(|row| row.expect("it is whole")).collect();
        let summary = &told.variants[0].limits.store.as_ref().expect("it has a store").summary;
        assert_eq!(rows.len(), summary.events.len());
        let ids: Vec<&str> = rows.iter().map(|row| &row[5]).filter(|id| !id.is_empty()).take(5).collect();
        assert_eq!(ids, ["4116", "3039", "4117", "4094", "4102"]);
        let first = rows.iter().find(|row| &row[5] == "4116").expect("a message went to BAD");
        assert_eq!((&first[0], &first[2], &first[3]), ("five", "", "Error"));
        assert_eq!((&first[4], &first[6]), ("MSExchangeIMC", "Internal Processing"));
    }

    #[test]
    fn each_change_of_level_is_an_entry_of_a_transport_server() {
        let told = report(vec![with_senders("shared", Some(5))]);
        let bytes = events_csv(&told);
        let rows: Vec<csv::StringRecord> =
            csv::Reader::from_reader(bytes.as_slice()).records().map(|row| row.expect("it is whole")).collect();
        let summary = &told.variants[0].limits.transport.as_ref().expect("it has a transport server").summary;
        assert_eq!(rows.len(), summary.events.len());
        // Up to Medium, up to High, and down again.
        let levels: Vec<&csv::StringRecord> = rows.iter().filter(|row| !row[5].is_empty()).collect();
        let ids: Vec<&str> = levels.iter().map(|row| &row[5]).collect();
        assert_eq!(ids, ["15004", "15004", "15005"]);
        assert_eq!((&levels[1][1], &levels[1][3], &levels[1][4]), ("00:06:00.000", "Error", "MSExchangeTransport"));
        let lines: Vec<&str> = levels[1][7].lines().take(3).collect();
        let expected = [
            "Resource pressure increased from Medium to High.",
            "Resources under pressure:",
            "Queue database and disk space = 97% [High] [Normal=91% Medium=93% High=95%]",
        ];
        assert_eq!(lines, expected);
        let own = rows.iter().find(|row| row[7].contains("of flood")).expect("the flood was held");
        assert_eq!((&own[4], &own[5], &own[3]), ("atqsim", "", "Information"));
        assert!(own[7].contains("(MaxInboundConnectionPerSource)"), "{}", &own[7]);
    }

    #[test]
    fn a_transport_server_has_a_log_too_and_its_groups_have_their_names() {
        let told = report(vec![with_transport("on", true), with_transport("off", false)]);
        let bytes = events_csv(&told);
        let rows: Vec<csv::StringRecord> =
            csv::Reader::from_reader(bytes.as_slice()).records().map(|row| row.expect("it is whole")).collect();
        let high = rows.iter().find(|row| row[7].contains("from Normal to High")).expect("the drive was full");
        assert_eq!((&high[0], &high[3], &high[4], &high[5]), ("on", "Error", "MSExchangeTransport", "15004"));
        assert!(high[7].contains("Queue database and disk space = 99% [High] [Normal=94% Medium=96% High=98%]"));
        let first = rows.iter().find(|row| &row[4] == "atqsim").expect("something was refused");
        assert!(first[7].starts_with("For the first time, something of flood was refused"), "{}", &first[7]);
        assert!(
            rows.iter().any(|row| &row[0] == "off") && !rows.iter().any(|row| &row[0] == "off" && !row[5].is_empty())
        );
    }
}
