//! A transport server of Exchange 2007 with who sends to it: the throttling page's own numbers, queueing theory, and the
//! shipped scenarios, on both engines.

use atqsim::metrics::limits::TransportFigures;
use atqsim::models::transport::{Held, Level, Throttle};
use atqsim::plan::Plan;
use atqsim::run::{EngineKind, RunOptions, Silent, run};
use atqsim::time::Nanos;

use super::super::{figures, plans, shipped};

const MINUTE: Nanos = Nanos::from_secs(60);

fn servers(plans: &[Plan], engine: EngineKind) -> Vec<(String, TransportFigures)> {
    figures(plans, engine).into_iter().map(|(name, found)| (name, found.transport.expect("a server"))).collect()
}

/// A server with this text behind its options; groups and loads are the text's own.
fn scenario(duration: &str, text: &str) -> String {
    format!(
        "format = 1\ntitle = \"x\"\nseed = 5\nduration = \"{duration}\"\n[node]\nprocessors = 1\nmemory_mb = 8192\n\
         [transport.machine]\nqueue_drive_gb = 100\n{text}"
    )
}

fn one(duration: &str, text: &str) -> TransportFigures {
    servers(&plans(&scenario(duration, text)), EngineKind::Virtual).remove(0).1
}

fn held(figures: &TransportFigures, at: usize, by: Throttle) -> Held {
    *figures.of_group(at).held(by)
}

fn ids(figures: &TransportFigures) -> Vec<u32> {
    figures.summary.events.iter().filter_map(|entry| entry.id).collect()
}

#[test]
fn throttling_shields_honest_senders_from_a_flood_a_harvest_and_a_slow_domain() {
    let plans = shipped("throttling");
    let found = servers(&plans, EngineKind::Virtual);
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["defaults", "limits off", "one source 1,000 and 100 %", "tarpit off", "tarpit 30s"]);
    let place = |name: &str| {
        let groups = &plans[0].limits.transport.as_ref().expect("a server").groups;
        groups.iter().position(|group| group.name == name).expect("it is there")
    };
    let [honest, people, flood, harvest] = ["honest", "people", "flood", "harvest"].map(place);
    let [defaults, off, wide, no_tarpit, long_tarpit] = [0, 1, 2, 3, 4].map(|at| &found[at].1);
    for (name, one) in &found {
        for (own, first) in one.senders.iter().zip(&defaults.senders) {
            assert_eq!(own.messages.wanted, first.messages.wanted, "{name}: the load is identical");
        }
        let last = one.senders[honest].messages;
        assert!(last.given_up == 0 && last.trying < 60, "{name}: honest senders get through in the end: {last:?}");
    }
    assert_eq!(defaults.of_group(honest).connections.refused, 0);
    assert!(wide.of_group(honest).connections.refused > 300, "the flood takes the minute's connections");
    assert!(defaults.of_group(flood).connections.refused > 17_000 && off.of_group(flood).connections.refused == 0);
    // 2 % of 5,000 are 100; a few others are always connected.
    assert!((90..100).contains(&defaults.summary.most.of_one_source), "{:?}", defaults.summary.most);
    assert_eq!(wide.summary.most.of_one_source, 1_000);
    assert_eq!((defaults.summary.most.to_one_domain, defaults.summary.most.outbound > 20), (20, true));
    assert!(off.summary.most.to_one_domain > 60);
    assert!(held(defaults, people, Throttle::PerDomainOutbound).delayed > 1_000);
    assert_eq!(held(off, people, Throttle::PerDomainOutbound), Held::default());
    // 5 s an answer against 50 ms a command, from as many connections at once.
    let learned = |one: &TransportFigures| one.senders[harvest].recipients_found;
    assert!(learned(no_tarpit) > 4 * learned(defaults) && learned(defaults) > 4 * learned(long_tarpit));
    assert_eq!(learned(off), learned(no_tarpit), "no other limit stops it");
}

