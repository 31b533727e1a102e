//! Which descriptor the commands work on.

use std::path::PathBuf;

use statehold::{Descriptor, Error, Resources, Result, TokioPool, archive::Archive};

/// The descriptor of a command.
#[derive(clap::Args)]
pub(crate) struct Config {
    /// The descriptor
    #[arg(long, value_name = "FILE", default_value = "statehold.toml", env = "STATEHOLD_CONFIG")]
    config: PathBuf,
}

impl Config {
    /// Reads it.
    ///
    /// # Errors
    /// `NotFound` or `InvalidInput` naming file and line.
    pub(crate) fn descriptor(&self) -> Result<Descriptor> {
        Descriptor::from_file(&self.config)
    }

    /// The file's absolute path.
    ///
    /// # Errors
    /// `InvalidInput` if there is no working directory.
    pub(crate) fn path(&self) -> Result<PathBuf> {
        std::path::absolute(&self.config)
            .map_err(|e| Error::invalid("there is no working directory").advise("go to one that exists").because(e))
    }

    /// Opens its archive, and none of its stores.
    ///
    /// # Errors
    /// `InvalidInput` if it has none; what opening it fails with.
    pub(crate) async fn archive(&self) -> Result<Archive> {
        let descriptor = self.descriptor()?;
        let at = descriptor.archive.as_ref().ok_or_else(|| {
            Error::invalid(format!("{}: there is no archive", self.config.display()))
                .advise("add [archive] with url = \"file:///…\"")
        })?;
        let resources = Resources::new(TokioPool::current(4));
        let opened = Archive::open(&at.url, &descriptor.namespace.parse()?, &resources).await;
        opened.map_err(|e| descriptor.locate(e, "archive"))
    }
}
