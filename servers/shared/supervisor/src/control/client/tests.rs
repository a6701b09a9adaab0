use std::{
    env,
    fs::File,
    io::{self, BufRead, BufReader, PipeWriter, Read, Write, pipe},
    os::{fd::AsFd, unix::net::UnixListener},
    process::{Child, Output, Stdio, exit},
    sync::mpsc,
    thread::{self, JoinHandle},
};

use clap::Parser;
use host::{processes::wait_until, tether};
use rustix::{
    event::{PollFd, PollFlags, poll},
    fs::{Mode, OFlags, open},
    process::{Pid, Signal, kill_process},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcgetattr, tcsetwinsize},
};

use super::*;
use crate::control::{
    server::{Asked, Control},
    table::tests::made_up,
};

const BOUND: Duration = Duration::from_secs(20);

/// As it is in a server's arguments.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: ClientCommand,
}

fn parsed(arguments: &str) -> Result<ClientCommand, clap::Error> {
    let arguments = ["server"].into_iter().chain(arguments.split(' '));
    Arguments::try_parse_from(arguments).map(|arguments| arguments.command)
}

/// What the client prints, and how it ends.
fn client(arguments: &str, path: &Path) -> (String, Result<(), Failure>) {
    let mut out = Vec::new();
    let command = parsed(&format!("{arguments} --control {}", path.display())).unwrap();
    let ended = execute("server", command, &mut Screen::plain(&mut out));
    (String::from_utf8(out).unwrap(), ended)
}

/// A primary that answers as it is told to.
struct Primary {
    path: PathBuf,
    stop: Option<PipeWriter>,
    thread: Option<JoinHandle<()>>,
    _folder: tempfile::TempDir,
}

impl Primary {
    fn start(mut answer: impl FnMut(&mut Control, Asked) + Send + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let mut control = Control::bind(&path).unwrap();
        let (stopped, stop) = pipe().unwrap();
        let thread = thread::spawn(move || {
            loop {
                let sources = control.sources();
                let mut polled = vec![PollFd::new(&stopped, PollFlags::IN)];
                polled.extend(sources.iter().map(|(_, fd, flags)| PollFd::from_borrowed_fd(*fd, *flags)));
                poll(&mut polled, None).unwrap();
                if !polled[0].revents().is_empty() {
                    return;
                }
                let ready =
                    sources.iter().zip(&polled[1..]).filter(|(_, polled)| !polled.revents().is_empty());
                let ready: Vec<_> = ready.map(|((source, ..), _)| *source).collect();
                for source in ready {
                    if let Some(asked) = control.ready(source, Instant::now()) {
                        answer(&mut control, asked);
                    }
                }
            }
        });
        Self { path, stop: Some(stop), thread: Some(thread), _folder: folder }
    }
}

impl Drop for Primary {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.thread.take().unwrap().join().unwrap();
    }
}

/// Somebody who says `words` to whoever connects, once they have said something, and closes.
fn stranger(words: &'static str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = BufReader::new(&stream).read_line(&mut String::new());
            let _ = stream.write_all(words.as_bytes());
        }
    });
    (folder, path)
}

fn status_for(control: &mut Control, asked: Asked) {
    control.answer(asked.client, &Reply::Status(made_up()));
}

#[test]
fn the_status_is_a_table_for_people_and_one_object_for_programs() {
    let primary = Primary::start(status_for);
    let (table, ended) = client("status", &primary.path);
    assert!(ended.is_ok(), "{ended:?}");
    assert_eq!(table, table::render(&made_up(), false));
    let (json, ended) = client("status --json", &primary.path);
    assert!(ended.is_ok(), "{ended:?}");
    assert_eq!(serde_json::from_str::<Status>(&json).unwrap(), made_up());
    insta::assert_snapshot!(json);
}

