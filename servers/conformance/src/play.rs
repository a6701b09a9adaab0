//! Playing a case against a server, and the verdict on it.

use std::net::SocketAddr;

use crate::case::{Case, Expected, Script, Step, get, simple};
use crate::report::Verdict;
use crate::response::Response;
use crate::suite::Options;
use crate::wire::{Broken, Client};

/// A verdict with what led to it; empty for a pass.
pub(crate) type Finding = (Verdict, String);

/// Whom to play against, and how.
pub(crate) struct Context<'a> {
    pub(crate) address: SocketAddr,
    pub(crate) options: &'a Options,
}

impl Context<'_> {
    /// A new connection.
    pub(crate) fn connect(&self) -> Result<Client, String> {
        Client::connect(self.address, self.options.patience)
            .map_err(|error| format!("cannot connect: {error}"))
    }

    /// One exchange on a new connection.
    pub(crate) fn exchange(&self, request: &[u8], to_head: bool) -> Result<Response, String> {
        let mut client = self.connect()?;
        client.send(request).map_err(|error| error.to_string())?;
        client.receive(to_head).map_err(|broken| broken.to_string())
    }
}

/// The verdict on one case.
pub(crate) fn play(case: &Case, context: &Context<'_>) -> Finding {
    match &case.script {
        Script::Code(code) => code(context),
        Script::Steps(steps) => match play_steps(steps, context) {
            Ok(finding) => finding,
            Err(detail) => (Verdict::Fail, detail),
        },
    }
}

/// A pass or a failure.
pub(crate) fn finding(result: Result<(), String>) -> Finding {
    match result {
        Ok(()) => (Verdict::Pass, String::new()),
        Err(detail) => (Verdict::Fail, detail),
    }
}

fn play_steps(steps: &[Step], context: &Context<'_>) -> Result<Finding, String> {
    let mut client = context.connect()?;
    for step in steps {
        match step {
            // A server may refuse and close while bytes are still on their way to it; what it answered
            // is read next and decides.
            Step::Send(bytes) => drop(client.send(bytes)),
            Step::SendPieces(bytes, size) => drop(client.send_in_pieces(bytes, *size)),
            Step::FinishSending => drop(client.finish_sending()),
            Step::Answer(expected) => receive(&mut client, expected)?,
            Step::UsableOrClosed => usable_or_closed(&mut client)?,
            Step::Closes => client.closes()?,
            Step::Refusal(statuses) => return Ok(refusal(&mut client, statuses)),
        }
    }
    Ok((Verdict::Pass, String::new()))
}

fn receive(client: &mut Client, expected: &Expected) -> Result<(), String> {
    let response = client.receive(expected.to_head).map_err(|broken| broken.to_string())?;
    expected.judge(&response)
}

fn usable_or_closed(client: &mut Client) -> Result<(), String> {
    drop(client.send(&get("/simple")));
    match client.receive(false) {
        Err(Broken::Closed) => Ok(()),
        Err(broken) => Err(broken.to_string()),
        Ok(response) => simple().judge(&response),
    }
}

/// A refusal in the contract's own way passes; one in any other way that is safe (another error status, a
/// close without answer, an answer without close) is a deviation to be told; anything else fails.
pub(crate) fn refusal(client: &mut Client, statuses: &[u16]) -> Finding {
    let wanted = statuses.iter().map(u16::to_string).collect::<Vec<_>>().join(" or ");
    match client.receive(false) {
        Err(Broken::Closed) => (Verdict::Warn, format!("closed without an answer, expected {wanted}")),
        Err(broken) => (Verdict::Fail, format!("{broken}, expected {wanted}")),
        Ok(response) => match response.status {
            status if status < 400 => (Verdict::Fail, format!("answered {status}, expected {wanted}")),
            status if !statuses.contains(&status) => {
                (Verdict::Warn, format!("answered {status}, expected {wanted}"))
            }
            status => match client.closes() {
                Ok(()) => (Verdict::Pass, String::new()),
                Err(detail) => (Verdict::Warn, format!("answered {status}, but then {detail}")),
            },
        },
    }
}
