//! [`Context`]: what a case works with: a fresh site, a clock that stands, threads, a seed.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use statehold_core::{
    Backend, BlockingPool, Capabilities, Durability, KeyGroups, Limits, ManualClock, Millis, Model, Name, OpenRequest,
    Ownership, Resources, Result, StateSpec, Store, Unclean,
};
use tempfile::TempDir;
use tokio::sync::Notify;

use crate::{
    dice::Dice,
    failure::{Failure, Verdict},
    state::State,
    subject::{Site, Subject},
};

/// Key groups of the namespaces under test: few, so that each holds many keys.
pub(crate) const GROUPS: u16 = 4;

/// When the clock of a case begins.
pub(crate) const START: Millis = Millis(1_000_000);

/// The runtime's own blocking threads. When a case ends, dropping its runtime
/// waits for them, so that no work outlives the case's directory.
#[derive(Debug)]
struct RuntimeThreads(tokio::runtime::Handle);

impl BlockingPool for RuntimeThreads {
    fn spawn(&self, job: Box<dyn FnOnce() + Send>) {
        self.0.spawn_blocking(job);
    }
}

/// What a case works with.
pub(crate) struct Context {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) capabilities: Capabilities,
    pub(crate) seed: u64,
    pub(crate) cases: u32,
    subject: Subject,
    site: Site,
    resources: Resources,
    dir: PathBuf,
    /// Removes the directory with the case.
    _kept: Option<TempDir>,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("dir", &self.dir).field("seed", &self.seed).finish_non_exhaustive()
    }
}

impl Context {
    /// A fresh site of `subject`. Must be called within a tokio runtime.
    pub(crate) fn new(subject: &Subject, seed: u64, cases: u32) -> std::result::Result<Self, Failure> {
        let dir = TempDir::with_prefix("statehold-conformance-")?;
        let cx = Self::in_dir(subject, dir.path(), seed, cases)?;
        Ok(Self { _kept: Some(dir), ..cx })
    }

    /// The site that lies in `dir`, which somebody else keeps.
    fn in_dir(subject: &Subject, dir: &Path, seed: u64, cases: u32) -> std::result::Result<Self, Failure> {
        let site = subject.site(dir);
        let capabilities = site.backend.capabilities(&site.options)?;
        let clock = Arc::new(ManualClock::new(START));
        let pool = Arc::new(RuntimeThreads(tokio::runtime::Handle::current()));
        let resources = Resources::new(pool).with_clock(clock.clone()).with_memory(64 << 20);
        let subject = subject.clone();
        Ok(Self { clock, capabilities, seed, cases, subject, site, resources, dir: dir.to_owned(), _kept: None })
    }

    /// Another fresh site of the same subject, with its own clock.
    pub(crate) fn elsewhere(&self) -> std::result::Result<Self, Failure> {
        Self::new(&self.subject, self.seed, self.cases)
    }

    /// The site of the same subject in `dir`, which somebody else keeps.
    pub(crate) fn inside(&self, dir: &Path) -> std::result::Result<Self, Failure> {
        Self::in_dir(&self.subject, dir, self.seed, self.cases)
    }

    /// What the subject makes of `dir`.
    pub(crate) fn site_in(&self, dir: &Path) -> Site {
        self.subject.site(dir)
    }

