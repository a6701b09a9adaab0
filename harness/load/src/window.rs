//! The measuring window on the run's time axis, in nanoseconds since the run's start.

/// From `opens_ns` until just before `closes_ns`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) opens_ns: u64,
    pub(crate) closes_ns: u64,
}

impl Window {
    #[inline]
    pub(crate) fn contains(&self, at_ns: u64) -> bool {
        (self.opens_ns..self.closes_ns).contains(&at_ns)
    }

    /// How much of the time between two instants lies in the window.
    #[inline]
    pub(crate) fn overlap_ns(&self, from_ns: u64, to_ns: u64) -> u64 {
        to_ns.min(self.closes_ns).saturating_sub(from_ns.max(self.opens_ns))
    }

    /// Closes it at `now_ns` rather than at its planned end; before it opened, nothing is left of it.
    pub(crate) fn cut(&mut self, now_ns: u64) {
        self.closes_ns = self.closes_ns.min(now_ns);
        self.opens_ns = self.opens_ns.min(self.closes_ns);
    }

    pub(crate) fn length_ns(&self) -> u64 {
        self.closes_ns - self.opens_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_half_open_and_overlaps_are_clipped_at_both_edges() {
        let window = Window { opens_ns: 10, closes_ns: 20 };
        assert_eq!([9, 10, 19, 20].map(|at| window.contains(at)), [false, true, true, false]);
        assert_eq!(window.overlap_ns(5, 12), 2);
        assert_eq!(window.overlap_ns(15, 99), 5);
        assert_eq!(window.overlap_ns(1, 99), 10);
        assert_eq!((window.overlap_ns(1, 9), window.overlap_ns(21, 30)), (0, 0));
    }

    #[test]
    fn a_window_cut_before_it_opened_is_empty() {
        let mut window = Window { opens_ns: 10, closes_ns: 20 };
        window.cut(15);
        assert_eq!(window.length_ns(), 5);
        window.cut(4);
        assert_eq!((window.length_ns(), window.contains(4)), (0, false));
    }
}
