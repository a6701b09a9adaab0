//! Sleeps whose deadline the thread that polls them waits for.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use crate::park;

/// The clock of whichever thread polls.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timer;

impl hyper::rt::Timer for Timer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        self.sleep_until(Instant::now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(Sleep { deadline, armed: None })
    }
}

/// Left with the thread from its first poll until it fires or is dropped: whoever armed it need not poll it again before.
struct Sleep {
    deadline: Instant,
    armed: Option<Arc<()>>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        let deadline = self.deadline;
        if Instant::now() >= deadline {
            return Poll::Ready(());
        }
        self.armed.get_or_insert_with(|| {
            let owner = Arc::new(());
            park::wake_at(deadline, &owner);
            owner
        });
        Poll::Pending
    }
}

impl hyper::rt::Sleep for Sleep {}
