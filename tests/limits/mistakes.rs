//! Mistakes in the sections of the limits: all at once, each with what to do.

use atqsim::scenario::Overrides;

use super::super::told;

fn problems(text: &str) -> Vec<String> {
    let (plans, problems) = told(text, &Overrides::default());
    assert!(plans.is_none(), "it is no sound scenario: {problems:#?}");
    problems.iter().map(ToString::to_string).collect()
}

const HEAD: &str = "format = 1\ntitle = \"x\"\nduration = \"1h\"\n[node]\nprocessors = 1\n";

fn every(text: &str, wanted: &[&str]) {
    let found = problems(&format!("{HEAD}{text}"));
    for wanted in wanted {
        assert!(found.iter().any(|problem| problem.contains(wanted)), "{wanted} is not said: {found:#?}");
    }
    assert_eq!(found.len(), wanted.len(), "{found:#?}");
}

#[test]
fn every_mistake_of_a_store_is_told_at_once() {
    every(
        "[store]\nversion = \"6.0\"\noptimizer = \"yes\"\ncall_patience = \"0s\"\nthreads_per_call = 0\n\
         casualties = \"all\"\ncall_patiense = \"1s\"\nclient_patience = 5\ngateway_threads_count = \"no\"\n\
         [store.clients]\n[store.inbound]\ncall = \"fast\"\n\
         [load.a]\nservice = \"store.outbound\"\nrate = 1\n[load.b]\nservice = \"store.client\"\nrate = 1\n\
         [load.c]\nservice = \"store.clients\"\nrate = 1\nscript = [\"x\"]\n[load.d]\nservice = \"domains\"\nrate = 1\n",
        &[
            "store.version",
            "store.optimizer",
            "store.call_patience",
            "store.threads_per_call",
            "store.casualties",
            "did you mean `call_patience`?",
            "store.client_patience",
            "store.gateway_threads_count",
            "store.clients.call is missing",
            "store.inbound.call",
            "give [store] and a section [store.outbound]",
            "did you mean `store.clients`?",
            "what asks there has no script",
            "give a section [domains]",
        ],
    );
}

#[test]
fn every_mistake_of_a_domain_table_is_told_at_once() {
    every(
        "[domains]\nwindows = \"nt4\"\nx64 = 1\nentry_bytes = 0\nsweep = \"0s\"\nzero = \"?\"\nfreed = \"?\"\n\
         when_gone = \"?\"\nrestart = { every = \"0s\" }\nnames = { law = \"zip\", count = 0, exponent = 99 }\n\
         delivery = -1\nothers_gb = 1\n[load.a]\nservice = \"domains\"\nclients = 3\n",
        &[
            "domains.windows",
            "domains.x64",
            "domains.entry_bytes",
            "domains.sweep",
            "domains.zero",
            "domains.freed",
            "domains.when_gone",
            "domains.restart.first is missing",
            "domains.restart.every",
            "domains.names.law",
            "domains.names.count",
            "domains.names.exponent",
            "domains.delivery",
            "did you mean `others_mb`?",
            "load.a.pause is missing",
        ],
    );
}

#[test]
fn what_leaves_no_store_or_no_memory_is_told() {
    let load = "[store.clients]\ncall = \"1s\"\n[load.a]\nservice = \"store.clients\"\nrate = 1\n";
    every(&format!("[registry]\n\"Max Threads(Private+Public)\" = 0\n{load}"), &["a store has 1 to 1000000 threads"]);
    every(
        &format!("[registry]\n\"Max Threads(Private+Public)\" = 3\n[store]\nthreads_per_call = 4\n{load}"),
        &["no call would ever begin"],
    );
    // At the line of the value that is wrong.
    let gateway = format!("[registry]\n\"Gateway In Threads\" = 2000000\n\"Max Threads(Private+Public)\" = 5\n{load}");
    every(&gateway, &["a.toml:7:24: Gateway In Threads is 2000000"]);
    let mail = "[load.a]\nservice = \"domains\"\nrate = 1\n";
    every(&format!("[domains]\nnames = {{ count = 5 }}\nothers_mb = 2000\n{mail}"), &["leaves no room for one"]);
    every(&format!("[domains]\nnames = {{ count = 5 }}\nentry_bytes = 1\n{mail}"), &["are kept here"]);
    every(&format!("[domains]\nnames = {{ logs = [\"none.log\"] }}\n{mail}"), &["is not built in"]);
    every(
        &format!("[store]\nrestarted_after = \"0s\"\nshutdown_takes = \"0s\"\nstart_takes = \"0s\"\n{load}"),
        &["would stop the clock"],
    );
}

