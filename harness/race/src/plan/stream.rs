//! One stream of a scenario: what is asked for, when, and on what connections; what of that contradicts itself, and how it is put in words.

use std::{ops::RangeInclusive, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{registry::OperationName, schema};

/// One endpoint of a mix, with connections of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// How it is called in tables.
    pub name: String,
    /// What is asked for.
    pub operation: OperationName,
    /// How long one operation should take at concurrency 1: iterations or draws are calibrated to it, and a delay lasts as long.
    #[serde(with = "duration::optional", default)]
    #[schemars(with = "Option<schema::Time>")]
    pub service_time: Option<Duration>,
    /// How many connections it has.
    pub connections: usize,
    /// When requests are due.
    pub pacing: Pacing,
    /// An open loop's requests come in bursts. Its rate stays what it is in the mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bursts: Option<Bursts>,
    /// So many requests a connection carries before the generator closes it and opens another; as many as there are where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_connection: Option<u32>,
    /// How busy each connection is beside the others, in turn from the first: with `[10, 1, 1, 1]` one in four has ten times as many
    /// requests. Each connection then has a schedule of its own, and what is due on it waits for no other. Of an open loop.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weights: Vec<u32>,
    /// Requests are written no faster than this on each connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send_bytes_per_second: Option<u32>,
    /// Answers are read no faster than this on each connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_bytes_per_second: Option<u32>,
    /// So many more connections are open meanwhile, on which one request was answered and nothing happens.
    #[serde(default, skip_serializing_if = "has_none")]
    pub idle_connections: usize,
}

/// When the requests of a stream are due.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Pacing {
    /// The next one as soon as the last was answered, on every connection.
    Closed,
    /// Evenly spaced.
    Constant {
        /// How many.
        rate: Rate,
    },
    /// Independent of each other, as the requests of many people are.
    Poisson {
        /// How many.
        rate: Rate,
    },
}

/// An arrival rate. Whatever it is derived from, it is the same absolute rate for every row, but for an experiment's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Rate {
    /// Requests per second.
    PerSecond(f64),
    /// This part of what the slowest row of the run served in its calibration.
    OfSlowestCapacity(f64),
    /// This part of what the row itself carried just before, in a closed loop on the same connections. Of an experiment alone, which compares
    /// no rows.
    OfOwnCapacity(f64),
    /// What makes the server's CPUs busy for this part of the time, together with the other streams.
    ToReachLoad(f64),
}

/// Requests for a while, none for a while, and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bursts {
    /// How long requests come.
    #[serde(with = "duration")]
    #[schemars(with = "schema::Time")]
    pub on: Duration,
    /// How long none does.
    #[serde(with = "duration")]
    #[schemars(with = "schema::Time")]
    pub off: Duration,
}

/// What a stream's connections are like, but for how many there are. The default: opened before the load, kept, alike, and fast.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// How many requests each carries.
    pub requests_per_connection: Option<u32>,
    /// How busy each is beside the others, in turn from the first; alike where there is none.
    pub weights: Vec<u32>,
    /// How fast each is written to.
    pub send_bytes_per_second: Option<u32>,
    /// How fast each is read from.
    pub read_bytes_per_second: Option<u32>,
    /// How many more are open, on which nothing happens.
    pub idle_connections: usize,
}

/// Shorter than this, nothing can be measured or waited for.
pub(super) const SHORTEST: Duration = Duration::from_millis(1);
/// What takes longer than an hour is a typing error.
pub(super) const LONGEST: Duration = Duration::from_secs(3600);
/// As many as the generator has room for.
pub(super) const MOST_CONNECTIONS: usize = load::MOST_IN_FLIGHT as usize;
/// What the generator can schedule, in requests per second.
pub(super) const RATES: RangeInclusive<f64> = load::Rate::LEAST_PER_SECOND..=load::Rate::MOST_PER_SECOND;
/// Each connection with a schedule of its own has its own histograms.
const MOST_WEIGHTED: usize = 256;
/// One beyond this leaves nothing to the others.
const WEIGHTS: RangeInclusive<u32> = 1..=10_000;
/// Beyond this a connection is as good as kept.
const REQUESTS: RangeInclusive<u32> = 1..=1_000_000;
/// Slower than a byte a second no request ends, and faster than this loopback is what is slow.
const BYTES_PER_SECOND: RangeInclusive<u32> = 1..=100_000_000;
/// What the application waits at most, in milliseconds.
const DELAYS_MS: RangeInclusive<u128> = 1..=60_000;

