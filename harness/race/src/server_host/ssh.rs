//! ssh, which carries the lines to another host and back, and says why it does not.

use std::{
    io::Read,
    net::IpAddr,
    os::unix::process::CommandExt,
    process::{Child, ExitStatus, Stdio},
    str::FromStr,
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use host::{processes, tether};
use terminal::shell::{command_line, quoted};

use super::{
    agent::SILENCE,
    error::LinkError,
    lines::Greeting,
    link::{Carrier, Link, Way},
};

/// Options beside those of a person's own configuration: no question that nobody answers, no host that is waited for longer than a kernel
/// tries four times to connect (15 s), and a sign of life every 5 s, of which three may be missing (ssh_config(5)).
const OPTIONS: [&str; 9] = [
    "-T",
    "-o",
    "BatchMode=yes",
    "-o",
    "ConnectTimeout=15",
    "-o",
    "ServerAliveInterval=5",
    "-o",
    "ServerAliveCountMax=3",
];
/// What ssh returns for an error of its own, and not of the command there (ssh(1), "EXIT STATUS").
const OWN_ERROR: i32 = 255;
/// The most that is kept of what ssh says beside the lines, in bytes.
const MOST_SAID: usize = 64 << 10;
/// How long ssh may take to end once nobody asks any more: what runs there is ended first.
const ENDS_WITHIN: Duration = Duration::from_secs(5);
/// How long its last words may take, once it has ended.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// What a shell returns where it finds no such program (POSIX, "Exit Status for Commands"), and where it may not run it.
const NOT_FOUND: [i32; 2] = [127, 126];

/// How ssh is called: a program, and options before those of this module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshCommand {
    program: String,
    options: Vec<String>,
}

/// As it is typed in a shell.
impl FromStr for SshCommand {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = shlex::split(text).unwrap_or_default().into_iter();
        match words.next() {
            Some(program) if !program.is_empty() => Ok(Self { program, options: words.collect() }),
            _ => Err("it is a program and its options, such as \"ssh -p 2222\", with quotes that are closed"
                .to_owned()),
        }
    }
}

/// How another host is reached.
#[derive(Clone, Debug)]
pub struct Reach {
    /// As ssh names it.
    pub host: String,
    /// The ssh client: it is given further options, `--`, the host, and the command.
    pub ssh: SshCommand,
    /// The harness there, as a shell finds it.
    pub there: String,
    /// Where servers are to listen there; where ssh comes in, if nothing is said.
    pub address: Option<IpAddr>,
    /// How long connecting may take.
    pub within: Duration,
    /// Whether servers may run there although another run measures on that host.
    pub beside_others: bool,
}

/// Connects to the harness of that host, which must be this very program, and says which host that is.
///
/// # Errors
/// It cannot be reached, or is another program.
pub fn connect(reach: &Reach) -> Result<(Link, Greeting), LinkError> {
    let host = reach.host.as_str();
    // Whatever its name is, it never is an option.
    if host.is_empty() || host.starts_with('-') || host.contains(char::is_whitespace) {
        return Err(LinkError::NoHost(host.to_owned()));
    }
    let unable = |error: &std::io::Error, what: &str| LinkError::Unable {
        host: host.to_owned(),
        said: format!("{what}: {error}"),
    };
    let own = Greeting::own().map_err(|error| unable(&error, "this program cannot be read"))?;
    let SshCommand { program, options } = &reach.ssh;
    let mut command = tether::command(program);
    command.args(options).args(OPTIONS).args(["--", host]).arg(quoted(&reach.there)).arg("server-host");
    command.args(reach.address.iter().flat_map(|address| ["--address".to_owned(), address.to_string()]));
    command.args(reach.beside_others.then_some("--beside-others"));
    // A terminal's Ctrl-C is for this process alone: what is under way is ended in its order.
    command.process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| {
        let (host, ssh, error) = (host.to_owned(), program.clone(), error.to_string());
        LinkError::NoSsh { host, ssh, error }
    })?;
    let (ask, answers, beside) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (tell, said) = channel();
    let carrier = Box::new(Ssh { reach: reach.clone(), child, said });
    let listening = thread::Builder::new().name("ssh says".to_owned()).spawn(move || {
        let text = beside.map(last_of).unwrap_or_default();
        // Nobody may want to know any more.
        let _ = tell.send(text);
    });
    listening.map_err(|error| unable(&error, "no thread can be started here"))?;
    let (Some(ask), Some(answers)) = (ask, answers) else {
        return Err(unable(&std::io::ErrorKind::BrokenPipe.into(), "ssh has no streams"));
    };
    let way = Way { ask: Box::new(ask), answers: Box::new(answers), carrier };
    Link::open(host, way, &own, reach.within, SILENCE)
}

