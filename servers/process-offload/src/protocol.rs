//! What the front and a child that computes tell each other: one packet with an operation, one packet back with its result.
//!
//! | packet | bytes |
//! | --- | --- |
//! | start | `s`, its number (8), kind of operation (1), its first parameter (8), its second (4) |
//! | result | `r`, the number (8), kind of result (1), and a payload (8), or the counts of 1 to 1000 (4 each), or nothing: it failed |
//! | ready | `ready`, of a child of a pool, before its first operation |
//!
//! Numbers are little-endian. A packet arrives whole or not at all, so there is no half of a result, and none is longer than
//! [`LONGEST`]. What is not exactly the result of the operation that was asked for is [`Garbage`]: a child that says it is out of
//! step with the front, and nothing that it says later can be relied on.

use app::{Answer, Fault, Frequencies, Operation};

/// What a child of a pool says first.
pub const READY: &[u8] = b"ready";

/// The longest packet, bytes: the counts of random draws.
pub const LONGEST: usize = HEAD + 4 * Frequencies::VALUES;

/// A letter, a number and a kind.
const HEAD: usize = 1 + 8 + 1;
const START: u8 = b's';
const RESULT: u8 = b'r';

/// Kinds of operations.
const SIMPLE: u8 = 0;
const COMPLEX: u8 = 1;
const RANDOMS: u8 = 2;
const DELAY: u8 = 3;
const FAULT: u8 = 4;

/// Kinds of results.
const PAYLOAD: u8 = 0;
const COUNTS: u8 = 1;
const FAILED: u8 = 2;

/// What is no packet that could be meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} bytes that are not what was asked for")]
pub struct Garbage(pub usize);

/// Asks for an operation.
pub fn start(number: u64, operation: &Operation) -> Vec<u8> {
    let (kind, first, second) = match *operation {
        Operation::Simple => (SIMPLE, 0, 0),
        Operation::Complex { iterations } => (COMPLEX, iterations, 0),
        Operation::Randoms { count, seed } => (RANDOMS, u64::from(count), seed),
        Operation::Delay { milliseconds } => (DELAY, milliseconds, 0),
        Operation::Fault(fault) => (FAULT, fault as u64, 0),
    };
    let mut packet = head(START, number, kind);
    packet.extend(first.to_le_bytes());
    packet.extend(second.to_le_bytes());
    packet
}

/// The number and the operation that [`start`] asked for.
///
/// # Errors
/// It is no such packet.
pub fn started(packet: &[u8]) -> Result<(u64, Operation), Garbage> {
    let read = || {
        let (number, kind, rest) = parted(START, packet)?;
        let (first, second) = rest.split_first_chunk()?;
        let (first, second) = (u64::from_le_bytes(*first), u32::from_le_bytes(second.try_into().ok()?));
        let operation = match kind {
            SIMPLE => Operation::Simple,
            COMPLEX => Operation::Complex { iterations: first },
            RANDOMS => Operation::Randoms { count: first.try_into().ok()?, seed: second },
            DELAY => Operation::Delay { milliseconds: first },
            FAULT => Operation::Fault(*Fault::ALL.get(usize::try_from(first).ok()?)?),
            _ => return None,
        };
        Some((number, operation))
    };
    read().ok_or(Garbage(packet.len()))
}

/// Tells the result of an operation: `None` if it panicked.
pub fn result(number: u64, answer: Option<&Answer>) -> Vec<u8> {
    match answer {
        Some(Answer::Payload(payload)) => {
            let mut packet = head(RESULT, number, PAYLOAD);
            packet.extend(payload.to_le_bytes());
            packet
        }
        Some(Answer::Randoms { frequencies, .. }) => {
            let mut packet = head(RESULT, number, COUNTS);
            packet.extend(frequencies.counts().iter().flat_map(|count| count.to_le_bytes()));
            packet
        }
        None => head(RESULT, number, FAILED),
    }
}

/// What [`result`] told, of the operation that was asked for.
///
/// # Errors
/// It is no result, or that of another operation.
pub fn answer(number: u64, operation: &Operation, packet: &[u8]) -> Result<Option<Answer>, Garbage> {
    let read = || {
        let (told, kind, rest) = parted(RESULT, packet)?;
        if told != number {
            return None;
        }
        Some(match (kind, *operation) {
            (FAILED, _) if rest.is_empty() => None,
            (COUNTS, Operation::Randoms { count, seed }) => {
                let frequencies = counted(rest)?;
                // Else it is not what was drawn.
                (frequencies.total() == u64::from(count)).then_some(())?;
                Some(Answer::Randoms { count, seed, frequencies })
            }
            (PAYLOAD, Operation::Simple | Operation::Complex { .. } | Operation::Delay { .. }) => {
                Some(Answer::Payload(u64::from_le_bytes(rest.try_into().ok()?)))
            }
            _ => return None,
        })
    };
    read().ok_or(Garbage(packet.len()))
}

