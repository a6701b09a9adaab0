//! What a primary does: each of the machine's actions, by the system calls that it takes.

use std::{io, os::fd::OwnedFd, time::Instant};

use host::usage::Usage;
use kit::{cluster::Member, start::Error};
use rustix::process::Signal;

use super::{shown::state, state::Primary};
use crate::{
    channel::{Order, Word},
    machine::words::{Action, Command, Event, Level, Life, Outcome},
    offers::Handed,
    process::{Process, Start},
};

impl<Hand, AllReady> Primary<Hand, AllReady>
where
    Hand: FnMut(usize) -> Handed,
    AllReady: FnOnce() -> Result<(), Error>,
{
    pub(super) fn act(&mut self, action: Action) {
        // The first thing that a stop does, before anybody hears of it.
        if self.machine.is_stopping() && self.hand.take().is_some() {
            self.give_out_the_rest();
            self.desk.notify.stopping("draining");
        }
        match action {
            Action::Start { life, place, side, renewed } => {
                if let Err(error) = self.start(life, place, side, renewed) {
                    self.events.push_back(Event::NotStarted(life, error.to_string()));
                }
            }
            Action::Drain { life, handed_over } => self.drain(life, handed_over),
            Action::Kill(life) => {
                self.giving.leaves(life);
                self.signal(life, Signal::KILL);
            }
            Action::Ping(life) => drop(self.tell(life, &Order::Ping)),
            Action::Serve(life, place) => self.lend(life, place),
            Action::Release(life, place) => drop(self.tell(life, &Order::Release { place })),
            Action::Crashed(place) => self.cluster.add_restart(place),
            Action::Say(level, text) => self.desk.say(level, &text),
            Action::AllReady => self.all_ready(),
            Action::Reloading => self.desk.notify.reloading("reloading"),
            Action::Reloaded(outcome) => self.reloaded(&outcome),
            Action::End(outcome) => self.end_as(ended(outcome)),
        }
    }

    /// The first reason counts.
    fn end_as(&mut self, outcome: Result<(), Error>) {
        let before = self.failure.take();
        self.outcome = Some(before.map_or(outcome, Err));
    }

    fn all_ready(&mut self) {
        // Before anybody hears that there is something to command.
        self.desk.open(self.name);
        if let Some(Err(error)) = self.all_ready.take().map(|all_ready| all_ready()) {
            self.failure = Some(error);
            return self.events.push_back(Event::Command(Command::Stop { graceful: true }));
        }
        self.desk.notify.ready("serving");
    }

    fn reloaded(&mut self, outcome: &Result<(), String>) {
        match outcome {
            Ok(()) => self.desk.say(Level::Info, "reloaded"),
            Err(why) => self.desk.say(Level::Error, &format!("the reload was {why}")),
        }
        self.desk.reloaded(outcome);
        if !self.machine.is_stopping() {
            self.desk.notify.ready(if outcome.is_ok() {
                "serving"
            } else {
                "serving; the last reload failed"
            });
        }
    }

    fn start(&mut self, life: Life, place: usize, side: usize, renewed: bool) -> io::Result<()> {
        let image = match self.images.get(place).cloned().flatten() {
            _ if renewed => self.program.on_disk()?,
            Some(image) => image,
            None => self.program.running(),
        };
        let places = self.places();
        self.cluster.set_places(places)?;
        let memory = self.memory.as_ref().map(OwnedFd::try_clone).transpose()?;
        let begin = Order::Begin { side, places, handed: self.handed(place)?, memory };
        let process = Process::start(Start { name: self.name, place, image, begin })?;
        let member = Member { place, side };
        self.giving.begins(life, member, self.cluster.connections(member));
        self.cluster.occupy(member, process.pid());
        self.processes.insert(life, process);
        Ok(())
    }

    fn handed(&mut self, place: usize) -> Handed {
        match &mut self.hand {
            Some(hand) => hand(place),
            None => Err(io::Error::other("the server is stopping")),
        }
    }

    /// By a word where others accept in its place, so that it takes nothing more; by a signal where it is to take what is queued. By both
    /// where it is given what it serves: the word comes behind the last of that.
    fn drain(&mut self, life: Life, handed_over: bool) {
        let gives = self.giving.leaves(life);
        let told = (handed_over || gives) && self.tell_to_drain(life, handed_over);
        if !handed_over || !told {
            self.signal(life, Signal::TERM);
        }
    }

    /// Whether it could be told: its channel may be full. One that leaves by a signal asks for the word again.
    fn tell_to_drain(&mut self, life: Life, handed_over: bool) -> bool {
        let told = self.tell(life, &Order::Drain { handed_over }).is_ok();
        if told {
            self.giving.is_told(life);
        }
        told
    }

    fn lend(&mut self, life: Life, place: usize) {
        let lent = self.handed(place).and_then(|handed| match handed {
            Some(handed) => self.tell(life, &Order::Serve { place, handed }),
            None => Ok(()),
        });
        if let (Err(error), Some(process)) = (lent, self.processes.get(&life)) {
            let text = format!("worker p{} cannot serve p{place} meanwhile: {error}", process.place);
            self.desk.say(Level::Warn, &text);
        }
    }

    pub(super) fn tell(&self, life: Life, order: &Order) -> io::Result<()> {
        self.processes.get(&life).map_or(Ok(()), |process| process.tell(order))
    }

    fn signal(&self, life: Life, signal: Signal) {
        if let Some(process) = self.processes.get(&life) {
            process.signal(signal);
        }
    }

    /// Takes in what a worker says.
    pub(super) fn listen(&mut self, life: Life) {
        let Some(process) = self.processes.get_mut(&life) else { return };
        let (words, place) = (process.listen(), process.place);
        for word in words {
            match word {
                Word::Ready => {
                    let image = self.processes.get(&life).map(|process| process.image.clone());
                    if self.images.len() <= place {
                        self.images.resize(place + 1, None);
                    }
                    self.images[place] = image;
                    self.upkeep.begins(life, &self.cluster.place(place));
                    self.events.push_back(Event::Ready(life));
                }
                Word::Asks => self.giving.asks(life),
                Word::Leaves => {
                    // Where it was told to drain already, that is on its way.
                    if self.giving.leaves(life) && !self.tell_to_drain(life, true) {
                        let text = format!("worker p{place} leaves and cannot be told that it may");
                        self.desk.say(Level::Warn, &text);
                    }
                }
                Word::Pong => self.events.push_back(Event::Pong(life)),
                Word::Error(_) | Word::Noise => {}
            }
        }
    }

    /// Passes on what a worker's log has.
    pub(super) fn read_log(&mut self, life: Life) {
        let Some(process) = self.processes.get_mut(&life) else { return };
        let lines = self.desk.logs.take(process.place, &mut process.log, Instant::now());
        self.desk.pass_on(&lines);
    }

    /// Takes in the end of a worker.
    pub(super) fn bury(&mut self, life: Life) {
        if let Some(process) = self.processes.remove(&life) {
            let member = Member { place: process.place, side: process.side };
            let (end, log) = process.end();
            let lines = self.desk.logs.finish(member.place, log, Instant::now());
            self.desk.pass_on(&lines);
            self.count_lost(life);
            self.cluster.vacate(member);
            self.upkeep.ends(life);
            self.events.push_back(Event::Ended(life, end));
        }
    }

    /// Lets the workers know how all places are, who tell whoever asks them.
    pub(super) fn tell_states(&mut self) {
        let places = self.places();
        // More are told of when the first of them is started, which may fail.
        if places < self.cluster.places() && self.cluster.set_places(places).is_err() {
            tracing::debug!("the number of places is not told");
        }
        for (index, place) in self.machine.places().iter().enumerate() {
            self.cluster.set_state(index, state(place));
        }
        let failed = self.machine.places().iter().filter(|place| place.has_failed()).count();
        self.desk.failed(failed, places);
    }

    /// Has the first worker replaced that has grown too old or too large.
    pub(super) fn renew_the_old(&mut self) {
        let now = Instant::now();
        if !self.upkeep.is_due(now) || self.machine.is_renewing() {
            return;
        }
        let too_much = self.machine.places().iter().enumerate().find_map(|(index, place)| {
            let life = place.ready()?.life;
            let process = self.processes.get(&life)?;
            let rss = || Usage::of_process(process.pid()).map(|usage| usage.rss_bytes);
            Some((index, self.upkeep.too_much(life, &self.cluster.place(index), rss)?))
        });
        if let Some((index, why)) = too_much {
            self.events.push_back(Event::Command(Command::Renew(index, why)));
        }
    }
}

/// How it ended, for the exit code.
fn ended(outcome: Outcome) -> Result<(), Error> {
    match outcome {
        Outcome::Stopped { failed } if failed.is_empty() => Ok(()),
        Outcome::Stopped { failed } => {
            Err(Error::Degraded(format!("drained, but places had failed: {}", failed.join("; "))))
        }
        Outcome::NotStarted(why) => Err(Error::Failed(why)),
        Outcome::AllFailed(reasons) => {
            Err(Error::Failed(format!("all places have failed: {}", reasons.join("; "))))
        }
    }
}
