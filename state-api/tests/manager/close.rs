use std::sync::{Arc, Mutex};

use futures::TryStreamExt;
use statehold::{
    ErrorKind, ScanOrder, WriteBatch,
    archive::{CheckpointId, Metadata},
};
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{BUFFERS, Place, SIZES, on_every_engine, refused};

on_every_engine! {
    async fn life_10_after_close_everything_is_unavailable_and_a_second_close_does_nothing(place: Place) {
        for (buffer, cache) in SIZES {
            let manager = place.open(place.sized(buffer, cache)).await;
            let kv = manager.key_value::<u64, u64>("kv").await.unwrap();
            let versioned = manager.key_value::<u64, u64>("versioned").await.unwrap();
            let list = manager.key_list::<u64, u64>("list").await.unwrap();
            kv.put(&1, 1).await.unwrap();
            kv.get(&1).await.unwrap();
            let mut batch = WriteBatch::new();
            batch.put(&kv, &1, 2).unwrap();
            manager.close().await.unwrap();
            manager.close().await.unwrap();
            let error = |kind| assert_eq!(kind, ErrorKind::Unavailable, "buffer {buffer}, cache {cache}");
            error(refused(kv.get(&1).await).0);
            error(refused(kv.put(&1, 2).await).0);
            error(refused(versioned.put(&1, 2).await).0);
            error(refused(list.append(&1, 2).await).0);
            error(refused(batch.commit().await).0);
            error(refused(kv.scan(ScanOrder::Key).try_collect::<Vec<_>>().await).0);
            error(refused(manager.key_map::<u64, u64, u64>("map").await).0);
            error(refused(manager.finish().await).0);
            error(refused(manager.compact().await).0);
            error(refused(manager.drop_state("kv").await).0);
            error(refused(manager.cut(CheckpointId(1), &Metadata::new()).await).0);
            manager.memory().await;
        }
    }

    async fn life_10_close_beside_writers_keeps_every_write_that_was_answered(place: Place) {
        for buffer in BUFFERS {
            let manager = place.open(place.sized(buffer, 0)).await;
            let kv = manager.key_value::<u64, u64>("kv").await.unwrap();
            let writers: Vec<_> = (0..4_u64).map(|task| {
                let kv = kv.clone();
                tokio::spawn(async move {
                    let mut last = 0;
                    for n in 1.. {
                        match kv.put(&task, n).await {
                            Ok(()) => last = n,
                            Err(error) => {
                                assert_eq!(error.kind(), ErrorKind::Unavailable);
                                break;
                            }
                        }
                        tokio::task::yield_now().await;
                    }
                    last
                })
            }).collect();
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
            manager.close().await.unwrap();
            let manager = place.open(place.sized(buffer, 0)).await;
            let kv = manager.key_value::<u64, u64>("kv").await.unwrap();
            for (task, writer) in (0..).zip(writers) {
                let last = writer.await.unwrap();
                let found = kv.get(&task).await.unwrap().unwrap_or(0);
                assert_eq!(found, last, "task {task}, buffer {buffer}");
                kv.delete(&task).await.unwrap();
            }
            manager.close().await.unwrap();
        }
    }
}

/// Collects what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

// On one thread, so that the subscriber of this thread hears everything.
#[tokio::test]
async fn life_10_a_manager_dropped_without_close_logs_how_much_is_lost_and_one_that_was_closed_nothing() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).with_ansi(false).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let place = Place::new("memory");
    for (close, lines) in [(true, 0), (false, 1)] {
        let manager = place.open(place.descriptor()).await;
        let kv = manager.key_value::<u64, u64>("kv").await.unwrap();
        kv.put_many((0..7).map(|n| (n, n))).await.unwrap();
        if close {
            manager.close().await.unwrap();
        }
        drop((manager, kv));
        let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let lost: Vec<&str> = logged.lines().filter(|line| line.contains("lost")).collect();
        assert_eq!(lost.len(), lines, "{logged}");
        assert!(
            lost.iter().all(|l| l.contains("records=7") && l.contains("bytes=") && l.contains("local")),
            "{logged}"
        );
    }
}
