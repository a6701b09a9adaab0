//! A server that does one thing wrong when it is asked for a fault, for the tests that show that this is found:
//! `faulty WEAKNESS [--faults] ...`. Blocking sockets and a thread per connection; whatever else it is launched with it ignores.

use std::{
    io::{self, BufRead, BufReader, Write},
    net::{Shutdown, TcpListener, TcpStream},
    panic::{AssertUnwindSafe, catch_unwind},
    process::exit,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

use app::{Fault, Faults, Operation, Rejection, Request};
use host::ready::{Profile, Ready};
use signal_hook::{consts::SIGTERM, iterator::Signals};

/// As many as a server may lose threads by panics before it serves nobody, where each costs one.
const THREADS: usize = 8;

struct Server {
    weakness: String,
    faults: Faults,
    panics: AtomicUsize,
    /// Whoever computes has ended.
    ended: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

struct Answer {
    status: u16,
    allow: Option<&'static str>,
    body: Vec<u8>,
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let on = arguments.iter().any(|argument| argument == "--faults");
    let weakness = arguments.into_iter().next().unwrap_or_default();
    let faults = if on || weakness == "always-on" { Faults::On } else { Faults::Off };
    if on && weakness != "warns-of-nothing" {
        eprintln!("--faults is on");
    }
    let mut signals = Signals::new([SIGTERM])?;
    let obeys = weakness != "ignores-signals";
    thread::spawn(move || signals.forever().find(|_| obeys).map(|_| exit(0)));
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let ready = Ready {
        server: "faulty".to_owned(),
        address: listener.local_addr()?,
        pid: std::process::id(),
        workers: 1,
        cpus: host::cpus::CpuSet::allowed()?,
        profile: Profile::of_this_build(),
    };
    let server = Arc::new(Server {
        weakness,
        faults,
        panics: AtomicUsize::new(0),
        ended: AtomicBool::new(false),
        open: Mutex::default(),
    });
    ready.announce()?;
    loop {
        let (stream, _) = listener.accept()?;
        server.open.lock().unwrap_or_else(PoisonError::into_inner).push(stream.try_clone()?);
        let server = Arc::clone(&server);
        // How the connection ends does not matter here.
        thread::spawn(move || drop(server.serve(&stream)));
    }
}

impl Server {
    fn is(&self, weakness: &str) -> bool {
        self.weakness == weakness
    }

    fn serve(&self, mut stream: &TcpStream) -> io::Result<()> {
        if self.is("loses-a-thread") && self.panics.load(SeqCst) >= THREADS {
            loop {
                thread::park();
            }
        }
        let mut reader = BufReader::new(stream);
        loop {
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                if reader.read_line(&mut head)? == 0 {
                    return stream.shutdown(Shutdown::Both);
                }
            }
            let mut line = head.split(' ');
            let (method, target) = (line.next().unwrap_or_default(), line.next().unwrap_or_default());
            let Answer { status, allow, body } = self.answer(method, target, stream);
            let allow = allow.map(|allow| format!("Allow: {allow}\r\n")).unwrap_or_default();
            let mut bytes =
                format!("HTTP/1.1 {status} Said\r\n{allow}Content-Length: {}\r\n\r\n", body.len())
                    .into_bytes();
            bytes.extend(body);
            stream.write_all(&bytes)?;
        }
    }

    fn answer(&self, method: &str, target: &str, stream: &TcpStream) -> Answer {
        let (path, query) =
            target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let method = if self.is("takes-any-method") && path == "/fault" { "POST" } else { method };
        let ok = |body: Vec<u8>| Answer { status: 200, allow: None, body };
        match app::route_with(method, path, query, self.faults) {
            Ok(Request::Operation(operation)) => self.run(operation, stream),
            Ok(Request::Index) if self.is("lists-faults") => ok(b"{\"paths\":[\"/fault\"]}".to_vec()),
            Ok(Request::Index) => ok(app::index_body()),
            Ok(Request::OpenApi) => ok(app::OPENAPI.into()),
            Ok(Request::Info) => ok(format!("{{\"pid\":{}}}", std::process::id()).into()),
            Ok(Request::Metrics) => {
                let kept = if self.is("keeps-operations") { self.panics.load(SeqCst) } else { 0 };
                ok(format!("server_operations_in_flight{{}} {kept}\n").into())
            }
            Ok(_) => ok(Vec::new()),
            Err(Rejection::BadParameter { .. }) if self.is("refuses-without-words") => {
                Answer { status: 400, allow: None, body: b"{}".to_vec() }
            }
            Err(rejection) => {
                Answer { status: rejection.status(), allow: rejection.allow(), body: rejection.body() }
            }
        }
    }

    fn run(&self, operation: Operation, stream: &TcpStream) -> Answer {
        if let Operation::Fault(Fault::Abort | Fault::Overflow) = operation {
            match self.weakness.as_str() {
                "ends-by-itself" => exit(3),
                "only-closes" => {
                    // Only this connection, which then writes into nothing.
                    drop(stream.shutdown(Shutdown::Both));
                    return Answer { status: 500, allow: None, body: Vec::new() };
                }
                "replaces-nobody" => {
                    self.ended.store(true, SeqCst);
                    return Answer { status: 500, allow: None, body: Vec::new() };
                }
                "answers-first" => return Answer { status: 500, allow: None, body: Vec::new() },
                _ => {}
            }
        }
        if self.ended.load(SeqCst) && operation.is_cpu_bound() {
            return Answer { status: 500, allow: None, body: Vec::new() };
        }
        let run = || operation.run().body("faulty", "t0");
        let outcome =
            if self.is("catches-nothing") { Ok(run()) } else { catch_unwind(AssertUnwindSafe(run)) };
        let Err(_) = outcome else {
            return Answer { status: 200, allow: None, body: outcome.unwrap_or_default() };
        };
        self.panics.fetch_add(1, SeqCst);
        if self.is("cuts-others") {
            let own = stream.peer_addr().ok();
            let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            for other in open.iter().filter(|other| other.peer_addr().ok() != own) {
                drop(other.shutdown(Shutdown::Both));
            }
        }
        let status = if self.is("takes-a-panic-for-an-answer") { 200 } else { 500 };
        Answer { status, allow: None, body: b"{\"error\":\"the operation failed\"}".to_vec() }
    }
}
