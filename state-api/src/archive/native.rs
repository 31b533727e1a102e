//! Parts made of an engine's own files (contract LIFE-3, LIFE-6): stored once by content, linked where archive and
//! store share a file system.

use std::fs::File;

use futures::{StreamExt, TryStreamExt, stream};
use statehold_core::{Error, ErrorKind, KeyGroups, NativeCut, NativeFile, Result, Store};

use super::{
    Archive,
    checkpoint::CheckpointId,
    claim::Claim,
    object::local,
    parent::Shared,
    part::{Floor, Form, Object, Part, PartState, total},
};

/// Files that are hashed, stored or fetched at once.
const FILES: usize = 4;

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
                let hash = self.objects.hash_file(cut.session(), &file).await?;
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
                    return Ok((like(there.name), 0));
                }
                let object = like(claim.name(hash));
                self.objects.put_file(&object, &file).await?;
                Ok::<_, Error>((object, file.bytes))
            }
        };
        let sent: Vec<(Object, u64)> = stream::iter(cut.files()).map(send).buffered(FILES).try_collect().await?;
        self.objects.forget_all_but(cut);
        let state = |spec: &statehold_core::StateSpec| PartState { spec: spec.clone(), rows: None, bytes: None };
        Ok(Part {
            checkpoint: id,
            store: store.to_owned(),
            form: Form::Native(format.to_owned()),
            groups: groups.into(),
            claim: claim.epoch(),
            floor: Floor::new(cut.now(), cut.incarnation()),
            cut: 0,
            new_bytes: total(sent.iter().map(|(_, new)| *new)),
            duration_ms: 0,
            states: cut.states().iter().map(state).collect(),
            objects: sent.into_iter().map(|(object, _)| object).collect(),
        })
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
        let mut loader = native.loader(groups).await?;
        let mut folders = Vec::new();
        for part in parts {
            let folder = loader.part(part.groups.checked()?)?;
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
            let sync = move || File::open(&folder).and_then(|f| f.sync_all()).map_err(|e| local("sync", &folder, e));
            self.resources.blocking(sync).await?;
        }
        let kept = loader.publish().await?;
        if let Some((part, _)) = parts.iter().zip(folders).find(|(_, folder)| *folder == kept.folder) {
            self.objects.know(&kept.session, &part.objects);
        }
        Ok(())
    }
}
