//! Tests of whole traces. Those of single lines are beside their formats.

use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::source::{Input, Origin, Source};
use super::*;

const HEADER: &str = "#Fields: date time cs-method time-taken\n";

fn texts(texts: &[&str]) -> Vec<(String, Vec<u8>)> {
    texts.iter().enumerate().map(|(i, text)| (format!("{i}.log"), text.as_bytes().to_vec())).collect()
}

fn as_logged() -> TraceOptions {
    TraceOptions { spread: false, ..TraceOptions::default() }
}

/// Opens `files` and reads them to the end. Rows as (milliseconds, service time in ms).
fn read(files: &[&str], options: TraceOptions) -> (Vec<(u64, u64)>, SkipReport) {
    let mut trace = Trace::from_texts(texts(files), options).unwrap();
    let rows = trace.by_ref().map(|r| (r.at.0 / 1_000_000, r.service_time.map_or(0, |t| t.0 / 1_000_000))).collect();
    assert_eq!(trace.next(), None, "a trace that has ended stays so");
    (rows, trace.skipped().clone())
}

fn refused(files: &[&str], options: TraceOptions) -> String {
    let problems = Trace::from_texts(texts(files), options).expect_err("should be refused");
    assert!(problems.iter().all(|p| !p.remedy.is_empty()));
    problems.iter().map(|p| format!("{p}\n")).collect()
}

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/data").join(name)
}

#[test]
fn formats_are_told_by_content() {
    let table: &[(&[u8], Option<LogFormat>)] = &[
        (b"#Software: x\r\n#Fields: time\r\n", Some(LogFormat::W3c)),
        (b"\xef\xbb\xbf#fields: time", Some(LogFormat::W3c)),
        (b"\0\0\0\n00:00:00 late\n#Date: 2003-03-01\n", Some(LogFormat::W3c)),
        (b"# a comment\n\n time , service \n", Some(LogFormat::Csv)),
        (b"192.0.2.1 - - [01/Mar/2003:00:00:00 +0000] \"HELO -?x SMTP\" 250 0\n", Some(LogFormat::Ncsa)),
        (b"192.0.2.1, -, 1/1/03, 0:00:00, SMTPSVC1, M\n", None),
        (b"time,connector-id\n", None),
        (b"\0\0\0\0", None),
        (b"", None),
    ];
    for (start, format) in table {
        assert_eq!(LogFormat::detect(start), *format, "{}", String::from_utf8_lossy(start));
    }
}

#[test]
fn the_samples_are_read() {
    let paths = [sample("smtp-w3c.log"), sample("smtp-ncsa.log"), sample("load.csv")];
    let counts = |path: &PathBuf| {
        let mut trace = Trace::open(std::slice::from_ref(path), TraceOptions::default()).unwrap();
        let rows: Vec<TraceRow> = trace.by_ref().collect();
        assert!(rows.is_sorted_by_key(|r| r.at));
        let messages = rows.iter().filter(|r| r.message).count();
        let timed = rows.iter().filter(|r| r.service_time.is_some()).count();
        let reasons: Vec<_> = trace.skipped().reasons().iter().map(|(reason, s)| (*reason, s.count)).collect();
        (rows.len(), messages, timed, reasons, rows.last().unwrap().at.0 / 1_000_000_000)
    };
    assert_eq!(counts(&paths[0]), (66, 11, 66, vec![(SkipReason::Outbound, 30)], 175));
    assert_eq!(counts(&paths[1]), (26, 5, 0, vec![(SkipReason::Outbound, 4)], 46));
    assert_eq!(counts(&paths[2]), (40, 11, 36, vec![], 26));
}

#[test]
fn rows_of_one_second_are_spread_over_it() {
    let row = |s: &str| format!("2003-03-01 00:00:{s} HELO 1\n");
    let text = HEADER.to_string() + &[row("10"), row("11"), row("11"), row("11"), row("11"), row("12")].concat();
    let times = |options| read(&[&text], options).0.into_iter().map(|(ms, _)| ms).collect::<Vec<_>>();
    assert_eq!(times(TraceOptions::default()), [0, 1000, 1250, 1500, 1750, 2000]);
    assert_eq!(times(as_logged()), [0, 1000, 1000, 1000, 1000, 2000]);
    // Times with a fraction are exact already, and so are the seconds of a CSV trace.
    let text = text.replace(" HELO", ".000 HELO");
    assert_eq!(read(&[&text], TraceOptions::default()).0[2].0, 1000);
    assert_eq!(
        read(&["time,service\n1,pop3\n2,pop3\n2,pop3"], TraceOptions::default()).0,
        [(0, 0), (1000, 0), (1000, 0)]
    );
}

