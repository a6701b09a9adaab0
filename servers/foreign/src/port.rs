//! A port for a program that cannot say which one it chose.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use kit::start::Error;

use crate::failure::Failure;

/// How many ports are tried before the machine is thought to be out of them.
const ATTEMPTS: usize = 5;

/// Calls `start` with an address to listen on: `wanted`, or one with a free port where that has port 0. The port is
/// free only until somebody takes it, so a start that lost it is repeated with another.
pub(crate) fn with_address<T>(
    wanted: SocketAddr,
    mut start: impl FnMut(SocketAddr) -> Result<T, Failure>,
) -> Result<T, Error> {
    let mut attempts = if wanted.port() == 0 { ATTEMPTS } else { 1 };
    loop {
        attempts -= 1;
        let address = choose(wanted).map_err(Error::system("find a free port"))?;
        match start(address) {
            Err(Failure::PortLost(message)) if attempts > 0 => {
                tracing::warn!("port {} was lost ({message}): trying another", address.port());
            }
            started => return started.map_err(Failure::into_error),
        }
    }
}

fn choose(wanted: SocketAddr) -> io::Result<SocketAddr> {
    if wanted.port() != 0 {
        return Ok(wanted);
    }
    TcpListener::bind(wanted)?.local_addr()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

    #[test]
    fn a_lost_port_is_replaced_by_another_and_not_for_ever() {
        let mut tried = Vec::new();
        let lost_twice = with_address(ANY, |address| {
            tried.push(address);
            if tried.len() < 3 { Err(Failure::PortLost("taken".to_owned())) } else { Ok(address) }
        });
        assert_eq!(lost_twice.unwrap(), tried[2]);
        assert!(tried.iter().all(|address| address.port() != 0));

        let mut attempts = 0;
        let error = with_address::<()>(ANY, |_| {
            attempts += 1;
            Err(Failure::PortLost("taken again".to_owned()))
        });
        assert_eq!((attempts, error.unwrap_err().to_string().as_str()), (ATTEMPTS, "taken again"));
    }

    #[test]
    fn a_port_that_was_asked_for_is_the_only_one_tried() {
        let wanted: SocketAddr = "127.0.0.1:9".parse().unwrap();
        let mut tried = Vec::new();
        let result = with_address::<()>(wanted, |address| {
            tried.push(address);
            Err(Failure::PortLost("taken".to_owned()))
        });
        assert!(result.is_err());
        assert_eq!(tried, [wanted]);
    }
}
