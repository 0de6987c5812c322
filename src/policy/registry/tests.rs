//! Tests of the table and of the settings of a node.

use super::*;
use crate::problem::{Severity, any_error};

fn registry(settings: &[(ValueId, u32)]) -> Registry {
    let mut registry = Registry::empty();
    for &(id, data) in settings {
        registry.set(id, data, Place::Named("scenario".into()));
    }
    registry
}

/// What `check` says of `settings` under the default assumptions, one line each.
#[track_caller]
fn check(settings: &[(ValueId, u32)], expected: &[&str]) {
    let problems = registry(settings).check(&Assumptions::default());
    let found: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), expected.len(), "{settings:?}: {found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.contains(expected), "{found}\n does not have\n{expected}");
    }
}

#[test]
fn each_row_stands_at_its_id_and_no_two_are_the_same() {
    for (index, value) in TABLE.iter().enumerate() {
        assert_eq!(value.id as usize, index, "{}", value.name);
        assert_eq!(value.id.value(), value);
        for text in [value.name, value.key, value.unit, value.meaning, value.source] {
            assert!(!text.is_empty() && !text.contains('|'), "{}", value.name);
        }
        assert!(value.range.0 <= value.range.1);
        if let DefaultData::Value(data) = value.default {
            assert!((value.range.0..=value.range.1).contains(&data), "{}", value.name);
        }
        assert!(!value.key.to_lowercase().starts_with("hk"), "{}", value.name);
        for name in std::iter::once(value.name).chain(value.aliases.iter().copied()) {
            assert_eq!(find(value.key, name).map(|v| v.id), Some(value.id));
        }
    }
    assert_eq!(TABLE.len(), ValueId::Imap4MaxBufferSize as usize + 1);
    assert_eq!(TABLE.iter().filter(|value| value.modelled).count(), 6);
    let of_limits: Vec<&str> = TABLE.iter().filter_map(|value| value.limit).collect();
    assert_eq!(
        of_limits,
        ["[domains]", "[store]", "[store]", "[store]", "[store]", "[write_buffers]", "[write_buffers]"]
    );
    assert!(TABLE.iter().all(|value| !value.modelled || value.limit.is_none()));
}

#[test]
fn keys_are_found_in_any_spelling() {
    let spellings = [
        r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\InetInfo\Parameters",
        r"HKLM\System\ControlSet001\services\inetinfo\parameters",
        r"hklm\system\CONTROLSET002\Services\InetInfo\Parameters\",
        r"System\CurrentControlSet\Services\InetInfo\Parameters",
    ];
    for key in spellings {
        assert_eq!(find(key, "maxpoolthreads").map(|v| v.id), Some(ValueId::MaxPoolThreads), "{key}");
    }
    let others = [
        r"HKEY_CURRENT_USER\SYSTEM\CurrentControlSet\Services\InetInfo\Parameters",
        r"HKLM\System\ControlSetABC\Services\InetInfo\Parameters",
        r"HKLM\System\Services\InetInfo\Parameters",
        "",
    ];
    for key in others {
        assert_eq!(find(key, "MaxPoolThreads"), None, "{key}");
    }
    let ids: Vec<ValueId> = find_by_name("MaxBufferSize").map(|v| v.id).collect();
    assert_eq!(ids, [ValueId::Pop3MaxBufferSize, ValueId::Imap4MaxBufferSize]);
    let of = |name: &str| find_by_name(name).map(|v| v.id).collect::<Vec<_>>();
    assert_eq!(of(r"pop3svc\MaxBufferSize"), [ValueId::Pop3MaxBufferSize]);
    assert_eq!(of(r"IMAP4Svc\maxbuffersize"), [ValueId::Imap4MaxBufferSize]);
    assert_eq!(of(r"W3Svc\MaxBufferSize"), []);
    for value in TABLE {
        let full = value.full_name();
        let is_first = find_by_name(&full).next().map(|v| v.id);
        let is_alone = full.contains('\\') || find_by_name(value.name).count() == 1;
        assert!(!is_alone || is_first == Some(value.id), "{full}");
    }
    assert_eq!(ValueId::Pop3MaxBufferSize.value().full_name(), r"POP3Svc\MaxBufferSize");
    assert_eq!(ValueId::MaxPoolThreads.value().full_name(), "MaxPoolThreads");
    assert_eq!(find_by_name("max threads (public+private)").count(), 1);
}

