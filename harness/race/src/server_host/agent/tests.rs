//! The agent and the link to it, over pipes in one process, with servers that write down what is done to them.

use std::{
    collections::HashMap,
    fs,
    io::{BufReader, PipeReader, PipeWriter, pipe},
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex, mpsc},
    thread::JoinHandle,
};

use host::{cpus::CpuSet, freeze::FreezeFault, ready::Profile};
use load::ThreadOutcome;

use super::*;
use crate::{
    fixtures::sound,
    machine::edge::Accounts,
    programs::instance::{InstanceError, LOOPBACK, Stopped},
    server_host::{
        error::LinkError,
        link::{Carrier, Link, Way},
        other_host::{OtherHost, can_be_copied},
        reached::{Reached, introduced},
        running::ServerFault,
    },
};

const PATIENCE: Duration = Duration::from_secs(10);

/// What was done, in its order.
#[derive(Clone, Debug, Default)]
struct Done(Arc<Mutex<Vec<String>>>);

impl Done {
    fn write(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// A host whose servers write down what is done to them.
#[derive(Debug)]
struct Paper(Done);

#[derive(Debug)]
struct PaperServer {
    name: String,
    done: Done,
}

impl ServerHost for Paper {
    fn start(
        &self,
        row: &Row,
        built: &Built,
        cpus: &CpuSet,
        _guard: &[OsString],
    ) -> Result<Box<dyn Running>, InstanceError> {
        if row.name == "broken" {
            return Err(InstanceError::Debug);
        }
        let program = fs::read_to_string(&built.program).unwrap();
        let arguments = [&built.leading_args[..], &built.args[..]].concat();
        self.0.write(format!("start {} on {cpus}: {program} {arguments:?}", row.name));
        Ok(Box::new(PaperServer { name: row.name.clone(), done: self.0.clone() }))
    }
}

impl Running for PaperServer {
    fn address(&self) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], 8080))
    }

    fn server(&self) -> Option<&str> {
        Some(&self.name)
    }

    fn workers(&self) -> Option<usize> {
        Some(2)
    }

    fn guard_pid(&self) -> u32 {
        77
    }

    fn memory_kib(&self) -> io::Result<u64> {
        Err(io::Error::other("the kernel does not tell"))
    }

    fn first_memory_kib(&mut self) -> io::Result<u64> {
        self.memory_kib()
    }

    fn load_begins(&mut self) -> io::Result<()> {
        self.done.write("load begins");
        Ok(())
    }

    fn load_ended(&mut self, cpus: &CpuPlan, threads: &[ThreadOutcome]) -> io::Result<Accounts> {
        self.done.write(format!("load ended on {}, {} threads here", cpus.server, threads.len()));
        Ok(sound().accounts)
    }

    fn freeze(&mut self) -> Result<(), ServerFault> {
        self.done.write("freeze");
        Ok(())
    }

    fn thaw(&mut self) -> Result<(), ServerFault> {
        Err(FreezeFault::ClosedListener { port: 8080 }.into())
    }

    fn stop(self: Box<Self>) -> Result<Stopped, InstanceError> {
        self.done.write("stop");
        Ok(Stopped { usage: None, unclean: Some("it whined".to_owned()) })
    }
}

impl Drop for PaperServer {
    fn drop(&mut self) {
        self.done.write(format!("gone: {}", self.name));
    }
}

/// Carries nothing: the pipes do.
struct Pipes;

impl Carrier for Pipes {
    fn why_it_ended(&mut self, has_greeted: bool) -> LinkError {
        let said = format!("greeted: {has_greeted}");
        LinkError::Lost { host: "node1".to_owned(), said }
    }
}

/// An agent on a thread of its own.
struct There {
    done: Done,
    agent: JoinHandle<io::Result<()>>,
}

/// The pipes to an agent that waits so long for a word. `before` comes before its greeting.
fn agent(silence: Duration, before: &'static str) -> (Way, There) {
    let ((asked, ask), (answers, mut said)) = (pipe().unwrap(), pipe().unwrap());
    let done = Done::default();
    let host = Paper(done.clone());
    let agent = thread::spawn(move || {
        said.write_all(before.as_bytes())?;
        let side = Side { host: &host, guard: Vec::new(), ip: Some(LOOPBACK) };
        serve(BufReader::new(asked), &mut said, side, silence)
    });
    (way(ask, answers), There { done, agent })
}

fn way(ask: PipeWriter, answers: PipeReader) -> Way {
    Way { ask: Box::new(ask), answers: Box::new(answers), carrier: Box::new(Pipes) }
}

