//! The program that the cases play with: a primary, and workers that do what a file says.

use std::{
    cell::{Cell, RefCell},
    fs,
    io::{self, Read, Write},
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::PathBuf,
    process::{ExitCode, exit},
    rc::Rc,
    thread,
    time::Duration,
};

use clap::Parser;
use kit::{
    shutdown::Shutdown,
    signals,
    start::{self, Error},
};
use supervisor::{Assignment, Begun, Crew, Role, Rules, Task, supervise};

/// After which a primary or a worker counts as stuck.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const STUCK: i32 = 99;

/// How this program is told that it is a primary or a worker.
pub(crate) const CREW: &str = "--crew";

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    role: Role,
    #[command(flatten)]
    rules: Rules,
    /// The file that says what workers do.
    #[arg(long)]
    crew: PathBuf,
    #[arg(long, default_value_t = 1)]
    workers: usize,
    #[arg(long, default_value = "20s", value_parser = within::time(Duration::from_millis(1)..=Duration::from_secs(60)))]
    drain: Duration,
    /// The start with which the stop is raised; never if there is none.
    #[arg(long)]
    starts: Option<usize>,
}

pub(crate) fn main() -> ExitCode {
    thread::spawn(|| {
        thread::sleep(PATIENCE);
        exit(STUCK);
    });
    start::main(|arguments: Arguments| match arguments.role.assignment() {
        Some(assignment) => work(assignment, &arguments),
        None => lead(arguments),
    })
}

/// Supervises the workers until it is told to stop.
fn lead(arguments: Arguments) -> Result<(), Error> {
    let stopping = signals::install(None).map_err(Error::system("handle stop signals"))?;
    let ends = Rc::new(RefCell::new(Vec::new()));
    let started = Cell::new(0);
    let Arguments { rules, workers, drain, starts, .. } = arguments;
    let crew = Crew {
        name: "crew",
        workers,
        address: ([127, 0, 0, 1], 1).into(),
        drain_timeout: drain,
        rules,
        lends: false,
        hand: {
            let (ends, started, stopping) = (Rc::clone(&ends), &started, stopping.clone());
            move |_place: usize| -> io::Result<Option<OwnedFd>> {
                started.set(started.get() + 1);
                if Some(started.get()) == starts {
                    stopping.raise();
                }
                let (own, handed) = UnixStream::pair()?;
                ends.borrow_mut().push(own);
                Ok(Some(handed.into()))
            }
        },
        offers: None,
    };
    supervise(crew, &stopping, || {
        for end in ends.take() {
            let mut greeting = [0; 8];
            (&end).read_exact(&mut greeting).map_err(Error::system("read a greeting"))?;
            print!("{}", String::from_utf8_lossy(&greeting));
        }
        println!("all ready");
        Ok(())
    })
}

fn work(assignment: Assignment, arguments: &Arguments) -> Result<(), Error> {
    let stopping = signals::install(None).map_err(Error::system("handle stop signals"))?;
    let begun = assignment.begin()?;
    loop {
        let script = fs::read_to_string(&arguments.crew).map_err(Error::system("read the script"))?;
        match script.trim() {
            "refuse" => exit(3),
            "never" => thread::sleep(Duration::from_millis(5)),
            "shout" => {
                // Into the channel and into the log, as fast as they take it.
                println!("what no primary understands");
                eprintln!("the same line once more");
            }
            script => {
                let Some(handed) = &begun.handed else {
                    return Err(Error::Failed("nothing was handed over".to_owned()));
                };
                let greet =
                    writeln!(UnixStream::from(dup(handed)?), "I am {}", kit::worker::Worker::current());
                greet.map_err(Error::system("greet"))?;
                begun.channel.ready()?;
                return serve(script, &begun, &stopping);
            }
        }
    }
}

fn serve(script: &str, begun: &Begun, stopping: &Shutdown) -> Result<(), Error> {
    match script {
        "crash" => exit(4),
        "print" => loop {
            println!("printed where nobody should");
            drop(begun.channel.next());
            if stopping.is_raised() {
                return Ok(());
            }
        },
        "hang" => {
            thread::sleep(PATIENCE);
            exit(STUCK)
        }
        "stay" => loop {
            // Takes no notice of anything but pings.
            drop(begun.channel.next());
            thread::sleep(Duration::from_millis(5));
        },
        _ => loop {
            match begun.channel.next() {
                Ok(Some(Task::Drain { .. })) => return Ok(()),
                _ if stopping.is_raised() => return Ok(()),
                _ => thread::sleep(Duration::from_millis(5)),
            }
        },
    }
}

fn dup(handed: &OwnedFd) -> Result<OwnedFd, Error> {
    handed.try_clone().map_err(Error::system("duplicate what was handed over"))
}
