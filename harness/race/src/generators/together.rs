//! What several generators found of one load, as one window.
//!
//! Counts are summed, and distributions are added up value by value: percentiles are never averaged. What says whether a generator can be
//! trusted is judged for each host by itself, so that the window has the worst of it.

use std::collections::BTreeMap;

use load::ClosedLoop;
use stats::{AndersonDarling, Digest, Histogram, Recorded, SerialFigures, Stationarity};

use crate::{
    machine::edge::Accounts,
    records::window::{
        GeneratorRecord, Measured, PartRecord, PartStreamRecord, SelfChecks, SlicesRecord, StreamRecord,
    },
};

/// What one of them found.
#[derive(Debug)]
pub(crate) struct Part {
    /// Its host, as a person named it.
    pub(crate) host: String,
    /// Whether its times are the window's.
    pub(crate) measures: bool,
    /// How far the window may be from that of another, in nanoseconds: what is not known of its clock.
    pub(crate) clock_within_ns: i64,
    /// Its own figures.
    pub(crate) measured: Measured,
}

/// All of `parts`, of which there is one at least, with what was accounted where the server is. `None` of none.
pub(crate) fn of(parts: &[Part], accounts: Accounts) -> Option<Measured> {
    let all = || parts.iter().map(|part| &part.measured);
    let first = all().next()?;
    let streams = (0..first.streams.len()).filter_map(|index| stream(parts, index)).collect();
    let theirs: Vec<&Accounts> = all().map(|measured| &measured.accounts).collect();
    Some(Measured {
        window_s: all().map(|measured| measured.window_s).fold(f64::INFINITY, f64::min),
        clock_step_ns: all().filter_map(|measured| measured.clock_step_ns).max_by_key(|step| step.abs()),
        streams,
        answered_in_stretch: all().map(|measured| measured.answered_in_stretch).sum(),
        accounts: accounts.with_generators(&theirs),
        generator: generator(all()),
        closed_loop: closed_loop(all()),
        ports: None,
        idle: None,
        parts: parts.iter().map(record).collect(),
    })
}

fn record(part: &Part) -> PartRecord {
    let of_stream = |stream: &StreamRecord| {
        let times = stream.response_times();
        PartStreamRecord {
            name: stream.name.clone(),
            connections: stream.connections,
            due: stream.due,
            right: stream.right,
            p50: times.quantile(0.5),
            p99: times.quantile(0.99),
            lag_p99_ns: stream.lag.as_ref().map(|lag| lag.p99.ns()),
        }
    };
    PartRecord {
        host: part.host.clone(),
        measures: part.measures,
        clock_within_ns: part.clock_within_ns,
        generator: part.measured.generator.clone(),
        streams: part.measured.streams.iter().map(of_stream).collect(),
    }
}

