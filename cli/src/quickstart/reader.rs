//! [`Reader`]: the bytes of an input from a position on, with the fingerprint of all before it.

use std::{fs::File, io::Read, path::Path};

use statehold::{Error, ErrorKind, Result};

use super::{
    fingerprint::Fingerprint,
    input::{Input, InputFile, unreadable},
    position::Position,
};

/// Bytes read at once.
const PIECE: usize = 1 << 20;

/// Reads the files of an input one after the other.
pub(crate) struct Reader {
    input: Input,
    /// The index of the file that is read.
    index: usize,
    open: Option<File>,
    offset: u64,
    bytes: u64,
    fingerprint: Fingerprint,
    buffer: Vec<u8>,
    /// The bytes of `buffer` that were not consumed yet.
    unread: std::ops::Range<usize>,
    /// The last byte consumed of this file.
    last: Option<u8>,
}

impl Reader {
    fn at_beginning(input: Input) -> Self {
        Self {
            input,
            index: 0,
            open: None,
            offset: 0,
            bytes: 0,
            fingerprint: Fingerprint::new(),
            buffer: vec![0; PIECE],
            unread: 0..0,
            last: None,
        }
    }

    /// A reader that goes on at `position`, after all before it was read again and found to be what it was.
    /// `passed` is told how many bytes were.
    ///
    /// # Errors
    /// `Conflict` if the input before the position has changed.
    pub(crate) fn resume(input: Input, position: &Position, mut passed: impl FnMut(u64)) -> Result<Self> {
        let mut reader = Self::at_beginning(input);
        if position.bytes == 0 && position.files == 0 {
            return Ok(reader);
        }
        while reader.index < position.files || reader.offset < position.offset {
            let wanted = if reader.index < position.files { u64::MAX } else { position.offset - reader.offset };
            let piece = reader.piece()?.len() as u64;
            if piece > 0 {
                let taken = piece.min(wanted);
                reader.consume(taken as usize);
                passed(taken);
            } else if reader.index >= position.files || !reader.next_file() {
                return Err(reader.changed(position, "it is shorter than what was counted"));
            }
        }
        if reader.name().is_none() || reader.fingerprint() != position.fingerprint {
            return Err(reader.changed(position, "its names or contents differ from what was counted"));
        }
        // A line that ended only because its file did, and now goes on.
        if reader.last.is_some_and(|b| b != b'\n') && !reader.piece()?.is_empty() {
            return Err(reader.changed(position, "its last line, which had no newline, goes on now"));
        }
        Ok(reader)
    }

    fn changed(&self, position: &Position, how: &str) -> Error {
        let at = if position.file.is_empty() { "the input".to_owned() } else { format!("`{}`", position.file) };
        Error::new(
            ErrorKind::Conflict,
            format!("the input changed before byte {} of {at}, where counting stopped: {how}", position.offset),
        )
        .advise(
            "nothing was changed; give the input as it was, or count anew with another --config or in another folder",
        )
    }

    fn file(&self) -> Option<&InputFile> {
        self.input.files.get(self.index)
    }

    fn name(&self) -> Option<&[u8]> {
        self.file().map(|f| &*f.name)
    }

    /// The file that is read, for people.
    pub(crate) fn path(&self) -> &Path {
        self.file().map_or(Path::new(""), |f| &f.path)
    }

    /// The fingerprint of everything consumed, in hexadecimal.
    fn fingerprint(&self) -> String {
        self.fingerprint.so_far(self.name().unwrap_or_default()).to_hex().to_string()
    }

    /// Bytes consumed of all files.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Where the reader stands, with what was counted.
    pub(crate) fn position(&self, lines: u64, words: u64) -> Position {
        let mut position = Position::beginning();
        position.files = self.index;
        position.file = String::from_utf8_lossy(self.name().unwrap_or_default()).into_owned();
        position.offset = self.offset;
        (position.lines, position.words, position.bytes) = (lines, words, self.bytes);
        position.fingerprint = self.fingerprint();
        position
    }

    /// The next bytes of this file; none at its end.
    ///
    /// # Errors
    /// `Unavailable` or what opening the file fails with.
    pub(crate) fn piece(&mut self) -> Result<&[u8]> {
        if self.unread.is_empty() {
            self.fill()?;
        }
        Ok(self.buffer.get(self.unread.clone()).unwrap_or_default())
    }

