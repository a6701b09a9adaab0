//! Which windows count, which rows carry their load, and what follows for the windows to come. From records alone, so that a run that
//! is resumed decides as it would have.

use std::time::Duration;

use stats::{
    gate::{self, Cause, Disturbance},
    overload::{Carried, Offered},
};

use crate::{
    plan::scenario::Scenario,
    records::{
        folder::GateRecord,
        log::StartRecord,
        window::{Measured, WindowRecord},
    },
};

/// The gate that the first start leads to: one step for the whole run, at which half of the windows pass, whether the generator
/// ran without pause or not. Each window as it was measured first, since a repetition was made because of the gate.
pub fn choose_gate(first: &StartRecord) -> GateRecord {
    let first_attempts = || first.windows.iter().filter(|window| window.attempt == 0);
    let step = [true, false].map(|spins| {
        let measured = first_attempts().filter_map(|window| window.measured.as_ref());
        let alike = measured.filter(|measured| measured.generator.spins == spins);
        let seen: Vec<Disturbance> = alike.map(Measured::disturbance).collect();
        gate::choose(&seen, spins).gate.step
    });
    let gate = GateRecord { step: step.into_iter().fold(0.0, f64::max), passing: 0.0 };
    let passing = first_attempts().filter(|window| passes(&gate, window)).count();
    GateRecord { passing: passing as f64 / first_attempts().count().max(1) as f64, ..gate }
}

/// The gate of a run whose first start is under way: the strictest.
pub fn first_gate() -> GateRecord {
    GateRecord { step: gate::STEPS[0], passing: 0.0 }
}

/// Whether a window counts by `gate`: what was measured of the row has no part in it.
pub fn passes(gate: &GateRecord, window: &WindowRecord) -> bool {
    window.measured.as_ref().is_some_and(|measured| causes(gate, measured).is_empty())
}

/// Why a window does not count by `gate`; nothing if it does.
pub fn causes(gate: &GateRecord, measured: &Measured) -> Vec<Cause> {
    gate.of(measured.generator.spins).causes(&measured.disturbance())
}

/// What was offered to an open loop's stream in a window, and answered in it; `None` for a closed loop. The backlog grew by what was due
/// and not answered.
pub fn offered(measured: &Measured, stream: &str) -> Option<Offered> {
    let stream = measured.stream(stream)?;
    let per_second = stream.offered_per_second?;
    Some(Offered {
        due: stream.due,
        answered: stream.answered_in_window,
        window: Duration::from_secs_f64(measured.window_s),
        under_way: per_second * stream.slices.mean().as_secs_f64(),
    })
}

/// Whether a row was behind in each of the starts that were finished: then one round of each later start tells as much. Whether by chance is
/// not asked, which is for all starts together to say; nothing of what is measured is lost by it but time to measure.
fn is_behind(complete: &[StartRecord], scenario: &Scenario, row: &str, twin: bool) -> bool {
    let in_start = |start: &StartRecord| {
        let windows = start.windows.iter().filter(|window| {
            (&window.scenario, window.row.as_str(), window.twin) == (&scenario.name, row, twin)
        });
        let measured: Vec<&Measured> = windows.filter_map(WindowRecord::valid).collect();
        scenario.streams.iter().any(|stream| {
            let offered: Vec<Offered> =
                measured.iter().filter_map(|measured| offered(measured, &stream.name)).collect();
            Carried::of(&offered).is_behind()
        })
    };
    !complete.is_empty() && complete.iter().all(in_start)
}

/// How many rounds of the next start a row is measured in.
pub fn rounds_of(complete: &[StartRecord], scenario: &Scenario, row: &str, twin: bool) -> usize {
    // Who is overloaded at the highest step of a ladder may not be at the next.
    let tells_as_much = scenario.ladder.is_none() && is_behind(complete, scenario, row, twin);
    if tells_as_much { 1 } else { scenario.all_rounds() }
}
