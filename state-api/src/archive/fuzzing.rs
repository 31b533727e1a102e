//! Ways into private decoders for the targets in `fuzz/`; there only under `--cfg fuzzing`.
#![doc(hidden)]
#![allow(missing_docs, reason = "for fuzz targets alone")]

use std::{io::Write, panic::catch_unwind};

use bytes::Bytes;
use parquet::file::reader::{FileReader, SerializedFileReader};
use statehold_core::{Error, KeyGroup, Result, Row, StateSpec};

use super::{
    chunks::{ChunkWriter, Chunks},
    parquet::{ArchivedRow, Decoder, Encoder, RowGroup, StateLabel},
    record::Record,
};

/// A row with the number of its state and its group.
pub type Placed = (u32, KeyGroup, Row);

/// Reads a log record and writes it again.
pub fn record(bytes: &[u8], namespace: &str, number: u64) -> Result<Bytes> {
    Record::decode(bytes, namespace, number)?.encode()
}

/// How many rows a Parquet file says it has.
pub fn count_rows(bytes: &[u8]) -> Option<u64> {
    let bytes = Bytes::copy_from_slice(bytes);
    let file = catch_unwind(|| SerializedFileReader::new(bytes)).ok()?.ok()?;
    let groups = file.metadata().row_groups();
    groups.iter().try_fold(0_u64, |sum, group| sum.checked_add(u64::try_from(group.num_rows()).ok()?))
}

/// The rows of a portable file that should have `rows` of them.
pub fn read_file(bytes: &[u8], rows: u64, states: &[StateSpec]) -> Result<Vec<Placed>> {
    let mut writer = ChunkWriter::default();
    writer.write_all(bytes).map_err(|e| Error::internal("chunks are memory").because(e))?;
    let mut decoder = Decoder::open(writer.finish(), rows)?;
    let mut found = Vec::new();
    while let Some(more) = decoder.read(&labels(states))? {
        found.extend(more.into_iter().map(|ArchivedRow { state, group, row }| (state, group, row)));
    }
    Ok(found)
}

/// A portable file of `rows`; `None` if there are none.
pub fn write_file(rows: Vec<Placed>, states: &[StateSpec]) -> Result<Option<Bytes>> {
    let (mut encoder, labels) = (Encoder::new()?, labels(states));
    let mut group = RowGroup::default();
    for (state, number, row) in rows {
        if let Some(back) = group.push(ArchivedRow { state, group: number, row }) {
            encoder.write(&group, &labels)?;
            group = RowGroup::default();
            group.push(back);
        }
    }
    if !group.is_empty() {
        encoder.write(&group, &labels)?;
    }
    Ok(encoder.finish()?.map(|file| whole(file.chunks)))
}

fn whole(chunks: Chunks) -> Bytes {
    let payload: object_store::PutPayload = chunks.into();
    payload.into()
}

fn labels(states: &[StateSpec]) -> Vec<StateLabel> {
    states.iter().map(StateLabel::of).collect()
}
