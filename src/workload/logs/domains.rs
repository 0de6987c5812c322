//! The domains that recipients of a log are at: of `RCPT` commands in W3C and NCSA logs of SMTP, or of a CSV column `domain`.
//!
//! Not requests and not times (`trace` has those). A row without a recipient is passed over. Called by `scenario`.

use std::collections::BTreeMap;

use crate::workload::popularity::Listed;

/// The most recipients that are kept.
pub const RECIPIENTS_MOST: usize = 1_000_000;

/// What was found so far.
#[derive(Debug, Default)]
pub struct Found {
    /// The domains, by row.
    pub listed: Listed,
    /// Recipients beyond [`RECIPIENTS_MOST`].
    pub left_out: u64,
    index: BTreeMap<Box<str>, u32>,
}

impl Found {
    fn add(&mut self, domain: &str) {
        if domain.is_empty() {
            return;
        }
        if self.listed.rows.len() == RECIPIENTS_MOST {
            self.left_out += 1;
            return;
        }
        let domain: Box<str> = domain.to_ascii_lowercase().into();
        let next = self.listed.names.len() as u32;
        let at = *self.index.entry(domain.clone()).or_insert(next);
        if at == next {
            self.listed.names.push(domain);
        }
        self.listed.rows.push(at);
    }
}

/// Adds the recipients of a whole file.
pub fn domains(bytes: &[u8], found: &mut Found) {
    let text = String::from_utf8_lossy(bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let head: Vec<&str> = lines.clone().next().unwrap_or("").split(',').map(str::trim).collect();
    let column = head.iter().position(|name| name.eq_ignore_ascii_case("domain"));
    if let Some(column) = column {
        let rows = csv::ReaderBuilder::new().comment(Some(b'#')).flexible(true).from_reader(text.as_bytes());
        for row in rows.into_records().filter_map(Result::ok) {
            found.add(row.get(column).unwrap_or("").trim());
        }
        return;
    }
    lines.by_ref().filter_map(recipient).for_each(|domain| found.add(domain));
}

/// The domain of `RCPT ... <somebody@domain>`.
fn recipient(line: &str) -> Option<&str> {
    let at = line.as_bytes().windows(4).position(|word| word.eq_ignore_ascii_case(b"RCPT"))?;
    let (_, rest) = line.get(at + 4..)?.split_once('@')?;
    let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '.' || c == '-' || c == '_')).unwrap_or(rest.len());
    Some(rest[..end].trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> (Vec<String>, Vec<u32>) {
        let mut found = Found::default();
        domains(text.as_bytes(), &mut found);
        (found.listed.names.iter().map(ToString::to_string).collect(), found.listed.rows)
    }

    #[test]
    fn recipients_of_all_three_kinds_of_logs() {
        let w3c = "#Fields: time cs-method cs-uri-query sc-status\n\
                   10:00:00 RCPT +TO:<a@One.example> 250\n10:00:00 DATA +<x@no.example> 250\n\
                   10:00:01 RCPT -?+TO:<b@two.example>+NOTIFY=NEVER 250\n10:00:02 rcpt +TO:<c@one.example> 250\n";
        assert_eq!(of(w3c), (vec!["one.example".into(), "two.example".into()], vec![0, 1, 0]));
        let ncsa = "10.0.0.1 - mx [28/Nov/2003:10:00:00 +0000] \"RCPT -?+TO:<a@b.example> SMTP\" 250 5\n";
        assert_eq!(of(ncsa), (vec!["b.example".into()], vec![0]));
        let csv = "time,service,domain\n0,smtp,a.example\n1,smtp,\n2,smtp,A.example\n";
        assert_eq!(of(csv), (vec!["a.example".into()], vec![0, 0]));
        assert_eq!(of("nothing of the kind\n"), (vec![], vec![]));
    }
}