#[test]
fn a_drive_that_fills_up_has_levels_with_hysteresis_and_refuses_whom_the_page_names() {
    let plans = shipped("back-pressure");
    let found = servers(&plans, EngineKind::Virtual);
    let [on, off, rtm] = [0, 1, 2].map(|at| &found[at].1);
    let times = |one: &TransportFigures| Level::ALL.map(|level| one.time_at(level));
    // Looked at every 2 s, two seconds after the change: 5 to 10 and 18 to 21 at Medium, 10 to 18 at High.
    assert_eq!(times(on), [MINUTE * 14, MINUTE * 8, MINUTE * 8]);
    assert_eq!(times(off), [MINUTE * 30, Nanos::ZERO, Nanos::ZERO]);
    assert_eq!(times(rtm), [MINUTE * 14, Nanos::ZERO, MINUTE * 16]);
    assert_eq!((ids(on), ids(off), ids(rtm)), (vec![15004, 15004, 15005, 15005], vec![], vec![15001, 15003]));
    let text = on.summary.events[0].text();
    assert!(text.contains("Queue database and disk space = 97% [Medium] [Normal=94% Medium=96% High=98%]"), "{text}");
    // internet, branches, hubs, people, programs.
    let at = |by| [0, 1, 2, 3, 4].map(|group| held(on, group, by));
    let medium = at(Throttle::MediumPressure);
    assert!(medium[0].connections_refused > 1_000 && medium[1..].iter().all(|held| *held == Held::default()));
    let high = at(Throttle::HighPressure);
    assert!(high[..3].iter().all(|held| held.connections_refused > 500), "{high:?}");
    assert!(high[3..].iter().all(|held| held.delayed > 100 && held.messages_refused == 0), "{high:?}");
    assert!((0..5).all(|group| off.of_group(group).connections.refused == 0));
    assert!((0..3).all(|group| held(off, group, Throttle::DriveFull).messages_refused > 100));
    for one in [on, off, rtm] {
        assert_eq!(one.wanted(true).given_up, 0);
        assert!(one.wanted(true).through_percent() > 99.9);
    }
}

/// 20 connections, 10 s a message: 2 a second, whatever comes. The other domain's mail does not wait for it.
#[test]
fn one_domain_has_twenty_connections_and_the_others_do_not_wait_for_it() {
    let text = "[transport.domains.slow]\ndelivery = \"10s\"\n[transport.domains.fast]\ndelivery = \"1s\"\n\
                [transport.groups.a]\nentrance = \"mailbox\"\nto = { slow = 1 }\n\
                [transport.groups.b]\nentrance = \"mailbox\"\nto = { fast = 1 }\n\
                [load.a]\nservice = \"transport.a\"\nrate = 5\narrivals = \"even\"\n\
                [load.b]\nservice = \"transport.b\"\nrate = 5\narrivals = \"even\"\n";
    let found = one("1000s", text);
    assert_eq!(found.summary.most.to_one_domain, 20);
    let (slow, fast) = (found.of_group(0), found.of_group(1));
    // The twentieth connection is taken when 20 messages have come, after 4 s and 200 ms; each then has a message every 10 s.
    assert!((1_970..=1_980).contains(&slow.messages.delivered), "{:?}", slow.messages);
    assert_eq!(held(&found, 1, Throttle::PerDomainOutbound), Held::default());
    assert!(fast.messages.delivered > 4_980 && found.senders[1].to_delivery.summary().max < Nanos::from_millis(1_300));
    assert_eq!(found.senders[0].messages.handed_over, slow.messages.came - slow.messages.coming);
}

/// M/M/3: the mean wait for a thread is Erlang's formula C.
#[test]
fn submissions_wait_as_in_a_queue_with_as_many_servers() {
    let text = "[transport]\nmax_concurrent_mailbox_submissions = 3\nmailbox_submission = { mean = \"1s\" }\n\
                [transport.groups.a]\nentrance = \"mailbox\"\n[load.a]\nservice = \"transport.a\"\nrate = 2.1\n";
    let found = one("60000s", text);
    let waited = held(&found, 0, Throttle::MailboxSubmissions);
    let mean = waited.delay.as_secs_f64() / found.of_group(0).messages.came as f64;
    let (servers, offered) = (3.0_f64, 2.1_f64);
    let terms: f64 = (0..3).map(|k| offered.powi(k) / (1..=k).map(f64::from).product::<f64>()).sum();
    let last = offered.powi(3) / 6.0 * servers / (servers - offered);
    let exact = last / (terms + last) / (servers - offered);
    assert!((mean / exact - 1.0).abs() < 0.06, "{mean} s, and Erlang C says {exact} s");
    assert_eq!(found.summary.most.submitting, 3);
}