    pub(crate) fn backend(&self) -> &dyn Backend {
        &*self.site.backend
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn dice(&self) -> Dice {
        Dice::new(self.seed)
    }

    /// All groups of the namespace, for one owner that may write.
    pub(crate) fn request(&self) -> Result<OpenRequest> {
        request(&self.site, &self.capabilities, self.resources.clone())
    }

    /// Opens the store of the case.
    pub(crate) async fn open(&self) -> Result<Arc<dyn Store>> {
        self.open_with(|_| {}).await
    }

    /// Opens a store with a request that differs.
    pub(crate) async fn open_with(&self, change: impl FnOnce(&mut OpenRequest)) -> Result<Arc<dyn Store>> {
        let mut request = self.request()?;
        change(&mut request);
        self.site.backend.open(request).await
    }

    /// Closes `store` and opens it again.
    pub(crate) async fn reopen(&self, store: Arc<dyn Store>) -> Result<Arc<dyn Store>> {
        store.close().await?;
        drop(store);
        self.open().await
    }

    /// Opens the store and registers a state in it.
    pub(crate) async fn state(&self, model: Model, change: impl FnOnce(&mut StateSpec)) -> Result<State> {
        State::register(&self.open().await?, "state", model, change).await
    }

    /// Opens the store and registers a plain KV state.
    pub(crate) async fn kv(&self) -> Result<State> {
        self.state(Model::Kv, |_| {}).await
    }

    /// Opens the store and registers a plain list state.
    pub(crate) async fn list(&self) -> Result<State> {
        self.state(Model::List, |_| {}).await
    }

    /// Opens the store and registers a plain map state.
    pub(crate) async fn map(&self) -> Result<State> {
        self.state(Model::Map, |_| {}).await
    }

    /// Runs `n` tasks at once on the runtime's threads; the first failure is the verdict.
    pub(crate) async fn together<F>(&self, n: usize, task: impl Fn(usize) -> F) -> Verdict
    where
        F: Future<Output = Verdict> + Send + 'static,
    {
        let tasks: Vec<_> = (0..n).map(|i| tokio::spawn(task(i))).collect();
        for task in tasks {
            joined(task).await?;
        }
        Ok(())
    }

    /// Does `step` 0, 1, 2, … while another thread runs `watch` over and over: at least `steps`
    /// steps, and until the watcher has looked often enough to be believed. Answers how many steps
    /// were done.
    pub(crate) async fn watching<F>(
        &self,
        watch: impl Fn() -> F + Send + 'static,
        steps: usize,
        mut step: impl AsyncFnMut(usize) -> Verdict,
    ) -> std::result::Result<usize, Failure>
    where
        F: Future<Output = Verdict> + Send,
    {
        const LOOKS: usize = 100;
        // A watcher and a server that wake each other without a pause can keep a processor to themselves: on Linux
        // 6.18 everyone else there, the writer's server too, then waits for minutes.
        const LOOKS_A_STEP: usize = 16;
        let most = steps * 100;
        let (looks, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let stepped = Arc::new(Notify::new());
        let (looked, over, step_done) = (looks.clone(), done.clone(), stepped.clone());
        let watcher = tokio::spawn(async move {
            for look in 1.. {
                if over.load(Ordering::Acquire) {
                    break;
                }
                watch().await?;
                looked.fetch_add(1, Ordering::AcqRel);
                tokio::task::yield_now().await;
                if look % LOOKS_A_STEP == 0 {
                    step_done.notified().await;
                }
            }
            watch().await
        });
        let (mut did, mut worked) = (0, Ok(()));
        let unseen = || looks.load(Ordering::Acquire) < LOOKS;
        while worked.is_ok() && !watcher.is_finished() && (did < steps || did < most && unseen()) {
            worked = step(did).await;
            did += 1;
            stepped.notify_one();
            // Behind its own steps it only waits for the watcher, which others may keep from the processor.
            match did < steps {
                true => tokio::task::yield_now().await,
                false => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
        done.store(true, Ordering::Release);
        stepped.notify_one();
        joined(watcher).await?;
        worked.map(|()| did)
    }
}

async fn joined(task: tokio::task::JoinHandle<Verdict>) -> Verdict {
    task.await.map_err(|e| Failure::new(format!("a task did not end well: {e}")))?
}

/// What the suite asks of a site unless a case says otherwise: all groups, one
/// owner, the weakest level at which acknowledged writes survive the process.
pub(crate) fn request(site: &Site, capabilities: &Capabilities, resources: Resources) -> Result<OpenRequest> {
    let writing = capabilities.ownership.iter().copied().find(|o| *o != Ownership::ReadOnly);
    let lasting = capabilities.durability.iter().copied().find(|d| *d >= Durability::Process);
    Ok(OpenRequest {
        store: "subject".into(),
        namespace: Name::new("conformance")?,
        groups: KeyGroups::all(GROUPS)?,
        ownership: writing.unwrap_or(Ownership::Exclusive),
        durability: lasting.unwrap_or(Durability::Visible),
        limits: Limits::default(),
        unclean: Unclean::Refuse,
        options: site.options.clone(),
        resources,
    })
}
