use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use statehold::StateManager;

use crate::support::{BUFFERS, SIZES, on_every_engine};

const TASKS: u64 = 8;
const TURNS: u64 = 1_000;
const KEYS: [&str; 3] = ["a", "b", "c"];

/// Runs `turn(task, n)` from eight tasks at once.
async fn from_tasks<F>(turns: u64, turn: impl Fn(u64, u64) -> F + Clone + Send + Sync + 'static)
where
    F: Future<Output = ()> + Send,
{
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let turn = turn.clone();
            tokio::spawn(async move {
                for n in 0..turns {
                    turn(task, n).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

async fn counted(manager: &StateManager, name: &'static str) -> u64 {
    let state = manager.key_value::<String, u64>(name).await.unwrap();
    let counts = state.clone();
    from_tasks(TURNS, move |task, n| {
        let counts = counts.clone();
        async move {
            let key = KEYS[((task + n) % 3) as usize];
            counts.update(key, |c| Ok(c.unwrap_or(0) + 1)).await.unwrap();
        }
    })
    .await;
    let found = state.get_many(&KEYS).await.unwrap();
    state.delete_many(&KEYS).await.unwrap();
    found.into_iter().map(Option::unwrap_or_default).sum()
}

on_every_engine! {
    async fn batch_3_updates_from_eight_tasks_add_up_exactly(place: Place) {
        for (buffer, cache) in SIZES {
            let manager = place.open(place.sized(buffer, cache)).await;
            for name in ["kv", "versioned"] {
                assert_eq!(counted(&manager, name).await, TASKS * TURNS, "{name}, buffer {buffer}, cache {cache}");
            }
            manager.close().await.unwrap();
        }
    }

    async fn batch_3_updates_of_map_entries_from_eight_tasks_add_up_exactly(place: Place) {
        for (buffer, cache) in SIZES {
            let manager = place.open(place.sized(buffer, cache)).await;
            let map = manager.key_map::<String, u64, u64>("map").await.unwrap();
            let counts = map.clone();
            from_tasks(TURNS, move |_, n| {
                let counts = counts.clone();
                async move { counts.update("a", &(n % 5), |c| Ok(c.unwrap_or(0) + 1)).await.unwrap() }
            })
            .await;
            let sum: u64 = map.entries("a").await.unwrap().iter().map(|(_, n)| n).sum();
            assert_eq!(sum, TASKS * TURNS, "buffer {buffer}, cache {cache}");
            map.remove_key("a").await.unwrap();
            manager.close().await.unwrap();
        }
    }

    async fn batch_3_a_put_beside_updates_is_never_undone(place: Place) {
        for (buffer, cache) in SIZES {
            let manager = place.open(place.sized(buffer, cache)).await;
            let state = manager.key_value::<String, u64>("kv").await.unwrap();
            state.put("a", 0).await.unwrap();
            let stop = Arc::new(AtomicBool::new(false));
            let (updated, until) = (state.clone(), stop.clone());
            let updates = tokio::spawn(async move {
                while !until.load(Ordering::Relaxed) {
                    updated.update("a", |n| Ok(n.unwrap_or(0) + 1)).await.unwrap();
                    tokio::task::yield_now().await;
                }
            });
            for n in 1..3_000 {
                let least = n << 32;
                state.put("a", least).await.unwrap();
                let found = state.get("a").await.unwrap().unwrap();
                assert!(found >= least, "{found:x} was read after {least:x} was put; buffer {buffer}, cache {cache}");
            }
            stop.store(true, Ordering::Relaxed);
            updates.await.unwrap();
            manager.close().await.unwrap();
        }
    }

    async fn list_1_appends_from_several_tasks_keep_each_tasks_order(place: Place) {
        for buffer in BUFFERS {
            let manager = place.open(place.sized(buffer, 0)).await;
            let list = manager.key_list::<String, (u64, u64)>("list").await.unwrap();
            let appended = list.clone();
            from_tasks(200, move |task, n| {
                let appended = appended.clone();
                async move { appended.append_all("a", [(task, 2 * n), (task, 2 * n + 1)]).await.unwrap() }
            })
            .await;
            let found = list.get("a").await.unwrap();
            assert_eq!(found.len() as u64, TASKS * 400);
            for task in 0..TASKS {
                let own: Vec<u64> = found.iter().filter(|(t, _)| *t == task).map(|(_, n)| *n).collect();
                assert_eq!(own, (0..400).collect::<Vec<_>>(), "task {task}, buffer {buffer}");
            }
            let together = found.chunks(2).all(|pair| pair[0].0 == pair[1].0);
            assert!(together, "what was appended at once lies together");
            list.remove("a").await.unwrap();
            manager.close().await.unwrap();
        }
    }

    async fn list_2_pop_front_hands_each_element_to_one_task_only(place: Place) {
        for buffer in BUFFERS {
            let manager = place.open(place.sized(buffer, 0)).await;
            let list = manager.key_list::<String, u64>("list").await.unwrap();
            list.append_all("a", 0..500).await.unwrap();
            let (send, mut taken) = tokio::sync::mpsc::unbounded_channel();
            let tasks: Vec<_> = (0..4).map(|_| {
                let (list, send) = (list.clone(), send.clone());
                tokio::spawn(async move {
                    while let Some(element) = list.pop_front("a").await.unwrap() {
                        send.send(element).unwrap();
                        tokio::task::yield_now().await;
                    }
                })
            }).collect();
            for n in 500..1_000 {
                list.append("a", n).await.unwrap();
            }
            for task in tasks {
                task.await.unwrap();
            }
            drop(send);
            let mut found = list.get("a").await.unwrap();
            while let Some(element) = taken.recv().await {
                found.push(element);
            }
            found.sort_unstable();
            assert_eq!(found, (0..1_000).collect::<Vec<_>>(), "buffer {buffer}");
            list.remove("a").await.unwrap();
            manager.close().await.unwrap();
        }
    }
}
