//! [`KeyType`]: reads and shows keys of a type that is known by its name in the catalog only.

use statehold::{
    Error, Result,
    key::{EncodeKey, Key, escape, unescape},
};

use super::text::{escaped, unescaped};

/// A key's type, from its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyType {
    /// A type of fixed length, by name.
    Number(&'static str),
    /// Text.
    Text,
    /// Any bytes.
    Bytes,
    /// This many bytes.
    Array(usize),
    /// Several keys in one.
    Tuple(Vec<KeyType>),
}

/// Every fixed-length type of keys with what is done with it.
macro_rules! numbers {
    ($($name:literal $type:ty),*) => {
        const NUMBERS: &[&str] = &[$($name),*];

        fn encode_number(name: &str, text: &str, out: &mut Vec<u8>) -> Option<()> {
            match name {
                $($name => text.parse::<$type>().ok()?.encode(out),)*
                _ => return None,
            }
            Some(())
        }

        fn show_number(name: &str, bytes: &mut &[u8]) -> Result<String> {
            match name {
                $($name => <$type>::decode_part(bytes).map(|v| v.to_string()),)*
                _ => Err(Error::internal(format!("no key type is called `{name}`"))),
            }
        }
    };
}

numbers! {
    "u8" u8, "u16" u16, "u32" u32, "u64" u64, "u128" u128, "i8" i8, "i16" i16, "i32" i32, "i64" i64, "i128" i128,
    "bool" bool, "char" char
}

impl KeyType {
    /// The type that the catalog calls `name`.
    ///
    /// # Errors
    /// `Unsupported` for a type of the application's own.
    pub(crate) fn parse(name: &str) -> Result<Self> {
        let mut rest = name;
        match Self::front(&mut rest) {
            Some(parsed) if rest.is_empty() => Ok(parsed),
            _ => Err(Error::unsupported(format!("keys of the type `{name}` cannot be read or shown here"))
                .advise("--raw takes and shows the encoded bytes")),
        }
    }

    /// Takes a type off the front of `rest`.
    fn front(rest: &mut &str) -> Option<Self> {
        if let Some(inner) = rest.strip_prefix('(') {
            *rest = inner;
            let mut parts = vec![Self::front(rest)?];
            while let Some(after) = rest.strip_prefix(", ") {
                *rest = after;
                parts.push(Self::front(rest)?);
            }
            *rest = rest.strip_prefix(')')?;
            return Some(Self::Tuple(parts));
        }
        if let Some(array) = rest.strip_prefix("[u8; ") {
            let (length, after) = array.split_once(']')?;
            *rest = after;
            return Some(Self::Array(length.parse().ok()?));
        }
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        *rest = after;
        match name {
            "string" => Some(Self::Text),
            "bytes" => Some(Self::Bytes),
            name => NUMBERS.iter().find(|n| **n == name).map(|n| Self::Number(n)),
        }
    }

