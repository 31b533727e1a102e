//! [`RocksBulk`]: the rows of a load, written into table files beside the store, which takes them over at its end.

use std::{
    fs, io,
    path::PathBuf,
    sync::{Arc, Weak, mpsc},
    thread,
};

use rocksdb::{DB, Options};
use statehold_core::{
    Error, ErrorKind, Result,
    ordered::{BulkLoad, place},
};

use crate::{
    engine::RocksEngine,
    files::random_name,
    ingest::{Tables, move_into},
};

/// Bytes of rows that the writing thread is given at once, the last row beyond them, and how many such blocks may wait
/// for it. With the one it writes and the one that fills there are three: 50 MiB if each ends with the greatest value.
const BLOCK_BYTES: usize = 512 << 10;
const BLOCKS: usize = 1;

/// A table writer borrows its options, so a thread holds both, and compresses while the next rows are read.
/// A load that somebody forgot holds no database open.
pub(crate) struct RocksBulk {
    db: Weak<DB>,
    folder: PathBuf,
    block: Block,
    writer: Option<Writer>,
    files: Vec<PathBuf>,
}

struct Writer {
    blocks: mpsc::SyncSender<Message>,
    thread: thread::JoinHandle<Result<Vec<PathBuf>>>,
}

enum Message {
    Rows(Block),
    /// All rows have come: a sender that is gone without it has given up.
    Seal,
}

/// Rows in one piece of memory.
#[derive(Default)]
struct Block {
    bytes: Vec<u8>,
    /// Where each row's key and value end.
    ends: Vec<(usize, usize)>,
}

impl Block {
    fn put(&mut self, key: &[u8], value: &[u8]) {
        self.bytes.extend_from_slice(key);
        let key = self.bytes.len();
        self.bytes.extend_from_slice(value);
        self.ends.push((key, self.bytes.len()));
    }

    fn rows(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|(_, end)| *end));
        starts
            .zip(&self.ends)
            .filter_map(|(start, &(key, end))| Some((self.bytes.get(start..key)?, self.bytes.get(key..end)?)))
    }
}

impl RocksBulk {
    pub(crate) fn begin(engine: &RocksEngine) -> Result<Self> {
        let folder = engine.aside.join(format!("load-{}", random_name()?));
        fs::create_dir_all(&folder).map_err(|e| place::error(&folder, e))?;
        let (blocks, written) = mpsc::sync_channel(BLOCKS);
        let (options, to) = (engine.setup.options.clone(), folder.clone());
        let thread = thread::Builder::new()
            .name("rocksdb-load".into())
            .spawn(move || write(&options, to, &written))
            .map_err(|e| {
                Error::new(ErrorKind::ResourceExhausted, "no thread could be started to write loaded rows")
                    .advise("raise the limit of threads")
                    .because(e)
            })?;
        let db = Arc::downgrade(&engine.db);
        Ok(Self { db, folder, block: Block::default(), writer: Some(Writer { blocks, thread }), files: Vec::new() })
    }

    fn send(&mut self, message: Message) -> Result<()> {
        let sent = self.writer.as_ref().is_some_and(|writer| writer.blocks.send(message).is_ok());
        // It has ended before its end: it says why.
        if sent { Ok(()) } else { self.end().and(Err(Error::internal("loaded rows have no writer any more"))) }
    }

    fn send_block(&mut self) -> Result<()> {
        let room = Block { bytes: Vec::with_capacity(BLOCK_BYTES), ends: Vec::new() };
        let block = std::mem::replace(&mut self.block, room);
        self.send(Message::Rows(block))
    }

    /// Waits for the writer, and takes its files.
    fn end(&mut self) -> Result<()> {
        let Some(Writer { blocks, thread }) = self.writer.take() else { return Ok(()) };
        drop(blocks);
        let written = thread.join().map_err(|_| Error::internal("the thread that writes loaded rows panicked"))?;
        // The next open of the directory may have removed the folder beneath a load of before.
        self.files = written.map_err(|e| if self.db.strong_count() == 0 { closed().because(e) } else { e })?;
        Ok(())
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Unavailable, "the store is closed").advise("open it again")
}

fn write(options: &Options, folder: PathBuf, blocks: &mpsc::Receiver<Message>) -> Result<Vec<PathBuf>> {
    let mut tables = Tables::new(options, folder, 0);
    for message in blocks {
        match message {
            Message::Rows(block) => block.rows().try_for_each(|(key, value)| tables.put(key, value))?,
            Message::Seal => return tables.finish(),
        }
    }
    Ok(Vec::new())
}

impl BulkLoad for RocksBulk {
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.block.put(key, value);
        if self.block.bytes.len() >= BLOCK_BYTES { self.send_block() } else { Ok(()) }
    }

    fn seal(&mut self) -> Result<()> {
        self.send_block()?;
        self.send(Message::Seal)?;
        self.end()
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        let db = self.db.upgrade().ok_or_else(closed)?;
        move_into(&db, std::mem::take(&mut self.files))
    }
}

impl Drop for RocksBulk {
    /// What is not in the store by now is not wanted. The next open removes what stays.
    fn drop(&mut self) {
        let removed = self.end().and_then(|()| match fs::remove_dir_all(&self.folder) {
            // Another open was faster.
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(place::error(&self.folder, e)),
            _ => Ok(()),
        });
        if let Err(e) = removed {
            tracing::warn!(error = %e, "files of a load stay until the next open");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_gives_its_rows_back() {
        let mut block = Block::default();
        let rows: [(&[u8], &[u8]); 4] = [(b"a", b"1"), (b"b", b""), (b"", b"2"), (b"cc", b"33")];
        rows.iter().for_each(|(key, value)| block.put(key, value));
        assert_eq!(block.rows().collect::<Vec<_>>(), rows);
        assert_eq!(Block::default().rows().count(), 0);
    }
}