fn has_none(count: &usize) -> bool {
    *count == 0
}

impl Pacing {
    /// The rate, where there is one.
    pub fn rate(&self) -> Option<Rate> {
        match *self {
            Self::Closed => None,
            Self::Constant { rate } | Self::Poisson { rate } => Some(rate),
        }
    }
}

impl Bursts {
    /// From one burst's beginning to the next one's.
    pub fn period(self) -> Duration {
        self.on.saturating_add(self.off)
    }

    /// The rate within a burst, where `mean` is the rate over all, both in requests per second.
    pub fn rate_within(self, mean: f64) -> f64 {
        mean * self.period().as_secs_f64() / self.on.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    fn check(self, window: Duration) -> Result<(), String> {
        for (what, time) in [("on", self.on), ("off", self.off)] {
            if !(SHORTEST..=LONGEST).contains(&time) {
                return Err(format!(
                    ": bursts that are {what} for {time:?} are none from {SHORTEST:?} to {LONGEST:?}"
                ));
            }
        }
        let (window, period) = (window.as_nanos(), self.period().as_nanos());
        if !window.is_multiple_of(period) || window == 0 {
            return Err(format!(
                ": a burst comes every {:?}, so that a window holds a whole number of these; choose one such as {:?}",
                self.period(),
                self.period() * u32::try_from(window.div_ceil(period)).unwrap_or(1)
            ));
        }
        Ok(())
    }
}

impl Stream {
    /// One whose connections are opened before the load and kept, all alike.
    pub fn plain(name: &str, operation: OperationName, connections: usize, pacing: Pacing) -> Self {
        Self {
            name: name.to_owned(),
            operation,
            service_time: None,
            connections,
            pacing,
            bursts: None,
            requests_per_connection: None,
            weights: Vec::new(),
            send_bytes_per_second: None,
            read_bytes_per_second: None,
            idle_connections: 0,
        }
    }

    /// The highest rate that it ever has, where `mean` is that over all time, both in requests per second.
    pub fn peak(&self, mean: f64) -> f64 {
        self.bursts.map_or(mean, |bursts| bursts.rate_within(mean))
    }

    /// What its connections are like.
    pub fn shape(&self) -> Shape {
        let Self { requests_per_connection, send_bytes_per_second, read_bytes_per_second, .. } = *self;
        let (weights, idle_connections) = (self.weights.clone(), self.idle_connections);
        Shape {
            requests_per_connection,
            weights,
            send_bytes_per_second,
            read_bytes_per_second,
            idle_connections,
        }
    }

