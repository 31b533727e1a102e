//! [`Rows`]: the entries of one state, without the Rust types of the application.

use std::{ops::Bound, sync::Arc};

use bytes::Bytes;
use statehold::{
    Error, ErrorKind, KeyGroup, Model, Result, StateManager,
    core::{
        Address, Batch, Cell, Envelope, Millis, Mutation, Row, ScanRange, ScanRequest, StateId, StateSpec, Store,
        collect,
    },
};

use super::{key::KeyType, value::ValueForm};

/// How keys and values stand on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notation {
    /// As their types say.
    Typed,
    /// The encoded bytes in hexadecimal.
    Raw,
}

/// The entries of one state.
pub(crate) struct Rows {
    store: Arc<dyn Store>,
    id: StateId,
    spec: StateSpec,
    envelope: Envelope,
    ttl: Option<u64>,
    notation: Notation,
}

/// One entry as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) sub: Option<String>,
    pub(crate) value: String,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn unhex(text: &str) -> Result<Vec<u8>> {
    let wrong =
        || Error::invalid(format!("`{}` is not hexadecimal", text.escape_debug())).advise("write two digits a byte");
    let digit = |b: &u8| char::from(*b).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let pair = |pair: &[u8]| match pair {
        [a, b] => Some(digit(a)? << 4 | digit(b)?),
        _ => None,
    };
    text.as_bytes().chunks(2).map(pair).collect::<Option<_>>().ok_or_else(wrong)
}

impl Rows {
    /// The entries of the state `name`, in whichever store its catalog has it.
    ///
    /// # Errors
    /// `NotFound` listing the states there are.
    pub(crate) async fn open(manager: &StateManager, name: &str, notation: Notation) -> Result<Self> {
        let mut found = Vec::new();
        for store in manager.descriptor().stores.keys() {
            let store = manager.store(store)?;
            for (id, spec) in store.states().await? {
                if spec.name == name {
                    let ttl = manager.descriptor().states.get(name).and_then(|s| s.ttl);
                    let envelope = Envelope::of_state(name);
                    return Ok(Self { store, id, spec, envelope, ttl, notation });
                }
                found.push(spec.name);
            }
        }
        let advice = if found.is_empty() {
            "nothing was written yet; or its writer still holds it in memory, as durability `visible` allows".into()
        } else {
            format!("there are: {}", found.join(", "))
        };
        Err(Error::new(ErrorKind::NotFound, format!("no store holds a state `{}`", name.escape_debug())).advise(advice))
    }

    /// KV, list or map.
    pub(crate) fn model(&self) -> Model {
        self.spec.model
    }

