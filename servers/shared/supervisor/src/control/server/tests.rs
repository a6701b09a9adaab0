use std::{
    io::{BufRead, BufReader, Read, Write},
    net::Shutdown,
    os::unix::{
        fs::PermissionsExt,
        net::{UnixListener, UnixStream},
    },
    thread,
};

use rustix::thread::set_thread_res_uid;
use tempfile::TempDir;

use super::*;
use crate::control::protocol::ScaleTo;

const BOUND: Duration = Duration::from_secs(20);

struct Server {
    control: Control,
    folder: TempDir,
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let control = Control::bind(&folder.path().join("s")).unwrap();
        Self { control, folder }
    }

    fn client(&self) -> UnixStream {
        let client = UnixStream::connect(self.control.path()).unwrap();
        client.set_read_timeout(Some(BOUND)).unwrap();
        client
    }

    /// What is ready at this moment, of what the driver would poll.
    fn ready(&self, patience: Duration) -> Vec<Source> {
        let sources = self.control.sources();
        let mut polled: Vec<_> =
            sources.iter().map(|(_, fd, flags)| PollFd::from_borrowed_fd(*fd, *flags)).collect();
        let patience = Timespec::try_from(patience).unwrap();
        poll(&mut polled, Some(&patience)).unwrap();
        let ready = sources.iter().zip(&polled).filter(|(_, polled)| !polled.revents().is_empty());
        ready.map(|((source, ..), _)| *source).collect()
    }

    /// One turn of the driver's loop.
    fn turn(&mut self) -> Vec<Asked> {
        let ready = self.ready(BOUND);
        assert!(!ready.is_empty(), "nothing happened within {BOUND:?}");
        ready.into_iter().filter_map(|source| self.control.ready(source, Instant::now())).collect()
    }

    /// Turns until somebody asks.
    fn asked(&mut self) -> Asked {
        loop {
            if let [asked] = self.turn()[..] {
                return asked;
            }
        }
    }

    /// Turns until there are so many clients.
    fn until_clients(&mut self, count: usize) {
        while self.control.clients.len() != count {
            assert_eq!(self.turn(), []);
        }
    }

    /// Nothing wakes the driver: it would spin otherwise.
    fn assert_quiet(&self) {
        assert_eq!(self.ready(Duration::ZERO), []);
    }
}

fn say(client: &mut UnixStream, text: &str) {
    client.write_all(text.as_bytes()).unwrap();
}

/// All that the server says until it closes.
fn replies(client: UnixStream) -> Vec<Reply> {
    let lines = BufReader::new(client).split(b'\n');
    // A server that closes before it has read all resets the connection behind its last words.
    lines.map_while(Result::ok).map(|line| Reply::from_line(&line).unwrap()).collect()
}

fn refusal(client: UnixStream) -> String {
    match &replies(client)[..] {
        [Reply::Refused { message }] => message.clone(),
        other => panic!("{other:?}"),
    }
}

fn done(message: &str) -> Reply {
    Reply::Done { message: message.to_owned() }
}

#[test]
fn a_command_is_asked_once_and_its_last_reply_ends_it() {
    let mut server = Server::start();
    let mut client = server.client();
    say(&mut client, "{\"version\":1,\"command\":\"scale\",\"to\":\"-1\"}\nand more");
    let asked = server.asked();
    assert_eq!(asked.command, Command::Scale { to: ScaleTo::Down(1) });
    server.assert_quiet();
    server.control.answer(asked.client, &done("1 worker"));
    assert_eq!(replies(client), [done("1 worker")]);
    assert!(server.control.clients.is_empty());
    server.assert_quiet();
}