    /// What is wrong with it, to be put behind its name.
    pub(super) fn check(&self, window: Duration) -> Result<(), String> {
        let Self { connections, .. } = *self;
        if !(1..=MOST_CONNECTIONS).contains(&connections) {
            return Err(format!(" has 1 to {MOST_CONNECTIONS} connections, not {connections}"));
        }
        if self.idle_connections > MOST_CONNECTIONS {
            let idle = self.idle_connections;
            return Err(format!(" has up to {MOST_CONNECTIONS} idle connections, not {idle}"));
        }
        if let Some(time) = self.service_time.filter(|time| time.is_zero() || *time > LONGEST) {
            return Err(format!(": a service_time of {time:?} is not above 0 and up to {LONGEST:?}"));
        }
        if (self.operation != OperationName::Simple) != self.service_time.is_some() {
            return Err(": complex, randoms and delay, and only they, have a `service_time`".to_owned());
        }
        if let (OperationName::Delay, Some(time)) = (self.operation, self.service_time) {
            let is_whole = time.subsec_nanos().is_multiple_of(1_000_000);
            if !is_whole || !DELAYS_MS.contains(&time.as_millis()) {
                let (least, most) = (DELAYS_MS.start(), DELAYS_MS.end());
                return Err(format!(
                    ": a delay is of whole milliseconds from {least} to {most}, not {time:?}"
                ));
            }
        }
        self.bursts.map_or(Ok(()), |bursts| bursts.check(window))?;
        self.check_rate()?;
        let open_only = [("bursts", self.bursts.is_some()), ("weights", !self.weights.is_empty())];
        if let (Pacing::Closed, Some((what, _))) =
            (self.pacing, open_only.iter().find(|(_, is_given)| *is_given))
        {
            return Err(format!(": {what} are of an open loop, whose requests are due whatever is answered"));
        }
        self.check_weights()?;
        let within = |what: &str, value: Option<u32>, range: RangeInclusive<u32>| match value {
            Some(value) if !range.contains(&value) => {
                Err(format!(": {what} is from {} to {}, not {value}", range.start(), range.end()))
            }
            _ => Ok(()),
        };
        within("requests_per_connection", self.requests_per_connection, REQUESTS)?;
        within("send_bytes_per_second", self.send_bytes_per_second, BYTES_PER_SECOND)?;
        within("read_bytes_per_second", self.read_bytes_per_second, BYTES_PER_SECOND)
    }

    fn check_rate(&self) -> Result<(), String> {
        match self.pacing.rate() {
            Some(Rate::PerSecond(rate)) if !RATES.contains(&rate) => {
                let (least, most) = (RATES.start(), RATES.end());
                Err(format!(": a rate of {rate} per second is no rate from {least} to {most}"))
            }
            Some(Rate::PerSecond(rate)) if self.peak(rate) > *RATES.end() => {
                let (peak, most) = (self.peak(rate), RATES.end());
                Err(format!(
                    ": a rate of {rate} is one of {peak} per second within a burst, more than {most}"
                ))
            }
            Some(Rate::OfSlowestCapacity(part) | Rate::ToReachLoad(part) | Rate::OfOwnCapacity(part))
                if !(part > 0.0 && part <= 1.5) =>
            {
                Err(format!(": a load of {part} is not between 0 and 1.5"))
            }
            _ => Ok(()),
        }
    }

    fn check_weights(&self) -> Result<(), String> {
        let weights = self.weights.len();
        if let Some(weight) = self.weights.iter().find(|weight| !WEIGHTS.contains(weight)) {
            return Err(format!(": a weight is from {} to {}, not {weight}", WEIGHTS.start(), WEIGHTS.end()));
        }
        match self.connections {
            _ if weights == 0 => Ok(()),
            connections if connections < weights => {
                Err(format!(": {weights} weights are more than its {connections} connections"))
            }
            connections if connections > MOST_WEIGHTED => Err(format!(
                ": at most {MOST_WEIGHTED} connections have weights, each with a schedule of its own, and not {connections}"
            )),
            _ => Ok(()),
        }
    }

