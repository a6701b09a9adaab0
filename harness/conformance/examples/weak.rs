//! A server with one weakness, for the tests that show that the attacks find it: `weak WEAKNESS --listen ...`.
//! Blocking sockets and a thread per connection; understands of HTTP only what the attacks send.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use host::ready::{Profile, Ready};

struct Server {
    weakness: String,
    in_flight: AtomicU64,
    /// Delays that were answered, whether or not anybody took the answer.
    delays: AtomicU64,
    /// Held by whoever is served, where one is served at a time.
    turn: Mutex<()>,
    open: Mutex<usize>,
    /// It drains, where its weakness is one of those in [`DRAINS`].
    stopping: AtomicBool,
    connections: Mutex<Vec<Arc<Connection>>>,
}

/// Weaknesses of a server that accepts no more after a signal, and ends when its last connection has.
const DRAINS: [&str; 3] = ["closes-what-is-idle", "announces-nothing", "announces-at-once"];

struct Connection {
    stream: TcpStream,
    /// Its head was read.
    is_busy: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn main() -> io::Result<()> {
    let weakness = std::env::args().nth(1).unwrap_or_default();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let ready = Ready {
        server: "weak".to_owned(),
        address: listener.local_addr()?,
        pid: std::process::id(),
        workers: 1,
        cpus: host::cpus::CpuSet::allowed()?,
        profile: Profile::of_this_build(),
    };
    if weakness == "ignores-signals" {
        // The handler does nothing, and so the signal does nothing.
        signal_hook::flag::register(signal_hook::consts::SIGTERM, Arc::default())?;
    }
    if weakness == "ends-at-once" {
        let mut signals = signal_hook::iterator::Signals::new([signal_hook::consts::SIGTERM])?;
        thread::spawn(move || signals.forever().next().map(|_| std::process::exit(0)));
    }
    let drains = DRAINS.contains(&weakness.as_str());
    let server = Arc::new(Server {
        weakness,
        in_flight: AtomicU64::new(0),
        delays: AtomicU64::new(0),
        turn: Mutex::new(()),
        open: Mutex::new(0),
        stopping: AtomicBool::new(false),
        connections: Mutex::default(),
    });
    if drains {
        let mut signals = signal_hook::iterator::Signals::new([signal_hook::consts::SIGTERM])?;
        let (server, listener) = (Arc::clone(&server), listener.try_clone()?);
        thread::spawn(move || signals.forever().next().map(|_| server.drain(&listener)));
    }
    ready.announce()?;
    loop {
        match listener.accept() {
            Ok((stream, _)) => server.admit(stream),
            Err(_) if server.stopping.load(SeqCst) => {
                drop(listener);
                while *lock(&server.open) > 0 {
                    thread::sleep(Duration::from_millis(5));
                }
                return Ok(());
            }
            Err(error) if server.is("dies-without-files") => return Err(error),
            Err(_) if server.is("spins-without-files") => {}
            Err(error) => {
                if server.is("tells-everything") {
                    eprintln!("cannot accept: {error}");
                }
                thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

impl Server {
    fn is(&self, weakness: &str) -> bool {
        self.weakness == weakness
    }

    fn admit(self: &Arc<Self>, stream: TcpStream) {
        let mut open = lock(&self.open);
        if *open >= 8 && self.is("turns-away") {
            return;
        }
        *open += 1;
        drop(open);
        let server = Arc::clone(self);
        thread::spawn(move || {
            if server.is("keeps-files") {
                std::mem::forget(stream.try_clone());
            }
            let connection = Arc::new(Connection { stream, is_busy: AtomicBool::new(false) });
            lock(&server.connections).push(Arc::clone(&connection));
            // How the connection ended does not matter here.
            let _ = server.serve(&connection);
            lock(&server.connections).retain(|other| !Arc::ptr_eq(other, &connection));
            drop(connection);
            *lock(&server.open) -= 1;
        });
    }

    fn drain(&self, listener: &TcpListener) {
        self.stopping.store(true, SeqCst);
        // Whoever waits in accept returns with an error.
        let _ = rustix::net::shutdown(listener, rustix::net::Shutdown::Both);
        if self.is("closes-what-is-idle") {
            for connection in lock(&self.connections).iter().filter(|other| !other.is_busy.load(SeqCst)) {
                let _ = connection.stream.shutdown(Shutdown::Both);
            }
        }
    }

    fn serve(&self, connection: &Connection) -> io::Result<()> {
        let mut stream = &connection.stream;
        let memory = vec![1_u8; if self.is("keeps-memory") { 256 << 10 } else { 1 }];
        let mut reader = BufReader::new(stream);
        let mut unsent = Vec::new();
        let (mut turn, mut requests) = (None, 0);
        loop {
            requests += 1;
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                if reader.read_line(&mut head)? == 0 {
                    return Ok(());
                }
            }
            connection.is_busy.store(true, SeqCst);
            if turn.is_none() && (self.is("one-at-a-time") || self.is("finishes-with-one-client")) {
                turn = Some(lock(&self.turn));
            }
            let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap_or("0");
            let length: u64 = length.parse().unwrap_or(0);
            if head.contains("chunked") || length > 1 << 20 {
                // Takes bodies without any limit.
                io::copy(&mut reader, &mut io::sink())?;
            }
            let mut body = vec![0; length as usize];
            reader.read_exact(&mut body)?;
            let path = head.split(' ').nth(1).unwrap_or_default();
            if length == 0 {
                body = self.body(path, stream)?.into_bytes();
            }
            let is_last = self.is("announces-at-once") && self.stopping.load(SeqCst);
            let close = if is_last { "Connection: close\r\n" } else { "" };
            write!(unsent, "HTTP/1.1 200 OK\r\n{close}Content-Length: {}\r\n\r\n", body.len())?;
            unsent.extend(body);
            // As many answers as there are requests, however many: nothing is sent before the last is read.
            if !(self.is("buffers") && length > 0) {
                stream.write_all(&unsent)?;
                unsent.clear();
            }
            if !self.is("finishes-with-one-client") || requests < 100 {
                turn = None;
            }
            connection.is_busy.store(false, SeqCst);
            if is_last {
                stream.shutdown(Shutdown::Write)?;
                io::copy(&mut reader, &mut io::sink())?;
                return Ok(());
            }
            if head.contains("Connection: close") {
                drop(memory);
                return Ok(());
            }
        }
    }

    fn body(&self, path: &str, client: &TcpStream) -> io::Result<String> {
        let number = |name: &str| path.split(name).nth(1).and_then(|text| text.parse::<u64>().ok());
        if path == "/metrics" {
            let (in_flight, delays) = (self.in_flight.load(SeqCst), self.delays.load(SeqCst));
            return Ok(format!(
                "server_requests_total{{endpoint=\"delay\",status=\"200\"}} {delays}\nserver_operations_in_flight{{}} {in_flight}\n"
            ));
        }
        self.in_flight.fetch_add(1, SeqCst);
        if let Some(milliseconds) = number("ms=") {
            if self.is("takes-a-close-for-a-leave") {
                client.set_read_timeout(Some(Duration::from_millis(milliseconds)))?;
                // The end of the stream comes before the time is over.
                if matches!(client.peek(&mut [0]), Ok(0)) {
                    self.in_flight.fetch_sub(1, SeqCst);
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                client.set_read_timeout(None)?;
            } else {
                thread::sleep(Duration::from_millis(milliseconds));
            }
            self.delays.fetch_add(1, SeqCst);
        }
        let sum = (0..number("iterations=").unwrap_or(1001))
            .fold(0_u64, |sum, next| sum.wrapping_add(std::hint::black_box(next)));
        self.in_flight.fetch_sub(1, SeqCst);
        Ok(format!("\"payload\":{}", number("ms=").unwrap_or(if path == "/simple" { 499_500 } else { sum })))
    }
}
