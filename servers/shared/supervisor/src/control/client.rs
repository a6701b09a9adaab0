//! The client: commands of the same program for a server that runs.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::{Args, Subcommand};
use host::lossy;

use super::{
    exchange::{AT_ONCE, Exchange, Failure, ask_status},
    live,
    protocol::{Command, Reply, ScaleTo, Status},
    screen::Screen,
    socket, table,
};
use crate::logs::clean;

/// The end of each command's `--help`.
const EXIT_CODES: &str =
    "Exit codes: 0 done, 1 it failed, 2 it was refused or cannot be meant, 3 no server is there.";

/// What can be said to a server that runs.
#[derive(Subcommand, Clone, Debug)]
#[expect(missing_docs, reason = "what is said of a flattened field would be said of its command")]
pub enum ClientCommand {
    /// Show how a server and each of its workers is
    #[command(after_help = format!("Examples:
  status                                 of the server on port 8080
  status --port 9000                     of the one on port 9000
  status --control /run/app/app.sock     of the one with that control socket
  status --json | jq '.places[].pids'    for programs

{EXIT_CODES}"))]
    Status {
        #[command(flatten)]
        server: Server,
        /// As one JSON object: times in seconds, memory in bytes
        #[arg(long)]
        json: bool,
    },
    /// Change the number of workers; those that are too many drain
    #[command(after_help = format!("Examples:
  scale 4      four workers
  scale +1     one more
  scale -2     two fewer; those with the highest numbers go

{EXIT_CODES}"))]
    Scale {
        #[command(flatten)]
        server: Server,
        #[command(flatten)]
        patience: Patience,
        /// How many, or by how many more or fewer; from 1 to 1024
        #[arg(value_name = "N|+K|-K", allow_negative_numbers = true)]
        to: ScaleTo,
    },
    /// Exchange all workers, one place after the other, and wait for the outcome
    ///
    /// Each successor runs the program that is on disk now and must be ready before the worker in its place drains. If one never is, the
    /// reload is abandoned, and workers that were not exchanged yet serve on.
    #[command(after_help = format!("Examples:
  reload                   ends with 0 when all are exchanged, with 1 when it was abandoned
  reload --timeout 30s     wait no longer for the outcome; the reload itself goes on

{EXIT_CODES}"))]
    Reload {
        #[command(flatten)]
        server: Server,
        #[command(flatten)]
        patience: Patience,
    },
    /// End the server, and wait until it has ended
    #[command(after_help = format!("Examples:
  stop --graceful     answer what is under way first, as SIGTERM does; at most for the server's --drain-timeout
  stop                at once: connections are cut

{EXIT_CODES}"))]
    Stop {
        #[command(flatten)]
        server: Server,
        #[command(flatten)]
        patience: Patience,
        /// Answer what is under way first
        #[arg(long)]
        graceful: bool,
    },
    /// Show the last lines that the workers and the primary logged
    #[command(after_help = format!("Examples:
  logs                     the last thousand lines at most
  logs --follow            and those to come, until Ctrl-C or the server's end
  logs -f | grep 'p1 |'    of one worker

{EXIT_CODES}"))]
    Logs {
        #[command(flatten)]
        server: Server,
        /// Go on with what is logged from now on
        #[arg(short, long)]
        follow: bool,
    },
    /// Show the status again and again, until Ctrl-C
    #[command(after_help = format!("Examples:
  watch                  every second
  watch --every 200ms    five times a second

{EXIT_CODES}"))]
    Watch {
        #[command(flatten)]
        server: Server,
        /// How often
        #[arg(long, default_value = "1s", value_name = "TIME", value_parser = within::time(MOST_OFTEN..=LONGEST))]
        every: Duration,
    },
}

/// Which server is meant.
#[derive(Args, Clone, Debug)]
pub struct Server {
    /// The server's control socket, wherever it is [default: $XDG_RUNTIME_DIR/NAME-PORT.sock]
    #[arg(long, value_name = "PATH")]
    control: Option<PathBuf>,

