//! [`ValueForm`]: reads and shows values of which only the codec and a fingerprint of the type are known.

use bytes::Bytes;
use statehold::{Codec as _, Error, Postcard, Result, ValueType, core::StateSpec};

use super::text::{escaped, unescaped};

/// What values look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ValueForm {
    /// Bytes as they are.
    Bytes,
    /// JSON of a type that is known by name, or of another.
    Json(Option<&'static str>),
    /// Postcard of a type that is known by name.
    Postcard(&'static str),
    /// Anything else: shown and taken raw only.
    Other(String),
}

/// Every type that is recognised by its fingerprint. What cannot be recognised is never decoded:
/// postcard would read it as another type without an error.
macro_rules! known {
    ($($name:literal $type:ty),*) => {
        fn recognise(fingerprint: u64) -> Option<&'static str> {
            [$(($name, fingerprint_of::<$type>())),*].into_iter().find(|(_, f)| *f == fingerprint).map(|(n, _)| n)
        }

        fn show(name: &str, payload: Bytes) -> Result<String> {
            match name {
                $($name => ValueType::<$type>::postcard().decode(payload).map(|v| v.show()),)*
                _ => Err(Error::internal(format!("no value type is called `{name}`"))),
            }
        }

        fn read(name: &str, text: &str) -> Result<Vec<u8>> {
            let mut out = Vec::new();
            match name {
                $($name => Postcard.encode(&<$type>::read(text).ok_or_else(|| not_one(text, name))?, &mut out)?,)*
                _ => return Err(Error::internal(format!("no value type is called `{name}`"))),
            }
            Ok(out)
        }

        fn check_json(name: &str, text: &str) -> Result<()> {
            let bytes = Bytes::copy_from_slice(text.as_bytes());
            match name {
                $($name => ValueType::<$type>::json().decode(bytes).map(drop).map_err(|_| not_one(text, name)),)*
                _ => Err(Error::internal(format!("no value type is called `{name}`"))),
            }
        }
    };
}

known! {
    "bool" bool, "u8" u8, "u16" u16, "u32" u32, "u64" u64, "u128" u128, "i8" i8, "i16" i16, "i32" i32, "i64" i64,
    "i128" i128, "f32" f32, "f64" f64, "char" char, "string" String, "bytes" Vec<u8>, "()" ()
}

fn fingerprint_of<V: statehold::Value>() -> u64 {
    statehold::Codec::<V>::fingerprint(&Postcard)
}

/// A value as text and back.
trait Written: Sized {
    fn show(&self) -> String;
    fn read(text: &str) -> Option<Self>;
}

macro_rules! written_as_displayed {
    ($($type:ty),*) => {$(
        impl Written for $type {
            fn show(&self) -> String {
                self.to_string()
            }
            fn read(text: &str) -> Option<Self> {
                text.parse().ok()
            }
        }
    )*};
}
written_as_displayed!(bool, u8, u16, u32, u64, u128, i8, i16, i32, i64, i128, f32, f64, char);

impl Written for String {
    fn show(&self) -> String {
        escaped(self.as_bytes())
    }
    fn read(text: &str) -> Option<Self> {
        Self::from_utf8(unescaped(text).ok()?).ok()
    }
}

impl Written for Vec<u8> {
    fn show(&self) -> String {
        escaped(self)
    }
    fn read(text: &str) -> Option<Self> {
        unescaped(text).ok()
    }
}

impl Written for () {
    fn show(&self) -> String {
        "()".into()
    }
    fn read(text: &str) -> Option<Self> {
        (text == "()").then_some(())
    }
}

fn not_one(text: &str, name: &str) -> Error {
    Error::invalid(format!("`{}` is not a value of the type {name}", text.escape_debug()))
        .advise("check its range and form; other bytes are written as \\xff")
}

impl ValueForm {
    /// The form of a state's values.
    pub(crate) fn of(spec: &StateSpec) -> Self {
        match spec.codec.as_str() {
            "bytes" => Self::Bytes,
            "json" => Self::Json(recognise(spec.fingerprint)),
            "postcard" => recognise(spec.fingerprint).map_or_else(
                || Self::Other(format!("postcard values of a type with fingerprint {:016x}", spec.fingerprint)),
                Self::Postcard,
            ),
            own => Self::Other(format!("values of the codec `{own}`")),
        }
    }

