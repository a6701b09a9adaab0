//! A site with a server that serves, or why there is none.

use std::{
    env,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Stdio},
    sync::mpsc::channel,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use machines::{HOSTS, Machine, Process, Site, Wanted, missing, until};

/// What asks for hosts to be made: the recipe sets it.
const ASKED: &str = "TEST_MACHINES";
/// How often a case of chance is tried.
const REPEATS: &str = "MACHINES_REPEATS";

/// How long whatever ends may take to do so.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A site whose hosts have the harness and a server; `None`, and why, where hosts cannot be had or were not asked for.
pub(crate) fn site(more: &[&[Wanted]]) -> Option<Site> {
    let why = match env::var_os(ASKED) {
        Some(_) => missing(&[&[HOSTS][..], more].concat()),
        None => Some("run it by `just test-machines`".to_owned()),
    };
    if let Some(why) = why {
        eprintln!("skipped: {why}");
        return None;
    }
    Some(Site::new().unwrap_or_else(|error| panic!("{error:#}")))
}

/// The same, with programs on every host.
pub(crate) fn installed(more: &[&[Wanted]]) -> Option<Site> {
    let site = site(more)?;
    site.install(&["harness", "work-stealing"]).unwrap_or_else(|error| panic!("{error:#}"));
    Some(site)
}

/// A file of this repository.
pub(crate) fn file(path: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).canonicalize().unwrap().join(path)
}

/// A server on a host, on port 8080.
pub(crate) struct Server<'a> {
    machine: &'a Machine,
    child: Child,
}

impl<'a> Server<'a> {
    pub(crate) fn on(machine: &'a Machine) -> Self {
        let mut command = machine.command("work-stealing");
        command.args(["--listen", "0.0.0.0:8080"]);
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let out = child.stdout.take().unwrap();
        let (sender, receiver) = channel();
        thread::spawn(move || sender.send(BufReader::new(out).lines().next()));
        let line =
            receiver.recv_timeout(PATIENCE).expect("a ready line, or an end").expect("a line").unwrap();
        assert!(line.contains(":8080\""), "{line}");
        Self { machine, child }
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        self.machine.kill("work-stealing");
        let _reaped = self.child.wait();
    }
}

/// What ran on all hosts at one time, to be compared with what runs later.
pub(crate) struct Before<'a> {
    site: &'a Site,
    pids: Vec<u32>,
}

impl<'a> Before<'a> {
    pub(crate) fn of(site: &'a Site) -> Self {
        Self { site, pids: running(site).into_iter().map(|(_, process)| process.pid).collect() }
    }

    /// Waits until nothing runs that did not run then; `said` is what is printed where something is left.
    pub(crate) fn nothing_more(&self, said: &str) {
        let more = || -> Vec<(&str, Process)> {
            running(self.site).into_iter().filter(|(_, process)| !self.pids.contains(&process.pid)).collect()
        };
        let gone = until(PATIENCE, || more().is_empty().then_some(()));
        assert!(gone.is_some(), "left: {:?}\n{said}", more());
    }
}

/// What runs, with the name of its host.
fn running(site: &Site) -> Vec<(&str, Process)> {
    let of = |machine: &'_ Machine| machine.processes();
    site.all()
        .into_iter()
        .flat_map(|machine| of(machine).into_iter().map(|process| (machine.name(), process)))
        .collect()
}

/// How often a case of chance is tried: five times, or as often as was asked for.
pub(crate) fn repeats() -> u32 {
    let asked = env::var(REPEATS).ok();
    asked.map_or(5, |text| {
        text.parse().unwrap_or_else(|_| panic!("{REPEATS} is `{text}`, which is no number"))
    })
}

/// Chance that is another in every run, and whose seed is printed.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new() -> Self {
        let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
        eprintln!("chance of seed {seed}");
        Self(seed)
    }

    /// An instant within this time, evenly (splitmix64).
    pub(crate) fn within(&mut self, time: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        time.mul_f64((mixed ^ (mixed >> 31)) as f64 / u64::MAX as f64)
    }
}
