//! Work on one row beside another: decoding distributions is most of what a report takes.

use std::{
    num::NonZero,
    panic::resume_unwind,
    sync::{Mutex, PoisonError},
    thread,
};

/// What `of` makes of each of `items`, in their order, on as many threads as there are CPUs.
pub(crate) fn on_all_cpus<T: Send, U: Send>(items: Vec<T>, of: impl Fn(T) -> U + Sync) -> Vec<U> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(items.len());
    let left = Mutex::new(items.into_iter().enumerate());
    let next = || left.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        let mut own = Vec::new();
        while let Some((at, item)) = next() {
            own.push((at, of(item)));
        }
        own
    };
    let mut all: Vec<(usize, U)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let joined =
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        joined.flatten().collect()
    });
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, made)| made).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_done_once_and_stays_in_its_place() {
        let doubled = on_all_cpus((0..1000).collect(), |number: u64| 2 * number);
        assert_eq!(doubled, (0..1000).map(|number| 2 * number).collect::<Vec<_>>());
        assert!(on_all_cpus(Vec::new(), |number: u64| number).is_empty());
    }
}
