//! Latency against throughput, as pictures: one of the median, and one of the percentile that is asked for.

use terminal::numbers::{thousands, time};

use crate::{
    conclusions::named::listed,
    counts::{times::name_of, value::Value},
    model::{
        Plot,
        plot::{Curve, CurveOf, CurvePoint, Drawn, Estimate},
    },
};

use super::{
    climbed::Climbed,
    curve::{carried, percentiles, time_value},
};

/// None without a ladder, or where no row carried any step.
pub(super) fn of(climbed: &Climbed<'_>) -> Vec<Plot> {
    if !climbed.is_ladder() {
        return Vec::new();
    }
    percentiles(climbed).into_iter().filter_map(|q| picture(climbed, q)).collect()
}

fn picture(climbed: &Climbed<'_>, q: f64) -> Option<Plot> {
    let lines: Vec<CurveOf> = climbed.rows().map(|row| line(climbed, row, q)).collect();
    let lines: Vec<CurveOf> = lines.into_iter().filter(|line| !line.points.is_empty()).collect();
    if lines.is_empty() {
        return None;
    }
    let (percentile, stream) = (name_of(q), climbed.stream_name);
    let said: Vec<String> = lines.iter().map(|line| format!("{}: {}", line.label, line.said)).collect();
    let objective = climbed.objective.filter(|objective| objective.q == q);
    Some(Plot {
        id: format!("curve-{}", percentile.replace('.', "-")),
        title: format!("{percentile} of {stream} against its throughput"),
        description: format!(
            "A line each row over the steps of the ladder, with an interval at each: the {percentile} of response times by the right answers a \
             second. A step at which a row was overloaded has no point. {}.",
            listed(&said, "and")
        ),
        drawn: Drawn::Curve(Curve {
            percentile,
            objective_us: objective.map(|objective| objective.below.as_secs_f64() * 1e6),
            lines,
        }),
    })
}

fn line(climbed: &Climbed<'_>, row: usize, q: f64) -> CurveOf {
    let point = |step| {
        let value = time_value(climbed, step, row, q).ok()?;
        Some(CurvePoint { per_second: carried(climbed, step, row)?.median.value, us: estimate(&value) })
    };
    let points: Vec<CurvePoint> = climbed.steps.iter().filter_map(point).collect();
    let said = match (points.first(), points.last()) {
        (Some(first), Some(last)) => {
            let at =
                |point: &CurvePoint| format!("{} at {}/s", time(point.us.value), thousands(point.per_second));
            format!("from {} to {}", at(first), at(last))
        }
        _ => String::new(),
    };
    CurveOf {
        label: climbed.label(row).to_owned(),
        style: row,
        said,
        points,
        is_open: climbed.steps.iter().any(|step| step.loads[row].is_overloaded()),
    }
}

fn estimate(value: &Value) -> Estimate {
    Estimate {
        value: value.median.value,
        is_bound: value.median.is_bound,
        interval: value.is_confident.then_some([value.low.value, value.high.value]),
        is_open: value.high.is_bound,
    }
}
