//! Tests of the reader and the writer of registry files.

use super::*;
use crate::policy::assumptions::{Assumptions, QueuingKey};
use crate::policy::registry::ValueId;
use crate::problem::{Severity, any_error};
use proptest::prelude::*;

const HEADER: &str = "Windows Registry Editor Version 5.00\r\n\r\n";
const QUEUING: &str = r"[HKEY_LOCAL_MACHINE\System\CurrentControlSet\Services\SMTPSVC\Queuing]";
const PARAMETERS: &str = r"[HKEY_LOCAL_MACHINE\System\CurrentControlSet\Services\SMTPSvc\Parameters]";
const INETINFO: &str = r"[HKLM\SYSTEM\CurrentControlSet\Services\InetInfo\Parameters]";

fn modelled(bytes: &[u8], assumptions: &Assumptions) -> (RegFile, Registry, Vec<Problem>) {
    let (file, mut problems) = read(bytes, "a.reg");
    let (registry, more) = file.registry(assumptions);
    problems.extend(more);
    (file, registry, problems)
}

/// What a file sets and what is said of it, a line each; `expected` are beginnings of the sayings.
#[track_caller]
fn check(bytes: &[u8], settings: &[(ValueId, u32)], expected: &[&str]) {
    let (_, registry, problems) = modelled(bytes, &Assumptions::default());
    let set: Vec<(ValueId, u32)> = registry.iter().map(|(id, setting)| (id, setting.data)).collect();
    assert_eq!(set, settings, "{problems:#?}");
    let found: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}\n does not begin with\n{expected}");
    }
}

/// One line below the queuing key, as the fourth line of a file.
#[track_caller]
fn check_line(line: &str, settings: &[(ValueId, u32)], expected: &[&str]) {
    check(format!("{HEADER}{QUEUING}\r\n{line}\r\n").as_bytes(), settings, expected);
}

const TUNED: &[(ValueId, u32)] = &[(ValueId::MaxPercentPoolThreads, 22), (ValueId::AdditionalPoolThreadsPerProc, 18)];

fn tuned() -> String {
    format!(
        "{HEADER}{QUEUING}\r\n\"MaxPercentPoolThreads\"=dword:00000016\r\n\
         \"AdditionalPoolThreadsPerProc\"=dword:00000012\r\n\r\n"
    )
}

fn utf16(text: &str, big_endian: bool) -> Vec<u8> {
    let bytes = |unit: u16| if big_endian { unit.to_be_bytes() } else { unit.to_le_bytes() };
    text.encode_utf16().flat_map(bytes).collect()
}

#[test]
fn every_encoding_is_read() {
    let text = tuned();
    check(text.as_bytes(), TUNED, &[]);
    check(&[b"\xEF\xBB\xBF", text.as_bytes()].concat(), TUNED, &[]);
    check(&[b"\xFF\xFE".as_slice(), &utf16(&text, false)].concat(), TUNED, &[]);
    check(&[b"\xFE\xFF".as_slice(), &utf16(&text, true)].concat(), TUNED, &[]);
    check(&utf16(&text, false), TUNED, &["warning: a.reg: the file is UTF-16 without a byte order mark"]);
    check(&utf16(&text, true), TUNED, &["warning: a.reg: the file is UTF-16 without a byte order mark"]);
    check(text.replace(HEADER, "REGEDIT4\r\n\r\n").as_bytes(), TUNED, &[]);
    let ansi = b"REGEDIT4\n\n[HKEY_CURRENT_USER\\M\xFCller]\n\"\x80\"=\"caf\xE9\"\n";
    let (file, problems) = read(ansi, "a.reg");
    assert_eq!(problems, []);
    assert_eq!(file.sections()[0].key, r"HKEY_CURRENT_USER\Müller");
    assert_eq!(
        (file.sections()[0].values[0].name.as_str(), &file.sections()[0].values[0].data),
        ("€", &Data::Text("café".into()))
    );
    let (_, problems) = read("REGEDIT4\n\n[HKCU\\Müller]\n".as_bytes(), "a.reg");
    assert!(problems[0].message.contains("looks like UTF-8"), "{problems:?}");
}

