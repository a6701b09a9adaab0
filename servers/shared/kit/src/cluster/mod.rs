//! What the processes of one server know of each other: its places, who is in them, and what each has counted.
//!
//! A server that starts a process for each worker has one primary and numbered places, each with two sides: the process that
//! serves, and on the other side the successor that a reload starts beside it. All this is in memory that they all have
//! mapped, so that any worker can answer for all (`/metrics`, `/info`, `/healthz`) and asks nobody, and so that what a worker
//! has counted outlives it.
//!
//! Who writes what:
//! - the primary: how many places there are, and of each its state, its processes and its restarts;
//! - each worker: the block of counters that is its side's of its place, by an addition that no other process contends for;
//! - the primary again, once that worker is no more: what it had open is over ([`Cluster::vacate`]).
//!
//! Nothing is locked and nobody waits, so that a process may die at any instruction. Blocks are never set back: the next
//! process on that side goes on where the last one stopped, and a place that is no longer there keeps what was counted in it.
//! So every total only grows, whatever crashes, is reloaded or scaled down, as Prometheus demands of a counter.
//!
//! A reader believes nothing: numbers of places are held to what there is, states that nobody knows are taken for empty places.

mod layout;
mod memory;
#[cfg(test)]
mod tests;

use std::{fmt, io, os::fd::OwnedFd, sync::atomic::Ordering::Relaxed};

use layout::{Place, SIDES, bytes_for, signature};
use memory::Memory;

use crate::counters::{Block, Passages, sum};

pub use layout::PLACES;

/// What becomes of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum PlaceState {
    /// There is nobody in it, and nobody is to be.
    Empty = 0,
    /// A process was started for it and is not ready yet.
    Starting = 1,
    /// Its process serves.
    Ready = 2,
    /// Its process takes no more connections and ends.
    Draining = 3,
    /// Its process has ended too often: the next one waits.
    BackingOff = 4,
    /// It was given up.
    Failed = 5,
}

impl PlaceState {
    /// All states, each at the place of its number.
    pub const ALL: [Self; 6] =
        [Self::Empty, Self::Starting, Self::Ready, Self::Draining, Self::BackingOff, Self::Failed];

    /// What it is called, in labels and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Draining => "draining",
            Self::BackingOff => "backing_off",
            Self::Failed => "failed",
        }
    }

    fn numbered(number: u32) -> Self {
        usize::try_from(number).ok().and_then(|number| Self::ALL.get(number).copied()).unwrap_or(Self::Empty)
    }
}

/// One process's part in a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// The number of its place, below [`PLACES`].
    pub place: usize,
    /// Its side of that place: 0 or 1.
    pub side: usize,
}

/// A place as it is at one moment. Its counts are of all processes that ever were in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlaceNow {
    /// What becomes of it.
    pub state: PlaceState,
    /// The process on each side.
    pub pids: [Option<u32>; 2],
    /// The side whose process was started last.
    pub latest: usize,
    /// How often a process was started in the place of one that had ended by itself.
    pub restarts: u64,
    /// Answers.
    pub requests: u64,
    /// Connections that are open.
    pub connections_open: u64,
    /// Connections that were accepted.
    pub connections_accepted: u64,
    /// Operations begun and not ended.
    pub operations_in_flight: u64,
}

/// Connections of one process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connections {
    /// Those that are open.
    pub open: u64,
    /// All that were ever accepted on its side of its place, by it and by those before it.
    pub accepted: u64,
}

impl PlaceNow {
    /// Its processes, the one that was started first before its successor.
    pub fn processes(&self) -> impl Iterator<Item = u32> {
        let elder = 1 - self.latest.min(1);
        [self.pids[elder], self.pids[1 - elder]].into_iter().flatten()
    }
}

/// The memory of one server's processes, in one of them.
pub struct Cluster {
    memory: Memory,
}

impl Cluster {
    /// The primary's: without places, and the memory to hand to the workers, as often as it takes.
    ///
    /// # Errors
    /// The system refuses the memory (4 MiB of address space, of which only what places need is ever taken): which call it
    /// refused is said. `ulimit -f` is one reason, since this memory counts as a file.
    pub fn new() -> io::Result<(Self, OwnedFd)> {
        let (memory, handle) = Memory::create()?;
        memory.reserve(0, bytes_for(0))?;
        memory.header.signature.store(signature(), Relaxed);
        Ok((Self { memory }, handle))
    }

    /// The primary's where the system refuses memory to be shared: it knows its places as ever, and its workers count each
    /// for itself ([`Site::new`](crate::site::Site::new)).
    ///
    /// # Errors
    /// There is no memory of this kind either.
    pub fn unshared() -> io::Result<Self> {
        Ok(Self { memory: Memory::unshared()? })
    }

    /// A worker's: the memory that its primary hands it.
    ///
    /// # Errors
    /// It is none, or that of another version of this program, or the system refuses to map it.
    pub fn open(memory: OwnedFd) -> io::Result<Self> {
        let memory = Memory::open(memory)?;
        if memory.header.signature.load(Relaxed) != signature() {
            return Err(memory::invalid(
                "the shared memory is laid out otherwise than this program expects: its primary is another version, and is to be \
                 restarted",
            ));
        }
        Ok(Self { memory })
    }

