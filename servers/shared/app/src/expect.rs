//! What a client must get.
//!
//! Bodies are checked while the load runs, at the full rate of the generator, so the common case is a scan
//! over the bytes that allocates nothing. Whatever that scan does not understand goes to the full JSON
//! parser: the scan may be ignorant, never lenient.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use crate::operation::Operation;
use crate::randoms::Frequencies;
use crate::sum;

/// The right answer to an operation, known without asking a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expectation(Right);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Right {
    Payload(u64),
    Randoms { count: u32, seed: u32, frequencies: Vec<(u32, u32)> },
    Nothing,
}

impl Expectation {
    /// Works the answer out: sums by their formula, random draws by drawing them (once, here). No answer to a fault is right.
    pub fn of(operation: &Operation) -> Self {
        Self(match *operation {
            Operation::Simple => Right::Payload(sum::closed_form(Operation::SIMPLE_ITERATIONS)),
            Operation::Complex { iterations } => Right::Payload(sum::closed_form(iterations)),
            Operation::Delay { milliseconds } => Right::Payload(milliseconds),
            Operation::Randoms { count, seed } => {
                let frequencies = Frequencies::draw(seed, 0, count).iter().collect();
                Right::Randoms { count, seed, frequencies }
            }
            Operation::Fault(_) => Right::Nothing,
        })
    }

    /// Whether `body` is the right answer, whoever gave it: blanks, the order of the outer keys, and keys
    /// that the contract does not name are of no concern. It must be one whole JSON object and nothing
    /// after it.
    ///
    /// # Errors
    ///
    /// What is wrong, with the right value and the one found.
    pub fn matches(&self, body: &[u8]) -> Result<(), String> {
        match &self.0 {
            Right::Payload(expected) => {
                let payload = match scan_payload(body) {
                    Some(payload) => payload,
                    None => parse::<PayloadBody>(body)?.payload,
                };
                same("payload", payload, *expected)
            }
            Right::Randoms { count, seed, frequencies } => {
                let found: RandomsBody = parse(body)?;
                same("count", found.count, u64::from(*count))?;
                same("seed", found.seed, u64::from(*seed))?;
                same_frequencies(&found.frequencies.0, frequencies)
            }
            Right::Nothing => Err("an operation that was to go wrong has an answer".to_owned()),
        }
    }
}

fn same(what: &str, found: u64, expected: u64) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what} is {found}, not {expected}")) }
}

fn same_frequencies(found: &[(u32, u32)], expected: &[(u32, u32)]) -> Result<(), String> {
    for (position, expected) in expected.iter().enumerate() {
        match found.get(position) {
            Some(found) if found == expected => {}
            Some(found) => {
                return Err(format!(
                    "frequencies have {}: {} where {}: {} belongs",
                    found.0, found.1, expected.0, expected.1
                ));
            }
            None => return Err(format!("frequencies end before {}: {}", expected.0, expected.1)),
        }
    }
    match found.get(expected.len()) {
        Some(surplus) => Err(format!("frequencies go on with {}: {}", surplus.0, surplus.1)),
        None => Ok(()),
    }
}

#[derive(Deserialize)]
struct PayloadBody {
    payload: u64,
}

#[derive(Deserialize)]
struct RandomsBody {
    count: u64,
    seed: u64,
    frequencies: Pairs,
}

/// A JSON object's entries in the order in which they were written.
struct Pairs(Vec<(u32, u32)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object from numbers to their counts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// How much of a wrong body is quoted, in bytes.
const QUOTED_BYTES: usize = 120;

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, String> {
    // The derived readers would also take an array of the fields' values.
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(format!("not a JSON object: {}", quoted(body)));
    }
    // JSON is UTF-8 throughout, but values that are passed over would not be looked at.
    let text = std::str::from_utf8(body).map_err(|error| format!("{error}: {}", quoted(body)))?;
    serde_json::from_str(text).map_err(|error| format!("{error}: {}", quoted(body)))
}

fn quoted(body: &[u8]) -> String {
    let start = String::from_utf8_lossy(&body[..body.len().min(QUOTED_BYTES)]);
    if body.len() > QUOTED_BYTES { format!("{start:?}...") } else { format!("{start:?}") }
}

