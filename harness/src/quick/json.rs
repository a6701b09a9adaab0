//! The report as JSON, with the original's keys.
//!
//! Two of its habits are kept because scripts may have met them: a period of `intermediate` is text and the one of
//! `aggregate` a number, and each rate has a second, empty entry beside `rates` in every period. An interrupted run
//! has the key `interrupted` beside the two.

use serde::{Serialize, Serializer, ser::SerializeMap};

use super::report::{Report, Run, Summary};

impl Serialize for Run {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("aggregate", &Aggregate(&self.aggregate))?;
        map.serialize_entry("intermediate", &self.intermediate.iter().map(Period).collect::<Vec<_>>())?;
        if self.interrupted {
            map.serialize_entry("interrupted", &true)?;
        }
        map.end()
    }
}

struct Aggregate<'a>(&'a Report);

impl Serialize for Aggregate<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        counts(&mut map, self.0)?;
        instants(&mut map, self.0)?;
        map.serialize_entry("period", &self.0.period_ms)?;
        distributions(&mut map, self.0)?;
        map.end()
    }
}

struct Period<'a>(&'a Report);

impl Serialize for Period<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        counts(&mut map, self.0)?;
        for (name, _) in &self.0.rates {
            map.serialize_entry(name, &())?;
        }
        instants(&mut map, self.0)?;
        map.serialize_entry("period", &self.0.period_ms.to_string())?;
        distributions(&mut map, self.0)?;
        map.end()
    }
}

fn counts<M: SerializeMap>(map: &mut M, report: &Report) -> Result<(), M::Error> {
    map.serialize_entry("counters", &Named(&report.counters))?;
    map.serialize_entry("rates", &Named(&report.rates))
}

fn instants<M: SerializeMap>(map: &mut M, report: &Report) -> Result<(), M::Error> {
    let (counted, timed, noted) = (report.counted_ms, report.timed_ms, report.noted_ms());
    for (key, at_ms) in [
        ("firstCounterAt", counted.map(|(first, _)| first)),
        ("firstHistogramAt", timed.map(|(first, _)| first)),
        ("lastCounterAt", counted.map(|(_, last)| last)),
        ("lastHistogramAt", timed.map(|(_, last)| last)),
        ("firstMetricAt", noted.map(|(first, _)| first)),
        ("lastMetricAt", noted.map(|(_, last)| last)),
    ] {
        if let Some(at_ms) = at_ms {
            map.serialize_entry(key, &at_ms)?;
        }
    }
    Ok(())
}

/// The original writes them twice.
fn distributions<M: SerializeMap>(map: &mut M, report: &Report) -> Result<(), M::Error> {
    map.serialize_entry("summaries", &Named(&report.summaries))?;
    map.serialize_entry("histograms", &Named(&report.summaries))
}

/// A map in the order of its entries.
struct Named<'a, T>(&'a [(String, T)]);

impl<T: Serialize> Serialize for Named<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl Serialize for Summary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("min", &Number(self.min))?;
        map.serialize_entry("max", &Number(self.max))?;
        map.serialize_entry("count", &self.count)?;
        map.serialize_entry("mean", &Number(self.mean))?;
        for (key, value) in [
            ("p50", self.p50),
            ("median", self.p50),
            ("p75", self.p75),
            ("p90", self.p90),
            ("p95", self.p95),
            ("p99", self.p99),
            ("p999", self.p999),
        ] {
            map.serialize_entry(key, &Number(value))?;
        }
        map.end()
    }
}

/// A number as JavaScript writes it: `40`, not `40.0`.
struct Number(f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.fract() == 0.0 && (0.0..=9e15).contains(&self.0) {
            serializer.serialize_u64(self.0 as u64)
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}
