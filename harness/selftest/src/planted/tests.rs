//! The planted server does what it is told, on real sockets: no more and no less than its clients can see.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rand::Rng;
use rand_xoshiro::{Xoshiro256PlusPlus, rand_core::SeedableRng};

use super::{event_loop::SEED, *};
use crate::random::uniform;

const PATIENCE: Duration = Duration::from_secs(60);
const REQUEST: &[u8] = b"GET /simple HTTP/1.1\r\nhost: a\r\n\r\n";

/// A server on a thread, which says at its end what CPU time it used.
struct Server {
    address: SocketAddr,
    told: UnixStream,
    thread: JoinHandle<Duration>,
}

impl Server {
    fn with(difference: Difference) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, told) = UnixStream::pair().unwrap();
        let mut event_loop = EventLoop::new(listener, &stop, answer(), difference).unwrap();
        let thread = thread::spawn(move || {
            event_loop.run().unwrap();
            drop(stop);
            host::footprint::own_cpu()
        });
        Self { address, told, thread }
    }

    fn client(&self) -> TcpStream {
        let client = TcpStream::connect(self.address).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client.set_nodelay(true).unwrap();
        client
    }

    /// Ends it; its CPU time.
    fn end(mut self) -> Duration {
        self.told.write_all(b"x").unwrap();
        self.thread.join().unwrap()
    }
}

fn read_answers(client: &mut TcpStream, count: usize) {
    let mut seen = vec![0; count * answer().len()];
    client.read_exact(&mut seen).unwrap();
    assert_eq!(seen, answer().repeat(count));
}

fn ask(client: &mut TcpStream) {
    client.write_all(REQUEST).unwrap();
    read_answers(client, 1);
}

#[test]
fn the_answer_is_the_right_one_of_simple_and_says_who_gave_it() {
    let text = String::from_utf8(answer()).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
    assert_eq!(body, r#"{"origin":"planted","worker":"t0","payload":499500}"#);
}

#[test]
fn each_request_gets_one_answer_however_it_is_cut() {
    let server = Server::with(Difference::default());
    let mut client = server.client();
    ask(&mut client);
    client.write_all(&[REQUEST, &REQUEST[..10]].concat()).unwrap();
    read_answers(&mut client, 1);
    client.write_all(&[&REQUEST[10..], REQUEST, REQUEST].concat()).unwrap();
    read_answers(&mut client, 3);
    server.end();
}

#[test]
fn a_request_that_burns_costs_its_steps_on_the_servers_own_clock() {
    let asked = 20;
    let cost = |burn_steps| {
        let server = Server::with(Difference { burn_steps, ..Difference::default() });
        let mut client = server.client();
        (0..asked).for_each(|_| ask(&mut client));
        server.end()
    };
    // Each step is three shifts and three sums that wait for each other: no CPU does one in a third of a nanosecond.
    let burnt = cost(3_000_000);
    assert!(burnt >= asked * Duration::from_millis(1), "{burnt:?}");
    assert!(burnt > cost(0), "{burnt:?}");
}

#[test]
fn what_is_held_comes_no_sooner_than_it_is_due() {
    let time = Duration::from_millis(50);
    let server = Server::with(Difference { hold: Some(Hold { share: 1.0, time }), ..Difference::default() });
    let mut client = server.client();
    let began = Instant::now();
    ask(&mut client);
    assert!(began.elapsed() >= time, "{:?}", began.elapsed());
    server.end();
}

#[test]
fn what_is_held_keeps_nobody_else_waiting() {
    // Longer than any test waits: what is held is never answered here.
    let hold = Hold { share: 0.3, time: Duration::from_secs(3600) };
    let server = Server::with(Difference { hold: Some(hold), ..Difference::default() });
    let mut clients: Vec<TcpStream> = (0..40).map(|_| server.client()).collect();
    let mut random = Xoshiro256PlusPlus::seed_from_u64(SEED);
    let to_be_held = clients.iter().filter(|_| uniform(random.next_u64()) < hold.share).count();
    assert!((5..20).contains(&to_be_held), "{to_be_held}");
    for client in &mut clients {
        client.write_all(REQUEST).unwrap();
    }
    // Which of them are held depends on the order in which they arrive; how many does not.
    let deadline = Instant::now() + PATIENCE;
    while clients.len() > to_be_held {
        assert!(Instant::now() < deadline, "{} are not answered, {to_be_held} are held", clients.len());
        clients.retain_mut(|client| !is_answered(client));
    }
    assert!(!clients.iter_mut().any(is_answered), "more answers than were let go");
    server.end();
}

fn is_answered(client: &mut TcpStream) -> bool {
    client.set_nonblocking(true).unwrap();
    match client.peek(&mut [0; 1]) {
        Ok(_) => {
            client.set_nonblocking(false).unwrap();
            read_answers(client, 1);
            true
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            false
        }
    }
}

#[test]
fn a_connection_with_a_held_answer_gets_all_that_it_asked_for() {
    let hold = Hold { share: 0.3, time: Duration::from_millis(1) };
    let server = Server::with(Difference { hold: Some(hold), ..Difference::default() });
    let mut client = server.client();
    client.write_all(&REQUEST.repeat(40)).unwrap();
    read_answers(&mut client, 40);
    server.end();
}

#[test]
fn a_stall_keeps_everybody_waiting_and_comes_again() {
    let stall = Stall { time: Duration::from_millis(200), every: Duration::from_millis(400) };
    let server = Server::with(Difference { stall: Some(stall), ..Difference::default() });
    let mut clients = [server.client(), server.client()];
    let deadline = Instant::now() + PATIENCE;
    // A request that comes at the beginning of a stall waits for nearly all of it, on whichever connection it comes.
    for client in &mut clients {
        let mut stalled = 0;
        while stalled < 2 {
            assert!(Instant::now() < deadline, "it does not stall");
            let began = Instant::now();
            ask(client);
            stalled += u32::from(began.elapsed() > stall.time * 3 / 4);
        }
    }
    server.end();
}
