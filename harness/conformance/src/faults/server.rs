//! A server that is asked for faults.

use std::{
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use host::launch::{Exit, Launch, Process};
use serde_json::Value;

use super::row::Faulty;
use crate::{
    response::Response,
    wire::{Broken, Client},
};

/// How often a condition is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Short, for where somebody outlasts it on purpose.
const DRAIN_TIMEOUT: [&str; 2] = ["--drain-timeout", "300ms"];

/// What went otherwise than it must, in words.
pub(super) type Outcome<T = ()> = Result<T, String>;

pub(super) struct Server {
    process: Process,
    address: SocketAddr,
    patience: Duration,
}

impl Server {
    /// Launches `row` with `more` arguments, behind the limits that it is to have. It leaves no core files, which take time and
    /// room where a host wants them.
    pub(super) fn launch(row: &Faulty, more: &[&str]) -> Outcome<Self> {
        let limited = format!("ulimit -c 0; {} exec \"$0\" \"$@\"", row.limits);
        let mut process = Launch::new("sh")
            .args(["-c", &limited])
            .args([&row.binary])
            .args(&row.arguments)
            .args(["--listen", "127.0.0.1:0"])
            .args(DRAIN_TIMEOUT)
            .args(more)
            // Of each panic one line, so that all are among those that are kept.
            .env("RUST_BACKTRACE", "0")
            .spawn()
            .map_err(|error| format!("it cannot be launched: {error}"))?;
        let ready = process.ready(row.patience).map_err(|error| format!("it is not ready: {error}"))?;
        Ok(Self { process, address: ready.address, patience: row.patience })
    }

    pub(super) fn connect(&self) -> Outcome<Client> {
        Client::connect(self.address, self.patience).map_err(|error| format!("cannot connect: {error}"))
    }

    /// Connections of others, which were answered once.
    pub(super) fn bystanders(&self, count: usize) -> Outcome<Vec<Bystander>> {
        (0..count).map(|_| Bystander::of(self.connect()?)).collect()
    }

    /// The answer to a request on a connection of its own.
    pub(super) fn ask(&self, line: &str) -> Outcome<Response> {
        ask(&mut self.connect()?, line)
    }

    /// New connections are answered, `count` of them.
    pub(super) fn serves(&self, count: usize) -> Outcome {
        (0..count).try_for_each(|_| expect(200, "GET /simple", &self.ask("GET /simple")?))
    }

    /// Waits until `holds`.
    pub(super) fn until(&self, what: &str, mut holds: impl FnMut() -> Outcome<bool>) -> Outcome {
        let deadline = Instant::now() + self.patience;
        while !holds()? {
            if Instant::now() >= deadline {
                return Err(format!("not within {:?}: {what}", self.patience));
            }
            thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }

    /// Waits for the end that something brought about.
    pub(super) fn ends(self) -> Outcome<Exit> {
        let patience = self.patience;
        let exit = self.process.wait(patience).map_err(|error| error.to_string())?;
        if exit.forced { Err(format!("it had not ended after {patience:?}")) } else { Ok(exit) }
    }

    /// SIGTERM ends it, with code 0 and nothing left behind.
    pub(super) fn stops(mut self) -> Outcome<Exit> {
        self.process.terminate();
        let exit = self.ends()?;
        if exit.is_clean() { Ok(exit) } else { Err(format!("after SIGTERM: {exit:?}")) }
    }
}

/// A connection of somebody who asks for nothing but `/info`.
pub(super) struct Bystander {
    client: Client,
    /// The process that serves it.
    pub(super) pid: u64,
}

impl Bystander {
    fn of(client: Client) -> Outcome<Self> {
        let mut this = Self { client, pid: 0 };
        this.pid = this.asks()?;
        Ok(this)
    }

    fn asks(&mut self) -> Outcome<u64> {
        let response = ask(&mut self.client, "GET /info")?;
        expect(200, "GET /info", &response)?;
        let info: Value = serde_json::from_slice(&response.body).map_err(|error| error.to_string())?;
        info["pid"].as_u64().ok_or_else(|| format!("/info has no pid: {info}"))
    }

    /// It is answered as before, by the same process.
    pub(super) fn goes_on(&mut self) -> Outcome {
        match self.asks() {
            Ok(pid) if pid == self.pid => Ok(()),
            Ok(pid) => Err(format!("a connection to process {} is answered by {pid}", self.pid)),
            Err(failure) => Err(format!("a connection of somebody else: {failure}")),
        }
    }

    pub(super) fn client(&mut self) -> &mut Client {
        &mut self.client
    }
}

/// Sends a request without a body, by its method and target.
pub(super) fn send(client: &mut Client, line: &str) -> Outcome {
    let request = format!("{line} HTTP/1.1\r\nHost: faults\r\nContent-Length: 0\r\n\r\n");
    client.send(request.as_bytes()).map_err(|error| format!("{line}: cannot send: {error}"))
}

/// The answer to a request without a body on this connection.
pub(super) fn ask(client: &mut Client, line: &str) -> Outcome<Response> {
    send(client, line)?;
    client.receive(false).map_err(|broken| format!("{line}: {broken}"))
}

/// The connection ends without an answer.
pub(super) fn ends_unanswered(client: &mut Client, line: &str) -> Outcome {
    match client.receive(false) {
        Err(Broken::Closed) => Ok(()),
        Err(broken) => Err(format!("{line}: {broken}")),
        Ok(response) => Err(format!("{line} is answered with {}", response.status)),
    }
}

/// `response` has that status.
pub(super) fn expect(status: u16, line: &str, response: &Response) -> Outcome {
    if response.status == status {
        return Ok(());
    }
    let body = String::from_utf8_lossy(&response.body);
    Err(format!("{line} is answered with {}, not {status}: {body}", response.status))
}
