//! [`Codec`]: how values become bytes, and [`ValueType`]: which codec, version and upgrade a state uses.

use std::sync::Arc;

use bytes::Bytes;
use postcard_schema::Schema;
use serde::{Serialize, de::DeserializeOwned};
use statehold_core::{Error, Result};

/// Encodes and decodes values of one type. Implement it for a format of your own.
pub trait Codec<V>: Send + Sync {
    /// The name in descriptors and catalogs.
    fn name(&self) -> &str;

    /// Tells two types apart: names and types of all fields, in order. A state is refused
    /// when it was written with another (contract NAME-4).
    fn fingerprint(&self) -> u64;

    /// Appends the encoded value.
    ///
    /// # Errors
    /// `InvalidInput` if the value cannot be encoded.
    fn encode(&self, value: &V, out: &mut Vec<u8>) -> Result<()>;

    /// Reads a whole encoded value.
    ///
    /// # Errors
    /// `Corrupt` if `bytes` are not one.
    fn decode(&self, bytes: Bytes) -> Result<V>;
}

/// What a value has to be for the built-in codecs: serde's traits, and a derived
/// [`Schema`] so that a changed type is noticed.
pub trait Value: Serialize + DeserializeOwned + Schema + Clone + Send + Sync + 'static {}
impl<T: Serialize + DeserializeOwned + Schema + Clone + Send + Sync + 'static> Value for T {}

fn fingerprint<V: Schema>() -> u64 {
    // FNV-1a over the schema, as postcard-schema defines it; the path is empty.
    u64::from_le_bytes(postcard_schema::key::Key::for_path::<V>("").to_bytes())
}

/// The default: compact, schema in the catalog. Format: <https://postcard.jamesmunns.com/wire-format>.
#[derive(Debug, Clone, Copy, Default)]
pub struct Postcard;

impl<V: Value> Codec<V> for Postcard {
    fn name(&self) -> &str {
        "postcard"
    }
    fn fingerprint(&self) -> u64 {
        fingerprint::<V>()
    }
    #[inline]
    fn encode(&self, value: &V, out: &mut Vec<u8>) -> Result<()> {
        let buffer = std::mem::take(out);
        *out = postcard::to_extend(value, buffer)
            .map_err(|e| Error::invalid("the value cannot be encoded with postcard").because(e))?;
        Ok(())
    }
    #[inline]
    fn decode(&self, bytes: Bytes) -> Result<V> {
        match postcard::take_from_bytes(&bytes) {
            Ok((value, [])) => Ok(value),
            Ok(_) => Err(Error::corrupt("a value is followed by bytes that do not belong to it")),
            Err(e) => Err(Error::corrupt("a value is no postcard of its type").because(e)),
        }
    }
}

/// Readable by everything; several times the size. JSON has no NaN and no infinities: such a float is written, and is
/// `Corrupt` when it is read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Json;

impl<V: Value> Codec<V> for Json {
    fn name(&self) -> &str {
        "json"
    }
    fn fingerprint(&self) -> u64 {
        fingerprint::<V>()
    }
    fn encode(&self, value: &V, out: &mut Vec<u8>) -> Result<()> {
        serde_json::to_writer(out, value).map_err(|e| Error::invalid("the value cannot be encoded as JSON").because(e))
    }
    fn decode(&self, bytes: Bytes) -> Result<V> {
        serde_json::from_slice(&bytes).map_err(|e| Error::corrupt("a value is no JSON of its type").because(e))
    }
}

/// Byte strings as they are.
#[derive(Debug, Clone, Copy, Default)]
pub struct Raw;

impl Codec<Bytes> for Raw {
    fn name(&self) -> &str {
        "bytes"
    }
    fn fingerprint(&self) -> u64 {
        0
    }
    #[inline]
    fn encode(&self, value: &Bytes, out: &mut Vec<u8>) -> Result<()> {
        out.extend_from_slice(value);
        Ok(())
    }
    #[inline]
    fn decode(&self, bytes: Bytes) -> Result<Bytes> {
        Ok(bytes)
    }
}

impl Codec<Vec<u8>> for Raw {
    fn name(&self) -> &str {
        "bytes"
    }
    fn fingerprint(&self) -> u64 {
        0
    }
    fn encode(&self, value: &Vec<u8>, out: &mut Vec<u8>) -> Result<()> {
        out.extend_from_slice(value);
        Ok(())
    }
    fn decode(&self, bytes: Bytes) -> Result<Vec<u8>> {
        Ok(bytes.into())
    }
}

type Upgrade<V> = Arc<dyn Fn(u8, Bytes) -> Result<V> + Send + Sync>;