#[test]
fn what_published_samples_look_like_is_read_without_a_word() {
    for ending in ["\r\n", "\n", "\r"] {
        check(tuned().replace("\r\n", ending).as_bytes(), TUNED, &[]);
    }
    let odd = "\n  ; tuned\n  REGEDIT4\n [hklm\\SYSTEM\\ControlSet001\\services\\smtpsvc\\QUEUING] ; here\n\
               \t\"maxpercentpoolthreads\" = DWORD:16 ; 22\n\
               \"AdditionalPoolThreadsPerProc\"=hex(4):12,00,\\\n\n   00,00\n";
    check(odd.as_bytes(), TUNED, &[]);
    check_line("\"MaxPercentPoolThreads\"=dword: 16\n@=\"\"", &TUNED[..1], &["note: a.reg:5:1: @ is not modelled"]);
}

#[test]
fn a_value_that_no_regedit_would_take_is_reported_and_not_set() {
    let wrong = [
        ("0x00002000", "`0x00002000` where dword:", "write \"MaxPoolThreads\"=dword:00002000"),
        ("22", "`22` where dword:", "write \"MaxPoolThreads\"=dword:00000016"),
        ("", "no data where dword:", "a number is dword:"),
        ("dword:0000003E8", "`dword:0000003E8` has 9 digits", "write dword:000003e8, which is 1000"),
        ("dword:1000003E8", "`dword:1000003E8` has 9 digits", "the number does not fit"),
        ("dword:", "`dword:` is not hexadecimal", "write dword:"),
        ("dword:0x16", "`dword:0x16` is not hexadecimal", "write dword:"),
        ("dword:+16", "`dword:+16` is not hexadecimal", "write dword:"),
        ("dword:-1", "`dword:-1` is not hexadecimal", "write dword:"),
        ("\"22", "the string has no closing quote", "close the string"),
        ("\"22\" 23", "`23` follows the closing quote", "close the string"),
        ("hex:1,2,xyz", "`xyz` is not a byte", "a byte is two"),
        ("hex:1,,2", "`` is not a byte", "a byte is two"),
        ("hex:100", "`100` is not a byte", "a byte is two"),
        ("hex(g):01", "`hex(g)` is no type", "write hex:"),
        ("hex(4:01", "`hex(4` is no type", "write hex:"),
        ("hex", "`hex` has no colon", "write hex:"),
        ("hex:01,\\", "the line ends in a backslash", "remove the backslash"),
        ("€uro", "`€uro` where dword:", "a number is dword:"),
    ];
    for (data, finding, remedy) in wrong {
        let text = format!(
            "{HEADER}{INETINFO}\r\n\"MaxPoolThreads\"={data}\r\n{QUEUING}\r\n\"MaxPercentPoolThreads\"=dword:16"
        );
        let (_, registry, problems) = modelled(text.as_bytes(), &Assumptions::default());
        assert_eq!(registry.len(), 1, "{data}");
        assert_eq!((problems.len(), problems[0].severity), (1, Severity::Error), "{data}: {problems:?}");
        assert!(problems[0].message.contains(finding), "{data}: {}", problems[0]);
        assert!(problems[0].remedy.contains(remedy), "{data}: {}", problems[0]);
        assert!(problems[0].to_string().contains("a.reg:4:1"), "{data}: {}", problems[0]);
    }
}

#[test]
fn the_published_misprints_are_warned_of() {
    let found = "warning: a.reg:4:30: ZombieDomainEntryThreshold: `dword:0000003E8` has 9 digits, and a dword has at \
                 most 8, so it is not set; write dword:000003e8, which is 1000";
    check_line("\"ZombieDomainEntryThreshold\"=dword:0000003E8", &[], &[found]);
    let found = "warning: a.reg:4:16: MaxWorkItems: `0x00002000` where dword:, hex:, a quoted string or - is wanted, \
                 so it is not set; write \"MaxWorkItems\"=dword:00002000";
    check_line("\"MaxWorkItems\"=0x00002000", &[], &[found]);
}

#[test]
fn data_of_the_wrong_type_are_reported_with_the_right_ones() {
    let wrong = [
        ("\"22\"", "is the string \"22\"", "write \"MaxPercentPoolThreads\"=dword:00000016"),
        ("\"many\"", "is the string \"many\"", "write dword:"),
        ("hex(4):16,00", "is a dword of 2 bytes", "write dword:"),
        ("hex(5):00,00,00,16", "is a big-endian dword", "=dword:00000016"),
        ("hex(b):16,00,00,00,00,00,00,00", "is a qword", "=dword:00000016"),
        ("hex:16,00,00,00", "is data of type 3", "write dword:"),
    ];
    for (data, finding, remedy) in wrong {
        let text = format!("{HEADER}{QUEUING}\n\"MaxPercentPoolThreads\"={data}\n");
        let (_, registry, problems) = modelled(text.as_bytes(), &Assumptions::default());
        assert!(registry.is_empty() && problems.len() == 1 && any_error(&problems), "{data}: {problems:?}");
        assert!(problems[0].message.contains(finding) && problems[0].remedy.contains(remedy), "{}", problems[0]);
    }
    check_line("\"MaxPercentPoolThreads\"=hex(4):16,00,00,00", &TUNED[..1], &[]);
}

