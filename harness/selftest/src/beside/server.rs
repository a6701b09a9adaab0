//! The servers that the generators are measured against: each with one worker on one CPU, ready when it answers.

use std::{
    ffi::OsString,
    fs,
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use host::{
    cpus::CpuSet,
    launch::{Launch, Process},
};

use super::{
    serving::{PATH, Serving},
    stand::Stand,
    window_error::WindowError,
};

/// How long a server may take until it answers.
const READY_WITHIN: Duration = Duration::from_secs(10);
/// Between two attempts to reach a server that says nothing when it is ready.
const KNOCK_EVERY: Duration = Duration::from_millis(10);
/// The ceiling's answer, which the other null servers repeat.
const BODY: &str = r#"{"origin":"ceiling","worker":"t0","payload":499500}"#;

/// A server that can be started.
#[derive(Clone, Debug)]
pub enum Server {
    /// One that prints a ready line and takes `--listen ADDRESS --cpus LIST`.
    Ready {
        /// What it is called.
        name: &'static str,
        /// Its program and leading arguments.
        program: PathBuf,
        /// What comes before `--listen`.
        leading: Vec<OsString>,
        /// What comes at the end.
        trailing: Vec<OsString>,
        /// Whether it cannot choose a port by itself.
        needs_port: bool,
    },
    /// nginx with one worker and `return 200`.
    Nginx {
        /// Its program.
        program: PathBuf,
    },
}

impl Server {
    /// The null server.
    pub fn ceiling(program: &Path) -> Self {
        let one_worker = ["--workers", "1"].map(OsString::from).to_vec();
        Self::Ready {
            name: "ceiling",
            program: program.to_owned(),
            leading: Vec::new(),
            trailing: one_worker,
            needs_port: false,
        }
    }

    /// may_minihttp, in the ceiling's example of that name.
    pub fn may_minihttp(program: &Path) -> Self {
        Self::Ready {
            name: "may_minihttp",
            program: program.to_owned(),
            leading: Vec::new(),
            trailing: Vec::new(),
            needs_port: true,
        }
    }

    /// What it is called.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ready { name, .. } => name,
            Self::Nginx { .. } => "nginx",
        }
    }

    /// Starts it on `cpu` and waits until it answers.
    ///
    /// # Errors
    /// It does not, or answers something else.
    pub fn start(&self, stand: &Stand, cpu: usize) -> Result<Serving, WindowError> {
        let name = self.name();
        let launch_error = |source| WindowError::Launch { name: name.to_owned(), source };
        let cpus = CpuSet::from_iter([cpu]);
        match self {
            Self::Ready { program, leading, trailing, needs_port, .. } => {
                let port = if *needs_port { free_port(name)? } else { 0 };
                let mut process = Launch::new(program)
                    .args(leading)
                    .args(["--listen", &format!("127.0.0.1:{port}"), "--cpus", &cpus.to_string()])
                    .args(trailing)
                    .cpus(cpus)
                    .guarded_by(&stand.guard)
                    .spawn()
                    .map_err(launch_error)?;
                let ready = process.ready(READY_WITHIN).map_err(launch_error)?;
                Ok(Serving { name, process, address: ready.address })
            }
            Self::Nginx { program } => {
                let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port(name)?));
                let configuration = stand.folder.path().join("nginx.conf");
                fs::write(&configuration, nginx_configuration(address))
                    .map_err(|source| WindowError::File { path: configuration.clone(), source })?;
                let mut process = Launch::new(program)
                    .args([OsString::from("-p"), stand.folder.path().into(), "-c".into()])
                    // Before it has read its configuration it would complain into a file of the system's.
                    .args([configuration.into_os_string(), "-e".into(), "stderr".into()])
                    .cpus(cpus)
                    .guarded_by(&stand.guard)
                    .spawn()
                    .map_err(launch_error)?;
                wait_until_it_answers(name, address, &mut process)?;
                Ok(Serving { name, process, address })
            }
        }
    }
}

/// A port that nobody listens on, for servers that cannot choose one.
fn free_port(name: &str) -> Result<u16, WindowError> {
    let chosen = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    chosen.map(|address| address.port()).map_err(|error| WindowError::Server {
        name: name.to_owned(),
        reason: format!("gets no port: {error}"),
    })
}

/// One worker that answers what the ceiling answers, and writes nothing down. Everything it may create is below the
/// prefix that it is started with.
fn nginx_configuration(address: SocketAddr) -> String {
    format!(
        "daemon off;\nworker_processes 1;\npid nginx.pid;\nerror_log stderr error;\n\
         events {{ worker_connections 16384; }}\n\
         http {{\n  access_log off;\n  keepalive_requests 1000000000;\n  keepalive_timeout 600s;\n  tcp_nodelay on;\n  \
         client_body_temp_path body;\n  proxy_temp_path proxy;\n  fastcgi_temp_path fastcgi;\n  \
         uwsgi_temp_path uwsgi;\n  scgi_temp_path scgi;\n  \
         server {{\n    listen {address} backlog=16384;\n    location / {{\n      default_type application/json;\n      \
         return 200 '{BODY}';\n    }}\n  }}\n}}\n"
    )
}

/// Asks until there is an answer, and looks at it.
fn wait_until_it_answers(
    name: &'static str,
    address: SocketAddr,
    process: &mut Process,
) -> Result<(), WindowError> {
    let deadline = Instant::now() + READY_WITHIN;
    let wrong = |reason: String| WindowError::Server { name: name.to_owned(), reason };
    loop {
        match ask(address) {
            Ok(answer) if answer.starts_with("HTTP/1.1 200") && answer.ends_with(BODY) => return Ok(()),
            Ok(answer) => {
                let first = answer.lines().next().unwrap_or("nothing").to_owned();
                return Err(wrong(format!("answers `{first}` where the ceiling's answer was asked for")));
            }
            Err(error) if Instant::now() >= deadline => {
                let last = process.stderr().pop().unwrap_or_else(|| error.to_string());
                return Err(wrong(format!("is not reached at {address} within {READY_WITHIN:?}: {last}")));
            }
            // It may be dead rather than slow; a guard that has spoken tells which.
            Err(_) => match process.next_line(Instant::now() + KNOCK_EVERY) {
                Ok(host::launch::Heard::End(exit)) => {
                    let last = exit.stderr.last().cloned().unwrap_or_else(|| exit.ended.to_string());
                    return Err(wrong(format!("ended before it was ready: {last}")));
                }
                Ok(_) => thread::yield_now(),
                Err(source) => return Err(WindowError::Launch { name: name.to_owned(), source }),
            },
        }
    }
}

/// One request on a connection of its own.
fn ask(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, READY_WITHIN)?;
    stream.set_read_timeout(Some(READY_WITHIN))?;
    stream.write_all(
        format!("GET {PATH} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes(),
    )?;
    let mut answer = String::new();
    stream.take(65_536).read_to_string(&mut answer)?;
    Ok(answer)
}
