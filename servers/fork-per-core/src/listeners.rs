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
    /// Whether places share these in turn, and no more are opened.
    shared: bool,
}

impl Listeners {
    /// Opens one for each of `count` places.
    ///
    /// # Errors
    /// As [`listen::group`].
    pub fn open(address: SocketAddr, count: usize) -> Result<Self, Error> {
        Self::of_these(listen::group(address, count)?, false)
    }

    /// Opens one for all places.
    ///
    /// # Errors
    /// As [`listen::one`].
    pub fn open_one(address: SocketAddr) -> Result<Self, Error> {
        Self::of_these(vec![listen::one(address)?], true)
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

    /// The same where one serves all places.
    ///
    /// # Errors
    /// There is none, or more than one, of which most would be served by nobody.
    pub fn inherited_one(listeners: Vec<TcpListener>) -> Result<Self, Error> {
        if listeners.len() > 1 {
            let given = listeners.len();
            return Err(Error::Failed(format!(
                "{given} sockets were handed over, of which --accept shared and --accept handoff serve one: hand over one, or leave --accept \
                 out"
            )));
        }
        Self::of_these(listeners, true)
    }

    fn of_these(open: Vec<TcpListener>, shared: bool) -> Result<Self, Error> {
        match open.first() {
            Some(first) => {
                let address = first.local_addr().map_err(Error::system("read the listener's address"))?;
                Ok(Self { address, open, shared })
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
        if self.shared {
            return self.open[place % self.open.len()].try_clone();
        }
        while self.open.len() <= place {
            self.open.push(listen::join(self.address).map_err(io::Error::other)?);
        }
        self.open[place].try_clone()
    }
}