/// ATQ: the throttling page: 100 a minute, a twelfth every 5 s, for Pickup and for Replay.
#[test]
fn a_hundred_files_a_minute_are_eight_eight_and_nine_a_scan_from_each_directory() {
    let taken = |duration: &str, fraction: &str| {
        let text = format!(
            "[transport]\npickup_fraction = \"{fraction}\"\n[transport.groups.a]\nentrance = \"pickup\"\n\
             [transport.groups.b]\nentrance = \"replay\"\n[load.a]\nservice = \"transport.a\"\nrate = 0.001\nbatch = 300\n\
             arrivals = \"even\"\n[load.b]\nservice = \"transport.b\"\nrate = 0.001\nbatch = 300\narrivals = \"even\"\n"
        );
        // Evenly one in 1,000 s: the batch comes after 1,000 s, which is a scan's moment; from there on it counts.
        let found = one(duration, &text);
        let own = found.senders.iter().map(|group| group.messages.handed_over).collect::<Vec<_>>();
        assert_eq!(own[0], own[1], "each directory has a rate of its own");
        own[0]
    };
    let carried = ["1006s", "1011s", "1016s", "1021s", "1026s"].map(|end| taken(end, "carried"));
    let each: Vec<u64> = carried.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let mut sorted = each.clone();
    sorted.sort_unstable();
    assert!(sorted[0] == 8 && sorted[3] == 9 && each.iter().sum::<u64>() <= 34, "{each:?}");
    let in_a_minute = |fraction| taken("1066s", fraction) - taken("1006s", fraction);
    assert_eq!([in_a_minute("carried"), in_a_minute("lost"), in_a_minute("whole")], [100, 96, 108]);
}

/// ATQ: the throttling page: 1,200 connections a minute.
#[test]
fn twelve_hundred_connections_a_minute_are_opened_and_the_others_refused_or_wait() {
    let text = |more: &str| {
        format!(
            "[transport]\n{more}\n[transport.groups.a]\nservers = 1000\nretry = \"never\"\n\
             [load.a]\nservice = \"transport.a\"\nrate = 100\narrivals = \"even\"\n"
        )
    };
    for (window, minutes) in [("sliding", 10), ("minutes", 10)] {
        let found = one("10m", &text(&format!("rate_window = \"{window}\"")));
        let own = found.of_group(0).connections;
        assert_eq!(own.came, 60_000 - 1, "{window}");
        let opened = own.came - own.refused;
        // A sliding minute is 60 to 61 s.
        assert!((1_200 * minutes - 1_200..=1_200 * minutes).contains(&opened), "{window}: {opened}");
        assert_eq!(held(&found, 0, Throttle::ConnectionRate).connections_refused, own.refused);
        assert_eq!(found.senders[0].messages.given_up, own.refused, "who never retries gives up at once");
    }
    let found = one("90s", &text("over_rate = \"waits\"\nrate_window = \"minutes\""));
    let own = found.of_group(0).connections;
    assert_eq!((own.refused, own.came - own.waiting), (0, 2_400));
    // RFC 5321: 5 minutes for the greeting.
    let found = one("20m", &text("over_rate = \"waits\"\nrate_window = \"minutes\""));
    assert!(found.of_group(0).connections.gave_up > 0);
}

