//! What the generator found of itself in the trials of a table, in one sentence.

use stats::Stationarity;

use race::records::record::{Measured, SelfChecks, StreamRecord};

/// The worst over all valid trials. Nothing for records of before the generator looked.
pub(super) fn findings<'a>(trials: impl Iterator<Item = &'a Measured>) -> Option<String> {
    let trials: Vec<&Measured> = trials.collect();
    let streams = || trials.iter().flat_map(|trial| &trial.streams);
    let checks: Vec<&SelfChecks> = streams().filter_map(|stream| stream.self_checks.as_ref()).collect();
    if checks.is_empty() {
        return None;
    }
    let mut parts = Vec::new();
    if let Some(lag_us) = streams().filter_map(lag_p99_us).reduce(f64::max) {
        let stolen = trials.iter().filter_map(|trial| trial.machine.as_ref()).map(|machine| machine.stolen);
        let stolen = stolen.reduce(f64::max).unwrap_or(0.0);
        parts.push(format!(
            "own lag p99 up to {lag_us:.0} us, with up to {:.1}% of the CPU time stolen",
            100.0 * stolen
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

fn lag_p99_us(stream: &StreamRecord) -> Option<f64> {
    stream.lag.as_ref().map(|lag| lag.p99.ns() as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use stats::{AndersonDarling, SerialFigures};

    use super::*;
    use race::fixtures::sound;

    #[test]
    fn the_worst_of_all_trials_is_said() {
        let with = |p_value, distance, stationarity| {
            let mut trial = sound();
            trial.streams[0].self_checks = Some(SelfChecks {
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
            });
            trial
        };
        let trials = [
            with(0.5, 0.001, Stationarity::Stationary { p: 0.5, relative_change: 0.01 }),
            with(0.02, 0.012, Stationarity::Trend { p: 0.001, relative_change: 0.3 }),
            sound(),
        ];
        let said = findings(trials.iter()).expect("two trials have checks");
        for part in [
            "p99 up to 20 us",
            "p = 0.020 at least, of 2",
            "up to 0.012 away",
            "1 of 2 windows",
            "up to 3 answers",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert_eq!(findings([sound()].iter()), None);
    }
}
