//! `compact`: removes what has expired, in steps that let commits through.

use bytes::Bytes;
use statehold_core::{Compacted, Form, KeyGroup, Model, PageLimit, Position, Result, ScanRequest};

use crate::{erase, inner::Inner, layout::Layout, script::Arg};

impl Inner {
    pub(crate) async fn compact(&self) -> Result<Compacted> {
        self.check_writable()?;
        self.close_cuts().await?;
        let now = self.clock.now();
        let catalog = if self.exclusive { self.catalog() } else { self.refresh().await? };
        // What is removed now must not be there again for a clock that goes back.
        self.raise(0, now, 0).await?;
        let mut expired = 0;
        for (id, spec) in catalog.list() {
            let form = Form::of(id, &spec);
            if !form.ttl {
                continue;
            }
            for group in self.groups.iter() {
                match self.compact_group(form, group).await {
                    Ok(some) => expired += some,
                    // Dropped or recovered meanwhile.
                    Err(_) if self.catalog().form(id).is_err() => break,
                    Err(e) => return Err(e.in_state(&spec.name)),
                }
            }
        }
        erase::leftovers(self).await?;
        Ok(Compacted { expired })
    }

    async fn compact_group(&self, form: Form, group: KeyGroup) -> Result<u64> {
        let limit = PageLimit { rows: 1000, bytes: 1 << 20 };
        let mut request = ScanRequest { limit, ..ScanRequest::all(form.id, group) };
        let mut expired = 0;
        loop {
            let (page, gone) = self.live_page(&request, true).await?;
            if !gone.is_empty() {
                // The script looks again at each of them.
                expired += self.commit_raw(group, changes(form, group, &gone), true).await?;
            }
            match page.next {
                Some(next) => request.after = Some(next),
                None => return Ok(expired),
            }
        }
    }
}

/// Removals of those that are still expired.
fn changes(form: Form, group: KeyGroup, gone: &[Position]) -> Vec<Arg> {
    let place = form.place(group);
    let mut out: Vec<Arg> = Vec::new();
    match form.model {
        Model::Map => {
            for of_key in gone.chunk_by(|a, b| a.key == b.key) {
                out.extend(["Y".into(), place.clone().into(), Arg::from(&of_key[0].key)]);
                out.extend([form.revisions.into(), of_key.len().into()]);
                out.extend(of_key.iter().map(|at| Arg::from(&at.sub)));
            }
        }
        Model::List => {
            let keys: std::collections::BTreeSet<&Bytes> = gone.iter().map(|at| &at.key).collect();
            for key in keys {
                out.extend(["Z".into(), place.clone().into(), key.into()]);
            }
        }
        _ => {
            out.extend(["X".into(), place.into(), form.revisions.into(), gone.len().into()]);
            out.extend(gone.iter().map(|at| Arg::from(&at.key)));
        }
    }
    out
}
