//! How an error is told: once, on standard error, with its causes, what to do, and an exit code by its kind.

use std::{error::Error as _, fmt::Write as _, process::ExitCode};

use statehold::{Error, ErrorKind};

/// The end of `statehold --help`.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  a defect of statehold, a conformance case that failed, or a bench that became slower
  2  wrong usage, descriptor, option or value
  3  not found: key, state, checkpoint or file
  4  somebody else holds it, or it changed
  5  stored data is damaged
  6  cannot be reached, or disk or memory is used up: may work later

STATEHOLD_LOG=info shows what happens, STATEHOLD_LOG=debug shows more.";

fn code(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::InvalidInput | ErrorKind::LimitExceeded | ErrorKind::Unsupported => 2,
        ErrorKind::NotFound => 3,
        ErrorKind::Conflict | ErrorKind::Fenced => 4,
        ErrorKind::Corrupt => 5,
        ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Indeterminate | ErrorKind::ResourceExhausted => 6,
        _ => 1,
    }
}

/// The error in lines: what, why, what to do.
fn told(error: &Error) -> String {
    let mut text = format!("error: {}: {}", error.kind(), error.message());
    let places = [("store", error.store()), ("state", error.state()), ("during", error.operation())];
    let places: Vec<String> = places.iter().filter_map(|(of, name)| Some(format!("{of} `{}`", (*name)?))).collect();
    // Writing to a string cannot fail.
    if !places.is_empty() {
        let _ = write!(text, " ({})", places.join(", "));
    }
    let mut cause = error.source();
    while let Some(under) = cause {
        let _ = write!(text, "\n  because: {under}");
        cause = under.source();
    }
    if let Some(advice) = error.advice() {
        let _ = write!(text, "\n  to do: {advice}");
    }
    text
}

/// Prints an error and says how to exit.
pub(crate) fn report(error: &Error) -> ExitCode {
    #[allow(clippy::print_stderr, reason = "this is where errors are printed")]
    {
        eprintln!("{}", told(error));
    }
    ExitCode::from(code(error.kind()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_with_its_places_causes_and_advice() {
        let cause = std::io::Error::other("disk on fire");
        let inner = Error::new(ErrorKind::Unavailable, "cannot write").because(cause);
        let error = Error::new(ErrorKind::Conflict, "no").in_store("s").advise("wait").because(inner);
        assert_eq!(
            told(&error),
            "error: conflict: no (store `s`)\n  because: unavailable: cannot write\n  because: disk on fire\n  to do: wait"
        );
    }

    #[test]
    fn each_kind_that_a_script_can_act_on_has_its_code() {
        for (kind, want) in [
            (ErrorKind::Internal, 1),
            (ErrorKind::InvalidInput, 2),
            (ErrorKind::NotFound, 3),
            (ErrorKind::Fenced, 4),
            (ErrorKind::Corrupt, 5),
            (ErrorKind::ResourceExhausted, 6),
        ] {
            assert_eq!(code(kind), want, "{kind}");
        }
    }
}
