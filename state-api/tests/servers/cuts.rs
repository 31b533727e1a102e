//! Connections that are cut in the middle of what is said on them.

use statehold::{ErrorKind, core::Ownership};

use crate::{
    proxy::{Cut, Proxy},
    server::on_both,
    support::{Counter, Log},
};

on_both! {
    async fn batch_4_a_commit_whose_connection_is_cut_is_unknown_and_applied_once(server: Server) {
        let proxy = Proxy::to(&server).await;
        let log = Log::of(server.open_with(server.options_at(proxy.address.port()), |_| {}).await.unwrap()).await.unwrap();
        // Whether it is in, as far as that is certain.
        let cuts = [
            (Cut::BeforeRequest, Some(false)),
            (Cut::MidRequest, Some(false)),
            (Cut::AfterRequest, None),
            (Cut::BeforeReply, Some(true)),
            (Cut::MidReply, Some(true)),
        ];
        let mut number = 0;
        for (cut, is_in) in cuts.into_iter().cycle().take(15) {
            number += 2;
            // On this connection statements are known by now.
            log.append(number - 1).await.unwrap();
            proxy.cut(cut);
            let error = log.append(number).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Indeterminate, "{cut:?}: {error}");
            assert!(error.advice().is_some_and(|advice| advice.contains("marker")), "{error}");
            let again = log.append(number).await.unwrap();
            assert!(is_in.is_none_or(|is_in| again.duplicate == is_in), "{number}, {cut:?}: {again:?}");
        }
        assert_eq!(log.numbers().await.unwrap(), (1..=number).collect::<Vec<_>>());
    }

    async fn own_5_a_read_whose_connection_is_cut_is_asked_again(server: Server) {
        let proxy = Proxy::to(&server).await;
        let options = server.options_at(proxy.address.port());
        let log = Log::of(server.open_with(options, |_| {}).await.unwrap()).await.unwrap();
        log.append(1).await.unwrap();
        for cut in [Cut::BeforeRequest, Cut::MidRequest, Cut::AfterRequest, Cut::BeforeReply, Cut::MidReply] {
            proxy.cut(cut);
            assert_eq!(log.numbers().await.unwrap(), [1], "{cut:?}");
            assert!(proxy.has_cut(), "{cut:?}");
        }
    }

    async fn own_3_an_open_that_is_cut_fails_clearly_and_the_next_one_succeeds(server: Server) {
        let proxy = Proxy::to(&server).await;
        let options = server.options_at(proxy.address.port());
        for cut in [Cut::BeforeRequest, Cut::MidRequest, Cut::BeforeReply, Cut::MidReply] {
            proxy.cut(cut);
            if let Err(error) = server.open_with(options.clone(), |_| {}).await {
                assert!(error.is_retryable() && error.advice().is_some(), "{cut:?}: {error}");
            }
            assert!(proxy.has_cut(), "{cut:?}");
            let log = Log::of(server.open_with(options.clone(), |_| {}).await.unwrap()).await.unwrap();
            log.numbers().await.unwrap();
        }
    }

    async fn batch_3_increments_through_cuts_are_exact(server: Server) {
        let proxy = Proxy::to(&server).await;
        let options = server.options_at(proxy.address.port());
        let store = server.open_with(options, |r| r.ownership = Ownership::Shared).await.unwrap();
        let counter = Counter::of(store).await.unwrap();
        let cuts = [Cut::BeforeRequest, Cut::MidRequest, Cut::AfterRequest, Cut::BeforeReply, Cut::MidReply];
        for (number, cut) in (1..=50).zip(cuts.into_iter().cycle()) {
            proxy.cut(cut);
            crate::increments::increment_surely(&counter, 1, number).await;
        }
        assert_eq!(counter.value().await.unwrap(), Some(50));
    }
}
