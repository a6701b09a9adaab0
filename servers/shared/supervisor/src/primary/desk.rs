//! What a primary has for whoever asks, commands or reads: the control socket, the log, the service manager, and what it watches.
//!
//! Each is a convenience. None of them, however it fails, ends or holds up what the primary is for.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    os::fd::OwnedFd,
    path::Path,
    time::{Duration, Instant},
};

use host::usage::Usage;
use kit::{cluster::PlaceState, start::Error};

use super::{Primary, act::state};
use crate::{
    control::{
        protocol::{self, Health, PlaceStatus, Reply, Status},
        server::{Asked, ClientId, Control},
    },
    logs::Logs,
    machine::{
        Place,
        words::{Command, Event, Level},
    },
    rules::{Mode, Rules},
    systemd::Notify,
    watch::Watch,
};

/// See the module's documentation.
pub(super) struct Desk {
    pub(super) control: Option<Control>,
    pub(super) logs: Logs,
    pub(super) watch: Option<Watch>,
    pub(super) notify: Notify,
    rules: Rules,
    address: SocketAddr,
    began: Instant,
    /// Clients that wait for the end of a reload.
    reloading: Vec<ClientId>,
    /// Those that wait until there are so many workers.
    scaling: Vec<(ClientId, usize)>,
    /// How many places have failed, as the service manager knows it.
    failed: usize,
    /// What each process had used when it was last looked at.
    used: HashMap<u32, (Instant, Duration)>,
}

impl Desk {
    /// Opens what the rules ask for.
    ///
    /// # Errors
    /// What is to be watched cannot be.
    pub(super) fn new(rules: &Rules, address: SocketAddr) -> Result<Self, Error> {
        let now = Instant::now();
        let watch = rules.watch.as_deref().map(Watch::new).transpose();
        Ok(Self {
            control: None,
            logs: Logs::new(),
            watch: watch.map_err(|error| Error::Failed(format!("--watch: {error}")))?,
            notify: Notify::from_environment(now),
            rules: rules.clone(),
            address,
            began: now,
            reloading: Vec::new(),
            scaling: Vec::new(),
            failed: 0,
            used: HashMap::new(),
        })
    }

    /// Says something, to the log and to whoever follows it.
    pub(super) fn say(&mut self, level: Level, text: &str) {
        let (is_wanted, name) = match level {
            Level::Info => (tracing::enabled!(tracing::Level::INFO), "INFO"),
            Level::Warn => (tracing::enabled!(tracing::Level::WARN), "WARN"),
            Level::Error => (tracing::enabled!(tracing::Level::ERROR), "ERROR"),
        };
        if is_wanted {
            let time = jiff::Timestamp::now();
            let lines = self.logs.note(&format!("{time:.6} {name:>5} {text}"), Instant::now());
            self.pass_on(&lines);
        }
    }

    /// Shows lines of the log to whoever follows it.
    pub(super) fn pass_on(&mut self, lines: &[String]) {
        if let Some(control) = &mut self.control {
            lines.iter().for_each(|line| control.say(line));
        }
    }

    /// Opens the control socket, once there is something to command.
    pub(super) fn open(&mut self, name: &str) {
        let path = match self.rules.control.as_deref() {
            Some(path) if path == Path::new("off") => return,
            Some(path) => Ok(path.to_owned()),
            None => Control::default_path(name, self.address.port()).ok_or_else(|| {
                "XDG_RUNTIME_DIR is not set; --control PATH makes one, --control off does without".to_owned()
            }),
        };
        match path.and_then(|path| Control::bind(&path).map_err(|error| error.to_string())) {
            Ok(control) => {
                let text = format!("commands are taken at {}", control.path().display());
                self.control = Some(control);
                self.say(Level::Info, &text);
            }
            Err(why) => self.say(Level::Warn, &format!("no control socket: {why}")),
        }
    }

