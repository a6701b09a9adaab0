//! Where a case is played: the server, what is known of it, and what was said so far.

use std::net::SocketAddr;

use crate::options::Options;
use crate::response::Response;
use crate::transcript::Transcript;
use crate::wire::Client;

/// Whom to play against, and how; one for each case.
pub(crate) struct Context<'a> {
    pub(crate) address: SocketAddr,
    pub(crate) options: &'a Options,
    pub(crate) transcript: Transcript,
}

impl<'a> Context<'a> {
    pub(crate) fn new(address: SocketAddr, options: &'a Options) -> Self {
        Self { address, options, transcript: Transcript::default() }
    }

    /// A new connection.
    pub(crate) fn connect(&self) -> Result<Client, String> {
        Client::connect(self.address, self.options.patience)
            .map(|client| client.recording(&self.transcript))
            .map_err(|error| format!("cannot connect: {error}"))
    }

    /// One exchange on a new connection.
    pub(crate) fn exchange(&self, request: &[u8], to_head: bool) -> Result<Response, String> {
        let mut client = self.connect()?;
        client.send(request).map_err(|error| error.to_string())?;
        client.receive(to_head).map_err(|broken| broken.to_string())
    }
}
