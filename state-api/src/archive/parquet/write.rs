//! [`Encoder`]: rows into a Parquet file in memory.

use bytes::Bytes;
use parquet::{
    data_type::{ByteArray, ByteArrayType, DataType, Int32Type, Int64Type},
    errors::ParquetError,
    file::writer::{SerializedFileWriter, SerializedRowGroupWriter},
};
use statehold_core::{Error, Model, Result, Revision};

use super::{
    row::{ArchivedRow, Parts, StateLabel, row_bytes},
    schema::{properties, schema},
};
use crate::archive::chunks::{ChunkWriter, Chunks};

/// Rows that will be one row group.
#[derive(Debug, Default)]
pub(in crate::archive) struct RowGroup {
    rows: Vec<ArchivedRow>,
    bytes: usize,
}

impl RowGroup {
    /// A group has at most this many bytes of keys, subkeys and values, unless it is one row.
    pub(in crate::archive) const MAX_BYTES: usize = 1 << 20;
    /// A group has at most this many rows.
    pub(in crate::archive) const MAX_ROWS: usize = 4 << 10;

    /// Adds a row, or gives it back if the group is full.
    pub(in crate::archive) fn push(&mut self, row: ArchivedRow) -> Option<ArchivedRow> {
        let bytes = self.bytes + row_bytes(&row.row);
        if !self.rows.is_empty() && (bytes > Self::MAX_BYTES || self.rows.len() == Self::MAX_ROWS) {
            return Some(row);
        }
        self.bytes = bytes;
        self.rows.push(row);
        None
    }

    pub(in crate::archive) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// A file that is being written.
pub(in crate::archive) struct Encoder {
    writer: SerializedFileWriter<ChunkWriter>,
    rows: u64,
    groups: Option<(u16, u16)>,
}

/// A finished file.
pub(in crate::archive) struct Encoded {
    pub(in crate::archive) chunks: Chunks,
    pub(in crate::archive) hash: blake3::Hash,
    pub(in crate::archive) rows: u64,
    pub(in crate::archive) first_group: u16,
    pub(in crate::archive) last_group: u16,
}

impl Encoder {
    /// An empty file.
    ///
    /// # Errors
    /// `Internal`.
    pub(in crate::archive) fn new() -> Result<Self> {
        let writer = SerializedFileWriter::new(ChunkWriter::default(), schema()?, properties()).map_err(defect)?;
        Ok(Self { writer, rows: 0, groups: None })
    }

    /// Bytes of the file so far.
    pub(in crate::archive) fn size(&self) -> usize {
        self.writer.bytes_written()
    }

    /// Writes a row group. Takes a while: call it on the pool.
    ///
    /// # Errors
    /// `Internal`.
    pub(in crate::archive) fn write(&mut self, group: &RowGroup, labels: &[StateLabel]) -> Result<()> {
        for row in &group.rows {
            let (first, last) = self.groups.unwrap_or((row.group.0, row.group.0));
            self.groups = Some((first.min(row.group.0), last.max(row.group.0)));
        }
        self.rows += group.rows.len() as u64;
        self.columns(&group.rows, labels).map_err(defect)
    }

    fn columns(&mut self, rows: &[ArchivedRow], labels: &[StateLabel]) -> Result<(), ParquetError> {
        let label = |row: &ArchivedRow| {
            labels.get(row.state as usize).ok_or_else(|| ParquetError::General("a row of an unnamed state".into()))
        };
        let labels = rows.iter().map(label).collect::<Result<Vec<_>, _>>()?;
        let mut out = self.writer.next_row_group()?;
        required::<ByteArrayType>(&mut out, labels.iter().map(|l| l.name.clone().into()))?;
        required::<ByteArrayType>(&mut out, labels.iter().map(|l| model(l.model)))?;
        required::<Int32Type>(&mut out, rows.iter().map(|r| i32::from(r.group.0)))?;
        required::<ByteArrayType>(&mut out, rows.iter().map(|r| r.row.key.clone().into()))?;
        let sub = |(row, label): (&ArchivedRow, &&StateLabel)| {
            (label.model != Model::Kv || !row.row.sub.is_empty()).then(|| row.row.sub.clone().into())
        };
        optional::<ByteArrayType>(&mut out, rows.iter().zip(&labels).map(sub))?;
        let parts: Vec<Parts> = rows.iter().map(|r| Parts::of(&r.row.cell.value)).collect();
        required::<ByteArrayType>(&mut out, parts.iter().map(|p| p.payload.clone().into()))?;
        optional::<Int32Type>(&mut out, parts.iter().map(|p| p.sealed.map(|(schema, _)| i32::from(schema))))?;
        // Unsigned numbers keep their bits.
        optional::<Int32Type>(&mut out, parts.iter().map(|p| p.sealed.map(|(_, crc)| crc.cast_signed())))?;
        let revision = |r: &ArchivedRow| {
            let Revision(bits) = r.row.cell.revision;
            r.row.cell.revision.is_some().then_some(bits.cast_signed())
        };
        optional::<Int64Type>(&mut out, rows.iter().map(revision))?;
        optional::<Int64Type>(&mut out, rows.iter().map(|r| r.row.cell.expires_at.map(|at| at.0.cast_signed())))?;
        out.close()?;
        Ok(())
    }

    /// Ends the file. `None` if it has no rows.
    ///
    /// # Errors
    /// `Internal`.
    pub(in crate::archive) fn finish(self) -> Result<Option<Encoded>> {
        let Some((first_group, last_group)) = self.groups else { return Ok(None) };
        let chunks = self.writer.into_inner().map_err(defect)?.finish();
        let hash = chunks.hash();
        Ok(Some(Encoded { chunks, hash, rows: self.rows, first_group, last_group }))
    }
}

fn model(model: Model) -> ByteArray {
    Bytes::from_static(model.as_str().as_bytes()).into()
}

fn required<T: DataType>(
    out: &mut SerializedRowGroupWriter<'_, ChunkWriter>,
    values: impl Iterator<Item = T::T>,
) -> Result<(), ParquetError> {
    column::<T>(out, &values.collect::<Vec<_>>(), None)
}

fn optional<T: DataType>(
    out: &mut SerializedRowGroupWriter<'_, ChunkWriter>,
    values: impl Iterator<Item = Option<T::T>>,
) -> Result<(), ParquetError> {
    let mut levels = Vec::with_capacity(values.size_hint().0);
    let present = values.inspect(|v| levels.push(i16::from(v.is_some()))).flatten().collect::<Vec<_>>();
    column::<T>(out, &present, Some(&levels))
}

fn column<T: DataType>(
    out: &mut SerializedRowGroupWriter<'_, ChunkWriter>,
    values: &[T::T],
    levels: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let next = out.next_column()?;
    let mut column = next.ok_or_else(|| ParquetError::General("the schema has too few columns".into()))?;
    column.typed::<T>().write_batch(values, levels, None)?;
    column.close()
}

fn defect(cause: ParquetError) -> Error {
    Error::internal("rows cannot be written as Parquet").because(cause)
}
