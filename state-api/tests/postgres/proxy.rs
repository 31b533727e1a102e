//! [`Proxy`]: a loopback relay that loses what is told to be lost.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What becomes of the next bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// Everything passes.
    Nothing = 0,
    /// The client's bytes do not arrive; the connection is cut.
    Requests = 1,
    /// The server's answer does not arrive; the connection is cut.
    Answers = 2,
}

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    loss: Arc<AtomicU8>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let loss = Arc::new(AtomicU8::new(0));
        let shared = loss.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { continue };
                tokio::spawn(relay(client, server, shared.clone()));
            }
        });
        Self { address, loss, accepting }
    }

    pub(crate) fn lose(&self, what: Loss) {
        self.loss.store(what as u8, Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Ends when either side ends, or something is to be lost.
async fn relay(mut client: TcpStream, mut server: TcpStream, loss: Arc<AtomicU8>) {
    let (mut up, mut down) = ([0; 16 << 10], [0; 16 << 10]);
    let lost = |what: Loss| loss.load(Ordering::SeqCst) == what as u8;
    loop {
        tokio::select! {
            n = client.read(&mut up) => {
                let Ok(n @ 1..) = n else { return };
                if lost(Loss::Requests) || server.write_all(&up[..n]).await.is_err() {
                    return;
                }
            }
            n = server.read(&mut down) => {
                let Ok(n @ 1..) = n else { return };
                if lost(Loss::Answers) || client.write_all(&down[..n]).await.is_err() {
                    return;
                }
            }
        }
    }
}
