//! [`Splitter`]: words and lines out of bytes that come piece by piece.

use std::ops::ControlFlow;

/// Takes what a [`Splitter`] finds.
pub(crate) trait Sink {
    /// A word: a maximal run of ASCII letters and digits, lowercased.
    fn word(&mut self, word: &[u8]);

    /// The end of a line of `bytes` bytes without its newline. `Break` stops the splitter here.
    fn line(&mut self, bytes: u64) -> ControlFlow<()>;
}

/// Lowercase of the bytes that words are made of, 0 for all others.
const LOWER: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        if b.is_ascii_alphanumeric() {
            table[byte] = b.to_ascii_lowercase();
        }
        byte += 1;
    }
    table
};

/// Splits one file after another; holds at most one unfinished word.
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    word: Vec<u8>,
    /// Bytes of the line so far; `None` between lines.
    line: Option<u64>,
}

impl Splitter {
    /// Splits `bytes`, which follow those before, until the sink stops it at a line's end.
    /// How many bytes were taken, and whether it was stopped.
    pub(crate) fn feed(&mut self, bytes: &[u8], sink: &mut impl Sink) -> (usize, bool) {
        let mut start = 0;
        for (at, byte) in bytes.iter().enumerate() {
            let lower = LOWER[usize::from(*byte)];
            if lower != 0 {
                self.word.push(lower);
                continue;
            }
            self.end_word(sink);
            if *byte == b'\n' {
                let line = self.line.take().unwrap_or(0) + (at - start) as u64;
                start = at + 1;
                if sink.line(line).is_break() {
                    return (start, true);
                }
            }
        }
        if start < bytes.len() {
            *self.line.get_or_insert(0) += (bytes.len() - start) as u64;
        }
        (bytes.len(), false)
    }

    /// The file ends, and with it its last word and line. Whether the sink stopped it.
    pub(crate) fn end_of_file(&mut self, sink: &mut impl Sink) -> bool {
        self.end_word(sink);
        self.line.take().is_some_and(|line| sink.line(line).is_break())
    }

    /// Bytes of the word that is not finished yet.
    pub(crate) fn unfinished(&self) -> usize {
        self.word.len()
    }

    #[inline]
    fn end_word(&mut self, sink: &mut impl Sink) {
        if !self.word.is_empty() {
            sink.word(&self.word);
            self.word.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Heard {
        said: Vec<String>,
        stop: bool,
    }

    impl Sink for Heard {
        fn word(&mut self, word: &[u8]) {
            self.said.push(String::from_utf8(word.to_vec()).unwrap());
        }
        fn line(&mut self, bytes: u64) -> ControlFlow<()> {
            self.said.push(format!("|{bytes}"));
            if self.stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
    }

    fn heard(pieces: &[&[u8]]) -> String {
        let (mut splitter, mut sink) = (Splitter::default(), Heard::default());
        for piece in pieces {
            assert_eq!(splitter.feed(piece, &mut sink), (piece.len(), false));
        }
        splitter.end_of_file(&mut sink);
        sink.said.join(" ")
    }

    #[test]
    fn words_are_runs_of_ascii_letters_and_digits_in_lower_case() {
        for (text, want) in [
            ("", ""),
            ("\n", "|0"),
            ("\n\n", "|0 |0"),
            ("Don't stop2\n", "don t stop2 |11"),
            ("A b\r\nc", "a b |4 c |1"),
            ("  x  ", "x |5"),
            ("größe", "gr e |7"),
        ] {
            assert_eq!(heard(&[text.as_bytes()]), want, "{text:?}");
        }
        assert_eq!(heard(&[b"a\0b\xFFc"]), "a b c |5");
    }

    #[test]
    fn it_does_not_matter_where_the_pieces_end() {
        let text = b"The cat, THE dog\r\n\n2nd line\nno newline at the end";
        let want = heard(&[text]);
        for i in 0..=text.len() {
            for j in i..=text.len() {
                assert_eq!(heard(&[&text[..i], &text[i..j], &text[j..]]), want, "{i} {j}");
            }
        }
    }

    #[test]
    fn a_stop_is_at_a_lines_end_and_nothing_after_it_is_taken() {
        let (mut splitter, mut sink) = (Splitter::default(), Heard { stop: true, ..Heard::default() });
        assert_eq!(splitter.feed(b"one two\nthree\n", &mut sink), (8, true));
        assert_eq!(splitter.feed(b"three\n", &mut sink), (6, true));
        assert_eq!(splitter.feed(b"four", &mut sink), (4, false));
        assert!(splitter.end_of_file(&mut sink));
        assert_eq!(sink.said.join(" "), "one two |7 three |5 four |4");
    }
}
