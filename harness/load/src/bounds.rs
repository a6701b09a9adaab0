//! How large the numbers of a plan may be: whatever is computed with them stays within what clocks, counters and memory hold.

use std::time::Duration;

use crate::{
    plan::{LONGEST, MOST_IN_FLIGHT, Plan, Stream},
    plan_error::PlanError,
    policy::Opening,
};

/// Holds the plan's numbers to their ranges.
pub(crate) fn check(plan: &Plan) -> Result<(), PlanError> {
    for (what, time) in [
        ("warm-up", plan.warm_up),
        ("window", plan.window),
        ("timeout", plan.timeout),
        ("time for connecting", plan.connect_within),
        ("time between two reports of progress", plan.progress_every),
    ] {
        not_too_long(what, time)?;
    }
    for stream in &plan.streams {
        if let Opening::Over(time) = stream.policy.opening {
            not_too_long("time over which connections are opened", time)?;
        }
    }
    let in_flight =
        |stream: &Stream| u64::from(plan.connections_of(stream)) * u64::from(stream.policy.pipeline);
    let all = match plan.shared_connections {
        Some(_) => plan.streams.iter().map(in_flight).max().unwrap_or(0),
        None => plan.streams.iter().map(in_flight).fold(0, u64::saturating_add),
    };
    if all > MOST_IN_FLIGHT { Err(PlanError::InFlight(all)) } else { Ok(()) }
}

fn not_too_long(what: &'static str, time: Duration) -> Result<(), PlanError> {
    if time > LONGEST { Err(PlanError::TooLong { what, time }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{check::AnySuccess, pacing::Pacing, request::Request};

    fn refused(change: impl FnOnce(&mut Plan)) -> Option<String> {
        let request = Request::get("/", "h").expect("a valid request");
        let stream = Stream::new("s", request, Arc::new(AnySuccess), Pacing::Closed, 10);
        let mut plan = Plan::new(([127, 0, 0, 1], 1).into(), vec![stream]);
        change(&mut plan);
        check(&plan).err().map(|error| error.to_string())
    }

    #[test]
    fn times_that_no_clock_can_be_set_to_are_refused_by_name() {
        assert_eq!(refused(|_| {}), None);
        let with = |name: &str, change: fn(&mut Plan)| {
            let error = refused(change).expect(name);
            assert!(error.contains(name) && error.ends_with("choose up to 17568 hours"), "{error}");
        };
        with("warm-up", |plan| plan.warm_up = Duration::MAX);
        with("window", |plan| plan.window = Duration::MAX);
        with("timeout", |plan| plan.timeout = LONGEST + Duration::from_nanos(1));
        with("time for connecting", |plan| plan.connect_within = Duration::MAX);
        with("reports of progress", |plan| plan.progress_every = Duration::MAX);
        with("opened", |plan| plan.streams[0].policy.opening = Opening::Over(Duration::MAX));
        assert_eq!(refused(|plan| plan.window = LONGEST), None);
    }

    #[test]
    fn more_requests_in_flight_than_fit_are_refused() {
        let depth = |pipeline: u32| refused(move |plan| plan.streams[0].policy.pipeline = pipeline);
        assert_eq!(depth(100_000), None);
        let error = depth(u32::MAX).expect("far too many");
        assert!(
            error.starts_with("42949672950 requests may be in flight") && error.contains("at most 1000000")
        );
        assert!(depth(100_001).is_some());
    }
}
