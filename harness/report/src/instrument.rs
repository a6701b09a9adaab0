//! What the generator found of itself in the windows of a table.

use race::records::window::{Measured, SelfChecks, StreamRecord};
use stats::Stationarity;

/// The two sides of N = X (R + Z) may be this far apart.
const CLOSED_LOOP_TOLERANCE: f64 = 0.05;

/// The worst over all windows that count, in a sentence or two.
pub(super) fn findings<'a>(windows: impl Iterator<Item = &'a Measured>) -> Vec<String> {
    let windows: Vec<&Measured> = windows.collect();
    of_itself(&windows).into_iter().chain(closed_loop(&windows)).collect()
}

fn of_itself(windows: &[&Measured]) -> Option<String> {
    let streams = || windows.iter().flat_map(|window| &window.streams);
    let checks: Vec<&SelfChecks> = streams().map(|stream| &stream.self_checks).collect();
    let mut parts = Vec::new();
    if let Some(lag_us) = streams().filter_map(lag_p99_us).reduce(f64::max) {
        let delayed = windows.iter().map(|window| window.accounts.generator.delayed_share());
        parts.push(format!(
            "own lag p99 up to {lag_us:.0} us, and without a CPU for up to {:.1}% of a window",
            100.0 * delayed.fold(0.0, f64::max)
        ));
    }
    let drawn = checks.iter().filter_map(|checks| checks.drawn_schedule.map(|drawn| drawn.p_value));
    if let Some(p) = drawn.clone().reduce(f64::min) {
        parts.push(format!("drawn schedules p = {p:.3} at least, of {}", drawn.count()));
    }
    let distances = checks.iter().filter_map(|checks| checks.departures_distance);
    if let Some(distance) = distances.reduce(f64::max) {
        parts.push(format!("gaps between sends up to {distance:.3} away from the schedule's"));
    }
    let judged = checks.iter().filter(|checks| checks.stationarity != Stationarity::CannotTell).count();
    if judged > 0 {
        let changing = checks.iter().filter(|checks| checks.stationarity.is_trend()).count();
        parts.push(format!("response times changed by over 10% within {changing} of {judged} windows"));
    }
    let inflations =
        checks.iter().filter_map(|checks| checks.serial.and_then(|serial| serial.variance_inflation));
    if let Some(inflation) = inflations.reduce(f64::max) {
        parts.push(format!("up to {inflation:.0} answers tell as much as one independent one"));
    }
    (!parts.is_empty()).then(|| format!("The generator of itself: {}.", parts.join("; ")))
}

/// N = X (R + Z): whether a closed loop's connections are all accounted for, and where its requests spent their time.
fn closed_loop(windows: &[&Measured]) -> Option<String> {
    let loops: Vec<_> = windows.iter().filter_map(|window| window.closed_loop).collect();
    let slots = loops.first()?.slots;
    let mean = |of: &dyn Fn(usize) -> f64| (0..loops.len()).map(of).sum::<f64>() / loops.len() as f64;
    let (in_server, in_generator) = (mean(&|at| loops[at].in_server), mean(&|at| loops[at].in_generator));
    let off = loops.iter().map(|it| it.relative_difference()).max_by(|a, b| a.abs().total_cmp(&b.abs()))?;
    let said = format!(
        "of {slots} connections {in_server:.1} had a request in the server and {in_generator:.1} in the generator, on average; \
         N = X (R + Z) is off by {:.1}% at most",
        100.0 * off.abs()
    );
    Some(match off.abs() > CLOSED_LOOP_TOLERANCE {
        true => format!(
            "**The closed loop does not add up:** {said}, and {:.0}% are allowed.",
            100.0 * CLOSED_LOOP_TOLERANCE
        ),
        false => format!("The closed loop: {said}."),
    })
}

fn lag_p99_us(stream: &StreamRecord) -> Option<f64> {
    stream.lag.as_ref().map(|lag| lag.p99.ns() as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use race::fixtures::{closed_loop as looped, sound};
    use stats::{AndersonDarling, SerialFigures};

    use super::*;

    #[test]
    fn the_worst_of_all_windows_is_said() {
        let with = |p_value, distance, stationarity| {
            let mut window = sound();
            window.streams[0].self_checks = SelfChecks {
                drawn_schedule: Some(AndersonDarling { n: 100, a_squared: 1.0, p_value }),
                departures_distance: Some(distance),
                stationarity,
                serial: Some(SerialFigures {
                    n: 100,
                    autocorrelation: 0.5,
                    autocorrelation_error: 0.1,
                    slices: 64,
                    variance_inflation: Some(3.0),
                    effective_sample_size: 33.0,
                }),
            };
            window
        };
        let windows = [
            with(0.5, 0.001, Stationarity::Stationary { p: 0.5, relative_change: 0.01 }),
            with(0.02, 0.012, Stationarity::Trend { p: 0.001, relative_change: 0.3 }),
            sound(),
        ];
        let said = findings(windows.iter()).remove(0);
        for part in [
            "p99 up to 20 us",
            "p = 0.020 at least, of 2",
            "up to 0.012 away",
            "1 of 2 windows",
            "up to 3 answers",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(findings([].into_iter()).is_empty());
    }

    #[test]
    fn a_closed_loop_that_lost_a_connection_fails() {
        let with = |in_server| {
            let mut window = sound();
            window.streams[0].lag = None;
            window.closed_loop = Some(looped(64, in_server, 24.0));
            window
        };
        let sound = findings([with(40.0), with(39.5)].iter());
        assert_eq!(
            sound,
            [
                "The closed loop: of 64 connections 39.8 had a request in the server and 24.0 in the generator, on average; \
                 N = X (R + Z) is off by 0.8% at most."
            ]
        );
        let lost = findings([with(40.0), with(30.0)].iter());
        assert!(
            lost[0].starts_with("**The closed loop does not add up:**") && lost[0].contains("15.6%"),
            "{lost:?}"
        );
    }
}
