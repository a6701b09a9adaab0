//! The values of arguments as people write them: rates, ramps, bursts, samples, starts and header fields.

use std::{
    ops::RangeInclusive,
    time::{Duration, SystemTime},
};

use load::{Rate, Share, Verify};
use stats::clock_offset::Offset;

use super::part::MOST_PARTS;

/// One header field as written: `name: value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name, without blanks around it.
    pub name: String,
    /// Its value, likewise.
    pub value: String,
}

/// A rate that changes evenly, in requests per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ramp {
    /// At the window's start.
    pub from: f64,
    /// At its end.
    pub to: f64,
}

/// Load that comes and goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bursts {
    /// How long it comes.
    pub on: Duration,
    /// How long it does not.
    pub off: Duration,
}

impl Field {
    /// Splits at the first colon.
    ///
    /// # Errors
    /// There is no colon, or nothing before it.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some((name, value)) if !name.trim().is_empty() => {
                Ok(Self { name: name.trim().to_owned(), value: value.trim().to_owned() })
            }
            _ => Err(format!("`{text}` is no header field; write it as 'name: value'")),
        }
    }
}

/// A rate of requests, which may have an exponent or underscores.
///
/// # Errors
/// The text is no number, or none that is a rate.
pub fn rate(text: &str) -> Result<f64, String> {
    match number(text) {
        Some(0.0) => Err(format!(
            "a rate of 0 sends nothing; choose one {}, or leave it out for a closed loop",
            range_of_rates()
        )),
        Some(rate) if RATES.contains(&rate) => Ok(rate),
        Some(_) => {
            Err(format!("a rate of {text} requests per second is none; choose one {}", range_of_rates()))
        }
        None => Err(format!(
            "`{text}` is no rate; write it as 500 or 2.5e3, {} requests per second",
            range_of_rates()
        )),
    }
}

/// What can be scheduled, in requests per second.
const RATES: RangeInclusive<f64> = Rate::LEAST_PER_SECOND..=Rate::MOST_PER_SECOND;

fn range_of_rates() -> String {
    format!("from {} to {}", RATES.start(), RATES.end())
}

fn number(text: &str) -> Option<f64> {
    text.trim().replace('_', "").parse().ok()
}

/// Two rates, as in `100..2000`, of which one may be 0.
///
/// # Errors
/// There are not two, one is no rate, or both are 0.
pub fn ramp(text: &str) -> Result<Ramp, String> {
    let (from, to) = text.split_once("..").ok_or_else(|| {
        format!("`{text}` is no ramp; write it as 100..2000, with rates {}", range_of_rates())
    })?;
    let end = |text: &str| if number(text) == Some(0.0) { Ok(0.0) } else { rate(text) };
    let (from, to) = (end(from)?, end(to)?);
    if from == 0.0 && to == 0.0 {
        return Err(format!("a ramp from 0 to 0 sends nothing; choose another end {}", range_of_rates()));
    }
    Ok(Ramp { from, to })
}

/// Two lengths of time, as in `200ms,800ms`.
///
/// # Errors
/// There are not two, or one is no length of time above 0.
pub fn bursts(text: &str) -> Result<Bursts, String> {
    let (on, off) = text.split_once(',').ok_or_else(|| {
        format!("`{text}` are no bursts; write how long they last and pause, as in 200ms,800ms")
    })?;
    let length = within::time(SHORTEST_BURST..=LONGEST);
    Ok(Bursts { on: length(on)?, off: length(off)? })
}

/// Shorter than this, bursts are no more than a rate.
const SHORTEST_BURST: Duration = Duration::from_micros(1);
/// Shorter than this, nothing can be measured, waited for or spread out.
const SHORTEST: Duration = Duration::from_millis(1);
/// What takes longer than a day is a typing error.
pub const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// A length of time in which something happens.
///
/// # Errors
/// The text is none, or out of range.
pub fn time(text: &str) -> Result<Duration, String> {
    within::time(SHORTEST..=LONGEST)(text)
}

/// A length of time that may be none.
///
/// # Errors
/// The text is none, or out of range.
pub fn time_or_none(text: &str) -> Result<Duration, String> {
    within::time(Duration::ZERO..=LONGEST)(text)
}

