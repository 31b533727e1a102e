//! [`Tables`]: sorted rows as table files that a database takes over whole.

use std::path::{Path, PathBuf};

use rocksdb::{DB, IngestExternalFileOptions, Options, SstFileWriter};
use statehold_core::{Error, Result};

use crate::error::translate;

/// About so many bytes of rows are in one file.
const FILE_BYTES: usize = 64 << 20;

/// Files beside those of the database, which does not know their names. They go with its folder.
pub(crate) struct Tables<'a> {
    options: &'a Options,
    folder: &'a Path,
    writer: Option<SstFileWriter<'a>>,
    bytes: usize,
    files: Vec<PathBuf>,
}

impl<'a> Tables<'a> {
    pub(crate) fn new(options: &'a Options, folder: &'a Path) -> Self {
        Self { options, folder, writer: None, bytes: 0, files: Vec::new() }
    }

    pub(crate) fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        if self.bytes >= FILE_BYTES {
            self.finish()?;
        }
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => {
                let file = self.folder.join(format!("joined-{}.sst", self.files.len()));
                let writer = SstFileWriter::create(self.options);
                writer.open(&file).map_err(translate)?;
                self.files.push(file);
                self.writer.insert(writer)
            }
        };
        self.bytes += key.len() + value.len();
        writer.put(key, value).map_err(translate)
    }

    fn finish(&mut self) -> Result<()> {
        self.bytes = 0;
        match self.writer.take() {
            Some(mut writer) => writer.finish().map_err(translate),
            None => Ok(()),
        }
    }

    /// Moves the files into `db`, all or none.
    pub(crate) fn ingest_into(mut self, db: &DB) -> Result<()> {
        self.finish()?;
        if self.files.is_empty() {
            return Ok(());
        }
        let mut options = IngestExternalFileOptions::default();
        options.set_move_files(true);
        // There are no such rows: a file that overlaps others is a mistake.
        options.set_allow_global_seqno(false);
        db.ingest_external_file_opts(&options, self.files)
            .map_err(|e| Error::internal("RocksDB did not take the joined rows").because(translate(e)))
    }
}