    /// What its connections do that others do not, in words; empty where there is nothing to say. `, 1 request a connection`.
    pub fn particulars(&self) -> String {
        let mut said = String::new();
        let mut say = |text: String| {
            said.push_str(", ");
            said.push_str(&text);
        };
        if let Some(Bursts { on, off }) = self.bursts {
            say(format!("in bursts of {on:?} with pauses of {off:?}"));
        }
        if let Some(requests) = self.requests_per_connection {
            let plural = if requests == 1 { "request" } else { "requests" };
            say(format!("{requests} {plural} a connection"));
        }
        if !self.weights.is_empty() {
            let weights: Vec<String> = self.weights.iter().map(u32::to_string).collect();
            say(format!("each with a schedule of its own, busy as {} in turn", weights.join(" to ")));
        }
        for (what, rate) in [("sent", self.send_bytes_per_second), ("read", self.read_bytes_per_second)] {
            if let Some(rate) = rate {
                say(format!("{what} at {rate} bytes a second"));
            }
        }
        if self.idle_connections > 0 {
            say(format!("beside {} on which nothing happens", self.idle_connections));
        }
        said
    }
}

impl Shape {
    /// The part of all requests that each of `connections` has, which sum to 1; none where they are alike.
    pub fn shares(&self, connections: usize) -> Vec<f64> {
        if self.weights.is_empty() {
            return Vec::new();
        }
        let weights = || self.weights.iter().cycle().take(connections).map(|&weight| f64::from(weight));
        let all: f64 = weights().sum();
        weights().map(|weight| weight / all).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> Stream {
        let pacing = Pacing::Poisson { rate: Rate::PerSecond(100.0) };
        Stream::plain("s", OperationName::Simple, 8, pacing)
    }

    #[test]
    fn what_a_stream_cannot_be_is_refused_with_the_reason() {
        let bursts =
            |on, off| Some(Bursts { on: Duration::from_millis(on), off: Duration::from_millis(off) });
        let delay = |us| Stream {
            operation: OperationName::Delay,
            service_time: Some(Duration::from_micros(us)),
            ..open()
        };
        let closed = Stream { pacing: Pacing::Closed, ..open() };
        let refused = [
            (
                Stream { bursts: bursts(50, 70), ..open() },
                "every 120ms, so that a window holds a whole number",
            ),
            (Stream { bursts: bursts(0, 70), ..open() }, "are on for 0ns"),
            (Stream { bursts: bursts(50, 200), ..closed.clone() }, "bursts are of an open loop"),
            (Stream { weights: vec![10, 1], ..closed }, "weights are of an open loop"),
            (Stream { weights: vec![10, 0], ..open() }, "a weight is from 1 to 10000, not 0"),
            (Stream { weights: vec![1; 9], ..open() }, "9 weights are more than its 8 connections"),
            (Stream { weights: vec![1], connections: 257, ..open() }, "at most 256 connections have weights"),
            (Stream { requests_per_connection: Some(0), ..open() }, "requests_per_connection is from 1"),
            (Stream { send_bytes_per_second: Some(0), ..open() }, "send_bytes_per_second is from 1"),
            (Stream { read_bytes_per_second: Some(0), ..open() }, "read_bytes_per_second is from 1"),
            (Stream { idle_connections: 9_999_999, ..open() }, "idle connections, not 9999999"),
            (Stream { operation: OperationName::Delay, ..open() }, "have a `service_time`"),
            (delay(1_500), "whole milliseconds from 1 to 60000, not 1.5ms"),
            (delay(61_000_000), "whole milliseconds from 1 to 60000, not 61s"),
        ];
        for (stream, expected) in refused {
            let error = stream.check(Duration::from_secs(1)).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        for sound in [
            Stream { bursts: bursts(50, 200), ..open() },
            Stream { weights: vec![10, 1, 1, 1], requests_per_connection: Some(1), ..open() },
            delay(200_000),
        ] {
            assert_eq!(sound.check(Duration::from_secs(1)), Ok(()));
        }
    }

    #[test]
    fn a_burst_has_the_rate_that_keeps_the_mean() {
        let bursts = Bursts { on: Duration::from_millis(50), off: Duration::from_millis(150) };
        assert!((bursts.rate_within(1000.0) - 4000.0).abs() < 1e-6);
    }

    #[test]
    fn one_connection_in_four_has_ten_times_the_share_of_the_others() {
        let shape = Stream { weights: vec![10, 1, 1, 1], ..open() }.shape();
        let shares = shape.shares(8);
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!((shares[0] / shares[1] - 10.0).abs() < 1e-9 && shares[0] == shares[4], "{shares:?}");
        assert!(open().shape().shares(8).is_empty());
    }

    #[test]
    fn what_is_particular_of_a_stream_is_put_in_words() {
        assert_eq!(open().particulars(), "");
        let all = Stream {
            requests_per_connection: Some(1),
            weights: vec![10, 1],
            send_bytes_per_second: Some(200),
            idle_connections: 9_900,
            ..open()
        };
        assert_eq!(
            all.particulars(),
            ", 1 request a connection, each with a schedule of its own, busy as 10 to 1 in turn, sent at 200 bytes a second, \
             beside 9900 on which nothing happens"
        );
    }
}
