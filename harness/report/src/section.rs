//! One scenario's part of a report: a table of its rows, and what may be concluded from it.

use std::collections::BTreeMap;

use stats::{
    Digest, Quantile,
    overload::Load,
    places::Place,
    summary::{MedianInterval, median_interval},
};

use super::{
    analysis::{Analysis, Entered, RowLoad},
    figures::{Unit, three_digits},
    findings,
    headlines::{self, Headline, Headlines, ranked_figure},
    instrument,
    line::Line,
    notes::notes,
};
use race::{
    plan::{
        run_plan::BLOCKS_FOR_RANKS,
        scenario::{Metric, Pacing, Rate, Scenario, Stream},
    },
    records::{
        folder::Contents,
        record::{StreamRecord, TrialRecord, label},
    },
    registry::{OperationName, Row, Tier},
};
use terminal::numbers::thousands;

/// One scenario's table and conclusions.
#[derive(Clone, Debug)]
pub struct Section {
    /// The scenario's name.
    pub name: String,
    /// What a reader wants to know.
    pub question: String,
    /// The load, and on which CPUs.
    pub load: Vec<String>,
    /// Why there are no ranks, or what else must be known before reading the table.
    pub caveats: Vec<String>,
    /// Headings of the columns, with their units.
    pub columns: Vec<String>,
    /// The rows' cells.
    pub rows: Vec<Vec<String>>,
    /// What is true, and how surely.
    pub findings: Vec<String>,
    /// Each row in one figure, without the second entry of the row that is compared with itself.
    pub headlines: Headlines,
}

impl Section {
    pub(super) fn new(scenario: &Scenario, contents: &Contents) -> Self {
        let plan = &contents.run.plan;
        // One tier after another: rows of different tiers are never ranked together, and are not read together either.
        let mut entries = plan.entries(scenario);
        entries.sort_by_key(|entry| entry.row.tier);
        let lines: Vec<Line<'_>> = entries
            .into_iter()
            .map(|entry| {
                let (row, twin) = (entry.row, entry.twin);
                let own = |trial: &&TrialRecord| {
                    trial.scenario == scenario.name && trial.row == row.name && trial.twin == twin
                };
                let trials: Vec<&TrialRecord> = contents.trials.iter().filter(own).collect();
                let valid = trials.iter().filter_map(|trial| trial.valid()).collect();
                Line { row, twin, trials, valid }
            })
            .collect();
        let analysis = Analysis::new(scenario, &entered(&lines, plan.trials));
        let caveats = caveats(scenario, contents, plan.trials);
        let ranked = caveats.is_empty();
        let unit = unit_of(&lines);
        let ceiling = ceiling_of(scenario, &lines);

        let mut columns = vec!["row".to_owned(), "tier".to_owned()];
        if ranked {
            columns.push("rank".to_owned());
        }
        columns.extend(headings(scenario, unit, !ceiling.is_empty()));
        let rows = lines
            .iter()
            .enumerate()
            .map(|(index, line)| {
                let mut cells = vec![label(&line.row.name, line.twin), line.row.tier.to_string()];
                if ranked {
                    cells
                        .push(place_of(&analysis, index).map_or_else(|| "-".to_owned(), ToString::to_string));
                }
                cells.extend(cells_of(scenario, line, unit, &ceiling, &analysis.loads[index]));
                cells.push(notes(scenario, line, contents, &analysis.loads[index]));
                cells
            })
            .collect();
        let headline = |(index, line): (usize, &Line<'_>)| Headline {
            row: line.row.name.clone(),
            // What an overloaded row's answers take is how long it was loaded.
            figure: match analysis.loads[index].load {
                Load::Overloaded => "overloaded".to_owned(),
                _ => headlines::figure(scenario, &line.valid),
            },
            place: place_of(&analysis, index).filter(|_| ranked).map(ToString::to_string),
        };
        let rows_once = lines.iter().enumerate().filter(|(_, line)| !line.twin);
        let headlines =
            Headlines { of: headlines::heading(scenario), rows: rows_once.map(headline).collect() };
        Self {
            headlines,
            name: scenario.name.clone(),
            question: scenario.question.clone(),
            load: describe_load(scenario, contents),
            findings: findings::draw(scenario, &analysis, ranked)
                .into_iter()
                .chain(instrument::findings(lines.iter().flat_map(|line| line.valid.iter().copied())))
                .collect(),
            caveats,
            columns,
            rows,
        }
    }
}

