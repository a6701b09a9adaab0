//! What is asked of a plan before it is run.

use rustix::process::{Resource, Rlimit, getrlimit};

use crate::{
    plan::{Plan, Stream},
    plan_error::PlanError,
    policy::Verify,
};

impl Plan {
    pub(crate) fn validate(&self) -> Result<(), PlanError> {
        if self.streams.is_empty() {
            return Err(PlanError::NoStreams);
        }
        if self.part.index >= self.part.of {
            return Err(PlanError::Part(self.part));
        }
        for stream in &self.streams {
            let connections = self.shared_connections.unwrap_or(stream.connections);
            if connections == 0 {
                return Err(PlanError::NoConnections(stream.name.clone()));
            }
            if connections < self.part.of {
                return Err(PlanError::Parts {
                    stream: stream.name.clone(),
                    connections,
                    parts: self.part.of,
                });
            }
            if let Some(rate) = stream.pacing.rate().filter(|rate| !rate.is_sound()) {
                return Err(PlanError::Rate { stream: stream.name.clone(), rate });
            }
            self.validate_policy(stream)?;
        }
        if self.window.is_zero() {
            return Err(PlanError::EmptyWindow);
        }
        if self.timeout.is_zero() {
            return Err(PlanError::NoTimeout);
        }
        /// Standard streams, one poller for each thread, and what the caller has open.
        const BESIDE_CONNECTIONS: u64 = 64;
        let each = self.streams.iter().map(|stream| u64::from(self.connections_of(stream)));
        let connections: u64 = match self.shared_connections {
            Some(_) => each.max().unwrap_or(0),
            None => each.sum(),
        };
        let needed = connections + BESIDE_CONNECTIONS;
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        match current {
            Some(allowed) if allowed < needed => {
                let is_hard = maximum.is_some_and(|most| most < needed);
                Err(PlanError::Descriptors { needed, allowed, is_hard })
            }
            _ => Ok(()),
        }
    }

    fn validate_policy(&self, stream: &Stream) -> Result<(), PlanError> {
        let name = || stream.name.clone();
        let policy = &stream.policy;
        for (what, value) in [
            ("requests on a connection", policy.requests_each),
            ("requests in flight on a connection", Some(policy.pipeline)),
            ("bytes per second to send", policy.send_bytes_per_second),
            ("bytes per second to read", policy.read_bytes_per_second),
            ("answers to one that is compared", sample_of(stream.verify)),
            ("requests", stream.requests.map(|requests| u32::from(requests > 0))),
        ] {
            if value == Some(0) {
                return Err(PlanError::Zero { stream: name(), what });
            }
        }
        let conflict = |conflict| Err(PlanError::Conflict { stream: name(), conflict });
        let throttled = policy.send_bytes_per_second.or(policy.read_bytes_per_second).is_some();
        if policy.pipeline > 1 && throttled {
            return conflict("pipelines slowly; choose pipelining, or slow senders and readers");
        }
        if policy.pipeline > 1 && self.first_byte {
            return conflict("pipelines, so its first bytes cannot be told apart; leave one of the two out");
        }
        if self.shared_connections.is_some() {
            if stream.pacing.is_open() {
                return conflict("is an open loop, which has connections of its own; share none");
            }
            if policy.pipeline > 1 {
                return conflict("pipelines on shared connections; give it its own, or choose a depth of 1");
            }
            if !(stream.weight.is_finite() && stream.weight > 0.0) {
                return conflict("has a weight that is not above 0; choose one that is");
            }
        }
        Ok(())
    }
}

fn sample_of(verify: Verify) -> Option<u32> {
    match verify {
        Verify::Sample { every } => Some(every),
        Verify::All | Verify::None => None,
    }
}

#[cfg(test)]
mod tests {
    use std::{net::SocketAddr, sync::Arc};

    use super::*;
    use crate::{check::AnySuccess, pacing::Pacing, request::Request, share::Share};

