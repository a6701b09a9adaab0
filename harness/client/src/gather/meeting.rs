//! How the parts of a load meet in a folder: no server, no port, no messages but files that are there whole or not at all.
//!
//! ```text
//! part 0             plan.json (token, hash, seed)
//! every part         part-I.arrived.json, which only one process can write
//! every part         part-I.alive, once it has reached the server and knows its clock; from then on it gives signs of life
//! part 0             start.json, once all are ready
//!                    (the load)
//! every part         part-I.hlog and part-I.json; or part-I.failed.json, with the reason
//! every part         waits for the others' part-J.json
//! ```
//!
//! Every wait has an end, and every part waits for every other: whichever dies, all that are left fail and name it. A part that is started
//! again finds that it arrived already, and is not waited for. While the load runs, signs of life alone are written and read.

use std::{
    cell::OnceCell,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use race::records::environment::sha256_of;
use serde_json::Value;

use super::{
    agreed,
    error::{GatherError, parts},
    folder::{Folder, json},
    names, plan,
    records::{Arrival, Failure, PartRecord, PlanRecord, SCHEMA, Start},
    signs::{self, Giver, Signs},
    wait::{Waited, wait},
    wanted::{Terms, Wanted},
};
use crate::clock::{ClockRecord, HostId};

/// A part that has arrived.
pub struct Meeting<'a> {
    folder: Folder,
    terms: Terms,
    host: HostId,
    plan: PlanRecord,
    /// Given since it was ready.
    signs: OnceCell<Signs>,
    /// Whether a person wants it to end.
    given_up: &'a dyn Fn() -> bool,
}

impl<'a> Meeting<'a> {
    /// Comes to the folder; `None` when a person gave up. `drawn` is the seed where nobody said one.
    ///
    /// # Errors
    /// The folder is not shared, was used, or holds another plan; or this part was there before.
    pub fn join(
        wanted: &Wanted<'_>,
        drawn: u64,
        given_up: &'a dyn Fn() -> bool,
    ) -> Result<Option<Self>, GatherError> {
        let folder = Folder::at(wanted.folder);
        let Some(plan) = plan::come_by(&folder, wanted, drawn, given_up)? else { return Ok(None) };
        let (terms, host, signs) = (wanted.terms, HostId::own(), OnceCell::new());
        let meeting = Self { folder, terms, host, plan, signs, given_up };
        meeting.arrive()?;
        if let Some(differs) = meeting.difference(wanted) {
            let error = GatherError::OtherPlan { part: wanted.terms.part.index, differs };
            meeting.fail(&error.to_string());
            return Err(error);
        }
        Ok(Some(meeting))
    }

    /// What all draw from.
    pub fn seed(&self) -> u64 {
        self.plan.seed
    }

