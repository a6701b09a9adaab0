//! Numbers as people read them in a table.

/// A whole number with its thousands apart: `12,345`.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// An amount of memory, in MiB with one digit after the point.
pub(super) fn memory(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// A length of time in its two largest units: `0s`, `3m 12s`, `5h 2m`, `12d 7h`. What is no length is none.
pub(super) fn span(seconds: f64) -> String {
    // Rounds down, and a negative number or none to 0.
    let seconds = seconds as u64;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{minutes}m {}s", seconds % 60),
        3600..86_400 => format!("{hours}h {}m", minutes % 60),
        _ => format!("{days}d {}h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!([0, 999, 1000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0, 5_400_000, 3 << 30].map(memory), ["0.0 MiB", "5.1 MiB", "3072.0 MiB"]);
        let spans = [0.0, -1.0, f64::NAN, 59.9, 192.0, 3600.0, 18_120.0, 1_062_000.0].map(span);
        assert_eq!(spans, ["0s", "0s", "0s", "59s", "3m 12s", "1h 0m", "5h 2m", "12d 7h"]);
    }
}
