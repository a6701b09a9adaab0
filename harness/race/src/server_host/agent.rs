//! The other half of a race whose servers run on another host than its generator: it does there what it is asked, line by line, by the
//! [`ServerHost`] of that host.
//!
//! What it reads from is its lifeline. When that ends, or says nothing for [`SILENCE`], all that was started is ended.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io::{self, BufRead, Write},
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use super::{
    brought::Brought,
    lines::{Answer, Asked, Described, Exchanged, Greeting, OfServer, Question, Reply, Started, Wanted, say},
    making, probe,
    running::{Running, ServerHost},
};
use crate::{
    generators::clock::now_ns,
    machine::edge::Edges,
    measure::ports,
    plan::{cpu_plan::CpuPlan, scenario::Placement},
    programs::{
        builder::Built,
        start_environment::{self, StartRecord},
    },
    records::{host_record::HostRecord, interface::Interface},
    registry::{Program, Row, placeholders::fill},
};

/// After so long without a word nobody is there any more: a cable that was cut ends no connection. Whoever is there says something four
/// times as often.
pub const SILENCE: Duration = Duration::from_secs(20);

const NO_ADDRESS: &str = "it is not known where servers are to listen, since ssh does not say where it came in: name an address with --server-address";

/// This side: the host that servers run on.
#[derive(Debug)]
pub struct Side<'a> {
    /// The host.
    pub host: &'a dyn ServerHost,
    /// The command that guards a process here.
    pub guard: Vec<OsString>,
    /// Where servers listen, where that is known.
    pub ip: Option<IpAddr>,
}

/// Answers each line of `asked` on `answers` until the first ends or is silent for `silence`; then everything that was started has ended.
///
/// # Errors
/// Nobody reads the answers, what was asked is not understood, or there is no folder for programs.
pub fn serve(
    asked: impl BufRead + Send + 'static,
    answers: &mut impl Write,
    side: Side<'_>,
    silence: Duration,
) -> io::Result<()> {
    let mut agent = Agent { servers: BTreeMap::new(), next: 1, programs: Brought::new()?, side };
    say(answers, &Greeting::own()?)?;
    let lines = lines_of(asked)?;
    let mut edges = Edges::default();
    while let Ok(line) = lines.recv_timeout(silence) {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let received_ns = now_ns();
        let Question { number, asked } = serde_json::from_str(&line).map_err(io::Error::other)?;
        let answered = match asked {
            Asked::Clock => Ok(Answer::Clock { received_ns, answered_ns: now_ns() }),
            Asked::Load(order) => making::made(&order, &mut edges, &lines, silence),
            asked => agent.answer(asked),
        };
        say(answers, &Reply { number, answered })?;
    }
    Ok(())
}

/// The lines, as they come: whoever answers the last hears that nobody is left.
fn lines_of(asked: impl BufRead + Send + 'static) -> io::Result<Receiver<io::Result<String>>> {
    let (sender, lines) = channel();
    thread::Builder::new().name("lines".to_owned()).spawn(move || {
        for line in asked.lines() {
            let is_last = line.is_err();
            if sender.send(line).is_err() || is_last {
                return;
            }
        }
    })?;
    Ok(lines)
}

fn exchanged(address: SocketAddr) -> Result<Exchanged, String> {
    let (here, round_trip) = probe::exchange(address).map_err(|error| error.to_string())?;
    Ok(Exchanged { here, interface: Interface::of(here), round_trip })
}

/// What runs here.
struct Agent<'a> {
    // Ended before their programs are removed.
    servers: BTreeMap<u32, Box<dyn Running>>,
    next: u32,
    programs: Brought,
    side: Side<'a>,
}