/// The payload of a flat object whose values are plain strings and unsigned integers; `None` for anything
/// else, right or wrong.
fn scan_payload(body: &[u8]) -> Option<u64> {
    let mut scan = Scan { rest: body };
    let mut payload = None;
    scan.token(b'{')?;
    loop {
        let key = scan.string()?;
        scan.token(b':')?;
        if scan.peek()? == b'"' {
            scan.string()?;
            // A payload in quotes is wrong; the full parser says so.
            if key == b"payload" {
                return None;
            }
        } else {
            let number = scan.integer()?;
            if key == b"payload" && payload.replace(number).is_some() {
                return None;
            }
        }
        match scan.peek()? {
            b',' => scan.token(b',')?,
            _ => break,
        }
    }
    scan.token(b'}')?;
    scan.skip_blanks();
    if scan.rest.is_empty() { payload } else { None }
}

/// What is left of a body.
struct Scan<'a> {
    rest: &'a [u8],
}

impl<'a> Scan<'a> {
    fn skip_blanks(&mut self) {
        while let [b' ' | b'\t' | b'\r' | b'\n', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    /// The next byte that is not blank, which stays.
    fn peek(&mut self) -> Option<u8> {
        self.skip_blanks();
        self.rest.first().copied()
    }

    fn token(&mut self, byte: u8) -> Option<()> {
        if self.peek()? != byte {
            return None;
        }
        self.rest = &self.rest[1..];
        Some(())
    }

    /// A string without escapes, in printable ASCII.
    fn string(&mut self) -> Option<&'a [u8]> {
        self.token(b'"')?;
        let rest = self.rest;
        let plain = |&byte: &u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
        let length = rest.iter().position(|byte| !plain(byte))?;
        let (text, after) = rest.split_at(length);
        self.rest = after.strip_prefix(b"\"")?;
        Some(text)
    }

    /// Digits without a leading zero; what follows must not continue a number.
    fn integer(&mut self) -> Option<u64> {
        self.skip_blanks();
        let rest = self.rest;
        let length = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
        let (digits, after) = rest.split_at(length);
        if digits.is_empty() || (digits[0] == b'0' && length > 1) {
            return None;
        }
        if matches!(after.first(), Some(b'.' | b'e' | b'E')) {
            return None;
        }
        self.rest = after;
        digits
            .iter()
            .try_fold(0_u64, |value, &digit| value.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SIMPLE: Expectation = Expectation(Right::Payload(499_500));

    #[test]
    fn the_formula_expects_what_the_loop_gives() {
        for operation in [
            Operation::Simple,
            Operation::Complex { iterations: 0 },
            Operation::Complex { iterations: 1 },
            Operation::Complex { iterations: 10_001 },
            Operation::Delay { milliseconds: 3 },
            Operation::Randoms { count: 5_000, seed: 9 },
            Operation::Randoms { count: 0, seed: 9 },
        ] {
            assert_eq!(Expectation::of(&operation).matches(&operation.run().body("o", "w")), Ok(()));
        }
    }

    #[test]
    fn blanks_order_and_other_keys_do_not_matter() {
        for body in [
            r#"{"payload":499500}"#,
            " \r\n{ \"payload\" :\t499500 , \"origin\":\"x\" }\n",
            r#"{"worker":"t1","payload":499500,"origin":"x","pid":7}"#,
            r#"{"origin":"a\"b","worker":"\u00e9","payload":499500}"#,
            r#"{"origin":"é","nested":{"payload":1,"list":[1,2]},"payload":499500,"flag":true,"x":-1.5e3}"#,
        ] {
            assert_eq!(SIMPLE.matches(body.as_bytes()), Ok(()), "{body}");
        }
    }

    #[test]
    fn wrong_bodies_are_refused() {
        for body in [
            "",
            " ",
            "499500",
            "[499500]",
            "null",
            "ok",
            "{}",
            r#"{"payload":499501}"#,
            r#"{"payload":"499500"}"#,
            r#"{"payload":499500.0}"#,
            r#"{"payload":4.995e5}"#,
            r#"{"payload":0499500}"#,
            r#"{"payload":-499500}"#,
            r#"{"payload":null}"#,
            r#"{"payload":499500"#,
            r#"{"payload":499500,}"#,
            r#"{"payload":499500}}"#,
            r#"{"payload":499500} x"#,
            r#"{"payload":499500,"payload":499500}"#,
            r#"{"payload":1,"payload":499500}"#,
            r#"{"Payload":499500}"#,
            r#"{"nested":{"payload":499500}}"#,
            r#"{"origin":"payload\":499500"}"#,
            "{'payload':499500}",
            r#"{"payload":18446744073709551617}"#,
        ] {
            assert!(SIMPLE.matches(body.as_bytes()).is_err(), "{body}");
        }
        assert!(SIMPLE.matches(b"{\"origin\":\"\xff\",\"payload\":499500}").is_err());
        assert!(SIMPLE.matches(b"{\"origin\":\"\n\",\"payload\":499500}").is_err());
    }

    #[test]
    fn a_refusal_names_both_values() {
        assert_eq!(SIMPLE.matches(br#"{"payload":7}"#).unwrap_err(), "payload is 7, not 499500");
        assert!(SIMPLE.matches(b"<html>").unwrap_err().contains("<html>"));
    }

    #[test]
    fn wrong_frequencies_are_refused_with_the_place() {
        let expectation = Expectation::of(&Operation::Randoms { count: 2, seed: 7 });
        let refusal = |text: &str| expectation.matches(text.as_bytes()).unwrap_err();
        let good = r#"{"count":2,"seed":7,"frequencies":{"533":1,"691":1}}"#;
        assert_eq!(expectation.matches(good.as_bytes()), Ok(()));
        let body = |frequencies| format!(r#"{{"count":2,"seed":7,"frequencies":{frequencies}}}"#);
        assert_eq!(refusal(&body(r#"{"533":2}"#)), "frequencies have 533: 2 where 533: 1 belongs");
        assert_eq!(refusal(&body(r#"{"533":1}"#)), "frequencies end before 691: 1");
        assert_eq!(refusal(&body(r#"{"533":1,"691":1,"692":0}"#)), "frequencies go on with 692: 0");
        assert_eq!(refusal(&body(r#"{"691":1,"533":1}"#)), "frequencies have 691: 1 where 533: 1 belongs");
        assert_eq!(refusal(&good.replace(r#""seed":7"#, r#""seed":8"#)), "seed is 8, not 7");
        assert_eq!(refusal(&good.replace(r#""count":2"#, r#""count":3"#)), "count is 3, not 2");
        assert!(refusal(&body("[1,1]")).contains("an object from numbers"), "{}", refusal(&body("[1,1]")));
    }

    /// Text that is nearly the body of an answer.
    fn nearly_a_body() -> impl Strategy<Value = String> {
        let token = prop_oneof![
            5 => Just("\"payload\""),
            5 => Just("\"origin\""),
            10 => Just(":"),
            5 => Just(","),
            5 => Just("{"),
            5 => Just("}"),
            10 => Just("499500"),
            2 => Just("0"),
            1 => Just("."),
            1 => Just("-"),
            1 => Just("\\"),
            1 => Just("\""),
            1 => Just("[1]"),
            1 => Just(" "),
        ];
        proptest::collection::vec(token, 0..12).prop_map(|tokens| tokens.concat())
    }

    proptest! {
        #[test]
        fn the_scan_accepts_nothing_that_the_full_parser_refuses(body in nearly_a_body()) {
            if let Some(payload) = scan_payload(body.as_bytes()) {
                let parsed: PayloadBody = parse(body.as_bytes()).unwrap();
                prop_assert_eq!(payload, parsed.payload);
            }
        }

        #[test]
        fn any_bytes_are_judged_without_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(SIMPLE.matches(&body).is_err());
        }

        #[test]
        fn every_truncation_and_every_other_payload_is_refused(iterations in 0..4_000_u64, change in 1..9_u64) {
            let operation = Operation::Complex { iterations };
            let expectation = Expectation::of(&operation);
            let body = operation.run().body("origin", "t0");
            for length in 0..body.len() {
                prop_assert!(expectation.matches(&body[..length]).is_err());
            }
            let other = Expectation::of(&Operation::Delay { milliseconds: sum::closed_form(iterations) + change });
            prop_assert!(other.matches(&body).is_err());
            prop_assert!(expectation.matches(&[&body[..], b"0"].concat()).is_err());
        }

        #[test]
        fn our_own_answers_take_the_short_way(iterations in any::<u32>(), worker in "[a-z][0-9]{1,3}") {
            let payload = sum::closed_form(u64::from(iterations));
            let body = crate::Answer::Payload(payload).body("work-stealing", &worker);
            prop_assert_eq!(scan_payload(&body), Some(payload));
        }

        #[test]
        fn random_answers_match_their_own_parameters_only(seed in any::<u32>(), count in 1..500_u32) {
            let operation = Operation::Randoms { count, seed };
            let body = operation.run().body("o", "w");
            prop_assert!(Expectation::of(&operation).matches(&body).is_ok());
            let fewer = Expectation::of(&Operation::Randoms { count: count - 1, seed });
            prop_assert!(fewer.matches(&body).is_err());
            prop_assert!(Expectation::of(&operation).matches(&body[..body.len() - 1]).is_err());
        }
    }
}
