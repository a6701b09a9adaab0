//! A load in one line, as a person says it: `simple=900/s, complex(5ms)=240/s`.
//!
//! ```text
//! load  = part *( "," part )
//! part  = operation [ "(" time ")" ] "=" rate "/s"
//! ```
//!
//! An operation is one that a scenario can ask for. The expensive ones have the time that one request takes at concurrency 1, by which they
//! are calibrated; a rate is a number of requests per second, which may have an exponent or underscores.

use std::{str::FromStr, time::Duration};

use crate::{plan::pointed::Pointed, registry::OperationName};

/// A load as it was said.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadLine {
    /// As it was written.
    pub text: String,
    /// Its parts, in their order.
    pub parts: Vec<Part>,
}

/// One kind of request of a load.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// What is asked for.
    pub operation: OperationName,
    /// How long one takes at concurrency 1; none of the cheap one.
    pub service_time: Option<Duration>,
    /// How many a second.
    pub per_second: f64,
}

/// What a line looks like.
pub const EXAMPLE: &str = "simple=900/s, complex(5ms)=240/s";

/// What takes longer than a minute is no request that anybody waits for in a race.
const TIMES: std::ops::RangeInclusive<Duration> = Duration::from_micros(1)..=Duration::from_secs(60);
/// As many streams as a table has room for.
const MOST_PARTS: usize = 8;

/// # Errors
/// [`Pointed`] at the first thing that is wrong.
impl FromStr for LoadLine {
    type Err = Pointed;

    fn from_str(text: &str) -> Result<Self, Pointed> {
        let mut parts: Vec<Part> = Vec::new();
        let mut at = 0;
        for written in text.split(',') {
            let begins = at + written.len() - written.trim_start().len();
            let part = read_part(text, written.trim(), begins)?;
            let is_same =
                |other: &Part| (other.operation, other.service_time) == (part.operation, part.service_time);
            if parts.iter().any(is_same) {
                return Err(refused(
                    text,
                    begins,
                    "this is said twice: add up the rates, or give another time",
                ));
            }
            if parts.len() == MOST_PARTS {
                return Err(refused(text, begins, format!("a load has {MOST_PARTS} parts at most")));
            }
            parts.push(part);
            at += written.len() + 1;
        }
        Ok(Self { text: text.trim().to_owned(), parts })
    }
}

fn refused(text: &str, at: usize, reason: impl Into<String>) -> Pointed {
    Pointed::new(text, at, reason, EXAMPLE)
}

/// One part, which begins at byte `at` of `text`.
fn read_part(text: &str, part: &str, at: usize) -> Result<Part, Pointed> {
    if part.is_empty() {
        return Err(refused(text, at, "an operation with its rate is missing"));
    }
    let Some((asked, rate)) = part.split_once('=') else {
        return Err(refused(text, at + part.len(), "a rate is missing, after a `=`"));
    };
    let (operation, service_time) = read_operation(text, asked.trim_end(), at)?;
    let rate_at = at + asked.len() + 1 + rate.len() - rate.trim_start().len();
    let per_second = read_rate(text, rate.trim(), rate_at)?;
    Ok(Part { operation, service_time, per_second })
}

fn read_operation(text: &str, asked: &str, at: usize) -> Result<(OperationName, Option<Duration>), Pointed> {
    let (name, time) = match asked.split_once('(') {
        Some((name, time)) => (name, Some(time)),
        None => (asked, None),
    };
    let Some(operation) = operation(name.trim_end()) else {
        let known: Vec<String> = OperationName::ALL.into_iter().map(written).collect();
        let reason = format!("`{}` is no operation of a load ({})", name.trim_end(), known.join(", "));
        return Err(refused(text, at, reason));
    };
    let (needs_time, time_at) = (operation != OperationName::Simple, at + name.len());
    let Some(time) = time else {
        return match needs_time {
            false => Ok((operation, None)),
            true => {
                let name = written(operation);
                Err(refused(text, time_at, format!("{name} has the time that one takes, as in {name}(5ms)")))
            }
        };
    };
    if !needs_time {
        return Err(refused(
            text,
            time_at,
            format!("{} is always the same and has no time", written(operation)),
        ));
    }
    let Some(inner) = time.strip_suffix(')') else {
        return Err(refused(text, at + asked.len(), "a `)` is missing"));
    };
    let inner_at = time_at + 1 + inner.len() - inner.trim_start().len();
    match duration::parse(inner) {
        Ok(time) if operation == OperationName::Delay && !time.subsec_nanos().is_multiple_of(1_000_000) => {
            Err(refused(text, inner_at, "a delay is of whole milliseconds"))
        }
        Ok(time) if TIMES.contains(&time) && !inner.trim().is_empty() => Ok((operation, Some(time))),
        Ok(_) => Err(refused(text, inner_at, "a request takes from 1us to 1m")),
        Err(reason) => Err(refused(text, inner_at, reason)),
    }
}

