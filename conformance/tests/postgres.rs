//! The suite on a Postgres server.

mod beside;
mod postgres_site;

fn main() -> std::process::ExitCode {
    beside::main(
        || postgres_site::server(true),
        "postgres://localhost",
        |url| statehold_conformance::main(postgres_site::subject(url)),
    )
}
