//! PM2, as the exercise uses it: its daemon, and `pm2 start -i max`.
//!
//! The daemon is the one that the `pm2` command starts where there is none (the same file and environment), but as
//! a child of this process rather than of nobody, so that it cannot outlive it. `max` is the number of the machine's
//! processors for PM2, whatever the CPU mask.
//!
//! SIGHUP has PM2 reload the application: `pm2 reload`, one at a time. However often the signal comes meanwhile, one more follows.

use std::{
    collections::HashSet,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use host::{processes, program::find_program};
use kit::{
    args::Config,
    shutdown::Shutdown,
    start::{self, Error},
};
use rustix::process::Signal;
use serde_json::Value;
use signal_hook::{consts::SIGHUP, iterator::Signals};

use crate::{
    answering::{START_WITHIN, ask, retry},
    failure::Failure,
    parts::{self, Part},
    port,
    run_folder::RunFolder,
    tied::{LastSignal, SELF, tied, tied_arguments},
};

/// The `origin` of the answers.
const SERVER: &str = "pm2";
/// What `pm2 list` calls the application.
const NAME: &str = "original";
/// How long PM2 may take to replace its instances, one after the other: each waits for its successor, 3 s at most.
const RELOAD_WITHIN: Duration = Duration::from_secs(120);
/// How often a stop is looked for while a command runs.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How many of a log's last lines are looked at for the reason why nothing answers.
const LOG_LINES: usize = 20;
/// How Node says that somebody else has the port.
const PORT_TAKEN: &str = "EADDRINUSE";

/// Has PM2 start `app`, a file of JavaScript beside whose folder's `node_modules` PM2 is, says when all its instances
/// answer, and ends all of it when `stopping` is raised.
///
/// # Errors
/// Something did not start, or the daemon ended before the stop.
pub fn run(config: &Config, app: &Path, stopping: &Shutdown) -> Result<(), Error> {
    parts::adopt_orphans()?;
    let installed = Installed::find(app)?;
    let served = serve(config, &installed, stopping);
    parts::end_the_rest();
    served
}

fn serve(config: &Config, installed: &Installed, stopping: &Shutdown) -> Result<(), Error> {
    // Before anything is there to reload: the signal would end this process.
    let reloads = Signals::new([SIGHUP]).map_err(Error::system("handle the reload signal"))?;
    let (address, mut running) =
        port::with_address(config.listen, |listen| Ok((listen, Running::start(installed, listen, config)?)))?;
    start::announce(SERVER, &Config { workers: running.instances, ..config.clone() }, address);
    let Running { home, daemon, .. } = &mut running;
    let commands = Commands { installed, home: home.path() };
    let handle = reloads.handle();
    thread::scope(|scope| {
        scope.spawn(|| reload_at(reloads, commands, stopping));
        let watched = parts::watch(&mut [daemon], stopping);
        // Where the daemon has ended, nobody raises the stop.
        handle.close();
        watched
    })?;
    running.stop(Instant::now() + config.limits.drain_timeout);
    Ok(())
}

/// Reloads at each signal, until there are no more. What comes while one is under way is one signal.
fn reload_at(mut signals: Signals, commands: Commands<'_>, stopping: &Shutdown) {
    for _ in signals.forever() {
        match commands.run("reload", &["reload", NAME], RELOAD_WITHIN, || stopping.is_raised()) {
            Ok(_) => tracing::info!("PM2 has reloaded its instances"),
            Err(_) if stopping.is_raised() => return,
            Err(failure) => tracing::warn!("{failure}"),
        }
    }
}

/// The programs.
struct Installed {
    node: PathBuf,
    pm2: PathBuf,
    app: PathBuf,
}

impl Installed {
    fn find(app: &Path) -> Result<Self, Error> {
        let missing = |what: &str, how: &str| Error::Failed(format!("{what} is not here: {how}"));
        let node = find_program(Path::new("node")).ok_or_else(|| {
            missing("node", "install Node.js 20 or later (https://nodejs.org) and start again")
        })?;
        let app =
            app.canonicalize().map_err(|_| missing(&app.display().to_string(), "give --app another file"))?;
        let pm2 = app.with_file_name("node_modules").join("pm2");
        if !pm2.is_dir() {
            return Err(missing(&pm2.display().to_string(), "install it with `just setup-reference`"));
        }
        Ok(Self { node, pm2, app })
    }
}

/// The daemon with its instances.
struct Running<'a> {
    installed: &'a Installed,
    /// `PM2_HOME`: the daemon's sockets, logs and process list. Removed with this value.
    home: RunFolder,
    daemon: Part,
    instances: usize,
}