fn read_rate(text: &str, rate: &str, at: usize) -> Result<f64, Pointed> {
    let Some(number) = rate.strip_suffix("/s") else {
        return Err(refused(text, at + rate.len(), "a rate is so many requests a second, as in 900/s"));
    };
    let (least, most) = (load::Rate::LEAST_PER_SECOND, load::Rate::MOST_PER_SECOND);
    match number.trim().replace('_', "").parse::<f64>() {
        Ok(rate) if (least..=most).contains(&rate) => Ok(rate),
        Ok(_) => Err(refused(text, at, format!("a rate lies from {least} to {most} requests per second"))),
        Err(_) => Err(refused(text, at, format!("`{}` is no number", number.trim()))),
    }
}

/// An operation by the name that files have for it.
fn operation(name: &str) -> Option<OperationName> {
    OperationName::ALL.into_iter().find(|operation| written(*operation) == name)
}

/// How files write an operation.
pub(super) fn written(operation: OperationName) -> String {
    format!("{operation:?}").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_is_read_as_people_write_it() {
        let complex = |ms| (OperationName::Complex, Some(Duration::from_millis(ms)));
        let simple = (OperationName::Simple, None);
        let read = |text: &str| {
            let line: LoadLine = text.parse().unwrap_or_else(|error| panic!("{error}"));
            let part = |part: Part| ((part.operation, part.service_time), part.per_second);
            line.parts.into_iter().map(part).collect::<Vec<_>>()
        };
        assert_eq!(read(EXAMPLE), [(simple, 900.0), (complex(5), 240.0)]);
        assert_eq!(read(" simple = 1.5e3 /s "), [(simple, 1_500.0)]);
        assert_eq!(
            read("complex( 5ms )=1_000/s,complex(50ms)=0.5/s"),
            [(complex(5), 1_000.0), (complex(50), 0.5)]
        );
    }

    #[test]
    fn what_cannot_be_read_is_pointed_at_with_the_grammar_by_example() {
        let refused = [
            ("", 0, "an operation with its rate is missing"),
            ("simple=9/s,", 11, "an operation with its rate is missing"),
            ("simple=9/s, , simple=1/s", 12, "an operation with its rate is missing"),
            ("simple", 6, "a rate is missing"),
            ("simple=900", 10, "as in 900/s"),
            ("simple=/s", 7, "`` is no number"),
            ("simple=fast/s", 7, "`fast` is no number"),
            ("simple=0/s", 7, "from 0.000001 to 10000000"),
            ("simple=-1/s", 7, "from 0.000001 to 10000000"),
            ("simple=nan/s", 7, "from 0.000001 to 10000000"),
            ("simple=1e9/s", 7, "from 0.000001 to 10000000"),
            (
                "simple=900/s, complx(5ms)=240/s",
                14,
                "`complx` is no operation of a load (simple, complex, randoms",
            ),
            ("simple(5ms)=1/s", 6, "has no time"),
            ("complex=1/s", 7, "as in complex(5ms)"),
            ("complex(5ms=1/s", 11, "a `)` is missing"),
            ("complex(soon)=1/s", 8, "`soon` is no duration"),
            ("complex()=1/s", 8, "no duration"),
            ("complex(0)=1/s", 8, "from 1us to 1m"),
            ("delay(1.5ms)=1/s", 6, "a delay is of whole milliseconds"),
            ("simple=1/s, simple=2/s", 12, "said twice"),
            ("simple=1/s; complex(5ms)=1/s", 7, "is no number"),
            ("é=1/s", 0, "`é` is no operation"),
        ];
        for (text, column, expected) in refused {
            let said = text.parse::<LoadLine>().unwrap_err().to_string();
            let lines: Vec<&str> = said.lines().collect();
            assert!(lines[0].contains(expected), "{text}: {said}");
            assert_eq!(lines[1], format!("  {text}"));
            assert_eq!(lines[2], format!("  {:column$}^", ""), "{said}");
            assert_eq!(lines[3], "  as in: simple=900/s, complex(5ms)=240/s");
        }
    }
}