/// How one state's values are written and read.
///
/// ```
/// use statehold::ValueType;
/// // Version 1 counts in u64; version 0 had u32.
/// let counts = ValueType::<u64>::postcard().version(1).upgrade(|version, bytes| match version {
///     0 => Ok(u64::from(ValueType::<u32>::postcard().decode(bytes)?)),
///     other => Err(statehold::Error::corrupt(format!("no version {other} was ever written"))),
/// });
/// ```
pub struct ValueType<V> {
    codec: Arc<dyn Codec<V>>,
    version: u8,
    upgrade: Option<Upgrade<V>>,
}

impl<V> Clone for ValueType<V> {
    fn clone(&self) -> Self {
        Self { codec: self.codec.clone(), version: self.version, upgrade: self.upgrade.clone() }
    }
}

impl<V> std::fmt::Debug for ValueType<V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (codec, version) = (self.codec.name(), self.version);
        f.debug_struct("ValueType").field("codec", &codec).field("version", &version).finish_non_exhaustive()
    }
}

impl<V: Value> ValueType<V> {
    /// Values in postcard, version 0.
    #[must_use]
    pub fn postcard() -> Self {
        Self::own(Postcard)
    }

    /// Values in JSON, version 0.
    #[must_use]
    pub fn json() -> Self {
        Self::own(Json)
    }

    /// The built-in codec of that name.
    ///
    /// # Errors
    /// `InvalidInput` listing the names.
    pub(crate) fn named(codec: &str) -> Result<Self> {
        match codec {
            "postcard" => Ok(Self::postcard()),
            "json" => Ok(Self::json()),
            other => Err(Error::invalid(format!("the state's codec is `{}`", other.escape_debug())).about("codec").advise(
                "this call takes postcard and json; for bytes or a codec of your own pass a `ValueType` (`key_value_of` and its like)",
            )),
        }
    }
}

impl ValueType<Bytes> {
    /// Byte strings as they are, version 0.
    #[must_use]
    pub fn bytes() -> Self {
        Self::own(Raw)
    }
}

impl<V> ValueType<V> {
    /// Values in a codec of your own, version 0.
    pub fn own(codec: impl Codec<V> + 'static) -> Self {
        Self { codec: Arc::new(codec), version: 0, upgrade: None }
    }

    /// The same at another schema version: raise it by one whenever the type changes.
    #[must_use]
    pub fn version(mut self, version: u8) -> Self {
        self.version = version;
        self
    }

    /// The same with a function that reads values of lower versions, given version and payload. Values are
    /// upgraded as they are read, and stored in the new version when they are next written.
    #[must_use]
    pub fn upgrade(mut self, upgrade: impl Fn(u8, Bytes) -> Result<V> + Send + Sync + 'static) -> Self {
        self.upgrade = Some(Arc::new(upgrade));
        self
    }

    /// Decodes a payload of this version.
    ///
    /// # Errors
    /// `Corrupt` if it is none.
    pub fn decode(&self, bytes: Bytes) -> Result<V> {
        self.codec.decode(bytes)
    }

    #[inline]
    pub(crate) fn encode(&self, value: &V, out: &mut Vec<u8>) -> Result<()> {
        self.codec.encode(value, out)
    }

    /// Decodes a payload of any version.
    #[inline]
    pub(crate) fn read(&self, version: u8, bytes: Bytes) -> Result<V> {
        if version == self.version {
            return self.codec.decode(bytes);
        }
        match &self.upgrade {
            Some(upgrade) if version < self.version => upgrade(version, bytes),
            _ => {
                Err(Error::invalid(format!("a value has schema version {version}, this program has {}", self.version))
                    .advise("declare an upgrade with `ValueType::upgrade`, or run the newer program"))
            }
        }
    }

    pub(crate) fn codec_name(&self) -> &str {
        self.codec.name()
    }

    pub(crate) fn schema(&self) -> (u8, u64) {
        (self.version, self.codec.fingerprint())
    }

    pub(crate) fn upgrades(&self) -> bool {
        self.upgrade.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kv_1_a_float_in_json_comes_back_as_it_was_written() {
        // Each was read as its neighbour before.
        for float in [3.232_164_210_882_011_5e-29, 7.276_981_142_104_19e-308, 0.1, f64::MIN_POSITIVE, f64::MAX] {
            let mut bytes = Vec::new();
            Json.encode(&float, &mut bytes).unwrap();
            let back: f64 = Json.decode(bytes.into()).unwrap();
            assert_eq!(back.to_bits(), float.to_bits(), "{float:e}");
        }
    }
}
