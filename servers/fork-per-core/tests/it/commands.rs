//! The control socket and the client of it.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::{fs::PermissionsExt, net::UnixStream},
    process::Stdio,
    thread,
};

use host::{processes::send, tether};
use rustix::process::Signal;

use crate::played::{Load, PROGRAM, Server, command, eventually};

#[test]
fn status_tells_every_worker_and_scale_makes_more_or_fewer() {
    let server = Server::start(&[]);
    let status = |server: &Server| -> serde_json::Value {
        let (code, said) = server.command(&["status", "--json"]);
        assert_eq!(code, Some(0), "{said}");
        serde_json::from_str(&said).unwrap()
    };
    let load = Load::on(server.address, 4);
    load.more(20);
    let before = status(&server);
    assert_eq!((before["health"].as_str(), before["pid"].as_u64()), (Some("ok"), Some(server.pid().into())));
    let places = before["places"].as_array().unwrap();
    assert!(
        places.iter().all(|place| place["state"] == "ready" && place["rss_bytes"].as_u64() > Some(1 << 20))
    );
    let requests = |status: &serde_json::Value| -> u64 {
        status["places"].as_array().unwrap().iter().map(|place| place["requests"].as_u64().unwrap()).sum()
    };
    assert!(requests(&before) >= 20);
    assert_eq!(fs::metadata(server.control()).unwrap().permissions().mode() & 0o777, 0o600);

    assert_eq!(server.command(&["scale", "+2"]), (Some(0), "4 workers\n".to_owned()));
    assert_eq!(server.workers().len(), 4);
    assert_eq!(server.command(&["scale", "1"]), (Some(0), "1 worker\n".to_owned()));
    assert_eq!(server.workers().len(), 1);
    // Three listeners are nobody's own now: whoever is sent to one of them is answered all the same.
    for _ in 0..64 {
        assert!(server.connect().get("/simple").is_ok());
    }
    assert_eq!(server.command(&["scale", "-1"]).0, Some(2));
    assert_eq!(server.command(&["scale", "+1"]), (Some(0), "2 workers\n".to_owned()));
    assert_eq!(load.end(), Vec::<String>::new());
    let (_, table) = server.command(&["status"]);
    assert!(table.contains("p0") && table.contains("p1") && !table.contains("p2"), "{table}");
    let control = server.control();
    assert_eq!(server.command(&["stop", "--graceful"]).0, Some(0));
    let (code, log) = server.end();
    assert_eq!(code, Some(0), "{log}");
    assert!(!control.exists(), "the socket is left");
}

