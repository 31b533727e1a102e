//! [`Unruly`]: an object store that gives other tasks a turn around each call, and fails when told to.

use std::{
    fmt,
    ops::Range,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, path::Path,
};
use tokio::sync::Semaphore;

/// What becomes of a put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It happens and is reported.
    Done,
    /// It does not happen, which is reported.
    Lost,
    /// It happens and is reported as failed: a time-out.
    Unreported,
    /// Other bytes are stored and it is reported as done.
    Garbled,
    /// It happens, whatever was there and however it was to be put.
    Forced,
    /// It happens once [`Unruly::let_late_happen`] was called, even if nobody waits for it any more.
    Late,
}

type Plan = dyn FnMut(&Path) -> Fate + Send;

/// A store whose puts meet the fate that `plan` gives each.
pub(crate) struct Unruly {
    inner: Arc<dyn ObjectStore>,
    plan: Mutex<Box<Plan>>,
    late: Arc<Semaphore>,
}

impl Unruly {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>, plan: impl FnMut(&Path) -> Fate + Send + 'static) -> Arc<Self> {
        Arc::new(Self { inner, plan: Mutex::new(Box::new(plan)), late: Arc::new(Semaphore::new(0)) })
    }

    /// Lets the one put that is late happen now, and waits until it has.
    pub(crate) async fn let_late_happen(&self) {
        self.late.add_permits(1);
        // Who comes first is served first.
        drop(self.late.acquire().await);
    }

    /// Well behaved, but every call takes a few turns.
    pub(crate) fn slow(inner: Arc<dyn ObjectStore>) -> Arc<Self> {
        Self::new(inner, |_| Fate::Done)
    }
}

fn timed_out() -> object_store::Error {
    object_store::Error::Generic { store: "unruly", source: "timed out".into() }
}

impl fmt::Debug for Unruly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unruly")
    }
}

impl fmt::Display for Unruly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unruly")
    }
}

#[async_trait]
impl ObjectStore for Unruly {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        tokio::task::yield_now().await;
        let fate = (self.plan.lock().unwrap())(location);
        let payload = match fate {
            Fate::Lost => return Err(timed_out()),
            Fate::Garbled => Bytes::from(vec![b'x'; payload.content_length()]).into(),
            Fate::Late => {
                let (inner, location, late) = (self.inner.clone(), location.clone(), self.late.clone());
                let put = async move {
                    let _permit = late.acquire().await;
                    inner.put_opts(&location, payload, opts).await
                };
                return tokio::spawn(put).await.unwrap_or_else(|_| Err(timed_out()));
            }
            Fate::Done | Fate::Unreported | Fate::Forced => payload,
        };
        let opts = if fate == Fate::Forced { PutOptions::from(PutMode::Overwrite) } else { opts };
        let put = self.inner.put_opts(location, payload, opts).await;
        tokio::task::yield_now().await;
        if fate == Fate::Unreported { Err(timed_out()) } else { put }
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        tokio::task::yield_now().await;
        let got = self.inner.get_opts(location, options).await;
        tokio::task::yield_now().await;
        got
    }

    async fn put_multipart_opts(&self, at: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(at, opts).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