/// ATQ: the throttling page: of the *remaining* connections. 500 others are connected of 1,000.
#[test]
fn one_source_has_two_percent_of_what_remains() {
    let most = |more: &str| {
        let text = format!(
            "[transport]\nmax_connection_rate_per_minute = 1000000\n{more}\n[transport.receive]\nmax_inbound_connection = 1000\n\
             [transport.groups.others]\nservers = 500\nstalls = 1\n[transport.groups.hog]\nstalls = 1\nretry = \"never\"\n\
             [load.others]\nservice = \"transport.others\"\nsteps = [{{ at = \"0s\", rate = 500 }}, {{ at = \"1s\", rate = 0 }}]\n\
             arrivals = \"even\"\n[load.hog]\nservice = \"transport.hog\"\nrate = 10\narrivals = \"even\"\n"
        );
        let found = one("60s", &text);
        let own = found.of_group(1).connections;
        assert_eq!(own.refused + own.open, own.came);
        (found.of_group(0).connections.open, own.open)
    };
    // Of 499 or 500 others; then (1000 - 500 - 9) * 2 % = 9.82, and (1000 - 500 - 10) * 2 % = 9.8.
    let (others, up) = most("");
    assert!((499..=500).contains(&others));
    assert_eq!(up, 10);
    assert_eq!(most("share_rounding = \"down\"").1, 9);
    assert_eq!(most("per_source = \"count-only\"").1, 100);
}

/// ATQ: the throttling page: TarpitInterval delays answers to anonymous sessions only.
#[test]
fn only_anonymous_sessions_are_tarpitted() {
    let text = "[transport.groups.a]\nrecipients = 4\nunknown_recipients = 0.5\ncommand = \"0s\"\ntransfer = \"0s\"\n\
                [transport.groups.b]\nauthenticated = true\nrecipients = 4\nunknown_recipients = 0.5\ncommand = \"0s\"\n\
                transfer = \"0s\"\n[load.a]\nservice = \"transport.a\"\nrate = 1\n[load.b]\nservice = \"transport.b\"\nrate = 1\n";
    let found = one("1000s", text);
    let tarpit = held(&found, 0, Throttle::Tarpit);
    let unknown = found.senders[0].recipients_asked - found.senders[0].recipients_found;
    assert_eq!((tarpit.delayed, tarpit.delay), (unknown, Nanos::from_secs(5) * unknown));
    assert!(unknown > 1_500 && found.senders[1].recipients_asked - found.senders[1].recipients_found > 1_500);
    assert_eq!(held(&found, 1, Throttle::Tarpit), Held::default());
    // Three of four is the most that leaves a recipient, 5 s each.
    assert_eq!(found.senders[0].to_queue.summary().max, Nanos::from_secs(15));
    assert_eq!(found.senders[1].to_queue.summary().max, Nanos::ZERO);
    // Half to the fourth are for nobody.
    let all = found.senders[1].messages;
    let share = all.for_nobody as f64 / all.wanted as f64;
    assert!((share - 1.0 / 16.0).abs() < 4.0 * (15.0_f64 / 256.0 / all.wanted as f64).sqrt(), "{share}");
}

/// The drive is full until 95 s. A session begins every 40 s and tries again 50 s after its end.
#[test]
fn a_refused_sender_comes_again_until_it_gets_through_or_gives_up() {
    let text = |attempts: u32, freed: &str| {
        format!(
            "[transport.back_pressure]\nenabled = false\n[[transport.usage]]\nat = \"0s\"\nqueue_drive_gb = 100\n\
             [[transport.usage]]\nat = \"{freed}\"\nqueue_drive_gb = 10\n\
             [transport.groups.a]\nmessages = 3\ncommand = \"0s\"\ntransfer = \"0s\"\nretry = \"50s\"\nattempts = {attempts}\n\
             [load.a]\nservice = \"transport.a\"\nrate = 0.025\narrivals = \"even\"\n"
        )
    };
    // At 40 s and 80 s; again at 90 s and 130 s; again at 140 s.
    let found = one("145s", &text(192, "95s"));
    let own = &found.senders[0];
    assert_eq!((own.messages.wanted, own.messages.handed_over, own.messages.trying), (9, 9, 0));
    // Of the session at 40 s two attempts failed, of that at 80 s one, of that at 120 s none.
    assert_eq!((own.retries, held(&found, 0, Throttle::DriveFull).messages_refused), (3, 3));
    assert_eq!(own.to_queue.summary().max, Nanos::from_secs(100));
    let found = one("145s", &text(2, "95s"));
    let own = &found.senders[0];
    assert_eq!((own.messages.given_up, own.messages.handed_over, own.retries), (3, 6, 2));
    assert_eq!(found.wanted(true).through_percent(), 6.0 / 9.0 * 100.0);
}