#[test]
fn what_cannot_be_meant_is_refused_in_one_line_and_nothing_is_lost() {
    let server = Server::start(&[]);
    for (arguments, words) in [
        (&["scale", "0"][..], "from 1 to 1024"),
        (&["scale", "100000"], "from 1 to 1024"),
        (&["scale", "some"], "+K or -K"),
        (&["status", "--every", "1s"], "--every"),
        (&["reload", "--timeout", "0"], "from 1ms to 24h"),
        (&["restart"], "restart"),
    ] {
        let (code, said) = server.command(arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
    for (line, words) in [
        ("{\"version\":2,\"command\":\"status\"}\n", "version 1"),
        ("{\"version\":1,\"command\":\"restart\"}\n", "restart"),
        ("GET / HTTP/1.1\r\n\r\n", "refused"),
        ("\n", "refused"),
    ] {
        let mut stream = UnixStream::connect(server.control()).unwrap();
        stream.write_all(line.as_bytes()).unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        assert!(said.contains(words) && said.lines().count() == 1, "{line:?}: {said}");
    }
    // Peers that say nothing keep nobody else from being heard.
    let silent: Vec<_> = (0..8).map(|_| UnixStream::connect(server.control()).unwrap()).collect();
    assert_eq!(server.command(&["status"]).0, Some(0));
    drop(silent);
    let (code, log) = server.stop();
    assert_eq!(code, Some(0), "{log}");
    for arguments in [
        &["--ready-timeout", "0"][..],
        &["--hang-timeout", "1ms"],
        &["--max-crashes", "0"],
        &["--max-rss", "1"],
        &["--mode", "both"],
    ] {
        let output = tether::command(PROGRAM).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(arguments[0]), "{output:?}");
    }
    let output = tether::command(PROGRAM)
        .args(["--listen", "127.0.0.1:0", "--watch", "/nowhere/at/all"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("/nowhere/at/all"), "{output:?}");
}

#[test]
fn a_second_primary_on_a_port_ends_and_leaves_the_first_its_socket() {
    let server = Server::start(&[]);
    let output = tether::command(PROGRAM)
        .args(["--listen", &server.address.to_string(), "--control"])
        .arg(server.control())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("is taken"), "{output:?}");
    assert_eq!(server.command(&["status"]).0, Some(0));
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn a_socket_that_a_dead_primary_left_is_replaced_and_one_that_cannot_be_made_is_only_warned_of() {
    let mut server = Server::start(&[]);
    let control = server.control();
    server.signal(Signal::KILL);
    server.workers_become(<[u32]>::is_empty);
    assert!(control.exists());
    let folder = std::mem::replace(&mut server.folder, tempfile::tempdir().unwrap());
    drop(server.end());
    assert_eq!(command(&control, &["status"]).0, Some(3));
    let mut again = tether::command(PROGRAM);
    again.args(["--listen", "127.0.0.1:0", "--workers", "1", "--control"]).arg(&control);
    let again = Server::spawn(again, folder);
    eventually("the new socket", || (again.command(&["status"]).0 == Some(0)).then_some(()));
    assert_eq!(again.stop().0, Some(0));

    let mut server = tether::command(PROGRAM);
    server.args(["--listen", "127.0.0.1:0", "--workers", "1", "--control", "/proc/nowhere.sock"]);
    let mut server = Server::spawn(server, tempfile::tempdir().unwrap());
    server.until("no control socket");
    assert!(server.connect().get("/simple").is_ok());
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn logs_show_what_workers_say_and_end_with_the_server() {
    let mut server = Server::start(&["--faults"]);
    let victim = server.workers()[0];
    let mut follower = tether::command(PROGRAM)
        .args(["logs", "-f", "--control"])
        .arg(server.control())
        .stdout(Stdio::piped())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(follower.stdout.take().unwrap()));
    assert!(lines.next().unwrap().unwrap().contains("commands are taken at"));
    assert!(send(victim, Signal::KILL));
    server.until("was ended by signal 9");
    let line = lines.next().unwrap().unwrap();
    assert!(line.starts_with("primary | ") && line.contains("worker p0 was ended by signal 9"), "{line}");
    server.until("worker p0 accepts");
    let (code, kept) = server.command(&["logs"]);
    assert!(code == Some(0) && kept.contains("was ended by signal 9"), "{kept}");
    let mut faulty = TcpStream::connect(server.address).unwrap();
    faulty.write_all(b"POST /fault?kind=panic HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n").unwrap();
    let panicked = lines.by_ref().map_while(Result::ok).find(|line| line.contains("panicked")).unwrap();
    assert!(panicked.starts_with("p0 | ") || panicked.starts_with("p1 | "), "{panicked}");
    let rest = thread::spawn(move || lines.map_while(Result::ok).count());
    assert_eq!(server.stop().0, Some(0));
    rest.join().unwrap();
    assert!(follower.wait().unwrap().success());
}

#[test]
fn a_worker_is_renewed_after_so_many_requests_and_loses_none() {
    let mut server = Server::start(&["--max-requests", "200"]);
    let load = Load::on(server.address, 4);
    let line = server.until("is renewed");
    assert!(line.contains("--max-requests"), "{line}");
    server.until("accepts");
    load.more(50);
    assert_eq!(load.end(), Vec::<String>::new());
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn one_worker_is_what_fork_mode_starts() {
    let mut command = tether::command(PROGRAM);
    command.args(["--listen", "127.0.0.1:0", "--mode", "fork", "--control", "off"]);
    let server = Server::spawn(command, tempfile::tempdir().unwrap());
    assert_eq!(server.workers().len(), 1);
    assert_eq!(server.stop().0, Some(0));
}
