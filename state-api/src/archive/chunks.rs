//! [`Chunks`]: an object's bytes in memory, in pieces.
//!
//! An allocator hands small pieces out again, whichever thread frees them; of large buffers that are
//! made and freed on different threads it keeps many times what is in use.

use std::io::{self, Read, Write};

use bytes::{Buf, Bytes, BytesMut};
use object_store::PutPayload;
use parquet::{
    errors::ParquetError,
    file::reader::{ChunkReader, Length},
};

/// Bytes of a piece; only the last may have fewer.
pub(super) const CHUNK_BYTES: usize = 1 << 20;

/// Bytes in pieces of [`CHUNK_BYTES`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Chunks {
    chunks: Vec<Bytes>,
    bytes: usize,
}

impl Chunks {
    /// Adds a piece; all before it are full.
    pub(super) fn push(&mut self, chunk: Bytes) {
        self.bytes += chunk.len();
        self.chunks.push(chunk);
    }

    pub(super) fn size(&self) -> usize {
        self.bytes
    }

    pub(super) fn hash(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        for chunk in &self.chunks {
            hasher.update(chunk);
        }
        hasher.finalize()
    }

    /// The pieces from `start` on.
    fn from(&self, start: u64) -> Result<Cursor, ParquetError> {
        let start = usize::try_from(start).ok().filter(|start| *start <= self.bytes);
        let start = start.ok_or_else(|| ParquetError::EOF("a place behind the end of the file".into()))?;
        let mut rest: Vec<Bytes> = self.chunks.iter().skip(start / CHUNK_BYTES).rev().cloned().collect();
        if let Some(first) = rest.last_mut() {
            first.advance(start % CHUNK_BYTES);
        }
        Ok(Cursor { rest })
    }
}

impl From<Chunks> for PutPayload {
    fn from(chunks: Chunks) -> Self {
        chunks.chunks.into_iter().collect()
    }
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.bytes as u64
    }
}

impl ChunkReader for Chunks {
    type T = Cursor;

    fn get_read(&self, start: u64) -> Result<Cursor, ParquetError> {
        self.from(start)
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let mut cursor = self.from(start)?;
        // Checked before anything is allocated for it.
        if length > cursor.rest.iter().map(Bytes::len).sum() {
            return Err(ParquetError::EOF("a length behind the end of the file".into()));
        }
        match cursor.rest.last() {
            Some(first) if first.len() >= length => Ok(first.slice(..length)),
            _ => {
                let mut whole = BytesMut::zeroed(length);
                cursor.read_exact(&mut whole)?;
                Ok(whole.freeze())
            }
        }
    }
}

/// Reads on from some place.
pub(super) struct Cursor {
    /// The next piece is the last.
    rest: Vec<Bytes>,
}

impl Read for Cursor {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while let Some(next) = self.rest.last_mut() {
            if !next.is_empty() {
                let count = next.len().min(into.len());
                next.copy_to_slice(&mut into[..count]);
                return Ok(count);
            }
            self.rest.pop();
        }
        Ok(0)
    }
}

/// Writes [`Chunks`].
#[derive(Debug, Default)]
pub(super) struct ChunkWriter {
    full: Chunks,
    last: Vec<u8>,
}

impl ChunkWriter {
    /// What was written.
    pub(super) fn finish(mut self) -> Chunks {
        if !self.last.is_empty() {
            self.full.push(self.last.into());
        }
        self.full
    }
}

impl Write for ChunkWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(CHUNK_BYTES - self.last.len());
        self.last.extend_from_slice(&bytes[..count]);
        if self.last.len() == CHUNK_BYTES {
            self.full.push(std::mem::take(&mut self.last).into());
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(bytes: &[u8]) -> Chunks {
        let mut writer = ChunkWriter::default();
        for part in bytes.chunks(700_001) {
            writer.write_all(part).unwrap();
        }
        writer.finish()
    }

    #[test]
    fn what_was_written_is_read_from_any_place_on() {
        let whole: Vec<u8> = (0..3 * CHUNK_BYTES + 5).map(|i| (i * 31 % 251) as u8).collect();
        let chunks = written(&whole);
        assert_eq!((chunks.size(), chunks.chunks.len()), (whole.len(), 4));
        assert_eq!(chunks.hash(), blake3::hash(&whole));
        for start in [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, 2 * CHUNK_BYTES + 7, whole.len()] {
            let mut read = Vec::new();
            chunks.get_read(start as u64).unwrap().read_to_end(&mut read).unwrap();
            assert_eq!(read, &whole[start..]);
            for length in [0, 5, CHUNK_BYTES, 2 * CHUNK_BYTES] {
                let expected = whole.get(start..start + length);
                assert_eq!(chunks.get_bytes(start as u64, length).ok().as_deref(), expected, "{start} {length}");
            }
        }
        assert!(chunks.get_read(whole.len() as u64 + 1).is_err());
        assert!(chunks.get_bytes(u64::MAX, usize::MAX).is_err());
    }

    #[test]
    fn nothing_is_written_as_nothing() {
        assert_eq!(written(&[]), Chunks::default());
        assert_eq!(written(&vec![7; CHUNK_BYTES]).chunks.len(), 1);
    }
}
