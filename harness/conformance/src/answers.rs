//! The short form of the suite that precedes every start: one exact answer from each endpoint, in a few
//! milliseconds.

use std::net::SocketAddr;
use std::time::Duration;

use app::{Endpoint, Operation};

use crate::case::{Expected, answer, get, result_of};
use crate::cases::answers::origin_and_worker;
use crate::cases::bodies::post;
use crate::wire::Client;

/// The longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// An endpoint did not answer as the contract says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{target} at {address}: {detail}; try it with curl -i 'http://{address}{target}'")]
pub struct WrongAnswer {
    /// The server.
    pub address: SocketAddr,
    /// What was asked.
    pub target: String,
    /// What was wrong with the answer.
    pub detail: String,
}

/// Asks every endpoint of the server at `address` once, with small parameters, each on a connection of its own,
/// and compares the answer. `origin`, if given, is the name that the answers must carry.
///
/// # Errors
///
/// The first endpoint that does not answer, or not rightly.
pub fn check_answers(address: SocketAddr, origin: Option<&str>) -> Result<(), WrongAnswer> {
    for endpoint in Endpoint::ALL {
        check_endpoint(address, endpoint, origin)?;
    }
    let echo = b"conformance\0\xff";
    check(address, &post("application/octet-stream", echo), &answer(200).body(echo), None)
        .map_err(wrong(address, "/echo"))
}

/// Asks one endpoint once, as [`check_answers`] asks all of them: for rows that serve only some.
///
/// # Errors
///
/// It does not answer, or not rightly.
pub fn check_endpoint(
    address: SocketAddr,
    endpoint: Endpoint,
    origin: Option<&str>,
) -> Result<(), WrongAnswer> {
    let (target, expected) = question(endpoint);
    check(address, &get(target), &expected, origin.filter(|_| is_operation(endpoint)))
        .map_err(wrong(address, target))
}

fn wrong(address: SocketAddr, target: &str) -> impl FnOnce(String) -> WrongAnswer {
    let target = target.to_owned();
    move |detail| WrongAnswer { address, target, detail }
}

fn question(endpoint: Endpoint) -> (&'static str, Expected) {
    match endpoint {
        Endpoint::Simple => ("/simple", result_of(Operation::Simple)),
        Endpoint::Complex => ("/complex?iterations=1001", result_of(Operation::Complex { iterations: 1001 })),
        Endpoint::Randoms => {
            ("/api/randoms?count=100&seed=7", result_of(Operation::Randoms { count: 100, seed: 7 }))
        }
        Endpoint::Delay => ("/delay?ms=1", result_of(Operation::Delay { milliseconds: 1 })),
        Endpoint::OpenApi => ("/openapi.yaml", answer(200).body(app::OPENAPI.as_bytes())),
        Endpoint::Index | Endpoint::Echo | Endpoint::Info | Endpoint::Healthz | Endpoint::Metrics => {
            (endpoint.paths()[0], answer(200))
        }
    }
}

fn is_operation(endpoint: Endpoint) -> bool {
    matches!(endpoint, Endpoint::Simple | Endpoint::Complex | Endpoint::Randoms | Endpoint::Delay)
}

fn check(
    address: SocketAddr,
    request: &[u8],
    expected: &Expected,
    origin: Option<&str>,
) -> Result<(), String> {
    let mut client =
        Client::connect(address, PATIENCE).map_err(|error| format!("cannot connect: {error}"))?;
    client.send(request).map_err(|error| format!("cannot send: {error}"))?;
    let response = client.receive(false).map_err(|broken| broken.to_string())?;
    expected.judge(&response)?;
    match origin {
        Some(_) => origin_and_worker(&response, origin),
        None => Ok(()),
    }
}
