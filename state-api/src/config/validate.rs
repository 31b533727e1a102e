//! What must hold of every descriptor, from a file or from code.

use statehold_core::{Error, KeyGroups, Model, Name, Result};

use super::{
    descriptor::{Descriptor, StateDescriptor},
    source::join,
    suggest::instead_of,
};

impl Descriptor {
    /// Checks everything that can be checked without knowing the engines: names, key groups,
    /// limits, and that each state has a store. Opening a manager calls it before anything is
    /// created; so does reading a file.
    ///
    /// # Errors
    /// `InvalidInput` for the first mistake, with its key path, and file and line if there is a file.
    pub fn validate(&self) -> Result<()> {
        self.located(Name::new(&self.namespace).map(drop), "namespace")?;
        self.located(KeyGroups::all(self.key_groups).map(drop), "key_groups")?;
        self.located(self.has_stores(), "stores")?;
        for (name, store) in &self.stores {
            let path = join("stores", name);
            self.located(Name::new(name).map(drop), &path)?;
            for (limit, bytes) in
                [("key", store.limits.key), ("value", store.limits.value), ("batch", store.limits.batch)]
            {
                self.located(positive(bytes), &join(&join(&path, "limits"), limit))?;
            }
        }
        for (name, state) in &self.states {
            let path = join("states", name);
            self.located(Name::new(name).map(drop), &path)?;
            self.located(self.store_exists(state), &join(&path, "store"))?;
            self.located(revisions_fit(state), &join(&path, "revisions"))?;
            self.located(ttl_fits(state), &join(&path, "ttl"))?;
            self.located(codec_is_named(state), &join(&path, "codec"))?;
        }
        Ok(())
    }

    fn has_stores(&self) -> Result<()> {
        if !self.stores.is_empty() {
            return Ok(());
        }
        Err(Error::invalid("there is no store").advise("add one, e.g. [stores.local] with kind = \"rocksdb\""))
    }

    fn store_exists(&self, state: &StateDescriptor) -> Result<()> {
        let names: Vec<&str> = self.stores.keys().map(String::as_str).collect();
        match &state.store {
            Some(name) if self.stores.contains_key(name) => Ok(()),
            Some(name) => {
                Err(Error::invalid(format!("there is no store `{}`", name.escape_debug()))
                    .advise(instead_of(name, &names)))
            }
            None if names.len() == 1 => Ok(()),
            None => Err(Error::invalid("several stores, and none is named")
                .advise(format!("set `store` to one of: {}", names.join(", ")))),
        }
    }
}

fn positive(bytes: usize) -> Result<()> {
    if bytes > 0 {
        return Ok(());
    }
    Err(Error::invalid("a limit of 0 refuses everything").advise("give at least 1 byte, or leave it out"))
}

fn revisions_fit(state: &StateDescriptor) -> Result<()> {
    if state.revisions && state.model == Model::List {
        return Err(Error::invalid("lists carry no revisions").advise("leave it out, or choose model kv or map"));
    }
    Ok(())
}

fn ttl_fits(state: &StateDescriptor) -> Result<()> {
    if state.ttl == Some(0) {
        return Err(
            Error::invalid("a ttl of 0 expires entries as they are written").advise("leave it out to keep them")
        );
    }
    Ok(())
}

fn codec_is_named(state: &StateDescriptor) -> Result<()> {
    if state.codec.is_empty() {
        return Err(Error::invalid("the codec has no name").advise("use postcard, json, bytes, or one of your own"));
    }
    Ok(())
}
