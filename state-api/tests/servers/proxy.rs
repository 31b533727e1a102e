//! [`Proxy`]: a loopback relay that knows where messages end, and cuts the connection there or in their middle.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{
    frames::{Protocol, Side},
    server::Server,
};

/// Where the connection is cut, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Nothing of the request arrives.
    BeforeRequest,
    /// Half of the message with the request's values arrives.
    MidRequest,
    /// The request arrives whole.
    AfterRequest,
    /// The server has answered, and nothing of the answer arrives.
    BeforeReply,
    /// Half of the answer arrives.
    MidReply,
}

impl Cut {
    fn is_due(self, protocol: Protocol, side: Side, message: &[u8]) -> bool {
        let postgres = protocol == Protocol::Postgres;
        let is = |kind: u8| !postgres || message[0] == kind;
        match self {
            Self::BeforeRequest => side == Side::Client,
            // Bind, Sync, DataRow: values, the end of a request, an answer.
            Self::MidRequest => side == Side::Client && is(b'B'),
            Self::AfterRequest => side == Side::Client && is(b'S'),
            Self::BeforeReply | Self::MidReply => side == Side::Server && is(b'D'),
        }
    }

    fn passes(self, message: usize) -> usize {
        match self {
            Self::BeforeRequest | Self::BeforeReply => 0,
            Self::MidRequest | Self::MidReply => message / 2,
            Self::AfterRequest => message,
        }
    }
}

/// What all connections of a proxy share.
#[derive(Debug, Default)]
struct Orders {
    cut: Mutex<Option<Cut>>,
    /// Bytes that both sides have sent.
    passed: AtomicUsize,
    /// Put in place of what the server says; of the same length.
    instead: Option<(&'static str, &'static str)>,
}

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    orders: Arc<Orders>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn to(server: &Server) -> Self {
        Self::with(server, None).await
    }

    /// One that puts `by` in place of `said` in all that the server says.
    pub(crate) async fn instead(server: &Server, said: &'static str, by: &'static str) -> Self {
        assert_eq!(said.len(), by.len(), "messages keep their lengths");
        Self::with(server, Some((said, by))).await
    }

    async fn with(server: &Server, instead: Option<(&'static str, &'static str)>) -> Self {
        let (port, protocol) = (server.port(), server.protocol());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let orders = Arc::new(Orders { instead, ..Orders::default() });
        let shared = orders.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { continue };
                tokio::spawn(relay(client, server, protocol, shared.clone()));
            }
        });
        Self { address, orders, accepting }
    }

    pub(crate) fn cut(&self, cut: Cut) {
        *self.orders.cut.lock() = Some(cut);
    }

    /// How many bytes have gone either way.
    pub(crate) fn passed(&self) -> usize {
        self.orders.passed.load(Ordering::SeqCst)
    }

    /// Whether the last cut that was ordered is done.
    pub(crate) fn has_cut(&self) -> bool {
        self.orders.cut.lock().is_none()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Messages of one side that are on their way.
struct Way {
    side: Side,
    first: bool,
    bytes: Vec<u8>,
}

impl Way {
    fn of(side: Side) -> Self {
        Self { side, first: true, bytes: Vec::new() }
    }

    /// Passes whole messages on; `None` when the connection is to end.
    async fn pass(&mut self, to: &mut TcpStream, protocol: Protocol, orders: &Orders) -> Option<()> {
        while let Some(len) = protocol.message(&self.bytes, self.side, self.first) {
            let mut message: Vec<u8> = self.bytes.drain(..len).collect();
            self.first = false;
            orders.passed.fetch_add(len, Ordering::SeqCst);
            let due = orders.cut.lock().take_if(|cut| cut.is_due(protocol, self.side, &message));
            if let Some(cut) = due {
                to.write_all(&message[..cut.passes(len)]).await.ok()?;
                to.flush().await.ok()?;
                return None;
            }
            if let (Some((said, by)), Side::Server) = (orders.instead, self.side) {
                replace(&mut message, said.as_bytes(), by.as_bytes());
            }
            to.write_all(&message).await.ok()?;
        }
        Some(())
    }
}

fn replace(message: &mut [u8], said: &[u8], by: &[u8]) {
    if let Some(at) = message.windows(said.len()).position(|window| window == said) {
        message[at..at + by.len()].copy_from_slice(by);
    }
}

/// Ends when either side ends, or the connection is to be cut.
async fn relay(mut client: TcpStream, mut server: TcpStream, protocol: Protocol, orders: Arc<Orders>) {
    let (mut up, mut down) = (Way::of(Side::Client), Way::of(Side::Server));
    loop {
        let passed = tokio::select! {
            n = client.read_buf(&mut up.bytes) => match n {
                Ok(1..) => up.pass(&mut server, protocol, &orders).await,
                _ => None,
            },
            n = server.read_buf(&mut down.bytes) => match n {
                Ok(1..) => down.pass(&mut client, protocol, &orders).await,
                _ => None,
            },
        };
        if passed.is_none() {
            return;
        }
    }
}
