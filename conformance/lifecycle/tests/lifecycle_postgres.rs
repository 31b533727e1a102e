//! Checkpoints on a Postgres server.

#[path = "../../tests/beside/mod.rs"]
mod beside;
#[path = "../../tests/postgres_site/mod.rs"]
mod postgres_site;

fn main() -> std::process::ExitCode {
    beside::main(
        || postgres_site::server(false),
        "postgres://localhost",
        |url| statehold_lifecycle_tests::main(postgres_site::subject(url)),
    )
}
