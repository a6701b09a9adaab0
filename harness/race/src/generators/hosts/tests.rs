//! Several hosts of generators, each played by a thread that answers as a script says.

use std::{
    io::{BufRead, BufReader, PipeReader, PipeWriter, pipe},
    net::SocketAddr,
    sync::{Arc, LazyLock, Mutex},
};

use app::Operation;
use load::Pacing;

use super::*;
use crate::{
    fixtures::sound,
    plan::{resolve::ResolvedStream, stream::Shape},
    server_host::{
        error::LinkError,
        lines::{Greeting, Question, Reply, say},
        link::{Carrier, Way},
    },
};

const PATIENCE: Duration = Duration::from_secs(10);
/// Once: to hash a program that is not optimised takes seconds.
static GREETING: LazyLock<Greeting> = LazyLock::new(|| Greeting::own().unwrap());

/// A host that writes down what it is told.
#[derive(Clone, Debug, Default)]
struct Script {
    /// Its clock, beside the one here.
    ahead_ns: i64,
    /// How often it is not ready.
    late: Arc<Mutex<u32>>,
    told: Arc<Mutex<Vec<Order>>>,
    /// Whether it ends instead of making a load.
    dies: bool,
}

/// Carries nothing: the pipes do.
struct Pipes(&'static str);

impl Carrier for Pipes {
    fn why_it_ended(&mut self, _has_greeted: bool) -> LinkError {
        LinkError::Lost { host: self.0.to_owned(), said: "it ended".to_owned() }
    }
}

impl Script {
    fn ahead_by(ahead_ns: i64) -> Self {
        Self { ahead_ns, ..Self::default() }
    }

    fn play(self, name: &'static str) -> GeneratorHost {
        let ((asked, ask), (answers, answer)) = (pipe().unwrap(), pipe().unwrap());
        thread::spawn(move || self.answer(asked, answer));
        let way = Way { ask: Box::new(ask), answers: Box::new(answers), carrier: Box::new(Pipes(name)) };
        let (link, _) = Link::open(name, way, &GREETING, PATIENCE, PATIENCE).unwrap();
        GeneratorHost::new(link, CpuSet::from_iter([0]))
    }

    fn answer(self, asked: PipeReader, mut answers: PipeWriter) {
        say(&mut answers, &*GREETING).unwrap();
        for line in BufReader::new(asked).lines().map_while(Result::ok).filter(|line| !line.is_empty()) {
            let Question { number, asked } = serde_json::from_str(&line).unwrap();
            let now_ns = now_ns() + self.ahead_ns;
            let answer = match asked {
                Asked::Clock => Answer::Clock { received_ns: now_ns, answered_ns: now_ns },
                Asked::Load(_) if self.dies => return,
                Asked::Load(order) => self.load(*order),
                Asked::Ports(order) => {
                    Answer::Ports(Some(PortsRecord { range: 100, taken: u64::from(order.part) }))
                }
                other => panic!("{other:?}"),
            };
            say(&mut answers, &Reply { number, answered: Ok(answer) }).unwrap();
        }
    }

    fn load(&self, order: Order) -> Answer {
        self.told.lock().unwrap().push(order);
        let mut late = self.late.lock().unwrap();
        if *late > 0 {
            *late -= 1;
            return Answer::TooSoon(Duration::from_millis(7));
        }
        Answer::Loaded(Box::new(sound()))
    }
}

fn order(connections: usize) -> Order {
    let stream = ResolvedStream {
        name: "s".to_owned(),
        operation: Operation::Simple,
        connections,
        pacing: Pacing::Poisson { per_second: 1_000.0.into() },
        shape: Shape::default(),
    };
    let second = Duration::from_secs(1);
    let load = Resolved { streams: vec![stream], warm_up: second, window: second, timeout: second };
    Order {
        address: SocketAddr::from(([192, 0, 2, 1], 80)),
        load,
        part: 0,
        parts: 1,
        cpus: CpuSet::default(),
        alone: true,
        raised: false,
        seed: 7,
        start_at: None,
    }
}

fn told(script: &Script) -> Vec<Order> {
    script.told.lock().unwrap().clone()
}

#[test]
fn all_begin_at_one_instant_each_by_its_own_clock() {
    let scripts = [0, 3_000_000_000, -5_000_000_000].map(Script::ahead_by);
    let [a, b, c] = scripts.clone();
    let hosts = GeneratorHosts::new(vec![a.play("a"), b.play("b"), c.play("c")], 0);
    let parts = hosts.make(&order(64)).unwrap();
    assert_eq!(parts.iter().map(|part| part.host.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
    let starts = scripts.each_ref().map(|script| told(script)[0].start_at.unwrap());
    let ahead_s = |of: usize| match starts[of].duration_since(starts[0]) {
        Ok(later) => later.as_secs_f64(),
        Err(earlier) => -earlier.duration().as_secs_f64(),
    };
    let bound_s = 1e-9 * parts.iter().map(|part| part.clock_within_ns).sum::<i64>() as f64 + 1e-6;
    assert!((ahead_s(1) - 3.0).abs() < bound_s && (ahead_s(2) + 5.0).abs() < bound_s, "{starts:?}");
    let shares = scripts.each_ref().map(|script| (told(script)[0].part, told(script)[0].parts));
    assert_eq!(shares, [(0, 3), (1, 3), (2, 3)]);
}

#[test]
fn whoever_was_late_is_given_longer_and_all_begin_again() {
    let late = Script { late: Arc::new(Mutex::new(2)), ..Script::default() };
    let other = Script::default();
    let hosts = GeneratorHosts::new(vec![other.clone().play("a"), late.clone().play("b")], 0);
    let before = SystemTime::now();
    assert_eq!(hosts.make(&order(64)).unwrap().len(), 2);
    let leads: Vec<Duration> =
        told(&late).iter().map(|order| order.start_at.unwrap().duration_since(before).unwrap()).collect();
    assert_eq!((leads.len(), told(&other).len()), (3, 3));
    assert!(leads[1] > 2 * leads[0] && leads[2] > 2 * leads[1], "{leads:?}");
    let never = Script { late: Arc::new(Mutex::new(u32::MAX)), ..Script::default() };
    let hosts = GeneratorHosts::new(vec![never.play("slow")], 0);
    let error = hosts.make(&order(64)).unwrap_err().to_string();
    assert!(error.starts_with("slow was not ready 20.0s after it was told"), "{error}");
}

#[test]
fn a_load_of_one_connection_is_made_by_one_host_and_those_who_measure_have_little_to_do() {
    let scripts = [(); 3].map(|()| Script::default());
    let [a, b, c] = scripts.clone();
    let hosts = GeneratorHosts::new(vec![a.play("a"), b.play("b"), c.play("c")], 1);
    let parts = hosts.make(&order(1)).unwrap();
    assert_eq!((parts.len(), parts[0].host.as_str(), parts[0].measures), (1, "a", true));
    let parts = hosts.make(&order(60)).unwrap();
    assert_eq!(parts.iter().map(|part| part.measures).collect::<Vec<_>>(), [true, false, false]);
    let last = scripts.each_ref().map(|script| told(script).last().cloned().unwrap());
    let of = |order: &Order| (order.load.streams[0].connections, order.part, order.parts);
    assert_eq!(last.each_ref().map(of), [(3, 0, 1), (57, 0, 2), (57, 1, 2)]);
    assert!(last[0].seed != last[1].seed && last[1].seed == last[2].seed);
}

#[test]
fn a_host_that_is_lost_is_named_and_the_ports_are_those_of_the_one_that_has_fewest() {
    let hosts = GeneratorHosts::new(vec![Script::default().play("a"), Script::default().play("b")], 0);
    assert_eq!(hosts.ports(&order(64)).unwrap(), Some(PortsRecord { range: 100, taken: 1 }));
    assert_eq!(hosts.lost(), None);
    let dying = Script { dies: true, ..Script::default() };
    let hosts = GeneratorHosts::new(vec![Script::default().play("a"), dying.play("b")], 0);
    let error = hosts.make(&order(64)).unwrap_err().to_string();
    assert!(error.starts_with("the link to b was lost: it ended"), "{error}");
    assert!(hosts.lost().is_some_and(|lost| lost.contains("b was lost")));
}