#[test]
fn a_crowded_second_is_not_spread_but_counted() {
    let crowd = MAX_BUFFERED_ROWS + 50;
    let text = format!("{HEADER}{}2003-03-01 00:00:02 QUIT 0\n", "2003-03-01 00:00:01 HELO 1\n".repeat(crowd));
    let (rows, report) = read(&[&text], TraceOptions::default());
    assert_eq!((rows.len(), rows[crowd - 1].0, rows[crowd].0), (crowd + 1, 0, 1000));
    assert_eq!((report.unspread(), report.most_buffered()), (crowd as u64, MAX_BUFFERED_ROWS));
    // The bound is for all files together.
    let half = format!("{HEADER}{}", "2003-03-01 00:00:01 HELO 1\n".repeat(MAX_BUFFERED_ROWS * 2 / 3));
    let (rows, report) = read(&[&half, &half], TraceOptions::default());
    assert_eq!(rows.len(), MAX_BUFFERED_ROWS * 2 / 3 * 2);
    assert_eq!((report.unspread(), report.most_buffered()), (MAX_BUFFERED_ROWS as u64 * 2 / 3, MAX_BUFFERED_ROWS));
}

#[test]
fn a_row_out_of_order_is_taken_at_the_time_of_the_row_above() {
    let text = format!(
        "{HEADER}2003-03-01 00:00:10 A 1\n2003-03-01 00:00:08 B 2\n2003-03-01 00:00:09 C 3\n2003-03-01 00:00:11 D 4\n"
    );
    let (rows, report) = read(&[&text], as_logged());
    assert_eq!(rows, [(0, 1), (0, 2), (0, 3), (1000, 4)]);
    assert_eq!((report.clamped(), report.clamped_most()), (2, Nanos::from_secs(2)));
}

#[test]
fn files_are_merged_by_absolute_time_and_ties_by_file() {
    let w3c = format!("{HEADER}2003-03-01 12:00:01 HELO 1\n2003-03-01 12:00:05 QUIT 2\n");
    let csv =
        "time,service,service_ms\n2003-03-01 12:00:00,pop3,3\n2003-03-01 12:00:01,pop3,4\n2003-03-01 12:00:09,pop3,5";
    let ncsa = "192.0.2.1 - - [01/Mar/2003:07:00:05 -0500] \"HELO -?x SMTP\" 250 0";
    let nothing = "#Fields: time\n-\n";
    let (rows, report) = read(&[nothing, &w3c, csv, ncsa], as_logged());
    assert_eq!(rows, [(0, 3), (1000, 1), (1000, 4), (5000, 2), (5000, 0), (9000, 5)]);
    let used: Vec<_> = report.files().iter().map(|f| (f.name.as_str(), f.used, f.skipped)).collect();
    assert_eq!(used, [("0.log", 0, 1), ("1.log", 2, 0), ("2.log", 3, 0), ("3.log", 1, 0)]);
    assert!(report.problems().is_empty());
}

#[test]
fn files_of_different_clocks_start_together_with_a_warning() {
    let dated = format!("{HEADER}2003-03-01 12:00:01 HELO 1\n2003-03-01 12:00:03 QUIT 2\n");
    let undated = "#Fields: time cs-method time-taken\n07:00:00 HELO 3\n07:00:01 QUIT 4\n";
    let counted = "time,service,service_ms\n100,pop3,5\n";
    let (rows, report) = read(&[&dated, undated, counted], as_logged());
    assert_eq!(rows, [(0, 1), (0, 3), (0, 5), (1000, 4), (2000, 2)]);
    assert_eq!(report.problems().len(), 1);
    // In one file, rows of another clock than its first have no place.
    let (rows, report) = read(&["time,service\n5,pop3\n2003-03-01 12:00:00,pop3\n6,pop3"], as_logged());
    assert_eq!((rows.len(), report.reasons()[&SkipReason::BadTime].first_line), (2, 3));
}

