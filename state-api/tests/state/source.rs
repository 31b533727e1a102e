use bytes::Bytes;
use statehold::{
    ErrorKind, Source, StateManager, WriteBatch,
    archive::{CheckpointId, Metadata, Select},
    testing::Fault,
};

use crate::support::{on_every_engine, refused};

/// Adds one to key 0, and moves the position.
async fn step(manager: &StateManager, source: &mut Source, position: u64) -> statehold::Result<()> {
    let kv = manager.key_value::<u64, u64>("kv").await?;
    let mut batch = WriteBatch::new();
    batch.put(&kv, &0, kv.get(&0).await?.unwrap_or(0) + 1)?;
    batch.commit_at(source, position.to_be_bytes().to_vec()).await
}

fn number(source: &Source) -> Option<u64> {
    source.position().map(|at| u64::from_be_bytes(at[..].try_into().unwrap()))
}

async fn counted(manager: &StateManager) -> u64 {
    manager.key_value::<u64, u64>("kv").await.unwrap().get(&0).await.unwrap().unwrap_or(0)
}

on_every_engine! {
    async fn batch_5_a_job_goes_on_at_its_position_without_reloading(place: Place) {
        if !place.is_persistent() {
            return;
        }
        for begin in [0, 10, 20] {
            let manager = place.open(place.sized(1 << 20, 1 << 20)).await;
            let mut source = manager.source("local", "input").await.unwrap();
            assert_eq!(number(&source), (begin > 0).then_some(begin));
            for position in begin + 1..=begin + 10 {
                step(&manager, &mut source, position).await.unwrap();
            }
            // Staged behind the last position: a crash may lose it, and the position does not tell of it.
            manager.key_value::<u64, u64>("kv").await.unwrap().put(&1, 1).await.unwrap();
            assert_eq!(counted(&manager).await, begin + 10);
            drop((manager, source));
        }
    }

    async fn batch_5_an_answer_that_is_lost_once_is_asked_for_again(place: Place) {
        let manager = place.open(place.sized(1 << 20, 0)).await;
        let mut source = manager.source("local", "input").await.unwrap();
        for position in 1..=20 {
            place.faults.fail_commit(0, Fault::AnswerLost);
            step(&manager, &mut source, position).await.unwrap();
        }
        assert_eq!((counted(&manager).await, number(&source)), (20, Some(20)));
    }

    async fn batch_5_after_an_unknown_outcome_nothing_is_written_until_the_position_is_known(place: Place) {
        for (fault, happened) in [(Fault::AnswerLost, true), (Fault::Lost(ErrorKind::Unavailable), false)] {
            let manager = place.builder(place.sized(1 << 20, 0)).discard().open().await.unwrap();
            let mut source = manager.source("local", "input").await.unwrap();
            step(&manager, &mut source, 1).await.unwrap();
            (0..4).for_each(|_| place.faults.fail_commit(0, fault));
            step(&manager, &mut source, 2).await.unwrap_err();
            place.faults.mend();
            assert_eq!(refused(step(&manager, &mut source, 2).await).0, ErrorKind::Conflict);
            source.reload().await.unwrap();
            assert_eq!(number(&source), Some(if happened { 2 } else { 1 }));
            step(&manager, &mut source, 3).await.unwrap();
            assert_eq!(counted(&manager).await, if happened { 3 } else { 2 });
            manager.close().await.unwrap();
        }
    }

    async fn batch_5_of_two_handles_of_a_source_one_goes_on(place: Place) {
        let manager = place.open(place.sized(1 << 20, 0)).await;
        let mut first = manager.source("local", "input").await.unwrap();
        let mut second = manager.source("local", "input").await.unwrap();
        step(&manager, &mut first, 1).await.unwrap();
        // The same sequence as the first's: the store answers it as a repetition.
        let (kind, message) = refused(step(&manager, &mut second, 7).await);
        assert_eq!(kind, ErrorKind::Conflict);
        assert!(message.contains("another handle"), "{message}");
        assert_eq!(counted(&manager).await, 1);
        second.reload().await.unwrap();
        assert_eq!(number(&second), Some(1));
        step(&manager, &mut second, 2).await.unwrap();
        step(&manager, &mut second, 3).await.unwrap();
        assert_eq!(refused(step(&manager, &mut first, 2).await).0, ErrorKind::Conflict);
        assert_eq!(counted(&manager).await, 3);
    }

    async fn batch_5_other_sources_have_their_own_positions(place: Place) {
        let manager = place.open(place.sized(1 << 20, 0)).await;
        let mut one = manager.source("local", "one").await.unwrap();
        let two = manager.source("local", "two").await.unwrap();
        step(&manager, &mut one, 5).await.unwrap();
        assert_eq!((number(&one), number(&two)), (Some(5), None));
    }

    async fn batch_5_recover_fences_the_source_and_forgets_the_position(place: Place) {
        let manager = place.open(place.sized(1 << 20, 0)).await;
        let mut source = manager.source("local", "input").await.unwrap();
        step(&manager, &mut source, 1).await.unwrap();
        manager.archive(CheckpointId(1), &Metadata::new().with("at", 1)).await.unwrap();
        step(&manager, &mut source, 2).await.unwrap();
        manager.recover(Select::Latest).await.unwrap();
        assert_eq!(refused(step(&manager, &mut source, 3).await).0, ErrorKind::Fenced);
        let mut source = manager.source("local", "input").await.unwrap();
        assert_eq!(number(&source), None);
        step(&manager, &mut source, 2).await.unwrap();
        assert_eq!(counted(&manager).await, 2);
    }

    async fn batch_5_a_failed_condition_moves_nothing(place: Place) {
        let manager = place.open(place.sized(1 << 20, 0)).await;
        let kv = manager.key_value::<u64, u64>("kv").await.unwrap();
        let mut source = manager.source("local", "input").await.unwrap();
        step(&manager, &mut source, 1).await.unwrap();
        let mut batch = WriteBatch::new();
        batch.require_absent(&kv, &0).unwrap();
        batch.put(&kv, &0, 100).unwrap();
        let failed = batch.commit_at(&mut source, vec![0; 8]).await.unwrap_err();
        assert_eq!(failed.conditions_failed().unwrap().failed, [0]);
        step(&manager, &mut source, 2).await.unwrap();
        assert_eq!((counted(&manager).await, number(&source)), (2, Some(2)));
    }

    async fn batch_5_a_position_at_the_limit_is_kept_and_one_over_is_refused(place: Place) {
        let manager = place.open(place.sized(1 << 20, 0)).await;
        let mut source = manager.source("local", "input").await.unwrap();
        let most = Bytes::from(vec![7; Source::MAX_POSITION]);
        WriteBatch::new().commit_at(&mut source, most.clone()).await.unwrap();
        let over = vec![7; Source::MAX_POSITION + 1];
        assert_eq!(WriteBatch::new().commit_at(&mut source, over).await.unwrap_err().kind(), ErrorKind::LimitExceeded);
        source.reload().await.unwrap();
        assert_eq!(source.position(), Some(&most));
    }
}
