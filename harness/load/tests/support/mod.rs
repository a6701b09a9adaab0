//! Servers that follow a script, on std's blocking sockets: a truth that the generator did not make.
#![expect(dead_code, reason = "each test file uses its own part")]

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use load::{Check, Outcome, Pacing, Plan, Request, StopHandle, Stream};

/// No script waits longer than this for the generator.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server on a free port; each connection runs the script on a thread of its own. Ends when dropped.
pub(crate) struct Scripted {
    pub(crate) address: SocketAddr,
    /// How many requests were read completely.
    pub(crate) requests: Arc<AtomicU64>,
    stopping: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

impl Scripted {
    pub(crate) fn start(script: impl Fn(&mut Peer) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let (requests, stopping) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (counter, stopped, script) = (requests.clone(), stopping.clone(), Arc::new(script));
        let acceptor = thread::spawn(move || {
            let mut connections = Vec::new();
            for stream in listener.incoming() {
                if stopped.load(SeqCst) {
                    break;
                }
                let Ok(stream) = stream else { continue };
                stream.set_read_timeout(Some(PATIENCE)).expect("a read timeout");
                stream.set_nodelay(true).expect("no delay");
                let listener = listener.try_clone().expect("a second handle");
                let mut peer = Peer { stream, requests: counter.clone(), listener };
                let script = script.clone();
                connections.push(thread::spawn(move || script(&mut peer)));
            }
            connections
                .into_iter()
                .for_each(|connection| connection.join().expect("the script does not panic"));
        });
        Self { address, requests, stopping, acceptor: Some(acceptor) }
    }

    /// One that answers every request with the same bytes.
    pub(crate) fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::start(move |peer| while peer.read_request() && peer.write(&answer) {})
    }

    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(SeqCst)
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.stopping.store(true, SeqCst);
        // Wakes the acceptor.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let ended = acceptor.join();
            assert!(ended.is_ok() || thread::panicking(), "a script panicked");
        }
    }
}

/// The server's side of one connection.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    requests: Arc<AtomicU64>,
    listener: TcpListener,
}

impl Peer {
    /// Reads up to the end of a head (requests without content). False when the generator has closed.
    pub(crate) fn read_request(&mut self) -> bool {
        let mut head = Vec::new();
        let mut bytes = [0; 4096];
        while !head.ends_with(b"\r\n\r\n") {
            match self.stream.read(&mut bytes) {
                Ok(0) | Err(_) => return false,
                Ok(read) => head.extend_from_slice(&bytes[..read]),
            }
        }
        self.requests.fetch_add(1, SeqCst);
        true
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// From now on whoever connects to the server is refused.
    pub(crate) fn stop_listening(&mut self) {
        rustix::net::shutdown(&self.listener, rustix::net::Shutdown::Both).expect("it listened");
    }

    /// Waits until the generator closes.
    pub(crate) fn wait_for_close(&mut self) {
        while matches!(self.stream.read(&mut [0; 4096]), Ok(read) if read > 0) {}
    }
}

pub(crate) fn answer(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

pub(crate) fn stream(
    address: SocketAddr,
    pacing: Pacing,
    connections: u32,
    check: impl Check + 'static,
) -> Stream {
    let request = Request::get("/simple", &address.to_string()).expect("a valid request");
    Stream::new("simple", request, Arc::new(check), pacing, connections)
}

/// No warm-up, so that everything that is sent is also recorded.
pub(crate) fn plan(address: SocketAddr, stream: Stream, window_ms: u64) -> Plan {
    let mut plan = Plan::new(address, vec![stream]);
    plan.warm_up = Duration::ZERO;
    plan.window = Duration::from_millis(window_ms);
    plan
}

/// Runs a plan and checks what must hold for every run.
pub(crate) fn run(plan: &Plan) -> Outcome {
    run_until(plan, &(), &StopHandle::new())
}

pub(crate) fn run_until(plan: &Plan, observer: &dyn load::Observer, stop: &StopHandle) -> Outcome {
    let outcome = load::run(plan, observer, stop).expect("the plan can be run");
    for (stream, accounting) in outcome.streams.iter().zip(outcome.accounting()) {
        assert!(
            accounting.is_consistent(),
            "{}: {accounting:?} {:?} {:?}",
            stream.name,
            stream.counts,
            stream.errors
        );
        assert_eq!(stream.unanswered.len(), stream.censored());
    }
    assert!(serde_json::to_string(&outcome).is_ok());
    outcome
}
