//! What a client and a primary say to each other: one JSON object a line, in one version.
//!
//! A command is `{"version":1,"command":"scale","to":"+1"}`, a reply `{"version":1,"done":{"message":"..."}}`. Fields that are
//! not known are ignored, so that either side may say more; whatever changes the sense of what is said is a new version.

use std::{fmt, net::SocketAddr, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::{Map, Value};

/// Of the protocol. Each side says its own with whatever it says.
pub(crate) const VERSION: u64 = 1;

/// The longest command, bytes, its newline among them.
pub(crate) const LONGEST_COMMAND: usize = 4096;

/// As many as `--workers` takes.
const MOST_WORKERS: usize = kit::cluster::PLACES;

/// What a primary can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
pub(crate) enum Command {
    /// How it is.
    Status,
    /// Another number of workers.
    Scale {
        /// Which.
        to: ScaleTo,
    },
    /// New workers in the places of the old ones.
    Reload,
    /// The end.
    Stop {
        /// What is under way may end first, as at SIGTERM.
        #[serde(default)]
        graceful: bool,
    },
    /// What was logged.
    Logs {
        /// And what will be.
        #[serde(default)]
        follow: bool,
    },
}

/// The names of the commands, for whoever knows another.
const NAMES: [&str; 5] = ["status", "scale", "reload", "stop", "logs"];

#[derive(Serialize, Deserialize)]
struct Said<T> {
    version: u64,
    #[serde(flatten)]
    said: T,
}

impl Command {
    /// The line that says it.
    pub(crate) fn to_line(self) -> Vec<u8> {
        line(self)
    }

    /// Reads a line, without its newline.
    ///
    /// # Errors
    /// Why it is no command, in a sentence for whoever sent it.
    pub(crate) fn from_line(line: &[u8]) -> Result<Self, String> {
        let said: Map<String, Value> = serde_json::from_slice(line)
            .map_err(|error| format!("a command is a JSON object on one line, and this is none ({error})"))?;
        match said.get("version") {
            Some(version) if version.as_u64() == Some(VERSION) => {}
            Some(other) => {
                return Err(format!(
                    "this server speaks version {VERSION} of the control protocol, and the command came in version {}: use the client in the server's own program",
                    short(&other.to_string())
                ));
            }
            None => {
                return Err(format!(
                    "the command does not say its version: this server speaks version {VERSION}"
                ));
            }
        }
        let name = match said.get("command") {
            Some(Value::String(name)) if NAMES.contains(&name.as_str()) => name.clone(),
            Some(other) => {
                let name = other.as_str().map_or_else(|| other.to_string(), str::to_owned);
                return Err(format!("unknown command `{}`: one of {}", short(&name), NAMES.join(", ")));
            }
            None => return Err(format!("no command is named: one of {}", NAMES.join(", "))),
        };
        serde_json::from_value(Value::Object(said)).map_err(|error| format!("{name}: {error}"))
    }
}

/// A number of workers, or by how many more or fewer: `N`, `+K` or `-K`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScaleTo {
    /// So many.
    To(usize),
    /// So many more.
    Up(usize),
    /// So many fewer.
    Down(usize),
}

impl ScaleTo {
    /// What it makes of `now` workers.
    ///
    /// # Errors
    /// None would be left, or more than can be; says so.
    pub(crate) fn of(self, now: usize) -> Result<usize, String> {
        let wanted = match self {
            Self::To(wanted) => Some(wanted),
            Self::Up(more) => now.checked_add(more),
            Self::Down(fewer) => now.checked_sub(fewer),
        };
        wanted.filter(|wanted| (1..=MOST_WORKERS).contains(wanted)).ok_or_else(|| {
            format!("scale {self}: of {now} workers that makes no number from 1 to {MOST_WORKERS}")
        })
    }
}

impl FromStr for ScaleTo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (make, digits): (fn(usize) -> Self, _) = match text.as_bytes().first() {
            Some(b'+') => (Self::Up, &text[1..]),
            Some(b'-') => (Self::Down, &text[1..]),
            _ => (Self::To, text),
        };
        // `parse` takes a sign of its own.
        let number = digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()));
        number.filter(|number| (1..=MOST_WORKERS).contains(number)).map(make).ok_or_else(|| {
            format!(
                "`{}` is no number of workers: write N, or +K or -K for more or fewer, a whole number from 1 to {MOST_WORKERS}",
                short(text)
            )
        })
    }
}

impl fmt::Display for ScaleTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::To(wanted) => write!(f, "{wanted}"),
            Self::Up(more) => write!(f, "+{more}"),
            Self::Down(fewer) => write!(f, "-{fewer}"),
        }
    }
}

impl Serialize for ScaleTo {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ScaleTo {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // By hand, people write `"to":3` as well.
        let text = match Value::deserialize(deserializer)? {
            Value::String(text) => text,
            other => other.to_string(),
        };
        text.parse().map_err(D::Error::custom)
    }
}