    fn named<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|e| e.in_state(&self.spec.name))
    }

    fn read_key(&self, kind: &str, text: &str) -> Result<Bytes> {
        match self.notation {
            Notation::Raw => unhex(text).map(Bytes::from),
            Notation::Typed => KeyType::parse(kind)?.encode(text).map(Bytes::from),
        }
    }

    fn show_key(&self, kind: &str, bytes: &[u8]) -> Result<String> {
        match self.notation {
            Notation::Raw => Ok(hex(bytes)),
            Notation::Typed => KeyType::parse(kind)?.show(bytes),
        }
    }

    fn sub_type(&self) -> Result<&str> {
        self.spec.sub_type.as_deref().ok_or_else(|| {
            Error::invalid(format!("the state is a {} and has no subkeys", self.spec.model.as_str()))
                .advise("leave the subkey out")
        })
    }

    /// Where (`key`, `sub`) is.
    fn address(&self, key: &str, sub: Option<&str>) -> Result<Address> {
        let key = self.read_key(&self.spec.key_type, key)?;
        let sub = sub.map(|sub| self.read_key(self.sub_type()?, sub)).transpose()?.unwrap_or_default();
        self.store.limits().check_key(&key, &sub)?;
        let group = KeyGroup::of(&key, self.store.groups().total());
        Ok(Address { group, state: self.id, key, sub })
    }

    /// The entry of a row; none for what is no entry, the head of a list.
    fn entry(&self, row: &Row) -> Result<Option<Entry>> {
        let is_list = self.spec.model == Model::List;
        if is_list && row.sub.is_empty() {
            return Ok(None);
        }
        let sub = match self.spec.model {
            Model::Map => Some(self.show_key(self.sub_type()?, &row.sub)?),
            _ => None,
        };
        let opened = if is_list {
            self.envelope.open(&row.key, b"", Cell::new(row.cell.value.clone()))?
        } else {
            self.envelope.open(&row.key, &row.sub, row.cell.clone())?
        };
        let value = match self.notation {
            Notation::Raw => hex(&opened.payload),
            Notation::Typed if opened.schema_version != self.spec.schema_version => {
                return Err(Error::unsupported(format!(
                    "the value of `{}` has schema version {}, the state {}",
                    row.key.escape_ascii(),
                    opened.schema_version,
                    self.spec.schema_version
                ))
                .advise("--raw shows it; the application upgrades it when it next writes it"));
            }
            Notation::Typed => ValueForm::of(&self.spec).show(opened.payload)?,
        };
        Ok(Some(Entry { key: self.show_key(&self.spec.key_type, &row.key)?, sub, value }))
    }

    /// The entries under `key`: one of KV, the elements of a list, those of a map or the one under `sub`.
    ///
    /// # Errors
    /// What reading or showing them fails with.
    pub(crate) async fn get(&self, key: &str, sub: Option<&str>) -> Result<Vec<Entry>> {
        let found = async {
            let at = self.address(key, sub)?;
            let one = sub.is_some() || self.spec.model == Model::Kv;
            let rows = if one {
                let cell = self.store.get(&at).finish().await?;
                cell.map(|cell| Row { key: at.key, sub: at.sub, cell }).into_iter().collect()
            } else {
                let all = ScanRange::Subs(at.key, Bound::Unbounded, Bound::Unbounded);
                collect(&*self.store, ScanRequest { range: all, ..ScanRequest::all(self.id, at.group) }).await?
            };
            rows.iter().filter_map(|row| self.entry(row).transpose()).collect()
        };
        self.named(found.await)
    }

    /// Shows entries to `visit` group by group, until it answers false.
    ///
    /// # Errors
    /// What reading, showing or `visit` fails with.
    pub(crate) async fn scan(&self, mut visit: impl FnMut(Entry) -> Result<bool>) -> Result<()> {
        let visit = |row: Row| match self.named(self.entry(&row))? {
            Some(entry) => visit(entry),
            None => Ok(true),
        };
        self.each(visit).await
    }

    /// How many entries there are.
    ///
    /// # Errors
    /// What reading fails with.
    pub(crate) async fn count(&self) -> Result<u64> {
        let mut count = 0;
        self.each(|row| {
            count += u64::from(self.spec.model != Model::List || !row.sub.is_empty());
            Ok(true)
        })
        .await?;
        Ok(count)
    }

    async fn each(&self, mut visit: impl FnMut(Row) -> Result<bool>) -> Result<()> {
        for group in self.store.groups().iter() {
            let mut request = ScanRequest::all(self.id, group);
            loop {
                let page = self.named(self.store.scan(&request).finish().await)?;
                for row in page.rows {
                    if !visit(row)? {
                        return Ok(());
                    }
                }
                match page.next {
                    Some(next) => request.after = Some(next),
                    None => break,
                }
            }
        }
        Ok(())
    }

    /// Sets what is under `key`: the value of KV, the entry `sub` of a map, or a list's elements.
    ///
    /// # Errors
    /// `InvalidInput` if key, subkey or values do not fit the state; what the engine fails with.
    pub(crate) async fn put(&self, key: &str, sub: Option<&str>, values: &[String]) -> Result<()> {
        let put = async {
            let at = self.address(key, sub)?;
            if self.spec.model == Model::Map && sub.is_none() {
                return Err(Error::invalid("no subkey").advise("name the entry of the map: --sub SUBKEY"));
            }
            let expires_at = self.ttl.map(|ttl| Millis(self.store.now().0.saturating_add(ttl)));
            let cells = values.iter().map(|v| self.cell(&at, v, expires_at)).collect::<Result<Vec<_>>>()?;
            let mutations = match (self.spec.model, &*cells) {
                (Model::List, _) => {
                    vec![Mutation::DeleteSubs { at: at.clone(), until: None }, Mutation::Append { at, cells }]
                }
                (_, [cell]) => vec![Mutation::Put(at, cell.clone())],
                _ => return Err(Error::invalid("several values").advise("only a list takes more than one")),
            };
            self.commit(mutations).await
        };
        self.named(put.await)
    }

    fn cell(&self, at: &Address, text: &str, expires_at: Option<Millis>) -> Result<Cell> {
        let payload = match self.notation {
            Notation::Raw => unhex(text)?,
            Notation::Typed => ValueForm::of(&self.spec).read(text)?,
        };
        self.store.limits().check_value(payload.len())?;
        // The identity of a list's element is the list's, and it expires with the list.
        let sealed_expiry = if self.spec.model == Model::List { None } else { expires_at };
        let value = self.envelope.seal(self.spec.schema_version, &at.key, &at.sub, sealed_expiry, &payload);
        Ok(Cell { value, expires_at, ..Cell::default() })
    }

    /// Removes what is under `key`, or its entry `sub`.
    ///
    /// # Errors
    /// As [`Rows::put`].
    pub(crate) async fn delete(&self, key: &str, sub: Option<&str>) -> Result<()> {
        let deleted = async {
            let at = self.address(key, sub)?;
            let one = sub.is_some() || self.spec.model == Model::Kv;
            let mutation = if one { Mutation::Delete(at) } else { Mutation::DeleteSubs { at, until: None } };
            self.commit(vec![mutation]).await
        };
        self.named(deleted.await)
    }

    async fn commit(&self, mutations: Vec<Mutation>) -> Result<()> {
        let mut batch = Batch { mutations, ..Batch::default() };
        batch.sort();
        self.store.commit(batch).finish().await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt;
    use statehold::{ScanOrder, testing};

    use super::*;

    async fn manager() -> StateManager {
        let manager =
            testing::memory_manager(&[("kv", Model::Kv), ("map", Model::Map), ("list", Model::List)]).await.unwrap();
        manager.key_value::<String, u64>("kv").await.unwrap();
        manager.key_map::<(u32, String), i8, String>("map").await.unwrap();
        manager.key_list::<u64, String>("list").await.unwrap();
        manager
    }

    async fn rows(manager: &StateManager, name: &str) -> Rows {
        Rows::open(manager, name, Notation::Typed).await.unwrap()
    }

    fn owned(values: &[&str]) -> Vec<String> {
        values.iter().map(|v| (*v).to_owned()).collect()
    }

    #[tokio::test]
    async fn what_is_put_here_the_application_reads_as_its_own_types() {
        let manager = manager().await;
        rows(&manager, "kv").await.put("apple", None, &owned(&["7"])).await.unwrap();
        rows(&manager, "map").await.put("(1, \"a\")", Some("-3"), &owned(&["x"])).await.unwrap();
        rows(&manager, "list").await.put("9", None, &owned(&["a", "b"])).await.unwrap();
        rows(&manager, "list").await.put("9", None, &owned(&["c", "d"])).await.unwrap();
        let kv = manager.key_value::<String, u64>("kv").await.unwrap();
        assert_eq!(kv.scan(ScanOrder::Key).try_collect::<Vec<_>>().await.unwrap(), [("apple".to_owned(), 7)]);
        let map = manager.key_map::<(u32, String), i8, String>("map").await.unwrap();
        assert_eq!(map.get(&(1, "a".to_owned()), &-3).await.unwrap().as_deref(), Some("x"));
        let list = manager.key_list::<u64, String>("list").await.unwrap();
        assert_eq!(list.get(&9).await.unwrap(), ["c", "d"]);
        manager.close().await.unwrap();
    }

    #[tokio::test]
    async fn what_the_application_wrote_is_shown_counted_and_deleted_here() {
        let manager = manager().await;
        let map = manager.key_map::<(u32, String), i8, String>("map").await.unwrap();
        for sub in [-1, 0, 1] {
            map.put(&(1, "a".to_owned()), &sub, format!("v{sub}")).await.unwrap();
        }
        manager.finish().await.unwrap();
        let rows = rows(&manager, "map").await;
        let shown: Vec<_> =
            rows.get("(1, \"a\")", None).await.unwrap().into_iter().map(|e| (e.sub.unwrap(), e.value)).collect();
        assert_eq!(shown, [("-1", "v-1"), ("0", "v0"), ("1", "v1")].map(|(s, v)| (s.to_owned(), v.to_owned())));
        assert_eq!(rows.count().await.unwrap(), 3);
        rows.delete("(1, \"a\")", Some("0")).await.unwrap();
        assert_eq!(rows.count().await.unwrap(), 2);
        rows.delete("(1, \"a\")", None).await.unwrap();
        assert_eq!(rows.count().await.unwrap(), 0);
        manager.close().await.unwrap();
    }

    #[tokio::test]
    async fn raw_shows_and_takes_the_encoded_bytes() {
        let manager = manager().await;
        let raw = Rows::open(&manager, "kv", Notation::Raw).await.unwrap();
        raw.put("6162", None, &owned(&["ac02"])).await.unwrap();
        assert_eq!(rows(&manager, "kv").await.get("ab", None).await.unwrap()[0].value, "300");
        let entry = Entry { key: "6162".into(), sub: None, value: "ac02".into() };
        assert_eq!(raw.get("6162", None).await.unwrap(), [entry]);
        assert!(raw.get("6g", None).await.is_err() && raw.get("616", None).await.is_err());
        manager.close().await.unwrap();
    }

    #[tokio::test]
    async fn what_does_not_fit_the_state_is_refused() {
        let manager = manager().await;
        let kv = rows(&manager, "kv").await;
        for (key, sub, values) in
            [("a", Some("b"), &["1"][..]), ("a", None, &["x"]), ("a", None, &["1", "2"]), ("", None, &["1"])]
        {
            let error = kv.put(key, sub, &owned(values)).await.unwrap_err();
            assert_eq!((error.kind(), error.state()), (ErrorKind::InvalidInput, Some("kv")), "{error}");
        }
        let map = rows(&manager, "map").await;
        assert!(map.put("(1, \"a\")", None, &owned(&["x"])).await.unwrap_err().to_string().contains("--sub"));
        let missing = Rows::open(&manager, "kvv", Notation::Typed).await.err().unwrap();
        assert!(missing.to_string().contains("there are:"), "{missing}");
        manager.close().await.unwrap();
    }
}
