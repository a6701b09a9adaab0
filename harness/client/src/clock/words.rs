//! Offsets of clocks as people read them.

use stats::clock_offset::Offset;

/// `1.234 ms ahead of this one, within 0.056 ms`.
pub fn ahead(offset: Offset) -> String {
    let Offset { offset_ns, bound_ns } = offset;
    let far = ms(i64::try_from(offset_ns.unsigned_abs()).unwrap_or(i64::MAX));
    let where_to = if offset_ns < 0 { "behind" } else { "ahead of" };
    format!("{far} {where_to} this one, within {}", ms(bound_ns))
}

/// Milliseconds to the microsecond.
pub fn ms(ns: i64) -> String {
    format!("{:.3} ms", ns as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_says_which_clock_is_ahead() {
        let offset = |offset_ns| Offset { offset_ns, bound_ns: 56_000 };
        assert_eq!(ahead(offset(1_234_000)), "1.234 ms ahead of this one, within 0.056 ms");
        assert_eq!(ahead(offset(-3_000_000_000)), "3000.000 ms behind this one, within 0.056 ms");
    }
}
