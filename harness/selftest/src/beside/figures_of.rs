//! What each tool reports, read from what it printed or wrote.
//!
//! A report that is not understood is refused with the line that is missing: no figure is ever guessed. Nothing here
//! starts a process or knows a file.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::tool::Generator;

/// A tool's own account of one window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reported {
    /// Requests that were answered, over the whole life of the process as far as the tool says.
    pub requests: u64,
    /// Requests per second, as the tool works it out.
    pub per_second: f64,
    /// Requests without a right answer, and connections that failed, as far as the tool notices.
    pub failed: u64,
    /// What our own generator says of itself besides.
    pub own: Option<OwnAccount>,
}

/// What only our own generator tells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OwnAccount {
    /// Schedule lag, where there is a schedule.
    pub lag: Option<Lag>,
    /// Part of the window's CPU time that the hypervisor gave to another machine, where the kernel tells.
    pub stolen: Option<f64>,
}

/// How late requests left, microseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lag {
    /// One in a hundred is later.
    pub p99_us: f64,
    /// One in a thousand is later.
    pub p99_9_us: f64,
}

/// A report that says too little.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// A line is not there, or is not what it was in the versions that are understood.
    #[error("{tool}'s report has no `{wanted}`; it begins: {excerpt}")]
    Missing {
        /// Whose report.
        tool: &'static str,
        /// What was looked for.
        wanted: &'static str,
        /// The start of what is there instead.
        excerpt: String,
    },
    /// It is not JSON, or not of the known shape.
    #[error("{tool}'s report is not understood ({reason}); it begins: {excerpt}")]
    Shape {
        /// Whose report.
        tool: &'static str,
        /// What the parser says.
        reason: String,
        /// The start of what is there instead.
        excerpt: String,
    },
}

/// Reads the report of `generator`.
///
/// # Errors
/// It says too little.
pub fn read(generator: Generator, report: &str) -> Result<Reported, ReportError> {
    match generator {
        Generator::Wrk | Generator::Wrk2 => wrk(generator.name(), report),
        Generator::Oha => oha(report),
        Generator::Own => own(report),
    }
}

fn excerpt(report: &str) -> String {
    let line = report.lines().find(|line| !line.trim().is_empty()).unwrap_or("(nothing)");
    line.trim().chars().take(80).collect()
}

/// wrk and wrk2 print the same text, in which what went well has no line.
fn wrk(tool: &'static str, report: &str) -> Result<Reported, ReportError> {
    let missing = |wanted| ReportError::Missing { tool, wanted, excerpt: excerpt(report) };
    let lines = || report.lines().map(str::trim);
    let requests = lines()
        .find_map(|line| line.split_once(" requests in ")?.0.parse().ok())
        .ok_or_else(|| missing("N requests in"))?;
    let per_second = lines()
        .find_map(|line| line.strip_prefix("Requests/sec:")?.trim().parse().ok())
        .filter(|rate: &f64| rate.is_finite() && *rate >= 0.0)
        .ok_or_else(|| missing("Requests/sec:"))?;
    let mut failed = 0;
    if let Some(errors) = lines().find_map(|line| line.strip_prefix("Socket errors:")) {
        for part in errors.split(',') {
            let count: Option<u64> = part.split_whitespace().last().and_then(|count| count.parse().ok());
            failed += count.ok_or_else(|| missing("Socket errors: connect N, read N, write N, timeout N"))?;
        }
    }
    if let Some(count) = lines().find_map(|line| line.strip_prefix("Non-2xx or 3xx responses:")) {
        failed += count.trim().parse::<u64>().map_err(|_| missing("Non-2xx or 3xx responses: N"))?;
    }
    Ok(Reported { requests, per_second, failed, own: None })
}

/// What oha calls a request that its deadline cut off: no failure of anybody.
const CUT_OFF: &str = "aborted due to deadline";

fn oha(report: &str) -> Result<Reported, ReportError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Report {
        summary: Summary,
        status_code_distribution: BTreeMap<String, u64>,
        error_distribution: BTreeMap<String, u64>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Summary {
        requests_per_sec: f64,
    }
    let read: Report = parse("oha", report)?;
    let by_status = |right: bool| {
        let of = read.status_code_distribution.iter().filter(|(status, _)| status.starts_with('2') == right);
        of.map(|(_, count)| count).sum::<u64>()
    };
    let errors: u64 =
        read.error_distribution.iter().filter(|(kind, _)| *kind != CUT_OFF).map(|(_, count)| count).sum();
    Ok(Reported {
        requests: by_status(true) + by_status(false),
        per_second: read.summary.requests_per_sec,
        failed: by_status(false) + errors,
        own: None,
    })
}

