//! [`Link`]: the connections of a store, and who may send again what failed.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use redis::{
    AsyncConnectionConfig, Client, Cmd, Pipeline, RedisError, Value,
    aio::{ConnectionLike, MultiplexedConnection},
    cluster::ClusterClientBuilder,
    cluster_async::ClusterConnection,
    io::tcp::TcpSettings,
};
use statehold_core::{Error, Result};
use tokio::sync::Mutex;

use crate::{
    config::Config,
    error::{Fate, fate, indeterminate, typed},
    script::Call,
};

/// What a request is for. Pages of archives go another way than commits and reads, which would wait behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    Commit,
    Read,
    Life,
}

/// The first pause between attempts; each is twice as long as the one before, up to the last.
const PAUSE: Duration = Duration::from_millis(2);
const MAX_PAUSE: Duration = Duration::from_millis(100);
/// How often a Cluster's client may send a request again by itself, where that does no harm.
const CLUSTER_RETRIES: u32 = 3;

/// A connection to one server, made when it is needed.
struct Line {
    client: Client,
    connect_timeout: Duration,
    timeout: Duration,
    live: Mutex<(u64, Option<MultiplexedConnection>)>,
}

impl Line {
    fn new(client: Client, config: &Config) -> Self {
        Self { client, connect_timeout: config.connect_timeout, timeout: config.timeout, live: Mutex::new((0, None)) }
    }

    async fn connected(&self) -> Result<(u64, MultiplexedConnection), RedisError> {
        let mut live = self.live.lock().await;
        if let (number, Some(connection)) = &*live {
            return Ok((*number, connection.clone()));
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.connect_timeout))
            .set_response_timeout(Some(self.timeout));
        let connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        live.0 += 1;
        live.1 = Some(connection.clone());
        Ok((live.0, connection))
    }

    /// The connection is broken: the next request makes another.
    async fn forget(&self, number: u64) {
        let mut live = self.live.lock().await;
        if live.0 == number {
            live.1 = None;
        }
    }
}

enum Lines {
    Single { work: Box<Line>, life: Box<Line> },
    Cluster { commit: ClusterConnection, read: ClusterConnection, life: ClusterConnection },
}

/// All connections of a store. Dropping it closes them.
pub(crate) struct Link {
    lines: Lines,
    /// How long reads are tried again.
    timeout: Duration,
}

/// A request that failed: the error, and whether it ever left.
pub(crate) struct Failure {
    error: RedisError,
    fate: Fate,
}

impl Failure {
    fn before(error: RedisError) -> Self {
        // Nothing was sent: a refused password stays refused, all else may pass.
        let fate = match fate(&error) {
            Fate::Refused => Fate::Refused,
            _ => Fate::RefusedForNow,
        };
        Self { error, fate }
    }

    fn after(error: RedisError) -> Self {
        Self { fate: fate(&error), error }
    }
}

/// A command or a pipeline.
enum Request<'a> {
    One(&'a Cmd),
    Many(&'a Pipeline),
}

impl Request<'_> {
    async fn send(&self, connection: &mut impl ConnectionLike) -> Result<Value, RedisError> {
        match self {
            Self::One(cmd) => cmd.query_async(connection).await,
            Self::Many(pipeline) => pipeline.query_async(connection).await,
        }
    }
}

