//! nginx, alone and in front of instances.

use std::{collections::BTreeSet, fs, thread};

use crate::common::{PATIENCE, Running, foreign, get, have, lives, until, upstream};
use app::Endpoint;
use host::{guard::Ended, processes, tether};
use rustix::process::Signal;

const SERVED: &[Endpoint] = &[Endpoint::Simple, Endpoint::Complex, Endpoint::Randoms, Endpoint::Delay];

/// One worker of nginx: each keeps an account of its own, and only one is exact.
fn in_front(more: &[&str]) -> Running {
    let upstream = upstream();
    let arguments = [&["nginx", "--workers", "1", "--in-front-of", &upstream], more].concat();
    Running::start(foreign(&arguments))
}

fn have_nginx() -> bool {
    have(&["nginx"])
}

#[test]
fn faults_are_refused_by_who_runs_no_operation() {
    let mut process = foreign(&["nginx-return", "--faults"]).spawn().unwrap();
    let error = process.ready(PATIENCE).unwrap_err().to_string();
    assert!(error.contains("exit code 2") && error.contains("--faults"), "{error}");
}

#[test]
fn nginx_alone_answers_the_ceilings_bytes() {
    if !have_nginx() {
        return;
    }
    let running = Running::start(foreign(&["nginx-return", "--workers", "2"]));
    assert_eq!(running.ready.workers, 2);
    running.check(&[Endpoint::Simple]);
    let body = app::Operation::Simple.run().body("ceiling", "t0");
    assert_eq!(running.get("/simple"), (200, String::from_utf8(body).unwrap()));
    // The master, and what it was told.
    assert_eq!(processes::descendants(running.ready.pid).len(), 3);
    running.stop();
}

#[test]
fn one_instance_behind_nginx_answers_in_its_own_name() {
    if !have_nginx() {
        return;
    }
    let running = in_front(&[]);
    assert_eq!((running.ready.server.as_str(), running.ready.workers), ("upstream", 2));
    running.check(SERVED);
    assert_eq!(running.spread(5).len(), 1);
    running.stop();
}

#[test]
fn connections_to_the_instance_are_kept_alive() {
    if !have_nginx() {
        return;
    }
    let running = in_front(&[]);
    running.spread(20);
    let (_, metrics) = running.get("/metrics");
    let accepted = metrics.lines().find(|line| line.starts_with("server_connections_accepted_total"));
    let accepted: usize = accepted
        .and_then(|line| line.split(' ').nth(1))
        .and_then(|count| count.parse().ok())
        .unwrap_or_else(|| panic!("{metrics}"));
    // The launcher's own question, and what followed, came over one connection or two, not over twenty.
    assert!((1..5).contains(&accepted), "{accepted} connections for 20 requests");
    running.stop();
}

#[test]
fn round_robin_gives_every_instance_the_same_share() {
    if !have_nginx() {
        return;
    }
    let running = in_front(&["--instances", "4"]);
    assert_eq!(running.ready.workers, 5);
    let counts = running.spread(40);
    assert_eq!(counts.into_values().collect::<Vec<_>>(), [10; 4]);
    running.stop();
}

#[test]
fn ip_hash_gives_everything_from_one_address_to_one_instance() {
    if !have_nginx() {
        return;
    }
    let running = in_front(&["--instances", "4", "--balance", "ip-hash"]);
    assert_eq!(running.spread(40).into_values().collect::<Vec<_>>(), [40]);
    running.stop();
}

