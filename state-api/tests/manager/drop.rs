use statehold::ErrorKind;

use crate::support::{SIZES, on_every_engine, refused};

on_every_engine! {
    async fn life_10_drop_of_a_state_removes_all_of_it_and_nothing_else(place: Place) {
        for (buffer, cache) in SIZES {
            let manager = place.open(place.sized(buffer, cache)).await;
            let kv = manager.key_value::<u64, u64>("kv").await.unwrap();
            let map = manager.key_map::<u64, u64, u64>("map").await.unwrap();
            kv.put_many((0..50).map(|n| (n, n))).await.unwrap();
            manager.finish().await.unwrap();
            kv.put(&50, 50).await.unwrap();
            kv.get(&1).await.unwrap();
            map.put(&1, &1, 1).await.unwrap();
            manager.drop_state("kv").await.unwrap();
            assert_eq!(refused(kv.get(&1).await).0, ErrorKind::Fenced);
            assert_eq!(refused(kv.put(&1, 1).await).0, ErrorKind::Fenced);
            assert_eq!(refused(manager.drop_state("kv").await).0, ErrorKind::NotFound);
            // Another type may have the name now.
            let again = manager.key_value::<String, String>("kv").await.unwrap();
            assert_eq!(again.get("1").await.unwrap(), None);
            again.put("1", "new".into()).await.unwrap();
            assert_eq!(map.get(&1, &1).await.unwrap(), Some(1));
            manager.finish().await.unwrap();
            manager.drop_state("kv").await.unwrap();
            manager.close().await.unwrap();
        }
    }

    async fn life_10_writers_who_run_into_a_drop_are_fenced_and_leave_nothing_behind(place: Place) {
        for (buffer, cache) in SIZES {
            let manager = place.open(place.sized(buffer, cache)).await;
            for round in 0..10_u64 {
                let kv = manager.key_value::<u64, u64>("kv").await.unwrap();
                let writers: Vec<_> = (0..3_u64).map(|task| {
                    let kv = kv.clone();
                    tokio::spawn(async move {
                        for n in 0.. {
                            if let Err(error) = kv.put(&(n % 20), task).await {
                                return error.kind();
                            }
                            tokio::task::yield_now().await;
                        }
                        unreachable!()
                    })
                }).collect();
                for _ in 0..round * 3 {
                    tokio::task::yield_now().await;
                }
                manager.drop_state("kv").await.unwrap();
                for writer in writers {
                    assert_eq!(writer.await.unwrap(), ErrorKind::Fenced, "buffer {buffer}");
                }
                manager.finish().await.unwrap();
            }
            manager.close().await.unwrap();
        }
    }

    async fn name_1_states_whose_names_share_a_prefix_never_see_each_other(place: Place) {
        let names = ["a", "a.", "a-b", "ab", "A", "_", "0"];
        let kv = || statehold::StateDescriptor::new(statehold::Model::Kv);
        let descriptor = names.iter().fold(place.descriptor(), |d, name| d.state(name, kv()));
        let manager = place.open(descriptor).await;
        for name in names {
            let state = manager.key_value::<u64, String>(name).await.unwrap();
            state.put(&1, name.to_owned()).await.unwrap();
        }
        manager.drop_state("a").await.unwrap();
        for name in names {
            let found = manager.key_value::<u64, String>(name).await.unwrap().get(&1).await.unwrap();
            assert_eq!(found.as_deref(), (name != "a").then_some(name));
        }
        for name in ["", "../etc", ".hidden", "a b", &"x".repeat(129)] {
            let refusal = place.builder(place.descriptor().state(name, kv())).open().await;
            assert_eq!(refused(refusal).0, ErrorKind::InvalidInput, "{name}");
            assert_eq!(refused(manager.drop_state(name).await).0, ErrorKind::InvalidInput, "{name}");
        }
        manager.close().await.unwrap();
    }
}
