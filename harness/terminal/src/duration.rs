//! Durations as people write them: `500ms`, `4s`, `1.5s`, `2m`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

/// Reads a duration with its unit (`us`, `ms`, `s`, `m`); a bare number is seconds.
///
/// # Errors
/// The text is no number with one of these units, or the number is negative or too large.
pub fn parse(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let scale = match &text[digits.len()..] {
        "us" => 1e-6,
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" => 60.0,
        _ => return Err(format!("`{text}` is no duration: write it as 500ms, 4s or 2m")),
    };
    let number: f64 =
        digits.trim().parse().map_err(|_| format!("`{text}` is no duration: write it as 500ms, 4s or 2m"))?;
    Duration::try_from_secs_f64(number * scale).map_err(|error| format!("`{text}` is no duration: {error}"))
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
    use super::*;

    #[test]
    fn units_are_understood_and_a_bare_number_is_seconds() {
        let read = |text| parse(text).unwrap();
        assert_eq!(read("250us"), Duration::from_micros(250));
        assert_eq!(read("500ms"), Duration::from_millis(500));
        assert_eq!(read("1.5s"), Duration::from_millis(1500));
        assert_eq!(read("4"), Duration::from_secs(4));
        assert_eq!(read("2m"), Duration::from_secs(120));
    }

    #[test]
    fn what_is_no_duration_is_refused_by_name() {
        for text in ["", "s", "-1s", "4 parsecs", "1e400s", "NaNs", "inf"] {
            assert!(parse(text).unwrap_err().contains(&format!("`{text}`")), "{text}");
        }
    }
}
