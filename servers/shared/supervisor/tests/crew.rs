//! What a primary does for workers that are no servers: here they get one end of a socket pair each.
//!
//! A program of its own, since it is all three: the test, the primaries that it starts, and their workers.

#![expect(clippy::disallowed_macros, reason = "what a test prints is what it is for")]

use std::{
    cell::{Cell, RefCell},
    io::{self, Read, Write},
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::{ExitCode, Output, exit},
    rc::Rc,
    thread,
    time::Duration,
};

use clap::{Parser, ValueEnum};
use kit::{
    shutdown::Shutdown,
    signals,
    start::{self, Error},
};
use supervisor::{Assignment, Crew, Role, Rules, supervise};

/// After which a primary or a worker counts as stuck.
const PATIENCE: Duration = Duration::from_secs(20);
const STUCK: i32 = 99;

/// The start with which the stop of a primary is raised.
const STARTS: usize = 5;

/// How this program is told that it is a primary or a worker.
const WORKERS: &str = "--workers";

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    role: Role,
    #[command(flatten)]
    rules: Rules,
    /// What the workers of a primary do.
    #[arg(long, value_enum)]
    workers: Behaviour,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Behaviour {
    /// Greets through what it was handed, and ends when the other side does.
    Greet,
    /// Ends before it is ready.
    Refuse,
    /// Ends as soon as it is ready.
    Crash,
    /// Is never ready.
    Sleep,
    /// Is ready, and does nothing more.
    Hang,
}

fn main() -> ExitCode {
    // Whatever else cargo says to a test.
    if std::env::args().nth(1).as_deref() != Some(WORKERS) {
        every_worker_gets_a_descriptor_of_its_own_and_ends_with_the_stop();
        a_worker_that_ends_before_it_is_ready_is_a_failure();
        workers_that_crash_are_replaced_until_the_stop();
        workers_that_crash_too_often_are_given_up_and_the_primary_says_of_what();
        a_worker_that_is_never_ready_fails_the_start();
        a_worker_that_hangs_is_replaced();
        return ExitCode::SUCCESS;
    }
    thread::spawn(|| {
        thread::sleep(PATIENCE);
        exit(STUCK);
    });
    start::main(|Arguments { role, rules, workers: behaviour }| match role.assignment() {
        Some(assignment) => work(assignment, behaviour),
        None => lead(behaviour, rules),
    })
}

fn work(assignment: Assignment, behaviour: Behaviour) -> Result<(), Error> {
    let _stopping = signals::install(None).map_err(Error::system("handle stop signals"))?;
    let begun = assignment.begin()?;
    let mut stream = UnixStream::from(begun.handed);
    match behaviour {
        Behaviour::Refuse => exit(3),
        Behaviour::Sleep => {
            thread::sleep(PATIENCE);
            exit(STUCK)
        }
        Behaviour::Hang => {
            begun.channel.ready()?;
            thread::sleep(PATIENCE);
            exit(STUCK)
        }
        Behaviour::Crash => {
            begun.channel.ready()?;
            exit(4);
        }
        Behaviour::Greet => {
            let greet = writeln!(stream, "I am {}", kit::worker::Worker::current());
            greet.map_err(Error::system("greet"))?;
            begun.channel.ready()?;
            let rest = stream.read_to_end(&mut Vec::new());
            rest.map(drop).map_err(Error::system("wait for the end"))
        }
    }
}

/// Supervises two workers; stops at once when they are ready, or at the fifth time that one is to be started.
fn lead(behaviour: Behaviour, rules: Rules) -> Result<(), Error> {
    let stopping = Shutdown::new();
    let ends = Rc::new(RefCell::new(Vec::new()));
    let started = Cell::new(0);
    let crew = Crew {
        name: "crew",
        workers: if matches!(behaviour, Behaviour::Greet | Behaviour::Refuse) { 2 } else { 1 },
        drain_timeout: PATIENCE,
        rules,
        lends: false,
        hand: {
            let (ends, started, stopping) = (Rc::clone(&ends), &started, stopping.clone());
            move |_index: usize| -> io::Result<OwnedFd> {
                started.set(started.get() + 1);
                if started.get() == STARTS {
                    stopping.raise();
                }
                let (own, handed) = UnixStream::pair()?;
                ends.borrow_mut().push(own);
                Ok(handed.into())
            }
        },
    };
    let all_ready = || {
        if matches!(behaviour, Behaviour::Greet) {
            for end in ends.take() {
                let mut greeting = [0; 8];
                (&end).read_exact(&mut greeting).map_err(Error::system("read a greeting"))?;
                print!("{}", String::from_utf8_lossy(&greeting));
            }
            stopping.raise();
        }
        Ok(())
    };
    supervise(crew, &stopping, all_ready)
}

fn primary_of(workers: Behaviour, rules: &[&str]) -> (Option<i32>, String, String) {
    let workers = workers.to_possible_value().unwrap();
    let Output { status, stdout, stderr } = host::tether::command(std::env::current_exe().unwrap())
        .args([WORKERS, workers.get_name(), "--control", "off"])
        .args(rules)
        .env_remove("RUST_LOG")
        .output()
        .unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn every_worker_gets_a_descriptor_of_its_own_and_ends_with_the_stop() {
    let (code, said, log) = primary_of(Behaviour::Greet, &[]);
    assert_eq!((code, said.as_str()), (Some(0), "I am p0\nI am p1\n"), "{log}");
    assert!(!log.contains("while it drained") && !log.contains("killed"), "{log}");
}

fn a_worker_that_ends_before_it_is_ready_is_a_failure() {
    let (code, _, log) = primary_of(Behaviour::Refuse, &[]);
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("exited with code 3 before all workers accepted"), "{log}");
}

fn workers_that_crash_are_replaced_until_the_stop() {
    let (code, _, log) = primary_of(Behaviour::Crash, &[]);
    assert_eq!(code, Some(0), "{log}");
    // The fifth is started when the stop is raised already: however it ends, it is not replaced.
    assert_eq!(log.matches("worker p0 exited with code 4 after").count(), 4, "{log}");
}

fn workers_that_crash_too_often_are_given_up_and_the_primary_says_of_what() {
    let (code, _, log) = primary_of(Behaviour::Crash, &["--max-crashes", "3"]);
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("all places have failed: worker p0 exited with code 4"), "{log}");
    assert_eq!(log.matches("worker p0 exited with code 4").count(), 4, "{log}");
}

fn a_worker_that_is_never_ready_fails_the_start() {
    let (code, _, log) = primary_of(Behaviour::Sleep, &["--ready-timeout", "100ms"]);
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("1 workers did not accept within 100ms"), "{log}");
}

fn a_worker_that_hangs_is_replaced() {
    let (code, _, log) = primary_of(Behaviour::Hang, &["--hang-timeout", "1s", "--max-crashes", "2"]);
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("all places have failed: worker p0 did not answer its primary for 1s and was killed"), "{log}");
}
