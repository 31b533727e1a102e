//! A hot standby: read, never written.

use statehold::{ErrorKind, core::Ownership, testing::servers::PostgresServer};

use super::support::{open, open_with, options};
use crate::support::Log;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_1_a_standby_is_read_and_refuses_writers() {
    let primary = PostgresServer::start().unwrap();
    let log = Log::of(open(options(&primary.url())).await.unwrap()).await.unwrap();
    log.append(1).await.unwrap();
    let standby = PostgresServer::builder().standby_of(&primary).start().unwrap();
    for ownership in [Ownership::Exclusive, Ownership::Shared] {
        let error = open_with(options(&standby.url()), |r| r.ownership = ownership).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.advice().is_some_and(|advice| advice.contains("read-only")), "{error}");
    }
    let reader = open_with(options(&standby.url()), |r| r.ownership = Ownership::ReadOnly).await.unwrap();
    let reader = Log::of(reader).await.unwrap();
    assert_eq!(reader.numbers().await.unwrap(), [1]);
    assert_eq!(reader.append(2).await.unwrap_err().kind(), ErrorKind::Unsupported);
    // What the owner writes on arrives, in order.
    for number in 2..=50 {
        log.append(number).await.unwrap();
    }
    let mut seen = Vec::new();
    while seen.len() < 50 {
        seen = reader.numbers().await.unwrap();
        assert_eq!(seen, (1..=seen.len() as u64).collect::<Vec<_>>());
    }
    reader.store.close().await.unwrap();
}
