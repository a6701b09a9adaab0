//! Places whose worker is not there: nobody who connects is stranded, and everybody's counters tell.

use std::time::Instant;

use host::processes::send;
use rustix::process::Signal;

use crate::played::{Server, eventually};

#[test]
fn a_place_that_has_failed_is_served_by_the_others_and_healthz_says_so() {
    let mut server = Server::start(&["--max-crashes", "1"]);
    let victim = server.workers()[0];
    assert!(send(victim, Signal::KILL));
    server.until("its place has failed");
    // One in two would wait for ever.
    for _ in 0..64 {
        assert!(server.connect().get("/simple").unwrap().contains("\"worker\":\"p1\""));
    }
    let healthz = server.connect().get("/healthz").unwrap();
    assert!(healthz.starts_with("ok, 1 of 2 workers failed: p0"), "{healthz}");
    let (_, status) = server.command(&["status"]);
    assert!(status.contains("degraded") && status.contains("failed"), "{status}");
    // A reload gives it another chance.
    assert_eq!(server.command(&["reload"]).0, Some(0));
    assert_eq!(server.connect().get("/healthz").unwrap(), "ok");
    assert_eq!(server.workers().len(), 2);
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn a_place_that_backs_off_is_served_meanwhile_and_gets_its_listener_back() {
    let server = Server::start(&["--max-crashes", "1000"]);
    let deadline = Instant::now() + crate::played::PATIENCE / 2;
    let kill_p0 = || {
        let (_, status) = server.command(&["status", "--json"]);
        let status: serde_json::Value = serde_json::from_str(&status).unwrap();
        let pid = status["places"][0]["pids"][0].as_u64();
        pid.is_some_and(|pid| send(u32::try_from(pid).unwrap(), Signal::KILL))
    };
    // Until it backs off for long.
    let backs_off = || {
        let (_, status) = server.command(&["status", "--json"]);
        status.contains("backing off")
    };
    let mut kills = 0;
    while kills < 6 {
        assert!(Instant::now() < deadline);
        kills += usize::from(kill_p0());
    }
    eventually("a long wait", || {
        kill_p0();
        backs_off().then_some(())
    });
    for _ in 0..32 {
        assert!(server.connect().get("/simple").is_ok());
    }
    eventually("the place's own worker", || {
        server.connect().get("/simple").unwrap().contains("\"worker\":\"p0\"").then_some(())
    });
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn every_worker_answers_for_all_and_a_dead_one_keeps_its_totals() {
    let mut server = Server::start(&[]);
    for _ in 0..40 {
        server.connect().get("/simple").unwrap();
    }
    let total = |server: &Server| -> u64 {
        let metrics = server.connect().get("/metrics").unwrap();
        let counts = metrics.lines().filter(|line| line.contains("endpoint=\"simple\""));
        counts.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    };
    assert_eq!(total(&server), 40);
    // With a connection that its end does not close.
    let mut held = server.connect();
    let victim = held.pid();
    assert!(send(victim, Signal::KILL));
    server.until("accepts");
    assert_eq!(total(&server), 40);
    let info: serde_json::Value = serde_json::from_str(&server.connect().get("/info").unwrap()).unwrap();
    let workers = info["cluster"].as_array().unwrap();
    let pids: Vec<_> = workers.iter().map(|worker| worker["pid"].as_u64().unwrap()).collect();
    let children: Vec<_> = server.workers().into_iter().map(u64::from).collect();
    assert!(pids.len() == 2 && pids.iter().all(|pid| children.contains(pid)), "{pids:?} {children:?}");
    assert_eq!(workers.iter().map(|worker| worker["restarts"].as_u64().unwrap()).sum::<u64>(), 1);
    server.signal(Signal::HUP);
    server.until("reloaded");
    assert_eq!(total(&server), 40);
    // Those of the dead are closed: only the one that asks is open.
    eventually("one connection", || {
        let metrics = server.connect().get("/metrics").unwrap();
        metrics
            .lines()
            .any(|line| line.starts_with("server_connections_open{") && line.ends_with("} 1"))
            .then_some(())
    });
    assert_eq!(server.stop().0, Some(0));
}
