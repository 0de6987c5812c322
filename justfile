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

# AtqPool beside other thread pools (10 minutes); `just pool-peers --help` for more
pool-peers *ARGS:
    cargo run --release --manifest-path benches/pool-peers/Cargo.toml --target-dir target/pool-peers -- {{ARGS}}

# Instructions to hand over a closure that comes alone (callgrind): AtqPool, and a pool that wakes a thread on every submission
pool-instructions:
    #!/usr/bin/env bash
    set -euo pipefail
    cargo build --release --manifest-path benches/pool-peers/Cargo.toml --target-dir target/pool-peers
    cd target/pool-peers
    for pool in ours notify; do
        valgrind --quiet --tool=callgrind --callgrind-out-file=$pool.callgrind release/alone $pool 2000
        callgrind_annotate --inclusive=yes --show-percs=no $pool.callgrind 2> /dev/null |
            awk -v pool=$pool '/alone::submit \[/ && !seen++ { gsub(",", "", $1); print pool ": " $1 / 2000 " instructions a closure" }'
    done

# `atqsim watch` in tmux: keys are sent, the screen is captured and must say what they do; DIR keeps the captures
watch-tmux *DIR:
    cargo build --release --quiet && .ci/watch-tmux {{DIR}}

# Every shipped scenario, in virtual time
scenarios:
    for f in scenarios/*.toml; do cargo run --release --quiet -- compare "$f" --engine virtual --quiet | tail -6; done

# The page of `--report` in headless Chromium, with screenshots in target/page; `just page big` for 24 h and 30 runs
page *ARGS:
    cargo build --release --quiet && .ci/page {{ARGS}}

# What keeping and writing a page and other files costs a run of 24 hours in virtual time
report-cost ROUNDS="15":
    .ci/report-cost {{ROUNDS}}

# The pictures of docs/lessons, from the pages of their runs (needs Python and Chromium)
lesson-pictures:
    cargo build --release --quiet && .ci/lesson-pictures

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

# Every small change to the policy, and whether its own tests notice (needs cargo-mutants; docs/mutants.md).
# What is built is a package of this room and those below it alone, which takes a second for each change and not ten.
# To add a room: its folder to `rooms`, its tests to `tests`, its line to `.cargo/mutants.toml`.
mutants *ARGS:
    #!/usr/bin/env bash
    set -euo pipefail
    rooms="ids.rs time.rs problem.rs policy"
    tests="dispatch_rules.rs decision_log.rs common"
    rm -rf target/mutants-tree && mkdir -p target/mutants-tree/src target/mutants-tree/tests
    for room in $rooms; do cp -r "src/$room" target/mutants-tree/src && echo "pub mod ${room%.rs};"; done > target/mutants-tree/src/lib.rs
    for test in $tests; do cp -r "tests/$test" target/mutants-tree/tests; done
    cp -r .cargo Cargo.lock target/mutants-tree && sed '/^\[\[/,/^$/d' Cargo.toml > target/mutants-tree/Cargo.toml
    # The same random cases for every change, none of them shrunk or kept; a change that asks for all memory gets 8 GB.
    export PROPTEST_RNG_SEED=281868 PROPTEST_MAX_SHRINK_ITERS=0 PROPTEST_DISABLE_FAILURE_PERSISTENCE=1
    export CARGO_TARGET_DIR="$PWD/target/mutants-build"
    ulimit -v 8000000
    cargo mutants --dir target/mutants-tree --in-place --output target {{ARGS}}

# The same for the pool; FROM and OF for a share of it (0 of 2, 1 of 2, side by side). Its tests are compiled into the
# library: one crate, which is built anew in a second. A test that fails ends the run, one that hangs is given up sooner.
mutants-pool FROM="0" OF="1" *ARGS:
    #!/usr/bin/env bash
    set -euo pipefail
    tree=target/mutants-pool-{{FROM}}
    rm -rf $tree && mkdir -p $tree/src $tree/tests
    for room in ids.rs time.rs problem.rs policy pool; do cp -r "src/$room" $tree/src && echo "pub mod ${room%.rs};"; done > $tree/src/lib.rs
    for test in pool pool_door pool_faults pool_licences pool_model; do
        cp "tests/$test.rs" $tree/tests && echo "#[cfg(test)] #[path = \"../tests/$test.rs\"] mod t_$test;"
    done >> $tree/src/lib.rs
    echo "#[cfg(test)] extern crate self as atqsim;" >> $tree/src/lib.rs
    cp -r tests/common $tree/tests && sed -i '/const HANGS/s/from_secs(30)/from_secs(6)/' $tree/tests/common/board.rs
    cp Cargo.lock $tree && sed '/^\[\[/,/^$/d; s/^edition = .*/&\nautotests = false\nautobenches = false/' Cargo.toml > $tree/Cargo.toml
    printf '\n[lib]\ndoctest = false\n\n[workspace]\n' >> $tree/Cargo.toml
    # As above; and the test program's own switch to end at the first failure.
    export PROPTEST_RNG_SEED=281868 PROPTEST_MAX_SHRINK_ITERS=0 PROPTEST_DISABLE_FAILURE_PERSISTENCE=1 RUSTC_BOOTSTRAP=1
    export CARGO_TARGET_DIR="$PWD/target/mutants-pool-build-{{FROM}}"
    ulimit -v 8000000
    cargo mutants --dir $tree --in-place --output $tree.out --shard {{FROM}}/{{OF}} --no-config --no-shuffle --profile mutants \
        --exclude-re model:: -f 'src/pool/**' -e tests.rs --timeout 20 {{ARGS}} -- --lib -- t_pool pool:: -Zunstable-options --fail-fast

# Licences, sources, duplicate and wildcard versions (needs cargo-deny)
deny:
    cargo deny --offline check bans licenses sources

# Print the new table of pinned results after a deliberate change
bless:
    cargo test --test pins 2>&1 | grep "0x"

# Every shipped scenario on real threads, its twin and virtual time (10 minutes; wants a quiet computer)
parity:
    cargo run --release --quiet -- verify --parity

# The pool's hand-offs in every order of a few threads, as far as 2 preemptions let it (a minute); BOUND=3 for more
loom *ARGS:
    cargo test --manifest-path tests/models/Cargo.toml --target-dir target/models --features loom --test loom -- --nocapture {{ARGS}}

# Whole runs of the pool in random and in PCT orders; SCHEDULES (each), SEED
shuttle *ARGS:
    cargo test --manifest-path tests/models/Cargo.toml --target-dir target/models --features shuttle --test shuttle -- --nocapture --exact random_orders pct_orders {{ARGS}}

# 10,000,000 schedules: 20 seeds, 250,000 random and 250,000 PCT each (about 20 minutes)
shuttle-long:
    for seed in $(seq 20); do SEED=$seed SCHEDULES=250000 just shuttle || exit 1; done

# Every mistake that can be planted in the pool must be found, by both checkers
plants:
    cargo test --manifest-path tests/models/Cargo.toml --target-dir target/models --features loom --test loom -- --nocapture --exact every_planted_mistake_is_found
    cargo test --manifest-path tests/models/Cargo.toml --target-dir target/models --features shuttle --test shuttle -- --nocapture --exact every_planted_mistake_is_found

# Files for other programs, read with those programs' own libraries (Perfetto's protobuf classes, HdrHistogram for Python)
perfetto-check *ARGS:
    .ci/perfetto-check {{ARGS}}

# AddressSanitizer, LeakSanitizer and ThreadSanitizer on the pool's tests, each after a planted mistake
sanitizers *ARGS:
    .ci/sanitizers {{ARGS}}
