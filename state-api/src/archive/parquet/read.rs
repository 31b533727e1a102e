//! [`Decoder`]: a Parquet file in memory into rows, believing nothing it says.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use parquet::{
    column::reader::get_typed_column_reader,
    data_type::{ByteArrayType, DataType, Int32Type, Int64Type},
    errors::ParquetError,
    file::{
        reader::{FileReader, RowGroupReader, SerializedFileReader},
        statistics::Statistics,
    },
};
use statehold_core::{Cell, Envelope, KeyGroup, Millis, Result, Revision, Row};

use super::{
    row::{ArchivedRow, Parts, StateLabel},
    schema::{broken, check},
    write::RowGroup,
};
use crate::archive::chunks::Chunks;

/// A file that is being read, group by group.
pub(in crate::archive) struct Decoder {
    file: SerializedFileReader<Chunks>,
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
        let file = guarded(|| SerializedFileReader::new(chunks).map_err(unreadable))?;
        let metadata = file.metadata();
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
        Ok(Self { file, next: 0 })
    }

    /// The rows of the next row group; `None` at the end. Takes a while: call it on the pool.
    ///
    /// # Errors
    /// As [`Decoder::open`].
    pub(in crate::archive) fn read(&mut self, labels: &[StateLabel]) -> Result<Option<Vec<ArchivedRow>>> {
        if self.next == self.file.num_row_groups() {
            return Ok(None);
        }
        let rows = guarded(|| {
            let group = self.file.get_row_group(self.next).map_err(unreadable)?;
            decode(&*group, labels)
        })?;
        self.next += 1;
        Ok(Some(rows))
    }
}

/// The Parquet crate checks much, but may still panic on bytes that nobody would write.
fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(broken("cannot be decoded")))
}

fn decode(group: &dyn RowGroupReader, labels: &[StateLabel]) -> Result<Vec<ArchivedRow>> {
    // `open` has checked the number and the columns.
    let count = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
    let states = states(group, count, labels)?;
    let groups = required::<Int32Type>(group, 2, count)?;
    let keys = required::<ByteArrayType>(group, 3, count)?;
    let subs = optional::<ByteArrayType>(group, 4, count)?;
    let values = required::<ByteArrayType>(group, 5, count)?;
    let schemas = optional::<Int32Type>(group, 6, count)?;
    let crcs = optional::<Int32Type>(group, 7, count)?;
    let revisions = optional::<Int64Type>(group, 8, count)?;
    let expiries = optional::<Int64Type>(group, 9, count)?;
    // A few bytes of dictionary can stand for very many of values.
    let bytes = keys.iter().chain(&values).chain(&subs.values).fold(0_usize, |sum, x| sum + x.data().len());
    if count > 1 && bytes > MAX_BYTES + count * Envelope::BYTES {
        return Err(broken(format!("has a row group of {bytes} bytes")));
    }
    let mut subs = subs.rows();
    let (mut schemas, mut crcs) = (schemas.rows(), crcs.rows());
    let (mut revisions, mut expiries) = (revisions.rows(), expiries.rows());
    let mut rows = Vec::with_capacity(count);
    for (((state, group), key), value) in states.into_iter().zip(groups).zip(keys).zip(values) {
        let group = u16::try_from(group).map_err(|_| broken("has a key group out of range"))?;
        let value = Parts::join(value.data(), schemas.next().flatten(), crcs.next().flatten())?;
        let revision = revisions.next().flatten();
        let cell = Cell {
            value,
            revision: revision.map_or(Revision::NONE, |bits| Revision(bits.cast_unsigned())),
            expires_at: expiries.next().flatten().map(|at| Millis(at.cast_unsigned())),
        };
        let sub = subs.next().flatten().map_or_else(Bytes::new, |sub| Bytes::copy_from_slice(sub.data()));
        let row = Row { key: Bytes::copy_from_slice(key.data()), sub, cell };
        rows.push(ArchivedRow { state, group: KeyGroup(group), row });
    }
    Ok(rows)
}

/// The states' numbers, row by row. Mostly all rows are of one state, which the statistics tell for nothing.
fn states(group: &dyn RowGroupReader, count: usize, labels: &[StateLabel]) -> Result<Vec<u32>> {
    if let (Some(name), Some(model)) = (only(group, 0), only(group, 1)) {
        return Ok(vec![label_of(labels, &mut 0, name, model)?; count]);
    }
    let names = required::<ByteArrayType>(group, 0, count)?;
    let models = required::<ByteArrayType>(group, 1, count)?;
    let mut last = 0;
    names.iter().zip(&models).map(|(name, model)| label_of(labels, &mut last, name.data(), model.data())).collect()
}

/// The only value of a column, if it has one only.
fn only(group: &dyn RowGroupReader, column: usize) -> Option<&[u8]> {
    match group.metadata().column(column).statistics()? {
        Statistics::ByteArray(values) if values.min_is_exact() && values.max_is_exact() => {
            let (least, greatest) = (values.min_opt()?, values.max_opt()?);
            (least == greatest).then(|| least.data())
        }
        _ => None,
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

fn required<T: DataType>(group: &dyn RowGroupReader, column: usize, count: usize) -> Result<Vec<T::T>> {
    let (values, _) = read::<T>(group, column, count)?;
    if values.len() == count { Ok(values) } else { Err(broken("has a column that ends early")) }
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

fn optional<T: DataType>(group: &dyn RowGroupReader, column: usize, count: usize) -> Result<Optional<T::T>> {
    let (values, levels) = read::<T>(group, column, count)?;
    let present = levels.iter().filter(|level| **level == 1).count();
    if levels.len() != count || values.len() != present {
        return Err(broken("has a column that ends early"));
    }
    Ok(Optional { values, levels })
}

fn read<T: DataType>(group: &dyn RowGroupReader, column: usize, count: usize) -> Result<(Vec<T::T>, Vec<i16>)> {
    let mut reader = get_typed_column_reader::<T>(group.get_column_reader(column).map_err(unreadable)?);
    let (mut values, mut levels) = (Vec::with_capacity(count), Vec::with_capacity(count));
    // One more than there should be, so that a longer column is found too.
    let (records, ..) = reader.read_records(count + 1, Some(&mut levels), None, &mut values).map_err(unreadable)?;
    if records != count {
        return Err(broken(format!("has a column of {records} rows instead of {count}")));
    }
    Ok((values, levels))
}

fn unreadable(cause: ParquetError) -> statehold_core::Error {
    broken("is not a Parquet file that can be read").because(cause)
}