#[test]
fn broken_files_are_refused_with_a_reason() {
    check(b"", &[], &["error: a.reg: the file is empty"]);
    check(b"\xFF\xFE", &[], &["error: a.reg: the file is empty"]);
    check(b" \r\n\t\r\n", &[], &["error: a.reg: the file is empty"]);
    check(b"regf\x00\x01\x02\x03\x00\x00\x00\x01\xFF\x9D", &[], &["error: a.reg: this is no text"]);
    check(&[0; 100], &[], &["error: a.reg: this is no text"]);
    check(&vec![b'a'; decode::FILE_BYTES_MOST + 1], &[], &["error: a.reg: the file has 16777217 bytes"]);
    let headless = tuned().replace(HEADER, "");
    check(headless.as_bytes(), TUNED, &["error: a.reg:1:1: the first line is neither of the two headers"]);
    check(format!("REGEDIT5\n{headless}").as_bytes(), TUNED, &["error: a.reg:1:1: the first line is neither"]);
    check(format!("regedit4\n{headless}").as_bytes(), TUNED, &["warning: a.reg:1:1: the first line is not in"]);
    let twice = "error: a.reg:4:1: `REGEDIT4` is neither a [key], a value nor a comment";
    check_line("REGEDIT4\r\n\"MaxPercentPoolThreads\"=dword:16", &TUNED[..1], &[twice]);
}

#[test]
fn broken_lines_are_reported_and_the_others_are_read() {
    let good = "\"MaxPercentPoolThreads\"=dword:16";
    let line = |wrong: &str, expected: &str| check_line(&format!("{wrong}\r\n{good}"), &TUNED[..1], &[expected]);
    line("\"Name=dword:1", "error: a.reg:4:1: `\"Name=dword:1` has no closing quote");
    line("\"Name\"", "error: a.reg:4:1: `\"Name\"` has no closing quote or no `=`");
    line("\"a\0b\"=dword:1", "error: a.reg:4:1: the line has a NUL character");
    line(&format!("\"x\"=\"{}\"", "y".repeat(parse::LINE_BYTES_MOST)), "error: a.reg:4:1: the line has 65542 bytes");
    line(&"é".repeat(40_000), "error: a.reg:4:1: the line has 80000 bytes");
    check_line(&format!("[HKLM\\a\r\n{good}"), &[], &["error: a.reg:4:1: the key has no closing bracket"]);
    check_line(&format!("[]\r\n{good}"), &[], &["error: a.reg:4:1: the key is empty"]);
    check_line(
        &format!("[-HKLM\\a]\r\n{good}"),
        &[],
        &["error: a.reg:5:1: the value stands below a key that is deleted"],
    );
    check(format!("REGEDIT4\n{good}").as_bytes(), &[], &["error: a.reg:2:1: the value stands before the first [key]"]);
    let after = format!("{HEADER}{QUEUING} x\n{good}");
    check(after.as_bytes(), &TUNED[..1], &["warning: a.reg:3:71: text after the key is not read"]);
    let no_hive = format!("{HEADER}{}\n{good}", QUEUING.replace("HKEY_LOCAL_MACHINE\\", ""));
    check(no_hive.as_bytes(), &[], &["error: a.reg:3:1: the key begins with `System`, which is no hive"]);
    let many = format!("{HEADER}{}", "what\n".repeat(500));
    let (_, problems) = read(many.as_bytes(), "a.reg");
    assert_eq!(problems.len(), parse::PROBLEMS_MOST + 1);
    assert_eq!(problems.last().unwrap().message, "400 more problems are not shown");
    let repeated: String = (0..300).map(|n| format!("\"MaxPercentPoolThreads\"=dword:{n:x}\n")).collect();
    let text = format!("{HEADER}{QUEUING}\n{repeated}");
    let (_, registry, problems) = modelled(text.as_bytes(), &Assumptions::default());
    assert_eq!((registry.get(ValueId::MaxPercentPoolThreads), problems.len()), (Some(299), parse::PROBLEMS_MOST + 1));
    assert_eq!(problems.last().unwrap().message, "199 more notes and warnings are not shown");
}

