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

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::quick::tally::Tally;

    /// What `artillery quick` 2.0.21 writes of a run without failures: the keys of each level, sorted.
    const TOP: &[&str] = &["aggregate", "intermediate"];
    const AGGREGATE: &[&str] = &[
        "counters",
        "firstCounterAt",
        "firstHistogramAt",
        "firstMetricAt",
        "histograms",
        "lastCounterAt",
        "lastHistogramAt",
        "lastMetricAt",
        "period",
        "rates",
        "summaries",
    ];
    const COUNTERS: &[&str] = &[
        "http.codes.200",
        "http.downloaded_bytes",
        "http.requests",
        "http.responses",
        "plugins.metrics-by-endpoint./simple.codes.200",
        "vusers.completed",
        "vusers.created",
        "vusers.created_by_name.0",
        "vusers.failed",
    ];
    const SUMMARIES: &[&str] = &[
        "http.response_time",
        "http.response_time.2xx",
        "plugins.metrics-by-endpoint.response_time./simple",
        "vusers.session_length",
    ];
    const SUMMARY: &[&str] =
        &["count", "max", "mean", "median", "min", "p50", "p75", "p90", "p95", "p99", "p999"];

    fn sorted_keys(value: &Value) -> Vec<&str> {
        let mut keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
        keys.sort_unstable();
        keys
    }

    fn run() -> Value {
        let mut tally = Tally::new("2026-01-02T03:04:05Z".parse().unwrap(), "/simple");
        tally.arrived(0);
        tally.requested(0);
        tally.answered(2_000_000, 200, 1_500_000, 41);
        tally.completed(3_000_000, 3_000_000);
        serde_json::to_value(tally.conclude(false)).unwrap()
    }

    #[test]
    fn the_keys_are_those_of_a_report_of_the_original() {
        let run = run();
        assert_eq!(sorted_keys(&run), TOP);
        let (aggregate, period) = (&run["aggregate"], &run["intermediate"][0]);
        assert_eq!(sorted_keys(aggregate), AGGREGATE);
        let mut of_period = [AGGREGATE, &["http.request_rate"]].concat();
        of_period.sort_unstable();
        assert_eq!(sorted_keys(period), of_period);
        for report in [aggregate, period] {
            assert_eq!(sorted_keys(&report["counters"]), COUNTERS);
            assert_eq!(sorted_keys(&report["rates"]), ["http.request_rate"]);
            for distributions in [&report["summaries"], &report["histograms"]] {
                assert_eq!(sorted_keys(distributions), SUMMARIES);
                assert_eq!(sorted_keys(&distributions["http.response_time"]), SUMMARY);
            }
        }
    }

    #[test]
    fn a_periods_name_is_text_and_that_of_the_whole_a_number() {
        let run = run();
        assert_eq!(run["aggregate"]["period"], 1_767_323_040_000_i64);
        assert_eq!(run["intermediate"][0]["period"], "1767323040000");
        assert_eq!(run["intermediate"][0]["http.request_rate"], Value::Null);
    }

    #[test]
    fn whole_numbers_have_no_decimals() {
        let written = [40.0, 0.0, 55.4, 0.053].map(|value| serde_json::to_string(&Number(value)).unwrap());
        assert_eq!(written, ["40", "0", "55.4", "0.053"]);
    }
}
