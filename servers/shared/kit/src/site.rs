//! One process of a server, as all its workers see it.

use std::{borrow::Cow, sync::Arc, time::Instant};

use app::Faults;
use host::{cpus::CpuSet, usage::Usage};

use crate::{
    args::{Config, Limits},
    cluster::{Cluster, Member, PlaceNow},
    metrics::Metrics,
    policy::Policy,
    shutdown::Shutdown,
    worker::{Kind, Worker},
};

/// How many failed workers `/healthz` names.
const NAMED: usize = 16;

/// What all workers of one process have in common.
#[derive(Debug)]
pub struct Site {
    /// The server's name: the `origin` of its answers.
    pub server: &'static str,
    /// Workers of the whole server when it was started.
    pub workers: usize,
    /// What clients may take.
    pub limits: Limits,
    /// What requests must be.
    pub policy: Policy,
    /// Whether a client may ask for faults.
    pub faults: Faults,
    /// Counters of the whole server.
    pub metrics: Metrics,
    /// Raised while the server drains.
    pub stopping: Shutdown,
    started: Instant,
    /// The processes that this one is one of, where workers are processes.
    cluster: Option<Arc<Cluster>>,
}

impl Site {
    /// The site of a server that runs all `config.workers` workers in this process.
    pub fn new(server: &'static str, config: &Config, stopping: Shutdown) -> Arc<Self> {
        Arc::new(Self::with(server, config, stopping, Metrics::new(config.workers), None))
    }

    /// The site of a process that is one worker of several, and answers for all of them.
    pub fn in_cluster(
        server: &'static str,
        config: &Config,
        stopping: Shutdown,
        cluster: Arc<Cluster>,
        member: Member,
    ) -> Arc<Self> {
        let metrics = Metrics::in_cluster(Arc::clone(&cluster), member);
        Arc::new(Self::with(server, config, stopping, metrics, Some(cluster)))
    }

    fn with(
        server: &'static str,
        config: &Config,
        stopping: Shutdown,
        metrics: Metrics,
        cluster: Option<Arc<Cluster>>,
    ) -> Self {
        Self {
            server,
            workers: config.workers,
            limits: config.limits.clone(),
            policy: config.policy,
            faults: config.faults,
            metrics,
            stopping,
            started: Instant::now(),
            cluster,
        }
    }

    /// What `/info` tells, of this process and as seen from the calling thread; and in a cluster of all its workers, whose
    /// processes are looked up in `/proc` meanwhile: one file for each.
    pub fn info(&self) -> app::Info {
        app::Info {
            origin: self.server.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            worker: Worker::current().to_string(),
            workers: self.cluster.as_ref().map_or(self.workers, |cluster| cluster.places()),
            processors: app::Processors {
                present: online_cpus().map_or(0, |cpus| cpus.len()),
                allowed: CpuSet::allowed().map_or(0, |cpus| cpus.len()),
            },
            rss_bytes: Usage::of_process(std::process::id()).map_or(0, |usage| usage.rss_bytes),
            uptime_seconds: self.started.elapsed().as_secs(),
            arguments: std::env::args_os()
                .skip(1)
                .map(|argument| argument.to_string_lossy().into_owned())
                .collect(),
            cluster: self.cluster.as_deref().map(places),
        }
    }

    /// What `/healthz` tells of a server that does not drain. While any worker serves, connections are to come to it: its
    /// place in a balancer's rotation is worth more than the news, so that a failed worker changes the words alone. Where all
    /// have failed nobody answers.
    pub fn health(&self) -> Cow<'static, str> {
        let failed = self.cluster.as_ref().map(|cluster| (cluster.failed(), cluster.places()));
        let Some((failed, places)) = failed.filter(|(failed, _)| !failed.is_empty()) else {
            return Cow::Borrowed("ok");
        };
        let names: Vec<_> = failed.iter().take(NAMED).map(|&place| name(place)).collect();
        let rest = if failed.len() > NAMED { ", ..." } else { "" };
        Cow::Owned(format!("ok, {} of {places} workers failed: {}{rest}", failed.len(), names.join(", ")))
    }
}

/// The places that there are, and those that are no longer to be as long as there is a process in them.
fn places(cluster: &Cluster) -> Vec<app::Place> {
    let count = cluster.places();
    let all = (0..cluster.places_ever()).map(|index| (index, cluster.place(index)));
    let listed = all.filter(|(index, now)| *index < count || now.processes().next().is_some());
    listed.map(|(index, now)| place(index, &now)).collect()
}

fn place(index: usize, now: &PlaceNow) -> app::Place {
    let mut processes = now.processes().map(process);
    app::Place {
        place: name(index),
        state: now.state.name().to_owned(),
        process: processes.next(),
        successor: processes.next(),
        restarts: now.restarts,
        requests: now.requests,
        connections_open: now.connections_open,
        connections_accepted: now.connections_accepted,
        operations_in_flight: now.operations_in_flight,
    }
}

/// A process that has ended meanwhile, or is not for this one to see, is listed with its number alone.
fn process(pid: u32) -> app::Process {
    let usage = Usage::of_process(pid);
    app::Process {
        pid,
        cpu_seconds: usage.map(|usage| usage.cpu.as_secs_f64()),
        rss_bytes: usage.map(|usage| usage.rss_bytes),
        uptime_seconds: usage.map(|usage| usage.age.as_secs()),
    }
}

