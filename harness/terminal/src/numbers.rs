//! Numbers as people read them.

/// A whole number with its thousands apart: `12,345`.
pub fn thousands(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value <= -0.5 { format!("-{text}") } else { text }
}

/// A time given in microseconds, in the unit that it is read in most easily and to three digits: `23.4 us`, `1.2 ms`, `5 s`.
pub fn time(us: f64) -> String {
    // What would be written as 1,000 of a unit is one of the next.
    let (value, unit) = match us {
        us if us < 999.5 => (us, "us"),
        us if us < 999_500.0 => (us / 1e3, "ms"),
        us => (us / 1e6, "s"),
    };
    format!("{} {unit}", short(value))
}

/// Three significant digits, and more where there are that many before the point; nothing that does not count: `0.5`, `20`, `1,195`.
pub fn short(value: f64) -> String {
    let decimals = match value.abs() {
        // So many digits are a mistake that somebody should see, and no figure.
        size if size >= 1e15 => return format!("{value:.1e}"),
        size if size >= 99.95 => return thousands(value),
        size if size >= 9.995 => 1,
        size if size >= 0.9995 => 2,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_three_digits_and_a_unit() {
        let shown = [0.0, 0.5, 23.44, 999.4, 999.6, 1_195.0, 20_000.0, 999_600.0, 5e6, 3.6e9].map(time);
        let expected =
            ["0 us", "0.5 us", "23.4 us", "999 us", "1 ms", "1.2 ms", "20 ms", "1 s", "5 s", "3,600 s"];
        assert_eq!(shown, expected);
    }

    #[test]
    fn what_does_not_count_is_not_written() {
        let shown = [-0.000_1, 0.25, 9.996, 99.96, 12_345.0, 1.5e300].map(short);
        assert_eq!(shown, ["0", "0.25", "10", "100", "12,345", "1.5e300"]);
    }
}
