//! A server whose output is lost serves, and ends when it is told to.

use std::{
    fmt,
    net::SocketAddr,
    os::fd::OwnedFd,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use host::{processes, tether};
use rustix::process::Signal;

use super::{
    lost::Lost,
    program::{PATIENCE, Program, free_address, get, until},
};
use crate::{
    room::{Takes, enter},
    wire::Client,
};

/// Requests that are none: some libraries have something to say of each.
const MALFORMED: usize = 200;
/// Somebody else may take a port between its choice and the start.
const PORTS: usize = 3;
/// What a shell reports for a process that a signal ended.
const BY_SECOND_SIGNAL: i32 = 128 + 15;

/// Which of the two descriptors leads to where it is lost; the other's output is thrown away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Streams {
    Stdout,
    Stderr,
    Both,
}

impl fmt::Display for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::Both => "stdout and stderr",
        })
    }
}

/// Starts `program` with each of its outputs, and with both, lost in all ways: the body of a server's test.
///
/// # Panics
/// If it does not start, does not answer, does not end when it is stopped, or not with code 0; or if a second stop signal does
/// not end it while a request is under way.
pub fn assert_outlives_lost_output(program: &Program) {
    assert_outlives_output_that_is_lost_as(program, &Lost::ALL);
}

/// The same in some ways.
///
/// # Panics
/// As [`assert_outlives_lost_output`].
pub fn assert_outlives_output_that_is_lost_as(program: &Program, ways: &[Lost]) {
    let _room = enter(Takes::Little);
    let mut faults = String::new();
    for &lost in ways {
        for streams in [Streams::Stdout, Streams::Stderr, Streams::Both] {
            let mut outcomes = vec![("", Server::serves_and_ends(program, lost, streams))];
            if program.delays && streams == Streams::Both {
                outcomes.push((" and a second signal", Server::ends_at_once(program, lost)));
            }
            for (how, outcome) in outcomes {
                match outcome {
                    Ok(took) => {
                        println!("ok    {streams} {lost:?}{how}: ended within {took:.0?} of the signal");
                    }
                    Err(fault) => faults += &format!("\n  {streams} {lost:?}{how}: {fault}"),
                }
            }
        }
    }
    assert!(faults.is_empty(), "{} {:?}:{faults}", program.binary.display(), program.arguments);
}

/// A server whose output is lost. Dropping it kills it.
struct Server {
    process: Child,
    address: SocketAddr,
    /// The other end of its output.
    held: Vec<OwnedFd>,
}

impl Server {
    fn serves_and_ends(program: &Program, lost: Lost, streams: Streams) -> Result<Duration, String> {
        let mut server = Self::start(program, lost, streams)?;
        for _ in 0..MALFORMED {
            // However they are answered.
            let _ = Client::connect(server.address, PATIENCE).and_then(|mut client| {
                client.send(b"\x01 none \r\n\r\n").map(|()| drop(client.receive(false)))
            });
        }
        program.answers(server.address)?;
        let since = Instant::now();
        server.signal(Signal::TERM);
        server.ends_with(0)?;
        Ok(since.elapsed())
    }

    fn ends_at_once(program: &Program, lost: Lost) -> Result<Duration, String> {
        let mut server = Self::start(program, lost, Streams::Both)?;
        let address = server.address;
        let mut client =
            Client::connect(address, PATIENCE).map_err(|error| format!("cannot connect: {error}"))?;
        let asked = client.send(b"GET /delay?ms=60000 HTTP/1.1\r\nHost: surroundings\r\n\r\n");
        asked.map_err(|error| format!("cannot ask for a delay: {error}"))?;
        until("a delay is under way", || {
            let metrics = String::from_utf8_lossy(&get(address, "/metrics").ok()?.body).into_owned();
            let line = metrics.lines().find(|line| line.starts_with("server_operations_in_flight{"))?;
            line.ends_with(" 1").then_some(())
        })?;
        server.signal(Signal::TERM);
        // Still there, it takes no more requests.
        until("the stop begins", || {
            get(address, "/healthz").map_or(true, |answer| answer.status != 200).then_some(())
        })?;
        let since = Instant::now();
        server.signal(Signal::TERM);
        server.ends_with(BY_SECOND_SIGNAL)?;
        Ok(since.elapsed())
    }

    fn start(program: &Program, lost: Lost, streams: Streams) -> Result<Self, String> {
        let mut failed = String::new();
        for _ in 0..PORTS {
            let mut server =
                Self::launch(program, lost, streams).map_err(|error| format!("cannot start: {error}"))?;
            let mut ended = None;
            until("the server answers", || {
                ended = server.process.try_wait().ok().flatten();
                (ended.is_some() || program.answers(server.address).is_ok()).then_some(())
            })?;
            match ended {
                None => {
                    if lost == Lost::GoneLater {
                        server.held.clear();
                    }
                    return Ok(server);
                }
                Some(status) => failed = format!("it did not start ({status})"),
            }
        }
        Err(failed)
    }

    fn launch(program: &Program, lost: Lost, streams: Streams) -> std::io::Result<Self> {
        let address = free_address()?;
        let (mut before, mut redirected, mut held) = ("", String::new(), Vec::new());
        let mut output = |number, is_lost: bool| {
            if !is_lost {
                return Ok(Stdio::null());
            }
            let (near, far) = lost.open()?;
            held.extend(far);
            let (first, redirection) = lost.shell(number);
            before = first;
            redirected += &redirection;
            redirected += " ";
            std::io::Result::Ok(Stdio::from(near))
        };
        let stdout = output(1, streams != Streams::Stderr)?;
        let stderr = output(2, streams != Streams::Stdout)?;
        let mut command = tether::command("sh");
        command
            .args(["-c", &format!("{before} exec \"$0\" \"$@\" {redirected}")])
            .arg(&program.binary)
            .args(&program.arguments)
            .args(["--listen", &address.to_string()])
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr);
        if lost == Lost::Filling {
            command.env("RUST_LOG", "trace");
        } else {
            command.env_remove("RUST_LOG");
        }
        Ok(Self { process: command.spawn()?, address, held })
    }

    fn signal(&self, signal: Signal) {
        processes::send(self.process.id(), signal);
    }

    fn ends_with(&mut self, code: i32) -> Result<(), String> {
        let ended = processes::wait_until(&mut self.process, Instant::now() + PATIENCE);
        match ended.map_err(|error| format!("cannot wait for its end: {error}"))? {
            None => Err(format!("it had not ended {PATIENCE:?} after the signal")),
            Some(status) if status.code() == Some(code) => Ok(()),
            Some(status) => Err(format!("after the signal: {status} instead of code {code}")),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended, or is to; nothing that it started outlives it.
        let _ = self.process.kill().and_then(|()| self.process.wait());
    }
}
