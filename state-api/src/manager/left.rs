//! What stores keep of the claim that wrote them, so that a copy of a directory is told from the directory that went
//! on (contract OWN-1): a row beside the markers of writers, which a recover forgets like those.

use bytes::Bytes;
use statehold_core::{AtomicScope, Batch, Error, Marker, Result, Store, WriterId, step};

use crate::archive::{Left, Token};

/// Under it the row is found. No manager draws it for itself.
const WRITER: WriterId = WriterId(u128::from_be_bytes(*b"statehold:claims"));
/// Of the row.
const FORMAT: u8 = 1;
const TOKEN_BYTES: usize = 16;
/// So many claims whose records never came are kept.
const MAX_TOKENS: usize = 1024;

/// Whether the store has a place for it.
pub(super) fn is_kept(store: &dyn Store) -> bool {
    let capabilities = store.capabilities();
    capabilities.markers && capabilities.scope == AtomicScope::Store
}

/// What the store `name` keeps; nothing if it was never claimed.
///
/// # Errors
/// `Unsupported` if a newer version wrote it, `Corrupt`; what the engine fails with.
pub(super) async fn read(name: &str, store: &dyn Store) -> Result<Left> {
    let row = store.last_marker(WRITER).await?.and_then(|(_, row)| row).unwrap_or_default();
    let tokens = match row.split_first() {
        None => Vec::new(),
        Some((&FORMAT, tokens)) => tokens.as_chunks::<TOKEN_BYTES>().0.iter().map(|bits| Token::of(*bits)).collect(),
        Some((newer, _)) => {
            return Err(Error::unsupported(format!(
                "the store's claim has format {newer}, this version reads {FORMAT}"
            ))
            .in_store(name)
            .advise("use the version of statehold that wrote it, or a newer one"));
        }
    };
    Ok(Left { store: name.to_owned(), tokens })
}

/// Keeps `tokens`, durably as far as the store is.
///
/// # Errors
/// What the engine fails with; it then keeps what it kept.
pub(super) async fn keep(store: &dyn Store, tokens: &[Token]) -> Result<()> {
    let sequence = store.last_marker(WRITER).await?.map_or(0, |(sequence, _)| sequence) + 1;
    let mut row = vec![FORMAT];
    // The first is the one that the log knows.
    let pending = tokens.len().saturating_sub(MAX_TOKENS).max(1);
    let kept = tokens.iter().take(1).chain(tokens.iter().skip(pending));
    kept.for_each(|token| row.extend_from_slice(&token.bits()));
    let marker = Marker { writer: WRITER, sequence, position: Some(Bytes::from(row)) };
    store.commit(Batch { marker: Some(marker), ..Batch::default() }).finish().await?;
    store.finish().await?;
    step("claim.kept");
    Ok(())
}
