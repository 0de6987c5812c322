//! The screen of `watch`: drawn into a buffer, and what keys make of it. What a real terminal shows is for
//! `.ci/watch-tmux`.

use std::collections::BTreeSet;

use atqsim::cli::watch::draw::draw;
use atqsim::cli::watch::keys::{Action, HELP, action};
use atqsim::cli::watch::plain::line;
use atqsim::cli::watch::state::{Look, Paint, Screen, Step};
use atqsim::engine::control::{Control, Pace, Tuning, Wish};
use atqsim::engine::{Options, virtual_time};
use atqsim::plan::Plan;
use atqsim::plan::tuning::Values;
use atqsim::scenario::{Base, Overrides, builtin, read};
use atqsim::time::Nanos;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::style::Color;

const COLOURED: Look = Look { paint: Paint::Many, ascii: false };
const PLAIN: Look = Look { paint: Paint::None, ascii: false };

fn s(seconds: u64) -> Nanos {
    Nanos::from_secs(seconds)
}

fn plan(name: &str) -> Plan {
    let scenario = builtin::find(name).expect("it is built in");
    let (plans, problems) = read(name, scenario.text, &Base::Builtin, &Overrides::default());
    plans.unwrap_or_else(|| panic!("{problems:?}")).remove(0)
}

/// The screen of a scenario's first variant at a moment of its run.
fn screen_with(name: &str, at: Nanos, look: Look, wishes: &[(Nanos, Wish)]) -> Screen {
    let plan = plan(name);
    let until = Plan { duration: at, ..plan.clone() };
    let control = Control::new(&until, Pace::Free);
    for (at, wish) in wishes {
        control.ask_at(*at, *wish);
    }
    let options = Options { control: Some(std::sync::Arc::clone(&control)), ..Options::default() };
    virtual_time::run(&until, &options).expect("it runs");
    let mut picture = control.live().picture();
    picture.ended = false;
    let mut status = control.status();
    status.speed = Some(20.0);
    Screen::new(&plan, (1, 2), "on real threads", (picture, status), look)
}

fn screen(name: &str, at: Nanos, look: Look) -> Screen {
    screen_with(name, at, look, &[])
}

fn drawn(screen: &Screen, width: u16, height: u16) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a buffer");
    terminal.draw(|frame| draw(screen, frame)).expect("it is drawn");
    terminal.backend().buffer().clone()
}

fn rows(buffer: &Buffer) -> Vec<String> {
    let area = buffer.area;
    let row = |y| (0..area.width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_string();
    (0..area.height).map(row).collect()
}

fn text(screen: &Screen, width: u16, height: u16) -> String {
    rows(&drawn(screen, width, height)).join("\n")
}

#[track_caller]
fn says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "no `{word}` in\n{text}");
    }
}

#[test]
fn eighty_by_twenty_four_has_everything_that_a_class_needs_to_see() {
    let screen = screen("kb281868", s(240), PLAIN);
    let shown = text(&screen, 80, 24);
    says(
        &shown,
        &[
            "atqsim watch: KB 281868: POP3 and IMAP4 under high SMTP load",
            "untuned (1 of 2)",
            "RUNNING 4 min 00 s of 8 min 30 s",
            "x20 on real threads  load x1",
            "server: 20 of 20 threads, 20 busy",
            "at most 18 a heavy queue",
            "waiting threads  per s",
            "MaxPercentPoolThreads 90  AdditionalPoolThreadsPerProc 6",
            "IIS reads both when IIS Admin starts",
            "space pause",
            "q",
        ],
    );
    let lines = rows(&drawn(&screen, 80, 24));
    // Every class has a row, and POP3's says that it is starved, in digits of a person's unit.
    for sign in &screen.signs {
        assert!(
            lines.iter().any(|row| row.starts_with(&format!(" {}  {} ", sign.letter, sign.name))),
            "{}\n{shown}",
            sign.name
        );
    }
    let pop3 = lines.iter().find(|row| row.contains(" pop3 ")).expect("a row");
    assert!(pop3.contains("! 19.2 s") && pop3.contains("84") && pop3.contains('\u{2587}'), "{pop3}");
    // The threads are letters of heavy queues, and of nobody else.
    let cells: BTreeSet<&str> = lines[3].split_whitespace().collect();
    assert_eq!(lines[3].split_whitespace().count(), 20, "{}", lines[3]);
    assert!(cells.iter().all(|cell| ["C", "c", "L", "l"].contains(cell)), "{cells:?}");
    assert_eq!(lines.len(), 24);
}