#[test]
fn each_reply_is_an_exit_code() {
    let reply = |message: &str| {
        let message = message.to_owned();
        match message.split(':').next() {
            Some("done") => Reply::Done { message },
            Some("refused") => Reply::Refused { message },
            _ => Reply::Failed { message },
        }
    };
    for (message, code) in
        [("done", 0), ("failed: p1 was never ready", 1), ("refused: a reload is under way", 2)]
    {
        let primary = Primary::start(move |control, asked| control.answer(asked.client, &reply(message)));
        for command in ["reload", "scale +1", "stop --graceful"] {
            let (printed, ended) = client(command, &primary.path);
            let failure = ended.err();
            assert_eq!(failure.as_ref().map_or(0, Failure::exit_code), code);
            let said = failure.map_or(printed.trim().to_owned(), |failure| failure.to_string());
            assert_eq!(said, message);
        }
    }
}

#[test]
fn where_no_server_is_that_is_said_with_the_path_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    for (left, words) in [(false, "does not exist"), (true, "nobody listens")] {
        if left {
            drop(UnixListener::bind(&path).unwrap());
        }
        for command in ["status", "scale 2", "reload", "stop", "logs -f", "watch"] {
            let failure = client(command, &path).1.unwrap_err();
            let said = failure.to_string();
            assert_eq!(failure.exit_code(), 3, "{said}");
            assert!(
                said.contains(words)
                    && said.contains(path.to_str().unwrap())
                    && said.contains("--control PATH"),
                "{said}"
            );
        }
    }
    let failure = client("status", &folder.path().join("x".repeat(200))).1.unwrap_err();
    assert_eq!(failure.exit_code(), 2, "{failure}");
}

#[test]
fn a_server_that_hangs_is_waited_for_as_long_as_was_said() {
    let primary = Primary::start(|_, _| {});
    for command in ["reload --timeout 50ms", "scale 3 --timeout 50ms", "stop --timeout 50ms"] {
        let failure = client(command, &primary.path).1.unwrap_err();
        assert_eq!(failure.exit_code(), 1);
        assert!(failure.to_string().contains("did not answer in time"), "{failure}");
    }
}

#[test]
fn a_server_that_speaks_another_version_or_none_is_one_clear_line() {
    for (words, code, said) in [
        (
            r#"{"version":7,"refused":{"message":"?"}}"#.to_owned() + "\n",
            2,
            "speaks version 7 of the control protocol and this client version 1",
        ),
        ("HTTP/1.1 400 Bad Request\r\n\r\n".to_owned(), 1, "is no server of this kind"),
        ("{\"version\":1,".to_owned(), 1, "is no server of this kind"),
        ("{\"version\":1,\"line\":{\"line\":\"x\"}}\n".to_owned(), 1, "answered something else"),
        (String::new(), 1, "ended before it answered"),
    ] {
        let (_folder, path) = stranger(words.leak());
        for command in ["status", "reload"] {
            let failure = client(command, &path).1.unwrap_err();
            assert_eq!(failure.exit_code(), code, "{failure}");
            let line = failure.to_string();
            assert!(line.contains(said) && !line.contains('\n'), "{line}");
        }
    }
}

#[test]
fn a_stop_is_done_when_the_server_has_gone() {
    let (_folder, path) = stranger("");
    let (printed, ended) = client("stop --graceful", &path);
    assert!(ended.is_ok());
    assert_eq!(printed, "stopped\n");
}

#[test]
fn logs_are_printed_line_by_line_until_the_last_or_the_servers_end() {
    let line = |line: &str| Reply::Line { line: line.to_owned() };
    let primary = Primary::start(move |control, asked| {
        control.answer(asked.client, &line("p0 | one"));
        control.answer(asked.client, &line("p1 | \u{1b}[2Jtwo"));
        match asked.command {
            Command::Logs { follow: true } => control.say("p0 | three"),
            _ => control.answer(asked.client, &Reply::Done { message: String::new() }),
        }
    });
    let (printed, ended) = client("logs", &primary.path);
    assert!(ended.is_ok());
    assert_eq!(printed, "p0 | one\np1 | \\u{1b}[2Jtwo\n");
    let path = primary.path.clone();
    let follower = thread::spawn(move || {
        let mut lines = Vec::new();
        let mut out = LineByLine(&mut lines, Some(primary));
        let command = parsed(&format!("logs --follow --control {}", path.display())).unwrap();
        let ended = execute("server", command, &mut Screen::plain(&mut out));
        (lines, ended)
    });
    let (lines, ended) = follower.join().unwrap();
    assert!(ended.is_ok(), "{ended:?}");
    assert_eq!(lines, ["p0 | one\n", "p1 | \\u{1b}[2Jtwo\n", "p0 | three\n"]);
}

