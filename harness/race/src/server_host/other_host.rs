//! Another host, and the servers that run on it: each thing that is done to one is asked for by a line.

use std::{
    collections::{BTreeMap, HashMap},
    ffi::OsString,
    fs::File,
    io::{self, Read},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use host::cpus::CpuSet;
use load::ThreadOutcome;

use super::{
    lines::{Answer, Asked, Described, OfServer, Started, Wanted},
    link::{ANSWER_WITHIN, Link},
    running::{Running, ServerFault, ServerHost},
};
use crate::{
    machine::edge::{Accounts, Edge, Edges},
    plan::cpu_plan::CpuPlan,
    programs::{
        builder::Built,
        instance::{InstanceError, Stopped},
    },
    records::environment::sha256_of,
    registry::{Program, Row},
};

/// So much of a program goes in one line.
const PART: usize = 256 << 10;

/// Another host, reached by a link.
#[derive(Debug)]
pub struct OtherHost {
    link: Arc<Link>,
    /// The programs that are there, with their SHA-256.
    brought: Mutex<HashMap<PathBuf, String>>,
    /// What is read of this host, where the generator is.
    edges: Arc<Mutex<Edges>>,
}

/// A server on another host.
#[derive(Debug)]
pub struct RunningThere {
    link: Arc<Link>,
    said: Started,
    first_memory_kib: Option<u64>,
    edges: Arc<Mutex<Edges>>,
    /// Where its load began, on this host.
    began: Option<Edge>,
    /// Whether it is there to be ended.
    is_there: bool,
}

/// Whether all that `row` needs on its host is a program that can be copied there. What it requires, and a program that is found on the
/// PATH, must be installed.
pub fn can_be_copied(row: &Row) -> bool {
    let is_file = match &row.program {
        Program::Package(_) => true,
        Program::Command(command) => command.first().is_some_and(|program| program.contains('/')),
    };
    is_file && row.requires.is_empty()
}

impl OtherHost {
    /// The host at the other end of `link`.
    pub fn new(link: Link) -> Self {
        Self { link: Arc::new(link), brought: Mutex::default(), edges: Arc::default() }
    }

    /// Whether it is this very machine, of which it is another namespace or container.
    pub(super) fn is_of_one_machine(&self) -> bool {
        self.link.is_of_one_machine()
    }

    /// What that host is.
    pub(super) fn described(&self) -> Result<Described, String> {
        let beside = self.is_of_one_machine().then(std::process::id);
        match self.link.ask(Asked::Describe { beside }, ANSWER_WITHIN)? {
            Answer::Described(described) => Ok(*described),
            other => Err(unexpected(&other)),
        }
    }

    /// Where it gives back what comes on one connection.
    ///
    /// # Errors
    /// It cannot be asked, or nothing can listen there.
    pub fn listens(&self) -> Result<SocketAddr, String> {
        match self.link.ask(Asked::Listen, ANSWER_WITHIN)? {
            Answer::Listens(address) => Ok(address),
            other => Err(unexpected(&other)),
        }
    }

    /// Has the program at `path` there as well. Its SHA-256.
    fn bring(&self, path: &Path) -> Result<String, InstanceError> {
        let mut brought = self.brought.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sha256) = brought.get(path) {
            return Ok(sha256.clone());
        }
        let unread =
            |error: io::Error| InstanceError::There(format!("cannot read {}: {error}", path.display()));
        let sha256 = sha256_of(path).map_err(unread)?;
        if !self.has(&sha256)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let mut file = File::open(path).map_err(unread)?;
            let mut part = next_part(&mut file).map_err(unread)?;
            loop {
                let next = next_part(&mut file).map_err(unread)?;
                let is_last = next.is_empty();
                let (sha256, name) = (sha256.clone(), name.clone());
                let bring = Asked::Bring { sha256, name, part: STANDARD.encode(&part), is_last };
                done(self.link.ask(bring, ANSWER_WITHIN)).map_err(InstanceError::There)?;
                if is_last {
                    break;
                }
                part = next;
            }
        }
        brought.insert(path.to_owned(), sha256.clone());
        Ok(sha256)
    }

    fn has(&self, sha256: &str) -> Result<bool, InstanceError> {
        let asked = Asked::Has { sha256: sha256.to_owned() };
        match self.link.ask(asked, ANSWER_WITHIN).map_err(InstanceError::There)? {
            Answer::Has(is_there) => Ok(is_there),
            other => Err(InstanceError::There(unexpected(&other))),
        }
    }
}

/// As much as goes in one line; nothing at the end.
fn next_part(file: &mut File) -> io::Result<Vec<u8>> {
    let mut part = Vec::with_capacity(PART);
    file.take(PART as u64).read_to_end(&mut part)?;
    Ok(part)
}