fn stream(parts: &[Part], index: usize) -> Option<StreamRecord> {
    let all: Vec<&StreamRecord> = parts.iter().filter_map(|part| part.measured.streams.get(index)).collect();
    let measuring =
        || parts.iter().filter(|part| part.measures).filter_map(|part| part.measured.streams.get(index));
    let first = *all.first()?;
    let sum = |of: fn(&StreamRecord) -> u64| all.iter().map(|stream| of(stream)).sum();
    let loading =
        || parts.iter().filter(|part| !part.measures).filter_map(|part| part.measured.streams.get(index));
    let times = |of: fn(&StreamRecord) -> &Recorded| added(measuring().map(of));
    let offered: Vec<f64> = all.iter().filter_map(|stream| stream.offered_per_second).collect();
    let alone =
        |of: fn(&StreamRecord) -> &Option<Digest>| (all.len() == 1).then(|| of(first).clone()).flatten();
    let stamped = |at: usize| all.iter().map(|stream| stream.timed_by_stamp_and_by_read[at]).sum();
    let answers = |at: usize| all.iter().map(move |stream| stream.answers_by_connection[at]);
    Some(StreamRecord {
        name: first.name.clone(),
        connections: all.iter().map(|stream| stream.connections).sum(),
        offered_per_second: (!offered.is_empty()).then(|| offered.iter().sum()),
        answered_in_window: sum(|stream| stream.answered_in_window),
        due: sum(|stream| stream.due),
        sent: sum(|stream| stream.sent),
        unsent: sum(|stream| stream.unsent),
        right: sum(|stream| stream.right),
        late: sum(|stream| stream.late),
        overtaken: sum(|stream| stream.overtaken),
        censored: sum(|stream| stream.censored),
        errors: summed(all.iter().map(|stream| &stream.errors)),
        causes: causes(&all),
        first_wrong: all.iter().find_map(|stream| stream.first_wrong.clone()),
        response: times(|stream| &stream.response),
        observed: times(|stream| &stream.observed),
        unanswered: times(|stream| &stream.unanswered),
        loading: loading().next().map(|_| added(loading().map(|stream| &stream.response))),
        timed_by_stamp_and_by_read: [stamped(0), stamped(1)],
        service: alone(|stream| &stream.service),
        queue_wait: alone(|stream| &stream.queue_wait),
        lag: all.iter().filter_map(|stream| stream.lag.as_ref()).max_by_key(|lag| lag.p99.ns()).cloned(),
        littles_law_difference: all.iter().map(|stream| stream.littles_law_difference).fold(0.0, f64::max),
        accounts_agree: all.iter().all(|stream| stream.accounts_agree),
        reopened: sum(|stream| stream.reopened),
        answers_by_connection: [answers(0).min().unwrap_or(0), answers(1).max().unwrap_or(0)],
        answers_by_worker: summed(all.iter().map(|stream| &stream.answers_by_worker)),
        connections_by_worker: summed(all.iter().map(|stream| &stream.connections_by_worker)),
        slices: slices(&all),
        self_checks: self_checks(&all),
    })
}

/// The distributions as one.
///
/// # Panics
/// If one is no distribution: each was encoded by a generator of this very program.
fn added<'a>(all: impl Iterator<Item = &'a Recorded>) -> Recorded {
    let mut sum = Histogram::new();
    all.for_each(|one| sum.merge(&one.histogram().expect("a generator of this program encoded it")));
    Recorded::of(&sum)
}

fn summed<'a>(all: impl Iterator<Item = &'a BTreeMap<String, u64>>) -> BTreeMap<String, u64> {
    let mut sum = BTreeMap::new();
    for (name, count) in all.flatten() {
        *sum.entry(name.clone()).or_default() += count;
    }
    sum
}

fn causes(all: &[&StreamRecord]) -> BTreeMap<String, BTreeMap<String, u64>> {
    let mut sum: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for (kind, causes) in all.iter().flat_map(|stream| &stream.causes) {
        let own = sum.entry(kind.clone()).or_default();
        *own = summed([&*own, causes].into_iter());
    }
    sum
}

/// Slice by slice: all windows were opened at one instant, and clocks are known to far less than a slice.
fn slices(all: &[&StreamRecord]) -> SlicesRecord {
    let count = all.iter().map(|stream| stream.slices.due.len()).max().unwrap_or(0);
    let each = || all.iter().map(|stream| &stream.slices);
    let column = |of: fn(&SlicesRecord) -> &Vec<u32>, at: usize| {
        each().map(|slices| of(slices).get(at).copied().unwrap_or(0)).fold(0, u32::saturating_add)
    };
    let mean_us = |at: usize| {
        let weighted = |slices: &SlicesRecord| {
            Some((u64::from(*slices.due.get(at)?), *slices.mean_us.get(at)?)).filter(|(_, mean)| *mean > 0)
        };
        let (due, sum) = each()
            .filter_map(weighted)
            .fold((0, 0), |(due, sum), (own, mean_us)| (due + own, sum + own * mean_us));
        u64::checked_div(sum, due).unwrap_or(0)
    };
    let max_us = |at: usize| each().filter_map(|slices| slices.max_us.get(at)).max().copied().unwrap_or(0);
    SlicesRecord {
        width_ns: each().map(|slices| slices.width_ns).max().unwrap_or(0),
        due: (0..count).map(|at| column(|slices| &slices.due, at)).collect(),
        answered: (0..count).map(|at| column(|slices| &slices.answered, at)).collect(),
        errors: (0..count).map(|at| column(|slices| &slices.errors, at)).collect(),
        mean_us: (0..count).map(mean_us).collect(),
        max_us: (0..count).map(max_us).collect(),
    }
}