    fn fill(&mut self) -> Result<()> {
        let Some(file) = self.input.files.get(self.index) else { return Ok(()) };
        if self.open.is_none() {
            self.open = Some(File::open(&file.path).map_err(|e| unreadable(&file.path, e))?);
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        let read = loop {
            match open.read(&mut self.buffer) {
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                other => break other.map_err(|e| unreadable(&file.path, e))?,
            }
        };
        self.unread = 0..read;
        Ok(())
    }

    /// The first `count` bytes of the piece were counted.
    pub(crate) fn consume(&mut self, count: usize) {
        let end = (self.unread.start + count).min(self.unread.end);
        let Some(bytes) = self.buffer.get(self.unread.start..end) else { return };
        self.fingerprint.update(bytes);
        self.last = bytes.last().copied().or(self.last);
        self.offset += bytes.len() as u64;
        self.bytes += bytes.len() as u64;
        self.unread.start = end;
    }

    /// Goes to the next file; false if there is none, and the reader stays where it is, so that a
    /// later run counts what was added to the last file.
    pub(crate) fn next_file(&mut self) -> bool {
        let Some(name) = self.input.files.get(self.index).map(|f| f.name.clone()) else { return false };
        if self.index + 1 >= self.input.files.len() {
            return false;
        }
        self.fingerprint.end_file(&name);
        self.index += 1;
        (self.open, self.offset, self.unread, self.last) = (None, 0, 0..0, None);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn of(files: &[(&str, &str)]) -> Self {
            let folder = Self(tempfile::tempdir().unwrap());
            files.iter().for_each(|(name, content)| folder.write(name, content));
            folder
        }
        fn write(&self, name: &str, content: &str) {
            fs::write(self.0.path().join(name), content).unwrap();
        }
        fn resume(&self, position: &Position) -> Result<Reader> {
            Reader::resume(Input::list(self.0.path()).unwrap(), position, |_| {})
        }
        /// The position `bytes` bytes into the input.
        fn position(&self, mut bytes: usize) -> Position {
            let mut reader = self.resume(&Position::beginning()).unwrap();
            while bytes > 0 {
                let taken = reader.piece().unwrap().len().min(bytes);
                reader.consume(taken);
                bytes -= taken;
                if taken == 0 {
                    assert!(reader.next_file());
                }
            }
            reader.position(0, 0)
        }
    }

    fn rest(mut reader: Reader) -> String {
        let mut text = String::new();
        loop {
            let piece = reader.piece().unwrap().to_vec();
            text.push_str(std::str::from_utf8(&piece).unwrap());
            reader.consume(piece.len());
            if piece.is_empty() && !reader.next_file() {
                return text;
            }
        }
    }

    #[test]
    fn it_goes_on_where_it_stopped_wherever_that_was() {
        let folder = Folder::of(&[("a", "one\ntwo\n"), ("b", ""), ("c", "three\n")]);
        let all = "one\ntwo\nthree\n";
        for stop in [0, 4, 8, 14] {
            let position = folder.position(stop);
            assert_eq!(rest(folder.resume(&position).unwrap()), all[stop..], "{stop}");
        }
    }

    #[test]
    fn input_that_changed_before_the_position_is_refused() {
        let files = [("a", "one\ntwo\n"), ("c", "three\nfour\n")];
        let position = Folder::of(&files).position(14);
        let refused = |change: &dyn Fn(&Folder)| {
            let folder = Folder::of(&files);
            change(&folder);
            let error = folder.resume(&position).err().expect("it is refused");
            assert_eq!(error.kind(), ErrorKind::Conflict);
            error.to_string()
        };
        assert!(refused(&|f| f.write("a", "one\ntwp\n")).contains("contents differ"));
        assert!(refused(&|f| f.write("a", "one\ntwo\nmore\n")).contains("contents differ"));
        assert!(refused(&|f| f.write("b", "new\n")).contains("shorter"));
        assert!(refused(&|f| f.write("c", "thr")).contains("shorter"));
        assert!(refused(&|f| fs::remove_file(f.0.path().join("c")).unwrap()).contains("shorter"));
        assert!(refused(&|f| fs::rename(f.0.path().join("a"), f.0.path().join("aa")).unwrap()).contains("names"));
    }

    #[test]
    fn what_is_added_behind_the_position_is_read() {
        let folder = Folder::of(&[("a", "one\n")]);
        let position = folder.position(4);
        folder.write("a", "one\ntwo\n");
        folder.write("b", "three\n");
        assert_eq!(rest(folder.resume(&position).unwrap()), "two\nthree\n");
    }

    #[test]
    fn a_last_line_without_newline_must_not_go_on() {
        let folder = Folder::of(&[("a", "one")]);
        let position = folder.position(3);
        assert_eq!(rest(folder.resume(&position).unwrap()), "");
        folder.write("a", "one more\n");
        assert!(folder.resume(&position).err().unwrap().to_string().contains("goes on now"));
    }
}
