//! Waiting on a thread of one's own. A thread that waits with a runtime's timer ends only while that runtime has a
//! thread to spare; whoever joins it from there waits for ever. These waits need nobody.

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::{Duration, Instant},
};

/// Wakes a thread that has parked.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for a future on this thread, but no longer than this; `None` where it has not come by then. The future must not
/// need a runtime.
pub fn wait_at_most<T>(timeout: Duration, future: impl Future<Output = T>) -> Option<T> {
    let until = Instant::now() + timeout;
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return Some(value);
        }
        let remaining = until.saturating_duration_since(Instant::now());
        if remaining.is_zero() {
            return None;
        }
        thread::park_timeout(remaining);
    }
}

#[cfg(test)]
mod tests {
    use std::{future, sync::mpsc};

    use super::*;

    #[test]
    fn what_is_there_is_given_at_once() {
        assert_eq!(wait_at_most(Duration::ZERO, future::ready(1)), Some(1));
    }

    #[test]
    fn what_never_comes_is_not_waited_for() {
        assert_eq!(wait_at_most(Duration::from_millis(5), future::pending::<()>()), None);
    }

    #[test]
    fn whoever_wakes_it_ends_the_wait() {
        let (send_waker, waker) = mpsc::channel::<Waker>();
        let waking = thread::spawn(move || waker.recv().unwrap().wake());
        let mut polled = 0;
        let woken = future::poll_fn(|context| {
            polled += 1;
            if polled > 1 {
                return Poll::Ready(());
            }
            send_waker.send(context.waker().clone()).unwrap();
            Poll::Pending
        });
        assert_eq!(wait_at_most(Duration::from_mins(1), woken), Some(()));
        waking.join().unwrap();
    }
}
