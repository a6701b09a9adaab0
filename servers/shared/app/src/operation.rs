//! What an endpoint computes, apart from where it is computed.
//!
//! An [`Operation`] runs whole, or it is cut into [`Part`]s that may run anywhere and at the same time, and whose
//! [`Partial`] results are joined. Both ways give the same [`Answer`].

use std::ops::Range;

use crate::answer::Answer;
use crate::endpoint::Endpoint;
use crate::fault::Fault;
use crate::randoms::Frequencies;
use crate::sum;

/// An operation with its parameters, which lie within the ranges of [`Endpoint::parameters`] if it came
/// from [`crate::route()`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Sums 0..1,000, less than a microsecond of work.
    Simple,
    /// Sums 0..iterations one by one.
    Complex {
        /// How many numbers to add; above 6,074,001,000 the sum no longer fits and wraps.
        iterations: u64,
    },
    /// Draws numbers in 1..=1000 and counts each.
    Randoms {
        /// How many numbers to draw.
        count: u32,
        /// Where the generator starts.
        seed: u32,
    },
    /// Waits.
    Delay {
        /// For how long.
        milliseconds: u64,
    },
    /// Goes wrong, as a test asks it to.
    Fault(Fault),
}

/// A piece of an operation: plain data, to be run on any thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part(Work);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Work {
    Sum(Range<u64>),
    Draw { seed: u32, first: u32, count: u32 },
    Fault(Fault),
    Nothing,
}

/// What a [`Part`] gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partial {
    sum: u64,
    frequencies: Option<Frequencies>,
}

impl Operation {
    /// `/simple` sums `0..SIMPLE_ITERATIONS`.
    pub const SIMPLE_ITERATIONS: u64 = 1_000;

    /// The endpoint that asks for it; `None` for a fault, which no list of endpoints has.
    pub fn endpoint(&self) -> Option<Endpoint> {
        Some(match self {
            Self::Simple => Endpoint::Simple,
            Self::Complex { .. } => Endpoint::Complex,
            Self::Randoms { .. } => Endpoint::Randoms,
            Self::Delay { .. } => Endpoint::Delay,
            Self::Fault(_) => return None,
        })
    }

    /// Whether it holds a CPU for long enough to be worth moving to another thread or process. A fault counts as such, so
    /// that it happens where these run.
    pub fn is_cpu_bound(&self) -> bool {
        matches!(self, Self::Complex { .. } | Self::Randoms { .. } | Self::Fault(_))
    }

    /// Computes the answer on the calling thread. A delay is not waited for here: the caller waits, in its
    /// runtime's own way, and then answers with this.
    ///
    /// # Panics
    /// Where it is [`Fault::Panic`]. The other faults do not return either.
    pub fn run(&self) -> Answer {
        self.answer(self.part(0, 1).run())
    }

    /// Cuts the operation into at most `parts` pieces of equal size, give or take one step; fewer if there
    /// are fewer steps, and always at least one. Only CPU-bound operations are cut.
    pub fn split(&self, parts: usize) -> Vec<Part> {
        let steps = match *self {
            Self::Complex { iterations } => iterations,
            Self::Randoms { count, .. } => u64::from(count),
            Self::Simple | Self::Delay { .. } | Self::Fault(_) => 1,
        };
        let parts = u64::try_from(parts).unwrap_or(u64::MAX).min(steps).max(1);
        (0..parts).map(|position| self.part(position, parts)).collect()
    }

    /// The answer from the results of all the parts of one [`Operation::split`], in any order.
    pub fn join(&self, partials: impl IntoIterator<Item = Partial>) -> Answer {
        let nothing = Partial { sum: 0, frequencies: None };
        self.answer(partials.into_iter().fold(nothing, Partial::merge))
    }

    /// Piece number `position` of `parts`.
    fn part(&self, position: u64, parts: u64) -> Part {
        Part(match *self {
            Self::Simple => Work::Sum(0..Self::SIMPLE_ITERATIONS),
            Self::Complex { iterations } => Work::Sum(cut(iterations, position, parts)),
            Self::Randoms { count, seed } => {
                let Range { start, end } = cut(u64::from(count), position, parts);
                let bounded = |step| u32::try_from(step).expect("a step below a 32-bit count");
                Work::Draw { seed, first: bounded(start), count: bounded(end - start) }
            }
            Self::Delay { .. } => Work::Nothing,
            Self::Fault(fault) => Work::Fault(fault),
        })
    }