impl Agent<'_> {
    fn answer(&mut self, asked: Asked) -> Result<Answer, String> {
        match asked {
            Asked::Describe { beside } => {
                if let Some(harness) = beside {
                    self.side.host.is_asked_by(harness);
                }
                self.described().map(|described| Answer::Described(Box::new(described)))
            }
            Asked::Listen => {
                let ip = self.side.ip.ok_or(NO_ADDRESS)?;
                probe::listen(ip).map(Answer::Listens).map_err(|error| error.to_string())
            }
            Asked::Has { sha256 } => Ok(Answer::Has(self.programs.path(&sha256).is_some())),
            Asked::Bring { sha256, name, part, is_last } => {
                let taken = self.programs.take(&sha256, &name, &part, is_last);
                taken.map(|()| Answer::Done).map_err(|error| format!("cannot take {name}: {error}"))
            }
            Asked::Start(wanted) => self.start(*wanted).map(Answer::Started),
            Asked::Of { server, what } => self.of_server(server, what),
            Asked::Exchange(address) => exchanged(address).map(Answer::Exchanged),
            Asked::Ports(order) => Ok(Answer::Ports(ports::wait(&order, &|| false))),
            // Of the lines themselves.
            Asked::Clock | Asked::Load(_) => Err("it is answered by nobody here".to_owned()),
        }
    }

    fn described(&self) -> Result<Described, String> {
        let host = HostRecord::capture().map_err(|error| format!("it cannot say what it is: {error}"))?;
        let address = self.side.ip;
        let start = StartRecord::of(&[], &start_environment::own());
        Ok(Described { host, address, interface: address.and_then(Interface::of), start })
    }

    fn start(&mut self, wanted: Wanted) -> Result<Started, String> {
        let Wanted { row, is_given, profile, program, uses, cpus } = wanted;
        let row = Row { is_given, ..row };
        let path = |sha256: &String| {
            let path = self.programs.path(sha256).cloned();
            path.ok_or_else(|| format!("no program of {} has the SHA-256 {sha256} here", row.name))
        };
        let uses = uses.iter().map(|(package, sha256)| Ok((package.clone(), path(sha256)?)));
        let uses: BTreeMap<String, PathBuf> = uses.collect::<Result<_, String>>()?;
        let filled = |text: &String| fill(text, |name| Some(uses.get(name)?.display().to_string()));
        let leading_args = match &row.program {
            Program::Package(_) => Vec::new(),
            Program::Command(command) => command.iter().skip(1).map(filled).collect(),
        };
        let args = row.args.iter().map(filled).collect();
        let built = Built { program: path(&program)?, leading_args, args, folder: None, uses, profile };
        let Side { host, guard, .. } = &self.side;
        let running = host.start(&row, &built, &cpus, guard).map_err(|error| error.to_string())?;
        let server = self.next;
        self.next += 1;
        let started = Started {
            server,
            address: running.address(),
            name: running.server().map(str::to_owned),
            workers: running.workers(),
            guard_pid: running.guard_pid(),
        };
        self.servers.insert(server, running);
        Ok(started)
    }

    fn of_server(&mut self, number: u32, what: OfServer) -> Result<Answer, String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let mut server =
            self.servers.remove(&number).ok_or_else(|| format!("server {number} is not here"))?;
        let answer = match what {
            OfServer::Stop => return server.stop().map(Answer::Stopped).map_err(|error| text(&error)),
            OfServer::Drop => return Ok(Answer::Done),
            OfServer::Memory => server.memory_kib().map(Answer::MemoryKib).map_err(|error| text(&error)),
            OfServer::LoadBegins => server.load_begins().map(|()| Answer::Done).map_err(|error| text(&error)),
            OfServer::LoadEnded { cpus, generator } => {
                // Which decides nothing here: who is foreign follows from the CPUs.
                let placement = Placement::Split;
                let accounts = server.load_ended(&CpuPlan { placement, server: cpus, generator }, &[]);
                accounts.map(|accounts| Answer::Accounts(Box::new(accounts))).map_err(|error| text(&error))
            }
            OfServer::Freeze => server.freeze().map(|()| Answer::Done).map_err(|error| text(&error)),
            OfServer::Thaw => server.thaw().map(|()| Answer::Done).map_err(|error| text(&error)),
        };
        self.servers.insert(number, server);
        answer
    }
}

#[cfg(test)]
mod tests;
