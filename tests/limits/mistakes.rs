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

#[test]
fn every_mistake_of_write_buffers_is_told_at_once() {
    every(
        "[registry]\nMaxBufferSize = 4096\n[write_buffers]\nversion = \"5.5\"\nfront_end = 1\nbits_per_second = -1\n\
         write_returns = \"soon\"\nheld = \"long\"\nmss = 10\nwindow_bytes = 0\nnagle = \"on\"\ndelayed_ack = \"1s\"\n\
         base_mb = 4096\nlatensy = \"1ms\"\n\
         [pop3.commands.retr]\ncpu = \"1ms\"\nresponse_bytes = \"26KB\"\n\
         [imap4.commands.fetch]\ncpu = \"1ms\"\nresponse_bytes = { dist = \"lognormal\", mean = \"1s\" }\n\
         [load.a]\nservice = \"pop3\"\nrate = 1\nscript = [\"retr\"]\n",
        &[
            "`MaxBufferSize` is a value of several keys",
            "write_buffers.version",
            "write_buffers.front_end",
            "write_buffers.latency is missing",
            "write_buffers.bits_per_second",
            "write_buffers.write_returns",
            "write_buffers.held",
            "write_buffers.mss",
            "write_buffers.window_bytes",
            "write_buffers.nagle",
            "write_buffers.delayed_ack does not belong to acks = \"each-segment\"",
            "no user fits",
            "did you mean `latency`?",
            "pop3.commands.retr.response_bytes",
            "imap4.commands.fetch.response_bytes.mean",
            "imap4.commands.fetch.response_bytes.cv is missing",
            "no command of [pop3] or [imap4] has response_bytes",
        ],
    );
}

#[test]
fn a_response_needs_somebody_who_sends_it_and_a_front_end_is_one_server() {
    let load = "[load.a]\nservice = \"pop3\"\nrate = 1\nscript = [\"retr\"]\n";
    let pop3 = "[pop3.commands.retr]\ncpu = \"1ms\"\nresponse_bytes = 100\n";
    every(&format!("{pop3}{load}"), &["says how much is sent, and nothing says how"]);
    let many = format!("{pop3}{load}").replace("= 100", "= 100000001");
    every(&format!("[write_buffers]\nlatency = \"1ms\"\n{many}"), &["response_bytes", "no command of [pop3]"]);
}
