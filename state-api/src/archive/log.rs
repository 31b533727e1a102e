//! [`Log`]: the records of a namespace, in order, and how one is appended.
//!
//! Needs nothing of the object store but create-if-absent, get and list. Records are files
//! `<20-digit number>.json` from 1 on, never overwritten or deleted.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::{Error as StoreError, ObjectStoreExt, PutMode, PutOptions};
use statehold_core::{Error, ErrorKind, Name, Resources, Result, step};
use tokio::sync::{Mutex, MutexGuard};

use super::{
    error::failed,
    folder::Folder,
    record::{Entry, MAX_RECORD_BYTES, Record},
    timeline::Timeline,
    token::Token,
};

/// Records fetched at once when a log is read for the first time.
const READ_AHEAD: usize = 16;
/// How often a create whose outcome is unknown is sent.
const CREATES: usize = 3;

/// A namespace's log and what it has said so far.
#[derive(Debug)]
pub(super) struct Log {
    folder: Folder,
    namespace: Name,
    resources: Resources,
    timeline: Mutex<Timeline>,
    /// The object store was seen to refuse what it must.
    proven: AtomicBool,
}

/// How a create ended.
enum Created {
    /// Our record is at the number.
    Ours,
    /// Somebody else's is.
    Taken,
}

impl Log {
    /// The log in the namespace's folder. Reads nothing yet.
    pub(super) fn new(folder: &Folder, namespace: &Name, resources: &Resources) -> Self {
        Self {
            folder: folder.child("log"),
            namespace: namespace.clone(),
            resources: resources.clone(),
            timeline: Mutex::default(),
            // Files of this machine are made with `O_EXCL` or a link.
            proven: AtomicBool::new(folder.is_local()),
        }
    }

