//! The application on Node, alone and on its cluster module.

use crate::common::{PATIENCE, Running, get, have_node, lives, node, try_get, until};
use std::{
    collections::BTreeSet,
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use app::Endpoint;
use host::{launch::Launch, processes};
use rustix::process::Signal;

const SERVED: &[Endpoint] = &[Endpoint::Simple, Endpoint::Complex, Endpoint::Randoms, Endpoint::Info];

fn launch(file: &str, arguments: &[&str]) -> Launch {
    Launch::new("node").args([node(file)]).args(arguments)
}

fn start(file: &str, cpus: &str) -> Running {
    Running::start(launch(file, &["--listen", "127.0.0.1:0", "--cpus", cpus]))
}

#[test]
fn node_single_answers_as_the_contract_says_and_drains() {
    if !have_node() {
        return;
    }
    let running = start("single.js", "0");
    assert_eq!((running.ready.server.as_str(), running.ready.workers), ("node-single", 1));
    running.check(SERVED);
    let info = running.info();
    assert_eq!((&info["worker"], &info["pid"]), (&"t0".into(), &running.ready.pid.into()));
    running.stop();
}

#[test]
fn node_cluster_answers_from_a_worker_for_each_cpu_and_drains() {
    if !have_node() {
        return;
    }
    // The list only counts: the mask is the launcher's.
    let running = start("cluster.js", "0-1,5");
    assert_eq!((running.ready.server.as_str(), running.ready.workers), ("node-cluster", 3));
    running.check(SERVED);
    let counts = running.spread(30);
    assert_eq!(counts.len(), 3, "{counts:?}");
    assert!(!counts.contains_key(&running.ready.pid), "the primary answers nothing itself");
    running.stop();
}

#[test]
fn a_killed_cluster_worker_is_replaced_and_the_others_keep_serving() {
    if !have_node() {
        return;
    }
    let running = start("cluster.js", "0-1");
    let before = running.spread(10);
    let killed = *before.keys().next().unwrap();
    assert!(processes::send(killed, Signal::KILL));
    // Meanwhile a connection may be lost for good: one that Node was handing to the worker when that died is neither
    // answered nor closed by anybody.
    until("another worker serves", || {
        let now: BTreeSet<u64> = (0..6).filter_map(|_| pid_of_answer(running.ready.address)).collect();
        now.len() == 2 && !now.contains(&killed.into())
    });
    running.check(SERVED);
    running.stop();
}

fn pid_of_answer(address: SocketAddr) -> Option<u64> {
    let (_, body) = try_get(address, "/info", Duration::from_secs(2)).ok()?;
    serde_json::from_str::<serde_json::Value>(&body).ok()?["pid"].as_u64()
}

#[test]
fn workers_that_die_at_once_again_and_again_end_the_primary() {
    if !have_node() {
        return;
    }
    let running = start("cluster.js", "0");
    let address = running.ready.address;
    let primary = running.ready.pid;
    until("the primary gives up", || {
        for pid in processes::descendants(primary) {
            processes::send(pid, Signal::KILL);
        }
        !lives(primary)
    });
    let exit = running.wait();
    assert_eq!(exit.ended, host::guard::Ended::Code(1));
    let said = exit.stderr.join("\n");
    // One worker: all die at once, so the port may go before the budget does where any port was asked for.
    assert!(said.contains("died within a second") || said.contains("was lost"), "{said}");
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn a_cluster_that_cannot_listen_says_why_and_ends() {
    if !have_node() {
        return;
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    for file in ["cluster.js", "single.js"] {
        let process = launch(file, &["--listen", &listen, "--cpus", "0-1"]).spawn().unwrap();
        let exit = process.wait(PATIENCE).unwrap();
        assert_eq!(exit.ended, host::guard::Ended::Code(1), "{file}");
        let said = exit.stderr.join("\n");
        assert!(said.contains(&listen) && said.contains("EADDRINUSE"), "{file}: {said}");
    }
}

#[test]
fn parameters_are_checked_and_refusals_name_them() {
    if !have_node() {
        return;
    }
    let running = start("single.js", "0");
    let address = running.ready.address;
    for (target, name, most) in [
        ("/complex?iterations=134217729", "iterations", "134217728"),
        ("/complex?iterations=-1", "iterations", "134217728"),
        ("/complex?iterations=1e3", "iterations", "134217728"),
        ("/complex?iterations=", "iterations", "134217728"),
        ("/complex?iterations=1&iterations=1", "iterations", "134217728"),
        ("/api/randoms?count=100000001", "count", "100000000"),
        ("/api/randoms?seed=4294967296", "seed", "4294967295"),
    ] {
        let (status, body) = get(address, target);
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, &body["parameter"]), (400, &name.into()), "{target}");
        assert!(body["error"].as_str().unwrap().contains(most), "{target}: {body}");
    }
    // The largest sum that a double holds exactly.
    let (status, body) = get(address, "/operacion-compleja?iterations=134217728");
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &body["payload"]), (200, &9_007_199_187_632_128_u64.into()));
    assert_eq!(get(address, "/operacion-simple").0, 200);
    assert_eq!(get(address, "/nowhere").0, 404);
    running.stop();
}