fn name(place: usize) -> String {
    Worker::new(Kind::Process, place).to_string()
}

/// The processors that are on line, whoever may use them.
fn online_cpus() -> Option<CpuSet> {
    std::fs::read_to_string("/sys/devices/system/cpu/online").ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{cluster::PlaceState, page::Page};

    fn config() -> Config {
        Config {
            listen: ([127, 0, 0, 1], 0).into(),
            workers: 2,
            cpus: [0].into_iter().collect(),
            limits: Limits {
                max_connections: 1,
                max_body_bytes: 100,
                header_timeout: Duration::from_secs(1),
                body_timeout: Duration::from_secs(1),
                idle_timeout: Duration::from_secs(1),
                linger: Duration::from_millis(200),
                drain_timeout: Duration::from_secs(1),
            },
            faults: Faults::Off,
            policy: Policy::Enforced,
        }
    }

    /// A cluster of two places, and the site of the process in the first one.
    fn pair() -> (Arc<Cluster>, Arc<Site>) {
        let cluster = Arc::new(Cluster::new().unwrap().0);
        cluster.set_places(2).unwrap();
        let member = Member { place: 0, side: 0 };
        let site = Site::in_cluster("s", &config(), Shutdown::new(), Arc::clone(&cluster), member);
        (cluster, site)
    }

    fn healthz(site: &Site) -> (u16, String) {
        let page = Page::of(site, &app::Request::Healthz).unwrap();
        (page.status, String::from_utf8(page.body.to_vec()).unwrap())
    }

    #[test]
    fn info_of_a_server_in_one_process_lists_no_workers() {
        let info = Site::new("s", &config(), Shutdown::new()).info();
        assert_eq!((info.workers, &info.cluster), (2, &None));
        assert!(!String::from_utf8(info.body()).unwrap().contains("cluster"));
    }

    #[test]
    fn info_lists_every_place_with_its_processes_and_totals() {
        let (cluster, site) = pair();
        let own = std::process::id();
        cluster.occupy(Member { place: 0, side: 1 }, own);
        cluster.occupy(Member { place: 0, side: 0 }, u32::MAX);
        cluster.set_state(0, PlaceState::Ready);
        cluster.set_state(1, PlaceState::BackingOff);
        cluster.add_restart(1);
        site.metrics.accepted();
        site.metrics.answered(Some(app::Endpoint::Simple), 200);
        site.metrics.operation_started();

        let info = site.info();
        let [first, second] = &info.cluster.unwrap()[..] else { panic!("two places are listed") };
        assert_eq!((info.workers, first.place.as_str(), first.state.as_str()), (2, "p0", "ready"));
        let counts = [first.requests, first.connections_open, first.connections_accepted];
        assert_eq!((counts, first.operations_in_flight, first.restarts), ([1, 1, 1], 1, 0));
        let process = first.process.as_ref().unwrap();
        assert_eq!(process.pid, own, "who came first is first, whichever side is its");
        assert!(process.rss_bytes.unwrap() > 1 << 20 && process.cpu_seconds.is_some(), "{process:?}");
        let gone = app::Process { pid: u32::MAX, cpu_seconds: None, rss_bytes: None, uptime_seconds: None };
        assert_eq!(first.successor.as_ref(), Some(&gone), "what /proc does not tell is left out");
        assert_eq!((second.place.as_str(), second.state.as_str()), ("p1", "backing_off"));
        assert_eq!((&second.process, second.restarts), (&None, 1));
    }

    #[test]
    fn a_place_that_is_no_longer_to_be_is_listed_until_its_process_has_ended() {
        let (cluster, site) = pair();
        let last = Member { place: 1, side: 0 };
        cluster.occupy(last, std::process::id());
        cluster.set_places(1).unwrap();
        let listed = || {
            let info = site.info();
            (info.workers, info.cluster.unwrap().len())
        };
        assert_eq!(listed(), (1, 2));
        cluster.vacate(last);
        assert_eq!(listed(), (1, 1));
    }

    #[test]
    fn healthz_says_which_workers_failed_and_stays_in_rotation_until_this_one_drains() {
        let (cluster, site) = pair();
        assert_eq!(healthz(&site), (200, "ok".to_owned()));
        cluster.set_state(1, PlaceState::Failed);
        assert_eq!(healthz(&site), (200, "ok, 1 of 2 workers failed: p1".to_owned()));
        cluster.set_places(1).unwrap();
        assert_eq!(healthz(&site), (200, "ok".to_owned()), "a place that is no longer to be misses nobody");
        cluster.set_places(40).unwrap();
        (1..40).for_each(|place| cluster.set_state(place, PlaceState::Failed));
        let (status, body) = healthz(&site);
        assert!(status == 200 && body.starts_with("ok, 39 of 40 workers failed: p1, p2, "), "{body}");
        assert!(body.ends_with(", p16, ...") && body.len() < 120, "{body}");
        site.stopping.raise();
        assert_eq!(healthz(&site), (503, "draining".to_owned()));
    }

    #[test]
    fn the_description_knows_every_state() {
        let names: Vec<_> = PlaceState::ALL.iter().map(|state| state.name()).collect();
        let described = format!("enum: [{}]", names.join(", "));
        assert!(app::OPENAPI.contains(&described), "openapi.yaml does not say {described}");
    }
}
