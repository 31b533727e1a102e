//! [`Subject`]: the backend under test, and how to get a fresh place for it.

use std::{path::Path, sync::Arc};

use statehold_core::{Backend, Options};

/// A place in which nothing has been stored yet: what one case works on.
#[derive(Clone)]
pub struct Site {
    /// The backend under test.
    pub backend: Arc<dyn Backend>,
    /// Its options, with which it finds this place again.
    pub options: Options,
}

impl Site {
    /// A site of `backend` with `options`.
    pub fn new(backend: impl Backend + 'static, options: Options) -> Self {
        Self { backend: Arc::new(backend), options }
    }
}

/// The backend under test.
///
/// It is a function that makes a [`Site`] from an empty directory. The suite calls it once a
/// case, and keeps the directory as long as the case runs; a backend of servers ignores the
/// directory and names a fresh database or schema in the options. Crash cases call it in
/// another process with the same directory, and must then get the same place.
///
/// ```no_run
/// # use statehold_core::{Backend, Options};
/// # fn my_backend() -> impl Backend { statehold_memory::MemoryBackend::new() }
/// use statehold_conformance::{Site, Subject};
/// let subject = Subject::new(|dir| {
///     Site::new(my_backend(), Options::new().with("path", dir.display().to_string()))
/// });
/// ```
#[derive(Clone)]
pub struct Subject {
    make: Arc<dyn Fn(&Path) -> Site + Send + Sync>,
}

impl Subject {
    /// A subject whose fresh places `make` makes.
    pub fn new(make: impl Fn(&Path) -> Site + Send + Sync + 'static) -> Self {
        Self { make: Arc::new(make) }
    }

    /// The same with every backend wrapped, e.g. by a mutant.
    #[must_use]
    pub fn wrapped(self, wrap: impl Fn(Arc<dyn Backend>) -> Arc<dyn Backend> + Send + Sync + 'static) -> Self {
        Self::new(move |dir| {
            let site = self.site(dir);
            Site { backend: wrap(site.backend), options: site.options }
        })
    }

    /// The place that `dir` stands for.
    #[must_use]
    pub fn site(&self, dir: &Path) -> Site {
        (self.make)(dir)
    }
}

impl std::fmt::Debug for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Subject")
    }
}