fn open(way: Way, silence: Duration) -> OtherHost {
    let own = Greeting::own().unwrap();
    let (link, there) = Link::open("node1", way, &own, PATIENCE, silence).unwrap();
    assert_eq!(there, own);
    OtherHost::new(link)
}

/// A row whose program is a package that uses another, both as files in the folder.
fn row(folder: &Path) -> (Row, Built) {
    let file = |name: &str| -> PathBuf {
        let path = folder.join(name);
        fs::write(&path, format!("the program {name}")).unwrap();
        path
    };
    let row = Row {
        program: Program::Package("front".to_owned()),
        uses: vec!["back".to_owned()],
        args: vec!["--behind".to_owned(), "{back}".to_owned()],
        is_given: false,
        ..Row::given("row".to_owned(), vec!["x".to_owned()])
    };
    let binaries: HashMap<_, _> = ["front", "back"].map(|name| (name.to_owned(), file(name))).into();
    let built = Built::of(&row, folder, &binaries, Profile::Release).unwrap();
    (row, built)
}

#[test]
fn a_server_on_another_host_is_what_it_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let (row, built) = row(folder.path());
    let (way, There { done, agent }) = agent(PATIENCE, "Last login: yesterday\n");
    let host = open(way, PATIENCE);
    let cpus: CpuSet = "0-1".parse().unwrap();
    let mut server = host.start(&row, &built, &cpus, &[]).unwrap();
    assert_eq!(server.address(), SocketAddr::from(([192, 0, 2, 1], 8080)));
    assert_eq!((server.server(), server.workers(), server.guard_pid()), (Some("row"), Some(2), 77));
    assert_eq!(server.memory_kib().unwrap_err().to_string(), "the kernel does not tell");
    assert_eq!(
        server.thaw().unwrap_err().to_string(),
        "the server's tree: nobody listens any more where port 8080 was served"
    );
    server.load_begins().unwrap();
    let generator = CpuSet::allowed().unwrap();
    let plan = CpuPlan { placement: Placement::Split, server: cpus, generator };
    let accounts = server.load_ended(&plan, &[ThreadOutcome::default()]).unwrap();
    let there = sound().accounts;
    assert_eq!((&accounts.row, &accounts.shares, &accounts.cpus), (&there.row, &there.shares, &there.cpus));
    // What is the generator's was read here.
    assert_eq!(accounts.generator.threads, 1);
    server.freeze().unwrap();
    let stopped = server.stop().unwrap();
    assert_eq!(stopped, Stopped { usage: None, unclean: Some("it whined".to_owned()) });
    assert!(host.lost().is_none());
    drop(host);
    agent.join().unwrap().unwrap();
    let all = done.all();
    let back = all[0].split('"').rev().nth(1).unwrap().to_owned();
    assert!(all[0].starts_with("start row on 0-1: the program front [\"--behind\", "), "{}", all[0]);
    assert!(back.ends_with("/back") && !back.starts_with(folder.path().to_str().unwrap()), "{back}");
    assert!(!Path::new(&back).exists(), "programs go with the agent");
    assert_eq!(all[1..], ["load begins", "load ended on 0-1, 0 threads here", "freeze", "stop", "gone: row"]);
}

#[test]
fn a_host_says_what_it_is_and_how_far_away() {
    let (way, There { agent, .. }) = agent(PATIENCE, "");
    let Reached { host, record, start } = introduced(open(way, PATIENCE), "node1").unwrap();
    let own = HostRecord::capture().unwrap();
    assert_eq!((&record.host.name, &record.host.cpu.allowed), (&own.name, &own.cpu.allowed));
    assert_eq!((record.asked.as_str(), record.address.as_str()), ("node1", "127.0.0.1"));
    assert!(record.round_trip.least_ns > 0);
    assert_eq!(record.interface, record.generator_interface);
    assert_eq!(start, StartRecord::of(&[], &start_environment::own()));
    drop(host);
    agent.join().unwrap().unwrap();
}

#[test]
fn one_that_does_not_start_says_why_and_another_starts_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (row, built) = row(folder.path());
    let (way, There { done, agent }) = agent(PATIENCE, "");
    let host = open(way, PATIENCE);
    let broken = Row { name: "broken".to_owned(), ..row.clone() };
    let error = host.start(&broken, &built, &CpuSet::default(), &[]).unwrap_err().to_string();
    assert_eq!(error, InstanceError::Debug.to_string());
    drop(host.start(&row, &built, &CpuSet::default(), &[]).unwrap());
    // It is asked for at once, and not at the end of all.
    assert_eq!(done.all().last().unwrap(), "gone: row");
    drop(host);
    agent.join().unwrap().unwrap();
}