/// The end of what is said, once that is over or fails.
fn last_of(mut beside: impl Read) -> String {
    let mut text = Vec::new();
    let mut part = [0; 4096];
    while let Ok(length @ 1..) = beside.read(&mut part) {
        text.extend_from_slice(&part[..length]);
        let more = text.len().saturating_sub(MOST_SAID);
        text.drain(..more);
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// An ssh.
struct Ssh {
    reach: Reach,
    child: Child,
    /// What it said beside the lines, at its end.
    said: Receiver<String>,
}

impl Ssh {
    /// Waits until it has ended, and has it end where it does not.
    fn end(&mut self) -> Option<ExitStatus> {
        if let Ok(Some(status)) = processes::wait_until(&mut self.child, Instant::now() + ENDS_WITHIN) {
            return Some(status);
        }
        // It holds on to a connection that nobody needs.
        let _gone = self.child.kill();
        self.child.wait().ok()
    }
}

impl Carrier for Ssh {
    fn why_it_ended(&mut self, has_greeted: bool) -> LinkError {
        let status = self.end();
        // A connection that ssh keeps for others keeps its streams open as well.
        let said = self.said.recv_timeout(LAST_WORDS).unwrap_or_default();
        let code = status.and_then(|status| status.code());
        why(&self.reach, has_greeted, code, &said)
    }
}

impl Drop for Ssh {
    fn drop(&mut self) {
        self.end();
    }
}

/// Why ssh ended with that `code`, after it had `said` so much beside the lines.
fn why(reach: &Reach, has_greeted: bool, code: Option<i32>, said: &str) -> LinkError {
    let Reach { host, ssh, there, .. } = reach;
    let last = said.lines().map(str::trim).rfind(|line| !line.is_empty());
    let said = last.map_or_else(|| "the connection ended".to_owned(), |last| format!("`{last}`"));
    if has_greeted {
        return LinkError::Lost { host: host.clone(), said };
    }
    // The harness there says itself what it is not able to do.
    if let (Some(1), Some(said)) = (code, last.and_then(|last| last.strip_prefix("error: "))) {
        return LinkError::Unable { host: host.clone(), said: said.to_owned() };
    }
    let advice = match code {
        Some(126) if said.contains("Exec format error") => {
            "that program is of another architecture, and programs are copied, so that both hosts must be of one".to_owned()
        }
        Some(code) if NOT_FOUND.contains(&code) => {
            format!("install the harness on {host}, or say with --there where it is")
        }
        None | Some(OWN_ERROR) => {
            let words = [&ssh.program].into_iter().chain(&ssh.options).chain([host, there]);
            format!("see that `{} --version` answers without a question", command_line(words))
        }
        Some(_) => "copy this harness there, or say with --there where the same one is".to_owned(),
    };
    LinkError::Refused { host: host.clone(), said, advice }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach_to(host: &str) -> Reach {
        Reach {
            host: host.to_owned(),
            ssh: "ssh -p 2222".parse().unwrap(),
            there: "harness".to_owned(),
            address: None,
            within: Duration::from_secs(1),
            beside_others: true,
        }
    }

    #[test]
    fn why_ssh_ended_is_said_with_what_to_do() {
        let reach = reach_to("node1");
        let said = |code, said: &str| why(&reach, false, Some(code), said).to_string();
        let refused = said(255, "me@node1: Permission denied (publickey).\r\n\n");
        assert_eq!(
            refused,
            "node1 does not run servers for this harness: `me@node1: Permission denied (publickey).`; see that `ssh -p 2222 node1 harness \
             --version` answers without a question"
        );
        assert!(
            said(127, "bash: line 1: harness: command not found").contains("install the harness on node1")
        );
        assert!(said(2, "error: unrecognized subcommand 'server-host'").contains("copy this harness there"));
        assert!(said(0, "").contains("the connection ended; copy this harness there"));
        let format = said(126, "bash: line 1: ./harness: cannot execute binary file: Exec format error");
        assert!(format.contains("of another architecture"), "{format}");
        assert_eq!(
            said(1, "error: 192.0.2.9 is no address of this host"),
            "node1: 192.0.2.9 is no address of this host"
        );
        assert!(said(255, "").contains("the connection ended; see that"));
        let lost = why(&reach, true, Some(255), "Timeout, server node1 not responding.").to_string();
        assert_eq!(
            lost,
            "the link to node1 was lost: `Timeout, server node1 not responding.`; what runs there ends by itself"
        );
    }

    #[test]
    fn what_would_be_an_option_of_ssh_is_no_host() {
        for host in ["", "-oProxyCommand=x", "node 1"] {
            assert_eq!(connect(&reach_to(host)).unwrap_err(), LinkError::NoHost(host.to_owned()));
        }
    }

    #[test]
    fn ssh_is_called_as_a_shell_would_call_it() {
        let ssh: SshCommand = "ssh -p 2222 -i 'my key'".parse().unwrap();
        assert_eq!(
            (ssh.program.as_str(), &ssh.options[..]),
            ("ssh", &["-p", "2222", "-i", "my key"].map(str::to_owned)[..])
        );
        for text in ["", " ", "''", "ssh -i 'my key"] {
            assert!(text.parse::<SshCommand>().unwrap_err().contains("a program and its options"), "{text}");
        }
    }

    #[test]
    fn of_a_flood_of_words_the_last_are_kept() {
        let flood = "x".repeat(3 * MOST_SAID) + "the last";
        let kept = last_of(flood.as_bytes());
        assert!(kept.len() == MOST_SAID && kept.ends_with("the last"));
    }
}
