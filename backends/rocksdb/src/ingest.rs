//! Sorted rows as table files that a database takes over whole.

use std::{
    path::{Path, PathBuf},
    thread,
};

use parking_lot::Mutex;
use rocksdb::{DB, IngestExternalFileOptions, Options, SstFileWriter};
use statehold_core::{Error, Result, ordered::Run};

use crate::error::translate;

/// About so many bytes of rows are in one file.
const FILE_BYTES: usize = 64 << 20;

/// The files of one run, beside those of the database, which does not know their names; they go with its folder.
struct Tables<'a> {
    options: &'a Options,
    folder: &'a Path,
    number: usize,
    writer: Option<SstFileWriter<'a>>,
    bytes: usize,
    files: Vec<PathBuf>,
}

impl<'a> Tables<'a> {
    fn new(options: &'a Options, folder: &'a Path, number: usize) -> Self {
        Self { options, folder, number, writer: None, bytes: 0, files: Vec::new() }
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        if self.bytes >= FILE_BYTES {
            self.finish()?;
        }
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => {
                let file = self.folder.join(format!("joined-{}-{}.sst", self.number, self.files.len()));
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
}

/// Writes the runs' rows, a thread for each processor, and moves all files into `db`.
pub(crate) fn ingest(db: &DB, options: &Options, runs: Vec<Run<'_>>) -> Result<()> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(runs.len());
    let (queue, files) = (Mutex::new(runs.into_iter().enumerate()), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let Some((number, run)) = queue.lock().next() else { return Ok(()) };
            let mut tables = Tables::new(options, db.path(), number);
            run(&mut |key, value| tables.put(key, value))?;
            tables.finish()?;
            files.lock().append(&mut tables.files);
        }
    };
    thread::scope(|scope| {
        let helpers: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let own = work();
        let panicked = |_| Err(Error::internal("a thread that joins parts panicked").advise("see the log"));
        helpers.into_iter().fold(own, |outcome, helper| outcome.and(helper.join().unwrap_or_else(panicked)))
    })?;
    let files = files.into_inner();
    if files.is_empty() {
        return Ok(());
    }
    let mut options = IngestExternalFileOptions::default();
    options.set_move_files(true);
    db.ingest_external_file_opts(&options, files)
        .map_err(|e| Error::internal("RocksDB did not take the joined rows").because(translate(e)))
}
