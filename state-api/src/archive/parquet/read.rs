//! [`Decoder`]: a Parquet file in memory into rows, believing nothing it says.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use bytes::Bytes;
use parquet::{
    column::reader::ColumnReaderImpl,
    data_type::{ByteArrayType, DataType, Int32Type, Int64Type},
    errors::ParquetError,
    file::{
        metadata::{ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData},
        statistics::Statistics,
    },
};
use statehold_core::{Cell, Envelope, KeyGroup, Millis, Result, Revision, Row};

use super::{
    pages::Pages,
    row::{ArchivedRow, Parts, Piece, StateLabel},
    schema::{broken, check},
    write::RowGroup,
};
use crate::archive::chunks::Chunks;

/// A file that is being read, group by group.
pub(in crate::archive) struct Decoder {
    file: Arc<Chunks>,
    metadata: ParquetMetaData,
    next: usize,
}

/// The most rows of a row group that are read; twice what is written, so that formats can grow.
const MAX_ROWS: i64 = 2 * RowGroup::MAX_ROWS as i64;
/// The most bytes of a row group that are read.
const MAX_BYTES: usize = 2 * RowGroup::MAX_BYTES;

impl Decoder {
    /// Opens a file that should have `rows` rows.
    ///
    /// # Errors
    /// `Corrupt`, or `Unsupported` if its format is newer. The messages go on from the file's name.
    pub(in crate::archive) fn open(chunks: Chunks, rows: u64) -> Result<Self> {
        let metadata = guarded(|| ParquetMetaDataReader::new().parse_and_finish(&chunks).map_err(unreadable))?;
        check(metadata.file_metadata().schema_descr(), metadata.file_metadata().key_value_metadata())?;
        let mut total = 0_u64;
        for group in metadata.row_groups() {
            match u64::try_from(group.num_rows()) {
                Ok(n @ 1..) if group.num_rows() <= MAX_ROWS => total = total.saturating_add(n),
                _ => return Err(broken(format!("has a row group of {} rows", group.num_rows()))),
            }
        }
        if total != rows {
            return Err(broken(format!("has {total} rows instead of {rows}")));
        }
        Ok(Self { file: Arc::new(chunks), metadata, next: 0 })
    }

    /// The rows of the next row group; `None` at the end. Takes a while: call it on the pool.
    ///
    /// # Errors
    /// As [`Decoder::open`].
    pub(in crate::archive) fn read(&mut self, labels: &[StateLabel]) -> Result<Option<Vec<ArchivedRow>>> {
        let Some(metadata) = self.metadata.row_groups().get(self.next) else { return Ok(None) };
        // `open` has checked the number and the columns.
        let count = usize::try_from(metadata.num_rows()).unwrap_or(0);
        let group = Group { file: &self.file, metadata, count };
        let rows = guarded(|| group.decode(labels))?;
        self.next += 1;
        Ok(Some(rows))
    }
}

/// The Parquet crate checks much, but may still panic on bytes that nobody would write.
fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(broken("cannot be decoded")))
}

/// A row group.
struct Group<'a> {
    file: &'a Arc<Chunks>,
    metadata: &'a RowGroupMetaData,
    /// How many rows it says it has.
    count: usize,
}

