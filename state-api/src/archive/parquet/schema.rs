//! The columns, in order, and the file's format.

use std::sync::{Arc, LazyLock};

use parquet::{
    basic::Compression,
    errors::ParquetError,
    file::{
        metadata::KeyValue,
        properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr},
    },
    schema::{
        parser::parse_message_type,
        types::{ColumnPath, SchemaDescriptor, TypePtr},
    },
};
use statehold_core::{Error, Result};

/// The format that is written.
pub(super) const FORMAT: u32 = 1;
/// Where a file says its format.
const FORMAT_KEY: &str = "statehold.format";

const MESSAGE: &str = "
message statehold {
    required binary state (STRING);
    required binary model (STRING);
    required int32 key_group;
    required binary key;
    optional binary subkey;
    required binary value;
    optional int32 schema (INTEGER(8, false));
    optional int32 crc (INTEGER(32, false));
    optional int64 revision (INTEGER(64, false));
    optional int64 expires_at (TIMESTAMP(MILLIS, true));
}";

static SCHEMA: LazyLock<Result<TypePtr, ParquetError>> = LazyLock::new(|| parse_message_type(MESSAGE).map(Arc::new));

/// The file's schema.
pub(super) fn schema() -> Result<TypePtr> {
    SCHEMA.as_ref().cloned().map_err(|e| Error::internal(format!("the Parquet schema is malformed: {e}")))
}

/// How files are written: Snappy, which every reader has; names and small numbers by dictionary,
/// keys and values plain.
pub(super) fn properties() -> WriterPropertiesPtr {
    let plain = |builder: parquet::file::properties::WriterPropertiesBuilder, column: &str| {
        builder.set_column_dictionary_enabled(ColumnPath::from(column), false)
    };
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_key_value_metadata(Some(vec![KeyValue::new(FORMAT_KEY.to_owned(), FORMAT.to_string())]));
    for column in ["key", "subkey", "value", "crc", "revision", "expires_at"] {
        builder = plain(builder, column);
    }
    for column in ["value", "crc"] {
        builder = builder.set_column_statistics_enabled(ColumnPath::from(column), EnabledStatistics::None);
    }
    Arc::new(builder.build())
}

/// Refuses a file with another schema or a newer format.
pub(super) fn check(schema_found: &SchemaDescriptor, metadata: Option<&Vec<KeyValue>>) -> Result<()> {
    let format = metadata.into_iter().flatten().find(|kv| kv.key == FORMAT_KEY).and_then(|kv| kv.value.as_deref());
    match format.map(str::parse::<u32>) {
        Some(Ok(FORMAT)) => {}
        Some(Ok(newer)) if newer > FORMAT => {
            return Err(Error::unsupported(format!("has format {newer}, and this version reads up to {FORMAT}"))
                .advise("use the version of statehold that wrote it, or a newer one"));
        }
        _ => return Err(broken("has no format of ours")),
    }
    let columns = |of: &SchemaDescriptor| -> Vec<_> {
        let leaf = |c: &parquet::schema::types::ColumnDescPtr| {
            (c.path().string(), c.physical_type(), c.max_def_level(), c.max_rep_level())
        };
        of.columns().iter().map(leaf).collect()
    };
    if columns(schema_found) != columns(&SchemaDescriptor::new(schema()?)) {
        return Err(broken("has other columns"));
    }
    Ok(())
}

/// A file that is not one of ours; whoever knows its name adds it.
pub(super) fn broken(what: impl Into<String>) -> Error {
    Error::corrupt(what)
}
