//! [`Op`]: a result that may already be there.

use futures::future::BoxFuture;

use crate::Result;

/// What a store answers: the result itself where the engine had it at hand, a
/// future where it must wait.
///
/// An in-process engine answers `Ready`, so that a cached read costs neither an
/// allocation nor a thread hop. Callers simply write `store.get(at).finish().await`.
///
/// ```
/// use statehold_core::Op;
/// # futures::executor::block_on(async {
/// let at_hand: Op<'_, u32> = Op::Ready(Ok(7));
/// let later: Op<'_, u32> = Op::boxed(async { Ok(8) });
/// assert_eq!(at_hand.finish().await? + later.finish().await?, 15);
/// # Ok::<(), statehold_core::Error>(()) }).unwrap();
/// ```
#[must_use = "an operation that is not finished may not have happened"]
pub enum Op<'a, T> {
    /// The operation is over.
    Ready(Result<T>),
    /// The operation happens as the future is polled.
    Boxed(BoxFuture<'a, Result<T>>),
}

impl<'a, T> Op<'a, T> {
    /// Wraps a future.
    pub fn boxed(future: impl Future<Output = Result<T>> + Send + 'a) -> Self {
        Self::Boxed(Box::pin(future))
    }

    /// Makes something else of the result, at once if it is there.
    ///
    /// ```
    /// use statehold_core::{Error, Op};
    /// let half = |n: u32| if n % 2 == 0 { Ok(n / 2) } else { Err(Error::invalid("odd")) };
    /// assert!(matches!(Op::Ready(Ok(8)).and_then(half), Op::Ready(Ok(4))));
    /// let later: Op<'_, u32> = Op::boxed(async { Ok(7) });
    /// assert!(futures::executor::block_on(later.and_then(half).finish()).is_err());
    /// ```
    #[inline]
    pub fn and_then<U>(self, then: impl FnOnce(T) -> Result<U> + Send + 'a) -> Op<'a, U>
    where
        T: Send + 'a,
    {
        match self {
            Self::Ready(result) => Op::Ready(result.and_then(then)),
            Self::Boxed(future) => Op::boxed(async move { then(future.await?) }),
        }
    }

    /// Waits for the result.
    ///
    /// # Errors
    /// Whatever the operation failed with.
    #[inline]
    pub async fn finish(self) -> Result<T> {
        match self {
            Self::Ready(result) => result,
            Self::Boxed(future) => future.await,
        }
    }
}

impl<T> std::fmt::Debug for Op<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ready(Ok(_)) => "Ready(Ok)",
            Self::Ready(Err(_)) => "Ready(Err)",
            Self::Boxed(_) => "Boxed",
        })
    }
}
