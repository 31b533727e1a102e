//! [`Failing`]: an object store whose n-th call fails as a disk does.

use std::{
    fmt, io,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream::BoxStream};
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, Result, UploadPart, path::Path,
};

/// What fails, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    /// So many calls go well before.
    pub(crate) after: usize,
    /// Every call from there on fails, or that one alone.
    pub(crate) lasting: bool,
    pub(crate) kind: io::ErrorKind,
}

#[derive(Debug)]
struct Calls {
    /// Since it was armed.
    made: AtomicUsize,
    armed: AtomicBool,
    fault: Fault,
}

impl Calls {
    fn next(&self) -> Result<()> {
        if !self.armed.load(Ordering::SeqCst) {
            return Ok(());
        }
        let made = self.made.fetch_add(1, Ordering::SeqCst);
        let Fault { after, lasting, kind } = self.fault;
        if made == after || (lasting && made > after) {
            return Err(object_store::Error::Generic { store: "failing", source: io::Error::from(kind).into() });
        }
        Ok(())
    }
}

/// Well behaved but for its fault. A call that fails does not happen.
#[derive(Debug)]
pub(crate) struct Failing {
    inner: Arc<dyn ObjectStore>,
    calls: Arc<Calls>,
}

impl Failing {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>, fault: Fault) -> Arc<Self> {
        Arc::new(Self {
            inner,
            calls: Arc::new(Calls { made: AtomicUsize::new(0), armed: AtomicBool::new(false), fault }),
        })
    }

    /// Calls count from now on.
    pub(crate) fn arm(&self) {
        self.calls.armed.store(true, Ordering::SeqCst);
    }

    /// Whether the call that fails was made.
    pub(crate) fn has_failed(&self) -> bool {
        self.calls.made.load(Ordering::SeqCst) > self.calls.fault.after
    }
}

impl fmt::Display for Failing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("failing")
    }
}

#[derive(Debug)]
struct Upload {
    inner: Box<dyn MultipartUpload>,
    calls: Arc<Calls>,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        match self.calls.next() {
            Ok(()) => self.inner.put_part(data),
            Err(e) => Box::pin(async { Err(e) }),
        }
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.calls.next()?;
        self.inner.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}

#[async_trait]
impl ObjectStore for Failing {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.calls.next()?;
        self.inner.put_opts(location, payload, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.calls.next()?;
        self.inner.get_opts(location, options).await
    }

    async fn put_multipart_opts(&self, at: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.calls.next()?;
        let inner = self.inner.put_multipart_opts(at, opts).await?;
        Ok(Box::new(Upload { inner, calls: self.calls.clone() }))
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.calls.next()?;
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let calls = self.calls.clone();
        self.inner.delete_stream(locations.map(move |at| calls.next().and(at)).boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.calls.next() {
            Ok(()) => self.inner.list(prefix),
            Err(e) => futures::stream::once(async { Err(e) }).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.calls.next()?;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.calls.next()?;
        self.inner.copy_opts(from, to, options).await
    }
}