fn counted(bytes: &[u8]) -> Option<Frequencies> {
    let mut counts = [0; Frequencies::VALUES];
    let (each, rest) = bytes.as_chunks::<4>();
    if each.len() != counts.len() || !rest.is_empty() {
        return None;
    }
    for (count, bytes) in counts.iter_mut().zip(each) {
        *count = u32::from_le_bytes(*bytes);
    }
    Some(Frequencies::from_counts(counts))
}

fn head(letter: u8, number: u64, kind: u8) -> Vec<u8> {
    let mut packet = Vec::with_capacity(HEAD + 12);
    packet.push(letter);
    packet.extend(number.to_le_bytes());
    packet.push(kind);
    packet
}

/// The number, the kind and the rest of a packet that begins with `letter`.
fn parted(letter: u8, packet: &[u8]) -> Option<(u64, u8, &[u8])> {
    let rest = packet.strip_prefix(&[letter])?;
    let (number, rest) = rest.split_first_chunk()?;
    let (kind, rest) = rest.split_first()?;
    Some((u64::from_le_bytes(*number), *kind, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_operation() -> impl Strategy<Value = Operation> {
        prop_oneof![
            Just(Operation::Simple),
            any::<u64>().prop_map(|iterations| Operation::Complex { iterations }),
            (any::<u32>(), any::<u32>()).prop_map(|(count, seed)| Operation::Randoms { count, seed }),
            any::<u64>().prop_map(|milliseconds| Operation::Delay { milliseconds }),
            prop::sample::select(Fault::ALL.to_vec()).prop_map(Operation::Fault),
        ]
    }

    const COMPLEX_OPERATION: Operation = Operation::Complex { iterations: 10 };
    const RANDOMS_OPERATION: Operation = Operation::Randoms { count: 1000, seed: 7 };

    #[test]
    fn what_operations_give_arrives_as_it_is() {
        for operation in [Operation::Simple, COMPLEX_OPERATION, RANDOMS_OPERATION] {
            let given = operation.run();
            let packet = result(3, Some(&given));
            assert!(packet.len() <= LONGEST);
            assert_eq!(answer(3, &operation, &packet), Ok(Some(given)));
            assert_eq!(answer(3, &operation, &result(3, None)), Ok(None));
        }
    }

    #[test]
    fn a_result_of_another_operation_is_garbage() {
        let (payload, counts) = (COMPLEX_OPERATION.run(), RANDOMS_OPERATION.run());
        for packet in [
            result(4, Some(&payload)),
            result(4, None),
            result(3, Some(&counts)),
            start(3, &COMPLEX_OPERATION),
            READY.to_vec(),
        ] {
            assert_eq!(answer(3, &COMPLEX_OPERATION, &packet), Err(Garbage(packet.len())));
        }
        let other_count = Operation::Randoms { count: 1001, seed: 7 };
        assert!(answer(3, &other_count, &result(3, Some(&counts))).is_err());
        assert!(answer(3, &RANDOMS_OPERATION, &result(3, Some(&payload))).is_err());
        assert!(answer(3, &Operation::Fault(Fault::Abort), &result(3, Some(&payload))).is_err());
    }

    proptest! {
        #[test]
        fn every_operation_arrives_as_it_was_asked_for(number: u64, operation in any_operation()) {
            prop_assert_eq!(started(&start(number, &operation)), Ok((number, operation)));
        }

        #[test]
        fn a_part_of_a_packet_and_more_than_one_are_garbage(more in 1..20_usize, operation in any_operation()) {
            for packet in [start(3, &operation), result(3, Some(&RANDOMS_OPERATION.run()))] {
                let (part, longer) = (&packet[..packet.len() - more], [&packet[..], &vec![0; more]].concat());
                for bytes in [part, &longer[..]] {
                    prop_assert!(started(bytes).is_err());
                    prop_assert!(answer(3, &RANDOMS_OPERATION, bytes).is_err());
                }
            }
        }

        #[test]
        fn no_bytes_are_too_odd(bytes: Vec<u8>, operation in any_operation()) {
            drop(started(&bytes));
            drop(answer(0, &operation, &bytes));
        }
    }
}
