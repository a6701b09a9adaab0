//! Little's law as a check of an instrument's books.
//!
//! Over any window, the integral of the number of requests in the system equals the sum of the times that requests
//! spent in it, each cut at the window's edges. That is bookkeeping and supposes nothing about the load, so two
//! accounts of one window, kept in different ways, must agree but for rounding; if not, some request was lost or
//! counted twice.

/// By what part of the larger the two accounts of one window differ: 0 when they agree, 1 when one is empty.
///
/// `integral` is the number in the system integrated over the window; `sojourns` is the sum over requests of the time
/// that each spent inside the window, counted from its due time or the window's start, whichever is later. Both are in
/// request-nanoseconds (or any one unit). `None` when either is negative or not finite.
pub fn disagreement(integral: f64, sojourns: f64) -> Option<f64> {
    let valid = |account: f64| account.is_finite() && account >= 0.0;
    if !(valid(integral) && valid(sojourns)) {
        return None;
    }
    let larger = integral.max(sojourns);
    Some(if larger > 0.0 { (integral - sojourns).abs() / larger } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The number in the system over the window `0..end`, integrated step by step.
    fn integrated(requests: &[(u32, u32)], end: u32) -> f64 {
        (0..end).map(|t| requests.iter().filter(|&&(from, to)| from <= t && t < to).count() as f64).sum()
    }

    #[test]
    fn a_lost_request_shows_as_its_share() {
        assert_eq!(disagreement(100.0, 95.0), Some(0.05));
        assert_eq!(disagreement(95.0, 100.0), Some(0.05));
    }

    #[test]
    fn an_idle_window_agrees_and_an_impossible_account_has_no_answer() {
        assert_eq!(disagreement(0.0, 0.0), Some(0.0));
        assert_eq!(disagreement(0.0, 3.0), Some(1.0));
        for account in [-1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(disagreement(account, 1.0), None);
            assert_eq!(disagreement(1.0, account), None);
        }
    }

    proptest! {
        #[test]
        fn honest_books_agree_whatever_the_load(requests in prop::collection::vec((0_u32..150, 0_u32..80), 0..40)) {
            let end = 100;
            let requests: Vec<(u32, u32)> = requests.into_iter().map(|(from, took)| (from, from + took)).collect();
            let inside = |&(from, to): &(u32, u32)| f64::from(to.min(end).saturating_sub(from));
            let sojourns = requests.iter().map(inside).sum();
            let difference = disagreement(integrated(&requests, end), sojourns).expect("both are valid");
            prop_assert!(difference < 1e-12);
        }
    }
}
