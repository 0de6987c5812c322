# Recipes of one line each; `.ci/run` calls the same commands.

# What must be clean before a commit
check:
    cargo fmt --check && cargo clippy --all-targets -- -D warnings && cargo test && RUSTDOCFLAGS="-D warnings" cargo doc --no-deps

# The main job
main:
    cargo run --release -- compare scenarios/kb281868.toml

# All benches; compare figures only within one run
bench:
    cargo bench

# The engine in virtual time beside other simulators (minutes); `just peers --help` for more
peers *ARGS:
    cargo run --release --manifest-path benches/peers/Cargo.toml --target-dir target/peers -- {{ARGS}}

# Every shipped scenario, in virtual time
scenarios:
    for f in scenarios/*.toml; do cargo run --release --quiet -- compare "$f" --engine virtual --quiet | tail -6; done

# Every reference queue, and every planted mistake (minutes)
verify:
    cargo run --release --quiet -- verify && cargo test --release --test verify

# How often 95 % intervals contain the exact value: 1,000 experiments on each of several queues (minutes)
coverage *ARGS:
    cargo run --release --quiet -- verify --coverage {{ARGS}}

# Property tests with many more cases; the laws first with the checks of a debug build (minutes)
long-properties:
    PROPTEST_CASES=3000 cargo test --test laws
    PROPTEST_CASES=8000 cargo test --release --test laws
    PROPTEST_CASES=20000 cargo test --test pool_model
    PROPTEST_CASES=20000 cargo test --release --test dispatch_rules && PROPTEST_CASES=5000 cargo test --release --lib

# Licences, sources, duplicate and wildcard versions (needs cargo-deny)
deny:
    cargo deny --offline check bans licenses sources

# Print the new table of pinned results after a deliberate change
bless:
    cargo test --test pins 2>&1 | grep "0x"

# Every shipped scenario on real threads, its twin and virtual time (10 minutes; wants a quiet computer)
parity:
    cargo run --release --quiet -- verify --parity