#[test]
fn no_two_classes_share_a_letter_and_users_no_colour_with_mail() {
    for name in ["kb281868", "kb281868-cluster", "kb281868-three-servers"] {
        let screen = screen(name, s(20), COLOURED);
        let letters: BTreeSet<char> = screen.signs.iter().map(|sign| sign.letter).collect();
        assert_eq!(letters.len(), screen.signs.len(), "{name}: {:?}", screen.signs);
        assert!(letters.iter().all(char::is_ascii_alphanumeric), "{letters:?}");
        for user in screen.signs.iter().filter(|sign| !sign.role.is_mail()) {
            let mail = screen.signs.iter().filter(|sign| sign.role.is_mail());
            assert!(mail.into_iter().all(|mail| mail.tint != user.tint), "{user:?}");
        }
    }
    let screen = screen("kb281868", s(20), COLOURED);
    let letter = |name: &str| screen.signs.iter().find(|sign| sign.name == name).expect("a class").letter;
    assert_eq!((letter("pop3"), letter("imap4"), letter("smtp-in")), ('P', 'I', 'S'));
    assert_eq!((letter("smtp1.local-delivery"), letter("smtp2.local-delivery")), ('L', 'l'));
}

#[test]
fn colour_is_there_where_it_is_wanted_and_nowhere_else() {
    let coloured = |look| {
        let buffer = drawn(&screen("kb281868", s(240), look), 80, 24);
        buffer.content.iter().any(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset)
    };
    assert!(!coloured(PLAIN));
    assert!(coloured(COLOURED) && coloured(Look { paint: Paint::Sixteen, ascii: false }));
    // The same letters with and without.
    let shown = |look| text(&screen("kb281868", s(240), look), 80, 24);
    assert_eq!(shown(PLAIN), shown(COLOURED));
    let ascii = text(&screen("kb281868", s(240), Look { paint: Paint::None, ascii: true }), 120, 40);
    assert!(ascii.is_ascii(), "{ascii}");
}

#[test]
fn a_wide_and_high_screen_has_charts_and_more_columns() {
    let shown = text(&screen("kb281868", s(240), PLAIN), 120, 40);
    says(
        &shown,
        &["oldest", "longest", "pop3: longest wait in each 2.00 s", "imap4: longest", "100 s", "10 s", "1 s", "100 ms"],
    );
    says(&shown, &["Real IIS reads both when the IIS Admin service starts", "? help  q quit"]);
    let low = text(&screen("kb281868", s(240), PLAIN), 80, 24);
    assert!(!low.contains("longest wait in each"));
}

#[test]
fn a_cluster_has_its_nodes_its_groups_and_what_its_log_said() {
    let at_work = screen("kb281868-cluster", s(1_500), PLAIN);
    for (width, height) in [(80, 24), (120, 40)] {
        let shown = text(&at_work, width, height);
        says(
            &shown,
            &["n1", "n2", "evs1 on n1: ", "evs2 on n2: ", "a probe of ", " has waited for ", "evs1.pop3", "evs2.imap4"],
        );
        says(&shown, &["has failed: its probes went unanswered", "(tab)"]);
    }
    says(&text(&at_work, 80, 24), &[">n1 20/20 busy 20", " n2 20/20 busy 20", " more: "]);
    let mut other = at_work.clone();
    assert_eq!(other.act(Action::NextNode), Step::Stay);
    says(&text(&other, 80, 24), &[" n1 20/20", ">n2 20/20", "n2 (tab)"]);
    // A node that is gone says so.
    let gone = screen("cluster-lost-node", s(1_500), PLAIN);
    assert!(text(&gone, 120, 40).contains("DOWN"), "{}", text(&gone, 120, 40));
}

#[test]
fn every_size_is_drawn() {
    for name in ["kb281868", "kb281868-cluster"] {
        let mut screen = screen(name, s(700).min(plan(name).duration), COLOURED);
        for help in [false, true] {
            screen.help = help;
            for (width, height) in (1..=45).flat_map(|h| [1, 2, 7, 20, 39, 40, 61, 80, 131].map(|w| (w, h))) {
                let shown = rows(&drawn(&screen, width, height));
                assert_eq!(shown.len(), usize::from(height));
            }
        }
    }
    let small = text(&screen("kb281868", s(240), PLAIN), 40, 10);
    says(&small, &["RUNNING", "20 of 20", "pop3", "space", "?"]);
}

#[test]
fn values_that_are_not_in_effect_stand_beside_those_that_are() {
    let mut screen = screen("kb281868", s(240), PLAIN);
    assert_eq!(screen.act(Action::Recommended), Step::Stay);
    assert!(screen.is_pending());
    says(
        &text(&screen, 80, 24),
        &[
            "MaxPercentPoolThreads 90 -> 22",
            "AdditionalPoolThreadsPerProc 6 -> 18",
            "Not in effect until IIS Admin starts anew",
            "liberty",
        ],
    );
    let tuning = Tuning { node: 0, values: Values { percent: 22, additional: 18 } };
    assert_eq!(screen.act(Action::Apply), Step::Ask(Wish::Apply(tuning)));
    assert_eq!(screen.act(Action::Restart), Step::Ask(Wish::Restart(tuning)));
    // The run says what came of it.
    let mut applied = screen_with("kb281868", s(240), PLAIN, &[(s(200), Wish::Apply(tuning))]);
    applied.registry = screen.registry.clone();
    says(
        &text(&applied, 80, 24),
        &["MaxPercentPoolThreads 22  AdditionalPoolThreadsPerProc 18", "of 44 threads", "at most 9 a heavy queue"],
    );
    assert!(!applied.is_pending());
    assert_eq!(applied.act(Action::Apply), Step::Stay);
    assert!(applied.message.contains("nothing in the registry is pending"));
    // During a restart the screen says that the services are offline.
    let restarts = screen_with("kb281868", s(205), PLAIN, &[(s(200), Wish::Restart(tuning))]);
    says(&text(&restarts, 80, 24), &["IIS Admin restarts: its services are offline"]);
}

