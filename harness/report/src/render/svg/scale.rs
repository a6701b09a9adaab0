//! From the units of an axis to places in the picture: linear, logarithmic, and by the number of nines of a percentile.

/// The steps of an axis, in every power of ten.
const NICE: [f64; 3] = [1.0, 2.0, 5.0];

/// No time and no rate that is measured is less: what a logarithm has no room for is drawn there.
const LEAST: f64 = 1e-3;
/// Nor is any more, whatever a record says.
const MOST: f64 = 1e15;

/// An axis.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scale {
    is_log: bool,
    /// What it begins and ends with.
    domain: [f64; 2],
    /// Where that is.
    places: [f64; 2],
    ticks: Vec<f64>,
}

impl Scale {
    /// From nice numbers to nice numbers around `domain`, and from zero where that is not far.
    pub(super) fn linear([low, high]: [f64; 2], places: [f64; 2], most_ticks: usize) -> Self {
        let [low, high] = [low, high].map(|end| end.clamp(-MOST, MOST));
        let low = if low > 0.0 && low < high / 3.0 { 0.0 } else { low };
        // Of nothing but one value, a stretch around it.
        let (low, high) = match high - low {
            span if span > high.abs() * 1e-9 => (low, high),
            _ if high == 0.0 => (0.0, 1.0),
            _ => (low - low.abs() / 20.0, high + high.abs() / 20.0),
        };
        let step = nice_above((high - low) / most_ticks.max(1) as f64);
        let [first, last] = [(low / step).floor(), (high / step).ceil()];
        let ticks = (0..=(last - first) as usize).map(|at| (first + at as f64) * step).collect();
        Self { is_log: false, domain: [first * step, last * step], places, ticks }
    }

    /// From a nice number to a nice number around what of `domain` is above zero.
    pub(super) fn log([low, high]: [f64; 2], places: [f64; 2], most_ticks: usize) -> Self {
        let [low, high] = [low, high].map(|end| end.clamp(LEAST, MOST));
        let (mut first, mut last) = (nice_below(low), nice_above(high));
        if first == last {
            (first, last) = (nice_below(first * 0.9), nice_above(last * 1.1));
        }
        let decades = (last / first).log10();
        let all: Vec<f64> = std::iter::successors(Some(first), |tick| Some(nice_above(tick * 1.1)))
            .take_while(|tick| *tick <= last * 1.001)
            .collect();
        let ticks = match all.len() <= most_ticks {
            true => all,
            // Powers of ten alone, and of those every second where there are many.
            false => {
                let every = (decades / most_ticks.max(1) as f64).ceil().max(1.0) as i32;
                let exponent = |tick: f64| tick.log10().round() as i32;
                let is_shown = |tick: &f64| {
                    let nearest = 10_f64.powi(exponent(*tick));
                    (tick / nearest - 1.0).abs() < 1e-6 && exponent(*tick) % every == 0
                };
                all.into_iter().filter(is_shown).collect()
            }
        };
        Self { is_log: true, domain: [first, last], places, ticks }
    }

    /// From the shortest to `most` nines.
    pub(super) fn nines(most: f64, places: [f64; 2]) -> Self {
        let most = most.max(1.0);
        let ticks = [0.0, std::f64::consts::LOG10_2].into_iter();
        let ticks = ticks.chain((1..=most as u32).map(f64::from)).collect();
        Self { is_log: false, domain: [0.0, most], places, ticks }
    }

    /// Where a value is; at the nearer end where it is beyond.
    pub(super) fn at(&self, value: f64) -> f64 {
        let on = |value: f64| if self.is_log { value.max(LEAST).log10() } else { value };
        let [low, high] = self.domain.map(on);
        let part = ((on(value) - low) / (high - low)).clamp(0.0, 1.0);
        let [from, to] = self.places;
        if part.is_nan() { from } else { from + part * (to - from) }
    }

    /// Values to mark, ascending.
    pub(super) fn ticks(&self) -> &[f64] {
        &self.ticks
    }
}

/// The smallest nice number that is not less, as far as numbers are told apart.
fn nice_above(value: f64) -> f64 {
    nice(value, |nice, value| nice >= value * (1.0 - 1e-9)).unwrap_or(value)
}

