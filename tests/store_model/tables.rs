//! The published numbers, each once.

use atqsim::models::store::events::{FAIL_ONE_PROVIDER, Kind, NETWORK_ERROR};
use atqsim::models::store::perfopt::{Answers, LOG_FILE, Log, optimize};
use atqsim::models::store::spec::{Registered, ThreadCounts, Version, WORKAROUND_MAX_THREADS};
use atqsim::models::store::{Entry, MessageId, What};

use super::driver::secs;

#[test]
fn threads_by_version_and_registry() {
    let set = |max| Registered { max_threads: Some(max), ..Registered::default() };
    let table = [
        // Q169686: after setup.
        (Version::V40, Registered::after_setup(Version::V40), 0x20, 25),
        (Version::V50, Registered::after_setup(Version::V50), 32, 25),
        // Q156063: no entry.
        (Version::V50, Registered::default(), 20, 25),
        // Q257252.
        (Version::V55, Registered::after_setup(Version::V55), 0x32, 0x25),
        (Version::V55, Registered::default(), 50, 37),
        // Q169686: after the Optimizer; the workaround.
        (Version::V50, set(0x5), 5, 25),
        (Version::V50, set(WORKAROUND_MAX_THREADS), 20, 25),
    ];
    for (version, registered, max, background) in table {
        let threads = ThreadCounts::of(version, &registered);
        assert_eq!((threads.max, threads.background), (max, background), "{version:?} {registered:?}");
        // Q257252.
        assert_eq!((threads.gateway_in, threads.gateway_out), (2, 2));
    }
    let all = Registered {
        max_threads: Some(1),
        background_threads: Some(2),
        gateway_in_threads: Some(3),
        gateway_out_threads: Some(4),
    };
    let threads = ThreadCounts::of(Version::V55, &all);
    assert_eq!([threads.max, threads.background, threads.gateway_in, threads.gateway_out], [1, 2, 3, 4]);
}

#[test]
fn sessions_by_the_formula() {
    // By hand: ((max * 3 / 4 + background) * 3) / 5 + 1, each division without its rest.
    let table =
        [(20, 25, 25), (32, 25, 30), (5, 25, 17), (50, 37, 45), (0, 0, 1), (1, 1, 1), (u32::MAX, 0, 1_932_735_283)];
    for (max, background, sessions) in table {
        let threads = ThreadCounts { max, background, gateway_in: 2, gateway_out: 2 };
        assert_eq!(threads.sessions(), sessions, "{max} and {background}");
    }
}

#[test]
fn events_have_their_ids_codes_and_words() {
    let message = MessageId(7);
    let table = [
        (What::MovedToBad(message), Some(4116), None, "BAD"),
        (What::ConnectionLost, Some(3039), Some(0x8004_0115), "0x80040115"),
        (What::MovedToArchive(message), Some(4117), None, r"Imcdata\In\Archive"),
        (What::RefreshFailed, Some(4094), Some(0x8004_011d), "0x8004011d"),
        (What::Stopped, Some(4102), None, "stopped"),
        (What::NoWorkThreads, Some(4023), None, "work threads"),
        (What::Refreshed, None, None, "refreshed"),
        (What::Started, None, None, "started"),
        (What::LoggedOn, None, None, "logged on"),
    ];
    for (what, id, code, words) in table {
        let entry = Entry { at: secs(1), what };
        assert_eq!((entry.id(), entry.code()), (id, code));
        assert!(entry.text().contains(words), "{}", entry.text());
        let (source, category) =
            if id.is_some() { ("MSExchangeIMC", Some("Internal Processing")) } else { ("atqsim", None) };
        assert_eq!((entry.source(), entry.category()), (source, category));
        assert_eq!(id.is_none(), entry.kind() == Kind::Information);
    }
    assert_eq!((NETWORK_ERROR, FAIL_ONE_PROVIDER), (0x8004_0115, 0x8004_011d));
}

#[test]
fn the_optimizer_leaves_five_threads_and_adds_to_its_log() {
    let other = Answers { are_defaults: false, all_server_types: false, few_users: false };
    let few = [Answers::DEFAULTS, Answers { all_server_types: true, ..other }, Answers { few_users: true, ..other }];
    let found = Registered { max_threads: Some(0x20), background_threads: Some(9), ..Registered::default() };
    let mut log = Log::default();
    for (n, answers) in few.into_iter().enumerate() {
        let run = optimize(secs(60 * n as u64), answers, found, 0x14);
        // Q169686.
        assert_eq!(run.left, Registered { max_threads: Some(0x5), ..found });
        let before = log.text().to_string();
        log.append(&run);
        assert!(log.text().starts_with(&before) && log.text().len() > before.len());
    }
    log.append(&optimize(secs(600), other, Registered::default(), 0x14));
    let expected = "\
        ; perfopt.log as atqsim writes it: how the Optimizer's own lines look is not published\r\n\
        [0 s] defaults=true all_server_types=false few_users=false\r\n\
        MSExchangeIS\\ParametersSystem\\Max Threads(Private+Public): 0x20 -> 0x5\r\n\
        [60 s] defaults=false all_server_types=true few_users=false\r\n\
        MSExchangeIS\\ParametersSystem\\Max Threads(Private+Public): 0x20 -> 0x5\r\n\
        [120 s] defaults=false all_server_types=false few_users=true\r\n\
        MSExchangeIS\\ParametersSystem\\Max Threads(Private+Public): 0x20 -> 0x5\r\n\
        [600 s] defaults=false all_server_types=false few_users=false\r\n\
        MSExchangeIS\\ParametersSystem\\Max Threads(Private+Public): (none) -> 0x14\r\n";
    assert_eq!(log.text(), expected);
    assert_eq!(LOG_FILE, r"%windir%\system32\perfopt.log");
}
