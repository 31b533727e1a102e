//! [`Subject`]: the backend under test, and how to get a fresh place for it.

use std::{path::Path, sync::Arc};

use statehold_core::{Backend, Error, Options, Result};

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
    kept: &'static str,
}

impl Subject {
    /// A subject whose fresh places `make` makes.
    pub fn new(make: impl Fn(&Path) -> Site + Send + Sync + 'static) -> Self {
        Self { make: Arc::new(make), kept: "" }
    }

    /// The same, with cases that failed once: a line each, the case's name and the seed, as a failure printed them.
    /// Empty lines and those that begin with `#` say why. [`main`](crate::main) runs each as a test of its own.
    ///
    /// ```
    /// # use statehold_core::Options;
    /// use statehold_conformance::{Site, Subject};
    ///
    /// // Usually `include_str!("regressions.txt")`.
    /// let kept = "# A page ended early.\nmodel_all_operations_answer_as_the_model 4711\n";
    /// let subject = Subject::new(|_| Site::new(statehold_memory::MemoryBackend::new(), Options::new()));
    /// assert_eq!(subject.regressions(kept).kept()?, [("model_all_operations_answer_as_the_model", 4711)]);
    /// # Ok::<(), statehold_core::Error>(())
    /// ```
    #[must_use]
    pub fn regressions(self, kept: &'static str) -> Self {
        Self { kept, ..self }
    }

    /// The cases that failed once, and their seeds.
    ///
    /// # Errors
    /// `InvalidInput` for a line that is not the name of a case and a seed.
    pub fn kept(&self) -> Result<Vec<(&'static str, u64)>> {
        let lines = self.kept.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let all = crate::all_cases();
        let of = |line: &'static str| {
            let (name, seed) = line.split_once(' ')?;
            let known = all.iter().any(|case| case.name() == name);
            Some((name, seed.trim().parse().ok()?)).filter(|_| known)
        };
        let parsed = lines.map(|line| {
            of(line).ok_or_else(|| {
                Error::invalid(format!("`{line}` is not the name of a case and a seed"))
                    .advise("write it as the failure printed it; a case that is gone proves nothing")
            })
        });
        parsed.collect()
    }

    /// The same with every backend wrapped, e.g. by a mutant.
    #[must_use]
    pub fn wrapped(self, wrap: impl Fn(Arc<dyn Backend>) -> Arc<dyn Backend> + Send + Sync + 'static) -> Self {
        let kept = self.kept;
        let wrapped = Self::new(move |dir| {
            let site = self.site(dir);
            Site { backend: wrap(site.backend), options: site.options }
        });
        wrapped.regressions(kept)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_line_that_names_no_case_or_no_seed_is_refused() {
        let subject = |kept| Subject::new(|_| unreachable!("nothing is run")).regressions(kept);
        for kept in ["kv_1_a_case_that_is_gone 7", "model_all_operations_answer_as_the_model", "kv_2_put_replaces x"] {
            let error = subject(kept).kept().unwrap_err();
            assert!(error.to_string().contains(kept) && error.advice().is_some(), "{error}");
        }
        assert_eq!(subject("# why\n\n kv_2_put_replaces  7 \n").kept().unwrap(), [("kv_2_put_replaces", 7)]);
        let wrapped = subject("kv_2_put_replaces 7").wrapped(|backend| backend);
        assert_eq!(wrapped.kept().unwrap().len(), 1, "a wrapped subject keeps its lines");
    }
}