#[test]
fn bodies_have_the_bytes_of_this_projects_servers() {
    if !have_node() {
        return;
    }
    let running = start("single.js", "0");
    for (target, operation) in [
        ("/simple", app::Operation::Simple),
        ("/complex", app::Operation::Complex { iterations: 5_000_000 }),
        ("/api/randoms", app::Operation::Randoms { count: 100_000, seed: 0 }),
        (
            "/api/randoms?seed=4294967295&count=12345",
            app::Operation::Randoms { count: 12345, seed: u32::MAX },
        ),
    ] {
        let (_, body) = running.get(target);
        assert_eq!(body.as_bytes(), operation.run().body("node-single", "t0"), "{target}");
    }
    running.stop();
}

#[test]
fn arguments_that_cannot_be_meant_are_usage_errors() {
    if !have_node() {
        return;
    }
    for arguments in [
        ["--listen", "nowhere"],
        ["--listen", "127.0.0.1:65536"],
        ["--cpus", "3-1"],
        ["--cpus", ""],
        ["--threads", "2"],
    ] {
        // Node takes a third of a second to start: both at once.
        let both = ["single.js", "cluster.js"].map(|file| (file, launch(file, &arguments).spawn().unwrap()));
        for (file, process) in both {
            let exit = process.wait(PATIENCE).unwrap();
            assert_eq!(exit.ended, host::guard::Ended::Code(2), "{file} {arguments:?}");
            assert!(exit.stderr.iter().any(|line| line.starts_with("error: ")), "{file}: {:?}", exit.stderr);
        }
    }
}

#[test]
fn what_another_server_could_read_differently_is_refused_and_the_connection_closed() {
    if !have_node() {
        return;
    }
    let running = start("single.js", "0");
    let hidden = "GET /simple HTTP/1.1\r\nHost: a\r\n\r\n";
    for (fields, body, status) in [
        ("Transfer-Encoding: identity, chunked\r\n", "0\r\n\r\n", 501),
        ("Expect: 100-continue, tea\r\nContent-Length: 36\r\n", hidden, 417),
        ("Content-Length: 1048577\r\n", hidden, 413),
        ("Transfer-Encoding: chunked\r\n", "x\r\n", 400),
        ("Connection: ,\tclose \t,\r\nContent-Length: 2\r\n", "ok", 200),
        // Node's parser obeys it, and takes what follows at once for a fault.
        ("Transfer-Encoding: chunked\r\n", "2\r\nok\r\n0\r\nConnection: close\r\n\r\n", 400),
    ] {
        let answers = everything(
            running.ready.address,
            &format!("POST /echo HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}{hidden}"),
        );
        assert!(answers.starts_with(&format!("HTTP/1.1 {status} ")), "{fields:?}: {answers}");
        assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{fields:?}: {answers}");
    }
    running.stop();
}

/// All that is answered until the server closes.
fn everything(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answers = Vec::new();
    // A reset may follow the close where bytes were left unread.
    if let Err(error) = stream.read_to_end(&mut answers) {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
    String::from_utf8(answers).unwrap()
}
