//! The protocol of an archive's log, model-checked: every schedule of owners, coordinator, pruner and object store
//! within a bound, with crashes and time-outs anywhere. `docs/src/decisions/0020-archive-protocol.md` has the rules
//! in words; each test of `broken` takes one of them away and expects the checkpoint that is then lost.
#![allow(unreachable_pub, clippy::print_stdout, reason = "modules of a test, which says how far it looked")]

#[path = "archive_protocol/broken.rs"]
mod broken;
#[path = "archive_protocol/properties.rs"]
mod properties;
#[path = "archive_protocol/protocol.rs"]
mod protocol;
#[path = "archive_protocol/record.rs"]
mod record;
#[path = "archive_protocol/replay.rs"]
mod replay;
#[path = "archive_protocol/rules.rs"]
mod rules;
#[path = "archive_protocol/scenarios.rs"]
mod scenarios;
#[path = "archive_protocol/sound.rs"]
mod sound;
#[path = "archive_protocol/world.rs"]
mod world;
