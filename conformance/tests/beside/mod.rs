//! A suite beside servers of its own: it runs in a child of the process that has them, so that the children of its
//! crash cases are told of them too.

use std::{
    any::Any,
    process::{Command, ExitCode},
};

use statehold_core::Result;

/// Where the servers are.
const URLS: &str = "STATEHOLD_SITE_URLS";

/// What keeps servers running, and where they are.
pub(crate) type Servers = (Option<Box<dyn Any>>, String);

/// Runs `suite` with the URLs of the servers that `start` starts; with `nowhere` where it only lists its cases.
pub(crate) fn main(start: fn() -> Result<Servers>, nowhere: &str, suite: impl FnOnce(String) -> ExitCode) -> ExitCode {
    let lists_only = std::env::args().any(|argument| argument == "--list");
    match std::env::var(URLS) {
        Ok(urls) => suite(urls),
        Err(_) if lists_only => suite(nowhere.to_owned()),
        Err(_) => beside(start).unwrap_or_else(|error| {
            eprintln!("{error}");
            ExitCode::FAILURE
        }),
    }
}

fn beside(start: fn() -> Result<Servers>) -> std::result::Result<ExitCode, Box<dyn std::error::Error>> {
    let (_servers, urls) = start()?;
    let suite = std::env::current_exe()?;
    let status = Command::new(suite).args(std::env::args_os().skip(1)).env(URLS, urls).status()?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
