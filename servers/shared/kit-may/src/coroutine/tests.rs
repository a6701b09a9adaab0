use std::{pin::pin, sync::mpsc, thread, time::Duration};

use hyper::rt::Timer as _;
use kit::shutdown::Shutdown;

use super::*;

/// Runs `body` on a thread of its own and gives up when it does not end.
fn in_time(body: impl FnOnce() + Send + 'static) {
    let (ended, end) = mpsc::channel();
    thread::spawn(move || {
        body();
        ended.send(())
    });
    end.recv_timeout(Duration::from_secs(30)).expect("it ends in time");
}

#[test]
fn a_panic_ends_its_coroutine_and_drops_what_it_held() {
    let timer = Timer::start().unwrap();
    let held = Arc::new(());
    let kept = Arc::clone(&held);
    let panicking = spawn(timer.clone(), async move {
        let _kept = kept;
        panic!("as it should");
    });
    assert!(matches!(panicking.unwrap().join(), Ok(None)));
    assert_eq!(Arc::strong_count(&held), 1);
    assert!(matches!(spawn(timer, async { 7 }).unwrap().join(), Ok(Some(7))));
}

#[test]
fn a_wake_up_from_another_thread_is_never_missed() {
    let timer = Timer::start().unwrap();
    for _ in 0..500 {
        let shutdown = Shutdown::new();
        let waiting = spawn(timer.clone(), shutdown.wait()).unwrap();
        let raiser = thread::spawn(move || shutdown.raise());
        assert!(matches!(waiting.join(), Ok(Some(()))));
        assert!(raiser.join().is_ok());
    }
}

#[test]
fn a_coroutine_that_is_woken_while_it_parks_and_then_ends_leaves_its_worker_free() {
    const ROUNDS: u32 = 20_000;
    in_time(|| {
        let timer = Timer::start().unwrap();
        let (parking, parked) = mpsc::channel::<Waker>();
        let waking = thread::spawn(move || {
            // Sooner or later one comes just when the coroutine has looked for a wake-up and is not suspended yet.
            for (round, waker) in (0..).zip(parked) {
                (0..round % 256).for_each(|_| std::hint::spin_loop());
                waker.wake();
            }
        });
        for round in 0..ROUNDS {
            let (parking, mut asked) = (parking.clone(), false);
            let ends = std::future::poll_fn(move |context| {
                if std::mem::replace(&mut asked, true) {
                    assert!(round % 100 > 0, "as it should");
                    return Poll::Ready(());
                }
                parking.send(context.waker().clone()).unwrap();
                Poll::Pending
            });
            let ended = spawn(timer.clone(), ends).unwrap().join();
            assert!(matches!(ended, Ok(output) if output.is_some() == (round % 100 > 0)));
        }
        drop(parking);
        waking.join().unwrap();
    });
}

/// What was said when the output of `block_on`, called where it must not be, was waited for.
fn refused(call: impl FnOnce() + std::panic::UnwindSafe) -> String {
    let panic = catch_unwind(call).unwrap_err();
    panic.downcast_ref::<&str>().map_or_else(String::new, |said| (*said).to_owned())
}

#[test]
fn a_future_cannot_suspend_its_coroutine_by_waiting_for_another() {
    struct WaitsAtItsEnd(Timer, mpsc::Sender<String>);
    impl Drop for WaitsAtItsEnd {
        fn drop(&mut self) {
            let timer = self.0.clone();
            self.1.send(refused(|| block_on(&timer, pin!(std::future::ready(()))))).unwrap();
        }
    }
    let timer = Timer::start().unwrap();
    let (said, heard) = mpsc::channel();
    let (waits_at_its_end, inner) = (WaitsAtItsEnd(timer.clone(), said.clone()), timer.clone());
    let outcome = spawn(timer, async move {
        let _dropped_last = waits_at_its_end;
        // Were it not refused it would go on perhaps on another thread, and the borrow with it.
        WAITED_WITHIN.with_borrow_mut(|waited| {
            let ready = AtomicBool::new(false);
            let pends_once = std::future::poll_fn(|context| {
                context.waker().wake_by_ref();
                if ready.swap(true, Relaxed) { Poll::Ready(()) } else { Poll::Pending }
            });
            said.send(refused(AssertUnwindSafe(|| {
                block_on(&inner, pin!(pends_once));
                *waited = true;
            })))
            .unwrap();
            *waited
        })
    });
    assert!(matches!(outcome.unwrap().join(), Ok(Some(false))));
    for _ in 0..2 {
        let said = heard.recv_timeout(Duration::from_secs(30)).unwrap();
        assert!(said.contains("await it"), "{said:?}");
    }
}

thread_local!(static WAITED_WITHIN: std::cell::RefCell<bool> = const { std::cell::RefCell::new(false) });

#[test]
fn a_thread_cannot_wait_as_if_it_were_a_coroutine() {
    let timer = Timer::start().unwrap();
    let said = refused(AssertUnwindSafe(|| block_on(&timer, pin!(std::future::ready(())))));
    assert!(said.contains("only a coroutine"), "{said:?}");
}

#[test]
fn a_coroutine_waits_for_one_future_after_another() {
    let timer = Timer::start().unwrap();
    let (told, heard) = mpsc::channel();
    // As a library's coroutines do, which know no futures.
    let body = move || {
        for round in 0..3 {
            block_on(&timer, pin!(timer.sleep(Duration::from_millis(1))));
            told.send(round).unwrap();
        }
    };
    may::go!(body).join().unwrap();
    assert_eq!(heard.iter().collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn a_deadline_ends_a_wait_also_after_a_reset() {
    let timer = Timer::start().unwrap();
    let sleeping = timer.clone();
    let ended = spawn(timer, async move {
        let mut sleep = sleeping.sleep(Duration::from_secs(3600));
        let polled = std::future::poll_fn(|context| Poll::Ready(sleep.as_mut().poll(context))).await;
        assert!(polled.is_pending());
        sleeping.reset(&mut sleep, Instant::now() + Duration::from_millis(5));
        sleep.await;
    });
    assert!(matches!(ended.unwrap().join(), Ok(Some(()))));
}

#[test]
fn a_future_that_wakes_itself_lets_others_run() {
    let timer = Timer::start().unwrap();
    let stop = Shutdown::new();
    let (seen, raised) = (stop.clone(), stop);
    let restless = spawn(
        timer.clone(),
        std::future::poll_fn(move |context| {
            context.waker().wake_by_ref();
            if seen.is_raised() { Poll::Ready(()) } else { Poll::Pending }
        }),
    );
    let other = timer.clone();
    let ended = spawn(timer, async move {
        other.sleep(Duration::from_millis(5)).await;
        raised.raise();
    });
    assert!(matches!(ended.unwrap().join(), Ok(Some(()))));
    assert!(matches!(restless.unwrap().join(), Ok(Some(()))));
}