fn own(report: &str) -> Result<Reported, ReportError> {
    #[derive(Deserialize)]
    struct Report {
        requests_per_second: f64,
        streams: Vec<Stream>,
        machine: Machine,
    }
    #[derive(Deserialize)]
    struct Stream {
        counts: Counts,
        connections: Connections,
        lag_us: Option<LagUs>,
    }
    #[derive(Deserialize)]
    struct Counts {
        due: u64,
        completed: u64,
        ok: u64,
    }
    #[derive(Deserialize)]
    struct Connections {
        planned: u64,
        open_at_start: u64,
    }
    #[derive(Deserialize)]
    struct LagUs {
        p99: Option<f64>,
        p99_9: Option<f64>,
    }
    #[derive(Deserialize)]
    struct Machine {
        steal: Option<f64>,
    }
    let tool = Generator::Own.name();
    let read: Report = parse(tool, report)?;
    let Some(stream) = read.streams.first() else {
        return Err(ReportError::Missing { tool, wanted: "streams[0]", excerpt: excerpt(report) });
    };
    let lag = stream.lag_us.as_ref().and_then(|lag| Some(Lag { p99_us: lag.p99?, p99_9_us: lag.p99_9? }));
    Ok(Reported {
        requests: stream.counts.completed,
        per_second: read.requests_per_second,
        failed: stream.counts.due.saturating_sub(stream.counts.ok)
            + stream.connections.planned.saturating_sub(stream.connections.open_at_start),
        own: Some(OwnAccount { lag, stolen: read.machine.steal }),
    })
}

fn parse<T: serde::de::DeserializeOwned>(tool: &'static str, report: &str) -> Result<T, ReportError> {
    serde_json::from_str(report).map_err(|error| ReportError::Shape {
        tool,
        reason: error.to_string(),
        excerpt: excerpt(report),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRK: &str = "Running 2s test @ http://127.0.0.1:8080/simple
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   702.11us  105.31us   3.51ms   91.01%
    Req/Sec    91.20k     2.95k   95.10k    80.00%
  183542 requests in 2.10s, 25.73MB read
Requests/sec:  87394.12
Transfer/sec:     12.25MB
";

    #[test]
    fn wrk_says_how_many_and_how_fast() {
        let read = read(Generator::Wrk, WRK).unwrap();
        assert_eq!(read, Reported { requests: 183_542, per_second: 87_394.12, failed: 0, own: None });
    }

    #[test]
    fn what_wrk_could_not_do_is_counted() {
        let bad = format!(
            "{WRK}  Socket errors: connect 1, read 2, write 0, timeout 40\n  Non-2xx or 3xx responses: 500\n"
        );
        assert_eq!(read(Generator::Wrk, &bad).unwrap().failed, 543);
    }

    #[test]
    fn a_report_that_says_too_little_is_refused_with_what_it_lacks() {
        let error = read(Generator::Wrk, "unable to connect to 127.0.0.1:1 Connection refused").unwrap_err();
        assert_eq!(
            error.to_string(),
            "wrk's report has no `N requests in`; it begins: unable to connect to 127.0.0.1:1 Connection refused"
        );
        let garbled = format!("{WRK}Socket errors: many\n");
        assert!(read(Generator::Wrk, &garbled).unwrap_err().to_string().contains("Socket errors: connect N"));
        assert!(read(Generator::Wrk, &WRK.replace("87394.12", "nan")).is_err());
        let error = read(Generator::Oha, "{\"summary\": {}}").unwrap_err();
        assert!(error.to_string().contains("missing field `requestsPerSec`"), "{error}");
        assert!(read(Generator::Own, "").unwrap_err().to_string().contains("it begins: (nothing)"));
    }

    #[test]
    fn requests_that_ohas_deadline_cut_off_are_no_failures() {
        let report = r#"{
            "summary": {"successRate": 1.0, "total": 2.0, "requestsPerSec": 52034.5},
            "statusCodeDistribution": {"200": 104001, "503": 3},
            "errorDistribution": {"aborted due to deadline": 64, "connection refused": 2}
        }"#;
        let read = read(Generator::Oha, report).unwrap();
        assert_eq!(read, Reported { requests: 104_004, per_second: 52_034.5, failed: 5, own: None });
    }

    #[test]
    fn our_own_report_has_lag_only_where_there_is_a_schedule() {
        let report = |lag: &str| {
            format!(
                r#"{{"requests_per_second": 2000.5, "machine": {{"steal": 0.01}}, "streams": [
                    {{"counts": {{"due": 4001, "sent": 4001, "completed": 4000, "ok": 3999}},
                      "connections": {{"planned": 64, "open_at_start": 63}}, "lag_us": {lag}}}]}}"#
            )
        };
        let open = read(Generator::Own, &report(r#"{"p50": 1.0, "p99": 12.5, "p99_9": 80.0}"#)).unwrap();
        assert_eq!((open.requests, open.per_second, open.failed), (4_000, 2_000.5, 3));
        let lag = Lag { p99_us: 12.5, p99_9_us: 80.0 };
        assert_eq!(open.own, Some(OwnAccount { lag: Some(lag), stolen: Some(0.01) }));
        let closed = read(Generator::Own, &report("null")).unwrap();
        assert_eq!(closed.own.unwrap().lag, None);
    }

    proptest::proptest! {
        #[test]
        fn no_report_makes_a_reader_panic(report in "\\PC{0,200}", cut in 0_usize..400) {
            let part: String = WRK.chars().take(cut).collect();
            for generator in [Generator::Wrk, Generator::Oha, Generator::Own] {
                let _refused_or_not = read(generator, &report);
                let _refused_or_not = read(generator, &part);
            }
        }
    }
}
