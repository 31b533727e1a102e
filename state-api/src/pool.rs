//! [`TokioPool`]: the one place where blocking work meets tokio.

use std::{collections::VecDeque, sync::Arc};

use parking_lot::Mutex;
use statehold_core::BlockingPool;
use tokio::runtime::Handle;

type Job = Box<dyn FnOnce() + Send>;

/// Runs blocking work on tokio's blocking threads, at most `threads` at once; the rest waits in line.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> statehold::Result<()> {
/// let resources = statehold::Resources::new(statehold::TokioPool::current(4));
/// assert_eq!(resources.blocking(|| Ok(6 * 7)).await?, 42);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct TokioPool {
    runtime: Handle,
    threads: usize,
    line: Arc<Mutex<Line>>,
}

#[derive(Default)]
struct Line {
    running: usize,
    waiting: VecDeque<Job>,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line").field("running", &self.running).field("waiting", &self.waiting.len()).finish()
    }
}

impl TokioPool {
    /// A pool on the runtime of the caller.
    ///
    /// # Panics
    /// Outside of a tokio runtime, as [`Handle::current`] does.
    #[must_use]
    pub fn current(threads: usize) -> Arc<Self> {
        Arc::new(Self { runtime: Handle::current(), threads: threads.max(1), line: Arc::default() })
    }
}

/// Runs `first` and then what waits, until the line is empty.
fn work(line: &Mutex<Line>, first: Job) {
    let mut next = Some(first);
    while let Some(job) = next.take() {
        // A panicking job drops its answer channel, which its caller sees; the line goes on.
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(job)).is_err() {
            tracing::error!("blocking work panicked");
        }
        let mut line = line.lock();
        next = line.waiting.pop_front();
        line.running -= usize::from(next.is_none());
    }
}

impl BlockingPool for TokioPool {
    fn spawn(&self, job: Job) {
        let job = {
            let mut line = self.line.lock();
            if line.running >= self.threads {
                line.waiting.push_back(job);
                return;
            }
            line.running += 1;
            job
        };
        let line = self.line.clone();
        #[allow(clippy::disallowed_methods, reason = "this is the one module that may")]
        self.runtime.spawn_blocking(move || work(&line, job));
    }
}
