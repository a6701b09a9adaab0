//! What this host and the servers' say to each other: one line of JSON each.
//!
//! ```text
//! there: {"server_host":1,"harness_sha256":"...","architecture":"x86_64","name":"node1","boot":"..."}
//!                                                     once; whatever a login shell prints before is no such line
//! here:  {"number":7,"asked":{"of":{"server":2,"what":"freeze"}}}
//! there: {"number":7,"answered":{"Ok":"done"}}        or {"Err":"..."}: it could not, and why
//! here:                                               an empty line, now and then: somebody is still here
//! ```

use std::{
    collections::BTreeMap,
    io::Write,
    net::{IpAddr, SocketAddr},
    path::Path,
    time::Duration,
};

use host::{cpus::CpuSet, ready::Profile};
use serde::{Deserialize, Serialize};

use crate::{
    generators::order::Order,
    machine::edge::Accounts,
    programs::{instance::Stopped, start_environment::StartRecord},
    records::{
        environment::sha256_of,
        host_record::{HostRecord, boot_id, host_name},
        interface::Interface,
        server_host::RoundTrip,
        window::{Measured, PortsRecord},
    },
    registry::Row,
};

/// What these lines mean: raised when that changes.
pub(super) const REVISION: u32 = 1;

/// Who is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Greeting {
    /// The revision of these lines.
    pub server_host: u32,
    /// SHA-256 of the program.
    pub harness_sha256: String,
    /// The processor's architecture.
    pub architecture: String,
    /// What the host calls itself.
    pub name: String,
    /// What its kernel drew when it started (random(4)), by which hosts are told apart; empty where it does not tell.
    pub boot: String,
}

impl Greeting {
    /// Whether both are of one machine: namespaces or containers of it, as hosts of tests are.
    pub fn is_beside(&self, other: &Self) -> bool {
        !self.boot.is_empty() && self.boot == other.boot
    }

    /// Of this process.
    ///
    /// # Errors
    /// It cannot read its own program.
    pub fn own() -> std::io::Result<Self> {
        Ok(Self {
            server_host: REVISION,
            // Not by its path: it may have been replaced meanwhile.
            harness_sha256: sha256_of(Path::new("/proc/self/exe"))?,
            architecture: std::env::consts::ARCH.to_owned(),
            name: host_name(),
            boot: boot_id(),
        })
    }
}

/// A question.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Question {
    /// From 1, each one more than the last.
    pub(crate) number: u64,
    pub(crate) asked: Asked,
}

/// Its answer.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Reply {
    /// The question's.
    pub(crate) number: u64,
    pub(crate) answered: Result<Answer, String>,
}

/// What is asked for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Asked {
    /// Say what this host is. Where both hosts are one machine, whoever asks is process `beside` there, and no foreign one.
    Describe { beside: Option<u32> },
    /// Listen for one connection, and give back what comes on it.
    Listen,
    /// Whether the program of that SHA-256 is there.
    Has { sha256: String },
    /// Take the next part of a program: its bytes in base64.
    Bring { sha256: String, name: String, part: String, is_last: bool },
    /// Start a server.
    Start(Box<Wanted>),
    /// Do something with one.
    Of { server: u32, what: OfServer },
    /// Send bytes to whoever listens there, and say how long they take.
    Exchange(SocketAddr),
    /// Say what time it is.
    Clock,
    /// Wait until the generator of this host has as many local ports as its part of a load takes.
    Ports(Box<Order>),
    /// Make a load, or a part of one.
    Load(Box<Order>),
}

/// A host that runs servers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Described {
    pub(crate) host: HostRecord,
    /// Where servers listen, where that is known.
    pub(crate) address: Option<IpAddr>,
    pub(crate) interface: Option<Interface>,
    /// What every server starts with.
    pub(crate) start: StartRecord,
}

/// The server that is to be started.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Wanted {
    pub(crate) row: Row,
    /// Which the row itself does not say in a line.
    pub(crate) is_given: bool,
    pub(crate) profile: Profile,
    /// SHA-256 of its program.
    pub(crate) program: String,
    /// The same of the packages that it uses.
    pub(crate) uses: BTreeMap<String, String>,
    pub(crate) cpus: CpuSet,
}

/// What is asked for of one server: what [`Running`](super::running::Running) does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OfServer {
    Memory,
    LoadBegins,
    /// The server's CPUs, and the generator's where those are this machine's.
    LoadEnded {
        cpus: CpuSet,
        generator: CpuSet,
    },
    Freeze,
    Thaw,
    Stop,
    /// It is ended, however that goes.
    Drop,
}

/// What is answered.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    Done,
    Described(Box<Described>),
    Listens(SocketAddr),
    Has(bool),
    Started(Started),
    MemoryKib(u64),
    Accounts(Box<Accounts>),
    Stopped(Stopped),
    Exchanged(Exchanged),
    /// Nanoseconds since 1970, by the clock there.
    Clock {
        received_ns: i64,
        answered_ns: i64,
    },
    Ports(Option<PortsRecord>),
    Loaded(Box<Measured>),
    /// A load was to begin so long before its connections were open.
    TooSoon(Duration),
}

/// From where bytes went to another host, and how long they took.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Exchanged {
    pub(crate) here: IpAddr,
    pub(crate) interface: Option<Interface>,
    pub(crate) round_trip: RoundTrip,
}

/// A server that accepts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Started {
    /// Its number in further questions.
    pub(crate) server: u32,
    pub(crate) address: SocketAddr,
    pub(crate) name: Option<String>,
    pub(crate) workers: Option<usize>,
    pub(crate) guard_pid: u32,
}

/// Writes a line, in one piece.
///
/// # Errors
/// Those of writing.
pub(crate) fn say(to: &mut (impl Write + ?Sized), what: &impl Serialize) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    to.write_all(&line)?;
    to.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_short_and_reads_back() {
        let what = OfServer::LoadEnded { cpus: "0-1".parse().unwrap(), generator: CpuSet::default() };
        let asked = Asked::Of { server: 2, what: what.clone() };
        let mut line = Vec::new();
        say(&mut line, &Question { number: 7, asked }).unwrap();
        let text = String::from_utf8(line).unwrap();
        assert_eq!(
            text,
            "{\"number\":7,\"asked\":{\"of\":{\"server\":2,\"what\":{\"load_ended\":{\"cpus\":\"0-1\",\"generator\":\"\"}}}}}\n"
        );
        let Question { number, asked } = serde_json::from_str::<Question>(&text).unwrap();
        let Asked::Of { server, what: read } = asked else { panic!("{text}") };
        assert_eq!((number, server, read), (7, 2, what));
    }

    #[test]
    fn hosts_are_one_machine_where_one_kernel_started_once() {
        let own = Greeting::own().unwrap();
        let other = |boot: &str| Greeting { boot: boot.to_owned(), name: "other".to_owned(), ..own.clone() };
        assert!(own.is_beside(&other(&own.boot)) && !own.is_beside(&other("0")));
        assert!(!other("").is_beside(&other("")), "nobody knows");
    }

    #[test]
    fn what_a_login_shell_prints_is_no_greeting() {
        let own = Greeting::own().unwrap();
        let line = serde_json::to_string(&own).unwrap();
        assert_eq!(serde_json::from_str::<Greeting>(&line).unwrap(), own);
        for line in ["Last login: yesterday", "", "{}", "7"] {
            assert!(serde_json::from_str::<Greeting>(line).is_err(), "{line}");
        }
    }
}
