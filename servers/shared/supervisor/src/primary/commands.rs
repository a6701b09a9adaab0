//! What clients ask for, and how it is done.

use host::usage::Usage;
use kit::{cluster::PlaceState, start::Error};

use super::{shown::state, state::Primary};
use crate::{
    control::{
        protocol::{self, Health, PlaceStatus, Reply, Status},
        server::Asked,
    },
    machine::words::{Command, Event, Level},
    offers::Handed,
    rules::Mode,
};

impl<Hand, AllReady> Primary<Hand, AllReady>
where
    Hand: FnMut(usize) -> Handed,
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
