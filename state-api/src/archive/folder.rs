//! [`Folder`]: where an archive is, and what its URL may say.

use std::{
    collections::BTreeMap,
    fmt,
    path::PathBuf,
    sync::{Arc, LazyLock},
};

use object_store::{ObjectStore, local::LocalFileSystem, memory::InMemory, path::Path};
use parking_lot::Mutex;
use statehold_core::{Error, Result};
use url::Url;

use super::cloud;

const ADVICE: &str = "write file:///absolute/path, s3://bucket/folder, gs://bucket/folder, az://container/folder or \
                      memory://name";

/// A folder of an object store.
#[derive(Clone)]
pub(super) struct Folder {
    store: Arc<dyn ObjectStore>,
    path: Path,
    /// The same store where it is this machine's file system.
    local: Option<Arc<LocalFileSystem>>,
    /// The URL as messages show it: no credentials.
    shown: Arc<str>,
}

impl Folder {
    /// The folder that `url` names. Nothing is created before the first write.
    pub(super) fn open(url: &str) -> Result<Self> {
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(wrong("the archive's URL has no scheme"));
        };
        match scheme {
            "file" => Self::local(url, rest),
            "memory" => Self::memory(rest),
            "s3" | "gs" | "az" => Self::cloud(scheme, url),
            other => {
                let shown: String = other.chars().take(32).collect();
                Err(wrong(format!(
                    "unknown archive scheme `{}`; known are: file, s3, gs, az, memory",
                    shown.escape_debug()
                )))
            }
        }
    }

    /// The folder `path` of a store that somebody else made.
    pub(super) fn of(store: Arc<dyn ObjectStore>, path: &str) -> Result<Self> {
        let path = Path::parse(path).map_err(|cause| wrong("the archive's folder is not a path").because(cause))?;
        let shown = format!("{store}/{path}").into();
        Ok(Self { store, path, local: None, shown })
    }

    fn local(url: &str, rest: &str) -> Result<Self> {
        if rest.starts_with('~') || rest.starts_with("/~") {
            return Err(wrong("`~` is not expanded in the archive's URL"));
        }
        if !rest.starts_with('/') {
            return Err(wrong("the archive's file URL is not an absolute path"));
        }
        if rest.contains(['?', '#']) {
            return Err(wrong("`?` and `#` have no meaning in the archive's URL").advise("write them as %3F and %23"));
        }
        let parsed = Url::parse(url).map_err(|cause| wrong("the archive's URL is malformed").because(cause))?;
        let path = Path::from_url_path(parsed.path())
            .map_err(|cause| wrong("the archive's URL is not a path").because(cause))?;
        if path.is_root() {
            return Err(wrong("the archive's URL names the root folder"));
        }
        let shown = format!("file:///{path}").into();
        let local = Arc::new(LocalFileSystem::new().with_fsync(true));
        Ok(Self { store: local.clone(), path, local: Some(local), shown })
    }

    fn memory(rest: &str) -> Result<Self> {
        static SHARED: LazyLock<Mutex<BTreeMap<String, Arc<InMemory>>>> = LazyLock::new(Mutex::default);
        let name = rest.trim_matches('/');
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'/')) {
            return Err(wrong("a memory archive's name has letters, digits, `_`, `-`, `.` and `/`"));
        }
        let store = SHARED.lock().entry(name.to_owned()).or_default().clone();
        Ok(Self { store, path: Path::ROOT, local: None, shown: format!("memory://{name}").into() })
    }

    /// A folder of a bucket. The whole bucket is one too.
    fn cloud(scheme: &str, url: &str) -> Result<Self> {
        let parsed = Url::parse(url).map_err(|_| wrong("the archive's URL is malformed"))?;
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(wrong("credentials do not belong in the archive's URL").advise(cloud::CREDENTIALS));
        }
        if parsed.query().is_some() || parsed.fragment().is_some() || parsed.port().is_some() {
            return Err(wrong("the archive's URL has more than a bucket and a folder")
                .advise("options such as the endpoint are read from the environment, e.g. AWS_ENDPOINT_URL"));
        }
        let Some(bucket) = parsed.host_str().filter(|b| !b.is_empty()) else {
            return Err(wrong("the archive's URL names no bucket"));
        };
        let path = Path::from_url_path(parsed.path())
            .map_err(|cause| wrong("the archive's URL is not a path").because(cause))?;
        let shown = format!("{scheme}://{bucket}/{path}");
        let shown = shown.trim_end_matches('/').into();
        Ok(Self { store: cloud::open(scheme, bucket)?, path, local: None, shown })
    }

    /// A folder in this folder.
    pub(super) fn child(&self, name: &str) -> Self {
        Self {
            store: self.store.clone(),
            path: self.path.clone().join(name),
            local: self.local.clone(),
            shown: format!("{}/{name}", self.shown).into(),
        }
    }

    /// The object store.
    pub(super) fn store(&self) -> &dyn ObjectStore {
        &*self.store
    }

    /// The folder's own path in the store.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in this folder.
    pub(super) fn file(&self, name: &str) -> Path {
        self.path.clone().join(name)
    }

    /// Whether the files are this machine's.
    pub(super) fn is_local(&self) -> bool {
        self.local.is_some()
    }

    /// Where this folder is on this machine, if it is.
    pub(super) fn local_folder(&self) -> Option<PathBuf> {
        self.local.as_ref()?.path_to_filesystem(&self.path).ok()
    }

    /// Where a file of this folder is on this machine, if it is.
    pub(super) fn local_file(&self, name: &str) -> Option<PathBuf> {
        self.local.as_ref()?.path_to_filesystem(&self.file(name)).ok()
    }

    /// How messages name a file in this folder.
    pub(super) fn show(&self, name: &str) -> String {
        format!("{}/{name}", self.shown)
    }
}

fn wrong(message: impl Into<String>) -> Error {
    Error::invalid(message).about("url").advise(ADVICE)
}

impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_url_says_what_to_write() {
        for url in [
            "/var/archive",
            "data",
            "",
            "file://data/archive",
            "file://~/archive",
            "file:///~/archive",
            "file:///",
            "file:///a?b",
            "memory://a b",
            "file://",
        ] {
            let error = Folder::open(url).unwrap_err();
            assert_eq!(error.kind(), statehold_core::ErrorKind::InvalidInput, "{url}");
            assert_eq!(error.subject(), Some("url"), "{url}");
        }
    }

    #[test]
    fn own_4_no_error_of_a_url_shows_its_password() {
        for (url, says) in [
            ("ftp://user:s3cr3t@host/path", "file, s3, gs, az, memory"),
            ("s3://user:s3cr3t@bucket/path", "environment"),
            ("az://:s3cr3t@container", "environment"),
            ("gs://bucket/path?key=s3cr3t", "environment"),
            ("s3://[s3cr3t/path", "malformed"),
            ("s3:///s3cr3t", "no bucket"),
        ] {
            let error = Folder::open(url).unwrap_err();
            assert_eq!(error.kind(), statehold_core::ErrorKind::InvalidInput, "{url}");
            assert!(error.to_string().contains(says), "{url}: {error}");
            assert!(!format!("{error} {error:?}").contains("s3cr3t"), "{error:?}");
        }
    }

    #[test]
    fn paths_are_taken_as_they_are_written() {
        assert_eq!(Folder::open("file:///var/a%20b/../c d").unwrap().to_string(), "file:///var/c d");
        assert_eq!(Folder::open("memory://x/y/").unwrap().child("orders").show("1"), "memory://x/y/orders/1");
    }
}
