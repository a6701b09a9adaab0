//! Playing a case against a server, and the verdict on it.
//!
//! Whatever a case is about, an answer to bytes that were no request, because they were the body of one or came after
//! the end of the conversation, is a desync and fails it: after every last step the client makes one more request, and
//! the server either answers this one or closes.

use std::time::Duration;

use crate::case::{Case, Expected, Script, Step, answers_smuggled, get, simple};
use crate::context::Context;
use crate::response::Response;
use crate::verdict::{DESYNC, Finding, Verdict};
use crate::wire::{After, Broken, Client};

/// How long a connection is watched for a close that the answer did not announce.
const UNANNOUNCED: Duration = Duration::from_secs(1);

/// How many answers are looked at after a wrong one, and how long each is waited for.
const MORE_ANSWERS: usize = 4;
const MORE_WITHIN: Duration = Duration::from_millis(300);

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

fn play_steps(steps: &[Step], context: &Context<'_>) -> Result<Finding, String> {
    let mut client = context.connect()?;
    for step in steps {
        match step {
            // A server may refuse and close while bytes are still on their way to it; what it answered
            // is read next and decides.
            Step::Send(bytes) => drop(client.send(bytes)),
            Step::SendPieces(bytes, size) => drop(client.send_in_pieces(bytes, *size)),
            Step::FinishSending => drop(client.finish_sending()),
            Step::Answer(expected) => {
                let response = client.receive(expected.to_head).map_err(|broken| broken.to_string())?;
                judge(expected, &response).map_err(|detail| or_desync(&mut client, detail))?;
            }
            Step::FinalAnswer(expected) => {
                let response = client.receive_final().map_err(|broken| broken.to_string())?;
                judge(expected, &response).map_err(|detail| or_desync(&mut client, detail))?;
            }
            Step::UsableOrClosed => usable_or_closed(&mut client)?,
            Step::Closes => return client.closes().map(|()| (Verdict::Pass, String::new())),
            Step::Rejection(statuses) => {
                let response = client.receive(false).map_err(|broken| broken.to_string())?;
                if !statuses.contains(&response.status) {
                    return Ok(refused(&mut client, &response, statuses));
                }
            }
            Step::Refusal(statuses) => return Ok(refusal(&mut client, statuses)),
            Step::RefusalOr(statuses, expected) => match client.receive(false) {
                Ok(response) if response.status == expected.status => judge(expected, &response)?,
                Ok(response) => return Ok(refused(&mut client, &response, statuses)),
                Err(broken) => return Ok(unanswered(&broken, statuses)),
            },
            Step::Abandon => return Ok((Verdict::Pass, String::new())),
        }
    }
    // A step of its own has asked already.
    if !matches!(steps.last(), Some(Step::UsableOrClosed)) {
        usable_or_closed(&mut client)?;
    }
    Ok((Verdict::Pass, String::new()))
}

/// Judges an answer; one to the hidden request is told as what it is.
fn judge(expected: &Expected, response: &Response) -> Result<(), String> {
    expected.judge(response).map_err(|detail| match answers_smuggled(response) {
        true => format!("{DESYNC}: bytes of a body were answered as a request: {detail}"),
        false => detail,
    })
}

/// Why an answer was wrong; worse, if the hidden request is answered after it.
fn or_desync(client: &mut Client, detail: String) -> String {
    for _ in 0..MORE_ANSWERS {
        match client.receive_within(false, MORE_WITHIN) {
            Ok(response) if answers_smuggled(&response) => {
                return format!(
                    "{DESYNC}: bytes of a body were answered as a request, and before that: {detail}"
                );
            }
            Ok(_) => {}
            Err(_) => break,
        }
    }
    detail
}

/// Whether the next request gets its own answer, or none because the server closed.
pub(crate) fn usable_or_closed(client: &mut Client) -> Result<(), String> {
    drop(client.send(&get("/simple")));
    match client.receive(false) {
        Err(Broken::Closed) => Ok(()),
        Err(broken) => Err(format!("after the last expected answer: {broken}")),
        // The next request is a right one, so that any other answer is one to something else.
        Ok(response) => simple()
            .judge(&response)
            .map_err(|detail| format!("{DESYNC}: the next request got another's answer: {detail}")),
    }
}

/// A refusal in the contract's own way passes; one in any other way that is safe (another error status, a
/// close without answer, an answer without close) is a deviation to be told; anything else fails.
pub(crate) fn refusal(client: &mut Client, statuses: &[u16]) -> Finding {
    match client.receive(false) {
        Err(broken) => unanswered(&broken, statuses),
        Ok(response) => refused(client, &response, statuses),
    }
}

fn listed(statuses: &[u16]) -> String {
    statuses.iter().map(u16::to_string).collect::<Vec<_>>().join(" or ")
}

fn unanswered(broken: &Broken, statuses: &[u16]) -> Finding {
    let verdict = if *broken == Broken::Closed { Verdict::Warn } else { Verdict::Fail };
    (verdict, format!("{broken}, expected {}", listed(statuses)))
}

/// The verdict on the answer to a request that must be refused, and on what follows it.
fn refused(client: &mut Client, response: &Response, statuses: &[u16]) -> Finding {
    let status = response.status;
    let wanted = listed(statuses);
    if answers_smuggled(response) {
        return (Verdict::Fail, format!("{DESYNC}: bytes of a body were answered with {status}"));
    }
    if status < 400 {
        let detail = format!("answered {status}, expected {wanted}");
        // Behind an interim answer comes the final one, which is not the next request's.
        if status < 200
            && let Ok(last) = client.receive_final()
            && answers_smuggled(&last)
        {
            let status = last.status;
            return (
                Verdict::Fail,
                format!("{DESYNC}: bytes of a body were answered with {status}; before, {detail}"),
            );
        }
        return match usable_or_closed(client) {
            Err(more) if more.starts_with(DESYNC) => (Verdict::Fail, format!("{more}; before, {detail}")),
            _ => (Verdict::Fail, detail),
        };
    }
    let announced = response.has_token("connection", "close");
    let patience = if announced { client.patience() } else { client.patience().min(UNANNOUNCED) };
    match client.after(patience) {
        After::More(start) => (Verdict::Fail, format!("{DESYNC}: after the {status} came {start:?}")),
        After::Broken(error) => (Verdict::Fail, error),
        After::Open(_) => match usable_or_closed(client) {
            Err(desync) if desync.starts_with(DESYNC) => (Verdict::Fail, desync),
            _ => (Verdict::Warn, format!("answered {status}, but then the connection is still open")),
        },
        After::Closed if statuses.contains(&status) => (Verdict::Pass, String::new()),
        After::Closed => (Verdict::Warn, format!("answered {status}, expected {wanted}")),
    }
}