    /// The port that the server listens on, where its control socket is in its usual place
    #[arg(long, value_name = "N", default_value = "8080", value_parser = within::whole(1..=u16::MAX))]
    port: u16,
}

/// For commands that take their time.
#[derive(Args, Clone, Copy, Debug)]
pub struct Patience {
    /// How long to wait for the outcome
    #[arg(long, default_value = "10m", value_name = "TIME", value_parser = within::time(SHORTEST..=LONGEST))]
    timeout: Duration,
}

const MOST_OFTEN: Duration = Duration::from_millis(50);
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Says `command` to the running server called `name`, and prints what comes of it. The exit code is 0 where it was done, 1 where that
/// failed, 2 where it was refused, 3 where no server is there.
pub fn run(name: &str, command: ClientCommand) -> ExitCode {
    ExitCode::from(exit_code(name, command))
}

fn exit_code(name: &str, command: ClientCommand) -> u8 {
    let failure = match execute(name, command, &mut Screen::stdout()) {
        // Whoever reads no more has what they wanted.
        Ok(()) | Err(Failure::Unread) => return 0,
        Err(failure) => failure,
    };
    lossy::stderr().say(format_args!("error: {}", clean(&failure.to_string())));
    failure.exit_code()
}

fn execute(name: &str, command: ClientCommand, screen: &mut Screen<'_>) -> Result<(), Failure> {
    match command {
        ClientCommand::Status { server, json } => {
            let status = ask_status(&server.path(name)?, None)?;
            let text = if json { as_json(&status)? } else { table::render(&status, screen.colour) };
            screen.print(&text)
        }
        ClientCommand::Scale { server, patience, to } => {
            tell(&server.path(name)?, Command::Scale { to }, patience, screen)
        }
        ClientCommand::Reload { server, patience } => {
            tell(&server.path(name)?, Command::Reload, patience, screen)
        }
        ClientCommand::Stop { server, patience, graceful } => {
            tell(&server.path(name)?, Command::Stop { graceful }, patience, screen)
        }
        ClientCommand::Logs { server, follow } => logs(&server.path(name)?, follow, screen),
        ClientCommand::Watch { server, every } => live::watch(&server.path(name)?, every, screen),
    }
}

impl Server {
    fn path(&self, name: &str) -> Result<PathBuf, Failure> {
        let path = self.control.clone().or_else(|| socket::default_path(name, self.port));
        path.ok_or_else(|| {
            Failure::Refused(
                "XDG_RUNTIME_DIR is not set, so that a control socket has no usual place: name the server's with --control PATH"
                    .to_owned(),
            )
        })
    }
}

/// Has something done and says what was.
fn tell(path: &Path, command: Command, patience: Patience, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let mut exchange = Exchange::begin(path, command, None)?;
    let reply = exchange.next(Some(Instant::now() + patience.timeout))?;
    let message = match (command, reply) {
        // Its end is what was asked for.
        (Command::Stop { .. }, None) => "stopped".to_owned(),
        (_, reply) => Exchange::outcome(reply, path)?,
    };
    // Nothing is said where there is nothing to say.
    if message.is_empty() { Ok(()) } else { screen.print(&format!("{}\n", clean(&message))) }
}

fn logs(path: &Path, follow: bool, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let mut exchange = Exchange::begin(path, Command::Logs { follow }, None)?;
    loop {
        // When the next line of one that is followed comes nobody knows. Of the others, whoever reads what is printed may take
        // their time between two.
        let deadline = (!follow).then(|| Instant::now() + AT_ONCE);
        match exchange.next(deadline)? {
            Some(Reply::Line { line }) => screen.print(&format!("{}\n", clean(&line)))?,
            // The server's end, or this client's, whose turn to be waited for is over.
            None if follow => return Ok(()),
            last => return Exchange::outcome(last, path).map(drop),
        }
    }
}

fn as_json(status: &Status) -> Result<String, Failure> {
    let json = serde_json::to_string_pretty(status);
    json.map(|json| json + "\n").map_err(|error| Failure::failed(format!("cannot write the status: {error}")))
}

#[cfg(test)]
mod tests;
