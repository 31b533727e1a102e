//! [`Position`]: how far the input was counted; it lies in each checkpoint beside the counts.

use serde::{Deserialize, Serialize};
use statehold::{Error, Result, archive::Metadata};

/// The name of the position in a checkpoint's metadata.
const NAME: &str = "quickstart";

/// The format of a position.
const FORMAT: u32 = 1;

/// What was counted, and how far the input was read for it: always to the end of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Position {
    format: u32,
    /// Files that are wholly read.
    pub(crate) files: usize,
    /// The file behind them, for people.
    pub(crate) file: String,
    /// Bytes read of it.
    pub(crate) offset: u64,
    /// Lines read of all files.
    pub(crate) lines: u64,
    /// Words read of all files.
    pub(crate) words: u64,
    /// Bytes read of all files.
    pub(crate) bytes: u64,
    /// BLAKE3 of everything read, in hexadecimal.
    pub(crate) fingerprint: String,
}

impl Position {
    /// The beginning of any input.
    pub(crate) fn beginning() -> Self {
        Self {
            format: FORMAT,
            files: 0,
            file: String::new(),
            offset: 0,
            lines: 0,
            words: 0,
            bytes: 0,
            fingerprint: String::new(),
        }
    }

    /// What goes into a checkpoint.
    ///
    /// # Errors
    /// `Internal` if it cannot be written as JSON.
    pub(crate) fn to_metadata(&self) -> Result<Metadata> {
        let json = serde_json::to_value(self)
            .map_err(|e| Error::internal("the position cannot be written as JSON").because(e))?;
        Ok(Metadata::new().with(NAME, json))
    }

    /// What goes into a store, beside the counts.
    ///
    /// # Errors
    /// `Internal` if it cannot be written as JSON.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|e| Error::internal("the position cannot be written as JSON").because(e))
    }

    /// What was in a store.
    ///
    /// # Errors
    /// `InvalidInput` if a newer version wrote it.
    pub(crate) fn of_bytes(bytes: &[u8]) -> Result<Self> {
        let position: Self = serde_json::from_slice(bytes).map_err(|e| {
            Error::invalid("the store holds a position that this version cannot read")
                .advise("run the version of statehold that wrote it")
                .because(e)
        })?;
        position.known()
    }

    fn known(self) -> Result<Self> {
        if self.format == FORMAT {
            return Ok(self);
        }
        Err(Error::invalid(format!("the position has format {}, this version reads {FORMAT}", self.format))
            .advise("run the version of statehold that wrote it"))
    }

    /// What was in a checkpoint.
    ///
    /// # Errors
    /// `InvalidInput` if the checkpoint was taken by another program or a newer version.
    pub(crate) fn of_metadata(metadata: &Metadata) -> Result<Self> {
        let advice = "the archive belongs to something else: use another namespace or archive URL for the quickstart";
        let json = metadata.get(NAME).ok_or_else(|| {
            Error::invalid("the latest checkpoint was not taken by `statehold quickstart`").advise(advice)
        })?;
        let position = Self::deserialize(json).map_err(|e| {
            Error::invalid("the latest checkpoint holds a position that this version cannot read")
                .advise(advice)
                .because(e)
        })?;
        position.known()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_comes_back_from_a_checkpoint_as_it_was() {
        let position =
            Position { files: 3, file: "a/b.md".into(), offset: 17, lines: 4, words: 5, ..Position::beginning() };
        assert_eq!(Position::of_metadata(&position.to_metadata().unwrap()).unwrap(), position);
        assert_eq!(Position::of_bytes(&position.to_bytes().unwrap()).unwrap(), position);
    }

    #[test]
    fn a_checkpoint_of_something_else_is_refused() {
        let other = Metadata::new().with("offsets", 4);
        assert!(Position::of_metadata(&other).unwrap_err().to_string().contains("was not taken by"));
        let newer = Position { format: 2, ..Position::beginning() };
        assert!(Position::of_metadata(&newer.to_metadata().unwrap()).unwrap_err().message().contains("format 2"));
    }
}