#[test]
fn a_command_is_copied_where_it_is_a_file_and_keeps_its_arguments() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine");
    fs::write(&path, "mine").unwrap();
    let (way, There { done, agent }) = agent(PATIENCE, "");
    let host = open(way, PATIENCE);
    let command = [path.to_str().unwrap(), "--port", "{port}"].map(str::to_owned).to_vec();
    let row = Row::given("mine".to_owned(), command);
    assert!(can_be_copied(&row));
    let built = Built {
        program: path,
        leading_args: vec!["--port".to_owned(), "{port}".to_owned()],
        args: Vec::new(),
        folder: None,
        uses: BTreeMap::new(),
        profile: Profile::Release,
    };
    drop(host.start(&row, &built, &CpuSet::default(), &[]).unwrap());
    assert_eq!(done.all()[0], r#"start mine on : mine ["--port", "{port}"]"#);
    assert!(!can_be_copied(&Row::given("node".to_owned(), vec!["node".to_owned(), "./app.js".to_owned()])));
    drop(host);
    agent.join().unwrap().unwrap();
}

#[test]
fn what_runs_there_ends_with_the_link() {
    let folder = tempfile::tempdir().unwrap();
    let (row, built) = row(folder.path());
    let (Way { ask, answers, carrier }, There { done, agent }) = agent(PATIENCE, "");
    let (cut, cuts) = mpsc::channel();
    let ask = Cut { ask: Some(ask), cuts };
    let host = open(Way { ask: Box::new(ask), answers, carrier }, PATIENCE);
    let mut server = host.start(&row, &built, &CpuSet::default(), &[]).unwrap();
    cut.send(()).unwrap();
    let error = server.freeze().unwrap_err().to_string();
    assert_eq!(error, "the link to node1 was lost: greeted: true; what runs there ends by itself");
    agent.join().unwrap().unwrap();
    assert_eq!(done.all().last().unwrap(), "gone: row");
    // And so it stays.
    assert_eq!(host.lost(), Some(error.clone()));
    let again = host.start(&row, &built, &CpuSet::default(), &[]).unwrap_err().to_string();
    assert_eq!(again, error);
}

/// Closes what it writes to once it is told to, and fails from then on.
struct Cut {
    ask: Option<Box<dyn Write + Send>>,
    cuts: mpsc::Receiver<()>,
}

impl Write for Cut {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.cuts.try_recv().is_ok() {
            self.ask = None;
        }
        self.ask.as_mut().ok_or(io::ErrorKind::BrokenPipe)?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.ask.as_mut().map_or(Ok(()), |ask| ask.flush())
    }
}

#[test]
fn an_agent_that_hears_nothing_gives_up_whatever_runs_there() {
    let folder = tempfile::tempdir().unwrap();
    let (row, built) = row(folder.path());
    let (way, There { done, agent }) = agent(Duration::from_secs(1), "");
    // This side gives no sign of life in that time.
    let host = open(way, 100 * PATIENCE);
    let server = host.start(&row, &built, &CpuSet::default(), &[]).unwrap();
    agent.join().unwrap().unwrap();
    assert_eq!(done.all().last().unwrap(), "gone: row");
    drop((server, host));
}

#[test]
fn signs_of_life_are_given_as_long_as_the_link_is_there() {
    let ((asked, ask), (answers, mut said)) = (pipe().unwrap(), pipe().unwrap());
    let own = Greeting::own().unwrap();
    say(&mut said, &own).unwrap();
    let (link, _) = Link::open("node1", way(ask, answers), &own, PATIENCE, Duration::from_millis(4)).unwrap();
    let mut lines = BufReader::new(asked).lines();
    for _ in 0..3 {
        assert_eq!(lines.next().unwrap().unwrap(), "");
    }
    drop(link);
    // Its end is the pipe's.
    assert!(lines.all(|line| line.unwrap().is_empty()));
}

#[test]
fn whoever_is_no_agent_is_not_waited_for() {
    let ((_asked, ask), (answers, mut said)) = (pipe().unwrap(), pipe().unwrap());
    said.write_all(b"harness: command not found\n").unwrap();
    drop(said);
    let own = Greeting::own().unwrap();
    let refused = Link::open("node1", way(ask, answers), &own, PATIENCE, PATIENCE).unwrap_err();
    assert_eq!(refused, LinkError::Lost { host: "node1".to_owned(), said: "greeted: false".to_owned() });

    // It is there, and says nothing.
    let ((_asked, ask), (answers, _said)) = (pipe().unwrap(), pipe().unwrap());
    let within = Duration::from_millis(20);
    let refused = Link::open("node1", way(ask, answers), &own, within, PATIENCE).unwrap_err();
    assert_eq!(refused, LinkError::Silent { host: "node1".to_owned(), within });
}
