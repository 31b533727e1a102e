//! [`NativeArchive`]: cuts as the engine's own files, and the way back (contract LIFE-3, LIFE-5, LIFE-6).
//!
//! Whoever archives copies a cut's files and keeps them by what is in them: files that an earlier cut
//! had already are kept once. Whoever recovers puts files back under their names and publishes them.

use std::path::PathBuf;

use async_trait::async_trait;

use crate::{KeyGroups, Millis, Result, StateSpec};

/// One immutable file of a cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NativeFile {
    /// Unique within the cut, in no folder: `[A-Za-z0-9_.-]+`, never `.` or `..`.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// Where it can be read as long as the cut lives and the store is not closed.
    pub path: PathBuf,
    /// In every cut of the same [`NativeCut::session`] a file of this name has the same bytes. `false` for
    /// small files such as manifests, which are written anew for each cut.
    pub stable: bool,
}

/// All states of a store at one instant, as the engine's own files. Nothing in it changes while this
/// lives; dropping it releases the files. Reading them never blocks writers.
pub trait NativeCut: Send + Sync {
    /// All files that a loader needs to have the cut's content.
    fn files(&self) -> &[NativeFile];

    /// The states at the cut, by name.
    fn states(&self) -> &[StateSpec];

    /// The instant by which expiry is judged.
    fn now(&self) -> Millis;

    /// The greatest revision or ordinal prefix handed out so far; a store that loads this cut goes on above it.
    fn incarnation(&self) -> u32;

    /// A random name of the time from an open or recover of the store to its close or next recover: never
    /// given twice. Two cuts of the same session have the same bytes in [stable](NativeFile::stable) files
    /// of the same name.
    fn session(&self) -> &str;
}

/// What a store keeps of the files that a [`NativeLoader`] was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptFiles {
    /// The [`NativeCut::session`] of all cuts until the store is closed or loaded again.
    pub session: String,
    /// If it is the folder of a part: within the session, a stable file with the name of one of the part's
    /// stable files has its bytes.
    pub folder: PathBuf,
}

/// Takes files beside the live data and switches to them. Nothing that readers see changes before
/// [`NativeLoader::publish`]; dropping it throws the files away.
#[async_trait]
pub trait NativeLoader: Send {
    /// A private, empty folder on the store's own file system for one archived part, of a store that had
    /// `groups`. The caller puts all files of the part there, under their names, verified and synced; hard
    /// links are welcome, as the loader never writes into a file given to it. Parts do not overlap.
    /// `now` and `incarnation` are those of [the cut](NativeCut::now), whose files need not hold them.
    ///
    /// # Errors
    /// - `InvalidInput`: another `key_groups`, or groups that a part before had; an incarnation that no store can
    ///   go on above.
    /// - `ResourceExhausted`, `Unavailable`: the folder cannot be made.
    fn part(&mut self, groups: KeyGroups, now: Millis, incarnation: u32) -> Result<PathBuf>;

    /// Opens the parts, keeps the rows of the loader's groups, joins them and switches to them in one
    /// atomic step, durably, above all incarnations, ordinals and instants of the old content and of the
    /// parts. State numbers from before are `Fenced` for ever, markers are forgotten, snapshots from
    /// before answer `Fenced`.
    ///
    /// Of the largest part those files that hold no other groups are kept as they are, so that the next
    /// cut has them byte for byte; no file of the next cut has rows of other groups.
    ///
    /// While it switches, reads answer `Unavailable` for a moment.
    ///
    /// # Errors
    /// - `InvalidInput`: the parts do not hold all groups, or a part is of other groups than it was said to be.
    /// - `Conflict`: the parts disagree on what a state is; a newer loader began.
    /// - `Corrupt`, `Unsupported`: a part cannot be opened; a newer format.
    /// - Whatever the engine fails with. In all cases the old content is still there.
    async fn publish(self: Box<Self>) -> Result<KeptFiles>;
}

/// Archives made of the engine's own files: what
/// [`Capabilities::native_archive`](crate::Capabilities::native_archive) declares.
#[async_trait]
pub trait NativeArchive: Send + Sync {
    /// What the files are, e.g. `rocksdb`: only a store that answers the same can load them.
    fn format(&self) -> &'static str;

    /// Does beforehand what would take long in a [`NativeArchive::cut`] right afterwards, such as writing memory
    /// into files.
    ///
    /// # Errors
    /// As [`NativeArchive::cut`].
    async fn ready(&self) -> Result<()>;

    /// Takes a cut at an instant between call and answer. Writes go on and are not in it. The upload of
    /// its [stable](NativeFile::stable) files is what changed since the cut before.
    ///
    /// # Errors
    /// `Unsupported` of a store that is open for reading only; whatever the engine fails with.
    async fn cut(&self) -> Result<Box<dyn NativeCut>>;

    /// Begins to load new content for `groups`, which are those of the store or some of them; the others
    /// keep their content. One of a store may load at a time: a newer one takes the place of an older one.
    ///
    /// # Errors
    /// `InvalidInput` for groups that are not the store's; `Unsupported` of a store that is open for reading only.
    async fn loader(&self, groups: KeyGroups) -> Result<Box<dyn NativeLoader>>;
}
