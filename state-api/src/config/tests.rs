//! Descriptor files: what is read, and what each mistake says.

use std::env::VarError;

use statehold_core::{Durability, Error, ErrorKind, Limits, Model, Options, Ownership, Result};

use super::{file, *};

fn read(text: &str) -> Result<Descriptor> {
    file::read(text, "orders.toml", &|name| match name {
        "PASSWORD" => Ok("hunter2".into()),
        "DATA" => Ok("/data".into()),
        _ => Err(VarError::NotPresent),
    })
}

/// What the user reads, without the kind, which is the same for all.
fn said(text: &str) -> String {
    let error = read(text).expect_err(text);
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    error.to_string().strip_prefix("invalid input: ").expect("the kind comes first").to_owned()
}

const SMALL: &str = "namespace = 'a'\n[stores.s]\nkind = 'memory'\n";

#[test]
fn a_full_file_reads_as_the_descriptor_made_in_code() {
    let text = r#"
namespace = "orders"
key_groups = 16
[memory]
engine = "1 GiB"
write_buffer = 1024
cache = 0
[archive]
url = "file://${DATA}/archive"
[stores.local]
kind = "rocksdb"
durability = "power"
ownership = "read-only"
write_buffer = "4 kB"
limits = { key = 16, value = "1 MiB" }
options = { path = "${DATA}/$${x}", bloom_bits = 10, ratio = 0.5, fast = true }
[states.counts]
model = "map"
store = "local"
ttl = "7d"
revisions = true
codec = "json"
cache = "1 MB"
"#;
    let mut store = StoreDescriptor::new("rocksdb").durability(Durability::Power).write_buffer(4000);
    store.ownership = Ownership::ReadOnly;
    store.limits = Limits { key: 16, value: 1 << 20, ..Limits::default() };
    store.options =
        Options::new().with("path", "/data/${x}").with("bloom_bits", 10i64).with("ratio", 0.5).with("fast", true);
    let state = StateDescriptor::new(Model::Map).in_store("local").ttl(604_800_000).revisions().codec("json");
    let mut want = Descriptor::new("orders")
        .archive("file:///data/archive")
        .memory(MemoryDescriptor { engine: 1 << 30, write_buffer: 1024, cache: 0 })
        .store("local", store)
        .state("counts", state.cache(1_000_000));
    want.key_groups = 16;
    assert_eq!(read(text).unwrap(), want);
}

#[test]
fn what_is_left_out_is_the_default() {
    let want = Descriptor::new("a").store("s", StoreDescriptor::new("memory"));
    assert_eq!(read(SMALL).unwrap(), want);
    let text = format!("{SMALL}[states.n]\nmodel = 'list'\n");
    assert_eq!(read(&text).unwrap(), want.state("n", StateDescriptor::new(Model::List)));
}

#[test]
fn each_mistake_in_a_key_names_line_path_and_the_allowed_keys() {
    let table = [
        (
            "namespac = 'a'",
            "orders.toml:1: namespac: unknown key; did you mean `namespace`? allowed: namespace, key_groups, memory, \
             archive, stores, states",
        ),
        ("", "orders.toml:1: the key `namespace` is missing; set `namespace` here"),
        (
            "namespace = 'a'\n[stores.s]\nkidn = 'memory'",
            "orders.toml:3: stores.s.kidn: unknown key; did you mean `kind`? allowed: kind, durability, ownership, \
             write_buffer, limits, options",
        ),
        ("namespace = 'a'\n\n[stores.s]\n", "orders.toml:3: stores.s: the key `kind` is missing; set `kind` here"),
        (
            "namespace = 'a'\n[stores.s]\nkind = 'memory'\nlimits = { keys = 1 }",
            "orders.toml:4: stores.s.limits.keys: unknown key; did you mean `key`? allowed: key, sub, label, value, batch",
        ),
        (
            "namespace = 'a'\n[stores.s]\nkind = 'memory'\n[states.counts]\nmodle = 'kv'\nx = 1",
            "orders.toml:5: states.counts.modle: unknown key; did you mean `model`? allowed: model, store, ttl, \
             revisions, codec, cache",
        ),
        (
            "namespace = 'a'\n[stores.s]\nkind = 'memory'\n[states.'a b']\nmodle = 'kv'",
            "orders.toml:5: states.\"a b\".modle: unknown key; did you mean `model`? allowed: model, store, ttl, \
             revisions, codec, cache",
        ),
        (
            "namespace = 'a'\narchive = { urls = 1 }\n[stores.s]\nkind = 'memory'",
            "orders.toml:2: archive.urls: unknown key; did you mean `url`? allowed: url, form, keep_last, keep_for",
        ),
        (
            "namespace = 'a'\n[memory]\nengine = 1\nbuffer = 2",
            "orders.toml:4: memory.buffer: unknown key; allowed: engine, write_buffer, cache",
        ),
    ];
    for (text, want) in table {
        assert_eq!(said(text), want, "{text}");
    }
}