#[test]
fn later_lines_win_and_deletions_delete() {
    let two = "\"MaxPercentPoolThreads\"=dword:5\r\n\"MAXPERCENTPOOLTHREADS\"=dword:16";
    check_line(two, &TUNED[..1], &["note: a.reg:4:1: MaxPercentPoolThreads is set again further down"]);
    let deleted = "\"MaxPercentPoolThreads\"=dword:5\r\n\"MaxPercentPoolThreads\"=-";
    check_line(deleted, &[], &[]);
    let again = "\"MaxPercentPoolThreads\"=-\r\n\"MaxPercentPoolThreads\"=dword:16";
    check_line(again, &TUNED[..1], &[]);
    let text = format!("{}[-HKLM\\system\\ControlSet001\\Services\\SMTPSVC]\r\n", tuned());
    check(text.as_bytes(), &[], &[]);
    let text = format!("{}[-HKLM\\system\\ControlSet001\\Services\\SMTP]\r\n", tuned());
    check(text.as_bytes(), TUNED, &[]);
    let text = format!(
        "{}[HKLM\\system\\ControlSet002\\Services\\SMTPSVC\\queuing]\r\n\"MaxPercentPoolThreads\"=dword:2d",
        tuned()
    );
    let set = [(ValueId::MaxPercentPoolThreads, 45), TUNED[1]];
    check(text.as_bytes(), &set, &["note: a.reg:4:1: MaxPercentPoolThreads is set again"]);
}

#[test]
fn the_two_documented_keys_are_never_merged_in_silence() {
    let percent = |data: &str| format!("\"MaxPercentPoolThreads\"=dword:{data}");
    let only = format!("{HEADER}{PARAMETERS}\n{}", percent("16"));
    let both = format!("{HEADER}{PARAMETERS}\n{}\n{QUEUING}\n{}", percent("2d"), percent("16"));
    let same = both.replace("2d", "16");
    let said = "warning: a.reg:4:1: this key of MaxPercentPoolThreads is documented by ExBPA; the KB says Queuing";
    check(only.as_bytes(), &[], &[said]);
    let said = r"warning: a.reg:4:1: MaxPercentPoolThreads is 45 here and 22 under SMTPSVC\Queuing, which counts";
    check(both.as_bytes(), &TUNED[..1], &[said]);
    check(same.as_bytes(), &TUNED[..1], &[]);
    let honour = Assumptions { queuing_key: QueuingKey::Parameters, ..Assumptions::default() };
    let (_, registry, problems) = modelled(only.as_bytes(), &honour);
    assert_eq!((registry.get(ValueId::MaxPercentPoolThreads), problems.len()), (Some(22), 1));
    assert_eq!(problems[0].severity, Severity::Note);
    assert_eq!(modelled(both.as_bytes(), &honour).1.get(ValueId::MaxPercentPoolThreads), Some(22));
    let wrong = format!("{HEADER}{INETINFO}\n{}", percent("16"));
    let (_, registry, problems) = modelled(wrong.as_bytes(), &honour);
    assert!(registry.is_empty());
    assert!(problems[0].remedy.ends_with(r"\Services\SMTPSVC\Queuing]"), "{}", problems[0]);
}

#[test]
fn what_is_not_modelled_is_kept_and_noted() {
    let text =
        format!("{HEADER}[HKEY_CURRENT_USER\\Software\\X]\n\"A\"=\"b\"\n{INETINFO}\n\"ListenBackLog\"=dword:32\n");
    let notes = ["note: a.reg:4:1: A is not modelled", "note: a.reg:6:1: ListenBackLog is known"];
    check(text.as_bytes(), &[(ValueId::ListenBackLog, 50)], &notes);
    let (file, _) = read(text.as_bytes(), "a.reg");
    let written = String::from_utf8(file.write(Format::Regedit4)).unwrap();
    assert!(written.contains("[HKEY_CURRENT_USER\\Software\\X]\r\n\"A\"=\"b\"\r\n\r\n"), "{written}");
    let values: String = (0..500).map(|n| format!("\"v{n}\"=dword:{n:x}\n")).collect();
    let (_, _, problems) = modelled(format!("{HEADER}{INETINFO}\n{values}").as_bytes(), &Assumptions::default());
    assert_eq!(problems.len(), 21);
    assert_eq!(problems[20].message, "480 more values from here on are not modelled");
}

