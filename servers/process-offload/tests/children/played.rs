//! The program that the cases play with: the server as it is, and children that go wrong.

use std::{
    fs::File,
    io::{self, stdin},
    os::fd::AsFd,
    path::PathBuf,
    process::{ExitCode, exit},
    thread,
    time::Duration,
};

use app::Operation;
use clap::{Parser, ValueEnum};
use host::parent;
use kit::{
    args, failure, listen, signals,
    start::{self, Error},
};
use process_offload::{
    ChildrenArgs,
    child::{self, Errand},
    link, protocol,
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    net::{RecvFlags, recv},
    process::Signal,
};
use supervisor::{Channel, Role};

/// After which a child counts as stuck.
const PATIENCE: Duration = Duration::from_secs(60);

/// How this program is told that it is a server or a child.
pub(crate) const PLAY: &str = "--play";

/// With so many iterations an operation goes wrong.
pub(crate) const ILL: u64 = 13;

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    shared: args::Shared,
    #[command(flatten)]
    children: ChildrenArgs,
    #[command(flatten)]
    role: Role,
    #[command(flatten)]
    errand: Errand,
    #[arg(long, value_enum)]
    play: Play,
    /// Only whoever makes this file goes wrong.
    #[arg(long)]
    once: Option<PathBuf>,
}

/// What a child does with an operation that is ill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Play {
    /// It computes it: it is a child as it should be.
    Computes,
    /// It answers with what means nothing.
    WritesGarbage,
    /// It answers with more than any result has.
    WritesTooMuch,
    /// It answers with nothing.
    WritesNothing,
    /// It answers with the result of the operation before.
    AnswersAnother,
    /// It answers with half a result, and ends.
    EndsInTheMiddle,
    /// It reads it and ends.
    Ends,
    /// It ends and has not read it.
    EndsBefore,
    /// It does nothing, and does not answer its supervisor either.
    Hangs,
    /// It cannot start.
    Refuses,
    /// It says something that nobody has asked for as soon as it is ready.
    Talks,
}

impl Play {
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap()
    }
}

pub(crate) fn main() -> ExitCode {
    start::main(|arguments: Arguments| {
        let Arguments { shared, children, role, errand, play, once } = arguments;
        let script = Script { play, once };
        if play == Play::Refuses && (role.assignment().is_some() || errand.server().is_some()) {
            exit(3);
        }
        if let Some(assignment) = role.assignment() {
            if play == Play::Computes {
                return child::serve(assignment);
            }
            thread::spawn(give_up);
            let begun = assignment.begin()?;
            let link = begun.handed.unwrap();
            link::send(&link, protocol::READY).unwrap();
            begun.channel.ready()?;
            if play == Play::Talks {
                link::send(&link, b"hello").unwrap();
            }
            return script.compute(&link, Some(&begun.channel));
        }
        if let Some(server) = errand.server() {
            if play == Play::Computes {
                return child::run_one(server);
            }
            thread::spawn(give_up);
            parent::end_with(server, Signal::KILL).unwrap();
            failure::started();
            return script.compute(&stdin(), None);
        }
        let config = shared.into_config()?;
        let children = children.into_children(config.workers);
        let listener = listen::one(config.listen)?;
        let stopping = signals::install(None).map_err(Error::system("handle stop signals"))?;
        process_offload::run(&config, &children, listener, &stopping)
    })
}

fn give_up() {
    thread::sleep(PATIENCE);
    exit(99);
}

struct Script {
    play: Play,
    once: Option<PathBuf>,
}

impl Script {
    /// Until the front's end is closed, or the supervisor says so.
    fn compute(&self, link: &impl AsFd, channel: Option<&Channel>) -> Result<(), Error> {
        loop {
            // In slices, so that pings are answered beside.
            let slice = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
            poll(&mut [PollFd::new(link, PollFlags::IN)], Some(&slice)).unwrap();
            // Nobody tells it anything but to end.
            if !matches!(channel.map(Channel::next), None | Some(Ok(None))) {
                return Ok(());
            }
            // Looked at, and left where it is.
            let mut packet = [0; protocol::LONGEST];
            match recv(link, &mut packet, RecvFlags::PEEK | RecvFlags::DONTWAIT) {
                Ok((0, _)) => return Ok(()),
                Ok((count, _)) => {
                    let (number, operation) = protocol::started(&packet[..count]).unwrap();
                    if self.is_ill(&operation) {
                        self.go_wrong(link, number, &operation);
                    } else {
                        link::receive(link).unwrap();
                        drop(link::send(link, &protocol::result(number, Some(&operation.run()))));
                    }
                    if channel.is_none() {
                        return Ok(());
                    }
                }
                Err(errno) if io::Error::from(errno).kind() == io::ErrorKind::WouldBlock => {}
                Err(_gone) => return Ok(()),
            }
        }
    }

    fn is_ill(&self, operation: &Operation) -> bool {
        *operation == Operation::Complex { iterations: ILL }
            && self.once.as_ref().is_none_or(|path| File::create_new(path).is_ok())
    }

    fn go_wrong(&self, link: &impl AsFd, number: u64, operation: &Operation) {
        if self.play == Play::EndsBefore {
            exit(7);
        }
        link::receive(link).unwrap();
        let result = protocol::result(number, Some(&operation.run()));
        match self.play {
            Play::WritesGarbage => link::send(link, &[0xff; 100]).unwrap(),
            Play::WritesTooMuch => {
                link::send(link, &[result, vec![0; 2 * protocol::LONGEST]].concat()).unwrap();
            }
            Play::WritesNothing => link::send(link, b"").unwrap(),
            Play::AnswersAnother => {
                link::send(link, &protocol::result(number.wrapping_sub(1), Some(&operation.run()))).unwrap();
            }
            Play::EndsInTheMiddle => {
                link::send(link, &result[..result.len() / 2]).unwrap();
                exit(7);
            }
            Play::Ends => exit(7),
            Play::Hangs => give_up(),
            Play::Computes | Play::EndsBefore | Play::Refuses | Play::Talks => {}
        }
    }
}
