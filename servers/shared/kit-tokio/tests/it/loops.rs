//! Accept loops that come and go on one runtime, share a limit, and hand their listener over.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use kit::{
    accept::{self, Drained, Room, Stops},
    args::{Config, Limits},
    execute::Inline,
    listen,
    policy::Policy,
    runtime::Runtime as _,
    service::{Service, Site},
    shutdown::Shutdown,
};
use kit_tokio::{Tokio, front};

const PATIENCE: Duration = Duration::from_secs(30);

/// One accept loop.
struct Loop {
    listener: TcpListener,
    room: Room,
    /// When it begins.
    begin: Shutdown,
    released: Shutdown,
}

impl Loop {
    /// One that has begun, of `listener`, on a clone of it: as a process has that was handed one.
    fn on(listener: &TcpListener, room: impl Into<Room>) -> Self {
        let (begin, released) = (Shutdown::new(), Shutdown::new());
        begin.raise();
        Self { listener: listener.try_clone().unwrap(), room: room.into(), begin, released }
    }
}

/// Runs `loops` on one runtime, in a thread of its own, until all have ended.
fn run(loops: Vec<Loop>, stopping: &Shutdown) -> JoinHandle<Vec<Drained>> {
    let stopping = stopping.clone();
    thread::spawn(move || {
        let limits = Limits {
            max_connections: 1,
            max_body_bytes: 100,
            header_timeout: PATIENCE,
            body_timeout: PATIENCE,
            idle_timeout: PATIENCE,
            drain_timeout: PATIENCE,
            linger: Duration::from_millis(50),
        };
        let (listen, cpus) = (([127, 0, 0, 1], 0).into(), [0].into_iter().collect());
        let config =
            Config { listen, workers: 1, cpus, limits, policy: Policy::Enforced, faults: Default::default() };
        let site = Site::new("test", &config, stopping.clone());
        let runtime = front::current_thread_runtime().unwrap();
        runtime.block_on(async {
            let tasks = loops.into_iter().map(|Loop { listener, room, begin, released }| {
                let stops = Stops { stopping: stopping.clone(), released: Some(released) };
                let service = Service::new(Arc::clone(&site), Inline, Tokio.timer());
                tokio::spawn(async move {
                    begin.wait().await;
                    let listener = Tokio.listener(listener).unwrap();
                    accept::serve(Tokio, listener, service, room, stops).await
                })
            });
            let mut ended = Vec::new();
            for task in tasks.collect::<Vec<_>>() {
                ended.push(task.await.unwrap());
            }
            ended
        })
    })
}

struct Client(TcpStream);

impl Client {
    fn of(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut client = Self(stream);
        client.ask();
        client
    }

    fn ask(&mut self) {
        self.0.write_all(b"GET /simple HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    }

    /// The answer to the request before; it comes in one piece.
    #[track_caller]
    fn is_answered(&mut self) -> String {
        let mut bytes = [0; 4096];
        let count = self.0.read(&mut bytes).unwrap();
        let answer = String::from_utf8_lossy(&bytes[..count]).into_owned();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer:?}");
        answer
    }

    #[track_caller]
    fn is_served(&mut self) {
        self.ask();
        self.is_answered();
    }

    #[track_caller]
    fn waits(&self) {
        self.0.set_nonblocking(true).unwrap();
        let error = self.0.peek(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        self.0.set_nonblocking(false).unwrap();
    }

    #[track_caller]
    fn is_closed(&mut self) {
        assert_eq!(self.0.read(&mut [0]).unwrap(), 0);
    }
}

fn listener() -> (TcpListener, SocketAddr) {
    let listener = listen::one(([127, 0, 0, 1], 0).into()).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

#[test]
fn a_released_loop_keeps_its_connections_and_leaves_what_is_queued_to_whoever_comes_next() {
    let (listener, address) = listener();
    let (stopping, first) = (Shutdown::new(), Loop::on(&listener, 1));
    let next = Loop { begin: Shutdown::new(), ..Loop::on(&listener, 100) };
    let (released, begin) = (first.released.clone(), next.begin.clone());
    let running = run(vec![first, next], &stopping);
    let mut inside = Client::of(address);
    inside.is_answered();
    // The first has no room for these.
    let mut queued: Vec<_> = (0..5).map(|_| Client::of(address)).collect();
    released.raise();
    queued.extend((0..5).map(|_| Client::of(address)));
    for _ in 0..20 {
        inside.is_served();
    }
    queued.iter().for_each(Client::waits);
    begin.raise();
    queued.iter_mut().for_each(|client| drop(client.is_answered()));
    inside.is_served();

    // A stop finds them all.
    queued[0].ask();
    queued[0].is_answered();
    stopping.raise();
    inside.is_closed();
    queued.iter_mut().for_each(Client::is_closed);
    assert_eq!(running.join().unwrap(), [Drained { cut: 0 }; 2]);
}

#[test]
fn a_loop_that_is_released_while_it_waits_to_accept_takes_nothing_more() {
    for _ in 0..20 {
        let (listener, address) = listener();
        let (stopping, only) = (Shutdown::new(), Loop::on(&listener, 100));
        let released = only.released.clone();
        let running = run(vec![only], &stopping);
        let mut inside = Client::of(address);
        inside.is_answered();
        released.raise();
        let late = Client::of(address);
        inside.is_served();
        late.waits();
        // And it ends with its last connection.
        drop(inside);
        assert_eq!(running.join().unwrap(), [Drained { cut: 0 }]);
        late.waits();
    }
}

#[test]
fn a_loop_that_is_stopped_and_was_not_released_takes_what_is_queued() {
    let (listener, address) = listener();
    let stopping = Shutdown::new();
    let running = run(vec![Loop::on(&listener, 1)], &stopping);
    let mut inside = Client::of(address);
    inside.is_answered();
    let mut queued: Vec<_> = (0..20).map(|_| Client::of(address)).collect();
    stopping.raise();
    for client in &mut queued {
        assert!(client.is_answered().contains("connection: close"));
        client.is_closed();
    }
    inside.is_closed();
    drop((inside, queued));
    assert_eq!(running.join().unwrap(), [Drained { cut: 0 }]);
}

#[test]
fn loops_on_one_runtime_keep_to_a_limit_together() {
    let listeners = [listener(), listener()];
    let (stopping, room) = (Shutdown::new(), Room::new(2));
    let loops = listeners.iter().map(|(listener, _)| Loop::on(listener, room.clone())).collect();
    let running = run(loops, &stopping);
    let [one, other] = listeners.each_ref().map(|&(_, address)| address);
    // Both places may be taken through one of them.
    for (first, second) in [(one, other), (other, other), (one, one), (other, one)] {
        let mut inside = [Client::of(first), Client::of(second)];
        inside.iter_mut().for_each(|client| drop(client.is_answered()));
        let mut waiting = [Client::of(one), Client::of(other)];
        for _ in 0..20 {
            inside.iter_mut().for_each(Client::is_served);
        }
        waiting.iter().for_each(Client::waits);
        drop(inside);
        waiting.iter_mut().for_each(|client| drop(client.is_answered()));
    }
    stopping.raise();
    assert_eq!(running.join().unwrap(), [Drained { cut: 0 }; 2]);
}
