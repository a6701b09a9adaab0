//! Whether the server accepts a connection at all: otherwise the whole run would only repeat the refusal.

use std::{
    net::TcpStream,
    sync::mpsc::{RecvTimeoutError, channel},
    thread,
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use terminal::interrupt::Interrupt;

use crate::{connecting, target::Target};

/// How soon an interrupt is seen.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Opens one connection, within `within`. False when interrupted.
///
/// # Errors
/// It cannot be opened; the message says why, and what to do.
pub(super) fn reach(target: &Target, within: Duration, interrupt: &Interrupt) -> anyhow::Result<bool> {
    let (sender, opened) = channel();
    let address = target.address;
    let attempt = move || {
        // Whoever was interrupted no longer listens.
        let _ = sender.send(TcpStream::connect_timeout(&address, within).map(drop));
    };
    thread::Builder::new().spawn(attempt).context("cannot start a thread")?;
    loop {
        match opened.recv_timeout(LOOK_EVERY) {
            Ok(Ok(())) => return Ok(true),
            Ok(Err(error)) => {
                let advice = connecting::advice(connecting::os_error(&error));
                return Err(anyhow!("cannot connect to {address} ({target}): {error}; {advice}"));
            }
            Err(RecvTimeoutError::Timeout) if interrupt.asked() => return Ok(false),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(anyhow!("cannot connect to {address} ({target})"));
            }
        }
    }
}
