//! Signs of life: who died is named while the others are still at work, and not at the end of a long load.
//!
//! ```text
//! part I      part-I.alive, whose bytes it changes again and again
//! part I - 1  looks at them; where they stay the same for too long it writes part-I.failed.json in that part's place
//! all         look whether a part has failed
//! ```
//!
//! Parts stand in a ring, so that each look costs one list and one small file, however many there are. That bytes changed is all that
//! counts: no clock is compared, and a part that could not look for a while counts looks and not time, so that it blames nobody for its
//! own sleep.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread,
    time::Duration,
};

use load::Share;

use super::{
    error::GatherError,
    folder::Folder,
    names,
    records::{Arrival, Failure},
};
use crate::clock::HostId;

/// So many looks in a row at the same bytes are a death.
const LOOKS: u32 = 15;
/// The longest silence, however long others are waited for: 15 times what a busy file server takes to answer.
const LONGEST_SILENCE: Duration = Duration::from_secs(15);

/// Who gives signs of life, and where.
pub(super) struct Giver {
    pub(super) folder: Folder,
    pub(super) part: Share,
    pub(super) host: HostId,
    pub(super) token: String,
}

/// Signs of life, given and looked for until this value ends.
pub(super) struct Signs {
    own: std::path::PathBuf,
    found: Arc<Mutex<Option<GatherError>>>,
    /// Whose end ends the thread.
    _over: Sender<()>,
}

impl Signs {
    /// Gives the first, and goes on; `then` is done once when a part was found to be gone, or the folder.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub(super) fn give(
        giver: Giver,
        within: Duration,
        then: impl FnOnce() + Send + 'static,
    ) -> Result<Self, GatherError> {
        let silence = within.min(LONGEST_SILENCE);
        let own = giver.folder.file(&names::alive(giver.part.index));
        giver.folder.put(&names::alive(giver.part.index), &bytes(0))?;
        let found: Arc<Mutex<Option<GatherError>>> = Arc::default();
        let (over, ended) = channel();
        let tell = Arc::clone(&found);
        let mut looker = Looker { giver, silence, sign: 0, failures: 0, watched: None, unchanged: 0 };
        let body = move || {
            while ended.recv_timeout(silence / LOOKS) == Err(RecvTimeoutError::Timeout) {
                if let Err(error) = looker.look() {
                    *tell.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    return then();
                }
            }
        };
        let no_thread = |error| GatherError::Folder { path: own.clone(), error };
        thread::Builder::new().name("signs".to_owned()).spawn(body).map_err(no_thread)?;
        Ok(Self { own, found, _over: over })
    }

    /// What was found, once.
    pub(super) fn trouble(&self) -> Option<GatherError> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Signs {
    fn drop(&mut self) {
        // Nobody makes it again: a sign is written into the file that is there.
        let _gone = fs::remove_file(&self.own);
    }
}

struct Looker {
    giver: Giver,
    silence: Duration,
    sign: u64,
    /// Looks in a row at a folder that could not be used.
    failures: u32,
    /// The part that is watched, and what its file held.
    watched: Option<(u32, Option<Vec<u8>>)>,
    /// Looks in a row that saw the same.
    unchanged: u32,
}

impl Looker {
    /// Gives a sign, and looks for those of others. A folder that cannot be used now may be later.
    fn look(&mut self) -> Result<(), GatherError> {
        let error = match self.names() {
            Ok(names) => {
                self.failures = 0;
                return self.look_at(&names);
            }
            Err(error) => error,
        };
        self.failures += 1;
        if self.failures < LOOKS { Ok(()) } else { Err(error) }
    }

    fn names(&mut self) -> Result<Vec<String>, GatherError> {
        self.sign += 1;
        let path = self.giver.folder.file(&names::alive(self.giver.part.index));
        change(&path, self.sign).map_err(|error| GatherError::Folder { path, error })?;
        self.giver.folder.names()
    }

    fn look_at(&mut self, names: &[String]) -> Result<(), GatherError> {
        let Giver { folder, part, .. } = &self.giver;
        if let Some(error) = failed_part(folder, part.of, names)? {
            return Err(error);
        }
        // Who has left what it found owes nothing more.
        let is_at_work =
            |other: &u32| names.contains(&names::alive(*other)) && !names.contains(&names::result(*other));
        let Some(next) = (1..part.of).map(|step| (part.index + step) % part.of).find(is_at_work) else {
            self.watched = None;
            return Ok(());
        };
        let seen = Some((next, fs::read(folder.file(&names::alive(next))).ok()));
        if seen != self.watched {
            (self.watched, self.unchanged) = (seen, 0);
            return Ok(());
        }
        self.unchanged += 1;
        if self.unchanged < LOOKS { Ok(()) } else { Err(self.gone(next)) }
    }

    /// Says in its place that a part has failed.
    fn gone(&self, part: u32) -> GatherError {
        let Giver { folder, part: own, host, token } = &self.giver;
        let arrival = folder.read::<Arrival>(&names::arrived(part)).ok().flatten();
        let there = arrival.map_or_else(
            || HostId { name: "a host that is not known".to_owned(), boot: String::new() },
            |arrival| arrival.host,
        );
        let reason = format!(
            "it gave no sign of life for {:?}, as part {} on {} saw: dead, frozen, or cut off",
            self.silence, own.index, host.name
        );
        let failure = Failure { token: token.clone(), part, host: there.clone(), reason: reason.clone() };
        // Where it cannot be said, the others find it out.
        let _unsaid = folder.put_new(&names::failed(part), &failure);
        GatherError::Failed { part, host: there.name, reason }
    }
}

/// A part that failed, and said so; or of which another said it.
pub(super) fn failed_part(
    folder: &Folder,
    of: u32,
    names: &[String],
) -> Result<Option<GatherError>, GatherError> {
    for part in (0..of).filter(|part| names.contains(&names::failed(*part))) {
        if let Some(Failure { host, reason, .. }) = folder.read::<Failure>(&names::failed(part))? {
            return Ok(Some(GatherError::Failed { part, host: host.name, reason }));
        }
    }
    Ok(None)
}

/// Always as many, so that no other part reads half of them.
fn bytes(sign: u64) -> Vec<u8> {
    format!("{sign:020}\n").into_bytes()
}

/// Writes into the file that is there: not durably, since a sign is worth nothing after a crash.
fn change(path: &Path, sign: u64) -> std::io::Result<()> {
    OpenOptions::new().write(true).open(path)?.write_all(&bytes(sign))
}
