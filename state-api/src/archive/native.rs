//! Parts made of an engine's own files (contract LIFE-3, LIFE-6): stored once by content, linked where archive and
//! store share a file system.

use futures::{StreamExt, TryStreamExt, stream};
use statehold_core::{Error, ErrorKind, KeyGroups, NativeCut, NativeFile, Result, Store};

use super::{
    Archive,
    checkpoint::CheckpointId,
    claim::Claim,
    object::sync,
    parent::Shared,
    part::{Floor, Form, Object, ObjectName, Part, PartState, total},
};

/// Files that are hashed, stored or fetched at once.
const FILES: usize = 4;

/// In the names of copies that are not objects yet: no content has it.
const NOBODYS: blake3::Hash = blake3::Hash::from_bytes([0; 32]);

impl Archive {
    /// Stores a cut's files, but for those that the parent has already.
    pub(super) async fn store_native(
        &self,
        claim: &Claim,
        id: CheckpointId,
        store: &str,
        groups: KeyGroups,
        (format, cut): (&str, &dyn NativeCut),
        shared: &Shared,
    ) -> Result<Part> {
        let range = groups.range();
        let send = |file: &NativeFile| {
            let file = file.clone();
            async move {
                let (hash, copy) = self.hash_or_copy(claim, cut.session(), &file, shared).await?;
                let like = |name| Object {
                    name,
                    file: Some(file.name.clone()),
                    bytes: file.bytes,
                    rows: 0,
                    first_group: range.start,
                    last_group: range.end - 1,
                };
                if let Some(there) = shared.find_file(hash, file.bytes)
                    && self.objects.is_there(there).await?
                {
                    if let Some(copy) = copy {
                        self.objects.delete(&copy).await?;
                    }
                    return Ok((like(there.name), 0));
                }
                let object = like(claim.name(hash));
                match copy {
                    Some(copy) => self.objects.rename(&copy, &object.name).await?,
                    None => self.objects.put_file(&object, &file, &claim.name(NOBODYS)).await?,
                }
                Ok::<_, Error>((object, file.bytes))
            }
        };
        let sent: Vec<(Object, u64)> = stream::iter(cut.files()).map(send).buffered(FILES).try_collect().await?;
        self.objects.sync().await?;
        self.objects.forget_all_but(cut);
        let state = |spec: &statehold_core::StateSpec| PartState { spec: spec.clone(), rows: None, bytes: None };
        Ok(Part {
            checkpoint: id,
            store: store.to_owned(),
            form: Form::Native(format.to_owned()),
            groups: groups.into(),
            claim: claim.epoch(),
            floor: Floor::new(cut.now(), cut.incarnation()),
            sizes: None,
            cut: 0,
            new_bytes: total(sent.iter().map(|(_, new)| *new)),
            duration_ms: 0,
            states: cut.states().iter().map(state).collect(),
            objects: sent.into_iter().map(|(object, _)| object).collect(),
        })
    }

    /// A file's hash, and the copy that was made meanwhile where one will be wanted and can be.
    async fn hash_or_copy(
        &self,
        claim: &Claim,
        session: &str,
        file: &NativeFile,
        shared: &Shared,
    ) -> Result<(blake3::Hash, Option<ObjectName>)> {
        if let Some(hash) = self.objects.known(session, file) {
            return Ok((hash, None));
        }
        let copied = if self.objects.copies(file) && !shared.may_have(file) {
            let aside = claim.name(NOBODYS);
            (self.objects.copy_file(&aside, file).await?, Some(aside))
        } else {
            (self.objects.hash_file(file).await?, None)
        };
        self.objects.remember(session, file, copied.0);
        Ok(copied)
    }

    /// Makes a store what native parts hold.
    pub(super) async fn load_native(&self, parts: &[&Part], store: &dyn Store, groups: KeyGroups) -> Result<()> {
        let formats: Vec<&str> = parts.iter().filter_map(|p| p.native()).collect();
        let native = store.native().filter(|native| formats.iter().all(|format| *format == native.format()));
        let Some(native) = native else {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("the checkpoint is files of {}, which this engine does not take", formats.join(" and ")),
            )
            .advise("recover it into the engine that wrote it; a savepoint is portable, and any engine takes it"));
        };
        parts.iter().filter_map(|part| part.sizes).try_for_each(|sizes| sizes.check(store.limits()))?;
        let mut loader = native.loader(groups).await?;
        let mut folders = Vec::new();
        for part in parts {
            let folder = loader.part(part.groups.checked()?, part.floor.now(), part.floor.incarnation)?;
            folders.push(folder.clone());
            let fetch = |object: &Object| {
                let (object, folder) = (object.clone(), folder.clone());
                async move {
                    // Checked when the record was read.
                    let file = object.file.clone().unwrap_or_default();
                    self.objects.get_file(&object, folder.join(file)).await
                }
            };
            stream::iter(&part.objects).map(fetch).buffer_unordered(FILES).try_collect::<Vec<()>>().await?;
            self.resources.blocking(move || sync(&folder)).await?;
        }
        let kept = loader.publish().await?;
        if let Some((part, _)) = parts.iter().zip(folders).find(|(_, folder)| *folder == kept.folder) {
            self.objects.know(&kept.session, &part.objects);
        }
        Ok(())
    }
}
