//! Who answered: which of a server's workers, as its answers say.
//!
//! Where a hash puts connections is a property of an architecture that listens on several sockets, and it is drawn anew for every
//! window. So what each worker answered is counted.

use std::{
    cell::Cell,
    collections::BTreeMap,
    sync::Arc,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use load::{Check, Content, Mismatch};

/// So many threads count without meeting.
const SHARDS: usize = 16;
/// More workers than this are counted together: a program may say what it likes.
const MOST_WORKERS: usize = 4096;

/// Right answers by worker.
#[derive(Debug, Default)]
pub struct Tally {
    shards: [Mutex<BTreeMap<Box<[u8]>, u64>>; SHARDS],
}

/// A check that counts who gave the right answers.
#[derive(Debug)]
pub struct Counted<C> {
    /// What judges them.
    pub check: C,
    /// Where they are counted.
    pub tally: Arc<Tally>,
}

impl Tally {
    pub(crate) fn count(&self, worker: &[u8]) {
        let shard = &self.shards[own_number() % SHARDS];
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = shard.get_mut(worker) {
            *count += 1;
            return;
        }
        let name = if shard.len() < MOST_WORKERS { worker } else { b"others" };
        *shard.entry(name.into()).or_default() += 1;
    }

    /// Right answers by worker, so far.
    pub fn answers(&self) -> BTreeMap<String, u64> {
        let mut answers = BTreeMap::new();
        for shard in &self.shards {
            for (worker, count) in shard.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                *answers.entry(String::from_utf8_lossy(worker).into_owned()).or_default() += count;
            }
        }
        answers
    }
}

impl<C: Check> Check for Counted<C> {
    fn check(&self, status: u16, body: &[u8]) -> Result<(), Mismatch> {
        self.check.check(status, body)?;
        if let Some(worker) = worker_in(body) {
            self.tally.count(worker);
        }
        Ok(())
    }

    fn accepts(&self, status: u16) -> bool {
        self.check.accepts(status)
    }

    fn content(&self) -> Content<'_> {
        self.check.content()
    }
}

/// Who says that they gave the answer: the text behind `"worker":`. It is right JSON, which was checked before; a name with escapes in
/// it is taken up to the first.
fn worker_in(body: &[u8]) -> Option<&[u8]> {
    const KEY: &[u8] = b"\"worker\":";
    let at = body.windows(KEY.len()).position(|window| window == KEY)?;
    let value = body[at + KEY.len()..].trim_ascii_start().strip_prefix(b"\"")?;
    let end = value.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
    Some(&value[..end])
}

/// The number of the calling thread among those that have asked.
fn own_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: Cell<Option<usize>> = const { Cell::new(None) };
    }
    OWN.get().unwrap_or_else(|| {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        OWN.set(Some(number));
        number
    })
}

#[cfg(test)]
mod tests {
    use load::AnySuccess;

    use super::*;

    #[test]
    fn who_answered_is_read_from_the_answer() {
        let of = |body: &str| {
            worker_in(body.as_bytes()).map(|worker| String::from_utf8_lossy(worker).into_owned())
        };
        assert_eq!(of(r#"{"origin":"a","worker":"p7 t0","payload":1}"#).as_deref(), Some("p7 t0"));
        assert_eq!(of(r#"{"worker": "x"}"#).as_deref(), Some("x"));
        assert_eq!(of(r#"{"payload":1}"#), None);
        assert_eq!(of(r#"{"worker":"#), None);
    }

    #[test]
    fn right_answers_of_all_threads_are_counted_by_worker_and_wrong_ones_are_not() {
        let counted = Counted { check: AnySuccess, tally: Arc::default() };
        std::thread::scope(|scope| {
            for thread in 0..2 * SHARDS {
                let counted = &counted;
                scope.spawn(move || {
                    let body = format!(r#"{{"worker":"w{}"}}"#, thread % 2);
                    (0..100).for_each(|_| drop(counted.check(200, body.as_bytes())));
                    assert!(counted.check(500, body.as_bytes()).is_err());
                });
            }
        });
        let expected = ["w0", "w1"].map(|worker| (worker.to_owned(), 100 * SHARDS as u64));
        assert_eq!(counted.tally.answers(), expected.into());
    }
}