/// One answer of so many is compared where nothing else is said.
const SAMPLE_EVERY: u32 = 100;

/// Which answers are compared: `all`, `sample`, `sample:N` or `none`.
///
/// # Errors
/// The text is none of these.
pub fn verify(text: &str) -> Result<Verify, String> {
    let unknown = || {
        format!(
            "`{text}` is none of all, sample, sample:N (one of N, from 1 to {}, such as sample:10), none",
            u32::MAX
        )
    };
    match text {
        "all" => Ok(Verify::All),
        "none" => Ok(Verify::None),
        "sample" => Ok(Verify::Sample { every: SAMPLE_EVERY }),
        _ => {
            let every =
                text.strip_prefix("sample:").and_then(|every| within::whole(1..=u32::MAX)(every).ok());
            every.map(|every| Verify::Sample { every }).ok_or_else(unknown)
        }
    }
}

/// A part of a load: `I/N`, numbered from 0.
///
/// # Errors
/// The text is none, or names a part that there is not.
pub fn part(text: &str) -> Result<Share, String> {
    let unknown = || {
        format!(
            "`{text}` is no part of a load; write it as I/N, I from 0 to N - 1 and N from 1 to {MOST_PARTS}, such as 0/3 for the first \
             of three and 2/3 for the last"
        )
    };
    let (index, of) = text.split_once('/').ok_or_else(unknown)?;
    let whole = |text: &str| within::whole(0..=MOST_PARTS)(text).map_err(|_| unknown());
    let share = Share { index: whole(index)?, of: whole(of)? };
    if share.index < share.of { Ok(share) } else { Err(unknown()) }
}

/// How far another clock is ahead of this one, and within what that is known: `-1.5ms,200us`.
///
/// # Errors
/// There are not two lengths of time, or one is out of range.
pub fn clock_offset(text: &str) -> Result<Offset, String> {
    let unknown = || {
        format!(
            "`{text}` is no offset of a clock; write how far that clock is ahead of this one, and within what that is known, as in \
             -1.5ms,200us, each up to {} h",
            LONGEST.as_secs() / 3600
        )
    };
    let ns = |text: &str| {
        let time = time_or_none(text).map_err(|_| unknown())?;
        i64::try_from(time.as_nanos()).map_err(|_| unknown())
    };
    let (offset, bound) = text.split_once(',').ok_or_else(unknown)?;
    let offset_ns = match offset.trim().strip_prefix('-') {
        Some(behind) => -ns(behind)?,
        None => ns(offset)?,
    };
    Ok(Offset { offset_ns, bound_ns: ns(bound)? })
}

