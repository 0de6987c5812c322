//! README's generated parts, compared with what the program says.

use atqsim::cli::exit::TABLE;
use atqsim::policy::registry::markdown_table;
use atqsim::scenario::builtin;

const README: &str = include_str!("../README.md");

/// The part between `<!-- NAME: ... -->` and `<!-- end -->`.
fn part(name: &str) -> &'static str {
    let start = README.find(&format!("<!-- {name}:")).expect("the part has a mark");
    let body = README[start..].split_once("-->").expect("the mark ends").1;
    body.split_once("<!-- end -->").expect("the part ends").0.trim()
}

#[test]
fn the_registry_table_is_the_programs() {
    assert_eq!(part("registry"), markdown_table().trim());
}

#[test]
fn the_exit_codes_are_the_programs() {
    let rows: Vec<String> = TABLE.iter().map(|(exit, text)| format!("| {} | {text} |", *exit as u8)).collect();
    assert_eq!(part("exits"), format!("| code | meaning |\n|---|---|\n{}", rows.join("\n")));
}

#[test]
fn the_scenarios_are_those_that_ship() {
    let rows: Vec<String> = builtin::SCENARIOS.iter().map(|s| format!("| `{}` | {} |", s.name, s.summary())).collect();
    assert_eq!(part("scenarios"), format!("| scenario | what it shows |\n|---|---|\n{}", rows.join("\n")));
    let on_disk = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios")).unwrap();
    let toml = on_disk.filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|e| e == "toml"));
    assert_eq!(toml.count(), builtin::SCENARIOS.len(), "a scenario on disk is not built in");
}

#[test]
fn every_local_link_leads_somewhere() {
    let mut links = 0;
    for document in ["README.md", "ARCHITECTURE.md", "STYLE.md", "CHANGELOG.md"] {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(root.join(document)).unwrap();
        for rest in text.split("](").skip(1) {
            let target = rest.split(')').next().unwrap();
            if !target.starts_with("http") {
                assert!(root.join(target).exists(), "{document} links to {target}");
                links += 1;
            }
        }
    }
    assert!(links > 5);
}
