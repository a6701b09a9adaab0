//! The ready line: one JSON object on stdout by which a server says that it accepts.

use std::{io, net::SocketAddr};

use serde::{Deserialize, Serialize};

use crate::{cpus::CpuSet, lossy};

/// How the announcing binary was built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Without optimisation: fit for tests, never for a measurement.
    Debug,
    /// With optimisation.
    Release,
}

impl Profile {
    /// The profile that the crate calling this was built with.
    pub const fn of_this_build() -> Self {
        if cfg!(debug_assertions) { Self::Debug } else { Self::Release }
    }
}

/// What a server says of itself when it accepts connections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// The server's name: the `origin` of its answers.
    pub server: String,
    /// Where it really listens (with the port that was chosen where 0 was asked for).
    pub address: SocketAddr,
    /// The process to send signals to.
    pub pid: u32,
    /// How many workers own an event loop.
    pub workers: usize,
    /// The CPUs that the server may use.
    pub cpus: CpuSet,
    /// How it was built.
    pub profile: Profile,
}

/// The ready line of a program that is not held to all of it: what it leaves out is not known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announced {
    /// The server's name.
    #[serde(default)]
    pub server: Option<String>,
    /// Where it really listens.
    pub address: SocketAddr,
    /// How many workers own an event loop.
    #[serde(default)]
    pub workers: Option<usize>,
    /// The CPUs that the server may use.
    #[serde(default)]
    pub cpus: Option<CpuSet>,
    /// How it was built.
    #[serde(default)]
    pub profile: Option<Profile>,
}

impl From<Ready> for Announced {
    fn from(ready: Ready) -> Self {
        let Ready { server, address, pid: _, workers, cpus, profile } = ready;
        Self {
            server: Some(server),
            address,
            workers: Some(workers),
            cpus: Some(cpus),
            profile: Some(profile),
        }
    }
}

impl Ready {
    /// Prints the line on stdout, or loses it ([`lossy`]): it never waits for somebody to read it.
    ///
    /// # Errors
    /// It is lost, for this reason; a launcher that went away is one such case.
    pub fn announce(&self) -> io::Result<()> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        lossy::stdout().put(&line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_reads_back_as_it_was_written() {
        let ready = Ready {
            server: "work-stealing".to_owned(),
            address: "127.0.0.1:8080".parse().unwrap(),
            pid: 7,
            workers: 2,
            cpus: "0-1".parse().unwrap(),
            profile: Profile::of_this_build(),
        };
        let line = serde_json::to_string(&ready).unwrap();
        assert!(line.contains(r#""cpus":"0-1""#), "{line}");
        assert_eq!(serde_json::from_str::<Ready>(&line).unwrap(), ready);
        assert_eq!(serde_json::from_str::<Announced>(&line).unwrap(), ready.into());
    }

    #[test]
    fn what_a_foreign_line_leaves_out_is_not_known() {
        let line = r#"{"address":"127.0.0.1:8080","framework":"x"}"#;
        let announced: Announced = serde_json::from_str(line).unwrap();
        assert_eq!((announced.address.port(), announced.workers, announced.cpus), (8080, None, None));
        assert!(serde_json::from_str::<Ready>(line).is_err());
        assert!(serde_json::from_str::<Announced>(r#"{"server":"x"}"#).is_err());
    }
}