#[test]
fn many_files_need_few_descriptors() {
    let files: Vec<String> =
        (0..600).map(|i| format!("{HEADER}2003-03-01 {:02}:{:02}:00 HELO {i}\n", i / 60, i % 60)).collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let (rows, report) = read(&files, TraceOptions::default());
    assert_eq!((rows.len(), rows[599], report.problems().len()), (600, (599 * 60_000, 599), 0));
    // All at once are too many: those that are left out are named.
    let same = format!("{HEADER}2003-03-01 00:00:00 A 1\n2003-03-01 00:00:01 B 1\n");
    let (rows, report) = read(&[same.as_str(); MAX_OPEN + 2], TraceOptions::default());
    assert_eq!((rows.len(), report.problems().len()), (MAX_OPEN * 2, 2));
}

#[test]
fn times_divides_every_gap() {
    let text = "time,service,service_ms\n0,pop3,8\n1,pop3,8\n3,pop3,8\n";
    let at = |times| read(&[text], TraceOptions { times, ..TraceOptions::default() }).0;
    assert_eq!(at(1.0), [(0, 8), (1000, 8), (3000, 8)]);
    assert_eq!(at(2.0), [(0, 8), (500, 8), (1500, 8)]);
    assert_eq!(at(0.25), [(0, 8), (4000, 8), (12_000, 8)]);
    for times in [0.0, -0.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e-300, 1e300] {
        let text = refused(&[text], TraceOptions { times, ..TraceOptions::default() });
        assert!(text.starts_with("error: times: the rate multiplier"), "{text}");
    }
}

#[test]
fn a_loop_starts_over_after_the_mean_gap() {
    let text = "time,service,service_ms\n5,pop3,1\n6,pop3,x\n7,pop3,2\n9,pop3,3\n";
    let looped = |secs, times| {
        let options = TraceOptions { times, loop_until: Some(Nanos::from_secs(secs)), spread: true };
        read(&[text], options)
    };
    let (rows, report) = looped(12, 1.0);
    assert_eq!(rows, [(0, 1), (2000, 2), (4000, 3), (6000, 1), (8000, 2), (10_000, 3)]);
    assert_eq!((report.used(), report.skipped()), (3, 1), "the first pass only");
    assert_eq!(looped(6, 2.0).0, [(0, 1), (1000, 2), (2000, 3), (3000, 1), (4000, 2), (5000, 3)]);
    assert_eq!(looped(3, 1.0).0, [(0, 1), (2000, 2)]);
    assert_eq!(looped(0, 1.0).0, []);
    // A trace of no length repeats after a second.
    let options = TraceOptions { loop_until: Some(Nanos::from_secs(3)), ..TraceOptions::default() };
    assert_eq!(read(&["time,service\n7,pop3"], options).0, [(0, 0), (1000, 0), (2000, 0)]);
}

#[test]
fn a_loop_over_a_file_that_lost_its_rows_ends() {
    let path = std::env::temp_dir().join(format!("atqsim-logs-{}-vanishing.csv", std::process::id()));
    std::fs::write(&path, "time,service\n0,pop3\n1,pop3\n").unwrap();
    let options = TraceOptions { loop_until: Some(Nanos::MAX), ..TraceOptions::default() };
    let mut trace = Trace::open(std::slice::from_ref(&path), options).unwrap();
    assert_eq!(trace.by_ref().take(5).count(), 5);
    std::fs::remove_file(&path).unwrap();
    assert!(trace.count() <= 1);
}

#[test]
fn what_cannot_be_a_trace_is_refused_with_a_remedy() {
    let default = TraceOptions::default();
    let table: &[(&str, &str)] = &[
        ("", "the file is empty"),
        ("\0\u{1}\u{2}", "the file is binary"),
        ("PK\u{3}\u{4}\0", "the file is compressed"),
        ("hello\nworld\n", "the file is in none of the formats"),
        ("#Fields: time\n", "the trace has no usable row (none skipped)"),
        ("#Fields: time\n-\n-\nx\n", "the trace has no usable row (2 no time, 1 bad time or date)"),
    ];
    for (text, message) in table {
        let got = refused(&[text], TraceOptions { loop_until: Some(Nanos::MAX), ..default });
        assert!(got.starts_with(&format!("error: 0.log: {message}")), "{got}");
    }
    assert_eq!(refused(&["", "x", "time,service\n1,pop3"], default).lines().count(), 2, "all at once");
    assert!(refused(&[], default).contains("no trace file is named"));
    let utf16 = Trace::from_texts(vec![("u".into(), b"\xff\xfe#\0F\0".to_vec())], default).unwrap_err();
    assert!(utf16[0].to_string().contains("UTF-16"));
    assert!(refused(&["time,service\n1,pop3"; MAX_FILES + 1], default).contains("more than 10000 files"));
}