#[test]
fn each_wrong_value_of_a_store_says_what_was_expected() {
    let table = [
        (
            "durability = 'proces'",
            "durability: unknown durability `proces`; did you mean `process`? allowed: visible, process, power",
        ),
        ("durability = 1", "durability: expected text in quotes, found a whole number"),
        ("ownership = 'mine'", "ownership: unknown ownership `mine`; allowed: exclusive, shared, read-only"),
        (
            "write_buffer = '1 MiBB'",
            "write_buffer: `1 MiBB` is not a size; write e.g. 67108864, \"64 MiB\" or \"64 MB\"",
        ),
        ("write_buffer = -1", "write_buffer: `-1` is not a size; write e.g. 67108864, \"64 MiB\" or \"64 MB\""),
        ("write_buffer = true", "write_buffer: expected a size such as \"64 MiB\", found true or false"),
        ("limits = 7", "limits: expected a table, found a whole number"),
        ("limits = { key = 0 }", "limits.key: a limit of 0 refuses everything; give at least 1 byte, or leave it out"),
        ("options = { a = [1] }", "options.a: expected text, a number of 64 bits, true or false, found an array"),
        (
            "options = { a = 99999999999999999999 }",
            "options.a: expected text, a number of 64 bits, true or false, found a whole number",
        ),
    ];
    for (line, want) in table {
        assert_eq!(said(&format!("{SMALL}{line}")), format!("orders.toml:4: stores.s.{want}"), "{line}");
    }
}

#[test]
fn each_wrong_value_of_a_state_says_what_was_expected() {
    let table = [
        ("model = 'vk'", "model: unknown model `vk`; allowed: kv, list, map"),
        ("model = 'mapp'", "model: unknown model `mapp`; did you mean `map`? allowed: kv, list, map"),
        (
            "model = 'kv'\nttl = '7w'",
            "ttl: `7w` is not a duration; write e.g. \"500ms\", \"30s\", \"15m\", \"12h\" or \"7d\"",
        ),
        ("model = 'kv'\nttl = 7", "ttl: expected a duration such as \"7d\", found a whole number"),
        ("model = 'kv'\nttl = '0s'", "ttl: a ttl of 0 expires entries as they are written; leave it out to keep them"),
        ("model = 'kv'\nrevisions = 'yes'", "revisions: expected true or false, found text"),
        (
            "model = 'list'\nrevisions = true",
            "revisions: lists carry no revisions; leave it out, or choose model kv or map",
        ),
        ("model = 'kv'\nstore = 't'", "store: there is no store `t`; allowed: s"),
        ("model = 'kv'\ncodec = ''", "codec: the codec has no name; use postcard, json, bytes, or one of your own"),
    ];
    for (lines, want) in table {
        let line = 4 + lines.lines().count();
        let text = format!("{SMALL}[states.n]\n{lines}\n");
        assert_eq!(said(&text), format!("orders.toml:{line}: states.n.{want}"), "{lines}");
    }
}

#[test]
fn what_the_whole_lacks_is_told() {
    let name = "use 1 to 128 letters, digits, `_`, `.` or `-`, beginning with a letter, a digit or `_`";
    let table = [
        ("namespace = '../a'", format!("orders.toml:1: namespace: `../a` is not a name; {name}")),
        (
            "namespace = 'a'",
            "orders.toml:1: stores: there is no store; add one, e.g. [stores.local] with kind = \"rocksdb\"".into(),
        ),
        (
            "namespace = 'a'\nkey_groups = 70000",
            "orders.toml:2: key_groups: 70000 is not a whole number from 1 to 32768".into(),
        ),
        (
            "namespace = 'a'\nkey_groups = 0",
            "orders.toml:2: key_groups: key_groups = 0 is out of range; choose 1 to 32768; 128 suits most namespaces"
                .into(),
        ),
        (
            "namespace = 'a'\nstores.s.kind = 'memory'\nstores.t.kind = 'memory'\n[states.n]\nmodel = 'kv'",
            "orders.toml:4: states.n.store: several stores, and none is named; set `store` to one of: s, t".into(),
        ),
        (
            "namespace = 'a'\n[stores.'a/b']\nkind = 'memory'",
            format!("orders.toml:2: stores.\"a/b\": `a/b` is not a name; {name}"),
        ),
        (
            "namespace = 'a'\n[[stores]]\nkind = 'memory'",
            "orders.toml:2: stores: expected a table, found an array".into(),
        ),
    ];
    for (text, want) in table {
        assert_eq!(said(text), want, "{text}");
    }
}

