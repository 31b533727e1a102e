//! [`ToTheEnd`]: work that a dropped future does not cut short.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::runtime::Handle;

type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Polls its work where it is polled itself, so that an answer takes no way through another thread. Dropped after the
/// first poll and before the end, it leaves the rest to the runtime.
pub(crate) struct ToTheEnd<T: Send + 'static> {
    runtime: Handle,
    work: Option<Work<T>>,
    begun: bool,
}

impl<T: Send + 'static> ToTheEnd<T> {
    pub(crate) fn new(runtime: Handle, work: impl Future<Output = T> + Send + 'static) -> Self {
        Self { runtime, work: Some(Box::pin(work)), begun: false }
    }
}

impl<T: Send + 'static> Future for ToTheEnd<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let this = &mut *self;
        // The caller may be on another runtime, or on none.
        let _on = this.runtime.enter();
        this.begun = true;
        let Some(work) = &mut this.work else { return Poll::Pending };
        let out = std::task::ready!(work.as_mut().poll(context));
        this.work = None;
        Poll::Ready(out)
    }
}

impl<T: Send + 'static> Drop for ToTheEnd<T> {
    fn drop(&mut self) {
        if let Some(work) = self.work.take().filter(|_| self.begun) {
            self.runtime.spawn(work);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn what_was_begun_ends_and_what_was_not_begun_never_does() {
        for polls in [0, 1] {
            let (go, wait) = oneshot::channel::<()>();
            let (done, ended) = oneshot::channel();
            let mut work = Box::pin(ToTheEnd::new(Handle::current(), async move {
                let _ = wait.await;
                let _ = done.send(());
            }));
            for _ in 0..polls {
                assert!(futures::poll!(&mut work).is_pending());
            }
            drop(work);
            let _ = go.send(());
            assert_eq!(ended.await.is_ok(), polls > 0);
        }
    }
}