/// An instant: RFC 3339, or `@` and the seconds since 1970.
///
/// # Errors
/// The text is neither, or lies beyond the year 9999.
pub fn instant(text: &str) -> Result<SystemTime, String> {
    let unknown = || {
        format!(
            "`{text}` is no instant from 1970 to the year 9999; write it as 2026-11-21T12:00:00Z, or as @SECONDS since 1970"
        )
    };
    let at = match text.strip_prefix('@') {
        Some(seconds) => {
            let seconds: f64 = seconds.parse().map_err(|_| unknown())?;
            let since = Duration::try_from_secs_f64(seconds).map_err(|_| unknown())?;
            SystemTime::UNIX_EPOCH.checked_add(since).ok_or_else(unknown)?
        }
        None => text.parse::<jiff::Timestamp>().map(SystemTime::from).map_err(|_| unknown())?,
    };
    let is_shown = at >= SystemTime::UNIX_EPOCH && jiff::Timestamp::try_from(at).is_ok();
    if is_shown { Ok(at) } else { Err(unknown()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_may_be_written_as_people_write_numbers() {
        assert_eq!([rate("500"), rate("2.5e3"), rate("1_000")], [Ok(500.0), Ok(2_500.0), Ok(1_000.0)]);
        assert_eq!([rate("1e-6"), rate("1e7")], [Ok(1e-6), Ok(1e7)]);
        assert!(rate("0").unwrap_err().starts_with("a rate of 0 sends nothing; choose one from 0.000001 to"));
        for text in ["-1", "NaN", "inf", "1e9", "1e-300", "1e300", "18446744073709551615"] {
            let refusal = rate(text).unwrap_err();
            assert!(refusal.contains("is none; choose one from 0.000001 to 10000000"), "{refusal}");
        }
        assert!(rate("fast").unwrap_err().contains("`fast` is no rate"));
    }

    #[test]
    fn a_ramp_may_start_or_end_at_nothing_but_not_both() {
        assert_eq!(ramp("0..2e3"), Ok(Ramp { from: 0.0, to: 2_000.0 }));
        assert_eq!(ramp("100..0"), Ok(Ramp { from: 100.0, to: 0.0 }));
        for text in ["0..0", "100", "1..", "-1..5", "0..NaN", "1..1e300", "1e-300..5", "inf..1"] {
            assert!(ramp(text).unwrap_err().contains("from 0.000001 to 10000000"), "{text}");
        }
    }

    #[test]
    fn bursts_are_two_lengths_of_time() {
        let expected = Bursts { on: Duration::from_millis(200), off: Duration::from_secs(1) };
        assert_eq!(bursts("200ms,1s"), Ok(expected));
        assert!(bursts("200ms").unwrap_err().contains("as in 200ms,800ms"));
        for text in ["0s,1s", "1s,0s", "1s,2 parsecs", "1s,25h", "-1,1", "1ns,1s", "1,9223372036854775807"] {
            assert!(bursts(text).unwrap_err().ends_with("time from 1us to 24h"), "{text}");
        }
    }

    #[test]
    fn answers_are_compared_all_some_or_not_at_all() {
        assert_eq!(verify("all"), Ok(Verify::All));
        assert_eq!(verify("sample"), Ok(Verify::Sample { every: 100 }));
        assert_eq!(verify("sample:7"), Ok(Verify::Sample { every: 7 }));
        assert_eq!(verify("none"), Ok(Verify::None));
        for text in ["some", "sample:0", "sample:", "sample:-1", "sample:4294967296", "sample:NaN"] {
            assert!(verify(text).unwrap_err().contains(&format!("`{text}` is none of")), "{text}");
        }
    }

    #[test]
    fn parts_are_numbered_from_0() {
        assert_eq!(part("0/2"), Ok(Share { index: 0, of: 2 }));
        assert_eq!(part("999/1000"), Ok(Share { index: 999, of: 1_000 }));
        for text in
            ["", "1", "3/2", "2/2", "0/0", "-1/2", "1/1001", "1/", "/2", "a/b", "0/2/3", "NaN", "1.0/2"]
        {
            let refusal = part(text).unwrap_err();
            assert!(
                refusal.starts_with(&format!("`{text}` is no part of a load; write it as I/N")),
                "{refusal}"
            );
        }
    }

    #[test]
    fn an_offset_of_a_clock_has_a_sign_and_a_bound() {
        let offset = |offset_ns, bound_ns| Ok(Offset { offset_ns, bound_ns });
        assert_eq!(clock_offset("-1.5ms,200us"), offset(-1_500_000, 200_000));
        assert_eq!(clock_offset("3s,0"), offset(3_000_000_000, 0));
        for text in ["", "3s", "3s,-1ms", "--3s,1ms", "25h,1s", "1s,25h", "x,1s", "NaN,1", "1e300,1"] {
            assert!(clock_offset(text).unwrap_err().contains("each up to 24 h"), "{text}");
        }
    }

    #[test]
    fn an_instant_is_a_date_or_seconds() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_262_400_500);
        assert_eq!(instant("@1795262400.5"), Ok(at));
        assert_eq!(instant("2026-11-21T12:00:00.5Z"), Ok(at));
        assert_eq!(instant("2026-11-21T13:00:00.5+01:00"), Ok(at));
        for text in
            ["", "@", "@-1", "@NaN", "@inf", "@1e300", "@1e12", "@9223372036854775807", "noon", "2026-11-21"]
        {
            assert!(instant(text).unwrap_err().contains(&format!("`{text}` is no instant")), "{text}");
        }
    }
}
