//! A load, or a part of one, made on this host for somebody on another, for as long as that one is there.

use std::{
    io,
    sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel},
    thread,
    time::{Duration, Instant},
};

use load::StopHandle;

use super::lines::Answer;
use crate::{
    generators::{
        made::{NotMade, make},
        order::Order,
    },
    machine::edge::{Accounts, Edges},
    records::window::Measured,
};

/// How often it is looked whether somebody is there: rarely, since the generator may need every CPU.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Makes the load of `order`. It is given up when `lines`, by which it was asked for, end or say nothing for `silence`.
///
/// # Errors
/// It could not be made, or its host does not tell what it took.
pub(super) fn made(
    order: &Order,
    edges: &mut Edges,
    lines: &Receiver<io::Result<String>>,
    silence: Duration,
) -> Result<Answer, String> {
    let stop = StopHandle::new();
    thread::scope(|scope| {
        let (done, ended) = channel::<()>();
        let making = scope.spawn({
            let stop = stop.clone();
            move || {
                let made = accounted(order, edges, &stop);
                drop(done);
                made
            }
        });
        let mut heard = Instant::now();
        while ended.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
            loop {
                match lines.try_recv() {
                    Ok(Ok(_)) => heard = Instant::now(),
                    Err(TryRecvError::Empty) if heard.elapsed() < silence => break,
                    // It ends all the sooner, and nobody is told.
                    _ => {
                        stop.stop();
                        break;
                    }
                }
            }
        }
        making.join().unwrap_or_else(|cause| std::panic::resume_unwind(cause))
    })
}

fn accounted(order: &Order, edges: &mut Edges, stop: &StopHandle) -> Result<Answer, String> {
    let unread = |error: io::Error| format!("what the load took cannot be read: {error}");
    let before = edges.read_without_row().map_err(unread)?;
    let made = match make(order, stop) {
        Ok(made) => made,
        Err(NotMade::TooSoon(late)) => return Ok(Answer::TooSoon(late)),
        Err(NotMade::Instance(error)) => return Err(error.to_string()),
    };
    let after = edges.read_without_row().map_err(unread)?;
    let accounts = Accounts::between(&before, &after, &order.cpus, &order.cpus, &made.outcome.threads);
    let measured: Measured = made.measured(accounts);
    Ok(Answer::Loaded(Box::new(measured)))
}