    /// This part can begin, and gives signs of life from now on. `then` is done once when another part is found to have failed or to
    /// be gone: [`trouble`](Self::trouble) says which.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn ready(&self, then: impl FnOnce() + Send + 'static) -> Result<(), GatherError> {
        if self.terms.apart {
            return Ok(());
        }
        let (folder, part, host) = (self.folder.clone(), self.terms.part, self.host.clone());
        let giver = Giver { folder, part, host, token: self.plan.token.clone() };
        let signs = Signs::give(giver, self.terms.within, then)?;
        self.signs.get_or_init(|| signs);
        Ok(())
    }

    /// Which part was found to have failed or to be gone since this one was ready. Said once.
    pub fn trouble(&self) -> Option<GatherError> {
        self.signs.get()?.trouble()
    }

    /// Waits until all are ready, and returns when the load begins, by the clock that all go by: as `wanted`, or soon. `now` is what
    /// that clock says. `None` when a person gave up.
    ///
    /// # Errors
    /// Some did not come or get ready, or gave up; or the start is over already.
    pub fn start(
        &self,
        wanted: Option<SystemTime>,
        now: impl Fn() -> SystemTime,
    ) -> Result<Option<SystemTime>, GatherError> {
        // What is over already needs nobody else to be found.
        wanted.map_or(Ok(()), |start| self.in_time(start, &now))?;
        let start = match self.terms.part.index {
            _ if self.terms.apart => wanted,
            0 => self.set_start(wanted, &now)?,
            _ => self.hear_start()?,
        };
        let Some(start) = start else { return Ok(None) };
        self.in_time(start, &now)?;
        Ok(Some(start))
    }

    /// Says that this part gave up, so that the others need not wait. What cannot be said they find out.
    pub fn fail(&self, reason: &str) {
        let reason = reason.lines().next().unwrap_or_default().to_owned();
        let (token, part, host) = (self.plan.token.clone(), self.terms.part.index, self.host.clone());
        let failure = Failure { token, part, host, reason };
        let _unsaid = self.folder.put_new(&names::failed(part), &failure);
    }

    /// Leaves what this part found: its log, and then the record that says so.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn deliver(&self, log: &[u8], found: Found) -> Result<(), GatherError> {
        let Found { clock, opened_s, window_s, is_good, log_sha256, report } = found;
        let record = PartRecord {
            schema: SCHEMA,
            token: self.plan.token.clone(),
            plan_sha256: self.plan.sha256.clone(),
            part: self.terms.part.index,
            parts: self.terms.part.of,
            host: self.host.clone(),
            program_sha256: sha256_of(Path::new("/proc/self/exe")).ok(),
            clock,
            opened_s,
            window_s,
            is_good,
            log_sha256,
            report,
        };
        self.folder.put(&names::log(self.terms.part.index), log)?;
        self.folder.put(&names::result(self.terms.part.index), &json(&record))
    }

    /// Waits until all have left what they found, for `patience` and as long as others are waited for besides. False when a person gave
    /// up.
    ///
    /// # Errors
    /// Some left nothing, or gave up.
    pub fn all_delivered(&self, patience: Duration) -> Result<bool, GatherError> {
        if self.terms.apart {
            return Ok(true);
        }
        let within = self.terms.within + patience;
        let missing = || self.missing(names::result);
        let all = self.wait(within, || Ok(missing()?.is_empty().then_some(())))?;
        match all {
            Waited::For(()) => Ok(true),
            Waited::GivenUp => Ok(false),
            Waited::InVain => {
                let dead: Vec<String> = missing()?.iter().map(|part| self.named(*part)).collect();
                Err(GatherError::Died { parts: parts(&dead), within })
            }
        }
    }

    /// A part with its host, where it had arrived.
    fn named(&self, part: u32) -> String {
        match self.folder.read::<Arrival>(&names::arrived(part)) {
            Ok(Some(arrival)) => format!("{part} on {}", arrival.host.name),
            _ => part.to_string(),
        }
    }

    fn arrive(&self) -> Result<(), GatherError> {
        let part = self.terms.part.index;
        let name = names::arrived(part);
        let arrival = Arrival {
            token: self.plan.token.clone(),
            part,
            host: self.host.clone(),
            pid: std::process::id(),
        };
        if self.folder.put_new(&name, &arrival)? {
            return Ok(());
        }
        let host = match self.folder.read::<Arrival>(&name)? {
            Some(earlier) => format!("{} as process {}", earlier.host.name, earlier.pid),
            None => "a host that is not known".to_owned(),
        };
        Err(GatherError::Again { part, host, path: self.folder.path().to_owned() })
    }

    fn difference(&self, wanted: &Wanted<'_>) -> Option<String> {
        let other_seed = wanted.seed.filter(|seed| *seed != self.plan.seed);
        let seed = other_seed.map(|seed| format!("seed is {} and {seed}", self.plan.seed));
        agreed::difference(wanted.plan, &self.plan.plan).or(seed)
    }

    fn set_start(
        &self,
        wanted: Option<SystemTime>,
        now: &impl Fn() -> SystemTime,
    ) -> Result<Option<SystemTime>, GatherError> {
        match self.wait(self.terms.within, || Ok(self.missing(names::alive)?.is_empty().then_some(())))? {
            Waited::For(()) => {}
            Waited::GivenUp => return Ok(None),
            Waited::InVain => return Err(self.not_all_are_ready()?),
        }
        self.all_are_of_this_load()?;
        let start = wanted.unwrap_or_else(|| now() + self.terms.lead);
        // Nobody is sent off to a start that is over.
        self.in_time(start, now)?;
        let since = start.duration_since(UNIX_EPOCH).unwrap_or_default();
        let start_ns = i64::try_from(since.as_nanos()).unwrap_or(i64::MAX);
        self.folder.put(names::START, &json(&Start { start_ns }))?;
        Ok(Some(start))
    }

    fn in_time(&self, start: SystemTime, now: &impl Fn() -> SystemTime) -> Result<(), GatherError> {
        match now().duration_since(start) {
            Ok(late) if !late.is_zero() => Err(GatherError::Late { part: self.terms.part.index, late }),
            _ => Ok(()),
        }
    }

    fn not_all_are_ready(&self) -> Result<GatherError, GatherError> {
        let (path, within) = (self.folder.path().to_owned(), self.terms.within);
        let absent = self.missing(names::arrived)?;
        if !absent.is_empty() {
            let absent: Vec<String> = absent.iter().map(u32::to_string).collect();
            return Ok(GatherError::Absent { parts: parts(&absent), path, within });
        }
        let waiting = self.missing(names::alive)?;
        let waiting: Vec<String> = waiting.into_iter().map(|part| self.named(part)).collect();
        Ok(GatherError::NotReady { parts: parts(&waiting), path, within })
    }

    /// Those that arrived read this plan, each on a host of its own unless they may share one.
    fn all_are_of_this_load(&self) -> Result<(), GatherError> {
        let mut seen: Vec<Arrival> = Vec::new();
        for part in 0..self.terms.part.of {
            let arrival = self.folder.read::<Arrival>(&names::arrived(part))?;
            let Some(arrival) = arrival.filter(|arrival| arrival.token == self.plan.token) else {
                return Err(GatherError::OtherLoad { part, path: self.folder.path().to_owned() });
            };
            let beside = seen.iter().find(|other| other.host.is(&arrival.host));
            if let Some(first) = beside.filter(|_| !self.terms.share_host) {
                let host = arrival.host.name;
                return Err(GatherError::OneHost { first: first.part, second: part, host });
            }
            seen.push(arrival);
        }
        Ok(())
    }

    fn hear_start(&self) -> Result<Option<SystemTime>, GatherError> {
        // Part 0 waits for others as long, and began when it pleased.
        let within = 2 * self.terms.within;
        match self.wait(within, || self.folder.read::<Start>(names::START))? {
            Waited::For(Start { start_ns }) => {
                Ok(Some(UNIX_EPOCH + Duration::from_nanos(u64::try_from(start_ns).unwrap_or(0))))
            }
            Waited::GivenUp => Ok(None),
            Waited::InVain => Err(GatherError::NoStart { path: self.folder.path().to_owned(), within }),
        }
    }

    /// The parts whose file is not there.
    fn missing(&self, file: fn(u32) -> String) -> Result<Vec<u32>, GatherError> {
        let names = self.folder.names()?;
        Ok((0..self.terms.part.of).filter(|part| !names.contains(&file(*part))).collect())
    }

    /// Waits for something, unless a part gives up.
    fn wait<T>(
        &self,
        within: Duration,
        mut look: impl FnMut() -> Result<Option<T>, GatherError>,
    ) -> Result<Waited<T>, GatherError> {
        wait(within, self.given_up, || {
            let said = signs::failed_part(&self.folder, self.terms.part.of, &self.folder.names()?)?;
            match said.or_else(|| self.trouble()) {
                Some(error) => Err(error),
                None => look(),
            }
        })
    }
}

/// What a part found, as its record holds it.
pub struct Found {
    /// How far the clock that all go by is ahead of the one here.
    pub clock: Option<ClockRecord>,
    /// When the window opened, in seconds since 1970, by the clock here.
    pub opened_s: f64,
    /// How long it was, in seconds.
    pub window_s: f64,
    /// Whether the load was made and answered.
    pub is_good: bool,
    /// The SHA-256 of the log.
    pub log_sha256: String,
    /// All figures.
    pub report: Value,
}
