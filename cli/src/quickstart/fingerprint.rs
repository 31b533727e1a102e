//! [`Fingerprint`]: of everything read so far, so that input that changed is noticed.

use blake3::{Hash, Hasher};

/// BLAKE3 over names and contents, file by file.
#[derive(Debug, Clone)]
pub(crate) struct Fingerprint {
    /// Of the files before the one that is read.
    files: Hash,
    content: Hasher,
}

impl Fingerprint {
    /// Of nothing.
    pub(crate) fn new() -> Self {
        Self { files: Hash::from_bytes([0; 32]), content: Hasher::new() }
    }

    /// The next bytes of the file.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.content.update(bytes);
    }

    /// The file `name` is over.
    pub(crate) fn end_file(&mut self, name: &[u8]) {
        self.files = self.so_far(name);
        self.content.reset();
    }

    /// The fingerprint of all files before, and of what was read of the file `name`.
    pub(crate) fn so_far(&self, name: &[u8]) -> Hash {
        let mut hasher = Hasher::new();
        hasher.update(self.files.as_bytes());
        hasher.update(&(name.len() as u64).to_le_bytes());
        hasher.update(name);
        hasher.update(self.content.finalize().as_bytes());
        hasher.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(files: &[(&str, &str)]) -> Hash {
        let mut fingerprint = Fingerprint::new();
        let (last, before) = files.split_last().unwrap();
        for (name, content) in before {
            fingerprint.update(content.as_bytes());
            fingerprint.end_file(name.as_bytes());
        }
        fingerprint.update(last.1.as_bytes());
        fingerprint.so_far(last.0.as_bytes())
    }

    #[test]
    fn names_contents_and_the_borders_between_files_all_count() {
        let base = of(&[("a", "one"), ("b", "two")]);
        assert_eq!(base, of(&[("a", "one"), ("b", "two")]));
        for other in [
            of(&[("a", "onet"), ("b", "wo")]),
            of(&[("a", "one"), ("c", "two")]),
            of(&[("a", "one"), ("b", "twp")]),
            of(&[("b", "two")]),
            of(&[("", ""), ("a", "one"), ("b", "two")]),
        ] {
            assert_ne!(base, other);
        }
    }
}
