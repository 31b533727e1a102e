# The same names for people and CI. `make quickstart` and `make test` install what is missing.
.PHONY: help quickstart test fuzz fmt lint docs contract mutants matrix book bench measure micro peers

SHELL := /bin/bash
SETUP := .ci/setup
# Suites that start servers once for all their cases: each runs as one process.
SERVED := differential postgres redis redis_cluster lifecycle_postgres lifecycle_redis lifecycle_redis_cluster
SUITES := package(statehold-conformance) or package(statehold-lifecycle-tests)
# Some tests arrange what only root may.
UNROOTED := $(shell [ "$$(id -u)" = 0 ] || echo ' and not test(needs_root)')
empty :=
space := $(empty) $(empty)

help:
	@echo "make quickstart   build statehold, count the words of docs/ on RocksDB"
	@echo "make test         everything CI runs: format, clippy, docs, dependencies, tests"
	@echo "make fuzz         every decoder on bytes that nobody would write, FUZZ_SECONDS=60 each"
	@echo "make bench        all engines beside their raw drivers; BENCH=\"--workload ycsb-a --store redis\" …"
	@echo "make measure      files, sizes and memory: MEASURE=archives, sizes, large, wordcount …"
	@echo "make micro        what the rooms of every operation cost: keys, envelope, buffer, cache, batches"
	@echo "make peers        OpenDAL as a side of the bench; compiles a RocksDB of its own, once"
	@echo "make fmt          format all Rust code"
	@echo "make contract     list the tests of each clause anew, in docs/src/contract-tests.md"
	@echo "make mutants      run the broken backends that prove the suite, and list them in docs/src/mutants.md"
	@echo "make matrix       run the suite on every engine and write docs/src/matrix.md anew"
	@echo "make book         the book, into target/book"

# Builds statehold and counts the words of its own docs, on RocksDB.
quickstart:
	$(SETUP) && cargo run --quiet --bin statehold -- quickstart

# Everything CI checks.
test: lint docs
	$(SETUP) && cargo nextest --version >/dev/null 2>&1 || cargo install --locked cargo-nextest
	$(SETUP) && .ci/direction
	$(SETUP) && CXX=none LIBCLANG_PATH=/none cargo check --quiet -p statehold
	@[ -z "$(UNROOTED)" ] || echo "not root: tests that mount disks or make networks (needs_root) are left out" >&2
	$(SETUP) tests && cargo nextest run --workspace --no-fail-fast -E 'not (($(SUITES)) and binary(/^($(subst $(space),|,$(SERVED)))$$/))$(UNROOTED)'
	$(SETUP) && cargo test --workspace $(addprefix --test ,$(SERVED))
	$(SETUP) && cargo test --workspace --doc
	$(MAKE) --no-print-directory fuzz

# Every fuzz target for so long, two at a time; `make fuzz TARGETS="log portable"` for some (fuzz/README.md).
FUZZ_SECONDS ?= 60
fuzz:
	$(SETUP) && cargo fuzz --version >/dev/null 2>&1 || cargo install --locked cargo-fuzz
	FUZZ_SECONDS=$(FUZZ_SECONDS) .ci/fuzz $(TARGETS)

fmt:
	cargo fmt --all
	cargo fmt --manifest-path fuzz/Cargo.toml
	cargo fmt --manifest-path benches/peers/Cargo.toml

# The workspaces apart are not compiled here; that their lock files are true is what `make peers` needs at least.
lint:
	cargo fmt --all --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo fmt --manifest-path benches/peers/Cargo.toml --check
	cargo update --quiet --workspace --locked --manifest-path fuzz/Cargo.toml
	cargo update --quiet --workspace --locked --manifest-path benches/peers/Cargo.toml
	$(SETUP) && cargo clippy --workspace --all-targets -- -D warnings

docs:
	$(SETUP) && RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# After tests of a clause were added, renamed or removed.
contract:
	$(SETUP) && STATEHOLD_WRITE_DOCS=1 cargo test --workspace --test docs contract

# After mutants were added or renamed: runs them all.
mutants:
	$(SETUP) tests && STATEHOLD_WRITE_DOCS=1 cargo test --workspace --test mutants

# After cases were added or removed, or an engine became another version: the whole suite on all engines.
matrix:
	$(SETUP) tests && cargo run --quiet --bin statehold -- conform --config docs/matrix.toml --level certified --rounds 1 --report target/matrix
	STATEHOLD_MATRIX=target/matrix/report.json cargo test --workspace --test docs matrix

# The book, in target/book; needs `cargo install mdbook`.
book:
	mdbook build docs

# `make bench BENCH="--workload operations --store redis --against raw,peers"`; `make peers` builds the peers.
BENCH ?= --workload operations
bench:
	$(SETUP) tests && cargo run --quiet --bin statehold -- bench --config docs/bench.toml --out target/bench $(BENCH)

# archives, sizes, native, incremental, wordcount or large, with their options: `make measure MEASURE="sizes --kind redis"`.
MEASURE ?= archives
measure:
	$(SETUP) tests && cargo run --quiet --bin statehold-benches -- $(MEASURE)

# The rooms of every operation, by criterion: `make micro MICRO="staged --save-baseline before"`, and later
# `MICRO="staged --baseline before"`. No package is selected, so that dependencies are those of `make test`.
MICRO ?=
micro:
	$(SETUP) && cargo bench --quiet --profile dev --bench micro -- --noplot $(MICRO)

# Other libraries as sides of the bench, beside `statehold`, where it looks for them (benches/peers/README.md).
TARGET := $(or $(CARGO_TARGET_DIR),target)
peers:
	$(SETUP) && cargo build --locked --manifest-path benches/peers/Cargo.toml --target-dir $(TARGET)/peers
	mkdir -p $(TARGET)/debug && ln -sf ../peers/debug/statehold-bench-peers $(TARGET)/debug/