#[test]
fn least_conn_avoids_a_busy_instance_and_round_robin_does_not() {
    if !have_nginx() {
        return;
    }
    for (balance, serving) in [("least-conn", 3), ("round-robin", 4)] {
        let running = in_front(&["--instances", "4", "--balance", balance]);
        let address = running.ready.address;
        // Longer than the rest of the test; cut by the kill at its end.
        let busy = std::net::TcpStream::connect(address).unwrap();
        std::io::Write::write_all(&mut &busy, b"GET /delay?ms=60000 HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        // Until nginx has read it, all four are idle.
        until("requests are spread as the rule says", || running.spread(16).len() == serving);
        assert_eq!(running.spread(16).len(), serving, "{balance}");
        running.kill();
    }
}

#[test]
fn the_split_sends_randoms_to_the_cluster_and_everything_else_to_the_one() {
    if !have_nginx() {
        return;
    }
    let upstream = upstream();
    let arguments = ["nginx-split", "--workers", "1", "--one", &upstream, "--cluster", &upstream];
    let running = Running::start(foreign(&arguments));
    assert_eq!(running.ready.workers, 6);
    running.check(SERVED);
    let one = running.spread(12);
    assert_eq!(one.len(), 1, "one server answers everything else: {one:?}");
    let one = *one.keys().next().unwrap();

    // Stopped, it answers nothing; the cluster still does, and the other way round.
    let cluster: BTreeSet<u32> = processes::descendants(running.ready.pid)
        .into_iter()
        .filter(|&pid| {
            pid != one && fs::read_to_string(format!("/proc/{pid}/comm")).unwrap().trim() == "upstream"
        })
        .collect();
    assert_eq!(cluster.len(), 4);
    assert!(processes::send(one, Signal::STOP));
    for _ in 0..8 {
        assert_eq!(running.get("/api/randoms?count=1").0, 200);
    }
    assert!(processes::send(one, Signal::CONT));
    assert!(cluster.iter().all(|&pid| processes::send(pid, Signal::STOP)));
    for target in ["/simple", "/complex?iterations=9", "/info", "/api/randoms/more"] {
        let status = if target == "/api/randoms/more" { 404 } else { 200 };
        assert_eq!(running.get(target).0, status, "{target}");
    }
    assert!(cluster.iter().all(|&pid| processes::send(pid, Signal::CONT)));
    running.stop();
}

#[test]
fn an_answer_under_way_is_finished_before_the_end() {
    if !have_nginx() {
        return;
    }
    let running = in_front(&[]);
    let address = running.ready.address;
    let slow = thread::spawn(move || get(address, "/delay?ms=1500"));
    until("the delay is under way", || {
        let (_, metrics) = running.get("/metrics");
        metrics.lines().any(|line| line.starts_with("server_operations_in_flight") && line.ends_with(" 1"))
    });
    running.stop();
    assert_eq!(slow.join().unwrap().0, 200);
}

#[test]
fn an_instance_that_dies_ends_the_launcher_with_its_name() {
    if !have_nginx() {
        return;
    }
    let running = in_front(&["--instances", "2"]);
    let below = processes::descendants(running.ready.pid);
    let instance = *running.spread(1).keys().next().unwrap();
    assert!(processes::send(instance, Signal::KILL));
    let exit = running.wait();
    assert_eq!(exit.ended, Ended::Code(1));
    let said = exit.stderr.join("\n");
    assert!(said.contains("upstream") && said.contains("ended (signal "), "{said}");
    assert!(!below.into_iter().any(lives));
}

#[test]
fn an_nginx_that_dies_ends_the_launcher_and_leaves_no_worker_of_nginx() {
    if !have_nginx() {
        return;
    }
    let running = Running::start(foreign(&["nginx-return", "--workers", "2"]));
    let below = processes::descendants(running.ready.pid);
    // Parents come first.
    assert!(processes::send(below[0], Signal::KILL));
    let exit = running.wait();
    assert_eq!(exit.ended, Ended::Code(1));
    assert!(exit.stderr.join("\n").contains("nginx ended (signal "), "{:?}", exit.stderr);
    assert!(!below.into_iter().any(lives));
}

#[test]
fn a_launcher_that_is_killed_leaves_nothing_running() {
    if !have_nginx() {
        return;
    }
    in_front(&["--instances", "3"]).kill();
}

#[test]
fn a_port_that_is_taken_is_named_with_what_nginx_said() {
    if !have_nginx() {
        return;
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let exit = host::launch::Launch::new(env!("CARGO_BIN_EXE_foreign"))
        .args(["nginx-return", "--listen", &listen])
        .spawn()
        .unwrap()
        .wait(PATIENCE)
        .unwrap();
    assert_eq!(exit.ended, Ended::Code(1));
    let said = exit.stderr.join("\n");
    assert!(said.contains("nginx ended") && said.contains("could not bind"), "{said}");
}

#[test]
fn a_server_that_is_not_there_is_named() {
    if !have_nginx() {
        return;
    }
    let exit =
        foreign(&["nginx", "--in-front-of", "/nowhere/server"]).spawn().unwrap().wait(PATIENCE).unwrap();
    assert_eq!(exit.ended, Ended::Code(1));
    assert!(exit.stderr.join("\n").contains("cannot start /nowhere/server"), "{:?}", exit.stderr);
}

#[test]
fn nginx_accepts_every_configuration_without_a_word() {
    if !have_nginx() {
        return;
    }
    use clap::Parser;
    use foreign::nginx::{Balance, Configuration, Site, Upstream};

    #[derive(Parser)]
    struct Arguments {
        #[command(flatten)]
        shared: kit::args::Shared,
    }
    let config = Arguments::parse_from(["test"]).shared.into_config().unwrap();
    let upstream = |name, balance| Upstream {
        name,
        balance,
        instances: vec!["127.0.0.1:9".parse().unwrap(), "[::1]:9".parse().unwrap()],
    };
    let proxy = |balance| Site::Proxy {
        to: upstream("one", balance),
        split: vec![("/api/randoms", upstream("cluster", balance))],
    };
    for site in [
        Site::Constant("{\"a\":1}".to_owned()),
        proxy(Balance::RoundRobin),
        proxy(Balance::LeastConn),
        proxy(Balance::IpHash),
    ] {
        // `nginx -t` opens the sockets too.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let configuration = Configuration { listen: free, workers: 2, limits: &config.limits, site };
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("nginx.conf"), configuration.to_string()).unwrap();
        let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap());
        let tested = tether::command("nginx")
            .env("PATH", path)
            .args(["-t", "-q", "-e", "stderr", "-c", "nginx.conf", "-p"])
            .arg(folder.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&tested.stderr);
        assert!(tested.status.success() && said.is_empty(), "{said}\n{configuration}");
    }
}
