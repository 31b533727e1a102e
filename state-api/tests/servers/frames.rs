//! [`Protocol`]: where a message of RESP or of Postgres ends.

/// What a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Postgres,
    Resp,
}

/// Who sent a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

impl Protocol {
    /// The length of the first message in `bytes`, if it is there whole. `first` is the first of its connection.
    pub(crate) fn message(self, bytes: &[u8], side: Side, first: bool) -> Option<usize> {
        let len = match self {
            Self::Resp => resp(bytes)?,
            // The client's first message has no type.
            Self::Postgres if first && side == Side::Client => length(bytes)?,
            Self::Postgres => 1 + length(bytes.get(1..)?)?,
        };
        (len <= bytes.len()).then_some(len)
    }
}

/// Postgres: four bytes that count themselves.
fn length(bytes: &[u8]) -> Option<usize> {
    bytes.first_chunk().map(|length| u32::from_be_bytes(*length) as usize)
}

/// The length of the first value; all of it must be there for an aggregate's parts to be counted.
fn resp(bytes: &[u8]) -> Option<usize> {
    let line = bytes.windows(2).position(|pair| pair == b"\r\n")? + 2;
    let kind = *bytes.first()?;
    let count = || std::str::from_utf8(&bytes[1..line - 2]).ok()?.parse::<i64>().ok();
    let parts = match kind {
        b'$' | b'=' | b'!' => return Some(count()?.try_into().map_or(line, |n: usize| line + n + 2)),
        b'*' | b'~' | b'>' => count()?.max(0),
        b'%' => 2 * count()?.max(0),
        _ => 0,
    };
    let mut end = line;
    for _ in 0..parts {
        end += resp(bytes.get(end..)?)?;
        if end > bytes.len() {
            return None;
        }
    }
    Some(end)
}

#[test]
fn messages_end_where_they_end() {
    for whole in ["+OK\r\n", "$-1\r\n", "*2\r\n$1\r\na\r\n:5\r\n", "%1\r\n+k\r\n*1\r\n$2\r\n\r\n\r\n", "*0\r\n"] {
        let more = [whole.as_bytes(), b"+next\r\n"].concat();
        assert_eq!(Protocol::Resp.message(&more, Side::Server, false), Some(whole.len()), "{whole}");
        for part in 0..whole.len() {
            assert_eq!(Protocol::Resp.message(&whole.as_bytes()[..part], Side::Server, false), None, "{whole} {part}");
        }
    }
    let startup = [0, 0, 0, 9, 0, 3, 0, 0, 0, b'Q'];
    assert_eq!(Protocol::Postgres.message(&startup, Side::Client, true), Some(9));
    assert_eq!(Protocol::Postgres.message(b"Q\0\0\0\x06x\0Z", Side::Client, false), Some(7));
    assert_eq!(Protocol::Postgres.message(b"Q\0\0\0\x06x", Side::Client, false), None);
}