#[test]
fn absent_values_count_as_their_documented_defaults() {
    let (empty, mut assumptions) = (Registry::empty(), Assumptions::default());
    let effective = |id, assumptions: &Assumptions| empty.effective(id, assumptions);
    assert_eq!(effective(ValueId::MaxPercentPoolThreads, &assumptions), Some(0x5A));
    assert_eq!(effective(ValueId::AdditionalPoolThreadsPerProc, &assumptions), Some(0x6));
    assert_eq!(effective(ValueId::MaxPoolThreads, &assumptions), Some(4));
    assert_eq!(effective(ValueId::ThreadTimeout, &assumptions), Some(86_400));
    assert_eq!(effective(ValueId::MaxConcurrency, &assumptions), Some(0));
    assert_eq!(effective(ValueId::ListenBackLog, &assumptions), Some(25));
    assert_eq!(effective(ValueId::PoolThreadLimit, &assumptions), None);
    assert_eq!(effective(ValueId::ZombieDomainEntryThreshold, &assumptions), None);
    assumptions.max_pool_threads_default = 10;
    assert_eq!(effective(ValueId::MaxPoolThreads, &assumptions), Some(10));
    let set = registry(&[(ValueId::MaxPoolThreads, 7)]);
    assert_eq!(set.effective(ValueId::MaxPoolThreads, &assumptions), Some(7));
}

#[test]
fn what_is_published_about_defaults_and_other_keys_is_known() {
    use ValueId::*;
    // Written down a second time, from the texts that the table names; every other default is published nowhere.
    let published = [
        (MaxPercentPoolThreads, "90"),
        (AdditionalPoolThreadsPerProc, "6"),
        (MaxPoolThreads, "4 (Q196016) or 10 (Q301310)"),
        (PoolThreadLimit, "2 x MB of memory, at most 256"),
        (ThreadTimeout, "86400"),
        (MaxConcurrency, "0"),
        (ListenBackLog, "25 (Q301310) or 15 (IIS 5.0 help)"),
        (UseAcceptEx, "1"),
        (AcceptExOutstanding, "40"),
        (AcceptExTimeout, "120"),
        (FileCacheMaxHandles, "800"),
        (MsgHandleThreshold, "1000"),
        (MsgHandleAsyncThreshold, "1000"),
        (MaxMessageObjects, "100000"),
        (StoreMaxPoolThreads, "50"),
        (StoreMaxConcurrency, "0"),
        (StoreThreadTimeout, "86400"),
        (StoreMaxThreads, "32 after setup (4.0/5.0), 20 without an entry (5.0), 50 (5.5)"),
        (StoreMinimumThreads, "10"),
        (StoreBackgroundThreads, "37 (5.5), 25 (5.0)"),
        (GatewayInThreads, "2"),
        (GatewayOutThreads, "2"),
        (Pop3MaxBufferSize, "1024"),
        (Imap4MaxBufferSize, "1024"),
    ];
    for value in TABLE {
        let expected = published.iter().find(|(id, _)| *id == value.id).map_or("not published", |(_, text)| text);
        assert!(value.default_text().starts_with(expected), "{}: {}", value.name, value.default_text());
    }
    // KB 281868 and ExBPA disagree about the key of its two values, and about no other.
    let elsewhere: Vec<ValueId> = TABLE.iter().filter(|v| !v.other_keys.is_empty()).map(|v| v.id).collect();
    assert_eq!(elsewhere, [MaxPercentPoolThreads, AdditionalPoolThreadsPerProc]);
}

#[test]
fn a_later_setting_and_an_overlay_win() {
    let mut base = registry(&[(ValueId::MaxPoolThreads, 7), (ValueId::MaxPoolThreads, 8), (ValueId::ThreadTimeout, 9)]);
    base.overlay(&registry(&[(ValueId::MaxPoolThreads, 5)]));
    assert_eq!(
        (base.get(ValueId::MaxPoolThreads), base.get(ValueId::ThreadTimeout), base.len()),
        (Some(5), Some(9), 2)
    );
    let present: Vec<(ValueId, u32)> = base.iter().map(|(id, setting)| (id, setting.data)).collect();
    assert_eq!(present, [(ValueId::MaxPoolThreads, 5), (ValueId::ThreadTimeout, 9)], "in the order of the table");
    assert!(!base.is_empty());
    base.remove(ValueId::MaxPoolThreads);
    base.remove(ValueId::ThreadTimeout);
    assert!(base.is_empty());
}