/// The rows as a comparison takes them: the last valid trial of each block.
fn entered<'a>(lines: &[Line<'a>], blocks: u32) -> Vec<Entered<'a>> {
    let of_line = |line: &Line<'a>| {
        let of_block = |block: usize| {
            let mut trials = line.trials.iter().rev();
            trials.find_map(|trial| trial.valid().filter(|_| trial.block == block))
        };
        Entered {
            label: label(&line.row.name, line.twin),
            tier: line.row.tier,
            twin: line.twin,
            starts: (0..blocks as usize).map(of_block).collect(),
        }
    };
    lines.iter().map(of_line).collect()
}

/// A row's place; none where its tier has no other row.
fn place_of(analysis: &Analysis, row: usize) -> Option<&Place> {
    let alone = |family: &super::analysis::Family| family.members.contains(&row) && family.members.len() < 2;
    analysis.places[row].as_ref().filter(|_| !analysis.families.iter().any(alone))
}

fn caveats(scenario: &Scenario, contents: &Contents, trials: u32) -> Vec<String> {
    let mut caveats = Vec::new();
    let server_cpus =
        contents.trials.iter().find(|t| t.scenario == scenario.name).map(|t| t.cpus.server.len());
    match server_cpus {
        Some(cpus) if cpus < scenario.min_server_cpus => {
            let cpus = if cpus == 1 { "One server CPU".to_owned() } else { format!("{cpus} server CPUs") };
            caveats.push(format!("{cpus}: cost of the stack only. No ranks."));
        }
        None => caveats.push("No trial was finished.".to_owned()),
        _ => {}
    }
    if trials < BLOCKS_FOR_RANKS {
        caveats.push(format!(
            "Fewer than {BLOCKS_FOR_RANKS} trials of each row: values and intervals, no ranks."
        ));
    }
    caveats
}

fn describe_load(scenario: &Scenario, contents: &Contents) -> Vec<String> {
    let first = contents
        .trials
        .iter()
        .filter(|trial| trial.scenario == scenario.name)
        .find_map(|trial| Some((trial, trial.measured.as_ref()?)));
    let mut lines = Vec::new();
    if let Some((trial, measured)) = first {
        for (stream, record) in scenario.streams.iter().zip(&measured.streams) {
            lines.push(describe_stream(stream, record, contents));
        }
        lines.push(format!(
            "{}; window {:?} after {:?} of warm-up",
            trial.cpus, scenario.window, scenario.warm_up
        ));
        let longer = |row: &&Row| scenario.suits(row) && row.warm_up > scenario.warm_up;
        for row in contents.run.plan.rows.iter().filter(longer) {
            lines.push(format!("{} is warmed up for {:?}", row.name, row.warm_up));
        }
    }
    lines
}

fn describe_stream(stream: &Stream, record: &StreamRecord, contents: &Contents) -> String {
    let offered =
        record.offered_per_second.map_or_else(String::new, |rate| format!(" {}/s", three_digits(rate)));
    let pacing = match stream.pacing {
        Pacing::Closed => "closed loop".to_owned(),
        Pacing::Constant { .. } => format!("open loop, constant{offered}"),
        Pacing::Poisson { .. } => format!("open loop, Poisson{offered}"),
    };
    let why = match stream.pacing.rate() {
        Some(Rate::OfSlowestCapacity(part)) => {
            let controlled = if contents.run.calibration.tells_tiers_apart() { "controlled " } else { "" };
            format!(" ({part} of the slowest {controlled}row's capacity)")
        }
        Some(Rate::ToReachLoad(load)) => format!(" (which makes the load of the server's CPUs {load})"),
        _ => String::new(),
    };
    let calibration = &contents.run.calibration;
    let (ns, unit) = match stream.operation {
        OperationName::Randoms => (calibration.randoms_ns_per_draw, "draws"),
        OperationName::Simple | OperationName::Complex => {
            (calibration.complex_ns_per_iteration, "iterations")
        }
    };
    let operation = match (stream.service_time, ns) {
        (Some(time), Some(ns)) => {
            format!(" of {} {unit}, about {time:?}", thousands(time.as_nanos() as f64 / ns))
        }
        _ => String::new(),
    };
    format!("{}{operation}: {pacing}{why}, {} connections", stream.name, stream.connections)
}

