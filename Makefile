# The same names for people and CI. `make quickstart` and `make test` install what is missing.
.PHONY: quickstart test fmt lint docs book bench

SHELL := /bin/bash
ENV := .ci/setup && . .ci/env

# Builds statehold and counts the words of its own docs, on RocksDB.
quickstart:
	$(ENV) && cargo run --quiet -p statehold-cli -- quickstart

# Everything CI checks.
test: lint docs
	$(ENV) && cargo nextest --version >/dev/null 2>&1 || cargo install --locked cargo-nextest
	$(ENV) && .ci/direction
	$(ENV) && cargo nextest run --workspace
	$(ENV) && cargo test --workspace --doc

fmt:
	cargo fmt --all

lint:
	cargo fmt --all --check
	$(ENV) && cargo clippy --workspace --all-targets -- -D warnings

docs:
	$(ENV) && RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# The book, in docs/book; needs `cargo install mdbook`.
book:
	mdbook build docs

bench:
	$(ENV) && cargo run --quiet -p statehold-benches