#[test]
fn values_outside_their_range_are_refused() {
    use ValueId::*;
    check(&[], &[]);
    check(&[(MaxPercentPoolThreads, 22), (AdditionalPoolThreadsPerProc, 18)], &[]);
    check(&[(MaxPercentPoolThreads, 1), (PoolThreadLimit, u32::MAX)], &[]);
    check(&[(MaxPercentPoolThreads, 100), (ListenBackLog, 250), (MsgHandleThreshold, 15_000)], &[]);
    let nothing = "set 1 to 100, or remove it for the default of 90; nothing published says what other values do";
    check(&[(MaxPercentPoolThreads, 0)], &[nothing]);
    check(&[(MaxPercentPoolThreads, 101)], &["error: scenario: MaxPercentPoolThreads 101 is outside"]);
    check(&[(MaxPercentPoolThreads, u32::MAX)], &["4294967295"]);
    check(&[(PoolThreadLimit, 0)], &["error: scenario: PoolThreadLimit 0 is outside what is accepted, from 1 threads"]);
    check(&[(MaxPoolThreads, 0)], &[]);
    check(
        &[(MaxPoolThreads, 0), (AdditionalPoolThreadsPerProc, 0)],
        &["error: scenario: MaxPoolThreads and Additional"],
    );
    check(&[(MaxPoolThreads, 20)], &[]);
    check(
        &[(MaxPoolThreads, 21)],
        &["warning: scenario: MaxPoolThreads 21 is above the published advice of at most 20"],
    );
    check(
        &[(MaxPoolThreads, 8), (PoolThreadLimit, 7)],
        &["warning: scenario: PoolThreadLimit 7 is below MaxPoolThreads 8"],
    );
    check(&[(MaxPoolThreads, 8), (PoolThreadLimit, 8)], &[]);
    // A limit of 0 is one mistake and not two.
    check(&[(MaxPoolThreads, 8), (PoolThreadLimit, 0)], &["error: scenario: PoolThreadLimit 0"]);
    check(&[(ListenBackLog, 0)], &["warning: scenario: ListenBackLog 0 is outside what is accepted, 1 to 250"]);
    check(&[(UseAcceptEx, 2)], &["UseAcceptEx 2 is outside what is accepted, 0 to 1"]);
    check(&[(AcceptExOutstanding, 1001)], &["AcceptExOutstanding 1001 is outside what is accepted, 0 to 1000"]);
    check(&[(ListenBackLog, 251)], &["warning: scenario: ListenBackLog 251 is outside"]);
    check(&[(MsgHandleThreshold, 15_001)], &["warning: scenario: MsgHandleThreshold 15001 is above"]);
    check(&[(MsgHandleAsyncThreshold, 15_001)], &["at most 15000"]);
    for buffer in [Pop3MaxBufferSize, Imap4MaxBufferSize] {
        for sound in [1024, 32_768, 65_536] {
            check(&[(buffer, sound)], &[]);
        }
        check(&[(buffer, 0)], &["is what no published text says the meaning of"]);
        for wrong in [1, 512, 1023] {
            check(&[(buffer, wrong)], &["which ExBPA calls an error"]);
        }
        for wrong in [1025, 40_000, 65_535] {
            check(&[(buffer, wrong)], &["is no multiple of 1024 bytes"]);
        }
        check(&[(buffer, 65_537)], &["above the published advice of at most 65536"]);
    }
    check(&[(AcceptExTimeout, 1)], &[]);
    let both = registry(&[(MaxPercentPoolThreads, 140), (PoolThreadLimit, 0)]).check(&Assumptions::default());
    assert!(any_error(&both) && both.iter().filter(|p| p.severity == Severity::Error).count() == 2);
}

#[test]
fn the_markdown_table_has_a_line_for_each_value() {
    let text = markdown_table();
    assert_eq!(text.lines().count(), TABLE.len() + 2);
    assert!(text.lines().all(|line| line.matches('|').count() == 9), "{text}");
    assert!(
        text.contains("| `MaxPercentPoolThreads` | `System\\CurrentControlSet\\Services\\SMTPSVC\\Queuing` | 90 |")
    );
}

#[test]
fn an_origin_is_short() {
    let source = std::sync::Arc::new(crate::problem::SourceText { name: "tuned.reg".into(), text: "a\nb\nc".into() });
    let setting = |place| Setting { data: 1, place }.origin();
    assert_eq!(setting(Place::Span(source, 4..5)), "tuned.reg:3");
    assert_eq!(setting(Place::Line("a.reg".into(), 12)), "a.reg:12");
    assert_eq!(setting(Place::Named("scenario".into())), "scenario");
}