impl ServerHost for OtherHost {
    fn start(
        &self,
        row: &Row,
        built: &Built,
        cpus: &CpuSet,
        _guard: &[OsString],
    ) -> Result<Box<dyn Running>, InstanceError> {
        let uses = built.uses.iter().map(|(package, path)| Ok((package.clone(), self.bring(path)?)));
        let wanted = Wanted {
            is_given: row.is_given,
            row: row.clone(),
            profile: built.profile,
            program: self.bring(&built.program)?,
            uses: uses.collect::<Result<BTreeMap<_, _>, InstanceError>>()?,
            cpus: cpus.clone(),
        };
        let within = row.ready_within + ANSWER_WITHIN;
        match self.link.ask(Asked::Start(Box::new(wanted)), within).map_err(InstanceError::There)? {
            Answer::Started(said) => Ok(Box::new(RunningThere {
                link: Arc::clone(&self.link),
                said,
                first_memory_kib: None,
                edges: Arc::clone(&self.edges),
                began: None,
                is_there: true,
            })),
            other => Err(InstanceError::There(unexpected(&other))),
        }
    }

    fn lost(&self) -> Option<String> {
        self.link.lost().map(|lost| lost.to_string())
    }
}

impl RunningThere {
    fn ask(&self, what: OfServer) -> Result<Answer, String> {
        self.link.ask(Asked::Of { server: self.said.server, what }, ANSWER_WITHIN)
    }

    fn edge(&self) -> io::Result<Edge> {
        self.edges.lock().unwrap_or_else(PoisonError::into_inner).read_without_row()
    }
}

impl Running for RunningThere {
    fn address(&self) -> SocketAddr {
        self.said.address
    }

    fn server(&self) -> Option<&str> {
        self.said.name.as_deref()
    }

    fn workers(&self) -> Option<usize> {
        self.said.workers
    }

    fn guard_pid(&self) -> u32 {
        self.said.guard_pid
    }

    fn memory_kib(&self) -> io::Result<u64> {
        match self.ask(OfServer::Memory).map_err(io::Error::other)? {
            Answer::MemoryKib(kib) => Ok(kib),
            other => Err(io::Error::other(unexpected(&other))),
        }
    }

    fn first_memory_kib(&mut self) -> io::Result<u64> {
        let kib = match self.first_memory_kib {
            Some(kib) => kib,
            None => self.memory_kib()?,
        };
        Ok(*self.first_memory_kib.insert(kib))
    }

    fn load_begins(&mut self) -> io::Result<()> {
        done(self.ask(OfServer::LoadBegins)).map_err(io::Error::other)?;
        self.began = Some(self.edge()?);
        Ok(())
    }

    fn load_ended(&mut self, cpus: &CpuPlan, threads: &[ThreadOutcome]) -> io::Result<Accounts> {
        let ended = self.edge()?;
        let began = self.began.take().ok_or_else(|| io::Error::other("no load has begun"))?;
        let one_machine = self.link.is_of_one_machine();
        let generator = if one_machine { cpus.generator.clone() } else { CpuSet::default() };
        match self
            .ask(OfServer::LoadEnded { cpus: cpus.server.clone(), generator })
            .map_err(io::Error::other)?
        {
            Answer::Accounts(there) => {
                let beside = there.foreign_beside_generator_ns;
                let accounts = there.with_generator_of(&began, &ended, &cpus.generator, threads);
                // Of one machine, the side that knows the row knows best who is foreign.
                let best = if one_machine { beside } else { accounts.foreign_beside_generator_ns };
                Ok(Accounts { foreign_beside_generator_ns: best, ..accounts })
            }
            other => Err(io::Error::other(unexpected(&other))),
        }
    }

    fn freeze(&mut self) -> Result<(), ServerFault> {
        done(self.ask(OfServer::Freeze)).map_err(|said| InstanceError::There(said).into())
    }

    fn thaw(&mut self) -> Result<(), ServerFault> {
        done(self.ask(OfServer::Thaw)).map_err(|said| InstanceError::There(said).into())
    }

    fn stop(mut self: Box<Self>) -> Result<Stopped, InstanceError> {
        self.is_there = false;
        match self.ask(OfServer::Stop).map_err(InstanceError::There)? {
            Answer::Stopped(stopped) => Ok(stopped),
            other => Err(InstanceError::There(unexpected(&other))),
        }
    }
}

impl Drop for RunningThere {
    fn drop(&mut self) {
        if self.is_there {
            // Where nothing can be asked any more, it ends by itself.
            drop(self.ask(OfServer::Drop));
        }
    }
}

fn done(answered: Result<Answer, String>) -> Result<(), String> {
    match answered? {
        Answer::Done => Ok(()),
        other => Err(unexpected(&other)),
    }
}

fn unexpected(answer: &Answer) -> String {
    format!("the servers' host answers what it was not asked: {answer:?}")
}
