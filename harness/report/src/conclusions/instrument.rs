//! What the generator found of itself in the windows of a table.

use race::records::window::{Measured, SelfChecks, StreamRecord};
use stats::Stationarity;
use terminal::numbers::thousands;

use crate::model::Said;

/// The two sides of N = X (R + Z) may be this far apart over a row's windows.
const CLOSED_LOOP_TOLERANCE: f64 = 0.05;

/// The windows of one row that count, with its name.
pub(crate) type OfRow<'a> = (String, Vec<&'a Measured>);

/// The worst over all windows, in a sentence or two.
pub(crate) fn findings(rows: &[OfRow<'_>]) -> Vec<Said> {
    let windows: Vec<&Measured> = rows.iter().flat_map(|(_, windows)| windows.iter().copied()).collect();
    of_itself(&windows).map(Said::from).into_iter().chain(closed_loop(rows)).collect()
}

fn of_itself(windows: &[&Measured]) -> Option<String> {
    let streams = || windows.iter().flat_map(|window| &window.streams);
    let checks: Vec<&SelfChecks> = streams().map(|stream| &stream.self_checks).collect();
    let mut parts = Vec::new();
    if let Some(lag_us) = streams().filter_map(lag_p99_us).reduce(f64::max) {
        let delayed = windows.iter().map(|window| window.accounts.generator.delayed_share());
        parts.push(format!(
            "own lag p99 up to {} us, and without a CPU for up to {:.1}% of a window",
            thousands(lag_us),
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
///
/// A row at a time, over all its windows: a single one is cut somewhere within requests, which the next one is as well, on the other
/// side.
fn closed_loop(rows: &[OfRow<'_>]) -> Option<Said> {
    let sides: Vec<Sides<'_>> = rows.iter().filter_map(Sides::of).collect();
    let slots = sides.iter().map(|sides| sides.slots).max()?;
    let mean = |of: fn(&Sides<'_>) -> f64| sides.iter().map(of).sum::<f64>() / sides.len() as f64;
    let (failing, holding): (Vec<&Sides<'_>>, Vec<&Sides<'_>>) =
        sides.iter().partition(|sides| sides.off.abs() > CLOSED_LOOP_TOLERANCE);
    let mut said = format!(
        "The closed loop: of {slots} connections {:.1} had a request in the server and {:.1} in the generator, on average",
        mean(|sides| sides.in_server),
        mean(|sides| sides.in_generator),
    );
    if let Some(most) = holding.iter().map(|sides| sides.off.abs()).reduce(f64::max) {
        said.push_str(&format!(
            "; N = X (R + Z) is off by {:.1}% at most, over a row's windows",
            100.0 * most
        ));
    }
    let is_warning = !failing.is_empty();
    let failing: Vec<String> =
        failing.iter().map(|sides| format!("{} by {:.1}%", sides.label, 100.0 * sides.off)).collect();
    if !failing.is_empty() {
        said.push_str(&format!(
            "; N = X (R + Z) does not hold for {}, where requests were in the server through whole windows, failed, or are not \
             accounted for",
            failing.join(", ")
        ));
    }
    Some(Said { text: said + ".", is_warning })
}

/// The two sides over one row's windows.
struct Sides<'a> {
    label: &'a str,
    slots: u64,
    in_server: f64,
    in_generator: f64,
    /// How far X (R + Z) is from N, relative to N.
    off: f64,
}

impl<'a> Sides<'a> {
    fn of((label, windows): &'a OfRow<'_>) -> Option<Self> {
        let loops: Vec<_> = windows.iter().filter_map(|window| window.closed_loop).collect();
        let mean = |of: &dyn Fn(usize) -> f64| (0..loops.len()).map(of).sum::<f64>() / loops.len() as f64;
        Some(Self {
            label,
            slots: loops.first()?.slots,
            in_server: mean(&|at| loops[at].in_server),
            in_generator: mean(&|at| loops[at].in_generator),
            off: mean(&|at| loops[at].relative_difference()),
        })
    }
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
        let said = findings(&[("a".to_owned(), windows.iter().collect())]).remove(0).text;
        for part in [
            "p99 up to 20 us",
            "p = 0.020 at least, of 2",
            "up to 0.012 away",
            "1 of 2 windows",
            "up to 3 answers",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(findings(&[]).is_empty());
    }

    #[test]
    fn a_closed_loop_that_lost_a_connection_fails() {
        let with = |in_server| {
            let mut window = sound();
            window.streams[0].lag = None;
            window.closed_loop = Some(looped(64, in_server, 24.0));
            window
        };
        let row =
            |label: &str, windows: &[f64]| (label.to_owned(), windows.iter().map(|&it| with(it)).collect());
        let said = |rows: &[(String, Vec<Measured>)]| {
            let rows: Vec<OfRow<'_>> =
                rows.iter().map(|(label, windows)| (label.clone(), windows.iter().collect())).collect();
            findings(&rows).remove(0).text
        };
        // Windows that are cut at different places differ, and a row's windows together do not.
        let sound = [row("a", &[36.0, 43.5]), row("b", &[40.0, 40.0])];
        assert_eq!(
            said(&sound),
            "The closed loop: of 64 connections 39.9 had a request in the server and 24.0 in the generator, on average; \
             N = X (R + Z) is off by 0.4% at most, over a row's windows."
        );
        let [first, _] = sound;
        let lost = said(&[first, row("b", &[40.0, 30.0])]);
        assert!(lost.contains("is off by 0.4% at most"), "{lost}");
        assert!(lost.contains("N = X (R + Z) does not hold for b by -7.8%"), "{lost}");
    }
}
