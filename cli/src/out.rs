//! [`Out`]: standard output.

use std::io::{self, BufWriter, StdoutLock, Write as _};

use statehold::{Error, ErrorKind, Result};

/// Standard output, buffered. Ends the program quietly when nobody reads it any more (`| head`).
pub(crate) struct Out(BufWriter<StdoutLock<'static>>);

impl Out {
    /// Standard output, until this is dropped.
    pub(crate) fn new() -> Self {
        Self(BufWriter::new(io::stdout().lock()))
    }

    /// Writes bytes and a newline.
    ///
    /// # Errors
    /// `ResourceExhausted` if it cannot be written.
    pub(crate) fn line(&mut self, text: impl AsRef<[u8]>) -> Result<()> {
        let written = self.0.write_all(text.as_ref()).and_then(|()| self.0.write_all(b"\n"));
        written.or_else(failed)
    }

    /// Writes a value as indented JSON.
    ///
    /// # Errors
    /// `ResourceExhausted` if it cannot be written.
    pub(crate) fn json(&mut self, value: &impl serde::Serialize) -> Result<()> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|e| Error::internal("the result cannot be written as JSON").because(e))?;
        self.line(text)
    }

    /// Sends everything on its way.
    ///
    /// # Errors
    /// `ResourceExhausted` if it cannot be written.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.0.flush().or_else(failed)
    }
}

fn failed(cause: io::Error) -> Result<()> {
    if cause.kind() == io::ErrorKind::BrokenPipe {
        std::process::exit(0);
    }
    Err(Error::new(ErrorKind::ResourceExhausted, "cannot write to standard output")
        .advise("make room where it is sent to")
        .because(cause))
}