#[test]
fn every_mistake_of_a_transport_server_is_told_at_once() {
    every(
        "[transport]\nrole = \"edge\"\nversion = \"2010\"\nmax_connection_rate_per_minute = 0\n\
         max_outbound_connections = \"many\"\nmax_per_domain_outbound_conections = 3\nover_rate = \"?\"\n\
         begun_messages_finish = 1\npickup_stops_at = \"normal\"\n[transport.machine]\nqueue_drive_gb = 0.3\n\
         [transport.send]\nconnection_inactivity_timeout = \"0s\"\n[transport.receive]\n\
         connection_inactivity_timeout = \"10m\"\nmax_inbound_connection_percentage_per_source = 101\n\
         max_protocol_errors = -1\n[transport.back_pressure]\nprivate_bytes = { normal = 5, medium = 4 }\n\
         [[transport.usage]]\nat = \"1m\"\n[[transport.usage]]\nqueue_drive_gb = -3\n\
         [transport.domains.mailboxes]\n[transport.domains.d]\nsilent = 0.6\nbounced = 0.6\ncount = 0\n\
         [transport.groups.a]\n[transport.groups.b]\nentrance = \"mailbox\"\npeer = \"hub\"\nto = { d = 0.5 }\n\
         [transport.groups.c]\nto = { dd = 1, mailboxes = 0 }\nretry = \"0s\"\nstalls = 2\nmessages = [3, 1]\n\
         [load.a]\nservice = \"transport.e\"\nrate = 1\n",
        &[
            "transport.version is",
            "transport.max_outbound_connections is",
            "did you mean `max_per_domain_outbound_connections`?",
            "transport.over_rate is",
            "transport.begun_messages_finish is",
            "transport.pickup_stops_at is",
            "a.toml:9:34: transport.max_connection_rate_per_minute (MaxConnectionRatePerMinute) is 0",
            "transport.send.connection_inactivity_timeout (ConnectionInactivityTimeOut) is 0",
            "transport.receive.connection_timeout (ConnectionTimeout) is 5 min 00 s and must be larger than \
             ConnectionInactivityTimeout, which is 10 min 00 s",
            "transport.receive.max_inbound_connection_percentage_per_source (MaxInboundConnectionPercentagePerSource) is 101",
            "transport.receive.max_protocol_errors is",
            "transport.back_pressure.queue_drive (Queue database and disk space) has the marks",
            "transport.back_pressure.private_bytes.high is missing",
            "transport.usage[0] uses nothing",
            "transport.usage[1].at is missing",
            "transport.usage[1].queue_drive_gb is",
            "cannot be the name of a domain",
            "are more than 1 in sum",
            "transport.domains.d.count is",
            "transport.groups.a.to is missing",
            "an Edge server has none",
            "transport.groups.b.peer does not go with entrance",
            "the shares of transport.groups.b.to come to 0.5",
            "did you mean `d`?",
            "transport.groups.c.to.mailboxes: an Edge server has no mailboxes",
            "so that who is refused never stops asking",
            "transport.groups.c.stalls is",
            "transport.groups.c.messages is from 3 to 1",
            "did you mean `transport.a`?",
        ],
    );
}

#[test]
fn a_group_that_nobody_loads_and_a_usage_after_the_end_are_warned_of() {
    let text = format!(
        "{HEAD}[transport.machine]\nqueue_drive_gb = 40\n[[transport.usage]]\nat = \"2h\"\nqueue_drive_gb = 1\n\
         [transport.groups.a]\n[transport.groups.b]\n[load.a]\nservice = \"transport.a\"\nrate = 1\n"
    );
    let (plans, problems) = told(&text, &Overrides::default());
    assert!(plans.is_some());
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(told[0].contains("the run of") && told[1].contains("transport.groups.b has no load"), "{told:#?}");
}

#[test]
fn a_transport_server_needs_its_drive_and_somebody_who_sends() {
    every(
        "[transport]\n[load.a]\nservice = \"transport.a\"\nrate = 1\n",
        &["transport.machine is missing", "transport has no groups", "load.a.service is `transport.a`"],
    );
    every(
        "[pop3.commands.x]\nwait = \"1s\"\n[load.a]\nservice = \"transport.a\"\nrate = 1\nscript = [\"x\"]\n",
        &["give [transport] and a section [transport.groups.a]", "what asks there has no script"],
    );
}

#[test]
fn a_scenario_needs_a_service_or_a_limit() {
    every("[load.a]\nservice = \"smtp\"\nrate = 1\n", &["there is no service", "this scenario does not start"]);
}

#[test]
fn thresholds_of_a_limit_need_the_limit() {
    let text = "[domains]\nnames = { count = 5 }\n[load.a]\nservice = \"domains\"\nrate = 1\n\
                [[assert]]\nthat = \"store.shutdowns == 0\"\n[[assert]]\nthat = \"domains.dead_mx < 3\"\n\
                [[assert]]\nthat = \"domains.dead_max < 0\"\n";
    every(text, &["is a figure of [store]", "did you mean `domains.dead_max`?", "can never hold"]);
}
