//! [`StorePlan`]: everything about a store that can be refused before anything is created.

use std::sync::Arc;

use statehold_core::{
    Backend, Capabilities, Durability, Error, KeyGroups, Limits, Model, Name, OpenRequest, Ownership, Resources,
    Result, Support, Unclean,
};

use crate::{
    config::{Descriptor, StoreDescriptor},
    registry::Registry,
};

/// What an element's ordinal takes of the limit for subkeys.
const ORDINAL_BYTES: usize = 8;

/// A store whose descriptor is known to be right.
pub(super) struct StorePlan {
    pub(super) name: String,
    pub(super) backend: Arc<dyn Backend>,
    pub(super) durability: Durability,
    pub(super) buffer_bytes: usize,
    pub(super) ownership: Ownership,
    pub(super) capabilities: Capabilities,
    descriptor: StoreDescriptor,
}

/// Checks all stores and states of a descriptor against the backends there are.
pub(super) fn check(descriptor: &Descriptor, registry: &Registry) -> Result<Vec<StorePlan>> {
    descriptor.validate()?;
    let mut plans = Vec::new();
    for (name, store) in &descriptor.stores {
        let place = format!("stores.{name}");
        let backend = registry.get(&store.kind).map_err(|e| descriptor.locate(e.in_store(name), &place))?.clone();
        let capabilities = backend
            .capabilities(&store.options)
            .map_err(|e| descriptor.locate(e.in_store(name), &format!("{place}.options")))?;
        let durability = store.durability.unwrap_or_else(|| capabilities.default_durability());
        check_states(descriptor, name, &store.limits, &capabilities)?;
        plans.push(StorePlan {
            name: name.clone(),
            backend,
            durability,
            buffer_bytes: match store.ownership {
                Ownership::Exclusive => store.write_buffer.unwrap_or(descriptor.memory.write_buffer),
                // Others see, or write, the same records: nothing may wait here.
                Ownership::Shared | Ownership::ReadOnly => 0,
            },
            ownership: store.ownership,
            capabilities,
            descriptor: store.clone(),
        });
    }
    Ok(plans)
}

fn check_states(descriptor: &Descriptor, store: &str, limits: &Limits, capabilities: &Capabilities) -> Result<()> {
    for (name, state) in descriptor.states.iter().filter(|(name, _)| descriptor.store_of(name) == Some(store)) {
        let lacking = [
            ("ttl", state.ttl.is_some() && !capabilities.ttl),
            ("revisions", state.revisions && !capabilities.revisions),
        ];
        if let Some((what, _)) = lacking.into_iter().find(|(_, lacks)| *lacks) {
            let error = Error::unsupported(format!("the engine of store `{store}` does not give `{what}`"))
                .in_state(name)
                .about(what)
                .advise("take it out, or put the state into another store");
            return Err(descriptor.locate(error, &format!("states.{name}")));
        }
        if state.model == Model::List && capabilities.lists == Support::Emulated && limits.sub < ORDINAL_BYTES {
            let error = Error::invalid(format!("subkeys of {} bytes are too short for the list `{name}`", limits.sub))
                .about("sub")
                .advise(format!("this engine numbers elements in {ORDINAL_BYTES} bytes: raise the limit to that"));
            return Err(descriptor.locate(error, &format!("stores.{store}.limits")));
        }
    }
    Ok(())
}

impl StorePlan {
    pub(super) fn request(
        &self,
        namespace: &Name,
        groups: KeyGroups,
        unclean: Unclean,
        resources: &Resources,
    ) -> OpenRequest {
        OpenRequest {
            store: self.name.clone(),
            namespace: namespace.clone(),
            groups,
            ownership: self.ownership,
            durability: self.durability,
            limits: self.descriptor.limits,
            unclean,
            options: self.descriptor.options.clone(),
            resources: resources.clone(),
        }
    }
}
