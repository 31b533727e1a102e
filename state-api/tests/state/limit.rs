use bytes::Bytes;
use statehold::{Descriptor, ErrorKind, Limits, ValueType, WriteBatch};

use crate::support::{BUFFERS, Place, on_every_engine, refused};

const LIMITS: Limits = Limits { key: 8, sub: 8, label: 255, value: 10_000, batch: 16_384 };

fn descriptor(place: &Place, buffer: usize) -> Descriptor {
    let mut descriptor = place.sized(buffer, 0);
    descriptor.stores.get_mut("local").unwrap().limits = LIMITS;
    descriptor.states.get_mut("kv").unwrap().codec = "bytes".into();
    descriptor.states.get_mut("list").unwrap().codec = "bytes".into();
    descriptor
}

fn value(bytes: usize) -> Bytes {
    Bytes::from(vec![7; bytes])
}

on_every_engine! {
    async fn name_2_at_the_limit_it_works_and_one_byte_over_is_refused_and_not_written(place: Place) {
        for buffer in BUFFERS {
            let manager = place.open(descriptor(&place, buffer)).await;
            let kv = manager.key_value_of::<Vec<u8>, Bytes>("kv", ValueType::bytes()).await.unwrap();
            let map = manager.key_map::<Vec<u8>, Vec<u8>, u8>("map").await.unwrap();
            kv.put(&vec![0; 8], value(10_000)).await.unwrap();
            map.put(&vec![0; 8], &vec![0xFF; 8], 1).await.unwrap();
            map.put(&vec![0; 8], &vec![], 2).await.unwrap();
            for (kind, _) in [
                refused(kv.put(&vec![0; 9], value(1)).await),
                refused(kv.put(&vec![1; 8], value(10_001)).await),
                refused(kv.get(&vec![0; 9]).await),
                refused(map.put(&vec![0; 8], &vec![0; 9], 1).await),
            ] {
                assert_eq!(kind, ErrorKind::LimitExceeded);
            }
            assert_eq!(refused(kv.put(&vec![], value(1)).await).0, ErrorKind::InvalidInput);
            manager.finish().await.unwrap();
            assert_eq!(kv.get(&vec![0; 8]).await.unwrap(), Some(value(10_000)));
            assert_eq!(kv.get(&vec![1; 8]).await.unwrap(), None);
            assert_eq!(map.entries(&vec![0; 8]).await.unwrap(), [(vec![], 2), (vec![0xFF; 8], 1)]);
            manager.close().await.unwrap();
        }
    }

    async fn name_2_a_batch_over_the_limit_is_refused_and_the_next_is_not_hindered(place: Place) {
        for buffer in BUFFERS {
            let manager = place.open(descriptor(&place, buffer)).await;
            let kv = manager.key_value_of::<u16, Bytes>("kv", ValueType::bytes()).await.unwrap();
            let batch = |last: usize| {
                let mut batch = WriteBatch::new();
                // 5 bytes of envelope and 2 of key each.
                batch.put(&kv, &1, value(10_000)).unwrap();
                batch.put(&kv, &2, value(last)).unwrap();
                batch.commit()
            };
            assert_eq!(refused(batch(16_384 - 10_000 - 13).await).0, ErrorKind::LimitExceeded);
            manager.finish().await.unwrap();
            assert_eq!(kv.get(&1).await.unwrap(), None);
            batch(16_384 - 10_000 - 14).await.unwrap();
            manager.finish().await.unwrap();
            assert_eq!(kv.get(&1).await.unwrap(), Some(value(10_000)));
            kv.delete_many(&[1, 2]).await.unwrap();
            manager.close().await.unwrap();
        }
    }

    async fn batch_5_what_is_staged_is_committed_in_batches_that_the_engine_takes(place: Place) {
        for buffer in BUFFERS {
            let manager = place.open(descriptor(&place, buffer)).await;
            let kv = manager.key_value_of::<u16, Bytes>("kv", ValueType::bytes()).await.unwrap();
            for n in 0..10 {
                kv.put(&n, value(9_000)).await.unwrap();
            }
            kv.put_many((10..30).map(|n| (n, value(9_000)))).await.unwrap();
            manager.finish().await.unwrap();
            let found = kv.get_many(&(0..30).collect::<Vec<u16>>()).await.unwrap();
            assert!(found.iter().all(|v| *v == Some(value(9_000))), "buffer {buffer}");
            let list = manager.key_list_of::<u16, Bytes>("list", ValueType::bytes()).await.unwrap();
            assert_eq!(refused(list.append_all(&1, [value(9_000), value(9_000)]).await).0, ErrorKind::LimitExceeded);
            list.append_all(&1, [value(9_000), value(7_000)]).await.unwrap();
            manager.finish().await.unwrap();
            assert_eq!(list.get(&1).await.unwrap(), [value(9_000), value(7_000)]);
            list.remove(&1).await.unwrap();
            manager.close().await.unwrap();
        }
    }

    async fn name_2_keys_subkeys_and_values_of_any_bytes_round_trip(place: Place) {
        for buffer in BUFFERS {
            let manager = place.open(place.sized(buffer, 0)).await;
            let map = manager.key_map::<Vec<u8>, Vec<u8>, Vec<u8>>("map").await.unwrap();
            let odd: [&[u8]; 6] = [b"\0", b"\0\0", b"\0\x01", b"\0\xFF", b"\xFF\xFF", b"a\0b"];
            for key in odd {
                for sub in odd.into_iter().chain([&b""[..]]) {
                    map.put(key, sub, [key, b"|", sub].concat()).await.unwrap();
                }
            }
            for committed in [false, true] {
                for key in odd {
                    let entries = map.entries(key).await.unwrap();
                    assert_eq!(entries.len(), 7, "{key:?} committed {committed}");
                    assert!(entries.is_sorted() && entries.iter().all(|(sub, v)| *v == [key, b"|", &sub[..]].concat()));
                }
                manager.finish().await.unwrap();
            }
            manager.close().await.unwrap();
        }
    }

    async fn name_3_a_key_whose_group_belongs_to_somebody_else_is_refused(place: Place) {
        let manager = place.builder(place.descriptor()).groups(0..64).open().await.unwrap();
        let kv = manager.key_value::<u64, u64>("kv").await.unwrap();
        let (mut ours, mut theirs) = (0, 0);
        for n in 0..100 {
            match kv.put(&n, n).await {
                Ok(()) => ours += 1,
                Err(error) => {
                    let (kind, message) = refused::<()>(Err(error));
                    assert_eq!(kind, ErrorKind::InvalidInput);
                    assert!(message.contains("0..64 of 128"), "{message}");
                    theirs += 1;
                }
            }
        }
        assert!(ours > 20 && theirs > 20, "{ours} and {theirs}");
        manager.close().await.unwrap();
    }
}
