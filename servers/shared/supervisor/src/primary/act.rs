//! What a primary does: each of the machine's actions, by the system calls that it takes.

use std::{io, os::fd::OwnedFd, time::Instant};

use kit::{
    cluster::{Member, PlaceState},
    start::Error,
};
use rustix::process::Signal;

use super::{Primary, ended};
use crate::{
    channel::{Order, Word},
    machine::{
        Place, Stage,
        words::{Action, Command, Event, Level, Life},
    },
    process::{Process, Start},
};

impl<Hand, AllReady> Primary<Hand, AllReady>
where
    Hand: FnMut(usize) -> io::Result<OwnedFd>,
    AllReady: FnOnce() -> Result<(), Error>,
{
    pub(super) fn act(&mut self, action: Action) {
        // The first thing that a stop does, before anybody hears of it.
        if self.machine.is_stopping() && self.hand.take().is_some() {
            self.desk.notify.stopping("draining");
        }
        match action {
            Action::Start { life, place, side, renewed } => {
                if let Err(error) = self.start(life, place, side, renewed) {
                    self.events.push_back(Event::NotStarted(life, error.to_string()));
                }
            }
            Action::Drain { life, handed_over } => self.drain(life, handed_over),
            Action::Kill(life) => self.signal(life, Signal::KILL),
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
        self.cluster.occupy(Member { place, side }, process.pid());
        self.processes.insert(life, process);
        Ok(())
    }

    /// How many places there are to be.
    pub(super) fn places(&self) -> usize {
        self.machine.places().iter().filter(|place| place.wanted).count()
    }

    fn handed(&mut self, place: usize) -> io::Result<OwnedFd> {
        match &mut self.hand {
            Some(hand) => hand(place),
            None => Err(io::Error::other("the server is stopping")),
        }
    }

    /// By a word where others accept in its place, so that it takes nothing more; by a signal where it is to take what is queued.
    fn drain(&mut self, life: Life, handed_over: bool) {
        if !handed_over || self.tell(life, &Order::Drain { handed_over }).is_err() {
            self.signal(life, Signal::TERM);
        }
    }

    fn lend(&mut self, life: Life, place: usize) {
        let lent = self.handed(place).and_then(|handed| self.tell(life, &Order::Serve { place, handed }));
        if let (Err(error), Some(process)) = (lent, self.processes.get(&life)) {
            let text = format!("worker p{} cannot serve p{place} meanwhile: {error}", process.place);
            self.desk.say(Level::Warn, &text);
        }
    }

    fn tell(&self, life: Life, order: &Order) -> io::Result<()> {
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
}

/// How a place is, in one word.
pub(super) fn state(place: &Place) -> PlaceState {
    let is = |wanted: fn(&Stage) -> bool| place.workers().any(|worker| wanted(&worker.stage));
    if is(|stage| matches!(stage, Stage::Ready { .. })) {
        PlaceState::Ready
    } else if is(|stage| matches!(stage, Stage::Starting { .. })) {
        PlaceState::Starting
    } else if place.has_failed() {
        PlaceState::Failed
    } else if place.due().is_some() || place.awaits_an_end() {
        PlaceState::BackingOff
    } else if place.is_empty() {
        PlaceState::Empty
    } else {
        PlaceState::Draining
    }
}
