//! A scratch buffer of each thread: encoding allocates once, at the size that was needed.

use std::cell::RefCell;

use bytes::Bytes;

/// A scratch buffer that grew beyond this is not kept.
const KEPT: usize = 1 << 20;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Lends `work` an empty buffer.
#[inline]
pub(super) fn lent<T>(work: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    SCRATCH.with(|scratch| match scratch.try_borrow_mut() {
        Ok(mut buffer) => {
            buffer.clear();
            let outcome = work(&mut buffer);
            if buffer.capacity() > KEPT {
                *buffer = Vec::new();
            }
            outcome
        }
        // A codec of the application's that came back here.
        Err(_) => work(&mut Vec::new()),
    })
}

/// Lets `write` fill an empty buffer, and answers a copy of what it wrote.
#[inline]
pub(super) fn encoded<E>(write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<Bytes, E> {
    lent(|buffer| write(buffer).map(|()| Bytes::copy_from_slice(buffer)))
}