/// What a primary answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reply {
    /// How it is.
    Status(Status),
    /// It is done.
    Done {
        /// What was.
        message: String,
    },
    /// The command cannot be meant.
    Refused {
        /// Why.
        message: String,
    },
    /// It was tried.
    Failed {
        /// Why it failed.
        message: String,
    },
    /// One line of the logs, without its newline. The only reply that is not the last.
    Line {
        /// The line.
        line: String,
    },
}

impl Reply {
    /// Whether nothing comes after it.
    pub(crate) fn is_last(&self) -> bool {
        !matches!(self, Self::Line { .. })
    }

    /// The line that says it.
    pub(crate) fn to_line(&self) -> Vec<u8> {
        line(self)
    }

    /// Reads a line, without its newline.
    pub(crate) fn from_line(line: &[u8]) -> Result<Self, NoReply> {
        #[derive(Deserialize)]
        struct Version {
            version: u64,
        }
        let Version { version } = serde_json::from_slice(line).map_err(|_| NoReply::Foreign)?;
        if version != VERSION {
            return Err(NoReply::Version(version));
        }
        serde_json::from_slice(line).map(|Said { said, .. }| said).map_err(|_| NoReply::Foreign)
    }
}

/// What a client cannot read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoReply {
    /// It is of this version of the protocol.
    Version(u64),
    /// It is none.
    Foreign,
}

/// How a server is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Status {
    /// Its name.
    pub(crate) server: String,
    /// Of its program.
    pub(crate) version: String,
    /// Of the primary.
    pub(crate) pid: u32,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Since the primary's start, seconds.
    pub(crate) uptime_seconds: f64,
    /// How it uses its workers: `fork` or `cluster`.
    pub(crate) mode: String,
    /// In one word.
    pub(crate) health: Health,
    /// By number.
    pub(crate) places: Vec<PlaceStatus>,
}

/// What a whole server is, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Health {
    /// Every place is served.
    Ok,
    /// One has failed or is backing off.
    Degraded,
    /// It is ending.
    Draining,
    /// Its workers are being exchanged.
    Reloading,
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Draining => "draining",
            Self::Reloading => "reloading",
        })
    }
}

/// How one place is. Sums are over the processes that are in it now, but for requests, which are the place's for good.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct PlaceStatus {
    /// Its number.
    pub(crate) place: usize,
    /// The worker, and its successor during a reload.
    pub(crate) pids: Vec<u32>,
    /// In a word: `starting`, `ready`, `draining`, `backing off`, `failed`.
    pub(crate) state: String,
    /// CPU time, seconds.
    pub(crate) cpu_seconds: f64,
    /// Of one CPU, lately.
    pub(crate) cpu_percent: f64,
    /// Resident memory, bytes.
    pub(crate) rss_bytes: u64,
    /// Of the worker, seconds.
    pub(crate) uptime_seconds: f64,
    /// How often a worker was replaced that had ended by itself.
    pub(crate) restarts: u64,
    /// Open now.
    pub(crate) connections: u64,
    /// Answered.
    pub(crate) requests: u64,
    /// Why the last worker ended that ended by itself.
    pub(crate) last_exit: Option<String>,
}

fn line(said: impl Serialize) -> Vec<u8> {
    // Keys are strings and nothing here fails by itself; were it to, an empty line is no command and no reply.
    let mut line = serde_json::to_vec(&Said { version: VERSION, said }).unwrap_or_default();
    line.push(b'\n');
    line
}