/// Ends the server with the third line.
struct LineByLine<'a>(&'a mut Vec<String>, Option<Primary>);

impl Write for LineByLine<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.push(String::from_utf8(bytes.to_vec()).unwrap());
        if self.0.len() == 3 {
            self.1 = None;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_cannot_be_meant_is_a_usage_error_that_states_what_can_be() {
    for (arguments, words) in [
        ("scale 0", "from 1 to 1024"),
        ("scale 100000", "from 1 to 1024"),
        ("scale -0", "from 1 to 1024"),
        ("scale two", "from 1 to 1024"),
        ("scale", "N|+K|-K"),
        ("watch --every 0", "from 50ms to 24h"),
        ("reload --timeout 0", "from 1ms to 24h"),
        ("status --port 0", "from 1 to 65535"),
        ("restart", "unrecognized subcommand"),
    ] {
        let error = parsed(arguments).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains(words), "{arguments}: {error}");
    }
    for (arguments, wanted) in [
        ("scale -1", ScaleTo::Down(1)),
        ("scale +2", ScaleTo::Up(2)),
        ("scale --timeout 5s 3", ScaleTo::To(3)),
    ] {
        assert!(matches!(parsed(arguments).unwrap(), ClientCommand::Scale { to, .. } if to == wanted));
    }
}

#[test]
fn a_command_stands_beside_the_servers_own_arguments() {
    #[derive(Parser)]
    #[command(args_conflicts_with_subcommands = true)]
    struct Program {
        #[command(subcommand)]
        client: Option<ClientCommand>,
        /// Where the server has its socket.
        #[arg(long)]
        control: Option<String>,
        /// What every server knows.
        #[arg(long, env = "PATH", default_value = "x")]
        listen: String,
    }
    let parsed = |arguments: &[&str]| Program::try_parse_from([&["server"], arguments].concat());
    let served = parsed(&["--control", "off"]).unwrap();
    assert!(served.client.is_none() && served.control.as_deref() == Some("off") && served.listen != "x");
    let asked = parsed(&["status", "--control", "/run/s"]).unwrap();
    assert!(matches!(asked.client, Some(ClientCommand::Status { .. })) && asked.control.is_none());
    assert!(parsed(&["--listen", "y", "status"]).is_err());
}

#[test]
fn help_teaches_by_example() {
    for command in ["status", "scale", "reload", "stop", "logs", "watch"] {
        let help = parsed(&format!("{command} --help")).unwrap_err().to_string();
        assert!(help.contains("Examples:") && help.contains("Exit codes: 0 done"), "{help}");
    }
}

/// Starts this test program as the client.
fn started(arguments: &str, path: &Path, out: Stdio) -> Child {
    tether::command(env::current_exe().unwrap())
        .args([
            "control::client::tests::the_client_as_a_program",
            "--exact",
            "--ignored",
            "--nocapture",
            "-q",
        ])
        .env("CLIENT", format!("{arguments} --control {}", path.display()))
        .env("TERM", "xterm")
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
#[ignore = "other tests start it, in a process of its own"]
fn the_client_as_a_program() {
    let command = parsed(&env::var("CLIENT").unwrap()).unwrap();
    exit(exit_code("server", command).into());
}

#[test]
fn a_reader_that_leaves_after_a_line_is_no_failure() {
    for arguments in ["status", "status --json", "logs", "watch"] {
        let (asked, is_asked) = mpsc::channel();
        let (left, has_left) = mpsc::channel();
        let primary = Primary::start(move |control, Asked { client, command }| {
            asked.send(()).unwrap();
            has_left.recv_timeout(BOUND).unwrap();
            if command == Command::Status {
                return control.answer(client, &Reply::Status(made_up()));
            }
            control.answer(client, &Reply::Line { line: "p0 | a line".to_owned() });
            control.answer(client, &Reply::Done { message: "done".to_owned() });
        });
        let (reader, writer) = pipe().unwrap();
        let client = started(arguments, &primary.path, writer.into());
        // What libtest says has gone into the pipe by now, and what the client says does not.
        is_asked.recv_timeout(BOUND).unwrap();
        drop(reader);
        left.send(()).unwrap();
        let Output { status, stderr, .. } = client.wait_with_output().unwrap();
        assert_eq!((status.code(), &*String::from_utf8_lossy(&stderr)), (Some(0), ""), "{arguments}");
    }
}

#[test]
fn the_exit_code_is_the_programs() {
    let folder = tempfile::tempdir().unwrap();
    let output = started("status", &folder.path().join("s"), Stdio::piped()).wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("error: no server is there: ") && said.lines().count() == 1, "{said}");
}