    /// Encodes a key that somebody wrote.
    ///
    /// # Errors
    /// `InvalidInput` if `text` is not one of this type.
    pub(crate) fn encode(&self, text: &str) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        match self {
            Self::Tuple(_) => {
                let mut rest = text;
                self.encode_written(&mut rest, true, &mut out)?;
                if !rest.trim().is_empty() {
                    return Err(self.not_one(text));
                }
            }
            _ => self.encode_single(text, true, &mut out)?,
        }
        Ok(out)
    }

    fn encode_single(&self, text: &str, last: bool, out: &mut Vec<u8>) -> Result<()> {
        match self {
            Self::Number(name) => encode_number(name, text, out).ok_or_else(|| self.not_one(text))?,
            Self::Text | Self::Bytes => {
                let bytes = unescaped(text)?;
                if *self == Self::Text && std::str::from_utf8(&bytes).is_err() {
                    return Err(self.not_one(text));
                }
                if last { out.extend_from_slice(&bytes) } else { escape(&bytes, out) }
            }
            Self::Array(length) => {
                let bytes = unescaped(text)?;
                if bytes.len() != *length {
                    return Err(self.not_one(text));
                }
                out.extend_from_slice(&bytes);
            }
            Self::Tuple(_) => return Err(self.not_one(text)),
        }
        Ok(())
    }

    /// Encodes what stands at the front of `rest`, as [`KeyType::show`] writes it within a tuple.
    fn encode_written(&self, rest: &mut &str, last: bool, out: &mut Vec<u8>) -> Result<()> {
        let whole = *rest;
        let wrong = || self.not_one(whole);
        *rest = rest.trim_start();
        match self {
            Self::Tuple(parts) => {
                *rest = rest.strip_prefix('(').ok_or_else(wrong)?;
                for (at, part) in parts.iter().enumerate() {
                    if at > 0 {
                        *rest = rest.trim_start().strip_prefix(',').ok_or_else(wrong)?;
                    }
                    part.encode_written(rest, last && at + 1 == parts.len(), out)?;
                }
                *rest = rest.trim_start().strip_prefix(')').ok_or_else(wrong)?;
            }
            Self::Number("char") | Self::Text | Self::Bytes | Self::Array(_) => {
                let inner = rest.strip_prefix('"').ok_or_else(wrong)?;
                let end = closing_quote(inner).ok_or_else(wrong)?;
                let (text, after) = inner.split_at(end);
                *rest = after.strip_prefix('"').ok_or_else(wrong)?;
                self.encode_single(&text.replace("\\\"", "\""), last, out)?;
            }
            Self::Number(_) => {
                let end = rest.find([',', ')']).unwrap_or(rest.len());
                let (text, after) = rest.split_at(end);
                *rest = after;
                self.encode_single(text.trim(), last, out)?;
            }
        }
        Ok(())
    }

    /// The key as text, such that [`KeyType::encode`] reads it again.
    ///
    /// # Errors
    /// `Corrupt` if `bytes` are not a key of this type.
    pub(crate) fn show(&self, mut bytes: &[u8]) -> Result<String> {
        let shown = match self {
            Self::Tuple(_) => self.show_written(&mut bytes, true)?,
            _ => self.show_single(&mut bytes, true)?,
        };
        if bytes.is_empty() { Ok(shown) } else { Err(Error::corrupt(format!("a stored key is no {}", self.name()))) }
    }

    fn show_single(&self, bytes: &mut &[u8], last: bool) -> Result<String> {
        match self {
            Self::Number(name) => show_number(name, bytes),
            Self::Text | Self::Bytes if last => Ok(escaped(std::mem::take(bytes))),
            Self::Text | Self::Bytes => Ok(escaped(&unescape(bytes)?)),
            Self::Array(length) => {
                let split = bytes.split_at_checked(*length);
                let (array, rest) = split.ok_or_else(|| Error::corrupt("a stored key is too short"))?;
                *bytes = rest;
                Ok(escaped(array))
            }
            Self::Tuple(_) => self.show_written(bytes, last),
        }
    }

    fn show_written(&self, bytes: &mut &[u8], last: bool) -> Result<String> {
        match self {
            Self::Tuple(parts) => {
                let shown = parts
                    .iter()
                    .enumerate()
                    .map(|(at, part)| part.show_written(bytes, last && at + 1 == parts.len()))
                    .collect::<Result<Vec<_>>>()?;
                Ok(format!("({})", shown.join(", ")))
            }
            Self::Number("char") | Self::Text | Self::Bytes | Self::Array(_) => {
                Ok(format!("\"{}\"", self.show_single(bytes, last)?.replace('"', "\\\"")))
            }
            Self::Number(_) => self.show_single(bytes, last),
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Number(name) => (*name).to_owned(),
            Self::Text => "string".into(),
            Self::Bytes => "bytes".into(),
            Self::Array(length) => format!("[u8; {length}]"),
            Self::Tuple(parts) => format!("({})", parts.iter().map(Self::name).collect::<Vec<_>>().join(", ")),
        }
    }

    fn not_one(&self, text: &str) -> Error {
        let advice = match self {
            Self::Tuple(_) => "write a tuple as (1, \"text\"), in quotes for the shell",
            Self::Text | Self::Bytes | Self::Array(_) => "other bytes are written as \\xff",
            Self::Number(_) => "check its range and sign",
        };
        Error::invalid(format!("`{}` is not a key of the type {}", text.escape_debug(), self.name())).advise(advice)
    }
}