#[test]
fn keys_ask_for_what_the_help_says() {
    let press = |code| action(KeyEvent::new(code, KeyModifiers::NONE));
    for (keys, _) in HELP {
        for key in keys.split_whitespace() {
            let code = match key {
                "space" => KeyCode::Char(' '),
                "up" => KeyCode::Up,
                "down" => KeyCode::Down,
                "tab" => KeyCode::Tab,
                one => KeyCode::Char(one.chars().next().expect("a key")),
            };
            assert!(press(code).is_some(), "{key} does nothing");
        }
    }
    assert_eq!(action(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)), Some(Action::Quit));
    assert_eq!(press(KeyCode::Char('z')), None);

    let mut screen = screen("kb281868", s(10), PLAIN);
    assert_eq!(screen.act(Action::Pause), Step::Ask(Wish::Pause));
    screen.status.paused = true;
    says(&text(&screen, 80, 24), &["PAUSED"]);
    assert_eq!(screen.act(Action::Pause), Step::Ask(Wish::Resume));
    assert_eq!(screen.act(Action::Faster), Step::Ask(Wish::Speed(50.0)));
    assert_eq!(screen.act(Action::Slower), Step::Ask(Wish::Speed(10.0)));
    screen.status.speed = Some(0.1);
    assert_eq!(screen.act(Action::Slower), Step::Ask(Wish::Speed(0.1)));
    assert_eq!(screen.act(Action::MoreLoad), Step::Ask(Wish::Load(1.25)));
    assert_eq!(screen.act(Action::LessLoad), Step::Ask(Wish::Load(0.75)));
    screen.status.load = 0.0;
    assert_eq!(screen.act(Action::LessLoad), Step::Ask(Wish::Load(0.0)));
    for (by, times, end) in [(-1, 200, 1), (1, 300, 100)] {
        for _ in 0..times {
            assert_eq!(screen.act(Action::Percent(by)), Step::Stay);
        }
        assert_eq!(screen.registry[0].expect("a registry").percent, end);
    }
    for _ in 0..10 {
        let _ = screen.act(Action::Additional(-1));
    }
    assert_eq!(screen.registry[0].expect("a registry").additional, 0);
    assert_eq!((screen.act(Action::NextVariant), screen.act(Action::Quit)), (Step::Next, Step::Quit));
    let _ = screen.act(Action::Help);
    says(
        &text(&screen, 80, 24),
        &["the real service has to be restarted", "P pop3", "I imap4", "? or Esc closes the help"],
    );
    assert!(rows(&drawn(&screen, 80, 24)).iter().all(|row| !row.contains('~')), "the help fits");
    // Of a run that is over, only its report is left to ask for.
    screen.help = false;
    screen.picture.ended = true;
    assert_eq!(screen.act(Action::Pause), Step::Stay);
    says(&text(&screen, 80, 24), &["OVER", "q prints its report"]);
    assert_eq!(screen.act(Action::Quit), Step::Quit);
}

#[test]
fn a_plain_line_has_the_same_figures() {
    let shown = line(&screen("kb281868", s(240), PLAIN));
    says(
        &shown,
        &[
            "4 min 00 s; 20 of 20 threads, 20 busy; pop3 wait 19.2 s (84 waiting)",
            "STARVED",
            "imap4 wait ",
            "; mail wait ",
        ],
    );
    let cluster = line(&screen("kb281868-cluster", s(1_500), PLAIN));
    says(&cluster, &["n1 20 of 20 threads", "n2 20 of 20 threads", "evs1 on n1 ", "evs2 on n2 "]);
    let mut late = screen("kb281868", s(60), PLAIN);
    late.picture.late = Some(Nanos::from_millis(310));
    says(&line(&late), &["host late by 310 ms"]);
    says(&text(&late, 80, 24), &["host late 310 ms"]);
    let half = line(&screen_with("kb281868", s(60), PLAIN, &[(s(30), Wish::Load(0.5))]));
    says(&half, &["load x 0.5"]);
    assert!(!half.contains("STARVED"));
}

/// README shows a screen, and it is this one.
#[test]
fn the_screen_in_the_readme_is_the_programs() {
    let shown = text(&screen("kb281868", s(240), PLAIN), 80, 24);
    let readme = include_str!("../README.md");
    let expected =
        format!("<!-- watch: a screen of 80x24, from tests/watch.rs -->\n\n```text\n{shown}\n```\n\n<!-- end -->");
    assert!(readme.contains(&expected), "README is to have:\n{expected}");
}
