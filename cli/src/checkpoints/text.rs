//! Checkpoints as tables.

use statehold::archive::{CheckpointInfo, CheckpointSummary, Metadata, ObjectInfo, Status, Verified};

use crate::{table, units};

fn status(of: &CheckpointSummary) -> &'static str {
    match of.status {
        Status::Current => "current",
        Status::Superseded => "superseded",
    }
}

pub(super) fn listed(list: &[CheckpointSummary]) -> String {
    if list.is_empty() {
        return "There are no checkpoints yet.".into();
    }
    let head = ["id", "status", "taken", "claim", "stores", "parts", "rows", "size", "new", "took", "metadata"];
    let mut table = table::plain(&head, &[0, 3, 5, 6, 7, 8, 9]);
    for one in list {
        table.add_row([
            one.id.to_string(),
            status(one).to_owned(),
            units::instant(one.created_at),
            one.claim.to_string(),
            one.stores.join(", "),
            one.parts.to_string(),
            units::known(one.rows, units::count),
            units::bytes(one.size),
            units::bytes(one.new_bytes),
            format!("{} ms", units::count(one.duration_ms)),
            metadata(&one.metadata),
        ]);
    }
    table.to_string()
}

pub(super) fn shown(info: &CheckpointInfo) -> String {
    let of = &info.summary;
    let mut text = format!(
        "Checkpoint {}, {}, taken {} in {} ms under claim {}; it added {}.\n",
        of.id,
        status(of),
        units::instant(of.created_at),
        units::count(of.duration_ms),
        of.claim,
        units::bytes(of.new_bytes)
    );
    let mut states = table::plain(&["store", "state", "model", "key", "value", "rows", "bytes"], &[5, 6]);
    for store in &info.contents {
        for state in &store.states {
            let spec = &state.spec;
            let key =
                spec.sub_type.as_ref().map_or_else(|| spec.key_type.clone(), |sub| format!("{}, {sub}", spec.key_type));
            states.add_row([
                store.name.clone(),
                spec.name.clone(),
                spec.model.as_str().to_owned(),
                key,
                format!("{} v{}", spec.codec, spec.schema_version),
                units::known(state.rows, units::count),
                units::known(state.bytes, units::bytes),
            ]);
        }
    }
    text.push_str(&format!("\n{states}\n"));
    let mut objects = table::plain(&["object", "holds", "bytes"], &[1, 2]);
    for object in info.contents.iter().flat_map(|s| &s.objects) {
        objects.add_row([object.name.clone(), holds(object), units::bytes(object.bytes)]);
    }
    text.push_str(&format!("\n{objects}\n"));
    for (name, value) in of.metadata.iter() {
        text.push_str(&format!("\n{name}: {value}"));
    }
    text
}

/// How many rows, or which of the engine's own files it is.
fn holds(object: &ObjectInfo) -> String {
    object.file.clone().unwrap_or_else(|| format!("{} rows", units::count(object.rows)))
}

pub(super) fn verified(of: &Verified) -> String {
    let rows = of.rows.map(|rows| format!("{} rows in ", units::count(rows))).unwrap_or_default();
    let (objects, bytes) = (units::count(of.objects), units::bytes(of.object_bytes));
    format!("Checkpoint {} is whole: {rows}{objects} objects, {bytes}.", of.checkpoint.id)
}

/// On one line, cut off where it is long.
fn metadata(of: &Metadata) -> String {
    const MOST: usize = 60;
    let all: Vec<String> = of.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let line = all.join(" ");
    if line.chars().count() <= MOST { line } else { line.chars().take(MOST).chain(['…']).collect() }
}
