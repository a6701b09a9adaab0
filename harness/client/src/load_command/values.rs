//! The values of arguments as people write them: rates, ramps, bursts, samples, starts and header fields.

use std::time::{Duration, SystemTime};

use load::Verify;

/// What `load::Plan` can schedule, in requests per second.
const HIGHEST_RATE: f64 = 1e9;

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

/// A rate of requests above 0, which may have an exponent or underscores.
///
/// # Errors
/// The text is no number, or none that is a rate.
pub fn rate(text: &str) -> Result<f64, String> {
    let rate = rate_or_zero(text)?;
    if rate == 0.0 {
        return Err(
            "a rate of 0 sends nothing; choose one above 0, or leave it out for a closed loop".to_owned()
        );
    }
    Ok(rate)
}

fn rate_or_zero(text: &str) -> Result<f64, String> {
    let rate: f64 = text
        .trim()
        .replace('_', "")
        .parse()
        .map_err(|_| format!("`{text}` is no rate; write it as 500 or 2.5e3, in requests per second"))?;
    if (0.0..=HIGHEST_RATE).contains(&rate) {
        Ok(rate)
    } else {
        Err(format!("a rate of {text} requests per second is none; choose one above 0 and up to 1e9"))
    }
}

/// Two rates, as in `100..2000`, of which one may be 0.
///
/// # Errors
/// There are not two, one is no rate, or both are 0.
pub fn ramp(text: &str) -> Result<Ramp, String> {
    let (from, to) =
        text.split_once("..").ok_or_else(|| format!("`{text}` is no ramp; write it as 100..2000"))?;
    let (from, to) = (rate_or_zero(from)?, rate_or_zero(to)?);
    if from == 0.0 && to == 0.0 {
        return Err("a ramp from 0 to 0 sends nothing; choose another end".to_owned());
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
    let bursts = Bursts { on: duration::parse(on)?, off: duration::parse(off)? };
    if bursts.on.is_zero() || bursts.off.is_zero() {
        return Err(
            "bursts and pauses last longer than 0; for load without pauses leave --bursts out".to_owned()
        );
    }
    Ok(bursts)
}

/// A window longer than this is a typing error.
pub const LONGEST_WINDOW: Duration = Duration::from_secs(24 * 3600);

/// How long is measured.
///
/// # Errors
/// The text is no duration, or one that measures nothing or has no end.
pub fn window(text: &str) -> Result<Duration, String> {
    let window = duration::parse(text)?;
    if window.is_zero() || window > LONGEST_WINDOW {
        return Err(format!("a window of {window:?} is not above 0 and up to {LONGEST_WINDOW:?}"));
    }
    Ok(window)
}

/// A length of time above 0.
///
/// # Errors
/// The text is none.
pub fn above_zero(text: &str) -> Result<Duration, String> {
    let time = duration::parse(text)?;
    if time.is_zero() { Err(format!("`{text}` is too short; choose a time above 0")) } else { Ok(time) }
}

/// One answer of so many is compared where nothing else is said.
const SAMPLE_EVERY: u32 = 100;

/// Which answers are compared: `all`, `sample`, `sample:N` or `none`.
///
/// # Errors
/// The text is none of these.
pub fn verify(text: &str) -> Result<Verify, String> {
    let unknown = || format!("`{text}` is none of all, sample, sample:N (one of N, such as sample:10), none");
    match text {
        "all" => Ok(Verify::All),
        "none" => Ok(Verify::None),
        "sample" => Ok(Verify::Sample { every: SAMPLE_EVERY }),
        _ => {
            let every = text.strip_prefix("sample:").and_then(|every| every.parse().ok());
            every.filter(|&every| every > 0).map(|every| Verify::Sample { every }).ok_or_else(unknown)
        }
    }
}

/// An instant: RFC 3339, or `@` and the seconds since 1970.
///
/// # Errors
/// The text is neither, or lies beyond what this machine's clock can show.
pub fn instant(text: &str) -> Result<SystemTime, String> {
    let unknown =
        || format!("`{text}` is no instant; write it as 2026-11-21T12:00:00Z, or as @SECONDS since 1970");
    match text.strip_prefix('@') {
        Some(seconds) => {
            let seconds: f64 = seconds.parse().map_err(|_| unknown())?;
            let since = Duration::try_from_secs_f64(seconds).map_err(|_| unknown())?;
            SystemTime::UNIX_EPOCH.checked_add(since).ok_or_else(unknown)
        }
        None => text.parse::<jiff::Timestamp>().map(SystemTime::from).map_err(|_| unknown()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_may_be_written_as_people_write_numbers() {
        assert_eq!([rate("500"), rate("2.5e3"), rate("1_000")], [Ok(500.0), Ok(2_500.0), Ok(1_000.0)]);
        assert!(rate("0").unwrap_err().starts_with("a rate of 0 sends nothing; choose one above 0"));
        for text in ["-1", "NaN", "inf", "2e9"] {
            assert!(rate(text).unwrap_err().contains("requests per second is none"), "{text}");
        }
        assert!(rate("fast").unwrap_err().contains("`fast` is no rate"));
    }

    #[test]
    fn a_ramp_may_start_or_end_at_nothing_but_not_both() {
        assert_eq!(ramp("0..2e3"), Ok(Ramp { from: 0.0, to: 2_000.0 }));
        assert_eq!(ramp("100..0"), Ok(Ramp { from: 100.0, to: 0.0 }));
        for text in ["0..0", "100", "1..", "-1..5"] {
            assert!(ramp(text).is_err(), "{text}");
        }
    }

    #[test]
    fn bursts_are_two_lengths_of_time() {
        let expected = Bursts { on: Duration::from_millis(200), off: Duration::from_secs(1) };
        assert_eq!(bursts("200ms,1s"), Ok(expected));
        for text in ["200ms", "0s,1s", "1s,0s", "1s,2 parsecs"] {
            assert!(bursts(text).is_err(), "{text}");
        }
    }

    #[test]
    fn answers_are_compared_all_some_or_not_at_all() {
        assert_eq!(verify("all"), Ok(Verify::All));
        assert_eq!(verify("sample"), Ok(Verify::Sample { every: 100 }));
        assert_eq!(verify("sample:7"), Ok(Verify::Sample { every: 7 }));
        assert_eq!(verify("none"), Ok(Verify::None));
        for text in ["some", "sample:0", "sample:", "sample:-1"] {
            assert!(verify(text).unwrap_err().contains(&format!("`{text}` is none of")), "{text}");
        }
    }

    #[test]
    fn an_instant_is_a_date_or_seconds() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_262_400_500);
        assert_eq!(instant("@1795262400.5"), Ok(at));
        assert_eq!(instant("2026-11-21T12:00:00.5Z"), Ok(at));
        assert_eq!(instant("2026-11-21T13:00:00.5+01:00"), Ok(at));
        for text in ["", "@", "@-1", "@NaN", "@1e300", "noon", "2026-11-21"] {
            assert!(instant(text).unwrap_err().contains(&format!("`{text}` is no instant")), "{text}");
        }
    }
}
