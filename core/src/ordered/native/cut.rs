//! [`Cut`]: links to all files of one instant, and what they say of themselves.

use std::sync::{Arc, atomic::Ordering};

use super::{super::files::folder_in, folder::Folder};
use crate::{
    Millis, NativeCut, NativeFile, Result, StateSpec,
    ordered::{
        Access, FileEngine,
        inner::{Inner, session_of},
        meta::Head,
        open,
    },
    step,
};

/// The links go when it is dropped.
struct Cut {
    files: Vec<NativeFile>,
    states: Vec<StateSpec>,
    head: Head,
    session: String,
    _folder: Folder,
}

/// Commits are not held up: which instant the files are of is read from them.
pub(super) fn take<E: FileEngine>(inner: &Arc<Inner<E>>, name: &str) -> Result<impl NativeCut + use<E>> {
    inner.check_writable()?;
    let now = inner.clock.now();
    inner.clock.raise(now);
    {
        let mut writer = inner.lock();
        // Who recovers the cut must go on above all ordinals that were handed out.
        let session = session_of(inner.ordinals.load(Ordering::Acquire));
        if session > writer.head.session {
            let head = Head { session, ..writer.head };
            inner.write_head(&mut writer, head, inner.level(), |_| Ok(()))?;
        }
    }
    let engine = inner.engine()?;
    let folder = Folder::at(folder_in(&*engine, name), &inner.resources);
    let files = engine.link(folder.path())?;
    step("cut.linked");
    let linked = engine.open_files(folder.path(), Access::Read)?;
    let mut head = open::head(&linked)?;
    head.check(inner.groups)?;
    head.floor = head.floor.max(now.0);
    let mut states: Vec<_> = open::states(&linked)?.iter().map(|state| (*state.spec).clone()).collect();
    let session = engine.session().to_owned();
    // Writer before engine: a switch of files waits for the one with the other in hand.
    drop(engine);
    // Not before the link, which would have to write it into a file of its own. The cut itself says it.
    inner.raise_floor(&mut inner.lock(), now)?;
    states.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(Cut { files, states, head, session, _folder: folder })
}

impl NativeCut for Cut {
    fn files(&self) -> &[NativeFile] {
        &self.files
    }

    fn states(&self) -> &[StateSpec] {
        &self.states
    }

    fn now(&self) -> Millis {
        Millis(self.head.floor)
    }

    fn incarnation(&self) -> u32 {
        self.head.incarnation.max(self.head.session)
    }

    fn session(&self) -> &str {
        &self.session
    }
}
