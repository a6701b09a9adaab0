//! CPU lists in the kernel's notation (`0-3,6`), and the masks that they stand for.

use std::{fmt, io, marker::PhantomData, str::FromStr};

use rustix::thread::{CpuSet as Mask, sched_getaffinity, sched_setaffinity};
use serde::{Deserialize, Serialize};

use crate::quota::Quota;

/// A set of CPU numbers, in ascending order and without repetition.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct CpuSet(Vec<usize>);

/// The last CPU that a mask can hold.
const LAST: usize = Mask::MAX_CPU - 1;

/// Why a text is not a CPU list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// There was no number at all.
    #[error("a CPU list is empty: give numbers from 0 to {last} and ranges such as 0-3,6", last = LAST)]
    Empty,
    /// One part is neither a number nor a range.
    #[error("`{0}` is not a CPU or a range of CPUs: give numbers from 0 to {last} and ranges such as 0-3,6", last = LAST)]
    Part(String),
    /// A number is beyond what a mask can hold.
    #[error("CPU {0} is beyond what a mask can hold: give numbers from 0 to {last}", last = LAST)]
    Beyond(usize),
}

impl CpuSet {
    /// The CPUs that the calling thread may run on.
    pub fn allowed() -> io::Result<Self> {
        let mask = sched_getaffinity(None)?;
        Ok((0..Mask::MAX_CPU).filter(|&cpu| mask.is_set(cpu)).collect())
    }

    /// Restricts the calling thread, and the threads and processes that it starts from now on, to this set.
    ///
    /// # Errors
    /// The kernel refuses a set that holds no CPU which is online and allowed.
    pub fn apply_to_current_thread(&self) -> io::Result<()> {
        let mut mask = Mask::new();
        for &cpu in &self.0 {
            mask.set(cpu);
        }
        sched_setaffinity(None, &mask).map_err(|errno| {
            let error = io::Error::from(errno);
            io::Error::new(error.kind(), format!("cannot run on CPUs {self}: {error}"))
        })
    }

    /// As [`CpuSet::apply_to_current_thread`], until what is returned is dropped.
    ///
    /// # Errors
    /// See [`CpuSet::apply_to_current_thread`].
    pub fn pin_current_thread(&self) -> io::Result<Pinned> {
        let before = Self::allowed()?;
        self.apply_to_current_thread()?;
        Ok(Pinned { before, _of_this_thread: PhantomData })
    }

    /// How many CPUs the set holds.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the set holds no CPU.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `cpu` is in the set.
    pub fn contains(&self, cpu: usize) -> bool {
        self.0.binary_search(&cpu).is_ok()
    }

    /// The CPUs in ascending order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = usize> + '_ {
        self.0.iter().copied()
    }

    /// The CPU for worker number `index`: the set is dealt out in order, again from its start when it ends.
    ///
    /// # Panics
    /// If the set is empty.
    pub fn nth_wrapping(&self, index: usize) -> usize {
        self.0[index % self.0.len()]
    }
}

/// A thread that is restricted to some CPUs. When this is dropped, it may run where it might before.
#[derive(Debug)]
pub struct Pinned {
    before: CpuSet,
    /// It is dropped where it was made.
    _of_this_thread: PhantomData<*const ()>,
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // Which the kernel refuses only where these CPUs were taken from the whole process meanwhile.
        drop(self.before.apply_to_current_thread());
    }
}

/// How many workers to start where nothing is said: one for each CPU that this thread's mask allows, but no more than the
/// whole CPUs in the CPU quota of this process's cgroups ([`Quota::whole_cpus`]); at least one.
///
/// It says what [`std::thread::available_parallelism`] says where that finds the quota; that one looks for v2 at one place only
/// and under the whole name of the group, which a mount that shows a container its own group alone does not have. And here
/// the rule can be tested on trees of files.
pub fn default_workers() -> usize {
    let mask = CpuSet::allowed().map_or_else(
        |_unreadable| std::thread::available_parallelism().map_or(1, usize::from),
        |allowed| allowed.len(),
    );
    workers_within(mask, Quota::of_this_process())
}