/// The greatest that is not more.
fn nice_below(value: f64) -> f64 {
    let around = decade(value);
    let candidates =
        [around / 10.0, around, around * 10.0].into_iter().flat_map(|decade| NICE.map(|step| step * decade));
    candidates.filter(|nice| *nice <= value * (1.0 + 1e-9)).fold(value / 10.0, f64::max)
}

fn nice(value: f64, is_it: impl Fn(f64, f64) -> bool) -> Option<f64> {
    let around = decade(value);
    let candidates = [around, around * 10.0].into_iter().flat_map(|decade| NICE.map(|step| step * decade));
    candidates.into_iter().find(|nice| is_it(*nice, value))
}

/// The power of ten that is not more.
fn decade(value: f64) -> f64 {
    10_f64.powi(value.max(f64::MIN_POSITIVE).log10().floor() as i32)
}

/// How a percentile is called by its number of nines: `99.9`.
pub(super) fn percent(nines: f64) -> String {
    let percent = 100.0 * (1.0 - 10_f64.powf(-nines));
    let decimals = (nines - 2.0).max(0.0).ceil() as usize;
    format!("{percent:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: &[f64], expected: &[f64]) {
        let same = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-9 * b.abs().max(1e-9);
        assert!(found.len() == expected.len() && found.iter().zip(expected).all(same), "{found:?}");
    }

    #[test]
    fn a_linear_axis_has_nice_ticks_around_what_there_is() {
        let scale = Scale::linear([21.3, 48.2], [0.0, 100.0], 6);
        close(scale.ticks(), &[20.0, 25.0, 30.0, 35.0, 40.0, 45.0, 50.0]);
        assert_eq!([20.0, 50.0, 0.0, 99.0].map(|value| scale.at(value)), [0.0, 100.0, 0.0, 100.0]);
    }

    #[test]
    fn a_linear_axis_begins_at_zero_where_that_is_near() {
        close(Scale::linear([3.0, 98.0], [0.0, 1.0], 5).ticks(), &[0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
    }

    #[test]
    fn one_value_alone_and_nothing_but_zero_have_an_axis() {
        for value in [0.0, 1e-3, 5.0, 1e12] {
            for scale in [Scale::linear, Scale::log] {
                let scale = scale([value; 2], [0.0, 100.0], 5);
                assert!(scale.ticks().len() >= 2 && scale.ticks().len() < 20, "{value}: {scale:?}");
                assert!((0.0..=100.0).contains(&scale.at(value)), "{value}: {scale:?}");
            }
        }
    }

    #[test]
    fn a_logarithmic_axis_has_ones_twos_and_fives_or_powers_of_ten() {
        close(Scale::log([23.0, 310.0], [0.0, 1.0], 8).ticks(), &[20.0, 50.0, 100.0, 200.0, 500.0]);
        close(Scale::log([12.0, 5e6], [0.0, 1.0], 8).ticks(), &[10.0, 100.0, 1e3, 1e4, 1e5, 1e6]);
        let ends = Scale::log([10.0, 1000.0], [0.0, 100.0], 8);
        assert!((ends.at(100.0) - 50.0).abs() < 1e-9);
        assert_eq!(ends.at(0.0), 0.0);
    }

    #[test]
    fn what_is_no_number_is_at_the_beginning() {
        assert_eq!(Scale::log([1.0, 10.0], [5.0, 6.0], 4).at(f64::NAN), 5.0);
        assert_eq!(Scale::linear([1.0, 10.0], [5.0, 6.0], 4).at(f64::NAN), 5.0);
    }

    #[test]
    fn nines_are_as_far_apart_as_their_percentiles_are_rare() {
        let scale = Scale::nines(3.0, [0.0, 300.0]);
        assert_eq!(scale.ticks().len(), 5);
        assert_eq!([0.0, 1.0, 2.0, 3.0].map(|nines| scale.at(nines)), [0.0, 100.0, 200.0, 300.0]);
        let names = [0.0, std::f64::consts::LOG10_2, 1.0, 2.0, 3.0, 5.0].map(percent);
        assert_eq!(names, ["0", "50", "90", "99", "99.9", "99.999"]);
    }
}