/// ATQ: the throttling page: 5 minutes on a Hub server and 1 on an Edge server; 10 and 5 whatever the session is at.
#[test]
fn silent_sessions_are_closed_after_the_time_of_the_role() {
    let closed = |role: &str, at: &str, more: &str, end: &str| {
        let text = format!(
            "[transport]\nrole = \"{role}\"\n{more}\n[transport.domains.d]\n[transport.groups.a]\nstalls = 1\nstalls_at = \"{at}\"\n\
             command = \"0s\"\ntransfer = \"0s\"\nto = {{ d = 1 }}\n[load.a]\nservice = \"transport.a\"\nrate = 0.01\narrivals = \"even\"\n"
        );
        // One at 100 s.
        let found = one(end, &text);
        let own = (held(&found, 0, Throttle::ReceiveInactivity), held(&found, 0, Throttle::ConnectionTimeout));
        (own.0.connections_closed, own.1.connections_closed)
    };
    for at in ["greeting", "text"] {
        assert_eq!((closed("hub", at, "", "399s"), closed("hub", at, "", "401s")), ((0, 0), (1, 0)), "{at}");
        assert_eq!((closed("edge", at, "", "159s"), closed("edge", at, "", "161s")), ((0, 0), (1, 0)), "{at}");
    }
    let slow = "[transport.receive]\nconnection_inactivity_timeout = \"250s\"\nconnection_timeout = \"251s\"";
    assert_eq!(closed("hub", "greeting", slow, "351s"), (1, 0));
}

/// ATQ: the throttling page: MaxProtocolErrors 5.
#[test]
fn a_session_makes_five_errors_and_no_sixth() {
    let found = |more: &str, messages: u32| {
        let text = format!(
            "[transport]\n{more}\n[transport.groups.a]\nmessages = {messages}\nprotocol_errors = 1\nretry = \"never\"\n\
             [load.a]\nservice = \"transport.a\"\nrate = 0.1\n"
        );
        one("1000s", &text)
    };
    // A wrong command before each of HELO, MAIL, RCPT, DATA and QUIT, and none within the text: five.
    let fine = found("", 1);
    assert_eq!(held(&fine, 0, Throttle::ProtocolErrors), Held::default());
    assert_eq!(fine.senders[0].messages.given_up, 0);
    // The sixth is that before RCPT of the second message.
    let two = found("", 2);
    let own = two.of_group(0);
    assert_eq!(held(&two, 0, Throttle::ProtocolErrors).connections_closed, own.connections.closed);
    assert_eq!((own.connections.quit, own.messages.delivered + own.messages.delivering > 80), (0, true));
    assert_eq!(two.senders[0].messages.given_up, own.connections.closed);
    let early = found("error_limit = \"reached-closes\"", 1);
    assert_eq!(early.of_group(0).connections.quit, 0, "the fifth is before QUIT");
    assert_eq!(early.senders[0].messages.given_up, 0);
}

/// ATQ: the throttling page: ConnectionInactivityTimeOut of a Send connector is 10 minutes.
#[test]
fn a_silent_destination_is_cut_and_tried_again() {
    let text = "[transport.domains.d]\nsilent = 1\n[transport.groups.a]\nentrance = \"mailbox\"\nto = { d = 1 }\n\
                [load.a]\nservice = \"transport.a\"\nrate = 0.01\narrivals = \"even\"\n";
    // One at 100 s: cut at 700 s, again at 1300 s, cut at 1900 s. Others follow every 100 s.
    let cut = |end: &str| held(&one(end, text), 0, Throttle::SendInactivity).deliveries_cut;
    assert_eq!([cut("700s"), cut("701s"), cut("801s")], [0, 1, 2]);
    assert_eq!(cut("1901s"), 13 + 1);
}

