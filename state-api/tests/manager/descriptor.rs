//! Mistakes that only the manager can find, because they depend on the engines.

use statehold::{Descriptor, ErrorKind, Limits, Registry, StateManager};

use crate::support::{Place, refused};

/// Opens `text` as the file `orders.toml`; the error.
async fn mistake(place: &Place, text: &str) -> (ErrorKind, String) {
    let text = text.replace("DATA", place.folder.path().join("data").to_str().unwrap());
    let descriptor = Descriptor::from_toml(&text, "orders.toml").unwrap();
    refused(place.builder(descriptor).open().await)
}

/// Nothing was created, not even a folder.
fn is_untouched(place: &Place) -> bool {
    std::fs::read_dir(place.folder.path()).unwrap().next().is_none()
}

#[cfg(feature = "rocksdb")]
const FIRST: &str = "[stores.a]\nkind = 'rocksdb'\noptions = { path = 'DATA' }\n";
#[cfg(not(feature = "rocksdb"))]
const FIRST: &str = "[stores.a]\nkind = 'memory'\n# no option\n";

fn place() -> Place {
    let mut place = Place::new("memory");
    place.registry = Registry::default();
    place
}

#[tokio::test]
async fn own_3_an_unknown_kind_names_line_and_kinds_and_creates_nothing() {
    let place = place();
    let (kind, message) = mistake(
        &place,
        &format!("namespace = 'n'\narchive.url = 'file://DATA'\n{FIRST}[stores.b]\nkind = 'rocksbd'\n"),
    )
    .await;
    assert_eq!(kind, ErrorKind::InvalidInput);
    assert!(message.contains("orders.toml:7: stores.b.kind") && message.contains("memory"), "{message}");
    assert!(is_untouched(&place));
}

#[tokio::test]
async fn own_3_a_wrong_option_names_line_and_option_and_creates_nothing() {
    let place = place();
    let text = format!("namespace = 'n'\n{FIRST}[stores.b]\nkind = 'memory'\n\n[stores.b.options]\npth = 'x'\n");
    let (kind, message) = mistake(&place, &text).await;
    assert_eq!(kind, ErrorKind::InvalidInput);
    assert!(message.contains("orders.toml:9: stores.b.options.pth"), "{message}");
    assert!(is_untouched(&place));
}

#[tokio::test]
async fn cap_1_durability_ownership_and_limits_that_the_engine_lacks_are_refused_before_anything_is_created() {
    for (line, what) in [
        ("durability = 'power'", "stores.b.durability"),
        ("ownership = 'shared'", "stores.b.ownership"),
        ("limits = { value = '4 GiB' }", "stores.b.limits"),
    ] {
        let place = place();
        let text = format!("namespace = 'n'\n{FIRST}[stores.b]\nkind = 'memory'\n{line}\n");
        let (_, message) = mistake(&place, &text).await;
        assert!(message.contains(&format!("orders.toml:7: {what}")), "{message}");
        assert!(is_untouched(&place), "{line}");
    }
}

#[tokio::test]
async fn name_1_an_archive_that_is_no_url_is_refused_before_anything_is_created() {
    let place = place();
    let text = format!("namespace = 'n'\n{FIRST}[archive]\nurl = 'file://relative/path'\n");
    let (kind, message) = mistake(&place, &text).await;
    assert_eq!(kind, ErrorKind::InvalidInput);
    assert!(message.contains("orders.toml:6: archive.url") || message.contains("orders.toml:5: archive"), "{message}");
    assert!(is_untouched(&place));
}

#[tokio::test]
async fn name_3_key_groups_that_are_none_are_refused() {
    let place = Place::new("memory");
    for (groups, total) in [(5..5, 128), (0..129, 128), (0..1, 0), (0..1, 40_000)] {
        let mut descriptor = place.descriptor();
        descriptor.key_groups = total;
        assert_eq!(refused(place.builder(descriptor).groups(groups).open().await).0, ErrorKind::InvalidInput);
    }
    let mut descriptor = place.descriptor();
    descriptor.key_groups = 64;
    place.open(place.descriptor()).await.close().await.unwrap();
    let (kind, message) = refused(place.builder(descriptor).open().await);
    assert_eq!(kind, ErrorKind::InvalidInput);
    assert!(message.contains("128"), "{message}");
}

#[tokio::test]
async fn name_2_a_limit_that_no_list_could_keep_is_refused_where_there_is_a_list() {
    let place = place();
    let text = format!("namespace = 'n'\n{FIRST}limits = {{ sub = 7 }}\n[states.visits]\nmodel = 'list'\n");
    let (kind, message) = mistake(&place, &text).await;
    assert_eq!(kind, ErrorKind::InvalidInput);
    assert!(message.contains("orders.toml:5: stores.a.limits.sub") && message.contains("visits"), "{message}");
    assert!(is_untouched(&place));
}

#[tokio::test]
async fn name_2_a_limit_within_the_engines_own_can_be_raised() {
    let place = Place::new("memory");
    let mut descriptor = place.descriptor();
    descriptor.stores.get_mut("local").unwrap().limits = Limits { key: 4_096, ..Limits::default() };
    let manager = place.open(descriptor).await;
    let kv = manager.key_value::<String, u64>("kv").await.unwrap();
    kv.put(&"k".repeat(4_096), 1).await.unwrap();
    assert_eq!(refused(kv.put(&"k".repeat(4_097), 1).await).0, ErrorKind::LimitExceeded);
    manager.close().await.unwrap();
}

#[tokio::test]
async fn own_3_a_descriptor_file_that_cannot_be_read_says_which() {
    let place = Place::new("memory");
    let path = place.folder.path().join("none.toml");
    let (kind, message) = refused(StateManager::open(&path).await);
    assert_eq!(kind, ErrorKind::NotFound);
    assert!(message.contains("none.toml"), "{message}");
}