#[test]
fn paths_are_files_or_directories_of_files() {
    let directory = std::env::temp_dir().join(format!("atqsim-logs-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(directory.join("sub")).unwrap();
    let open = |paths: &[PathBuf]| Trace::open(paths, TraceOptions::default()).map(|t| t.skipped().files().len());
    let empty = open(std::slice::from_ref(&directory)).unwrap_err();
    assert!(empty[0].message.contains("no files"), "{empty:?}");
    std::fs::write(directory.join("b.csv"), "time,service\n1,pop3\n").unwrap();
    std::fs::write(directory.join("a.log"), format!("{HEADER}2003-03-01 00:00:00 HELO 1\n")).unwrap();
    let trace = Trace::open(std::slice::from_ref(&directory), TraceOptions::default()).unwrap();
    let names: Vec<_> = trace.skipped().files().iter().map(|f| f.name.rsplit('/').next().unwrap()).collect();
    assert_eq!(names, ["a.log", "b.csv"]);
    assert_eq!(open(&[directory.join("b.csv"), directory.clone()]), Ok(3));
    let missing = open(&[directory.join("none"), directory.join("nor"), directory.clone()]).unwrap_err();
    assert_eq!(missing.len(), 2);
    assert!(open(&[PathBuf::from("/dev/null")]).unwrap_err()[0].message.contains("neither a file"));
    assert!(open(&[]).is_err());
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn odd_lines_are_skipped_and_the_rest_is_read() {
    let mut bytes = b"\xef\xbb\xbf#Fields: time cs-method time-taken \r\n00:00:01 H\xe9LO 1\r\n".to_vec();
    bytes.extend(vec![b'x'; MAX_LINE * 3]);
    bytes.extend(b"\r\n00:00:02 \0\0 2\r\n\r\n00:00:03 HELO 10000000000000000000000000000000\r\n00:00:04 QU");
    let mut trace = Trace::from_texts(vec![("odd.log".into(), bytes)], as_logged()).unwrap();
    assert_eq!(trace.by_ref().count(), 1);
    let text = "1 row used of 1 file, 4 skipped\n\
                \x20 1 skipped: too few columns (first at odd.log:7)\n\
                \x20 1 skipped: service time above a day (first at odd.log:6)\n\
                \x20 1 skipped: line longer than 64 KiB (first at odd.log:3)\n\
                \x20 1 skipped: not text (NUL bytes) (first at odd.log:4)";
    assert_eq!(trace.skipped().to_string(), text);
    assert_eq!(trace.skipped().files()[0].lines, 7);
}

/// Makes a log of `left` bytes while it is being read.
struct Endless {
    left: usize,
    row: u64,
    line: Vec<u8>,
    given: usize,
}

impl Read for Endless {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.given == self.line.len() {
            if self.left == 0 {
                return Err(io::Error::other("the disk is gone"));
            }
            let second = self.row / 500;
            self.line = format!(
                "2003-03-01 {:02}:{:02}:{:02} 192.0.2.1 EHLO {}\r\n",
                second / 3600 % 24,
                second / 60 % 60,
                second % 60,
                self.row % 97
            )
            .into_bytes();
            self.row += 1;
            self.given = 0;
            self.left = self.left.saturating_sub(self.line.len());
        }
        let n = to.len().min(self.line.len() - self.given);
        to[..n].copy_from_slice(&self.line[self.given..self.given + n]);
        self.given += n;
        Ok(n)
    }
}

fn twenty_megabytes() -> Input {
    let line = b"#Fields: date time c-ip cs-method time-taken\n".to_vec();
    Box::new(BufReader::new(Endless { left: 20_000_000, row: 0, line, given: 0 }))
}

#[test]
fn a_long_log_goes_through_in_few_rows_of_memory_and_a_broken_one_says_so() {
    let source = Source { name: "long.log".into(), origin: Origin::Made(twenty_megabytes) };
    let mut trace = Trace::from_sources(vec![source], TraceOptions::default()).unwrap();
    let rows = trace.by_ref().count();
    assert!(rows > 400_000, "{rows}");
    let report = trace.skipped();
    // 500 rows a second, of which one is on its way out.
    assert_eq!((report.used() as usize, report.most_buffered()), (rows, 499));
    let problem = report.problems()[0].to_string();
    assert!(problem.contains("long.log") && problem.contains("the disk is gone"), "{problem}");
}

/// Bytes that look like a log often enough to get past the first check.
fn log_like() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        Just(&b"\n"[..]),
        Just(&b"\r\n"[..]),
        Just(&b" "[..]),
        Just(&b","[..]),
        Just(&b"\""[..]),
        Just(&b"-"[..]),
        Just(&b"#Fields: date time cs-method time-taken\n"[..]),
        Just(&b"#Fields: time cs-method time-taken\n"[..]),
        Just(&b"#Date: 2003-03-01 23:59:59\n"[..]),
        Just(&b"\n2003-03-01 00:00:01 HELO 1\n"[..]),
        Just(&b"\n2199-12-31 23:59:60 HELO 1e30\n"[..]),
        Just(&b"\n23:59:59 DATA 16\n"[..]),
        Just(&b"\n00:00:00 DATA 16\n"[..]),
        Just(&b"time,service,service_ms\n"[..]),
        Just(&b"\n1.5,pop3,3\n"[..]),
        Just(&b"\n315576000,smtp-in,\"3\n"[..]),
        Just(&b"\n1970-01-01T00:00:00+23:59,imap4,\n"[..]),
        Just(&b"192.0.2.1 - - [01/Jan/1970:00:00:00 +2359] \"HELO -?x SMTP\" 250 0\n"[..]),
        Just(&b"[01/Mar/2003:"[..]),
        Just(&b"\0"[..]),
        Just(&b"\xff\xfe"[..]),
        Just(&b"99999999999999999999"[..]),
    ];
    let noise = prop::collection::vec(any::<u8>(), 0..8);
    let part = prop_oneof![8 => token.prop_map(<[u8]>::to_vec), 1 => noise];
    prop::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn any_bytes_are_refused_or_read_to_an_end(
        files in prop::collection::vec(log_like(), 1..4),
        times in prop_oneof![Just(1.0), Just(1e6), Just(1e-6), any::<f64>()],
        until in prop::option::of(0..20_u64),
        spread in any::<bool>(),
    ) {
        let files = files.into_iter().enumerate().map(|(i, text)| (i.to_string(), text)).collect();
        let options = TraceOptions { times, loop_until: until.map(Nanos::from_secs), spread };
        match Trace::from_texts(files, options) {
            Err(problems) => prop_assert!(!problems.is_empty()),
            Ok(mut trace) => {
                let rows: Vec<TraceRow> = trace.by_ref().take(10_000).collect();
                prop_assert!(rows.is_sorted_by_key(|r| r.at));
                prop_assert!(until.is_none_or(|s| rows.iter().all(|r| r.at < Nanos::from_secs(s))));
                prop_assert!(rows.iter().all(|r| r.service_time.is_none_or(|t| t <= MAX_SERVICE_TIME)));
                let report = trace.skipped();
                let lines: u64 = report.files().iter().map(|f| f.lines).sum();
                prop_assert!(report.used() + report.skipped() <= lines);
                if rows.len() < 10_000 && until.is_none() {
                    prop_assert_eq!(rows.len() as u64, report.used());
                }
            }
        }
    }

    #[test]
    fn no_line_makes_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for format in [LogFormat::W3c, LogFormat::Ncsa, LogFormat::Csv] {
            let mut parser = Parser::new(format);
            for line in [&b"#Fields: date time time-taken"[..], b"time,service,service_ms", &bytes] {
                parser.line(line);
            }
        }
    }
}

#[test]
fn a_trace_may_move_to_an_injector_thread() {
    fn is_send<T: Send>() {}
    is_send::<Trace>();
}