#[test]
fn a_registry_is_written_as_regedit_writes_it() {
    let mut registry = Registry::empty();
    registry.set(ValueId::MaxPercentPoolThreads, 22, Place::Named("x".into()));
    registry.set(ValueId::AdditionalPoolThreadsPerProc, 18, Place::Named("x".into()));
    let file = RegFile::from_registry(&registry);
    let bytes = file.write(Format::Version5);
    assert_eq!(bytes, [b"\xFF\xFE".as_slice(), &utf16(&tuned(), false)].concat());
    check(&bytes, TUNED, &[]);
    let ansi = file.write(Format::Regedit4);
    assert_eq!(String::from_utf8(ansi.clone()).unwrap(), tuned().replace(HEADER, "REGEDIT4\r\n\r\n"));
    check(&ansi, TUNED, &[]);
}

#[test]
fn strings_and_bytes_survive_both_formats() {
    let path: Vec<u8> = utf16("%SystemRoot%\\é\0", false);
    let listed: String = path.iter().map(|byte| format!("{byte:02x},")).collect();
    let text = format!(
        "{HEADER}[HKLM\\a]b]\n\
         \"p\\\\q\\\"r;\"=\"C:\\\\x ; \\\"y\\\"\"\n\"e\"=hex(2):{}\n\"z\"=hex:\n\"y\"=-\n[-HKLM\\c]\n",
        listed.trim_end_matches(',')
    );
    let (file, problems) = read(text.as_bytes(), "a.reg");
    assert_eq!(problems, []);
    let values = &file.sections()[0].values;
    assert_eq!((file.sections()[0].key.as_str(), values[0].name.as_str()), (r"HKLM\a]b", "p\\q\"r;"));
    assert_eq!(values[0].data, Data::Text("C:\\x ; \"y\"".into()));
    for format in [Format::Regedit4, Format::Version5] {
        let (again, problems) = read(&file.write(format), "b.reg");
        assert_eq!((&again, problems), (&file, vec![]), "{format:?}");
    }
    let ansi = String::from_utf8(file.write(Format::Regedit4)).unwrap();
    assert!(ansi.contains("hex(2):25,53,79,73,74,65,6d,52,6f,6f,74,25,5c,e9,00\r\n"), "{ansi}");
    assert!(ansi.lines().all(|line| line.len() <= 80));
}

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let bytes = prop::collection::vec(any::<u8>(), 0..80);
    let data = prop_oneof![
        "[ -~äé€]{0,30}".prop_map(Data::Text),
        any::<u32>().prop_map(Data::Dword),
        (prop::sample::select(vec![0_u32, 3, 4, 5, 8, 11, u32::MAX]), bytes).prop_map(|(kind, b)| Data::Hex(kind, b)),
        (prop::sample::select(vec![1_u32, 2, 7]), "[ -~äé€\\x00]{0,40}")
            .prop_map(|(kind, text)| Data::Hex(kind, utf16(&text, false))),
        Just(Data::Delete),
    ];
    let entry = ("[ -~äé€]{0,12}", data).prop_map(|(name, data)| Entry { name, data, span: 0..0 });
    prop::collection::vec(entry, 0..6)
}

fn files() -> impl Strategy<Value = RegFile> {
    let section = ("(HKLM|HKEY_CURRENT_USER)\\\\[ -:<-~äé€]{0,20}", any::<bool>(), entries()).prop_map(
        |(key, delete, values)| Section { key, delete, values: if delete { vec![] } else { values }, span: 0..0 },
    );
    prop::collection::vec(section, 0..5).prop_map(|sections| RegFile { source: None, sections })
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let (file, _) = read(&bytes, "a.reg");
        let _ = file.registry(&Assumptions::default());
    }

    #[test]
    fn arbitrary_lines_never_panic_and_what_is_read_is_written_and_read_the_same(
        lines in prop::collection::vec("[\\[\"@;]?[-HKLMhex\"=\\\\dwor:()0-9a-f, ;\\[\\]é\u{0}]{0,30}", 0..20),
    ) {
        let text = format!("{HEADER}[HKLM\\a]\n{}", lines.join("\n"));
        let (file, _) = read(text.as_bytes(), "a.reg");
        let _ = file.registry(&Assumptions::default());
        let (again, problems) = read(&file.write(Format::Version5), "b.reg");
        prop_assert_eq!(problems, vec![]);
        prop_assert_eq!(again, file);
    }

    #[test]
    fn what_is_written_is_read_back(file in files()) {
        for format in [Format::Regedit4, Format::Version5] {
            let (again, problems) = read(&file.write(format), "a.reg");
            let guess = |p: &&Problem| !p.message.contains("looks like UTF-8");
            prop_assert_eq!(problems.iter().find(guess), None);
            prop_assert_eq!(&again, &file);
        }
    }
}