/// The null server's throughput in each block; empty where the scenario does not rank by throughput.
fn ceiling_of(scenario: &Scenario, lines: &[Line<'_>]) -> BTreeMap<usize, f64> {
    // A row that is for request alone is measured for its own sake.
    let is_ceiling = |line: &&Line<'_>| line.row.tier == Tier::Calibration && !line.row.on_request;
    let line = lines.iter().find(is_ceiling);
    let line = line.filter(|_| scenario.rank.by == Metric::Throughput);
    line.into_iter().flat_map(|line| by_block(scenario, line)).collect()
}

/// The figure that the scenario ranks by, of every valid trial, with its block.
fn by_block(scenario: &Scenario, line: &Line<'_>) -> Vec<(usize, f64)> {
    let figure = |trial: &&TrialRecord| Some((trial.block, ranked_figure(scenario, trial.valid()?)?));
    line.trials.iter().filter_map(figure).collect()
}

/// A row's part of the ceiling: ratios within blocks, so that what a block did to both falls out.
fn part_of_ceiling(scenario: &Scenario, line: &Line<'_>, ceiling: &BTreeMap<usize, f64>) -> String {
    let ratio = |(block, figure)| ceiling.get(&block).map(|ceiling| figure / ceiling);
    let ratios: Vec<f64> = by_block(scenario, line).into_iter().filter_map(ratio).collect();
    interval_cell(&ratios, |ratio| format!("{ratio:.2}"))
}

fn unit_of(lines: &[Line<'_>]) -> Unit {
    let p99s =
        lines.iter().flat_map(|line| &line.valid).flat_map(|m| &m.streams).filter_map(StreamRecord::p99);
    Unit::for_times_up_to(p99s.map(|p99| p99.ns() as f64 / 1000.0).fold(0.0, f64::max))
}

fn headings(scenario: &Scenario, unit: Unit, has_ceiling: bool) -> Vec<String> {
    let mut headings = Vec::new();
    let several = scenario.streams.len() > 1;
    for stream in &scenario.streams {
        let of = if several { format!("{} ", stream.name) } else { String::new() };
        if stream.pacing == Pacing::Closed {
            headings.push(format!("{of}requests/s"));
            if has_ceiling {
                headings.push("of the ceiling".to_owned());
            }
        }
        let unit = unit.name();
        headings.push(format!("{of}p50, {unit}"));
        headings.push(format!("{of}p99, {unit}"));
        if stream.pacing != Pacing::Closed {
            headings.push(format!("{of}p99.9, {unit}"));
            headings.push(format!("{of}achieved"));
        }
    }
    headings.extend(["server CPU", "CPU us/request", "RSS, MiB", "errors", "notes"].map(str::to_owned));
    headings
}

fn cells_of(
    scenario: &Scenario,
    line: &Line<'_>,
    unit: Unit,
    ceiling: &BTreeMap<usize, f64>,
    load: &RowLoad,
) -> Vec<String> {
    let mut cells = Vec::new();
    for stream in &scenario.streams {
        let records: Vec<&StreamRecord> = line.valid.iter().filter_map(|m| m.stream(&stream.name)).collect();
        // What an overloaded row's answers take is how long it was loaded: no property of the row.
        let has_times = load.load != Load::Overloaded;
        let quantile = |of: fn(&Digest) -> Quantile, q: f64| match has_times && is_supported(&records, q) {
            true => quantile_cell(&records, of, unit),
            false => "-".to_owned(),
        };
        if stream.pacing == Pacing::Closed {
            let rates: Vec<f64> = records.iter().map(|record| record.achieved_per_second).collect();
            cells.push(interval_cell(&rates, thousands));
            if !ceiling.is_empty() {
                cells.push(part_of_ceiling(scenario, line, ceiling));
            }
        }
        cells.push(quantile(|response| response.p50, 0.5));
        cells.push(quantile(|response| response.p99, 0.99));
        if stream.pacing != Pacing::Closed {
            cells.push(quantile(|response| response.p999, 0.999));
            // Answers within the windows, whenever they were due: the drain does not count.
            let answered: f64 = line
                .valid
                .iter()
                .filter_map(|m| Some(m.stream(&stream.name)?.achieved_per_second * m.window_s))
                .sum();
            let due: u64 = records.iter().map(|record| record.due).sum();
            cells.push(match due {
                0 => "-".to_owned(),
                due => format!("{:.1}%", 100.0 * (answered / due as f64).min(1.0)),
            });
        }
    }
    let cpus = line.trials.first().map_or(1, |trial| trial.cpus.server.len()) as f64;
    let busy: Vec<f64> = line
        .valid
        .iter()
        .map(|measured| measured.server.cpu_ns as f64 / 1e9 / measured.window_s / cpus)
        .collect();
    cells.push(
        median_interval(&busy).map_or_else(|| "-".to_owned(), |busy| format!("{:.0}%", 100.0 * busy.median)),
    );
    let cpu: Vec<f64> = line.valid.iter().map(|measured| measured.server_cpu_per_request_us).collect();
    cells.push(median_interval(&cpu).map_or_else(|| "-".to_owned(), |cpu| three_digits(cpu.median)));
    cells.push(resident(line));
    let errors: u64 = line.valid.iter().map(|measured| measured.errors()).sum();
    cells.push(thousands(errors as f64));
    cells
}

/// Resident memory of the whole tree at the window's end, MiB. Pages that processes share count once for each.
fn resident(line: &Line<'_>) -> String {
    let mib: Vec<f64> =
        line.valid.iter().map(|measured| measured.server.resident_kib as f64 / 1024.0).collect();
    median_interval(&mib).map_or_else(|| "-".to_owned(), |mib| three_digits(mib.median))
}

/// Requests beyond a percentile that it takes to print it, as far as they are independent.
const EXCEEDANCES: f64 = 10.0;

/// Whether enough independent requests of all trials are beyond the percentile `q` of their response time.
fn is_supported(records: &[&StreamRecord], q: f64) -> bool {
    let independent = |record: &&StreamRecord| {
        let serial = record.self_checks.as_ref().and_then(|checks| checks.serial.as_ref());
        record.due as f64 / serial.and_then(|serial| serial.variance_inflation).unwrap_or(1.0)
    };
    records.iter().map(independent).sum::<f64>() * (1.0 - q) >= EXCEEDANCES
}

/// `median [low, high]`.
fn interval_cell(values: &[f64], show: impl Fn(f64) -> String) -> String {
    match median_interval(values) {
        None => "-".to_owned(),
        Some(_) if values.len() == 1 => show(values[0]),
        // The extremes of a few survivors are no interval at the level that the others have.
        Some(interval) if !interval.is_confident() => {
            format!("{} (of {})", show(interval.median), values.len())
        }
        Some(MedianInterval { median, low, high, .. }) => {
            format!("{} [{}, {}]", show(median), show(low), show(high))
        }
    }
}

fn quantile_cell(records: &[&StreamRecord], of: fn(&Digest) -> Quantile, unit: Unit) -> String {
    let mut quantiles: Vec<Quantile> =
        records.iter().filter_map(|record| record.response.as_ref()).map(of).collect();
    quantiles.sort_by_key(|quantile| (quantile.is_bound(), quantile.ns()));
    match (quantiles.first(), quantiles.last()) {
        // Where the largest is only a lower bound, so is every figure that depends on it.
        (Some(&first), Some(&last)) if last.is_bound() => {
            let middle = quantiles[quantiles.len() / 2];
            let [middle, first, last] = [middle, first, last].map(|quantile| unit.show_quantile(quantile));
            format!("{middle} [{first}, {last}]")
        }
        _ => {
            let us: Vec<f64> = quantiles.iter().map(|quantile| quantile.ns() as f64 / 1000.0).collect();
            interval_cell(&us, |us| unit.show(us))
        }
    }
}
