//! Why another host cannot be asked to run servers, or cannot any more.

use std::{net::SocketAddr, time::Duration};

/// Why another host cannot be asked to run servers, or cannot any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// What would be an option of ssh.
    #[error("`{0}` is no host; name it as ssh does, such as node1 or user@node1")]
    NoHost(String),
    /// There is no ssh.
    #[error("{host}: {ssh} cannot be started: {error}; install an ssh client, or name one with --ssh")]
    NoSsh {
        /// Where it was to lead.
        host: String,
        /// The program.
        ssh: String,
        /// Why not.
        error: String,
    },
    /// The connection never was, or ended before anything was asked.
    #[error("{host} does not run servers for this harness: {said}; {advice}")]
    Refused {
        /// The host.
        host: String,
        /// What ssh, or the shell there, said last.
        said: String,
        /// What to do.
        advice: String,
    },
    /// It speaks otherwise, or is another program.
    #[error(
        "{host} has another build of the harness, and both halves of an instrument are one; copy this one there, or say with --there where that is"
    )]
    OtherBuild {
        /// The host.
        host: String,
    },
    /// Programs of this host do not run there.
    #[error(
        "{host} is {there} and this host is {here}: programs are copied, so that both must be of one architecture"
    )]
    Architecture {
        /// The host.
        host: String,
        /// Its architecture.
        there: String,
        /// The one here.
        here: String,
    },
    /// Servers there would not be reached.
    #[error(
        "{host}: {address} cannot be reached from here: {error}; open the ports that servers choose there (net.ipv4.ip_local_port_range), or \
         name another of its addresses with --server-address"
    )]
    Closed {
        /// The host.
        host: String,
        /// Where nobody answered.
        address: SocketAddr,
        /// Why.
        error: String,
    },
    /// It cannot do what every race needs.
    #[error("{host}: {said}")]
    Unable {
        /// The host.
        host: String,
        /// What it said.
        said: String,
    },
    /// The connection was there, and is not any more.
    #[error("the link to {host} was lost: {said}; what runs there ends by itself")]
    Lost {
        /// The host.
        host: String,
        /// What ssh said last.
        said: String,
    },
    /// An answer took too long.
    #[error(
        "{host} did not answer within {within:?}; see that `ssh {host}` works without a question, and how slow the link is"
    )]
    Silent {
        /// The host.
        host: String,
        /// How long it was waited for.
        within: Duration,
    },
}

impl LinkError {
    /// Whether another command line would help.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::NoHost(_))
    }
}
