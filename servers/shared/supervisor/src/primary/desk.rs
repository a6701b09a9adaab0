//! What a primary has for whoever asks, commands or reads: the control socket, the log, the service manager, and what it watches.
//!
//! Each is a convenience. None of them, however it fails, ends or holds up what the primary is for.

use std::{
    collections::HashMap,
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use host::usage::Usage;
use kit::start::Error;

use crate::{
    control::{
        protocol::Reply,
        server::{ClientId, Control},
    },
    logs::Logs,
    machine::{Place, words::Level},
    rules::Rules,
    systemd::Notify,
    watch::Watch,
};

/// See the module's documentation.
pub(super) struct Desk {
    pub(super) control: Option<Control>,
    pub(super) logs: Logs,
    pub(super) watch: Option<Watch>,
    pub(super) notify: Notify,
    pub(super) rules: Rules,
    pub(super) address: SocketAddr,
    pub(super) began: Instant,
    /// Clients that wait for the end of a reload.
    pub(super) reloading: Vec<ClientId>,
    /// Those that wait until there are so many workers.
    pub(super) scaling: Vec<(ClientId, usize)>,
    /// How many places have failed, as the service manager knows it.
    failed: usize,
    /// What each process had used when it was last looked at.
    pub(super) used: HashMap<u32, (Instant, Duration)>,
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

    pub(super) fn answer(&mut self, client: ClientId, reply: &Reply) {
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
    pub(super) fn cpu_percent(&mut self, pid: u32, usage: &Usage) -> f64 {
        let now = Instant::now();
        let (since, before) = match self.used.get(&pid) {
            Some(&(at, cpu)) if cpu <= usage.cpu => (now - at, cpu),
            _ => (usage.age, Duration::ZERO),
        };
        self.used.insert(pid, (now, usage.cpu));
        100.0 * (usage.cpu - before).as_secs_f64() / since.as_secs_f64().max(0.01)
    }
}