#[test]
fn the_live_view_fits_the_terminal_and_leaves_it_whole_at_ctrl_c() {
    let primary = Primary::start(status_for);
    let user = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&user).unwrap();
    unlockpt(&user).unwrap();
    let terminal =
        open(ptsname(&user, Vec::new()).unwrap(), OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    tcsetwinsize(&user, Winsize { ws_row: 5, ws_col: 40, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let before = format!("{:?}", tcgetattr(&terminal).unwrap());
    let mut view = started("watch --every 50ms", &primary.path, terminal.try_clone().unwrap().into());
    let mut user = File::from(user);
    let mut drawn = String::new();
    // The beginning of the third frame: two were drawn over.
    while drawn.matches("\x1b[4A").count() < 2 {
        drawn += &read_soon(&mut user);
    }
    let pid = Pid::from_child(&view);
    kill_process(pid, Signal::INT).unwrap();
    let ended = wait_until(&mut view, Instant::now() + BOUND).unwrap().unwrap();
    assert_eq!(ended.code(), Some(0));
    assert_eq!(format!("{:?}", tcgetattr(&terminal).unwrap()), before);
    // No mode is set that would have to be set back, and no line is longer than the window.
    assert!(!drawn.contains("\x1b[?"), "{drawn:?}");
    let frame = drawn.split("\x1b[4A").nth(1).unwrap();
    let lines: Vec<_> = frame.split("\x1b[K\r\n").collect();
    assert_eq!(lines.len(), 5, "{frame:?}");
    assert!(lines[0].starts_with("fork-per-core 0.1.0 is "), "{frame:?}");
    assert!(lines[2].starts_with("place"), "{frame:?}");
}

fn read_soon(from: &mut File) -> String {
    let patience = rustix::event::Timespec::try_from(BOUND).unwrap();
    let ready = poll(&mut [PollFd::from_borrowed_fd(from.as_fd(), PollFlags::IN)], Some(&patience)).unwrap();
    assert_eq!(ready, 1, "nothing was drawn within {BOUND:?}");
    let mut buffer = [0; 4096];
    let count = from.read(&mut buffer).unwrap();
    String::from_utf8_lossy(&buffer[..count]).into_owned()
}

#[test]
fn ctrl_c_ends_the_live_view_of_a_server_that_does_not_answer() {
    let (asked, is_asked) = mpsc::channel();
    let primary = Primary::start(move |_, _| asked.send(()).unwrap());
    let mut view = started("watch", &primary.path, Stdio::null());
    is_asked.recv_timeout(BOUND).unwrap();
    kill_process(Pid::from_child(&view), Signal::INT).unwrap();
    // Not that it waited in vain, which would be a failure.
    let ended = wait_until(&mut view, Instant::now() + BOUND).unwrap().unwrap();
    assert_eq!(ended.code(), Some(0));
}

#[test]
fn the_live_view_ends_when_the_server_does() {
    let answered = std::sync::atomic::AtomicBool::new(false);
    let primary = Primary::start(move |control, asked| {
        if !answered.swap(true, std::sync::atomic::Ordering::SeqCst) {
            status_for(control, asked);
        } else {
            control.answer(asked.client, &Reply::Failed { message: "draining".to_owned() });
        }
    });
    let (printed, ended) = client("watch --every 50ms", &primary.path);
    assert_eq!(printed, table::render(&made_up(), false) + "\n");
    assert_eq!(ended.unwrap_err().to_string(), "draining");
}