/// Two senders that hand over and begin again 10 s later: the load waits for its answer.
#[test]
fn a_closed_population_begins_again_after_its_session() {
    let text = "[transport.groups.a]\nservers = 2\ncommand = \"1s\"\ntransfer = \"1s\"\n\
                [load.a]\nservice = \"transport.a\"\nclients = 2\npause = \"10s\"\n";
    // HELO, MAIL, RCPT, DATA, the text and QUIT: 6 s.
    let found = one("161s", text);
    assert_eq!(found.of_group(0).connections.came, 2 * 10);
    assert_eq!(found.senders[0].messages.handed_over, 2 * 9 + 2);
}

/// Everything at moments that lie apart by much more than a host delays.
const BOTH: &str = r#"
[transport]
max_concurrent_mailbox_deliveries = 1
max_concurrent_mailbox_submissions = 1
mailbox_delivery = "4s"
mailbox_submission = "2s"
[transport.receive]
max_inbound_connection_per_source = 1
[[transport.usage]]
at = "61s"
queue_drive_gb = 99.9
[[transport.usage]]
at = "91s"
queue_drive_gb = 0
[transport.domains.d]
delivery = "7s"
[transport.groups.mail]
servers = 2
messages = 2
command = "1s"
transfer = "1s"
retry = "31s"
to = { mailboxes = 0.5, d = 0.5 }
[transport.groups.people]
entrance = "mailbox"
[transport.groups.files]
entrance = "pickup"
[load.mail]
service = "transport.mail"
rate = 0.1
arrivals = "even"
[load.people]
service = "transport.people"
rate = 0.06
arrivals = "even"
[load.files]
service = "transport.files"
rate = 0.07
arrivals = "even"
"#;

#[test]
fn both_engines_tell_the_same_story() {
    let text = scenario("200s", BOTH).replace("duration", "speed = 50\nduration");
    let plans = plans(&text);
    let [exact, real] = [EngineKind::Virtual, EngineKind::Threads].map(|engine| servers(&plans, engine).remove(0).1);
    assert_eq!(ids(&exact), [15004, 15005]);
    assert_eq!(ids(&real), ids(&exact));
    assert!(exact.of_group(0).connections.refused > 2 && exact.senders[0].retries > 2);
    assert!(held(&exact, 1, Throttle::HighPressure).delayed > 0);
    for at in 0..3 {
        assert_eq!(real.senders[at].messages.wanted, exact.senders[at].messages.wanted);
        // What is at its end just when the run is may differ by one.
        let near = |one: u64, other: u64| one.abs_diff(other) <= 1;
        let (one, other) = (real.senders[at].messages, exact.senders[at].messages);
        assert!(near(one.handed_over, other.handed_over) && one.given_up == other.given_up, "{one:?} {other:?}");
        let (one, other) = (real.of_group(at), exact.of_group(at));
        assert_eq!(
            (one.connections.came, one.connections.refused),
            (other.connections.came, other.connections.refused)
        );
        assert!(near(one.messages.delivered, other.messages.delivered), "{:?} {:?}", one.messages, other.messages);
    }
    let most = |one: &TransportFigures| (one.summary.most.submitting, one.summary.most.to_mailboxes);
    assert_eq!((most(&real), most(&exact)), ((1, 1), (1, 1)));
    for (one, other) in real.summary.events.iter().zip(&exact.summary.events) {
        assert!(one.at >= other.at, "nothing happens before its time: {} and {}", one.at, other.at);
    }
}

#[test]
fn on_real_threads_the_store_driver_has_as_many_as_there_may_be() {
    let text = "[transport]\nmax_concurrent_mailbox_deliveries = 1990\nmax_concurrent_mailbox_submissions = 11\n\
                [transport.groups.a]\nentrance = \"mailbox\"\n[load.a]\nservice = \"transport.a\"\nrate = 1\n";
    let plans = plans(&scenario("1s", text));
    let ran = run(&plans, &RunOptions { engine: EngineKind::Threads, ..RunOptions::default() }, &Silent);
    let error = ran.error.expect("they are too many").1.to_string();
    for part in ["2001 threads", "up to 2000", "MaxConcurrentMailboxDeliveries", "--engine virtual"] {
        assert!(error.contains(part), "no `{part}` in {error}");
    }
}
