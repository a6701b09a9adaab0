//! `harness server-host`: the other half of a race, as ssh starts it.

use std::{
    io::{self, BufRead, Write},
    net::{IpAddr, TcpListener},
};

use super::{
    agent::{SILENCE, Side, serve},
    this_host::ThisHost,
};
use crate::{
    machine::alone::{Alone, NotAlone},
    programs::context::guard_command,
};

/// Why this host cannot run servers.
#[derive(Debug, thiserror::Error)]
pub enum CannotServe {
    /// They cannot listen there.
    #[error("servers cannot listen on {ip}: {error}; name an address of that host with --server-address")]
    Address {
        /// Where they were to.
        ip: IpAddr,
        /// Why not.
        error: io::Error,
    },
    /// Somebody else measures on this host.
    #[error(transparent)]
    NotAlone(#[from] NotAlone),
    /// It could not go on.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Does what is `asked` until that ends, with servers that listen on `address`, or where ssh came in, or not at all where that is not known
/// either: a load needs no address. `beside_others`, although another run may measure on this host.
///
/// # Errors
/// See [`CannotServe`].
pub fn run(
    address: Option<IpAddr>,
    beside_others: bool,
    asked: impl BufRead + Send + 'static,
    answers: &mut impl Write,
) -> Result<(), CannotServe> {
    let came_in = || came_in(&std::env::var("SSH_CONNECTION").unwrap_or_default());
    let ip = address.or_else(came_in);
    if let Some(ip) = ip {
        TcpListener::bind((ip, 0)).map_err(|error| CannotServe::Address { ip, error })?;
    }
    let _alone = (!beside_others).then(Alone::on_this_host).transpose()?;
    let host = ip.map_or_else(ThisHost::default, ThisHost::listening_on);
    serve(asked, answers, Side { host: &host, guard: guard_command()?, ip }, SILENCE)?;
    Ok(())
}

/// The address by which ssh came in: the third word of `SSH_CONNECTION` (ssh(1)).
fn came_in(connection: &str) -> Option<IpAddr> {
    let address = connection.split_whitespace().nth(2)?;
    // That of a link says which.
    address.split('%').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_listen_where_ssh_came_in() {
        assert_eq!(came_in("10.0.0.1 40122 10.0.0.2 22"), Some(IpAddr::from([10, 0, 0, 2])));
        assert_eq!(came_in("fd00::1 40122 fd00::2 22"), Some("fd00::2".parse().unwrap()));
        assert_eq!(came_in(""), None);
        assert_eq!(came_in("UNKNOWN 65535 UNKNOWN 65535"), None);
    }

    #[test]
    fn an_address_of_another_host_is_refused() {
        // TEST-NET-1 (RFC 5737) is nobody's.
        let error =
            run(Some(IpAddr::from([192, 0, 2, 9])), true, &b""[..], &mut Vec::<u8>::new()).unwrap_err();
        assert!(error.to_string().starts_with("servers cannot listen on 192.0.2.9: "), "{error}");
    }
}
