//! [`poll_then_drop`]: cancellation at a chosen await.

use std::{future::Future, pin::pin, sync::Arc, task::Poll};

use tokio::sync::Notify;

struct Bell(Notify);

impl std::task::Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}

/// Polls `future` at most `times` times, each time after it was woken, and drops
/// it. `None` if it was not ready by then.
pub(crate) async fn poll_then_drop<T>(future: impl Future<Output = T>, times: usize) -> Option<T> {
    let mut future = pin!(future);
    let bell = Arc::new(Bell(Notify::new()));
    let waker = bell.clone().into();
    for poll in 0..times {
        if poll > 0 {
            bell.0.notified().await;
        }
        let mut context = std::task::Context::from_waker(&waker);
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return Some(value);
        }
    }
    None
}