    fn raw_only(what: &str, verb: &str) -> Error {
        Error::unsupported(format!("{what} cannot be {verb} here"))
            .advise("--raw takes and shows the encoded bytes in hexadecimal; the application itself knows the type")
    }

    /// The value as text, such that [`ValueForm::read`] reads it again.
    ///
    /// # Errors
    /// `Unsupported` if the type is not known, `Corrupt` if the payload is not one.
    pub(crate) fn show(&self, payload: Bytes) -> Result<String> {
        match self {
            Self::Bytes => Ok(escaped(&payload)),
            Self::Postcard(name) => show(name, payload),
            Self::Json(_) => {
                let value = serde_json::from_slice::<serde_json::Value>(&payload);
                value.map(|v| v.to_string()).map_err(|e| Error::corrupt("a value is no JSON").because(e))
            }
            Self::Other(what) => Err(Self::raw_only(what, "shown")),
        }
    }

    /// The payload of a value that somebody wrote.
    ///
    /// # Errors
    /// `InvalidInput` if it is not one, `Unsupported` if the type is not known.
    pub(crate) fn read(&self, text: &str) -> Result<Vec<u8>> {
        match self {
            Self::Bytes => unescaped(text),
            Self::Postcard(name) => read(name, text),
            Self::Json(Some(name)) => check_json(name, text).map(|()| text.as_bytes().to_vec()),
            Self::Json(None) => Err(Self::raw_only("JSON of the application's own type", "checked and put")),
            Self::Other(what) => Err(Self::raw_only(what, "read")),
        }
    }
}

#[cfg(test)]
mod tests {
    use statehold::{Json, Model};

    use super::*;

    fn spec(codec: &str, fingerprint: u64) -> StateSpec {
        StateSpec { codec: codec.into(), fingerprint, ..StateSpec::bytes("s", Model::Kv).unwrap() }
    }

    fn round_trip<V: statehold::Value>(value: &V, want: &str) {
        let mut payload = Vec::new();
        Postcard.encode(value, &mut payload).unwrap();
        let form = ValueForm::of(&spec("postcard", fingerprint_of::<V>()));
        assert_eq!(form.show(payload.clone().into()).unwrap(), want);
        assert_eq!(form.read(want).unwrap(), payload);
    }

    #[test]
    fn known_types_are_shown_and_read_back() {
        round_trip(&300u64, "300");
        round_trip(&-7i32, "-7");
        round_trip(&1.5f64, "1.5");
        round_trip(&'x', "x");
        round_trip(&"two\nlines".to_owned(), "two\\nlines");
        round_trip(&vec![0u8, 255], "\\x00\\xff");
        round_trip(&(), "()");
    }

    #[test]
    fn json_is_checked_against_the_type_where_it_is_known() {
        let form = ValueForm::of(&spec("json", fingerprint_of::<u8>()));
        assert_eq!(form.read("200").unwrap(), b"200");
        for wrong in ["300", "\"a\"", "{", ""] {
            assert_eq!(form.read(wrong).unwrap_err().kind(), statehold::ErrorKind::InvalidInput, "{wrong}");
        }
        let other = ValueForm::of(&spec("json", 1));
        assert_eq!(other.show(Bytes::from_static(b"{ \"a\": [1] }")).unwrap(), "{\"a\":[1]}");
        assert_eq!(other.read("{}").unwrap_err().kind(), statehold::ErrorKind::Unsupported);
        let mut payload = Vec::new();
        Json.encode(&200u8, &mut payload).unwrap();
        assert_eq!(form.show(payload.into()).unwrap(), "200");
    }

    #[test]
    fn an_unknown_type_is_never_guessed() {
        let form = ValueForm::of(&spec("postcard", 1));
        assert_eq!(form.show(Bytes::from_static(&[1])).unwrap_err().kind(), statehold::ErrorKind::Unsupported);
        assert_eq!(ValueForm::of(&spec("own", 1)), ValueForm::Other("values of the codec `own`".into()));
    }
}
