//! The house rules, checked: who may import whom, what may be called where, heads, lengths, orderings.

use std::fs;
use std::path::{Path, PathBuf};

/// Rooms from the ground up. A room imports rooms of lower lines only, and never one of its own line.
const LAYERS: &[&[&str]] = &[
    &["time", "ids", "rng", "problem"],
    &["item", "calendar"],
    &["policy", "models", "workload"],
    &["plan", "regfile", "metrics", "pool"],
    &["scenario", "engine", "report"],
    &["run", "verify"],
    &["cli"],
];

fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                // What the package in `benches/peers` was built into is no source.
                folders.extend((!path.ends_with("target")).then_some(path));
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(root).unwrap().to_path_buf(), text));
            }
        }
    }
    found.sort();
    found
}

/// `src/policy/dispatch.rs` -> `policy`, `src/time.rs` -> `time`.
fn room(path: &Path) -> String {
    let part = path.components().nth(1).unwrap().as_os_str().to_string_lossy().into_owned();
    part.trim_end_matches(".rs").to_string()
}

fn layer(room: &str) -> Option<usize> {
    LAYERS.iter().position(|line| line.contains(&room))
}

/// `src/engine/tests.rs`, `src/scenario/tests/mistakes.rs`: unit tests in files of their own.
fn is_unit_test(path: &Path) -> bool {
    path.starts_with("src")
        && path.components().any(|part| ["tests", "tests.rs"].iter().any(|t| part.as_os_str() == *t))
}

/// The code of a file without its comments and without its unit tests.
fn code(text: &str) -> String {
    let until_tests = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text);
    until_tests.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Every `crate::room` that a text names.
fn imports(text: &str) -> Vec<String> {
    let word = |rest: &str| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    text.match_indices("crate::").map(|(at, found)| word(&text[at + found.len()..])).collect()
}

/// What the layer rule finds wrong in one file.
fn layer_mistakes(path: &Path, text: &str) -> Vec<String> {
    let own = room(path);
    let Some(mine) = layer(&own) else { return vec![format!("{}: no line for this room", path.display())] };
    let wrong = |other: &String| *other != own && layer(other).is_none_or(|theirs| theirs >= mine);
    imports(text).into_iter().filter(wrong).map(|other| format!("{}: {own} imports {other}", path.display())).collect()
}

#[test]
fn rooms_import_only_rooms_below_them() {
    let mut mistakes = Vec::new();
    for (path, text) in sources("src") {
        // A unit test may call whom it likes: it is no part of the house.
        if !["lib", "main"].contains(&room(&path).as_str()) && !is_unit_test(&path) {
            mistakes.extend(layer_mistakes(&path, &code(&text)));
        }
    }
    assert!(mistakes.is_empty(), "{mistakes:#?}");
    // The check can fail.
    let planted =
        layer_mistakes(Path::new("src/policy/cap.rs"), "use crate::engine::Options;\nuse crate::time::Nanos;");
    assert_eq!(planted, ["src/policy/cap.rs: policy imports engine"]);
    assert_eq!(layer_mistakes(Path::new("src/report/text.rs"), "crate::engine::x()").len(), 1);
    // Only unit tests are let off.
    for path in ["src/engine/tests.rs", "src/scenario/tests/mistakes.rs", "src/policy/registry/tests.rs"] {
        assert!(is_unit_test(Path::new(path)), "{path}");
    }
    for path in ["src/engine/floor.rs", "src/scenario/tree.rs", "src/contests.rs", "tests/pool.rs"] {
        assert!(!is_unit_test(Path::new(path)), "{path}");
    }
}

#[test]
fn policy_and_models_have_no_clock_thread_lock_file_or_dice() {
    let forbidden =
        ["Instant", "SystemTime", "std::thread", "Mutex", "RwLock", "Atomic", "std::fs", "crate::rng", "rand::"];
    for (path, text) in sources("src") {
        if ["policy", "models"].contains(&room(&path).as_str()) {
            for word in forbidden {
                assert!(!code(&text).contains(word), "{} names {word}", path.display());
            }
        }
    }
}

#[test]
fn only_the_real_engine_the_pool_under_it_and_the_check_on_real_sockets_read_a_clock() {
    // The last one times sockets, and nothing that it measures comes into a run.
    let others = ["src/pool/sync.rs", "src/verify/loopback.rs"].map(Path::new);
    for (path, text) in sources("src") {
        if !path.starts_with("src/engine/threaded") && !others.contains(&path.as_path()) {
            assert!(!code(&text).contains("Instant::now"), "{} reads the clock", path.display());
        }
    }
}