    /// Reads to the end and answers what the log says now.
    ///
    /// # Errors
    /// `Corrupt` or `Unsupported` naming the record, or what the object store fails with.
    pub(super) async fn follow(&self) -> Result<MutexGuard<'_, Timeline>> {
        let mut timeline = self.timeline.lock().await;
        self.read_to_end(&mut timeline).await?;
        Ok(timeline)
    }

    /// Appends what `make` gives, which is asked anew whenever somebody else's record came
    /// first, and may refuse. On `Ok` the record is in the log.
    ///
    /// # Errors
    /// What `make` refuses with; `Indeterminate` if the object store does not tell whether it
    /// took the record; `Unsupported` if the object store lets records be overwritten, and the record is there;
    /// or what the object store fails with, and nothing was appended.
    pub(super) async fn append(
        &self,
        make: impl Fn(&Timeline, u64) -> Result<Vec<Entry>> + Send + Sync,
    ) -> Result<Record> {
        self.append_as(Token::fresh()?, make).await
    }

    /// As [`Log::append`], under a name that nobody else uses and that was never used before.
    ///
    /// # Errors
    /// As [`Log::append`].
    pub(super) async fn append_as(
        &self,
        token: Token,
        make: impl Fn(&Timeline, u64) -> Result<Vec<Entry>> + Send + Sync,
    ) -> Result<Record> {
        let write_id = token.to_string();
        let mut timeline = self.timeline.lock().await;
        loop {
            self.read_to_end(&mut timeline).await?;
            let number = timeline.end() + 1;
            let record = Record {
                namespace: self.namespace.as_str().to_owned(),
                number,
                write_id: write_id.clone(),
                at: self.resources.clock.now().0,
                entries: make(&timeline, number)?,
            };
            timeline.check(&record).map_err(|e| Error::internal("a new log record contradicts the log").because(e))?;
            // A record that names many objects takes a while to write and to read.
            let encoded = move || record.encode().map(|bytes| (record, bytes));
            let (record, bytes) = self.resources.blocking(encoded).await?;
            if let Created::Ours = self.create(&record, bytes.clone()).await? {
                timeline.apply(&record)?;
                self.prove(&record, bytes).await?;
                return Ok(record);
            }
        }
    }

    /// The record `number`, which is known to exist.
    ///
    /// # Errors
    /// As [`Log::follow`].
    pub(super) async fn read(&self, number: u64) -> Result<Record> {
        self.find(number).await?.ok_or_else(|| self.missing(number))
    }

    async fn create(&self, record: &Record, bytes: Bytes) -> Result<Created> {
        let name = file_name(record.number);
        let path = self.folder.file(&name);
        let mut last = None;
        let (before, behind) = steps(&record.entries);
        step(before);
        for _ in 0..CREATES {
            let options = PutOptions::from(PutMode::Create);
            let Err(cause) = self.folder.store().put_opts(&path, bytes.clone().into(), options).await else {
                step(behind);
                return Ok(Created::Ours);
            };
            // A create that failed or timed out may have succeeded: the record itself tells.
            match self.find(record.number).await {
                Ok(Some(found)) if found.write_id == record.write_id => return Ok(Created::Ours),
                Ok(Some(_)) => return Ok(Created::Taken),
                Ok(None) => {}
                Err(e) if e.kind() == ErrorKind::Corrupt => return Err(e),
                Err(_) => tracing::warn!(record = %self.folder.show(&name), "cannot tell whether the record was taken"),
            }
            let cause = failed("append", &self.folder.show(&name), cause);
            if !cause.is_retryable() || cause.kind() == ErrorKind::ResourceExhausted {
                return Err(cause);
            }
            last = Some(cause);
        }
        let e = Error::new(
            ErrorKind::Indeterminate,
            format!("the object store does not tell whether it took `{}`", self.folder.show(&name)),
        )
        .advise("when it answers again, list the checkpoints: the record is there or it is not");
        Err(match last {
            Some(cause) => e.because(cause),
            None => e,
        })
    }

    /// Creates a record that is there once more, before anything rests on it: an object store without conditional
    /// puts takes it, and would take another owner's in its place.
    async fn prove(&self, record: &Record, bytes: Bytes) -> Result<()> {
        if self.proven.load(Ordering::Acquire) {
            return Ok(());
        }
        let path = self.folder.file(&file_name(record.number));
        match self.folder.store().put_opts(&path, bytes.into(), PutOptions::from(PutMode::Create)).await {
            Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => {
                self.proven.store(true, Ordering::Release);
            }
            Ok(_) => {
                let name = self.folder.show(&file_name(record.number));
                let what = format!("the object store has no conditional puts: it overwrote the log record `{name}`");
                return Err(Error::unsupported(what).about(name).advise(
                    "use one that honours `If-None-Match: *`; here two owners would lose each other's checkpoints",
                ));
            }
            // The next record tries it again.
            Err(cause) => {
                tracing::warn!(archive = %self.folder, error = %cause, "cannot tell whether puts are conditional");
            }
        }
        Ok(())
    }

    async fn read_to_end(&self, timeline: &mut Timeline) -> Result<()> {
        if timeline.end() == 0 {
            let end = self.last_listed().await?;
            let mut records = stream::iter(1..=end).map(|number| self.read(number)).buffered(READ_AHEAD);
            while let Some(record) = records.try_next().await? {
                self.take(timeline, &record)?;
            }
        }
        while let Some(record) = self.find(timeline.end() + 1).await? {
            self.take(timeline, &record)?;
        }
        Ok(())
    }

    fn take(&self, timeline: &mut Timeline, record: &Record) -> Result<()> {
        timeline.apply(record).map_err(|e| self.naming(record.number, e))
    }

    /// The greatest number in the folder; 0 if there is none.
    async fn last_listed(&self) -> Result<u64> {
        let mut listed = self.folder.store().list(Some(self.folder.path()));
        let mut last = 0;
        loop {
            match listed.try_next().await {
                // Other files are none of ours.
                Ok(Some(meta)) => last = last.max(meta.location.filename().and_then(number_of).unwrap_or(0)),
                Ok(None) => return Ok(last),
                Err(cause) => return Err(failed("list", &self.folder.to_string(), cause)),
            }
        }
    }

    async fn find(&self, number: u64) -> Result<Option<Record>> {
        let name = file_name(number);
        let bytes = match self.fetch(&name).await {
            Ok(bytes) => bytes?,
            Err(StoreError::NotFound { .. }) => return Ok(None),
            Err(cause) => return Err(failed("read", &self.folder.show(&name), cause)),
        };
        let namespace = self.namespace.clone();
        let decoded = self.resources.blocking(move || Record::decode(&bytes, namespace.as_str(), number)).await;
        decoded.map(Some).map_err(|e| self.naming(number, e))
    }

    async fn fetch(&self, name: &str) -> Result<Result<Bytes>, StoreError> {
        let found = self.folder.store().get(&self.folder.file(name)).await?;
        if found.meta.size > MAX_RECORD_BYTES as u64 {
            return Ok(Err(Error::corrupt(format!("`{}` has {} bytes", self.folder.show(name), found.meta.size))
                .about(self.folder.show(name))
                .advise("restore the record from a copy of the archive")));
        }
        found.bytes().await.map(Ok)
    }

    fn missing(&self, number: u64) -> Error {
        let name = self.folder.show(&file_name(number));
        Error::corrupt(format!("log record `{name}` is missing"))
            .about(name)
            .advise("restore the record from a copy of the archive")
    }

    /// The same error, naming the record at fault.
    fn naming(&self, number: u64, cause: Error) -> Error {
        let name = self.folder.show(&file_name(number));
        let advice = cause.advice().unwrap_or("restore the record from a copy of the archive").to_owned();
        Error::new(cause.kind(), format!("log record `{name}`: {}", cause.message()))
            .about(name)
            .advise(advice)
            .because(cause)
    }
}

/// The steps before and behind a record that says this.
fn steps(entries: &[Entry]) -> (&'static str, &'static str) {
    match entries.last() {
        Some(Entry::Claim(_)) => ("claim.append", "claim.appended"),
        Some(Entry::Part(_)) => ("prepare.append", "prepare.appended"),
        Some(Entry::Complete(_)) => ("complete.append", "complete.appended"),
        Some(Entry::Abort(_)) => ("abort.append", "abort.appended"),
        Some(Entry::Retire(_)) | None => ("retire.append", "retire.appended"),
    }
}

fn file_name(number: u64) -> String {
    format!("{number:020}.json")
}

fn number_of(file: &str) -> Option<u64> {
    let number = file.strip_suffix(".json")?.parse().ok()?;
    (file_name(number) == file).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_records_own_name_is_its_name() {
        assert_eq!(number_of("00000000000000000042.json"), Some(42));
        assert_eq!(number_of(&file_name(u64::MAX)), Some(u64::MAX));
        for other in ["42.json", "00000000000000000042.json#1", "00000000000000000042", "+0000000000000000042.json"] {
            assert_eq!(number_of(other), None, "{other}");
        }
    }
}
