//! [`Token`]: the name of a claim, drawn before it is made.

use std::fmt;

use statehold_core::{Error, ErrorKind, Result};

/// 128 random bits, the `write_id` of a claim's record: whoever keeps them finds the claim in the log again, and so
/// tells an archive from a younger one of the same name.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Token(u128);

impl Token {
    /// One that nobody else draws.
    pub(crate) fn fresh() -> Result<Self> {
        let mut bits = [0; 16];
        getrandom::fill(&mut bits).map_err(|cause| {
            Error::new(ErrorKind::Unavailable, "the operating system gives no random numbers").because(cause)
        })?;
        Ok(Self::of(bits))
    }

    pub(crate) fn of(bits: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bits))
    }

    pub(crate) fn bits(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_tokens_are_the_same() {
        let tokens: std::collections::BTreeSet<String> =
            (0..1000).map(|_| Token::fresh().unwrap().to_string()).collect();
        assert_eq!(tokens.len(), 1000);
        assert!(tokens.iter().all(|t| t.len() == 32));
    }

    #[test]
    fn a_token_is_its_bits() {
        let token = Token::fresh().unwrap();
        assert_eq!(Token::of(token.bits()), token);
    }
}
