//! A child's side: it computes what it is asked for, one operation at a time, on its main thread.
//!
//! A child of the pool ([`serve`]) stays until it is told to end, and says to its supervisor that it is there whenever it does not
//! compute. One that was started for one operation ([`run_one`]) ends with it. Neither has a timeout of its own, so that a tree that
//! was stopped and continued goes on as if nothing had been.
//!
//! A second thread of a child of the pool sees the front's end close, and ends the process in the middle of whatever it computes:
//! nobody waits for that. One that was started for one operation is killed by who started it.

use std::{
    io::{self, stdin},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    process::exit,
    thread,
};

use clap::Args;
use host::parent::{self, Untied};
use kit::{execute::run_here, failure, start::Error};
use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
    process::Signal,
};
use signal_hook::{consts::SIGTERM, low_level::pipe};
use supervisor::{Assignment, Channel, Task};

use crate::{args::SERVER, link, protocol};

/// The hidden argument by which a server tells a child that it was started for one operation.
#[derive(Args, Clone, Copy, Debug)]
pub struct Errand {
    /// For children: the process that started them
    #[arg(long, hide = true, value_parser = within::whole(1..=u32::MAX))]
    errand_of: Option<u32>,
}

/// The argument of [`Errand`] for a child of this process.
pub(crate) fn errand() -> [String; 2] {
    ["--errand-of".to_owned(), std::process::id().to_string()]
}

impl Errand {
    /// The server that started this process, if it is such a child; which then tells it why it cannot start.
    pub fn server(self) -> Option<u32> {
        self.errand_of.inspect(|_| failure::tell_on_stdout())
    }
}

/// A child of the pool: computes until its supervisor or its front is gone, or tells it to end.
///
/// # Errors
/// It cannot begin, or is asked for what is no operation.
pub fn serve(assignment: Assignment) -> Result<(), Error> {
    let begun = assignment.begin()?;
    let (stop, told) = UnixStream::pair().map_err(Error::system("make a pipe for a signal"))?;
    pipe::register(SIGTERM, told).map_err(Error::system("handle the stop signal"))?;
    let link =
        begun.handed.ok_or_else(|| Error::Failed("the front has handed this child no link".to_owned()))?;
    end_with(&link)?;
    link::send(&link, protocol::READY).map_err(Error::system("tell the front that this child is ready"))?;
    begun.channel.ready()?;
    loop {
        match next(&link, &begun.channel, &stop)? {
            Next::Operation => match link::receive(&link) {
                Ok(packet) => compute(&link, &packet)?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_gone) => return Ok(()),
            },
            Next::Word => {
                if !obey(&begun.channel) {
                    return Ok(());
                }
            }
            Next::Stop => return Ok(()),
        }
    }
}

/// A child for one operation, which the front has put into the [`link`] that is its standard input.
///
/// # Errors
/// The server is gone, or asks for what is no operation.
pub fn run_one(server: u32) -> Result<(), Error> {
    parent::end_with(server, Signal::KILL).map_err(|untied| match untied {
        Untied::Orphaned(_) => Error::Failed("the server is gone".to_owned()),
        Untied::Refused(source) => Error::System { what: "tie this child to its server", source },
    })?;
    take_name()?;
    let link = stdin();
    failure::started();
    loop {
        wait(&mut [PollFd::new(&link, PollFlags::IN)])?;
        match link::receive(&link) {
            Ok(packet) => return compute(&link, &packet),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_gone) => return Ok(()),
        }
    }
}

fn compute(link: impl AsFd, packet: &[u8]) -> Result<(), Error> {
    let (number, operation) = protocol::started(packet)
        .map_err(|garbage| Error::Failed(format!("the front has sent this child {garbage}")))?;
    let answer = run_here(&operation).ok().map(|done| done.answer);
    match link::send(link, &protocol::result(number, answer.as_ref())) {
        Ok(()) => Ok(()),
        // Whoever has asked is gone, which is this process's end, and no failure.
        Err(error) if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) => {
            Ok(())
        }
        // Who waits for a result that never comes would wait for ever: by this child's end it learns of it.
        Err(source) => Err(Error::System { what: "give the front a result", source }),
    }
}

/// What there is to do next.
enum Next {
    Operation,
    /// The supervisor says something.
    Word,
    Stop,
}

/// Waits. A stop goes before an operation, which another child can compute as long as this one has not read it.
fn next(link: &OwnedFd, channel: &Channel, stop: &UnixStream) -> Result<Next, Error> {
    loop {
        let mut polled = [
            PollFd::new(stop, PollFlags::IN),
            PollFd::new(channel, PollFlags::IN),
            PollFd::new(link, PollFlags::IN),
        ];
        wait(&mut polled)?;
        let ready = polled.each_ref().map(|polled| !polled.revents().is_empty());
        match ready {
            [true, ..] => return Ok(Next::Stop),
            [_, true, _] => return Ok(Next::Word),
            [_, _, true] => return Ok(Next::Operation),
            _ => {}
        }
    }
}

fn wait(polled: &mut [PollFd<'_>]) -> Result<(), Error> {
    match poll(polled, None) {
        // After a stop and a continuation as well.
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(errno) => Err(Error::System { what: "wait for an operation", source: errno.into() }),
    }
}

/// Takes in what the supervisor says; whether this child goes on.
fn obey(channel: &Channel) -> bool {
    loop {
        match channel.next() {
            Ok(None) => return true,
            // There is no listener that could be served for others, and nothing that was asked for.
            Ok(Some(Task::Serve { .. } | Task::Release { .. } | Task::Take { .. })) => {}
            Ok(Some(Task::Drain { .. })) | Err(_) => return false,
        }
    }
}

/// Ends this process when the other end of `link` closes.
fn end_with(link: &OwnedFd) -> Result<(), Error> {
    let watched = link.try_clone().map_err(Error::system("watch the link to the front"))?;
    let watch = move || {
        while !hung_up(watched.as_fd()) {}
        exit(0);
    };
    thread::Builder::new()
        .name("link".to_owned())
        .spawn(watch)
        .map(drop)
        .map_err(Error::system("start the thread that watches the link to the front"))
}

/// Waits for the other end to close; `false` if something else has ended the wait.
fn hung_up(link: BorrowedFd<'_>) -> bool {
    // That it hangs up is told without being asked for.
    let mut polled = [PollFd::from_borrowed_fd(link, PollFlags::empty())];
    poll(&mut polled, None).is_ok() && polled[0].revents().contains(PollFlags::HUP)
}

/// Goes by the server's name in lists that show what the kernel calls it: that is the descriptor's number by which the program was
/// found.
fn take_name() -> Result<(), Error> {
    let name = std::ffi::CString::new(SERVER).map_err(|error| Error::Failed(error.to_string()))?;
    rustix::thread::set_name(&name)
        .map_err(|errno| Error::System { what: "name this child", source: errno.into() })
}
