//! How the parts of a load meet in a folder: no server, no port, no messages but files that are there whole or not at all.
//!
//! ```text
//! part 0             plan.json (token, hash, seed)
//! every part         part-I.arrived.json, which only one process can write
//! part 0             start.json, once all have arrived
//!                    (the load)
//! every part         part-I.hlog and part-I.json; or part-I.failed.json, with the reason
//! every part         waits for the others' part-J.json
//! ```
//!
//! Every wait has an end, and every part waits for every other: whichever dies, all that are left fail and name it. A part that is started
//! again finds that it arrived already, and is not waited for. Nothing is written or read while the load runs.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use load::Share;
use serde_json::Value;

use super::{
    agreed,
    error::{GatherError, parts},
    folder::{Folder, json},
    names,
    records::{Arrival, Failure, PartRecord, PlanRecord, SCHEMA, Start},
    token,
};
use crate::clock::{ClockRecord, HostId};

/// How often it is looked what others have written.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How long after the last arrival the load begins: others see a new file within 3 s (NFS keeps what it knows of a folder for that long,
/// nfs(5) acregmin), and open their connections in the 2 s before the start.
const LEAD: Duration = Duration::from_secs(5);

/// What a part brings to a meeting.
pub struct Wanted<'a> {
    /// The folder.
    pub folder: &'a Path,
    /// Which part it is.
    pub part: Share,
    /// What it would do.
    pub plan: &'a Value,
    /// What it would draw from, where a person said so; part 0 draws one otherwise.
    pub seed: Option<u64>,
    /// How long it waits for others.
    pub within: Duration,
    /// Whether several parts may be on one host.
    pub share_host: bool,
}

/// A part that has arrived.
pub struct Meeting<'a> {
    folder: Folder,
    part: Share,
    within: Duration,
    share_host: bool,
    host: HostId,
    plan: PlanRecord,
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
        let plan = match wanted.part.index {
            0 => Some(begin(&folder, wanted, wanted.seed.unwrap_or(drawn))?),
            _ => follow(&folder, wanted, given_up)?,
        };
        let Some(plan) = plan else { return Ok(None) };
        let Wanted { part, within, share_host, .. } = *wanted;
        let meeting = Self { folder, part, within, share_host, host: HostId::own(), plan, given_up };
        meeting.arrive()?;
        if let Some(differs) = meeting.difference(wanted) {
            let error = GatherError::OtherPlan { part: wanted.part.index, differs };
            meeting.fail(&error.to_string());
            return Err(error);
        }
        Ok(Some(meeting))
    }

    /// What all draw from.
    pub fn seed(&self) -> u64 {
        self.plan.seed
    }

    /// Waits until all are there, and returns when the load begins, by the clock that all go by: as `wanted`, or soon. `now` is what
    /// that clock says. `None` when a person gave up.
    ///
    /// # Errors
    /// Some did not come, or gave up; or the start is over already.
    pub fn start(
        &self,
        wanted: Option<SystemTime>,
        now: impl Fn() -> SystemTime,
    ) -> Result<Option<SystemTime>, GatherError> {
        let start = match self.part.index {
            0 => self.set_start(wanted, &now)?,
            _ => self.hear_start()?,
        };
        let Some(start) = start else { return Ok(None) };
        match now().duration_since(start) {
            Ok(late) if !late.is_zero() => Err(GatherError::Late { part: self.part.index, late }),
            _ => Ok(Some(start)),
        }
    }

    /// Says that this part gave up, so that the others need not wait. What cannot be said they find out.
    pub fn fail(&self, reason: &str) {
        let reason = reason.lines().next().unwrap_or_default().to_owned();
        let (token, part, host) = (self.plan.token.clone(), self.part.index, self.host.clone());
        let failure = Failure { token, part, host, reason };
        let _unsaid = self.folder.put_new(&names::failed(part), &failure);
    }

    /// Leaves what this part found: its log, and then the record that says so.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn deliver(&self, log: &[u8], found: Found) -> Result<(), GatherError> {
        let Found { clock, opened_s, window_s, log_sha256, report } = found;
        let record = PartRecord {
            schema: SCHEMA,
            token: self.plan.token.clone(),
            plan_sha256: self.plan.sha256.clone(),
            part: self.part.index,
            parts: self.part.of,
            host: self.host.clone(),
            clock,
            opened_s,
            window_s,
            log_sha256,
            report,
        };
        self.folder.put(&names::log(self.part.index), log)?;
        self.folder.put(&names::result(self.part.index), &json(&record))
    }

    /// Waits until all have left what they found, for `patience` and as long as others are waited for besides. False when a person gave
    /// up.
    ///
    /// # Errors
    /// Some left nothing, or gave up.
    pub fn all_delivered(&self, patience: Duration) -> Result<bool, GatherError> {
        let within = self.within + patience;
        let missing = || self.missing(names::result);
        let all = self.wait(within, || Ok(missing()?.is_empty().then_some(())))?;
        match all {
            Waited::For(()) => Ok(true),
            Waited::GivenUp => Ok(false),
            Waited::InVain => {
                let named = |part: &u32| match self.folder.read::<Arrival>(&names::arrived(*part)) {
                    Ok(Some(arrival)) => format!("{part} on {}", arrival.host.name),
                    _ => part.to_string(),
                };
                let dead: Vec<String> = missing()?.iter().map(named).collect();
                Err(GatherError::Died { parts: parts(&dead), within })
            }
        }
    }

    fn arrive(&self) -> Result<(), GatherError> {
        let part = self.part.index;
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
        let missing = || self.missing(names::arrived);
        match self.wait(self.within, || Ok(missing()?.is_empty().then_some(())))? {
            Waited::For(()) => {}
            Waited::GivenUp => return Ok(None),
            Waited::InVain => {
                let absent: Vec<String> = missing()?.iter().map(u32::to_string).collect();
                let (path, within) = (self.folder.path().to_owned(), self.within);
                return Err(GatherError::Absent { parts: parts(&absent), path, within });
            }
        }
        self.all_are_of_this_load()?;
        let start = wanted.unwrap_or_else(|| now() + LEAD);
        if let Ok(late) = now().duration_since(start) {
            // Nobody is sent off to a start that is over.
            return Err(GatherError::Late { part: self.part.index, late });
        }
        let since = start.duration_since(UNIX_EPOCH).unwrap_or_default();
        let start_ns = i64::try_from(since.as_nanos()).unwrap_or(i64::MAX);
        self.folder.put(names::START, &json(&Start { start_ns }))?;
        Ok(Some(start))
    }

    /// Those that arrived read this plan, each on a host of its own unless they may share one.
    fn all_are_of_this_load(&self) -> Result<(), GatherError> {
        let mut seen: Vec<Arrival> = Vec::new();
        for part in 0..self.part.of {
            let arrival = self.folder.read::<Arrival>(&names::arrived(part))?;
            let Some(arrival) = arrival.filter(|arrival| arrival.token == self.plan.token) else {
                return Err(GatherError::OtherLoad { part, path: self.folder.path().to_owned() });
            };
            let beside = seen.iter().find(|other| other.host.is(&arrival.host));
            if let Some(first) = beside.filter(|_| !self.share_host) {
                let host = arrival.host.name;
                return Err(GatherError::OneHost { first: first.part, second: part, host });
            }
            seen.push(arrival);
        }
        Ok(())
    }

    fn hear_start(&self) -> Result<Option<SystemTime>, GatherError> {
        // Part 0 waits for others as long, and began when it pleased.
        let within = 2 * self.within;
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
        Ok((0..self.part.of).filter(|part| !names.contains(&file(*part))).collect())
    }

    /// Waits for something, unless a part gives up.
    fn wait<T>(
        &self,
        within: Duration,
        mut look: impl FnMut() -> Result<Option<T>, GatherError>,
    ) -> Result<Waited<T>, GatherError> {
        wait(within, self.given_up, || {
            if let Some(error) = self.failed_part()? {
                return Err(error);
            }
            look()
        })
    }

    /// A part that gave up, and said so.
    fn failed_part(&self) -> Result<Option<GatherError>, GatherError> {
        let names = self.folder.names()?;
        for part in (0..self.part.of).filter(|part| names.contains(&names::failed(*part))) {
            if let Some(failure) = self.folder.read::<Failure>(&names::failed(part))? {
                let Failure { host, reason, .. } = failure;
                return Ok(Some(GatherError::Failed { part, host: host.name, reason }));
            }
        }
        Ok(None)
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
    /// The SHA-256 of the log.
    pub log_sha256: String,
    /// All figures.
    pub report: Value,
}

