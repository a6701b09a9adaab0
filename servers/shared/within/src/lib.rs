//! Numbers as people write them in arguments, each held to a range that every refusal states.
//!
//! A number that is understood and cannot be meant is found here, before anything is allocated, added up or counted to: what
//! comes after may rely on its range. Each function makes a parser of one argument, as clap wants them; this crate knows
//! no argument.

use std::{fmt::Display, net::SocketAddr, ops::RangeInclusive, str::FromStr, time::Duration};

/// A parser of whole numbers in `range`. Underscores may group the digits.
///
/// ```
/// let connections = within::whole(1..=1_000_000_u32);
/// assert_eq!(connections("1_000"), Ok(1_000));
/// assert_eq!(connections("0").unwrap_err(), "`0` is no whole number from 1 to 1000000");
/// ```
pub fn whole<T>(
    range: RangeInclusive<T>,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static
where
    T: Clone + Display + FromStr + PartialOrd + Send + Sync + 'static,
{
    move |text| {
        let number = text.trim().replace('_', "").parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| format!("`{text}` is no whole number from {} to {}", range.start(), range.end()))
    }
}

/// A parser of numbers in `range`, with a fraction or an exponent where wanted. What is no finite number is in none.
///
/// ```
/// let share = within::real(0.0..=1.0);
/// assert_eq!(share("2.5e-1"), Ok(0.25));
/// assert_eq!(share("NaN").unwrap_err(), "`NaN` is no number from 0 to 1");
/// ```
pub fn real(
    range: RangeInclusive<f64>,
) -> impl Fn(&str) -> Result<f64, String> + Clone + Send + Sync + 'static {
    move |text| {
        let number = text.trim().replace('_', "").parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| format!("`{text}` is no number from {} to {}", range.start(), range.end()))
    }
}

/// A parser of lengths of time in `range`, written as [`duration`] reads them.
///
/// ```
/// use std::time::Duration;
///
/// let timeout = within::time(Duration::from_millis(1)..=Duration::from_secs(24 * 3600));
/// assert_eq!(timeout("1.5s"), Ok(Duration::from_millis(1_500)));
/// assert_eq!(timeout("25h").unwrap_err(), "`25h` is no time from 1ms to 24h");
/// ```
pub fn time(
    range: RangeInclusive<Duration>,
) -> impl Fn(&str) -> Result<Duration, String> + Clone + Send + Sync + 'static {
    move |text| {
        let bounds = || format!("from {} to {}", written(*range.start()), written(*range.end()));
        match duration::parse(text) {
            Ok(time) if range.contains(&time) => Ok(time),
            Ok(_) => Err(format!("`{text}` is no time {}", bounds())),
            Err(reason) => Err(format!("{reason}; a time {}", bounds())),
        }
    }
}

/// Reads an address with its port.
///
/// # Errors
/// The text is none.
///
/// ```
/// assert!(within::address("127.0.0.1:0").is_ok());
/// assert!(within::address("127.0.0.1:65536").unwrap_err().ends_with("and a port from 0 to 65535"));
/// ```
pub fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!(
            "`{text}` is no ADDRESS:PORT such as 127.0.0.1:8080; write an address, and a port from 0 to 65535"
        )
    })
}

/// A length of time in the largest unit in which it is a whole number.
fn written(time: Duration) -> String {
    let seconds = time.as_secs();
    match time.subsec_nanos() {
        0 if seconds == 0 => "0".to_owned(),
        0 if seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        0 if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        _ => format!("{time:?}").replace('µ', "u"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn whatever_is_wrong_with_a_number_its_range_is_stated() {
        let wrong =
            ["", "_", "-1", "0", "11", "1.5", "1e3", "NaN", "inf", "18446744073709551616", "ten", "0x5"];
        for text in wrong {
            let refusal = whole(1..=10_u64)(text).expect_err(text);
            assert_eq!(refusal, format!("`{text}` is no whole number from 1 to 10"));
        }
        for text in ["", "-0.1", "1.1", "NaN", "inf", "-inf", "1e300", "half"] {
            let refusal = real(0.0..=1.0)(text).expect_err(text);
            assert_eq!(refusal, format!("`{text}` is no number from 0 to 1"));
        }
        for text in
            ["", "0", "-1s", "1ns", "61s", "9223372036854775807", "99999999999999999999s", "NaN", "soon"]
        {
            let refusal = time(Duration::from_millis(1)..=Duration::from_secs(60))(text).expect_err(text);
            assert!(refusal.starts_with(&format!("`{text}` is no ")), "{refusal}");
            assert!(refusal.ends_with("time from 1ms to 1m"), "{refusal}");
        }
        for text in ["", "8080", "localhost:80", "127.0.0.1", "127.0.0.1:-1", "127.0.0.1:65536"] {
            assert!(address(text).expect_err(text).contains("from 0 to 65535"), "{text}");
        }
    }

    #[test]
    fn both_ends_of_a_range_are_in_it() {
        assert_eq!(["1", "10"].map(whole(1..=10_u8)), [Ok(1), Ok(10)]);
        assert_eq!(whole(0..=u64::MAX)("18446744073709551615"), Ok(u64::MAX));
        assert_eq!(["1e-6", "1e7"].map(real(1e-6..=1e7)), [Ok(1e-6), Ok(1e7)]);
        let hour = Duration::from_secs(3600);
        assert_eq!(["0", "60m"].map(time(Duration::ZERO..=hour)), [Ok(Duration::ZERO), Ok(hour)]);
    }

    #[test]
    fn bounds_are_written_as_people_write_them() {
        let shown = [0, 1_000, 50_000_000, 3_000_000_000, 120_000_000_000, 86_400_000_000_000];
        let shown = shown.map(|ns| written(Duration::from_nanos(ns)));
        assert_eq!(shown, ["0", "1us", "50ms", "3s", "2m", "24h"]);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_and_none_leads_out_of_the_range(text in "\\PC{0,30}|[0-9eE+._-]{0,24}") {
            if let Ok(number) = whole(3..=7_u32)(&text) {
                prop_assert!((3..=7).contains(&number));
            }
            if let Ok(number) = real(-1.0..=1.0)(&text) {
                prop_assert!((-1.0..=1.0).contains(&number));
            }
            if let Ok(length) = time(Duration::from_secs(1)..=Duration::from_secs(2))(&text) {
                prop_assert!(length.as_secs_f64() >= 1.0 && length.as_secs_f64() <= 2.0);
            }
        }
    }
}
