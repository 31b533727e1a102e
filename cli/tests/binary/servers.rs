//! The command against private servers: the quickstart's own, and stores of a descriptor.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use statehold::testing::servers::{PostgresServer, RedisServer};
use tempfile::TempDir;

use crate::common::{Dice, Watched, expected, fails, held, ok, table};

/// A folder that the user `postgres` can enter.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// Kills it and its server with it, again and again but at most `most` times, until it has come to its end.
fn killed_with_its_server(store: &str, words: u64, most: usize) {
    let mut dice = Dice::new();
    let text = dice.text(words);
    let folder = folder();
    fs::write(folder.path().join("text"), &text).unwrap();
    let every = (words / 2).to_string();
    let arguments =
        ["quickstart", "--store", store, "--input", "text", "--output", "counts.tsv", "--checkpoint-every", &every];
    for kills in 0.. {
        let mut run = Watched::start(folder.path(), &arguments);
        if kills == most || !run.lines(2 + dice.below(4)) {
            run.ends_well();
            assert!(kills > 0, "it was never killed");
            break;
        }
        run.kill();
    }
    assert_eq!(fs::read_to_string(folder.path().join("counts.tsv")).unwrap(), table(&expected(&[&text])));
    let again = ok(folder.path(), &[&arguments[..], &["--json"]].concat());
    let in_place = store != "redis-cluster";
    assert!(again.contains(&format!("\"resumed_in_place\": {in_place}")), "{again}");
}

#[test]
fn batch_5_killed_with_its_redis_it_goes_on_in_place_and_ends_with_exact_counts() {
    killed_with_its_server("redis", 60_000, 20);
}

#[test]
fn batch_5_killed_with_its_postgres_it_goes_on_in_place_and_ends_with_exact_counts() {
    killed_with_its_server("postgres", 60_000, 20);
}

#[test]
fn killed_with_its_cluster_it_goes_back_to_a_checkpoint_and_ends_with_exact_counts() {
    killed_with_its_server("redis-cluster", 2000, 2);
}

/// Three stores, with the states in one of them.
fn descriptor(folder: &Path, redis: &RedisServer, postgres: &PostgresServer, states_in: &str) -> String {
    let name = format!("{states_in}.toml");
    let at = folder.display();
    let text = format!(
        "namespace = 'own'\narchive.url = 'file://{at}/archive'\n\
         [stores.disk]\nkind = 'rocksdb'\noptions.path = '{at}/data'\n\
         [stores.redis]\nkind = 'redis'\noptions.url = '{}'\n\
         [stores.postgres]\nkind = 'postgres'\noptions = {{ url = '{}', tls = 'disable' }}\n\
         [states]\nwords = {{ model = 'kv', store = '{states_in}' }}\n\
         widths = {{ model = 'map', store = '{states_in}' }}\nlines = {{ model = 'list', store = '{states_in}' }}\n",
        redis.url(),
        postgres.url(),
    );
    fs::write(folder.join(&name), text).unwrap();
    name
}

#[test]
fn life_7_a_copy_from_engine_to_engine_to_engine_has_everything() {
    let text = Dice::new().text(3000);
    let folder = folder();
    fs::write(folder.path().join("text"), &text).unwrap();
    let (redis, postgres) = (RedisServer::start().unwrap(), PostgresServer::start().unwrap());
    let disk = descriptor(folder.path(), &redis, &postgres, "disk");
    ok(folder.path(), &["quickstart", "--config", &disk, "--input", "text"]);
    let want = expected(&[&text]);
    for (from, to) in [("disk", "redis"), ("redis", "postgres"), ("postgres", "disk")] {
        let copy = ["copy", "--config", disk.as_str(), "--from", from, "--to", to];
        if to == "disk" {
            let refused = fails(folder.path(), &copy, 4);
            assert!(refused.contains("--replace"), "{refused}");
        }
        ok(folder.path(), &[&copy[..], &["--replace"]].concat());
        assert_eq!(held(folder.path(), &descriptor(folder.path(), &redis, &postgres, to)), want, "{from} to {to}");
    }
}

#[test]
fn an_administrator_migrates_up_and_down() {
    let folder = folder();
    let server = PostgresServer::start().unwrap();
    let text = format!(
        "namespace = 'own'\n[stores.s]\nkind = 'postgres'\n\
         options = {{ url = '{}', tls = 'disable', auto_migrate = false }}\n[states.words]\nmodel = 'kv'\n",
        server.url()
    );
    fs::write(folder.path().join("statehold.toml"), text).unwrap();
    let refused = fails(folder.path(), &["put", "words", "a", "1"], 2);
    assert!(refused.contains("auto_migrate"), "{refused}");
    assert!(ok(folder.path(), &["migrate", "version"]).contains("version 0"));
    assert!(ok(folder.path(), &["migrate", "up"]).contains("from version 0"));
    assert!(ok(folder.path(), &["migrate", "up"]).contains("already"));
    ok(folder.path(), &["migrate", "down", "--to", "0"]);
    assert!(ok(folder.path(), &["migrate", "version"]).contains("version 0"));
    let wrong = fails(folder.path(), &["migrate", "--store", "other", "up"], 3);
    assert!(wrong.contains("`s`") || wrong.contains(": s"), "{wrong}");
}