/// The rule of [`default_workers`] for a number of CPUs.
pub fn workers_within(cpus: usize, quota: Option<Quota>) -> usize {
    quota.map_or(cpus, |quota| quota.whole_cpus().min(cpus)).max(1)
}

impl FromIterator<usize> for CpuSet {
    fn from_iter<I: IntoIterator<Item = usize>>(cpus: I) -> Self {
        let mut cpus: Vec<usize> = cpus.into_iter().collect();
        cpus.sort_unstable();
        cpus.dedup();
        Self(cpus)
    }
}

impl FromStr for CpuSet {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut cpus = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let number = |digits: &str| {
                let cpu = digits.trim().parse().map_err(|_| ParseError::Part(part.to_owned()))?;
                if cpu < Mask::MAX_CPU { Ok(cpu) } else { Err(ParseError::Beyond(cpu)) }
            };
            match part.split_once('-') {
                None => cpus.push(number(part)?),
                Some((first, last)) => {
                    let (first, last) = (number(first)?, number(last)?);
                    if first > last {
                        return Err(ParseError::Part(part.to_owned()));
                    }
                    cpus.extend(first..=last);
                }
            }
        }
        if cpus.is_empty() { Err(ParseError::Empty) } else { Ok(cpus.into_iter().collect()) }
    }
}

impl fmt::Display for CpuSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runs = self.0.chunk_by(|a, b| a + 1 == *b);
        for (index, run) in runs.enumerate() {
            let separator = if index == 0 { "" } else { "," };
            match run {
                [only] => write!(f, "{separator}{only}")?,
                [first, .., last] => write!(f, "{separator}{first}-{last}")?,
                [] => {}
            }
        }
        Ok(())
    }
}

impl From<CpuSet> for String {
    fn from(set: CpuSet) -> Self {
        set.to_string()
    }
}

impl TryFrom<String> for CpuSet {
    type Error = ParseError;

    fn try_from(text: String) -> Result<Self, ParseError> {
        // A set that was printed empty reads back as empty; a person who types nothing is told so by `parse`.
        if text.is_empty() { Ok(Self::default()) } else { text.parse() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_numbers_and_ranges_is_read_in_any_order() {
        let set: CpuSet = "6, 0-3,2".parse().unwrap();
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 1, 2, 3, 6]);
        assert_eq!(set.to_string(), "0-3,6");
    }

    #[test]
    fn what_is_no_list_is_refused_with_the_part_that_is_wrong() {
        assert_eq!("".parse::<CpuSet>(), Err(ParseError::Empty));
        assert_eq!("1,x".parse::<CpuSet>(), Err(ParseError::Part("x".to_owned())));
        assert_eq!("3-1".parse::<CpuSet>(), Err(ParseError::Part("3-1".to_owned())));
        assert_eq!("-1".parse::<CpuSet>(), Err(ParseError::Part("-1".to_owned())));
        assert_eq!("0-99999".parse::<CpuSet>(), Err(ParseError::Beyond(99_999)));
    }

    #[test]
    fn a_thread_restricted_to_one_cpu_is_allowed_that_cpu_alone() {
        let last = CpuSet::allowed().unwrap().iter().last().unwrap();
        std::thread::spawn(move || {
            let only = CpuSet::from_iter([last]);
            only.apply_to_current_thread().unwrap();
            assert_eq!(CpuSet::allowed().unwrap(), only);
        })
        .join()
        .unwrap();
    }

    #[test]
    fn a_pinned_thread_may_run_where_it_might_before_once_the_pin_is_dropped() {
        let before = CpuSet::allowed().unwrap();
        let only = CpuSet::from_iter(before.iter().last());
        let pinned = only.pin_current_thread().unwrap();
        assert_eq!(CpuSet::allowed().unwrap(), only);
        drop(pinned);
        assert_eq!(CpuSet::allowed().unwrap(), before);
    }

    proptest::proptest! {
        #[test]
        fn every_set_reads_back_from_what_it_prints(cpus in proptest::collection::btree_set(0_usize..1024, 1..40)) {
            let set: CpuSet = cpus.into_iter().collect();
            proptest::prop_assert_eq!(set.to_string().parse::<CpuSet>(), Ok(set));
        }
    }
}