/// Where the quote is that ends a text with backslash escapes.
fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|b| {
        let closes = b == b'"' && !escaped;
        escaped = b == b'\\' && !escaped;
        closes
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip<K: Key>(key: &K, want: &str) {
        let mut bytes = Vec::new();
        key.encode(&mut bytes);
        let kind = KeyType::parse(&K::type_name()).unwrap();
        assert_eq!(kind.name(), K::type_name());
        assert_eq!(kind.show(&bytes).unwrap(), want);
        assert_eq!(kind.encode(want).unwrap(), bytes, "{want}");
    }

    #[test]
    fn keys_of_every_type_are_shown_and_read_back_as_the_codec_has_them() {
        round_trip(&"apple pie".to_owned(), "apple pie");
        round_trip(&"tab\there \"quoted\"".to_owned(), "tab\\there \"quoted\"");
        round_trip(&7u8, "7");
        round_trip(&-5i128, "-5");
        round_trip(&u64::MAX, "18446744073709551615");
        round_trip(&true, "true");
        round_trip(&'ß', "ß");
        round_trip(&vec![0u8, 0xFF, b'a'], "\\x00\\xffa");
        round_trip(&[1u8, 2, 3], "\\x01\\x02\\x03");
        round_trip(&(1u32, "a, \"b\" \\ ) \0".to_owned()), "(1, \"a, \\\"b\\\" \\\\ ) \\x00\")");
        round_trip(&("a\0".to_owned(), -1i8, vec![0u8]), "(\"a\\x00\", -1, \"\\x00\")");
        round_trip(
            &(("a".to_owned(), 'q'), [9u8; 2], "z".to_owned()),
            "((\"a\", \"q\"), \"\\x09\\x09\", \"z\")".replace("\\x09", "\\t").as_str(),
        );
        round_trip(&(true, (3u16, "x".to_owned())), "(true, (3, \"x\"))");
    }

    #[test]
    fn tuples_may_be_written_without_spaces() {
        let kind = KeyType::parse("(u32, string)").unwrap();
        assert_eq!(kind.encode("(1,\"a\")").unwrap(), kind.encode(" ( 1 , \"a\" ) ").unwrap());
    }

    #[test]
    fn what_is_not_a_key_of_the_type_is_refused() {
        for (kind, text) in [
            ("u8", "256"),
            ("u8", "-1"),
            ("u8", ""),
            ("bool", "yes"),
            ("char", "ab"),
            ("string", "\\xff"),
            ("[u8; 2]", "abc"),
            ("(u8, string)", "1, \"a\""),
            ("(u8, string)", "(1, a)"),
            ("(u8, string)", "(1, \"a\") b"),
            ("(u8, string)", "(1, \"a\\\")"),
            ("(u8, string)", "(1)"),
        ] {
            let error = KeyType::parse(kind).unwrap().encode(text).unwrap_err();
            assert!(error.advice().is_some(), "{kind} {text}");
        }
    }

    #[test]
    fn stored_bytes_that_are_no_key_are_corrupt_and_types_of_others_unsupported() {
        for (kind, bytes) in [("u32", &[0u8; 3][..]), ("u8", &[0, 0]), ("(u8, string)", &[]), ("bool", &[2])] {
            let error = KeyType::parse(kind).unwrap().show(bytes).unwrap_err();
            assert_eq!(error.kind(), statehold::ErrorKind::Corrupt, "{kind}");
        }
        for name in ["uuid", "(u8", "(u8,u8)", "u8)", "[u8; x]", ""] {
            assert_eq!(KeyType::parse(name).unwrap_err().kind(), statehold::ErrorKind::Unsupported, "{name}");
        }
    }
}