#[test]
fn nothing_that_is_iterated_is_unordered() {
    for (path, text) in sources("src") {
        for word in ["HashMap", "HashSet"] {
            assert!(!code(&text).contains(word), "{} uses {word}", path.display());
        }
    }
    // The one hash index is asked, never gone through.
    let uses_one = |(path, text): &(PathBuf, String)| code(text).contains("hashbrown").then(|| path.clone());
    let table = Path::new("src/models/domain_table/table.rs");
    assert_eq!(sources("src").iter().filter_map(uses_one).collect::<Vec<_>>(), [table]);
    let text = code(&fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(table)).unwrap());
    for through in ["index.iter", "index.drain", "index.retain", "index.extract", "&self.index", "in self.index"] {
        assert!(text.contains("self.index.find(") && !text.contains(through), "{through}");
    }
}

/// The lint is only denied in the program: the macro that puts closures in place holds a block of its own. No other does.
#[test]
fn nothing_here_is_unsafe() {
    for (path, text) in ["src", "benches"].into_iter().flat_map(sources) {
        let code = code(&text);
        let says_so = |word: &str| code.split(|c: char| c != '_' && !c.is_alphanumeric()).any(|w| w == word);
        assert!(!says_so(concat!("un", "safe")), "{}", path.display());
        assert!(!says_so(concat!("unsafe", "_code")), "{} allows it", path.display());
        let places = says_so(concat!("small", "box"));
        assert_eq!(places, path == Path::new("src/pool/task.rs"), "{}", path.display());
    }
}

#[test]
fn the_ceiling_is_computed_in_one_place_and_enforced_in_one() {
    let named = |needle: &str| -> Vec<String> {
        let hit = |(path, text): (PathBuf, String)| code(&text).contains(needle).then(|| path.display().to_string());
        sources("src").into_iter().filter_map(hit).collect()
    };
    assert_eq!(named("fn heavy_queue_cap("), ["src/policy/cap.rs"]);
    // The pool that other programs use understands a percentage as the emulated one does.
    assert_eq!(named("heavy_queue_cap(size, percent)"), ["src/policy/sizing.rs", "src/pool/builder.rs"]);
    assert_eq!(named("Packet::thread_request(class)"), ["src/policy/dispatch.rs"]);
}

#[test]
fn every_module_has_a_head() {
    for (path, text) in sources("src").into_iter().chain(sources("tests")).chain(sources("benches")) {
        assert!(text.starts_with("//! "), "{} has no head", path.display());
    }
}

#[test]
fn every_atomic_says_why_its_ordering_is_enough() {
    for (path, text) in sources("src") {
        let lines: Vec<&str> = code_lines(&text);
        for (at, line) in lines.iter().enumerate() {
            let used = ["Relaxed", "Acquire", "Release", "AcqRel", "SeqCst"]
                .iter()
                .any(|o| line.contains(&format!("Ordering::{o}")));
            let above = lines[at.saturating_sub(4)..at].iter().any(|l| l.contains("// Ordering:"));
            assert!(!used || above, "{}: {line}", path.display());
        }
    }
}

fn code_lines(text: &str) -> Vec<&str> {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text).lines().collect()
}

#[test]
fn functions_and_files_stay_short() {
    for (path, text) in sources("src") {
        let lines = code_lines(&text);
        assert!(lines.len() <= 700, "{} has {} lines", path.display(), lines.len());
        let mut begun: Option<(usize, usize)> = None;
        for (at, line) in lines.iter().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let begins =
                ["fn ", "pub fn ", "pub(super) fn ", "pub(crate) fn "].iter().any(|w| line.trim_start().starts_with(w));
            if begins && line.ends_with('{') {
                begun = Some((at, indent));
            } else if let Some((start, depth)) = begun
                && line.trim_end() == format!("{}}}", " ".repeat(depth))
            {
                assert!(at - start <= 71, "{}:{} is {} lines long", path.display(), start + 1, at - start - 1);
                begun = None;
            }
        }
    }
}

#[test]
fn nothing_is_left_unfinished() {
    let marks = ["todo!", "unimplemented!", "dbg!", "FIXME", "#[ignore"];
    for (path, text) in sources("src").into_iter().chain(sources("benches")) {
        for mark in marks {
            assert!(!text.contains(mark), "{} has {mark}", path.display());
        }
    }
}
