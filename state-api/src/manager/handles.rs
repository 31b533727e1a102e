//! Typed handles: one a state and manager (contract OWN-7), made when first asked for.

use std::{
    any::Any,
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use statehold_core::{Error, ErrorKind, Model, Name, Result, SpecChange, StateSpec, key::Key};

use super::{Inner, StateManager};
use crate::{
    config::StateDescriptor,
    runtime::to_the_end,
    state::{KeyListState, KeyMapState, KeyValueState, Value, ValueType, core::StateCore},
};

/// What the manager needs of a handle whose types it has forgotten.
struct Handle {
    typed: Box<dyn Any + Send + Sync>,
    core: Arc<StateCore>,
}

#[derive(Default)]
pub(super) struct Handles(HashMap<String, Handle>);

impl Handles {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn empty_caches(&self) {
        self.0.values().for_each(|handle| handle.core.empty_cache());
    }

    pub(super) fn cache_bytes(&self) -> BTreeMap<String, u64> {
        self.0.iter().map(|(name, handle)| (name.clone(), handle.core.cache_bytes())).collect()
    }

    /// The handle of a state, if it has one of these types.
    fn get<T: Any + Clone>(&self, name: &str, spec: &StateSpec) -> Result<Option<T>> {
        let Some(handle) = self.0.get(name).filter(|h| !h.core.is_fenced()) else { return Ok(None) };
        let other = |what: &str| {
            Error::new(ErrorKind::Conflict, format!("the state is open {what}"))
                .in_state(name)
                .advise("use one handle type for a state in a process")
        };
        let typed = handle.typed.downcast_ref::<T>().ok_or_else(|| other("as another Rust type"))?;
        if handle.core.spec != *spec {
            return Err(other("with another codec or schema version"));
        }
        Ok(Some(typed.clone()))
    }
}

/// The types of a state, as the catalog keeps them.
struct Types {
    model: Model,
    key_shape: statehold_core::KeyShape,
    key_type: String,
    sub_type: Option<String>,
}

impl Types {
    fn of<K: Key>(model: Model) -> Self {
        Self { model, key_shape: K::SHAPE, key_type: K::type_name(), sub_type: None }
    }
}

impl StateManager {
    /// The key-value state `name`, values in the descriptor's codec (postcard or JSON).
    ///
    /// # Errors
    /// - `NotFound`: the descriptor has no such state; the advice lists those it has.
    /// - `InvalidInput`: it has another model or codec there.
    /// - `Conflict`: the stored state has other types, or is open with other Rust types (contract NAME-4, OWN-7).
    pub async fn key_value<K: Key, V: Value>(&self, name: &str) -> Result<KeyValueState<K, V>> {
        let value_type = ValueType::named(&self.declared(name, Model::Kv)?.codec).map_err(|e| e.in_state(name))?;
        self.key_value_of(name, value_type).await
    }

    /// As [`StateManager::key_value`], with a codec, schema version and upgrade of your own.
    ///
    /// # Errors
    /// As [`StateManager::key_value`].
    pub async fn key_value_of<K: Key, V: Send + Sync + 'static>(
        &self,
        name: &str,
        value_type: ValueType<V>,
    ) -> Result<KeyValueState<K, V>> {
        let core = |state: &KeyValueState<K, V>| state.0.core.clone();
        self.handle(name, Types::of::<K>(Model::Kv), value_type, KeyValueState::new, core).await
    }

    /// The map state `name`, values in the descriptor's codec (postcard or JSON).
    ///
    /// # Errors
    /// As [`StateManager::key_value`].
    pub async fn key_map<K: Key, S: Key, V: Value>(&self, name: &str) -> Result<KeyMapState<K, S, V>> {
        let value_type = ValueType::named(&self.declared(name, Model::Map)?.codec).map_err(|e| e.in_state(name))?;
        self.key_map_of(name, value_type).await
    }

    /// As [`StateManager::key_map`], with a codec, schema version and upgrade of your own.
    ///
    /// # Errors
    /// As [`StateManager::key_value`].
    pub async fn key_map_of<K: Key, S: Key, V: Send + Sync + 'static>(
        &self,
        name: &str,
        value_type: ValueType<V>,
    ) -> Result<KeyMapState<K, S, V>> {
        let types = Types { sub_type: Some(S::type_name()), ..Types::of::<K>(Model::Map) };
        let core = |state: &KeyMapState<K, S, V>| state.0.core.clone();
        self.handle(name, types, value_type, KeyMapState::new, core).await
    }

    /// The list state `name`, values in the descriptor's codec (postcard or JSON).
    ///
    /// # Errors
    /// As [`StateManager::key_value`].
    pub async fn key_list<K: Key, V: Value>(&self, name: &str) -> Result<KeyListState<K, V>> {
        let value_type = ValueType::named(&self.declared(name, Model::List)?.codec).map_err(|e| e.in_state(name))?;
        self.key_list_of(name, value_type).await
    }

    /// As [`StateManager::key_list`], with a codec, schema version and upgrade of your own.
    ///
    /// # Errors
    /// As [`StateManager::key_value`].
    pub async fn key_list_of<K: Key, V: Send + Sync + 'static>(
        &self,
        name: &str,
        value_type: ValueType<V>,
    ) -> Result<KeyListState<K, V>> {
        let core = |state: &KeyListState<K, V>| state.0.core.clone();
        self.handle(name, Types::of::<K>(Model::List), value_type, KeyListState::new, core).await
    }

    /// Removes a state with all its entries; handles of it are fenced (contract LIFE-10).
    ///
    /// # Errors
    /// `NotFound` if no store holds it; what the engine fails with.
    pub async fn drop_state(&self, name: &str) -> Result<()> {
        let (inner, name) = (self.0.clone(), Name::new(name)?);
        to_the_end(async move { inner.drop_state(name.as_str()).await }).await
    }

    fn declared(&self, name: &str, model: Model) -> Result<&StateDescriptor> {
        let descriptor = &self.0.descriptor;
        let Some(state) = descriptor.states.get(name) else {
            let known: Vec<_> = descriptor.states.keys().map(String::as_str).collect();
            return Err(Error::new(ErrorKind::NotFound, format!("there is no state `{}`", name.escape_debug()))
                .advise(format!("the descriptor has: {}", known.join(", "))));
        };
        if state.model != model {
            let (is, asked) = (state.model.as_str(), model.as_str());
            return Err(Error::invalid(format!("the state is a {is}, and was asked for as a {asked}"))
                .in_state(name)
                .advise("ask for it by its model: `key_value`, `key_list` or `key_map`"));
        }
        Ok(state)
    }

    async fn handle<T: Any + Clone + Send + Sync, V>(
        &self,
        name: &str,
        types: Types,
        value_type: ValueType<V>,
        make: impl FnOnce(StateCore, ValueType<V>) -> T,
        core: impl FnOnce(&T) -> Arc<StateCore>,
    ) -> Result<T> {
        let state = self.declared(name, types.model)?;
        if value_type.codec_name() != state.codec {
            let (is, asked) = (&state.codec, value_type.codec_name());
            return Err(Error::invalid(format!("the descriptor says codec `{is}`, the program `{asked}`"))
                .in_state(name)
                .advise("make both the same"));
        }
        let (schema_version, fingerprint) = value_type.schema();
        let spec = StateSpec {
            name: name.to_owned(),
            model: types.model,
            key_shape: types.key_shape,
            key_type: types.key_type,
            sub_type: types.sub_type,
            codec: value_type.codec_name().to_owned(),
            schema_version,
            fingerprint,
            revisions: state.revisions,
            ttl: state.ttl.is_some(),
        };
        let mut handles = self.0.handles.lock().await;
        if let Some(handle) = handles.get::<T>(name, &spec)? {
            return Ok(handle);
        }
        let store = self.0.descriptor.store_of(name).ok_or_else(|| Error::internal("a state without a store"))?;
        let runtime = self.0.runtime(store)?.clone();
        runtime.check_open()?;
        let stored = runtime.store.states().await?;
        if let Some((_, old)) = stored.iter().find(|(_, old)| old.name == name)
            && old.check(&spec)? == SpecChange::Upgrade
            && !value_type.upgrades()
        {
            let (old, new) = (old.schema_version, spec.schema_version);
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("stored with schema version {old}, opened with {new}"),
            )
            .in_state(name)
            .advise("declare how old values become new ones with `ValueType::upgrade`"));
        }
        let id = runtime.store.register(&spec).await.map_err(|e| e.in_state(name))?;
        let cache = state.cache.unwrap_or(self.0.descriptor.memory.cache);
        let typed = make(StateCore::new(spec, id, runtime, state.ttl, cache), value_type);
        let core = core(&typed);
        handles.0.insert(name.to_owned(), Handle { typed: Box::new(typed.clone()), core });
        Ok(typed)
    }
}

impl Inner {
    async fn drop_state(&self, name: &str) -> Result<()> {
        let mut handles = self.handles.lock().await;
        let places: Vec<_> = match self.descriptor.store_of(name) {
            Some(store) => vec![self.runtime(store)?],
            None => self.stores.values().collect(),
        };
        for runtime in places {
            let states = runtime.store.states().await?;
            if let Some((id, _)) = states.iter().find(|(_, spec)| spec.name == name) {
                if let Some(handle) = handles.0.remove(name) {
                    handle.core.mark_dropped();
                    handle.core.empty_cache();
                }
                return runtime.drop_state(*id).await.map_err(|e| e.in_state(name).during("drop"));
            }
        }
        Err(Error::new(ErrorKind::NotFound, "the state was never written").in_state(name).advise("nothing to drop"))
    }
}