#[test]
fn a_command_in_pieces_and_one_whose_end_is_the_streams_are_understood() {
    let mut server = Server::start();
    let mut client = server.client();
    for piece in ["{\"version\"", ":1,\"command\":", "\"reload\"}"] {
        say(&mut client, piece);
        // The accept, and a part of the line.
        server.until_clients(1);
        while !server.ready(Duration::ZERO).is_empty() {
            assert_eq!(server.turn(), []);
        }
    }
    client.shutdown(Shutdown::Write).unwrap();
    let asked = server.asked();
    assert_eq!(asked.command, Command::Reload);
    // Its other half is open: it is answered, and does not keep the driver busy until then.
    server.assert_quiet();
    server.control.answer(asked.client, &done("reloaded"));
    assert_eq!(replies(client), [done("reloaded")]);
}

#[test]
fn what_is_no_command_is_refused_in_one_line_and_everybody_else_is_served() {
    let mut server = Server::start();
    for (said, words) in [
        ("GET / HTTP/1.1\r\n".to_owned(), "JSON object"),
        ("\u{0}\u{1}\u{7f}\n".to_owned(), "JSON object"),
        ("\n".to_owned(), "JSON object"),
        ("{\"version\":2,\"command\":\"status\"}\n".to_owned(), "this server speaks version 1"),
        ("{\"version\":1,\"command\":\"explode\"}\n".to_owned(), "unknown command `explode`"),
        ("{\"version\":1,\"command\":\"scale\",\"to\":\"100000\"}\n".to_owned(), "from 1 to 1024"),
        ("x".repeat(4096), "at most 4096 bytes"),
        ("x".repeat(10_000), "at most 4096 bytes"),
        ("[".repeat(4000) + "\n", "JSON object"),
    ] {
        let mut client = server.client();
        say(&mut client, &said);
        server.until_clients(1);
        server.until_clients(0);
        let message = refusal(client);
        assert!(message.contains(words), "{said:.40}: {message}");
    }
    let mut client = server.client();
    client.write_all(&Command::Status.to_line()).unwrap();
    assert_eq!(server.asked().command, Command::Status);
}

#[test]
fn a_peer_that_hangs_before_its_command_is_told_and_closed_and_holds_up_nobody() {
    let mut server = Server::start();
    let mut hanging = server.client();
    say(&mut hanging, "{\"version\":1,");
    server.until_clients(1);
    assert_eq!(server.turn(), []);
    server.assert_quiet();

    let mut other = server.client();
    other.write_all(&Command::Status.to_line()).unwrap();
    let asked = server.asked();
    server.control.answer(asked.client, &done("fine"));
    assert_eq!(replies(other), [done("fine")]);

    let deadline = server.control.next_deadline().unwrap();
    assert!(deadline <= Instant::now() + PATIENCE);
    server.control.pass(deadline - Duration::from_millis(1));
    assert_eq!(server.control.clients.len(), 1);
    server.control.pass(deadline);
    assert_eq!(refusal(hanging), "no command came within 5 s");
    assert_eq!(server.control.next_deadline(), None);
}

#[test]
fn a_client_that_goes_away_at_any_step_is_nobodys_error() {
    let mut server = Server::start();
    // Before it says anything; this is how a second primary looks whether there is a first, too.
    drop(server.client());
    server.until_clients(1);
    server.until_clients(0);
    // In the middle of its command.
    let mut client = server.client();
    say(&mut client, "{\"vers");
    drop(client);
    server.until_clients(1);
    server.until_clients(0);
    // With its command said: it is heard all the same, and its outcome is nobody's.
    let mut client = server.client();
    client.write_all(&Command::Reload.to_line()).unwrap();
    drop(client);
    let gone = server.asked();
    assert_eq!(gone.command, Command::Reload);
    server.until_clients(0);
    server.control.answer(gone.client, &done("reloaded"));
    // While it waits for the outcome.
    let mut client = server.client();
    client.write_all(&Command::Reload.to_line()).unwrap();
    let waits = server.asked();
    drop(client);
    server.control.answer(waits.client, &done("reloaded"));
    server.assert_quiet();
    // While it follows the log.
    let mut client = server.client();
    client.write_all(&Command::Logs { follow: true }.to_line()).unwrap();
    server.asked();
    drop(client);
    server.control.say("p0 | a line");
    server.control.say("p0 | another");
    assert!(server.control.clients.is_empty());
    server.assert_quiet();
}

