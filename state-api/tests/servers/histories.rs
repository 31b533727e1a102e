//! Histories of clients whose server is killed: what they were answered still has an order.

use statehold::core::Ownership;
use statehold_conformance::{Histories, linearisable};

use crate::server::on_both;

on_both! {
    async fn batch_3_clients_of_a_server_that_is_killed_have_an_order(server: Server) {
        let mut server = server;
        let mut stores = Vec::new();
        for _ in 0..4 {
            stores.push(server.open_with(server.options(), |r| r.ownership = Ownership::Shared).await.unwrap());
        }
        let seed = 20_261_122;
        for kill in 0..5 {
            let stores = stores.clone();
            let what = Histories { seed: seed + kill, rounds: 12, conditions: true, faults: true, ..Histories::default() };
            let clients = tokio::spawn(async move { linearisable(&stores, what).await });
            // In the middle of their work, wherever that is.
            tokio::time::sleep(std::time::Duration::from_millis(20 * (kill + 1))).await;
            server.kill();
            server.restart();
            clients.await.unwrap().unwrap_or_else(|failure| panic!("{failure}\nseed {}", seed + kill));
        }
    }
}