fn self_checks(all: &[&StreamRecord]) -> SelfChecks {
    let checks = || all.iter().map(|stream| &stream.self_checks);
    let least_likely = |one: &AndersonDarling, other: &AndersonDarling| one.p_value.total_cmp(&other.p_value);
    let trend = |stationarity: &Stationarity| match stationarity {
        Stationarity::Trend { p, .. } => Some(1.0 - p),
        _ => None,
    };
    let strongest = checks()
        .map(|checks| checks.stationarity)
        .max_by(|one, other| trend(one).unwrap_or(-1.0).total_cmp(&trend(other).unwrap_or(-1.0)));
    SelfChecks {
        drawn_schedule: checks().filter_map(|checks| checks.drawn_schedule).min_by(least_likely),
        departures_distance: checks().filter_map(|checks| checks.departures_distance).max_by(f64::total_cmp),
        stationarity: strongest.unwrap_or(Stationarity::CannotTell),
        serial: serial(checks().filter_map(|checks| checks.serial).collect()),
    }
}

/// Answers of different hosts say nothing of each other's: they are as many more.
fn serial(all: Vec<SerialFigures>) -> Option<SerialFigures> {
    let n: u64 = all.iter().map(|figures| figures.n).sum();
    let weighted: f64 = all.iter().map(|figures| figures.n as f64 * figures.autocorrelation).sum();
    Some(SerialFigures {
        n,
        autocorrelation: weighted / n.max(1) as f64,
        autocorrelation_error: 1.0 / (n.max(1) as f64).sqrt(),
        slices: all.iter().map(|figures| figures.slices).min()?,
        variance_inflation: all
            .iter()
            .filter_map(|figures| figures.variance_inflation)
            .max_by(f64::total_cmp),
        effective_sample_size: all.iter().map(|figures| figures.effective_sample_size).sum(),
    })
}

fn generator<'a>(all: impl Iterator<Item = &'a Measured> + Clone) -> GeneratorRecord {
    let each = || all.clone().map(|measured| &measured.generator);
    let right =
        |measured: &Measured| measured.streams.iter().map(|stream| stream.answered_in_window).sum::<u64>();
    let whole = all.clone().map(right).sum::<u64>().max(1) as f64;
    let per_request = |of: fn(&GeneratorRecord) -> f64| {
        all.clone().map(|measured| of(&measured.generator) * right(measured) as f64).sum::<f64>() / whole
    };
    GeneratorRecord {
        threads: each().map(|generator| generator.threads).sum(),
        busy: each().map(|generator| generator.busy).fold(0.0, f64::max),
        spins: each().any(|generator| generator.spins),
        cpu_per_request_us: per_request(|generator| generator.cpu_per_request_us),
        involuntary_switches: each().map(|generator| generator.involuntary_switches).sum(),
        raised_priority: each().any(|generator| generator.raised_priority),
        syscalls_per_request: per_request(|generator| generator.syscalls_per_request),
    }
}