    /// When [`Self::pass`] is due.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let control = self.control.as_ref().and_then(Control::next_deadline);
        let watch = self.watch.as_ref().and_then(Watch::next_deadline);
        [control, watch, self.logs.next_deadline(), self.notify.next_deadline()].into_iter().flatten().min()
    }

    /// Does what time asks for; whether what is watched has changed.
    pub(super) fn pass(&mut self, now: Instant) -> bool {
        let lines = self.logs.pass(now);
        self.pass_on(&lines);
        if let Some(control) = &mut self.control {
            control.pass(now);
        }
        self.notify.pass(now);
        self.watch.as_mut().is_some_and(|watch| watch.due(now))
    }

    fn answer(&mut self, client: ClientId, reply: &Reply) {
        if let Some(control) = &mut self.control {
            control.answer(client, reply);
        }
    }

    /// A reload is over: tells those who wait for that.
    pub(super) fn reloaded(&mut self, outcome: &Result<(), String>) {
        let reply = match outcome {
            Ok(()) => Reply::Done { message: "reloaded".to_owned() },
            Err(why) => Reply::Failed { message: format!("the reload was {why}") },
        };
        for client in std::mem::take(&mut self.reloading) {
            self.answer(client, &reply);
        }
    }

    /// Tells those who wait for a number of workers, if it is there, or will not be.
    pub(super) fn scaled(&mut self, places: &[Place]) {
        if self.scaling.is_empty() {
            return;
        }
        let wanted: Vec<_> = places.iter().filter(|place| place.wanted).collect();
        let settled = wanted.iter().all(|place| place.ready().is_some() || place.has_failed())
            && places.iter().all(|place| place.wanted || place.is_empty());
        for (client, count) in std::mem::take(&mut self.scaling) {
            let failed = wanted.iter().filter(|place| place.has_failed()).count();
            let reply = if wanted.len() != count {
                Reply::Failed { message: format!("another command made {} workers of them", wanted.len()) }
            } else if !settled {
                self.scaling.push((client, count));
                continue;
            } else if failed > 0 {
                Reply::Failed { message: format!("{failed} of {count} workers cannot be had: see the log") }
            } else {
                Reply::Done {
                    message: if count == 1 { "1 worker".to_owned() } else { format!("{count} workers") },
                }
            };
            self.answer(client, &reply);
        }
    }

    /// So many of the places have failed.
    pub(super) fn failed(&mut self, failed: usize, places: usize) {
        if std::mem::replace(&mut self.failed, failed) != failed {
            let status = match failed {
                0 => "serving".to_owned(),
                failed => format!("degraded: {failed} of {places} workers failed"),
            };
            self.notify.status(&status);
        }
    }

    /// Of one CPU, since it was last asked for, or since the process was started.
    fn cpu_percent(&mut self, pid: u32, usage: &Usage) -> f64 {
        let now = Instant::now();
        let (since, before) = match self.used.get(&pid) {
            Some(&(at, cpu)) if cpu <= usage.cpu => (now - at, cpu),
            _ => (usage.age, Duration::ZERO),
        };
        self.used.insert(pid, (now, usage.cpu));
        100.0 * (usage.cpu - before).as_secs_f64() / since.as_secs_f64().max(0.01)
    }
}

impl<Hand, AllReady> Primary<Hand, AllReady>
where
    Hand: FnMut(usize) -> io::Result<OwnedFd>,
    AllReady: FnOnce() -> Result<(), Error>,
{
    /// Does what a client asks for, or sees to it that it will be answered.
    pub(super) fn obey(&mut self, Asked { client, command }: Asked) {
        let reply = match command {
            protocol::Command::Status => Reply::Status(self.status()),
            protocol::Command::Stop { graceful } => {
                self.events.push_back(Event::Command(Command::Stop { graceful }));
                // The end of the socket is the answer.
                return;
            }
            protocol::Command::Reload if self.machine.is_reloading() || !self.desk.reloading.is_empty() => {
                Reply::Refused { message: "a reload is under way: wait for its end".to_owned() }
            }
            _ if self.machine.is_stopping() => {
                Reply::Refused { message: "the server is stopping".to_owned() }
            }
            protocol::Command::Reload => {
                self.desk.say(Level::Info, "a client asks to reload");
                self.desk.reloading.push(client);
                self.events.push_back(Event::Command(Command::Reload));
                return;
            }
            protocol::Command::Scale { to } => match to.of(self.places()) {
                Err(message) => Reply::Refused { message },
                Ok(count) => {
                    self.desk.say(Level::Info, &format!("a client asks for {count} workers"));
                    self.desk.scaling.push((client, count));
                    self.events.push_back(Event::Command(Command::Scale(count)));
                    return;
                }
            },
            protocol::Command::Logs { follow } => {
                let kept: Vec<String> = self.desk.logs.kept().map(str::to_owned).collect();
                for line in kept {
                    self.desk.answer(client, &Reply::Line { line });
                }
                if follow {
                    return;
                }
                Reply::Done { message: String::new() }
            }
        };
        self.desk.answer(client, &reply);
    }

    fn status(&mut self) -> Status {
        let health = if self.machine.is_stopping() {
            Health::Draining
        } else if self.machine.is_reloading() {
            Health::Reloading
        } else if self.machine.places().iter().all(|place| !place.wanted || place.ready().is_some()) {
            Health::Ok
        } else {
            Health::Degraded
        };
        let shown =
            self.machine.places().iter().enumerate().filter(|(_, place)| place.wanted || !place.is_empty());
        let shown: Vec<_> =
            shown.map(|(index, place)| (index, state(place), place.last_end.clone())).collect();
        let places = shown
            .into_iter()
            .map(|(index, state, last_exit)| self.place_status(index, state, last_exit))
            .collect();
        self.desk.used.retain(|pid, _| self.processes.values().any(|process| process.pid() == *pid));
        Status {
            server: self.name.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            address: self.desk.address,
            uptime_seconds: self.desk.began.elapsed().as_secs_f64(),
            mode: match self.desk.rules.mode {
                Mode::Fork => "fork",
                Mode::Cluster => "cluster",
            }
            .to_owned(),
            health,
            places,
        }
    }

    fn place_status(&mut self, index: usize, state: PlaceState, last_exit: Option<String>) -> PlaceStatus {
        let place = self.cluster.place(index);
        let mut status = PlaceStatus {
            place: index,
            state: state.name().replace('_', " "),
            restarts: place.restarts,
            connections: place.connections_open,
            requests: place.requests,
            last_exit,
            ..PlaceStatus::default()
        };
        for pid in place.processes() {
            status.pids.push(pid);
            if let Some(usage) = Usage::of_process(pid) {
                status.cpu_seconds += usage.cpu.as_secs_f64();
                status.cpu_percent += self.desk.cpu_percent(pid, &usage);
                status.rss_bytes += usage.rss_bytes;
                status.uptime_seconds = usage.age.as_secs_f64().max(status.uptime_seconds);
            }
        }
        status
    }
}