    /// For the primary: how many places there are from now on. The memory of more than there ever were is reserved first, so
    /// that no worker is ended for want of it.
    ///
    /// # Errors
    /// They are more than [`PLACES`], or there is no memory for them. Their number stays what it was then.
    pub fn set_places(&self, count: usize) -> io::Result<()> {
        if count > PLACES {
            let what = format!("there can be {PLACES} places for workers, not {count}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        let ever = self.places_ever();
        if count > ever {
            self.memory.reserve(bytes_for(ever), bytes_for(count))?;
            self.memory.header.places_ever.store(count as u64, Relaxed);
        }
        self.memory.header.places.store(count as u64, Relaxed);
        Ok(())
    }

    /// For the primary: what becomes of a place.
    pub fn set_state(&self, place: usize, state: PlaceState) {
        if let Some(place) = self.memory.places.get(place) {
            place.state.store(state as u32, Relaxed);
        }
    }

    /// For the primary: process `pid` is on that side from now on. Whoever was there before must have been taken away
    /// ([`vacate`](Self::vacate)).
    pub fn occupy(&self, member: Member, pid: u32) {
        if let Some(place) = self.memory.places.get(member.place) {
            let occupant = &place.occupants[member.side % SIDES];
            let turn = self.memory.header.occupations.fetch_add(1, Relaxed).wrapping_add(1);
            occupant.turn.store(turn, Relaxed);
            occupant.pid.store(pid, Relaxed);
        }
    }

    /// For the primary: the process on that side has ended, however it did. What it had open is over; what it counted stays.
    /// To be called when it was waited for and before the next one is started, since this writes what otherwise only that
    /// process does.
    pub fn vacate(&self, member: Member) {
        if let Some(place) = self.memory.places.get(member.place) {
            place.occupants[member.side % SIDES].pid.store(0, Relaxed);
            let block = &place.blocks[member.side % SIDES];
            block.connections.settle();
            block.operations.settle();
        }
    }

    /// For the primary: a process was started in the place of one that had ended by itself.
    pub fn add_restart(&self, place: usize) {
        if let Some(place) = self.memory.places.get(place) {
            place.restarts.fetch_add(1, Relaxed);
        }
    }

    /// For the primary: so many connections were given to a process of this place and closed with it, before it had taken them.
    pub fn add_lost(&self, place: usize, count: u64) {
        if let Some(place) = self.memory.places.get(place) {
            place.lost.fetch_add(count, Relaxed);
        }
    }

    /// What the process on that side has of connections, with those that were there before it.
    pub fn connections(&self, member: Member) -> Connections {
        let passages = &self.block(member).connections;
        // Read first: what ends in between counts as open still.
        let open = Passages::now([passages].into_iter());
        Connections { open, accepted: passages.begun() }
    }

    /// How many places there are.
    pub fn places(&self) -> usize {
        bounded(self.memory.header.places.load(Relaxed))
    }

    /// How many there were at most. Those that are no longer there keep what was counted in them.
    pub fn places_ever(&self) -> usize {
        bounded(self.memory.header.places_ever.load(Relaxed))
    }

    /// Place number `index`; of one that cannot be, that it is empty and has counted nothing.
    pub fn place(&self, index: usize) -> PlaceNow {
        self.memory.places.get(index).map_or(NOWHERE, Place::now)
    }

    /// The places that were given up.
    pub fn failed(&self) -> Vec<usize> {
        (0..self.places()).filter(|&index| self.state(index) == PlaceState::Failed).collect()
    }

    /// How many places are in `state`. One that is no longer among the [`places`](Self::places) counts as long as its process
    /// drains.
    pub fn count(&self, state: PlaceState) -> usize {
        let draining = state == PlaceState::Draining;
        let looked_at = if draining { self.places_ever() } else { self.places() };
        (0..looked_at).filter(|&index| self.state(index) == state).count()
    }

    /// How often a process was started in the place of one that had ended by itself.
    pub(crate) fn restarts(&self, index: usize) -> u64 {
        self.memory.places.get(index).map_or(0, |place| place.restarts.load(Relaxed))
    }

    /// How many connections were closed that a process of this place had been given and not taken.
    pub(crate) fn lost(&self, index: usize) -> u64 {
        self.memory.places.get(index).map_or(0, |place| place.lost.load(Relaxed))
    }

    fn state(&self, index: usize) -> PlaceState {
        let place = self.memory.places.get(index);
        place.map_or(PlaceState::Empty, |place| PlaceState::numbered(place.state.load(Relaxed)))
    }

    /// The counters that are `member`'s to write.
    pub(crate) fn block(&self, member: Member) -> &Block {
        // Taken once a request: with numbers that are powers of two this costs two masks and no check.
        &self.memory.places[member.place % PLACES].blocks[member.side % SIDES]
    }

    /// The counters of both sides of a place.
    pub(crate) fn blocks(&self, place: usize) -> &[Block] {
        &self.memory.places[place % PLACES].blocks
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("places", &self.places()).finish_non_exhaustive()
    }
}

const NOWHERE: PlaceNow = PlaceNow {
    state: PlaceState::Empty,
    pids: [None; 2],
    latest: 0,
    restarts: 0,
    requests: 0,
    connections_open: 0,
    connections_accepted: 0,
    operations_in_flight: 0,
};

impl Place {
    fn now(&self) -> PlaceNow {
        let [first, second] = &self.occupants;
        PlaceNow {
            state: PlaceState::numbered(self.state.load(Relaxed)),
            pids: [first, second].map(|occupant| Some(occupant.pid.load(Relaxed)).filter(|&pid| pid > 0)),
            latest: usize::from(second.turn.load(Relaxed) > first.turn.load(Relaxed)),
            restarts: self.restarts.load(Relaxed),
            requests: sum(self.blocks.iter().map(Block::requests)),
            connections_open: Passages::now(self.blocks.iter().map(|block| &block.connections)),
            connections_accepted: sum(self.blocks.iter().map(|block| block.connections.begun())),
            operations_in_flight: Passages::now(self.blocks.iter().map(|block| &block.operations)),
        }
    }
}

fn bounded(places: u64) -> usize {
    usize::try_from(places).map_or(PLACES, |places| places.min(PLACES))
}