impl<'a> Running<'a> {
    fn start(installed: &'a Installed, listen: SocketAddr, config: &Config) -> Result<Self, Failure> {
        let home = RunFolder::create()?;
        // Without it PM2 takes this for its first start on the machine, says so to its makers, and greets.
        fs::write(home.path().join("touch"), "").map_err(Error::system("write into PM2's home"))?;
        let launch = tied(&installed.node, LastSignal::Kill).args([installed.pm2.join("lib/Daemon.js")]);
        let launch = environment(home.path())
            .into_iter()
            .fold(launch, |launch, (name, value)| launch.env(name, value));
        let mut running =
            Self { installed, daemon: Part::start("the PM2 daemon", launch)?, home, instances: 0 };
        let started = running.start_instances(listen, config);
        started.map_err(|failure| running.explain(failure))?;
        Ok(running)
    }

    fn start_instances(&mut self, listen: SocketAddr, config: &Config) -> Result<(), Failure> {
        let socket = self.home.path().join("rpc.sock");
        retry(START_WITHIN, "the PM2 daemon did not listen", || {
            self.daemon.check_alive()?;
            Ok(socket.exists().then_some(()))
        })?;
        let app = self.installed.app.display().to_string();
        let (address, cpus) = (listen.to_string(), config.cpus.to_string());
        let own = ["--listen", &address, "--cpus", &cpus];
        self.pm2(&[&["start", &app, "--name", NAME, "-i", "max", "--"][..], &own].concat(), START_WITHIN)?;

        let list = self.pm2(&["jlist"], START_WITHIN)?;
        let mut silent = pids(&list)?;
        self.instances = silent.len();
        retry(START_WITHIN, &format!("not all {} instances answered at {listen}", self.instances), || {
            self.daemon.check_alive()?;
            // Whoever has the port may take connections and never answer: what the instances say is known sooner.
            if self.last_words().iter().any(|line| line.contains(PORT_TAKEN)) {
                return Err(Failure::of(format!("an instance could not listen at {listen}")));
            }
            // Connections are handed round, so that every instance has its turn.
            let info = ask(listen, "/info").ok().and_then(|body| serde_json::from_str::<Value>(&body).ok());
            if let Some(pid) = info.and_then(|info| info["pid"].as_u64()) {
                silent.remove(&pid);
            }
            Ok(silent.is_empty().then_some(()))
        })
    }

    /// Runs a `pm2` command to its end: what it printed on stdout.
    fn pm2(&self, arguments: &[&str], within: Duration) -> Result<String, Failure> {
        let commands = Commands { installed: self.installed, home: self.home.path() };
        commands.run("command", arguments, within, || false)
    }

    /// What the instances said last on stderr, the newest line first.
    fn last_words(&self) -> Vec<String> {
        let log = fs::read(self.home.path().join(format!("logs/{NAME}-error.log"))).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let last = log.lines().rev().take(LOG_LINES).filter(|line| !line.trim().is_empty());
        last.map(str::to_owned).collect()
    }

    /// Adds to `failure` what the instances said last, and whether another port may help.
    fn explain(&self, failure: Failure) -> Failure {
        let last = self.last_words();
        match last.first() {
            None => failure,
            Some(line) if last.iter().any(|line| line.contains(PORT_TAKEN)) => {
                Failure::PortLost(format!("{failure}: {line}"))
            }
            Some(line) => Failure::of(format!("{failure}: {line}")),
        }
    }

