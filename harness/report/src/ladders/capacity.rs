//! Up to which rate a row holds the objective: from what each start has of each step.

use stats::{
    capacity::{Capacities, Capacity, Step, of_start, over_starts},
    overload::Carried,
};

use crate::counts::carried::offered_in;

use super::climbed::{AtStep, Climbed};

/// Over all starts that say anything; `None` without an objective or a ladder, or where none does.
pub(super) fn of(climbed: &Climbed<'_>, row: usize) -> Option<Capacities> {
    let limit_ns = climbed.objective.filter(|_| climbed.is_ladder())?.below.as_nanos() as f64;
    let starts = climbed.steps.first()?.rows[row].line.starts.len();
    let capacities: Vec<Capacity> =
        (0..starts).filter_map(|start| in_start(climbed, row, start, limit_ns)).collect();
    over_starts(&capacities)
}

/// Steps of which no window counts are passed over. Where one of them is an end of the ladder, it is not known what lies beyond.
fn in_start(climbed: &Climbed<'_>, row: usize, start: usize, limit_ns: f64) -> Option<Capacity> {
    let known: Vec<(&AtStep<'_>, Step)> =
        climbed.steps.iter().filter_map(|step| Some((step, at_step(climbed, step, row, start)?))).collect();
    let steps: Vec<Step> = known.iter().map(|(_, step)| *step).collect();
    let has_end = |end: usize| known.iter().any(|(step, _)| step.is_end[end]);
    of_start(&steps, limit_ns).filter(|capacity| match capacity {
        Capacity::NotAtAnyRate => has_end(0),
        Capacity::UpTo(_) => true,
        Capacity::BeyondTheLadder => has_end(1),
    })
}

fn at_step(climbed: &Climbed<'_>, step: &AtStep<'_>, row: usize, start: usize) -> Option<Step> {
    let entered = &step.rows[row];
    let of_start = entered.line.starts.get(start)?;
    // Whoever leaves another stream's requests undone does not hold the load that the objective is under.
    let is_overloaded = climbed
        .scenario
        .streams
        .iter()
        .any(|stream| Carried::of(&offered_in(of_start, &stream.name)).is_overloaded());
    let own = Carried::of(&offered_in(of_start, climbed.stream_name));
    let carried = own.answered_per_second()?;
    // Of fewer requests than one beyond it, a percentile is but the longest of them.
    let is_enough = own.due as f64 * (1.0 - climbed.q) >= 1.0;
    let tail = entered.streams[climbed.stream].tail(climbed.q)?;
    let time = tail.starts.get(start)?.merged.map(|quantile| (quantile.ns() as f64).max(1.0));
    match (is_overloaded, time) {
        (true, _) => {
            // What it carried of the whole load, on the axis of this stream's rate.
            let parts = climbed.scenario.streams.iter().filter_map(|stream| {
                let carried = Carried::of(&offered_in(of_start, &stream.name));
                Some(carried.answered_per_second()? / carried.due_per_second()?)
            });
            let least = parts.fold(1.0, f64::min);
            Some(Step { rate: step.per_second, carried: step.per_second * least, time: None })
        }
        (false, Some(time)) if is_enough => Some(Step { rate: step.per_second, carried, time: Some(time) }),
        _ => None,
    }
}
