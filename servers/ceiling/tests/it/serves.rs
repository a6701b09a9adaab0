//! The null server accepts, answers however heads are cut, and ends when it is told to.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    path::Path,
    thread,
    time::Duration,
};

use host::launch::Launch;

const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn every_head_gets_one_answer_and_a_stop_is_clean() {
    let launch = Launch::new(Path::new(env!("CARGO_BIN_EXE_ceiling"))).args(["--listen", "127.0.0.1:0"]);
    let mut server = launch.spawn().unwrap();
    let ready = server.ready(PATIENCE).unwrap();
    let mut client = TcpStream::connect_timeout(&ready.address, PATIENCE).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.set_nodelay(true).unwrap();
    const HEAD: &str = "GET /simple HTTP/1.1\r\nHost: test\r\n\r\n";
    let (beginning, end) = HEAD.split_at(HEAD.len() - 1);
    // One that is cut in its last line's end, one whole, and a long pipeline.
    let answers = 2 + 500;
    for piece in [beginning, &format!("{end}{HEAD}"), &HEAD.repeat(500)] {
        client.write_all(piece.as_bytes()).unwrap();
    }
    let payload = b"\"payload\":499500}";
    let mut received = Vec::new();
    let mut buffer = vec![0; 65_536];
    while received.windows(payload.len()).filter(|window| window == payload).count() < answers {
        let count = client.read(&mut buffer).unwrap();
        assert_ne!(count, 0, "closed early");
        received.extend_from_slice(&buffer[..count]);
    }
    let exit = server.stop(PATIENCE).unwrap();
    assert!(exit.is_clean(), "{exit:?}");
    assert_eq!(client.read(&mut buffer).unwrap(), 0);
}

#[test]
fn faults_are_refused_where_nothing_can_go_wrong() {
    let mut server = Launch::new(Path::new(env!("CARGO_BIN_EXE_ceiling")))
        .args(["--listen", "127.0.0.1:0", "--faults"])
        .spawn()
        .unwrap();
    let error = server.ready(PATIENCE).unwrap_err().to_string();
    assert!(error.contains("exit code 2") && error.contains("--faults"), "{error}");
}

#[test]
fn what_came_whole_before_its_client_ended_its_half_is_answered_and_the_connection_closed() {
    let launch = Launch::new(Path::new(env!("CARGO_BIN_EXE_ceiling"))).args(["--listen", "127.0.0.1:0"]);
    let mut server = launch.spawn().unwrap();
    let ready = server.ready(PATIENCE).unwrap();
    const HEAD: &str = "GET /simple HTTP/1.1\r\nHost: test\r\n\r\n";
    const HEAD_1_0: &str = "GET /simple HTTP/1.0\r\n\r\n";
    // The last is more than a socket's buffers take of the answers at once.
    for (sent, answers, rounds) in [
        (HEAD.to_owned(), 1, 200),
        (HEAD_1_0.to_owned(), 1, 200),
        (HEAD.repeat(7) + &HEAD[..9], 7, 100),
        (HEAD.repeat(60_000), 60_000, 1),
    ] {
        for round in 0..rounds {
            let mut client = TcpStream::connect_timeout(&ready.address, PATIENCE).unwrap();
            client.set_read_timeout(Some(PATIENCE)).unwrap();
            let mut writer = client.try_clone().unwrap();
            let sending = sent.clone();
            let writing = thread::spawn(move || {
                writer.write_all(sending.as_bytes()).unwrap();
                writer.shutdown(Shutdown::Write).unwrap();
            });
            let mut received = Vec::new();
            client.read_to_end(&mut received).unwrap();
            writing.join().unwrap();
            let payload = b"\"payload\":499500}";
            let found = received.windows(payload.len()).filter(|window| window == payload).count();
            assert_eq!(found, answers, "round {round}");
        }
    }
    assert!(server.stop(PATIENCE).unwrap().is_clean());
}

#[test]
fn a_stop_is_clean_while_there_are_too_many_connections() {
    let limit = ["--listen", "127.0.0.1:0", "--workers", "1", "--max-connections", "1"];
    let mut server = Launch::new(Path::new(env!("CARGO_BIN_EXE_ceiling"))).args(limit).spawn().unwrap();
    let ready = server.ready(PATIENCE).unwrap();
    let mut first = TcpStream::connect_timeout(&ready.address, PATIENCE).unwrap();
    first.set_read_timeout(Some(PATIENCE)).unwrap();
    let _second = TcpStream::connect_timeout(&ready.address, PATIENCE).unwrap();
    first.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert_ne!(first.read(&mut [0; 64]).unwrap(), 0);
    let exit = server.stop(PATIENCE).unwrap();
    assert!(exit.is_clean(), "{exit:?}");
}