/// Somebody else's words, so that they fit into a sentence, and do nothing to a terminal.
fn short(text: &str) -> String {
    const LONGEST: usize = 40;
    let shown = text.chars().take(LONGEST).flat_map(char::escape_debug).collect::<String>();
    if text.chars().nth(LONGEST).is_some() { shown + "..." } else { shown }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(line: &str) -> Result<Command, String> {
        Command::from_line(line.as_bytes())
    }

    #[test]
    fn commands_are_what_the_documents_say() {
        for (command, line) in [
            (Command::Status, r#"{"version":1,"command":"status"}"#),
            (Command::Scale { to: ScaleTo::Up(2) }, r#"{"version":1,"command":"scale","to":"+2"}"#),
            (Command::Reload, r#"{"version":1,"command":"reload"}"#),
            (Command::Stop { graceful: true }, r#"{"version":1,"command":"stop","graceful":true}"#),
            (Command::Logs { follow: true }, r#"{"version":1,"command":"logs","follow":true}"#),
        ] {
            assert_eq!(String::from_utf8(command.to_line()).unwrap(), format!("{line}\n"));
            assert_eq!(told(line), Ok(command));
        }
        let scale = Command::Scale { to: ScaleTo::To(3) };
        assert_eq!(told(r#"{"version":1,"command":"scale","to":3,"by":"hand"}"#), Ok(scale));
        assert_eq!(told(r#"{"command":"logs","version":1}"#), Ok(Command::Logs { follow: false }));
    }

    #[test]
    fn what_is_no_command_is_refused_by_what_is_wrong_with_it() {
        for (line, refusal) in [
            ("", "a command is a JSON object on one line"),
            ("GET / HTTP/1.1\r", "a command is a JSON object on one line"),
            ("[1]", "a command is a JSON object on one line"),
            (r#"{"command":"status"}"#, "does not say its version: this server speaks version 1"),
            (
                r#"{"version":2,"command":"status"}"#,
                "speaks version 1 of the control protocol, and the command came in version 2",
            ),
            (r#"{"version":"one","command":"status"}"#, "in version \\\"one\\\""),
            (r#"{"version":1}"#, "no command is named: one of status, scale, reload, stop, logs"),
            (r#"{"version":1,"command":"restart"}"#, "unknown command `restart`: one of status"),
            ("{\"version\":1,\"command\":\"\\u001b[2J\"}", "unknown command `\\u{1b}[2J`"),
            (r#"{"version":1,"command":7}"#, "unknown command `7`"),
            (r#"{"version":1,"command":"scale"}"#, "scale: missing field `to`"),
            (r#"{"version":1,"command":"scale","to":0}"#, "scale: `0` is no number of workers"),
            (r#"{"version":1,"command":"scale","to":100000}"#, "`100000` is no number of workers"),
            (r#"{"version":1,"command":"scale","to":[1]}"#, "`[1]` is no number of workers"),
            (r#"{"version":1,"command":"stop","graceful":"yes"}"#, "stop: invalid type"),
        ] {
            let refused = told(line).expect_err(line);
            assert!(refused.contains(refusal), "{line}: {refused}");
            assert!(!refused.contains(char::is_control), "{line}: {refused:?}");
        }
        let long = told(&format!(r#"{{"version":1,"command":"{}"}}"#, "x".repeat(4000))).unwrap_err();
        assert!(long.len() < 150, "{long}");
    }

    #[test]
    fn a_number_of_workers_has_a_range_whatever_its_sign() {
        for (text, to) in [
            ("1", ScaleTo::To(1)),
            ("1024", ScaleTo::To(1024)),
            ("+3", ScaleTo::Up(3)),
            ("-2", ScaleTo::Down(2)),
        ] {
            assert_eq!(text.parse(), Ok(to));
            assert_eq!(to.to_string(), text);
        }
        for text in [
            "",
            "0",
            "+0",
            "-0",
            "+",
            "-",
            "++1",
            "+-1",
            "1025",
            "+100000",
            "1.5",
            "1e3",
            "two",
            " 2",
            "99999999999999999999",
        ] {
            let refused = text.parse::<ScaleTo>().expect_err(text);
            assert!(refused.contains("a whole number from 1 to 1024"), "{refused}");
        }
        assert_eq!(ScaleTo::Down(1).of(2), Ok(1));
        assert_eq!(ScaleTo::Up(1024 - 2).of(2), Ok(1024));
        for (to, now) in [(ScaleTo::Down(2), 2), (ScaleTo::Down(3), 2), (ScaleTo::Up(1023), 2)] {
            assert!(to.of(now).unwrap_err().contains("of 2 workers that makes no number from 1 to 1024"));
        }
    }

    #[test]
    fn a_reply_of_another_version_is_known_by_it_and_more_than_is_known_is_ignored() {
        let line = br#"{"version":9,"answer":{}}"#;
        assert_eq!(Reply::from_line(line), Err(NoReply::Version(9)));
        for line in [&b""[..], b"{}", b"HTTP/1.1 400 Bad Request", br#"{"version":1,"other":{}}"#] {
            assert_eq!(Reply::from_line(line), Err(NoReply::Foreign));
        }
        let more = br#"{"version":1,"at":5,"done":{"message":"reloaded","places":2}}"#;
        assert_eq!(Reply::from_line(more), Ok(Reply::Done { message: "reloaded".to_owned() }));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = (Command::from_line(&bytes), Reply::from_line(&bytes));
        }

        #[test]
        fn replies_read_back_as_one_line(
            message in any::<String>(),
            counts in (any::<u32>(), 0..1_000_000_u64, proptest::option::of(any::<String>())),
            seconds in any::<u32>().prop_map(f64::from),
        ) {
            let (pid, count, last_exit) = counts;
            let place = PlaceStatus {
                pids: vec![pid, pid],
                state: message.clone(),
                cpu_seconds: seconds,
                rss_bytes: count,
                last_exit,
                ..PlaceStatus::default()
            };
            let status = Status {
                server: message.clone(),
                version: "0.1.0".to_owned(),
                pid,
                address: SocketAddr::from(([127, 0, 0, 1], 8080)),
                uptime_seconds: seconds,
                mode: "cluster".to_owned(),
                health: Health::Reloading,
                places: vec![place; 2],
            };
            for reply in [Reply::Status(status), Reply::Failed { message: message.clone() }, Reply::Line { line: message }] {
                let line = reply.to_line();
                let (end, said) = line.split_last().unwrap();
                prop_assert_eq!(*end, b'\n');
                prop_assert!(!said.contains(&b'\n'));
                prop_assert_eq!(Reply::from_line(said), Ok(reply));
            }
        }
    }
}
