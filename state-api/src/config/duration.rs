//! Durations as descriptors write them: `500ms`, `30s`, `15m`, `12h`, `7d`.

use statehold_core::{Error, Result};

/// Reads a whole number and a unit (`ms`, `s`, `m`, `h`, `d`) as milliseconds.
///
/// # Errors
/// `InvalidInput` if it is anything else or does not fit; the text is not repeated.
pub fn parse_duration(text: &str) -> Result<u64> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim() {
        "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        "d" => Some(86_400_000u64),
        _ => None,
    };
    factor.and_then(|f| number.parse::<u64>().ok()?.checked_mul(f)).ok_or_else(|| {
        Error::invalid("is not a duration").advise("write e.g. \"500ms\", \"30s\", \"15m\", \"12h\" or \"7d\"")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_with_a_unit_is_milliseconds() {
        for (text, want) in [
            ("500ms", 500),
            ("30s", 30_000),
            ("15m", 900_000),
            ("12h", 43_200_000),
            ("7d", 604_800_000),
            (" 1 d ", 86_400_000),
        ] {
            assert_eq!(parse_duration(text).unwrap(), want, "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "7", "d", "7w", "-1s", "1.5h", "7 d 3h", "99999999999999999999d", "999999999999999d"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
