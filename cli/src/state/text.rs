//! Bytes as text: UTF-8 as it is, everything that would not survive a line of output escaped.

use statehold::{Error, Result};

/// Text whose control characters, backslashes and bytes outside UTF-8 are escaped: `\t`, `\n`, `\\`, `\xff`.
pub(crate) fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => text.push_str("\\\\"),
                '\n' => text.push_str("\\n"),
                '\r' => text.push_str("\\r"),
                '\t' => text.push_str("\\t"),
                c if c.is_control() => {
                    let mut buffer = [0; 4];
                    c.encode_utf8(&mut buffer).bytes().for_each(|b| text.push_str(&format!("\\x{b:02x}")));
                }
                c => text.push(c),
            }
        }
        chunk.invalid().iter().for_each(|b| text.push_str(&format!("\\x{b:02x}")));
    }
    text
}

/// What [`escaped`] was made of.
///
/// # Errors
/// `InvalidInput` for an unknown escape.
pub(crate) fn unescaped(text: &str) -> Result<Vec<u8>> {
    let wrong = || {
        Error::invalid(format!("`{text}` holds an unknown escape"))
            .advise(r"after a backslash write n, r, t, a backslash, or x and two hexadecimal digits")
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, after)) = rest.split_once('\\') {
        bytes.extend_from_slice(plain.as_bytes());
        let mut chars = after.chars();
        match chars.next() {
            Some('n') => bytes.push(b'\n'),
            Some('r') => bytes.push(b'\r'),
            Some('t') => bytes.push(b'\t'),
            Some('\\') => bytes.push(b'\\'),
            Some('x') => {
                let digits = chars.as_str().get(..2).ok_or_else(wrong)?;
                // `from_str_radix` takes a sign.
                let hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
                bytes.push(u8::from_str_radix(digits, 16).ok().filter(|_| hex).ok_or_else(wrong)?);
                chars = chars.as_str().get(2..).unwrap_or_default().chars();
            }
            _ => return Err(wrong()),
        }
        rest = chars.as_str();
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_readable_and_everything_else_is_escaped() {
        for (bytes, want) in [
            (&b""[..], ""),
            ("größe, 字".as_bytes(), "größe, 字"),
            (b"a\tb\nc\\d\r", r"a\tb\nc\\d\r"),
            (b"\0\x1b\x7f", r"\x00\x1b\x7f"),
            (b"a\xff\xc3", r"a\xff\xc3"),
            ("\u{85}".as_bytes(), r"\xc2\x85"),
        ] {
            assert_eq!(escaped(bytes), want);
            assert_eq!(unescaped(want).unwrap(), bytes);
        }
    }

    #[test]
    fn every_byte_comes_back() {
        let all: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
        assert_eq!(unescaped(&escaped(&all)).unwrap(), all);
    }

    #[test]
    fn unknown_escapes_are_refused() {
        for text in ["\\", "a\\q", "\\x", "\\x0", "\\xzz", "\\x+1", "\\xé"] {
            assert!(unescaped(text).is_err(), "{text}");
        }
    }
}