    fn stop(self, deadline: Instant) {
        // It has each instance stop, then the daemon.
        if let Err(failure) = self.pm2(&["kill"], deadline.saturating_duration_since(Instant::now())) {
            tracing::warn!("{failure}");
        }
        self.daemon.stop(Signal::TERM, deadline);
    }
}

/// How `pm2` commands reach the daemon.
#[derive(Clone, Copy)]
struct Commands<'a> {
    installed: &'a Installed,
    /// The daemon's folder.
    home: &'a Path,
}

impl Commands<'_> {
    /// Runs a command to its end: what it printed on stdout. One that is `given_up`, or has not ended `within` so long, is killed. Files
    /// called `name` take what it prints, so that those of two that run at once differ.
    fn run(
        &self,
        name: &str,
        arguments: &[&str],
        within: Duration,
        given_up: impl Fn() -> bool,
    ) -> Result<String, Failure> {
        let shown = format!("pm2 {}", arguments.first().unwrap_or(&""));
        let output = self.home.join(name).with_extension("out");
        let errors = self.home.join(name).with_extension("err");
        let open = |path: &Path| fs::File::create(path).map_err(Error::system("write into PM2's home"));
        #[expect(clippy::disallowed_methods, reason = "it is tied")]
        let mut command = Command::new(SELF);
        command
            .args(tied_arguments(&self.installed.node, LastSignal::Kill))
            .arg(self.installed.pm2.join("bin/pm2"))
            .args(arguments)
            .envs(environment(self.home))
            .stdin(Stdio::null())
            .stdout(open(&output)?)
            .stderr(open(&errors)?);
        let mut child = command.spawn().map_err(|error| Failure::of(format!("{shown}: {error}")))?;
        let deadline = Instant::now() + within;
        let ended = loop {
            let now = Instant::now();
            let ended = processes::wait_until(&mut child, deadline.min(now + LOOK_EVERY));
            if !matches!(ended, Ok(None)) || now >= deadline || given_up() {
                break ended;
            }
        };
        let read = |path| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
        match ended {
            Ok(Some(status)) if status.success() => Ok(read(output)),
            Ok(Some(status)) => {
                Err(Failure::of(format!("{shown} failed ({status}): {}", read(errors).trim())))
            }
            Ok(None) => {
                processes::send(child.id(), Signal::KILL);
                // Killed, so that this does not wait.
                let _ended = child.wait();
                Err(Failure::of(format!("{shown} did not end within {within:?}")))
            }
            Err(error) => Err(Failure::of(format!("{shown}: {error}"))),
        }
    }
}

/// What keeps PM2 to its own folder and off the net.
fn environment(home: &Path) -> [(&'static str, &Path); 5] {
    let yes = Path::new("true");
    [
        ("PM2_HOME", home),
        ("HOME", home),
        ("PM2_NO_INTERACTION", yes),
        ("PM2_DISABLE_VERSION_CHECK", yes),
        ("PM2_DISCRETE_MODE", yes),
    ]
}

/// The processes that `pm2 jlist` lists: an array on the last line.
fn pids(list: &str) -> Result<HashSet<u64>, Failure> {
    let listed = list.lines().rev().find_map(|line| serde_json::from_str::<Vec<Value>>(line).ok());
    let pids: Option<HashSet<u64>> =
        listed.and_then(|all| all.iter().map(|one| one["pid"].as_u64()).collect());
    match pids {
        Some(pids) if !pids.is_empty() && !pids.contains(&0) => Ok(pids),
        _ => Err(Failure::of("pm2 jlist names no running instances")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_are_found_in_the_list_whatever_is_printed_before_it() {
        let list = "[PM2] a notice\n[{\"pid\":7,\"name\":\"original\"},{\"pid\":9}]\n";
        assert_eq!(pids(list).unwrap(), HashSet::from([7, 9]));
    }

    #[test]
    fn a_list_without_running_instances_is_refused() {
        for list in
            ["", "[]", "[{\"pid\":0}]", "[{\"name\":\"original\"}]", "{\"pid\":7}", "[{\"pid\":7},{}]"]
        {
            assert!(pids(list).is_err(), "{list}");
        }
    }
}