/// N, X R and X Z are sums over connections, and so over generators.
fn closed_loop<'a>(all: impl Iterator<Item = &'a Measured>) -> Option<ClosedLoop> {
    let mut loops = all.filter_map(|measured| measured.closed_loop);
    let first = loops.next()?;
    Some(loops.fold(first, |sum, one| ClosedLoop {
        slots: sum.slots + one.slots,
        per_second: sum.per_second + one.per_second,
        in_server: sum.in_server + one.in_server,
        in_generator: sum.in_generator + one.in_generator,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{digest_of, sound};

    fn part(host: &str, measures: bool, change: impl FnOnce(&mut Measured)) -> Part {
        let mut measured = sound();
        change(&mut measured);
        Part { host: host.to_owned(), measures, clock_within_ns: 50_000, measured }
    }

    fn recorded(us: u64, count: u64) -> Recorded {
        let mut histogram = Histogram::new();
        histogram.record_n_ns(us * 1_000, count);
        Recorded::of(&histogram)
    }

    #[test]
    fn percentiles_are_those_of_all_times_and_counts_are_summed() {
        let parts = [(100, 300), (900, 100)].map(|(us, count)| {
            part("node", true, |measured| {
                measured.streams[0].response = recorded(us, count);
                measured.streams[0].unanswered = Recorded::of(&Histogram::new());
                (measured.streams[0].right, measured.streams[0].due) = (count, count);
            })
        });
        let whole = of(&parts, sound().accounts).unwrap();
        let stream = &whole.streams[0];
        assert_eq!((stream.right, stream.due, stream.response_times().len()), (400, 400, 400));
        let at = |q| stream.response_times().quantile(q).unwrap().ns() / 100_000;
        assert_eq!((at(0.74), at(0.76)), (1, 9));
        assert_eq!(stream.connections, 2 * sound().streams[0].connections);
    }

    #[test]
    fn only_those_who_measure_give_the_times_and_each_is_told_of() {
        let parts = [
            part("light", true, |measured| measured.streams[0].response = recorded(100, 10)),
            part("heavy", false, |measured| measured.streams[0].response = recorded(900, 1_000)),
        ];
        let whole = of(&parts, sound().accounts).unwrap();
        assert_eq!(whole.streams[0].response, recorded(100, 10));
        assert_eq!(whole.streams[0].loading, Some(recorded(900, 1_000)));
        let told: Vec<(&str, bool, u64)> = whole
            .parts
            .iter()
            .map(|part| (part.host.as_str(), part.measures, part.streams[0].p50.unwrap().ns() / 100_000))
            .collect();
        assert_eq!(told, [("light", true, 1), ("heavy", false, 9)]);
    }

    #[test]
    fn one_generator_that_cannot_be_trusted_is_enough() {
        let parts = [
            part("a", true, |measured| {
                (measured.generator.busy, measured.streams[0].lag) = (0.2, digest_of(10));
            }),
            part("b", true, |measured| {
                (measured.generator.busy, measured.streams[0].lag) = (0.99, digest_of(900));
                measured.streams[0].accounts_agree = false;
                measured.streams[0].littles_law_difference = 0.5;
                measured.clock_step_ns = Some(-5_000);
            }),
        ];
        let whole = of(&parts, sound().accounts).unwrap();
        let stream = &whole.streams[0];
        assert!((whole.generator.busy - 0.99).abs() < 1e-9 && !stream.accounts_agree);
        assert!((stream.littles_law_difference - 0.5).abs() < 1e-9);
        assert_eq!((stream.lag.clone(), whole.clock_step_ns), (digest_of(900), Some(-5_000)));
    }

    #[test]
    fn slices_are_added_in_the_order_of_time() {
        let slices = |due: &[u32], mean_us: &[u64]| SlicesRecord {
            width_ns: 10,
            due: due.to_vec(),
            answered: due.to_vec(),
            errors: vec![0; due.len()],
            mean_us: mean_us.to_vec(),
            max_us: mean_us.to_vec(),
        };
        let parts = [slices(&[1, 2], &[10, 30]), slices(&[3, 0, 5], &[50, 0, 7])]
            .map(|slices| part("node", true, |measured| measured.streams[0].slices = slices));
        let sum = of(&parts, sound().accounts).unwrap().streams[0].slices.clone();
        assert_eq!((sum.due, sum.mean_us, sum.max_us), (vec![4, 2, 5], vec![40, 30, 7], vec![50, 30, 7]));
    }

    #[test]
    fn no_generators_have_found_nothing() {
        assert!(of(&[], sound().accounts).is_none());
    }
}
