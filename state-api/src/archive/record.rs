//! [`Record`]: one entry of an archive's log, and its bytes.
//!
//! ```text
//! {"blake3":"<64 hex digits>","format":2,"namespace":"orders","number":2,"write_id":"…","at":…,"entries":[…]}
//! ```
//! A record is one JSON object. The hash covers every byte behind it, so an altered
//! record is found whatever was altered; namespace and number are those of its place,
//! so a record copied to another place is found too. Format N reads N−1 and refuses N+1.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use statehold_core::{Error, ErrorKind, Result};

use super::{
    Metadata,
    checkpoint::CheckpointId,
    part::{Groups, Part},
};

/// The format that is written.
pub(super) const FORMAT: u32 = 2;
/// The oldest that is read: without aborts; parts are portable and lack `cut`, `new_bytes` and `duration_ms`, objects
/// lack `file`.
const OLDEST: u32 = 1;

/// The greatest size of a record, which names all objects of a checkpoint.
pub(super) const MAX_RECORD_BYTES: usize = 64 << 20;

const HEAD: &[u8] = br#"{"blake3":""#;
const HASH_BYTES: usize = 64;

/// One entry of the log.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Record {
    pub(super) namespace: String,
    pub(super) number: u64,
    /// Drawn anew by each append, so that it knows its own record again.
    pub(super) write_id: String,
    /// By the writer's clock; nothing is ordered by it.
    pub(super) at: u64,
    pub(super) entries: Vec<Entry>,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Entry {
    /// Somebody owns groups from here on. The record's number is the claim's epoch.
    Claim(ClaimEntry),
    /// One store's content is stored.
    Part(Part),
    /// A checkpoint is complete.
    Complete(Complete),
    /// Parts of a checkpoint that is not complete are given up.
    Abort(Abort),
    /// Checkpoints are given up; their objects may be deleted.
    Retire(Retire),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClaimEntry {
    pub(super) owner: String,
    pub(super) groups: Groups,
    /// The record of the checkpoint that the owner's content comes from.
    pub(super) base: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Complete {
    pub(super) checkpoint: CheckpointId,
    pub(super) parts: Vec<PartRef>,
    pub(super) new_bytes: u64,
    pub(super) duration_ms: u64,
    pub(super) metadata: Metadata,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Abort {
    /// All parts that were prepared for it before, and are in no complete.
    pub(super) checkpoint: CheckpointId,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Retire {
    /// The records that completed them.
    pub(super) records: Vec<u64>,
}

/// Where a part is: the number of its record and its place among the record's entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PartRef {
    pub(super) record: u64,
    pub(super) entry: u32,
}

/// The first look at a record, which every later format must allow.
#[derive(Deserialize)]
struct Probe {
    format: u32,
}

#[derive(Serialize)]
struct Out<'a> {
    format: u32,
    namespace: &'a str,
    number: u64,
    write_id: &'a str,
    at: u64,
    entries: &'a [Entry],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct In {
    #[serde(rename = "blake3")]
    _blake3: String,
    #[serde(rename = "format")]
    _format: u32,
    namespace: String,
    number: u64,
    write_id: String,
    at: u64,
    entries: Vec<Entry>,
}

impl Record {
    /// The record's bytes.
    ///
    /// # Errors
    /// `LimitExceeded` if it is too large.
    pub(super) fn encode(&self) -> Result<Bytes> {
        let out = Out {
            format: FORMAT,
            namespace: &self.namespace,
            number: self.number,
            write_id: &self.write_id,
            at: self.at,
            entries: &self.entries,
        };
        let json = serde_json::to_vec(&out)
            .map_err(|cause| Error::internal("a log record cannot be written as JSON").because(cause))?;
        let bytes = seal(&json[1..]);
        if bytes.len() > MAX_RECORD_BYTES {
            return Err(Error::new(
                ErrorKind::LimitExceeded,
                format!("a log record of {} bytes is over the limit of {MAX_RECORD_BYTES}", bytes.len()),
            )
            .advise("divide the key groups among more stores, or the states among more namespaces"));
        }
        Ok(bytes)
    }

    /// Reads the bytes found at the place (`namespace`, `number`).
    ///
    /// # Errors
    /// `Corrupt`, or `Unsupported` if its format is newer.
    pub(super) fn decode(bytes: &[u8], namespace: &str, number: u64) -> Result<Self> {
        let rest = bytes.strip_prefix(HEAD).and_then(|b| b.split_at_checked(HASH_BYTES));
        let Some((hash, rest)) = rest.and_then(|(hash, b)| Some((hash, b.strip_prefix(b"\",")?))) else {
            return Err(Error::corrupt("it is not a log record, or is cut short"));
        };
        if blake3::hash(rest).to_hex().as_bytes() != hash {
            return Err(Error::corrupt("its content does not have its hash"));
        }
        let unreadable = |cause| Error::corrupt("its JSON is not that of a log record").because(Box::new(cause));
        let format = serde_json::from_slice::<Probe>(bytes).map_err(unreadable)?.format;
        if format > FORMAT {
            return Err(Error::unsupported(format!("it has format {format}, and this version reads up to {FORMAT}"))
                .advise("use the version of statehold that wrote it, or a newer one"));
        }
        if format < OLDEST {
            return Err(Error::corrupt(format!("it has format {format}, which never was")));
        }
        let found: In = serde_json::from_slice(bytes).map_err(unreadable)?;
        if found.namespace != namespace || found.number != number {
            return Err(Error::corrupt("it belongs to another place").advise("restore the record that was here"));
        }
        Ok(Self { namespace: found.namespace, number, write_id: found.write_id, at: found.at, entries: found.entries })
    }
}

/// Puts the hash in front of `rest`, which is a JSON object without its opening brace.
fn seal(rest: &[u8]) -> Bytes {
    let hash = blake3::hash(rest).to_hex();
    [HEAD, hash.as_bytes(), b"\",", rest].concat().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let claim =
            ClaimEntry { owner: "a".into(), groups: statehold_core::KeyGroups::all(4).unwrap().into(), base: None };
        Record {
            namespace: "orders".into(),
            number: 1,
            write_id: "w".into(),
            at: 5,
            entries: vec![Entry::Claim(claim)],
        }
    }

    fn decode(json: &str) -> Error {
        Record::decode(&seal(&json.as_bytes()[1..]), "orders", 1).unwrap_err()
    }

    #[test]
    fn a_record_reads_back_and_is_json() {
        let bytes = record().encode().unwrap();
        assert_eq!(Record::decode(&bytes, "orders", 1).unwrap(), record());
        let json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(json["entries"][0]["claim"]["owner"], "a");
    }

    #[test]
    fn life_4_every_flipped_bit_and_every_truncation_is_corrupt() {
        let whole = record().encode().unwrap();
        for at in 0..whole.len() {
            assert_eq!(Record::decode(&whole[..at], "orders", 1).unwrap_err().kind(), ErrorKind::Corrupt, "{at}");
            for bit in 0..8 {
                let mut bytes = whole.to_vec();
                bytes[at] ^= 1 << bit;
                let error = Record::decode(&bytes, "orders", 1).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Corrupt, "byte {at} bit {bit}");
            }
        }
    }

    #[test]
    fn life_4_a_foreign_record_is_corrupt() {
        let bytes = record().encode().unwrap();
        assert_eq!(Record::decode(&bytes, "payments", 1).unwrap_err().kind(), ErrorKind::Corrupt);
        assert_eq!(Record::decode(&bytes, "orders", 2).unwrap_err().kind(), ErrorKind::Corrupt);
    }

    #[test]
    fn name_5_a_newer_format_is_refused_even_when_nothing_else_is_known_of_it() {
        let error = decode(r#"{"format":3,"colour":"blue"}"#);
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("format 3"), "{error}");
        assert_eq!(decode(r#"{"format":0}"#).kind(), ErrorKind::Corrupt);
    }

    #[test]
    fn life_4_hostile_json_with_a_right_hash_is_corrupt() {
        let head = r#"{"format":1,"namespace":"orders","number":1,"write_id":"w","at":5,"entries":"#;
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let bomb = r#"[{"complete":{"checkpoint":1,"parts":[],"new_bytes":0,"duration_ms":0,"metadata":{"a":DEEP}}}]"#;
        for entries in [
            "7".into(),
            r#"[{"claim":{"owner":"a","groups":{"start":0,"end":4,"of":4},"base":null,"more":1}}]"#.to_owned(),
            r#"[{"claim":{"owner":"a","groups":{"start":0,"end":99999,"of":4},"base":null}}]"#.to_owned(),
            r#"[{"complete":{"checkpoint":-1,"parts":[]}}]"#.to_owned(),
            r#"[{"erase":{}}]"#.to_owned(),
            bomb.replace("DEEP", &deep),
            deep,
        ] {
            assert_eq!(decode(&format!("{head}{entries}}}")).kind(), ErrorKind::Corrupt);
        }
        assert_eq!(decode(r#"{"format":1"#).kind(), ErrorKind::Corrupt);
        assert_eq!(decode("{").kind(), ErrorKind::Corrupt);
    }
}
