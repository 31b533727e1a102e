//! KV-1, BATCH-3, OWN-2: what clients at work at once are answered has an order.

use statehold_core::Ownership;

use crate::{
    Case, Context,
    case::cases,
    failure::Verdict,
    history::{Histories, linearisable},
};

pub(super) const CASES: &[Case] = cases![Functional:
    kv_1_what_eight_clients_read_and_write_has_an_order,
    batch_3_conditional_batches_of_eight_clients_have_an_order,
    batch_3_clients_of_two_stores_that_share_have_an_order(Shared, Persistent),
    own_2_clients_that_drop_their_commits_have_an_order,
];

fn histories(cx: &Context) -> Histories {
    Histories { seed: cx.seed, ..Histories::default() }
}

async fn kv_1_what_eight_clients_read_and_write_has_an_order(cx: &Context) -> Verdict {
    linearisable(&[cx.open().await?], histories(cx)).await
}

async fn batch_3_conditional_batches_of_eight_clients_have_an_order(cx: &Context) -> Verdict {
    linearisable(&[cx.open().await?], Histories { conditions: true, ..histories(cx) }).await
}

async fn batch_3_clients_of_two_stores_that_share_have_an_order(cx: &Context) -> Verdict {
    let shared = || cx.open_with(|request| request.ownership = Ownership::Shared);
    linearisable(&[shared().await?, shared().await?], Histories { conditions: true, ..histories(cx) }).await
}

async fn own_2_clients_that_drop_their_commits_have_an_order(cx: &Context) -> Verdict {
    linearisable(&[cx.open().await?], Histories { conditions: true, drops: true, ..histories(cx) }).await
}
