//! An S3 server on loopback, for tests.
//!
//! It keeps buckets as folders, checks signatures, and does not lock conditional puts: nothing about fencing
//! can be proved with it.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    thread::JoinHandle,
};

use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use s3s::{
    auth::SimpleAuth,
    service::{S3Service, S3ServiceBuilder},
};
use tempfile::TempDir;
use tokio::{runtime, sync::oneshot};

/// The only access key that the server knows.
pub const ACCESS_KEY: &str = "AKIDTEST";
/// Its secret.
pub const SECRET_KEY: &str = "s3cr3tOfTheTest";

/// A running server. It ends, and its buckets are deleted, when this is dropped.
#[derive(Debug)]
pub struct S3Server {
    at: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    buckets: TempDir,
}

impl S3Server {
    /// Starts a server with empty buckets of these names, on a port that nobody uses.
    ///
    /// # Errors
    /// What the operating system refuses.
    pub fn start(buckets: &[&str]) -> io::Result<Self> {
        let folder = TempDir::new()?;
        for bucket in buckets {
            std::fs::create_dir(folder.path().join(bucket))?;
        }
        let files = s3s_fs::FileSystem::new(folder.path()).map_err(|e| io::Error::other(format!("{e:?}")))?;
        let mut service = S3ServiceBuilder::new(files);
        service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let service = service.build();
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let at = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::spawn(move || {
            // Dropping the runtime closes every connection.
            runtime.block_on(async {
                tokio::select! {
                    _ = serve(listener, service) => {}
                    _ = stopped => {}
                }
            });
        });
        Ok(Self { at, stop: Some(stop), thread: Some(thread), buckets: folder })
    }

    /// Where it listens, as `AWS_ENDPOINT_URL` takes it.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.at)
    }

    /// The folder that has each bucket as a folder.
    #[must_use]
    pub fn buckets(&self) -> &std::path::Path {
        self.buckets.path()
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the server shows in the test that it served.
            let _ = thread.join();
        }
    }
}

async fn serve(listener: TcpListener, service: S3Service) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let http = Builder::new(TokioExecutor::new());
    loop {
        let (socket, _) = listener.accept().await?;
        let connection = http.serve_connection(TokioIo::new(socket), service.clone());
        tokio::spawn(connection.into_owned());
    }
}