impl Link {
    /// The connections that `config` names, which it makes.
    pub(crate) async fn connect(config: &Config) -> Result<Arc<Self>> {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // Somebody else may have been faster, which is as well.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let certificates = match &config.ca_certificate {
            None => None,
            Some(path) => Some(tokio::fs::read(path).await.map_err(|e| {
                Error::invalid(format!("`{}` cannot be read", path.display()))
                    .about("ca_certificate")
                    .advise("name a PEM file that this process may read")
                    .because(e)
            })?),
        };
        let certificates = || redis::TlsCertificates { client_tls: None, root_cert: certificates.clone() };
        // A host that vanished never answers, not even that it is gone: the system would wait for a quarter of an hour.
        // Another connection after a time-out instead could let a late commit land behind a newer one.
        let tcp = TcpSettings::default().set_user_timeout(config.timeout);
        let client = |node: &redis::ConnectionInfo| {
            let node = node.clone().set_tcp_settings(tcp.clone());
            if config.ca_certificate.is_some() {
                Client::build_with_tls(node, certificates())
            } else {
                Client::open(node)
            }
        };
        let lines = if config.cluster {
            let connection = |retries: u32| {
                let mut builder = ClusterClientBuilder::new(config.nodes.iter().cloned())
                    .retries(retries)
                    .connection_timeout(config.connect_timeout)
                    .response_timeout(config.timeout)
                    .tcp_settings(tcp.clone())
                    .overall_response_timeout(None);
                if config.ca_certificate.is_some() {
                    builder = builder.certs(certificates());
                }
                async move { builder.build()?.get_async_connection().await }
            };
            // What the client sent again by itself could be applied twice: commits never are.
            let commit = connection(0).await.map_err(|e| typed(&e))?;
            let read = connection(CLUSTER_RETRIES).await.map_err(|e| typed(&e))?;
            let life = connection(CLUSTER_RETRIES).await.map_err(|e| typed(&e))?;
            Lines::Cluster { commit, read, life }
        } else {
            let client = client(&config.nodes[0]).map_err(|e| typed(&e))?;
            let work = Box::new(Line::new(client.clone(), config));
            let life = Box::new(Line::new(client, config));
            life.connected().await.map_err(|e| typed(&e))?;
            Lines::Single { work, life }
        };
        Ok(Arc::new(Self { lines, timeout: config.timeout }))
    }

    async fn send(&self, lane: Lane, request: &Request<'_>) -> Result<Value, Failure> {
        match &self.lines {
            Lines::Single { work, life } => {
                let line = if lane == Lane::Life { life } else { work };
                let (number, mut connection) = line.connected().await.map_err(Failure::before)?;
                let answer = request.send(&mut connection).await;
                if let Err(error) = &answer
                    && !error.is_timeout()
                    && error.is_unrecoverable_error()
                {
                    line.forget(number).await;
                }
                answer.map_err(Failure::after)
            }
            Lines::Cluster { commit, read, life } => {
                let mut connection = match lane {
                    Lane::Commit => commit,
                    Lane::Read => read,
                    Lane::Life => life,
                }
                .clone();
                request.send(&mut connection).await.map_err(Failure::after)
            }
        }
    }

    async fn patiently(
        &self,
        lane: Lane,
        request: Request<'_>,
        again: impl Fn(Fate) -> bool,
    ) -> Result<Value, Failure> {
        let began = Instant::now();
        let mut pause = PAUSE;
        loop {
            match self.send(lane, &request).await {
                Err(failure) if again(failure.fate) && began.elapsed() + pause < self.timeout => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(MAX_PAUSE);
                }
                outcome => return outcome,
            }
        }
    }

    /// Sends what does no harm twice, again and again until the deadline.
    pub(crate) async fn ask(&self, lane: Lane, cmd: &Cmd) -> Result<Value> {
        let sent = self.patiently(lane, Request::One(cmd), |fate| fate != Fate::Refused).await;
        sent.map_err(|failure| typed(&failure.error))
    }

    /// As [`Link::ask`], for a pipeline.
    pub(crate) async fn ask_all(&self, lane: Lane, pipeline: &Pipeline) -> Result<Value> {
        let sent = self.patiently(lane, Request::Many(pipeline), |fate| fate != Fate::Refused).await;
        sent.map_err(|failure| typed(&failure.error))
    }

    /// Calls a script that does no harm twice.
    pub(crate) async fn call(&self, lane: Lane, call: &Call) -> Result<Value> {
        let outcome = self.patiently(lane, Request::One(&call.by_hash()), |fate| fate != Fate::Refused).await;
        let outcome = match outcome {
            Err(failure) if is_unknown_script(&failure) => {
                self.patiently(lane, Request::One(&call.whole()), |fate| fate != Fate::Refused).await
            }
            outcome => outcome,
        };
        outcome.map_err(|failure| typed(&failure.error))
    }

    /// Calls a script once. It is sent again only where it certainly was not carried out.
    ///
    /// # Errors
    /// `Indeterminate` where that is not known.
    pub(crate) async fn commit(&self, call: &Call) -> Result<Value> {
        let refused = |fate| fate == Fate::RefusedForNow;
        let mut outcome = self.patiently(Lane::Commit, Request::One(&call.by_hash()), refused).await;
        if let Err(failure) = &outcome
            && is_unknown_script(failure)
        {
            outcome = self.patiently(Lane::Commit, Request::One(&call.whole()), refused).await;
        }
        outcome.map_err(|failure| match failure.fate {
            Fate::Unknown => indeterminate(&failure.error),
            Fate::RefusedForNow | Fate::Refused => typed(&failure.error),
        })
    }

    /// The answers of all nodes, or of the one there is.
    pub(crate) async fn everywhere(&self, cmd: &Cmd) -> Result<Vec<Value>> {
        match &self.lines {
            Lines::Single { .. } => Ok(vec![self.ask(Lane::Life, cmd).await?]),
            Lines::Cluster { life, .. } => {
                use redis::cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo};
                let all = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllNodes, None));
                match life.clone().route_command(cmd.clone(), all).await.map_err(|e| typed(&e))? {
                    Value::Map(answers) => Ok(answers.into_iter().map(|(_, answer)| answer).collect()),
                    Value::Array(answers) => {
                        // Pairs of address and answer, where the protocol has no maps.
                        let pair = |answer| match answer {
                            Value::Array(mut pair) if pair.len() == 2 => pair.pop().unwrap_or(Value::Nil),
                            other => other,
                        };
                        Ok(answers.into_iter().map(pair).collect())
                    }
                    other => Ok(vec![other]),
                }
            }
        }
    }
}

fn is_unknown_script(failure: &Failure) -> bool {
    failure.error.kind() == redis::ErrorKind::Server(redis::ServerErrorKind::NoScript)
}
