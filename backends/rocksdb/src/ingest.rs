//! Sorted rows as table files that a database takes over whole.

use std::{path::PathBuf, thread};

use parking_lot::Mutex;
use rocksdb::{DB, IngestExternalFileOptions, Options, SstFileWriter};
use statehold_core::{Error, Result, ordered::Run};

use crate::error::translate;

/// About so many bytes of rows are in one file.
const FILE_BYTES: usize = 64 << 20;

/// Files of ascending rows in a folder, which its database does not know: they go with it.
pub(crate) struct Tables<'a> {
    options: &'a Options,
    folder: PathBuf,
    number: usize,
    writer: Option<SstFileWriter<'a>>,
    bytes: usize,
    files: Vec<PathBuf>,
}

impl<'a> Tables<'a> {
    /// Tables of one `number` have names of their own.
    pub(crate) fn new(options: &'a Options, folder: PathBuf, number: usize) -> Self {
        Self { options, folder, number, writer: None, bytes: 0, files: Vec::new() }
    }

    pub(crate) fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        if self.bytes >= FILE_BYTES {
            self.end_file()?;
        }
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => {
                let file = self.folder.join(format!("rows-{}-{}.sst", self.number, self.files.len()));
                let writer = SstFileWriter::create(self.options);
                writer.open(&file).map_err(translate)?;
                self.files.push(file);
                self.writer.insert(writer)
            }
        };
        self.bytes += key.len() + value.len();
        writer.put(key, value).map_err(translate)
    }

    fn end_file(&mut self) -> Result<()> {
        self.bytes = 0;
        match self.writer.take() {
            Some(mut writer) => writer.finish().map_err(translate),
            None => Ok(()),
        }
    }

    /// Ends the last file; all of them are synced then.
    pub(crate) fn finish(mut self) -> Result<Vec<PathBuf>> {
        self.end_file()?;
        Ok(self.files)
    }
}

/// Makes `db` the owner of `files`, all at once.
pub(crate) fn move_into(db: &DB, files: Vec<PathBuf>) -> Result<()> {
    if files.is_empty() {
        return Ok(());
    }
    let mut options = IngestExternalFileOptions::default();
    options.set_move_files(true);
    db.ingest_external_file_opts(&options, files).map_err(translate)
}

/// Writes the runs' rows, a thread for each processor, and moves all files into `db`.
pub(crate) fn ingest(db: &DB, options: &Options, runs: Vec<Run<'_>>) -> Result<()> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(runs.len());
    let (queue, files) = (Mutex::new(runs.into_iter().enumerate()), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let Some((number, run)) = queue.lock().next() else { return Ok(()) };
            let mut tables = Tables::new(options, db.path().to_path_buf(), number);
            run(&mut |key, value| tables.put(key, value))?;
            let mut written = tables.finish()?;
            files.lock().append(&mut written);
        }
    };
    thread::scope(|scope| {
        let helpers: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let own = work();
        let panicked = |_| Err(Error::internal("a thread that joins parts panicked").advise("see the log"));
        helpers.into_iter().fold(own, |outcome, helper| outcome.and(helper.join().unwrap_or_else(panicked)))
    })?;
    move_into(db, files.into_inner())
}