#[test]
fn syntax_errors_have_a_line_and_show_no_line_of_the_file() {
    let table = [
        (
            "namespace = 'a'\nname",
            "orders.toml:2: not TOML: key with no value, expected `=`; see https://toml.io for the syntax",
        ),
        ("a = 1\na = 2", "orders.toml:2: not TOML: duplicate key; see https://toml.io for the syntax"),
        (
            "url = s3://hunter2",
            "orders.toml:1: not TOML: string values must be quoted, expected literal string; see https://toml.io for the syntax",
        ),
    ];
    for (text, want) in table {
        assert_eq!(said(text), want, "{text}");
    }
}

#[test]
fn own_4_what_came_from_the_environment_is_never_shown() {
    let ttl = "[states.n]\nmodel = 'kv'\nttl = '${PASSWORD}'";
    for lines in ["write_buffer = '${PASSWORD}'", "durability = '${PASSWORD}'", ttl] {
        let said = said(&format!("{SMALL}{lines}"));
        assert!(said.contains("`${PASSWORD}`") && !said.contains("hunter2"), "{said}");
    }
    let descriptor =
        read(&format!("archive.url = 's3://me:${{PASSWORD}}@host'\n{SMALL}options.p = '${{PASSWORD}}'")).unwrap();
    assert!(!format!("{descriptor:?}").contains("hunter2"), "{descriptor:?}");
}

#[test]
fn an_unset_variable_is_named_with_line_and_key() {
    assert_eq!(
        said(&format!("{SMALL}options = {{ path = '${{NOPE}}/x' }}")),
        "orders.toml:4: stores.s.options.path: the environment variable `NOPE` is not set; set it, or write `$${` for a \
         literal `${`"
    );
}

#[test]
fn errors_of_the_manager_are_located_by_their_subject() {
    let descriptor =
        read(&format!("{SMALL}durability = 'power'\noptions = {{ pth = 1 }}\n[states.n]\nmodel = 'kv'")).unwrap();
    let located = |subject: &str, section: &str| {
        descriptor.locate(Error::invalid("no").about(subject), section).message().to_owned()
    };
    assert_eq!(located("pth", "stores.s.options"), "orders.toml:5: stores.s.options.pth: no");
    assert_eq!(located("durability", "stores.s.options"), "orders.toml:4: stores.s.durability: no");
    assert_eq!(located("path", "stores.s.options"), "orders.toml:5: stores.s.options: no");
    assert_eq!(located("apple", "states.n.codec"), "orders.toml:6: states.n.codec: no");
    let unnamed = descriptor.locate(Error::invalid("no"), "stores.s.kind");
    assert_eq!(unnamed.message(), "orders.toml:3: stores.s.kind: no");
}

#[test]
fn a_descriptor_from_code_is_held_to_the_same_rules_without_lines() {
    let descriptor = Descriptor::new("a")
        .store("s", StoreDescriptor::new("memory"))
        .state("n", StateDescriptor::new(Model::Kv).in_store("t"));
    let error = descriptor.validate().unwrap_err();
    assert_eq!(error.to_string(), "invalid input: states.n.store: there is no store `t`; allowed: s");
}

#[test]
fn files_that_cannot_be_read_say_why() {
    let folder = tempfile::tempdir().unwrap();
    let missing = Descriptor::from_file(folder.path().join("x.toml")).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    assert!(missing.to_string().ends_with("x.toml`; check the path"), "{missing}");
    let directory = Descriptor::from_file(folder.path()).unwrap_err();
    assert!(directory.to_string().ends_with("; name the file, not its folder"), "{directory}");
    let binary = folder.path().join("binary.toml");
    std::fs::write(&binary, [0xFF, 0xFE]).unwrap();
    let error = Descriptor::from_file(&binary).unwrap_err();
    assert!(error.to_string().ends_with("; a descriptor is TOML in UTF-8"), "{error}");
    std::fs::write(&binary, SMALL).unwrap();
    assert_eq!(Descriptor::from_file(&binary).unwrap().namespace, "a");
}