    fn answer(&self, partial: Partial) -> Answer {
        match *self {
            // A fault has no result from which there could be an answer.
            Self::Simple | Self::Complex { .. } | Self::Fault(_) => Answer::Payload(partial.sum),
            Self::Delay { milliseconds } => Answer::Payload(milliseconds),
            Self::Randoms { count, seed } => {
                let frequencies = partial.frequencies.unwrap_or_else(Frequencies::none);
                Answer::Randoms { count, seed, frequencies }
            }
        }
    }
}

/// The steps of piece number `position` when `steps` are cut in `parts` pieces that differ by at most one.
fn cut(steps: u64, position: u64, parts: u64) -> Range<u64> {
    let (size, longer) = (steps / parts, steps % parts);
    let edge = |position: u64| position * size + position.min(longer);
    edge(position)..edge(position + 1)
}

impl Part {
    /// Computes this part on the calling thread.
    ///
    /// # Panics
    /// As [`Operation::run`] does.
    pub fn run(&self) -> Partial {
        match self.0 {
            Work::Sum(ref range) => Partial { sum: sum::one_by_one(range.clone()), frequencies: None },
            Work::Draw { seed, first, count } => {
                Partial { sum: 0, frequencies: Some(Frequencies::draw(seed, first, count)) }
            }
            Work::Fault(fault) => fault.commit(),
            Work::Nothing => Partial { sum: 0, frequencies: None },
        }
    }
}

impl Partial {
    /// Two results as one: associative and commutative, so that a pool may reduce in any order.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        let frequencies = match (self.frequencies, other.frequencies) {
            (Some(mut these), Some(those)) => {
                these.add(&those);
                Some(these)
            }
            (these, those) => these.or(those),
        };
        Self { sum: self.sum.wrapping_add(other.sum), frequencies }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_operation() -> impl Strategy<Value = Operation> {
        prop_oneof![
            Just(Operation::Simple),
            (0..50_000_u64).prop_map(|iterations| Operation::Complex { iterations }),
            (0..20_000_u32, any::<u32>()).prop_map(|(count, seed)| Operation::Randoms { count, seed }),
            (0..=60_000_u64).prop_map(|milliseconds| Operation::Delay { milliseconds }),
        ]
    }

    #[test]
    fn answers_are_the_ones_of_the_contract() {
        assert_eq!(Operation::Simple.run(), Answer::Payload(499_500));
        assert_eq!(Operation::Complex { iterations: 0 }.run(), Answer::Payload(0));
        assert_eq!(Operation::Complex { iterations: 5_000_000 }.run(), Answer::Payload(12_499_997_500_000));
        assert_eq!(Operation::Delay { milliseconds: 60_000 }.run(), Answer::Payload(60_000));
    }

    #[test]
    fn only_what_holds_a_cpu_is_worth_moving() {
        assert!(Operation::Complex { iterations: 1 }.is_cpu_bound());
        assert!(Operation::Randoms { count: 1, seed: 0 }.is_cpu_bound());
        assert!(!Operation::Simple.is_cpu_bound());
        assert!(!Operation::Delay { milliseconds: 1 }.is_cpu_bound());
        assert!(Fault::ALL.into_iter().all(|fault| Operation::Fault(fault).is_cpu_bound()));
    }

    #[test]
    fn the_largest_operations_are_cut_without_overflow() {
        let parts = Operation::Complex { iterations: 5_000_000_000 }.split(7);
        let lengths: u64 = parts
            .iter()
            .map(|part| if let Part(Work::Sum(range)) = part { range.end - range.start } else { 0 })
            .sum();
        assert_eq!((parts.len(), lengths), (7, 5_000_000_000));
        assert_eq!(Operation::Randoms { count: u32::MAX, seed: 0 }.split(3).len(), 3);
        assert_eq!(Operation::Simple.split(8).len(), 1);
        assert_eq!(Operation::Complex { iterations: 3 }.split(usize::MAX).len(), 3);
        assert_eq!(Operation::Complex { iterations: 0 }.split(0).len(), 1);
    }

    proptest! {
        #[test]
        fn parts_joined_in_any_order_give_the_whole_answer(
            operation in any_operation(), parts in 0..40_usize, backwards in any::<bool>()
        ) {
            let mut partials: Vec<_> = operation.split(parts).iter().map(Part::run).collect();
            if backwards {
                partials.reverse();
            }
            prop_assert_eq!(operation.join(partials), operation.run());
        }

        #[test]
        fn pieces_cover_all_steps_and_differ_by_at_most_one(steps in any::<u64>(), parts in 1..200_u64) {
            let mut edge = 0;
            for position in 0..parts {
                let piece = cut(steps, position, parts);
                prop_assert_eq!(piece.start, edge);
                prop_assert!(piece.end - piece.start - steps / parts <= 1);
                edge = piece.end;
            }
            prop_assert_eq!(edge, steps);
        }
    }
}
