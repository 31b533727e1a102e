use bytes::Bytes;
use postcard_schema::Schema;
use serde::{Deserialize, Serialize};
use statehold::{Codec, ErrorKind, Json, Model, Result, StateDescriptor, ValueType};

use crate::support::{Place, on_every_engine, refused};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Schema)]
struct Price {
    amount: u32,
    tax: u32,
}

mod swapped {
    use super::*;
    /// The same name and types, the fields in another order: postcard alone would read it without an error.
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Schema)]
    pub(super) struct Price {
        pub(super) tax: u32,
        pub(super) amount: u32,
    }
}

/// Version 1 of a price.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Schema)]
struct Money {
    cents: u64,
}

fn money() -> ValueType<Money> {
    ValueType::postcard().version(1)
}

fn upgraded() -> ValueType<Money> {
    money().upgrade(|version, bytes| {
        assert_eq!(version, 0);
        let Price { amount, tax } = ValueType::postcard().decode(bytes)?;
        Ok(Money { cents: u64::from(amount + tax) })
    })
}

async fn write_prices(place: &Place) {
    let manager = place.open(place.descriptor()).await;
    let prices = manager.key_value::<String, Price>("kv").await.unwrap();
    prices.put("pear", Price { amount: 80, tax: 7 }).await.unwrap();
    prices.put("plum", Price { amount: 20, tax: 1 }).await.unwrap();
    manager.close().await.unwrap();
}

on_every_engine! {
    async fn name_4_two_fields_swapped_are_another_schema_and_refused(place: Place) {
        write_prices(&place).await;
        let manager = place.open(place.descriptor()).await;
        let (kind, message) = refused(manager.key_value::<String, swapped::Price>("kv").await);
        assert_eq!(kind, ErrorKind::Conflict);
        assert!(message.contains("`kv`") && message.contains("fingerprint"), "{message}");
        let prices = manager.key_value::<String, Price>("kv").await.unwrap();
        assert_eq!(prices.get("pear").await.unwrap(), Some(Price { amount: 80, tax: 7 }));
        manager.close().await.unwrap();
    }

    async fn name_4_a_declared_upgrade_reads_old_values_and_writes_new_ones(place: Place) {
        write_prices(&place).await;
        let manager = place.open(place.descriptor()).await;
        assert_eq!(refused(manager.key_value_of::<String, Money>("kv", money()).await).0, ErrorKind::Conflict);
        let state = manager.key_value_of::<String, Money>("kv", upgraded()).await.unwrap();
        assert_eq!(state.get("pear").await.unwrap(), Some(Money { cents: 87 }));
        state.update("plum", |m| Ok(Money { cents: m.unwrap().cents + 1 })).await.unwrap();
        manager.close().await.unwrap();
        // The old program is refused now, and the new one reads both.
        let manager = place.open(place.descriptor()).await;
        let (kind, message) = refused(manager.key_value::<String, Price>("kv").await);
        assert_eq!(kind, ErrorKind::Conflict);
        assert!(message.contains("schema version is 1 in the store and 0 here"), "{message}");
        let state = manager.key_value_of::<String, Money>("kv", upgraded()).await.unwrap();
        let found = state.get_many(&["pear", "plum"]).await.unwrap();
        assert_eq!(found, [Some(Money { cents: 87 }), Some(Money { cents: 22 })]);
        manager.close().await.unwrap();
    }

    async fn name_4_another_model_key_or_codec_than_was_stored_is_refused_naming_both(place: Place) {
        write_prices(&place).await;
        let manager = place.open(place.descriptor()).await;
        let (kind, message) = refused(manager.key_value::<u64, Price>("kv").await);
        assert_eq!(kind, ErrorKind::Conflict);
        assert!(message.contains("\"string\"") && message.contains("\"u64\""), "{message}");
        manager.close().await.unwrap();

        let json = place.descriptor().state("kv", StateDescriptor::new(Model::Kv).codec("json"));
        let manager = place.open(json).await;
        let (kind, message) = refused(manager.key_value::<String, Price>("kv").await);
        assert_eq!(kind, ErrorKind::Conflict);
        assert!(message.contains("\"postcard\"") && message.contains("\"json\""), "{message}");
        manager.close().await.unwrap();

        let list = place.descriptor().state("kv", StateDescriptor::new(Model::List));
        let manager = place.open(list).await;
        let (kind, message) = refused(manager.key_list::<String, Price>("kv").await);
        assert_eq!(kind, ErrorKind::Conflict);
        assert!(message.contains("Kv") && message.contains("List"), "{message}");
        manager.close().await.unwrap();
    }

    async fn name_4_the_descriptor_and_the_program_must_agree_on_model_and_codec(place: Place) {
        let manager = place.open(place.descriptor()).await;
        assert_eq!(refused(manager.key_list::<String, u64>("kv").await).0, ErrorKind::InvalidInput);
        assert_eq!(refused(manager.key_map::<String, u64, u64>("kv").await).0, ErrorKind::InvalidInput);
        let json = manager.key_value_of::<String, u64>("kv", ValueType::json()).await;
        assert_eq!(refused(json).0, ErrorKind::InvalidInput);
        let (kind, message) = refused(manager.key_value::<String, u64>("carts").await);
        assert_eq!(kind, ErrorKind::NotFound);
        assert!(message.contains("kv, list, map"), "{message}");
        manager.close().await.unwrap();
    }

    async fn name_4_json_bytes_and_a_codec_of_ones_own_round_trip(place: Place) {
        let codec = |name| StateDescriptor::new(Model::Kv).codec(name);
        let descriptor = place.descriptor().state("j", codec("json")).state("b", codec("bytes")).state("o", codec("reversed"));
        for _ in 0..2 {
            let manager = place.open(descriptor.clone()).await;
            let json = manager.key_value::<String, Price>("j").await.unwrap();
            let bytes = manager.key_value_of::<String, Bytes>("b", ValueType::bytes()).await.unwrap();
            let own = manager.key_value_of::<String, String>("o", ValueType::own(Reversed)).await.unwrap();
            json.put("a", Price { amount: 1, tax: 2 }).await.unwrap();
            bytes.put("a", Bytes::from_static(&[0, 0xFF])).await.unwrap();
            own.put("a", "abc".into()).await.unwrap();
            manager.finish().await.unwrap();
            assert_eq!(json.get_many(&["a"]).await.unwrap(), [Some(Price { amount: 1, tax: 2 })]);
            assert_eq!(bytes.get_many(&["a"]).await.unwrap(), [Some(Bytes::from_static(&[0, 0xFF]))]);
            assert_eq!(own.get_many(&["a"]).await.unwrap(), [Some("abc".to_owned())]);
            // Whoever asks for a codec by name alone asks for one that is built in.
            assert_eq!(refused(manager.key_value::<String, String>("o").await).0, ErrorKind::InvalidInput);
            manager.close().await.unwrap();
        }
    }
}

struct Reversed;

impl Codec<String> for Reversed {
    fn name(&self) -> &str {
        "reversed"
    }
    fn fingerprint(&self) -> u64 {
        Codec::<String>::fingerprint(&Json)
    }
    fn encode(&self, value: &String, out: &mut Vec<u8>) -> Result<()> {
        out.extend(value.bytes().rev());
        Ok(())
    }
    fn decode(&self, bytes: Bytes) -> Result<String> {
        let bytes: Vec<u8> = bytes.iter().rev().copied().collect();
        String::from_utf8(bytes).map_err(|e| statehold::Error::corrupt("not text").because(e))
    }
}
