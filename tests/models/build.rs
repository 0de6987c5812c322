//! Says `--cfg loom` or `--cfg shuttle` for this package alone: libraries have meanings of their own for them.

fn main() {
    for checker in ["loom", "shuttle"] {
        if std::env::var_os(format!("CARGO_FEATURE_{}", checker.to_uppercase())).is_some() {
            println!("cargo::rustc-cfg={checker}");
        }
    }
}
