//! What a whole server shows only now and then.

use std::{
    future::{Future, pending},
    pin::Pin,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use hyper::rt::Executor as _;

use crate::pool::Pool;

const PATIENCE: Duration = Duration::from_secs(30);

/// Runs `body` on a thread of its own and gives up when it does not end.
fn in_time<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
    let (ended, end) = mpsc::channel();
    thread::spawn(move || ended.send(body()));
    end.recv_timeout(PATIENCE).expect("it ends in time")
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

#[test]
fn tasks_are_taken_in_order_and_a_panic_ends_one_of_them() {
    in_time(|| {
        let (pool, threads) = Pool::<Task>::start(1).unwrap();
        let (done, outcomes) = mpsc::channel();
        for number in 0..10 {
            let done = done.clone();
            pool.execute(Box::pin(async move {
                assert!(number % 2 == 0, "an odd one, as this test wants it");
                done.send(number).unwrap();
            }));
        }
        drop(done);
        assert_eq!(outcomes.iter().collect::<Vec<_>>(), [0, 2, 4, 6, 8]);
        pool.close();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn each_thread_takes_a_task_while_others_wait_and_all_end_when_the_pool_is_closed() {
    const THREADS: usize = 8;
    in_time(|| {
        let (pool, threads) = Pool::<Task>::start(THREADS).unwrap();
        for _ in 0..50 {
            // Ends only when every thread has come to it.
            let barrier = Arc::new(std::sync::Barrier::new(THREADS + 1));
            for _ in 0..THREADS {
                let barrier = Arc::clone(&barrier);
                pool.execute(Box::pin(async move {
                    barrier.wait();
                }));
            }
            barrier.wait();
        }
        pool.close();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn what_waits_when_the_pool_is_closed_is_dropped() {
    in_time(|| {
        let (pool, _threads) = Pool::<Task>::start(1).unwrap();
        let (begun, beginning) = mpsc::channel();
        let dropped = Arc::new(());
        pool.execute(Box::pin(async move {
            begun.send(()).unwrap();
            pending::<()>().await;
        }));
        beginning.recv().unwrap();
        let kept = Arc::clone(&dropped);
        pool.execute(Box::pin(async move { drop(kept) }));
        assert_eq!(Arc::strong_count(&dropped), 2);
        pool.close();
        assert_eq!(Arc::strong_count(&dropped), 1);
    });
}
