//! How the store's connections are set up.

use std::time::Duration;

use sqlx::{ConnectOptions, PgConnection, postgres::PgConnectOptions};
use statehold_core::{Durability, Result};

use crate::{config::Config, error};

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Reads and commits: the server gives up when the client does.
    Work,
    /// Snapshots, loads, migrations: they take as long as they take.
    Lifecycle,
}

/// Connection settings of one store. No `Debug`: they hold the password.
#[derive(Clone)]
pub(crate) struct Connector {
    server: PgConnectOptions,
    schema: String,
    synchronous: bool,
    read_only: bool,
    timeout: Duration,
    connect_timeout: Duration,
}

impl Connector {
    pub(crate) fn new(config: &Config, durability: Durability, read_only: bool) -> Self {
        Self {
            server: config.server.clone(),
            schema: config.schema.clone(),
            synchronous: durability > Durability::Visible,
            read_only,
            timeout: config.timeout,
            connect_timeout: config.connect_timeout,
        }
    }

    /// A connection of its own.
    pub(crate) async fn connect(&self, purpose: Purpose) -> Result<PgConnection> {
        let options = self.options(purpose);
        match tokio::time::timeout(self.connect_timeout, options.connect()).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(e)) => Err(error::of_connect(e)),
            Err(_) => Err(error::connect_timeout(self.connect_timeout)),
        }
    }

    fn options(&self, purpose: Purpose) -> PgConnectOptions {
        let timeout = match purpose {
            Purpose::Work => self.timeout.as_millis().to_string(),
            Purpose::Lifecycle => "0".to_owned(),
        };
        let on = |flag: bool| if flag { "on" } else { "off" };
        // Every statement goes by an index and touches what it is asked for: no plan may depend on statistics of
        // tables that have just been filled.
        let plans = ["enable_seqscan", "enable_hashjoin", "enable_mergejoin", "enable_bitmapscan", "jit"];
        let mut settings: Vec<(&str, &str)> = plans.map(|name| (name, "off")).to_vec();
        settings.extend([
            // Planning anew for each call's arrays costs more than the call, and finds the same plan.
            ("plan_cache_mode", "force_generic_plan"),
            ("search_path", self.schema.as_str()),
            ("statement_timeout", timeout.as_str()),
            ("idle_in_transaction_session_timeout", "0"),
            ("synchronous_commit", on(self.synchronous)),
            ("default_transaction_read_only", on(self.read_only)),
            ("client_min_messages", "warning"),
        ]);
        self.server.clone().application_name("statehold").options(settings).disable_statement_logging()
    }

    pub(crate) fn schema(&self) -> &str {
        &self.schema
    }
}