#[test]
fn the_answer_to_one_that_has_gone_never_reaches_the_next() {
    let mut server = Server::start();
    let mut first = server.client();
    first.write_all(&Command::Reload.to_line()).unwrap();
    let asked = server.asked();
    drop(first);
    server.until_clients(0);
    let mut second = server.client();
    second.write_all(&Command::Status.to_line()).unwrap();
    let status = server.asked();
    server.control.answer(asked.client, &done("reloaded"));
    server.control.answer(status.client, &done("status"));
    assert_eq!(replies(second), [done("status")]);
}

#[test]
fn of_seventeen_clients_one_is_told_that_there_are_too_many() {
    let mut server = Server::start();
    let clients: Vec<_> = (0..MOST_CLIENTS).map(|_| server.client()).collect();
    server.until_clients(MOST_CLIENTS);
    let mut seventeenth = server.client();
    seventeenth.write_all(&Command::Status.to_line()).unwrap();
    assert_eq!(server.turn(), []);
    match &replies(seventeenth)[..] {
        [Reply::Failed { message }] => {
            assert!(message.starts_with("there are 16 clients already"), "{message}");
        }
        other => panic!("{other:?}"),
    }
    server.assert_quiet();
    // One goes, and there is room.
    drop(clients);
    server.until_clients(0);
    let mut next = server.client();
    next.write_all(&Command::Status.to_line()).unwrap();
    assert_eq!(server.asked().command, Command::Status);
}

#[test]
fn who_follows_the_log_gets_what_was_and_what_comes() {
    let mut server = Server::start();
    let mut follower = server.client();
    follower.write_all(&Command::Logs { follow: true }.to_line()).unwrap();
    let mut reader = server.client();
    let asked = server.asked();
    reader.write_all(&Command::Logs { follow: false }.to_line()).unwrap();
    let read = server.asked();
    for client in [asked.client, read.client] {
        server.control.answer(client, &Reply::Line { line: "p0 | before".to_owned() });
    }
    server.control.answer(read.client, &done(""));
    server.control.say("p1 | after");
    server.assert_quiet();
    let line = |line: &str| Reply::Line { line: line.to_owned() };
    assert_eq!(replies(reader), [line("p0 | before"), done("")]);
    drop(server);
    assert_eq!(replies(follower), [line("p0 | before"), line("p1 | after")]);
}

#[test]
fn a_slow_reader_of_the_log_loses_lines_within_a_bound_and_is_told_how_many() {
    let mut server = Server::start();
    let mut slow = server.client();
    slow.write_all(&Command::Logs { follow: true }.to_line()).unwrap();
    let follower = server.asked().client;
    let said = 20_000;
    for number in 0..said {
        server.control.say(&format!("p0 | {number} {}", "x".repeat(80)));
        assert!(server.control.clients[&follower].waiting.len() <= 2 * MOST_WAITING);
    }
    let lost = server.control.clients[&follower].lost;
    assert!(lost > 0);
    // It reads again: what waited comes first, and then how many did not.
    let reader = thread::spawn(move || replies(slow));
    while server.control.clients[&follower].is_waited_for() {
        server.turn();
    }
    server.control.say("p0 | the next");
    drop(server);
    let heard: Vec<_> = reader.join().unwrap();
    let [.., Reply::Line { line: notice }, Reply::Line { line: next }] = &heard[..] else {
        panic!("{}", heard.len())
    };
    assert!(notice.starts_with(&format!("{lost} lines were lost here")), "{notice}");
    assert_eq!(next, "p0 | the next");
    assert_eq!(heard.len() as u64, said - lost + 2);
}

