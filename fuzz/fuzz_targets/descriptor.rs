//! Any text as a descriptor: one that holds together, or an error that says where. And sizes and durations.
#![no_main]

use std::env;

use libfuzzer_sys::fuzz_target;
use statehold::{Descriptor, ErrorKind, parse_duration};
use statehold_core::parse_bytes;
use statehold_fuzz as _;

const FILE: &str = "fuzz.toml";

/// Every error names file and line.
fn assert_located(message: &str, text: &str) {
    let place = message.strip_prefix(FILE).and_then(|m| m.strip_prefix(':')).and_then(|m| m.split_once(':'));
    let line = place.and_then(|(line, _)| line.parse::<usize>().ok());
    let lines = 1 + text.bytes().filter(|b| *b == b'\n').count();
    assert!(line.is_some_and(|line| (1..=lines).contains(&line)), "{message}");
}

fuzz_target!(|text: &str| {
    match Descriptor::from_toml(text, FILE) {
        Ok(descriptor) => {
            descriptor.validate().expect("what was read is valid");
            for state in descriptor.states.keys() {
                assert!(descriptor.store_of(state).is_some_and(|store| descriptor.stores.contains_key(store)));
            }
            assert_eq!(Descriptor::from_toml(text, FILE).expect("it was read once"), descriptor);
        }
        Err(e) => {
            assert_eq!(e.kind(), ErrorKind::InvalidInput, "{e}");
            assert_located(e.message(), text);
            // What comes from the environment is never shown.
            let secret = env::var("PATH").unwrap_or_default();
            assert!(secret.is_empty() || text.contains(&secret) || !format!("{e}{e:?}").contains(&secret), "{e}");
        }
    }
    for refused in [parse_bytes(text).err(), parse_duration(text).err()].into_iter().flatten() {
        assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{refused}");
    }
});
