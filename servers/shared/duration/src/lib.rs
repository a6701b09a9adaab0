//! Durations as people write them: `500ms`, `4s`, `1.5s`, `2m`, `1h 30m`, and bare seconds.
//!
//! One grammar for every argument of a server and of the harness, for the registry, the scenarios and the records: jiff's
//! friendly format, in which each number has its unit, and beside it a bare number of seconds. Which durations make sense
//! somewhere, such as none of zero, is said there.

use std::time::Duration;

use jiff::fmt::friendly::SpanParser;
use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

/// What a message about a wrong one ends with.
const ALLOWED: &str = "write it as 500ms, 4s, 1.5s, 2m or 1h 30m; a number alone is seconds";

/// Reads a duration: numbers with their units (`ns`, `us`, `ms`, `s`, `m`, `h`, or in words), of which the last may have a
/// fraction; a bare number is seconds.
///
/// ```
/// use std::time::Duration;
///
/// assert_eq!(duration::parse("1m 30s"), Ok(Duration::from_secs(90)));
/// assert_eq!(duration::parse("0.25"), Ok(Duration::from_millis(250)));
/// assert!(duration::parse("-1s").is_err());
/// ```
///
/// # Errors
/// The text is none of this, or negative, or too large; the message names it and says what is allowed.
pub fn parse(text: &str) -> Result<Duration, String> {
    let written = text.trim();
    let is_bare = written.chars().all(|c| c.is_ascii_digit() || ".-".contains(c));
    let with_unit = if is_bare { format!("{written}s") } else { written.to_owned() };
    let read = SpanParser::new()
        .parse_duration(&with_unit)
        .map_err(|_| format!("`{text}` is no duration: {ALLOWED}"))?;
    Duration::try_from(read).map_err(|_| format!("`{text}` is no duration: it is negative; {ALLOWED}"))
}

/// For serde: durations as text.
///
/// # Errors
/// See [`parse`].
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// For serde: the shortest text that reads back as the same duration.
///
/// # Errors
/// What the serializer reports.
pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{duration:?}").to_string().replace('µ', "u"))
}

/// The same for a duration that may be absent.
pub mod optional {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    /// See [`super::deserialize`].
    ///
    /// # Errors
    /// See [`super::parse`].
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| super::parse(&text).map_err(D::Error::custom)).transpose()
    }

    /// See [`super::serialize`].
    ///
    /// # Errors
    /// What the serializer reports.
    pub fn serialize<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => super::serialize(duration, serializer),
            None => serializer.serialize_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Serialize;

    use super::*;

    fn written(duration: Duration) -> String {
        let mut json = serde_json::Serializer::new(Vec::new());
        serialize(&duration, &mut json).unwrap();
        let quoted = String::from_utf8(json.into_inner()).unwrap();
        quoted.trim_matches('"').to_owned()
    }

    #[test]
    fn units_are_understood_and_a_bare_number_is_seconds() {
        for (text, ns) in [
            ("0ns", 0),
            ("0", 0),
            ("250us", 250_000),
            ("500ms", 500_000_000),
            ("1.5ms", 1_500_000),
            ("4", 4_000_000_000),
            ("1.5", 1_500_000_000),
            (" 10s ", 10_000_000_000),
            ("10 s", 10_000_000_000),
            ("2m", 120_000_000_000),
            ("0.5m", 30_000_000_000),
            ("1h 30m", 5_400_000_000_000),
            ("1h30m", 5_400_000_000_000),
            ("2 minutes, 3.5 seconds", 123_500_000_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_nanos(ns)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_with_its_text_and_what_is_allowed() {
        let texts = [
            "",
            " ",
            "s",
            "ms",
            "soon",
            "-1s",
            "-1",
            "1s ago",
            "4 parsecs",
            "1d",
            "1 month",
            "1m 30",
            "1s 1s",
            "1e3",
            "1e400s",
            "NaN",
            "NaNs",
            "inf",
            "infinity s",
            "1.",
            "1..2",
            "0x10",
            "1_000",
            "9223372036854775808",
            "18446744073709551616s",
            "9999999999999999999m",
            "1s\n2",
            "４s",
        ];
        for text in texts {
            let error = parse(text).expect_err(text);
            assert!(error.starts_with(&format!("`{text}` is no duration: ")), "{error}");
            assert!(error.ends_with(ALLOWED), "{error}");
        }
        assert!(parse("-1s").unwrap_err().contains("it is negative"));
    }

    #[test]
    fn what_is_written_is_what_records_have_always_said() {
        for (duration, text) in [
            (Duration::ZERO, "0ns"),
            (Duration::from_nanos(1_500), "1.5us"),
            (Duration::from_micros(50_500), "50.5ms"),
            (Duration::from_millis(3_500), "3.5s"),
            (Duration::from_secs(120), "120s"),
        ] {
            assert_eq!(written(duration), text);
        }
    }

    #[test]
    fn a_duration_that_may_be_absent_is_read_and_written_alike() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Stream {
            #[serde(with = "optional", default)]
            service_time: Option<Duration>,
        }
        for (service_time, text) in [
            (Some(Duration::from_millis(5)), r#"{"service_time":"5ms"}"#),
            (None, r#"{"service_time":null}"#),
        ] {
            let stream = Stream { service_time };
            assert_eq!(serde_json::to_string(&stream).unwrap(), text);
            assert_eq!(serde_json::from_str::<Stream>(text).unwrap(), stream);
        }
        let error = serde_json::from_str::<Stream>(r#"{"service_time":"soon"}"#).unwrap_err();
        assert!(error.to_string().contains("`soon` is no duration"), "{error}");
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(secs in 0..=i64::MAX.unsigned_abs(), nanos in 0..1_000_000_000_u32, small in any::<u32>()) {
            for duration in [Duration::new(secs, nanos), Duration::from_nanos(small.into())] {
                prop_assert_eq!(parse(&written(duration)), Ok(duration));
            }
        }

        #[test]
        fn a_bare_number_of_seconds_is_what_it_is_with_its_unit(number in "[0-9]{1,6}(\\.[0-9]{1,9})?") {
            prop_assert!(parse(&number).is_ok());
            prop_assert_eq!(parse(&number), parse(&format!("{number}s")));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,30}|[0-9a-z .:,+µ-]{0,20}") {
            let _ = parse(&text);
        }
    }
}