#[test]
fn a_client_that_takes_nothing_for_too_long_is_closed_and_one_that_takes_a_little_is_not() {
    let mut server = Server::start();
    let mut slow = server.client();
    slow.write_all(&Command::Logs { follow: true }.to_line()).unwrap();
    server.asked();
    while !server.control.clients.values().any(Client::is_waited_for) {
        server.control.say(&"x".repeat(4000));
    }
    let first = server.control.next_deadline().unwrap();
    // The kernel calls the socket writable again when most of its buffer is.
    while server.ready(Duration::ZERO).is_empty() {
        slow.read_exact(&mut [0; 4096]).unwrap();
    }
    server.turn();
    for _ in 0..200 {
        server.control.say(&"x".repeat(4000));
    }
    let second = server.control.next_deadline().unwrap();
    assert!(second > first, "what it took renewed its time");
    server.control.pass(second - Duration::from_millis(1));
    assert_eq!(server.control.clients.len(), 1);
    server.control.pass(second);
    assert!(server.control.clients.is_empty());
    server.assert_quiet();
}

#[test]
fn a_long_status_is_sent_whole() {
    let mut server = Server::start();
    let mut client = server.client();
    client.write_all(&Command::Status.to_line()).unwrap();
    let asked = server.asked();
    let long = done(&"x".repeat(4 * MOST_WAITING));
    server.control.answer(asked.client, &long);
    let reader = thread::spawn(move || replies(client));
    server.until_clients(0);
    assert_eq!(reader.join().unwrap(), [long]);
}

#[test]
fn another_users_client_is_refused_and_told() {
    if !geteuid().is_root() {
        return;
    }
    let mut server = Server::start();
    // As it never is: the mode alone keeps others away.
    for path in [server.folder.path(), server.control.path()] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
    }
    let path = server.control.path().to_owned();
    let stranger = thread::spawn(move || {
        let other = Uid::from_raw(60_999);
        set_thread_res_uid(other, other, other).unwrap();
        let mut stranger = UnixStream::connect(path).unwrap();
        stranger.set_read_timeout(Some(BOUND)).unwrap();
        // It may be turned away already.
        let _ = stranger.write_all(&Command::Stop { graceful: false }.to_line());
        refusal(stranger)
    });
    assert_eq!(server.turn(), []);
    assert_eq!(stranger.join().unwrap(), "user 60999 may not command this server: only user 0 and root may");
    assert!(server.control.clients.is_empty());
}

#[test]
fn its_own_user_and_root_may_command() {
    let (own, other) = (Uid::from_raw(1000), Uid::from_raw(1001));
    assert!(may_command(own, own) && may_command(Uid::ROOT, own));
    assert!(!may_command(other, own) && !may_command(other, Uid::ROOT));
}

#[test]
fn where_nothing_can_be_accepted_the_driver_does_not_spin_and_it_is_tried_again() {
    let mut server = Server::start();
    let now = Instant::now();
    // What accept(2) says to a socket that does not listen stands for any of its refusals.
    let refuses = a_socket_that_does_not_listen();
    let listener = std::mem::replace(&mut server.control.listener, refuses);
    server.control.ready(Source(None), now);
    assert_eq!(server.control.sources().len(), 0);
    let deadline = server.control.next_deadline().unwrap();
    assert_eq!(deadline, now + ACCEPT_PAUSE);
    server.control.listener = listener;
    let mut client = server.client();
    client.write_all(&Command::Status.to_line()).unwrap();
    server.assert_quiet();
    server.control.pass(deadline);
    assert_eq!(server.asked().command, Command::Status);
}

fn a_socket_that_does_not_listen() -> OwnedFd {
    UnixStream::pair().unwrap().0.into()
}

#[test]
fn the_socket_is_gone_with_the_server_and_a_later_one_is_not_its_to_remove() {
    let server = Server::start();
    let path = server.control.path().to_owned();
    let (control, _folder) = (server.control, server.folder);
    drop(control);
    assert!(!path.exists());
    let first = Control::bind(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let _second = UnixListener::bind(&path).unwrap();
    drop(first);
    assert!(path.exists());
}
