use std::sync::Arc;

use async_trait::async_trait;
use statehold::{
    ErrorKind, Model, Registry, Result, StateDescriptor,
    core::{Backend, Capabilities, OpenRequest, Options, Store},
    testing,
};

use crate::support::{Place, refused};

/// A kind of somebody else's: without TTL and revisions.
struct Plain(Arc<dyn Backend>);

#[async_trait]
impl Backend for Plain {
    fn kind(&self) -> &'static str {
        "plain"
    }
    fn capabilities(&self, options: &Options) -> Result<Capabilities> {
        Ok(Capabilities { ttl: false, revisions: false, ..self.0.capabilities(options)? })
    }
    async fn open(&self, request: OpenRequest) -> Result<Arc<dyn Store>> {
        self.0.open(request).await
    }
}

fn place() -> Place {
    let mut place = Place::new("memory");
    let memory = place.registry.get("memory").unwrap().clone();
    place.registry = place.registry.clone().with(Arc::new(Plain(memory)));
    place.kind = "plain";
    place
}

#[tokio::test]
async fn a_backend_of_a_third_party_is_opened_by_its_kind() {
    let place = place();
    let mut descriptor = place.descriptor();
    descriptor.stores.insert("local".into(), statehold::StoreDescriptor::new("plain"));
    descriptor.states.remove("versioned");
    let manager = place.open(descriptor).await;
    let kv = manager.key_value::<u64, u64>("kv").await.unwrap();
    kv.put(&1, 1).await.unwrap();
    assert_eq!(kv.get(&1).await.unwrap(), Some(1));
    manager.close().await.unwrap();
    let kinds: Vec<&str> = place.registry.iter().map(|b| b.kind()).collect();
    assert_eq!(kinds, ["memory", "plain"]);
    let (kind, message) = refused(place.registry.get("other").map(|_| ()));
    assert_eq!(kind, ErrorKind::InvalidInput);
    assert!(message.contains("memory, plain"), "{message}");
}

#[tokio::test]
async fn cap_1_a_state_that_needs_what_the_engine_does_not_declare_is_refused_naming_it() {
    for (what, state) in
        [("ttl", StateDescriptor::new(Model::Kv).ttl(5)), ("revisions", StateDescriptor::new(Model::Kv).revisions())]
    {
        let place = place();
        let descriptor = statehold::Descriptor::new("orders")
            .store("local", statehold::StoreDescriptor::new("plain"))
            .state("fine", StateDescriptor::new(Model::Kv))
            .state("wanting", state);
        let (kind, message) = refused(place.builder(descriptor).open().await);
        assert_eq!(kind, ErrorKind::Unsupported);
        assert!(message.contains(what) && message.contains("wanting") && message.contains("`local`"), "{message}");
    }
}

#[tokio::test]
async fn testing_managers_share_nothing_and_keep_checkpoints() {
    use statehold::archive::{CheckpointId, Metadata, Select};
    let one = testing::memory_manager(&[("counts", Model::Kv)]).await.unwrap();
    let two = testing::memory_manager(&[("counts", Model::Kv)]).await.unwrap();
    let counts = one.key_value::<String, u64>("counts").await.unwrap();
    counts.put("a", 1).await.unwrap();
    one.archive(CheckpointId(1), &Metadata::new()).await.unwrap();
    assert_eq!(two.key_value::<String, u64>("counts").await.unwrap().get("a").await.unwrap(), None);
    assert_eq!(refused(two.recover(Select::Latest).await).0, ErrorKind::NotFound);
    counts.put("a", 2).await.unwrap();
    one.recover(Select::Latest).await.unwrap();
    assert_eq!(one.key_value::<String, u64>("counts").await.unwrap().get("a").await.unwrap(), Some(1));
    one.close().await.unwrap();
    two.close().await.unwrap();
}

#[test]
fn an_empty_registry_knows_no_kind() {
    assert_eq!(Registry::empty().iter().count(), 0);
}