    fn plan(pacing: Pacing, connections: u32) -> Plan {
        let request = Request::get("/", "h").expect("a valid request");
        let stream = Stream::new("s", request, Arc::new(AnySuccess), pacing, connections);
        Plan::new(SocketAddr::from(([127, 0, 0, 1], 1)), vec![stream])
    }

    #[test]
    fn a_rate_must_be_a_rate() {
        for per_second in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let refused = plan(Pacing::Poisson { per_second: per_second.into() }, 1).validate();
            assert!(matches!(refused, Err(PlanError::Rate { .. })), "{per_second}");
        }
        assert_eq!(plan(Pacing::Constant { per_second: 0.5.into() }, 1).validate(), Ok(()));
    }

    #[test]
    fn more_connections_than_descriptors_are_refused_with_the_command_that_helps() {
        let refused = plan(Pacing::Closed, u32::MAX).validate().expect_err("far beyond any limit");
        assert!(refused.to_string().contains("n 4294967359`"), "{refused}");
        let refused = |is_hard| PlanError::Descriptors { needed: 9, allowed: 8, is_hard }.to_string();
        assert!(refused(false).ends_with("`ulimit -n 9`"), "{}", refused(false));
        assert!(refused(true).contains("`ulimit -Hn 9` as root"), "{}", refused(true));
    }

    #[test]
    fn a_part_of_a_load_has_its_share_of_the_connections_and_needs_one_at_least() {
        let mut plan = plan(Pacing::Closed, 5);
        plan.cpus = vec![0, 1, 2, 3];
        let shares = [0, 1, 2].map(|index| {
            plan.part = Share { index, of: 3 };
            (plan.validate(), plan.connections_of(&plan.streams[0]), plan.threads())
        });
        assert_eq!(shares, [(Ok(()), 2, 2), (Ok(()), 2, 2), (Ok(()), 1, 1)]);
        plan.part = Share { index: 3, of: 3 };
        let refused = plan.validate().map_err(|error| error.to_string());
        assert_eq!(refused, Err("part 3 of 3 is none; they are numbered from 0 to 2".to_owned()));
        plan.part = Share { index: 0, of: 6 };
        let refused = plan.validate().map_err(|error| error.to_string());
        assert!(
            refused.is_err_and(|error| error.starts_with("stream `s` has 5 connections for the 6 parts"))
        );
    }

    #[test]
    fn limits_that_let_nothing_through_and_settings_that_contradict_are_refused() {
        let refused = |change: fn(&mut Plan)| {
            let mut plan = plan(Pacing::Closed, 1);
            change(&mut plan);
            plan.validate().map_err(|error| error.to_string())
        };
        let with = |change: fn(&mut Plan), expected: &str| {
            let error = refused(change).expect_err(expected);
            assert!(error.contains(expected), "{error}");
        };
        with(|plan| plan.streams[0].policy.requests_each = Some(0), "requests on a connection of 0");
        with(|plan| plan.streams[0].policy.pipeline = 0, "in flight on a connection of 0");
        with(|plan| plan.streams[0].requests = Some(0), "allows requests of 0");
        with(|plan| plan.streams[0].verify = Verify::Sample { every: 0 }, "compared of 0");
        with(|plan| plan.shared_connections = Some(0), "no connections");
        with(
            |plan| {
                plan.first_byte = true;
                plan.streams[0].policy.pipeline = 2;
            },
            "first bytes",
        );
        with(
            |plan| {
                plan.shared_connections = Some(4);
                plan.streams[0].weight = 0.0;
            },
            "weight",
        );
        assert_eq!(refused(|plan| plan.shared_connections = Some(4)), Ok(()));
    }

    #[test]
    fn an_empty_plan_is_refused() {
        let mut plan = plan(Pacing::Closed, 0);
        assert_eq!(plan.validate(), Err(PlanError::NoConnections("s".to_owned())));
        plan.streams.clear();
        assert_eq!(plan.validate(), Err(PlanError::NoStreams));
    }
}
