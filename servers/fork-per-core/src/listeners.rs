//! The listeners of all places, opened by the primary and kept until the stop.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use kit::{listen, start::Error};

/// One listener for each place that there ever was: one that is closed would reset what is queued in it.
#[derive(Debug)]
pub struct Listeners {
    address: SocketAddr,
    open: Vec<TcpListener>,
    /// Whether they were handed to this process, so that it opens no more of them.
    inherited: bool,
}

impl Listeners {
    /// Opens one for each of `count` places.
    ///
    /// # Errors
    /// As [`listen::group`].
    pub fn open(address: SocketAddr, count: usize) -> Result<Self, Error> {
        Self::of_these(listen::group(address, count)?, false)
    }

    /// Those that whoever started this process has opened (systemd's socket activation): places share them in turn.
    ///
    /// # Errors
    /// There are none, or more than `count` places, so that some would be served by nobody.
    pub fn inherited(listeners: Vec<TcpListener>, count: usize) -> Result<Self, Error> {
        if listeners.len() > count {
            let given = listeners.len();
            return Err(Error::Failed(format!(
                "{given} sockets were handed over, and {count} workers cannot serve them: start at least {given} (--workers)"
            )));
        }
        Self::of_these(listeners, true)
    }

    fn of_these(open: Vec<TcpListener>, inherited: bool) -> Result<Self, Error> {
        match open.first() {
            Some(first) => {
                let address = first.local_addr().map_err(Error::system("read the listener's address"))?;
                Ok(Self { address, open, inherited })
            }
            None => Err(Error::Failed("there is no listener".to_owned())),
        }
    }

    /// Where they listen; of several that were handed over, the first.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The listener of a place, once more. A place that is new gets a new one.
    ///
    /// # Errors
    /// Whatever the system reports.
    pub fn of(&mut self, place: usize) -> io::Result<TcpListener> {
        if self.inherited {
            return self.open[place % self.open.len()].try_clone();
        }
        while self.open.len() <= place {
            self.open.push(listen::join(self.address).map_err(io::Error::other)?);
        }
        self.open[place].try_clone()
    }
}