impl Group<'_> {
    fn decode(&self, labels: &[StateLabel]) -> Result<Vec<ArchivedRow>> {
        let count = self.count;
        let states = self.states(labels)?;
        let groups = self.required::<Int32Type>(2)?;
        let keys = self.required::<ByteArrayType>(3)?;
        let subs = self.optional::<ByteArrayType>(4)?;
        let values = self.required::<ByteArrayType>(5)?;
        let schemas = self.optional::<Int32Type>(6)?;
        let crcs = self.optional::<Int32Type>(7)?;
        let revisions = self.optional::<Int64Type>(8)?;
        let expiries = self.optional::<Int64Type>(9)?;
        // A few bytes of dictionary can stand for very many of values.
        let bytes = keys.iter().chain(&values).chain(&subs.values).fold(0_usize, |sum, x| sum + x.data().len());
        if count > 1 && bytes > MAX_BYTES + count * Envelope::BYTES {
            return Err(broken(format!("has a row group of {bytes} bytes")));
        }
        let mut piece = Piece::with_capacity(bytes + count * Envelope::BYTES);
        let mut subs = subs.rows();
        let (mut schemas, mut crcs) = (schemas.rows(), crcs.rows());
        let (mut revisions, mut expiries) = (revisions.rows(), expiries.rows());
        let mut rows = Vec::with_capacity(count);
        for (((state, group), key), value) in states.into_iter().zip(groups).zip(keys).zip(values) {
            let group = u16::try_from(group).map_err(|_| broken("has a key group out of range"))?;
            let value = Parts::join(value.data(), schemas.next().flatten(), crcs.next().flatten(), &mut piece)?;
            let revision = revisions.next().flatten();
            let cell = Cell {
                value,
                revision: revision.map_or(Revision::NONE, |bits| Revision(bits.cast_unsigned())),
                expires_at: expiries.next().flatten().map(|at| Millis(at.cast_unsigned())),
            };
            let sub = subs.next().flatten().map_or_else(Bytes::new, |sub| piece.put(sub.data()));
            let row = Row { key: piece.put(key.data()), sub, cell };
            rows.push(ArchivedRow { state, group: KeyGroup(group), row });
        }
        Ok(rows)
    }

    /// The states' numbers, row by row. Mostly all rows are of one state, which the statistics tell for nothing: of
    /// these two columns they are believed, as whoever could forge them could forge the rows.
    fn states(&self, labels: &[StateLabel]) -> Result<Vec<u32>> {
        if let (Some(name), Some(model)) = (self.only(0), self.only(1)) {
            return Ok(vec![label_of(labels, &mut 0, name, model)?; self.count]);
        }
        let names = self.required::<ByteArrayType>(0)?;
        let models = self.required::<ByteArrayType>(1)?;
        let mut last = 0;
        names.iter().zip(&models).map(|(name, model)| label_of(labels, &mut last, name.data(), model.data())).collect()
    }

    /// The only value of a column, if it has one only.
    fn only(&self, column: usize) -> Option<&[u8]> {
        match self.metadata.column(column).statistics()? {
            Statistics::ByteArray(values) if values.min_is_exact() && values.max_is_exact() => {
                let (least, greatest) = (values.min_opt()?, values.max_opt()?);
                (least == greatest).then(|| least.data())
            }
            _ => None,
        }
    }

    fn required<T: DataType>(&self, column: usize) -> Result<Vec<T::T>> {
        let (values, _) = self.read::<T>(column)?;
        if values.len() == self.count { Ok(values) } else { Err(broken("has a column that ends early")) }
    }

    fn optional<T: DataType>(&self, column: usize) -> Result<Optional<T::T>> {
        let (values, levels) = self.read::<T>(column)?;
        let present = levels.iter().filter(|level| **level == 1).count();
        if levels.len() != self.count || values.len() != present {
            return Err(broken("has a column that ends early"));
        }
        Ok(Optional { values, levels })
    }

    fn read<T: DataType>(&self, column: usize) -> Result<(Vec<T::T>, Vec<i16>)> {
        let (column, count) = (self.metadata.column(column), self.count);
        let pages = Pages::new(Arc::clone(self.file), column, count).map_err(unreadable)?;
        let mut reader = ColumnReaderImpl::<T>::new(column.column_descr_ptr(), Box::new(pages));
        let (mut values, mut levels) = (Vec::with_capacity(count), Vec::with_capacity(count));
        // One more than there should be, so that a longer column is found too.
        let (records, ..) = reader.read_records(count + 1, Some(&mut levels), None, &mut values).map_err(unreadable)?;
        if records != count {
            return Err(broken(format!("has a column of {records} rows instead of {count}")));
        }
        Ok((values, levels))
    }
}

/// The number of the state that a row names: mostly that of the row before, else the next.
fn label_of(labels: &[StateLabel], last: &mut usize, name: &[u8], model: &[u8]) -> Result<u32> {
    let matches = |(_, l): &(usize, &StateLabel)| l.name == name && l.model.as_str().as_bytes() == model;
    let mut from_last = labels.iter().enumerate().cycle().skip(*last).take(labels.len());
    let found = from_last
        .find(matches)
        .ok_or_else(|| broken(format!("has rows of state `{}`, which its part does not name", name.escape_ascii())))?;
    *last = found.0;
    u32::try_from(*last).map_err(|_| broken("has too many states"))
}

/// A column whose rows may have no value.
struct Optional<T> {
    values: Vec<T>,
    levels: Vec<i16>,
}

impl<T> Optional<T> {
    fn rows(self) -> impl Iterator<Item = Option<T>> {
        let mut values = self.values.into_iter();
        self.levels.into_iter().map(move |level| if level == 1 { values.next() } else { None })
    }
}

fn unreadable(cause: ParquetError) -> statehold_core::Error {
    broken("is not a Parquet file that can be read").because(cause)
}
