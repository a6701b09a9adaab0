//! The turns of an executor: tasks, then a look at the ring; and the looks that a task takes in the middle of one.

use std::{
    cell::Cell,
    future::Future,
    pin::pin,
    task::{Context, Poll},
    time::Duration,
};

use compio::runtime::Runtime;

thread_local! {
    /// Whether the ring was looked at in the middle of a turn.
    static HEARD: Cell<bool> = const { Cell::new(false) };
}

/// Hands the kernel what was submitted, and takes what it has done, without waiting: in the middle of a task, whose own operation may be
/// among it. Other tasks are woken, and have their turn later.
pub(crate) fn hear() {
    Runtime::with_current(|runtime| runtime.poll_with(Some(Duration::ZERO)));
    HEARD.set(true);
}

/// Runs `future` and all that it spawns, as compio's `block_on` does, but for one thing: a look at the ring takes along that another thread has
/// woken a task, and so does [`hear`]. Where there was one, the tasks' queue is looked at again before the executor sleeps.
pub(crate) fn run<F: Future>(runtime: &Runtime, future: F) -> F::Output {
    runtime.enter(|| {
        let waker = runtime.waker();
        let mut context = Context::from_waker(&waker);
        let mut future = pin!(future);
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return output;
            }
            let has_more = runtime.run();
            let has_heard = HEARD.take();
            if has_more {
                runtime.poll_with(Some(Duration::ZERO));
            } else if !has_heard {
                runtime.poll();
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, future::poll_fn, rc::Rc, sync::mpsc, task::Waker, thread};

    use compio::runtime::spawn;

    use super::*;

    #[test]
    fn a_task_that_another_thread_wakes_while_the_ring_is_looked_at_runs() {
        let (done, is_done) = mpsc::channel();
        thread::spawn(move || {
            let runtime = Runtime::new().unwrap();
            run(&runtime, async {
                let waiting: Rc<RefCell<Option<Waker>>> = Rc::default();
                let its_waker = Rc::clone(&waiting);
                let mut was_polled = false;
                let woken = spawn(poll_fn(move |context| {
                    its_waker.replace(Some(context.waker().clone()));
                    if std::mem::replace(&mut was_polled, true) { Poll::Ready(()) } else { Poll::Pending }
                }));
                spawn(async move {
                    let waker = waiting.take().expect("the other task was polled first");
                    thread::spawn(move || waker.wake()).join().unwrap();
                    hear();
                })
                .detach();
                woken.await.unwrap();
            });
            done.send(()).unwrap();
        });
        is_done.recv_timeout(Duration::from_secs(20)).expect("the executor sleeps on");
    }
}