/// How a wait ended.
enum Waited<T> {
    For(T),
    /// A person does not want to wait any more.
    GivenUp,
    InVain,
}

/// Looks now and then, and once more at the end.
fn wait<T>(
    within: Duration,
    given_up: &dyn Fn() -> bool,
    mut look: impl FnMut() -> Result<Option<T>, GatherError>,
) -> Result<Waited<T>, GatherError> {
    let until = Instant::now() + within;
    loop {
        let is_over = Instant::now() >= until;
        match look()? {
            Some(seen) => return Ok(Waited::For(seen)),
            None if given_up() => return Ok(Waited::GivenUp),
            None if is_over => return Ok(Waited::InVain),
            None => thread::sleep(LOOK_EVERY),
        }
    }
}

/// Part 0: says what all are to do, where nobody did before.
fn begin(folder: &Folder, wanted: &Wanted<'_>, seed: u64) -> Result<PlanRecord, GatherError> {
    folder.make()?;
    let used = |file: String| GatherError::Used { path: folder.path().to_owned(), file };
    if let Some(file) = folder.names()?.into_iter().find(|name| names::is_own(name)) {
        return Err(used(file));
    }
    let plan = PlanRecord {
        schema: SCHEMA,
        token: token::draw().map_err(|error| GatherError::Folder { path: "/dev/urandom".into(), error })?,
        sha256: agreed::sha256_of(wanted.plan, seed),
        seed,
        parts: wanted.part.of,
        plan: wanted.plan.clone(),
    };
    if folder.put_new(names::PLAN, &plan)? { Ok(plan) } else { Err(used(names::PLAN.to_owned())) }
}

/// The others: see what it said.
fn follow(
    folder: &Folder,
    wanted: &Wanted<'_>,
    given_up: &dyn Fn() -> bool,
) -> Result<Option<PlanRecord>, GatherError> {
    match wait(wanted.within, given_up, || folder.read::<PlanRecord>(names::PLAN))? {
        Waited::For(plan) => Ok(Some(plan)),
        Waited::GivenUp => Ok(None),
        Waited::InVain => {
            Err(GatherError::NotShared { path: folder.path().to_owned(), within: wanted.within })
        }
    }
}
