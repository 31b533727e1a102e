//! [`Trace`]: what strace saw of a child.

use std::{collections::HashMap, path::Path, process::Command};

use crate::failure::Failure;

/// Calls that write to files or sync them.
const CALLS: &str = "write,pwrite64,writev,pwritev,pwritev2,msync,fsync,fdatasync,sync_file_range,syncfs,sync";

/// strace of this executable, writing to `out`.
pub(super) fn command(out: &Path) -> Result<Command, Failure> {
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-qq", "-e", "signal=none", "-s", "32", "-e"]).arg(format!("trace={CALLS}"));
    command.arg("-o").arg(out).arg(std::env::current_exe()?);
    Ok(command)
}

/// One thing that happened, in the order of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// A file was written.
    Wrote(String),
    /// A sync of a file began.
    Syncs(String),
    /// It came back with success, and what had been written before it began is on the disk.
    Synced(String),
    /// The child told its parent this.
    Said(String),
}

/// The events of a trace. A call that another thread interrupts is two lines: `… <unfinished ...>` and
/// `<... call resumed> …`.
pub(super) fn events(trace: &str) -> Vec<Event> {
    let mut events = Vec::new();
    let mut unfinished: HashMap<&str, &str> = HashMap::new();
    for line in trace.lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if let Some(begun) = rest.strip_suffix("<unfinished ...>") {
            unfinished.insert(thread, begun);
            events.extend(began(begun));
        } else if rest.starts_with("<... ") {
            let begun = unfinished.remove(thread).unwrap_or_default();
            events.extend(ended(begun, rest));
        } else {
            events.extend(began(rest));
            events.extend(ended(rest, rest));
        }
    }
    events
}

/// `call(3</path>, "…", …`: the call, the descriptor, its path.
fn parts(call: &str) -> Option<(&str, &str, &str)> {
    let (name, arguments) = call.split_once('(')?;
    let (descriptor, rest) = arguments.split_once('<')?;
    let (path, _) = rest.split_once('>')?;
    Some((name, descriptor, path))
}

fn is_sync(name: &str) -> bool {
    matches!(name, "fsync" | "fdatasync")
}

fn began(call: &str) -> Option<Event> {
    let (name, _, path) = parts(call)?;
    is_sync(name).then(|| Event::Syncs(path.to_owned()))
}

fn ended(call: &str, end: &str) -> Option<Event> {
    let (name, descriptor, path) = parts(call)?;
    let (_, result) = end.rsplit_once(" = ")?;
    let failed = result.starts_with('-');
    if is_sync(name) {
        return (!failed).then(|| Event::Synced(path.to_owned()));
    }
    if !name.contains("write") || failed {
        return None;
    }
    if descriptor == "1" {
        let said = call.split('"').nth(1)?;
        return Some(Event::Said(said.trim_end_matches("\\n").to_owned()));
    }
    path.starts_with('/').then(|| Event::Wrote(path.to_owned()))
}

/// The words that the child said without having synced, since it last spoke, a file in `dir` that it had written
/// in that time.
pub(super) fn said_unsynced(events: &[Event], dir: &str) -> Vec<String> {
    let mut unsynced = Vec::new();
    let (mut written, mut syncing, mut synced) = (Vec::new(), Vec::new(), false);
    for event in events {
        match event {
            Event::Wrote(path) if path.starts_with(dir) => written.push(path),
            Event::Wrote(_) => {}
            Event::Syncs(path) => syncing.extend(written.contains(&path).then_some(path)),
            Event::Synced(path) => synced |= syncing.contains(&path),
            Event::Said(what) => {
                if !synced {
                    unsynced.push(what.clone());
                }
                (written, syncing, synced) = (Vec::new(), Vec::new(), false);
            }
        }
    }
    unsynced
}

#[cfg(test)]
mod tests {
    use super::*;

    const HONEST: &str = r#"7 pwrite64(9</d/wal>, "abc", 3, 0) = 3
7 fdatasync(9</d/wal>) = 0
7 write(1<pipe:[5]>, "1\n", 2) = 2
7 write(9</d/wal>, "abc", 3) = 3
8 write(4</d/LOG>, "x", 1 <unfinished ...>
7 fdatasync(9</d/wal> <unfinished ...>
8 <... write resumed>) = 1
7 <... fdatasync resumed>) = 0
7 write(1<pipe:[5]>, "2\n", 2) = 2
"#;

    fn unsynced(trace: &str) -> Vec<String> {
        said_unsynced(&events(trace), "/d/")
    }

    #[test]
    fn each_word_behind_a_sync_of_what_was_written_is_fine() {
        assert_eq!(unsynced(HONEST), Vec::<String>::new());
        let said = events(HONEST).into_iter().filter(|event| matches!(event, Event::Said(_))).count();
        assert_eq!(said, 2);
    }

    #[test]
    fn a_word_without_a_sync_is_found() {
        assert_eq!(unsynced(&HONEST.replace("7 fdatasync(9</d/wal>) = 0\n", "")), ["1"]);
    }

    #[test]
    fn a_sync_that_failed_or_came_before_the_write_or_of_another_file_is_none() {
        let first = "7 fdatasync(9</d/wal>) = 0\n";
        for lie in [
            HONEST.replacen("= 0", "= -1 EIO (Input/output error)", 1),
            HONEST.replacen(first, "7 fdatasync(9</d/other>) = 0\n", 1),
            [first, &HONEST.replacen(first, "", 1)].concat(),
        ] {
            assert_eq!(unsynced(&lie), ["1"], "{lie}");
        }
    }

    #[test]
    fn a_sync_that_has_not_come_back_is_none() {
        let early = HONEST.replace("7 <... fdatasync resumed>) = 0\n", "") + "7 <... fdatasync resumed>) = 0\n";
        assert_eq!(unsynced(&early), ["2"]);
    }
}
