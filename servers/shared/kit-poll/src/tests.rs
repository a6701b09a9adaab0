//! What a whole server shows only now and then.

use std::{
    future::{Future, poll_fn},
    io::Write as _,
    net::{TcpListener, TcpStream},
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc,
    },
    task::{Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use hyper::rt::{Read, ReadBuf, Timer as _};

use crate::{
    io::Stream,
    park::{self, Parker},
    source::Source,
    timer::Timer,
};

const PATIENCE: Duration = Duration::from_secs(30);

/// Runs `body` on a thread of its own and gives up when it does not end.
fn in_time<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
    let (ended, end) = mpsc::channel();
    thread::spawn(move || ended.send(body()));
    end.recv_timeout(PATIENCE).expect("it ends in time")
}

/// Counts how often it is polled, so that a thread that spins is told from one that waits.
fn counted<F: Future>(future: F) -> impl Future<Output = (F::Output, usize)> {
    let (mut future, mut polls) = (Box::pin(future), 0);
    poll_fn(move |context| {
        polls += 1;
        future.as_mut().poll(context).map(|output| (output, polls))
    })
}

#[test]
fn no_wake_up_from_another_thread_is_lost() {
    const ROUNDS: usize = 20_000;
    #[derive(Default)]
    struct Side {
        turn: AtomicUsize,
        waker: Mutex<Option<Waker>>,
    }
    /// Waits until it is `turn`.
    fn wait(side: &Side, turn: usize) -> impl Future<Output = ()> + '_ {
        poll_fn(move |context| {
            *side.waker.lock().unwrap() = Some(context.waker().clone());
            if side.turn.load(SeqCst) >= turn { Poll::Ready(()) } else { Poll::Pending }
        })
    }
    fn pass(side: &Side, turn: usize) {
        side.turn.store(turn, SeqCst);
        if let Some(waker) = side.waker.lock().unwrap().take() {
            waker.wake();
        }
    }
    let sides = Arc::new([Side::default(), Side::default()]);
    let other = Arc::clone(&sides);
    thread::spawn(move || {
        let parker = Parker::new().unwrap();
        for turn in 1..=ROUNDS {
            parker.block_on(wait(&other[1], turn));
            pass(&other[0], turn);
        }
    });
    in_time(move || {
        let parker = Parker::new().unwrap();
        for turn in 1..=ROUNDS {
            pass(&sides[1], turn);
            parker.block_on(wait(&sides[0], turn));
        }
    });
}

#[test]
fn who_yields_is_polled_again_at_once() {
    let polls = in_time(|| {
        let mut left = 100;
        let yields = poll_fn(move |context| {
            context.waker().wake_by_ref();
            left -= 1;
            if left == 0 { Poll::Ready(()) } else { Poll::Pending }
        });
        Parker::new().unwrap().block_on(counted(yields)).1
    });
    assert_eq!(polls, 100);
}

#[test]
fn a_deadline_that_nobody_asks_for_again_ends_one_wait_and_not_the_next() {
    let polls = in_time(|| {
        let (parker, owner) = (Parker::new().unwrap(), Arc::new(()));
        let mut ignored = None;
        // Nothing else ends this wait.
        parker.block_on(poll_fn(|_| match ignored {
            None => {
                let deadline = Instant::now() + Duration::from_millis(20);
                ignored = Some(deadline);
                park::wake_at(deadline, &owner);
                Poll::Pending
            }
            Some(deadline) if Instant::now() < deadline => Poll::Pending,
            Some(_) => Poll::Ready(()),
        }));
        parker.block_on(counted(Timer.sleep(Duration::from_millis(200)))).1
    });
    // The first, one for the deadline, and a few for nothing. A thread that spins makes thousands.
    assert!(polls < 10, "{polls}");
}

#[test]
fn a_sleep_that_is_dropped_wakes_nobody() {
    let polls = in_time(|| {
        let parker = Parker::new().unwrap();
        for number in 1..50 {
            let mut dropped = Timer.sleep(Duration::from_millis(4 * number));
            // Where that took longer than the sleep, it is over and wakes nobody either.
            parker.block_on(poll_fn(|context| {
                let _ = dropped.as_mut().poll(context);
                Poll::Ready(())
            }));
        }
        parker.block_on(counted(Timer.sleep(Duration::from_millis(200)))).1
    });
    assert!(polls < 10, "{polls}");
}

/// A client, and the server's side of its connection.
fn connected() -> (TcpStream, Stream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    let listener = Source::new(listener.into());
    let client = thread::spawn(move || TcpStream::connect(address).unwrap());
    let accepted = Parker::new().unwrap().block_on(poll_fn(|_| listener.poll_accept())).unwrap();
    (client.join().unwrap(), accepted)
}

/// What one read brings.
fn read(stream: &mut Stream) -> impl Future<Output = Vec<u8>> + '_ {
    poll_fn(|context| {
        let mut bytes = [0; 100];
        let mut buffer = ReadBuf::new(&mut bytes);
        let outcome = Pin::new(&mut *stream).poll_read(context, buffer.unfilled());
        outcome.map(|outcome| {
            outcome.unwrap();
            buffer.filled().to_vec()
        })
    })
}

#[test]
fn reads_bring_what_was_there_before_and_what_comes_after_and_the_end() {
    in_time(|| {
        let (mut client, mut stream) = connected();
        let parker = Parker::new().unwrap();
        client.write_all(b"first").unwrap();
        assert_eq!(parker.block_on(read(&mut stream)), b"first");
        // It is there before anyone waits for it, and after a read that emptied the socket.
        client.write_all(&[b'x'; 150]).unwrap();
        assert_eq!(parker.block_on(read(&mut stream)).len(), 100);
        assert_eq!(parker.block_on(read(&mut stream)).len(), 50);
        let writer = thread::spawn(move || {
            thread::yield_now();
            client.write_all(b"last").unwrap();
        });
        assert_eq!(parker.block_on(read(&mut stream)), b"last");
        assert_eq!(parker.block_on(read(&mut stream)), b"");
        writer.join().unwrap();
    });
}

#[test]
fn bytes_and_an_end_that_nobody_reads_keep_no_thread_busy() {
    let polls = in_time(|| {
        let (mut client, mut stream) = connected();
        let mut asked = false;
        let mut sleep = Timer.sleep(Duration::from_millis(200));
        let mut client = Some(move || client.write_all(b"unread").unwrap());
        let future = poll_fn(move |context| {
            if !asked {
                asked = true;
                assert!(pin!(read(&mut stream)).poll(context).is_pending());
                // Sends, and closes.
                client.take().unwrap()();
            }
            sleep.as_mut().poll(context)
        });
        Parker::new().unwrap().block_on(counted(future)).1
    });
    assert!(polls < 10, "{polls}");
}

#[test]
fn a_socket_is_closed_with_its_owner_although_a_thread_waited_for_it() {
    in_time(|| {
        let (mut client, mut stream) = connected();
        let parker = Parker::new().unwrap();
        parker.block_on(poll_fn(|context| {
            assert!(pin!(read(&mut stream)).poll(context).is_pending());
            Poll::Ready(())
        }));
        drop(stream);
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(std::io::Read::read(&mut client, &mut [0]).unwrap(), 0);
    });
}
