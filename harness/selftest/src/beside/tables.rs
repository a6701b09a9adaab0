//! What was measured, as Markdown: a table for each comparison, with what must be known to read it.

use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};

use super::{
    arrivals, closed,
    lag::{self, LagWindow},
    memory::{self, Memory},
    null_servers::{self, NullServers},
    spread::{Figure, Spread},
    tool::Load,
};
use race::measure::soundness::DISTURBED;

/// Our closed loop against another, in pairs. `None` where there is nothing to show.
pub(super) fn closed(comparisons: &[closed::Comparison]) -> Option<String> {
    let mut rows = Vec::new();
    for comparison in comparisons {
        let pairs = &comparison.pairs.sound;
        let spread = |value: fn(&closed::Pair) -> f64| Spread::of(pairs.iter().map(value));
        let largest = pairs.iter().flat_map(|pair| [pair.own.stolen, pair.other.stolen]).flatten();
        let (rate, cpu) = (comparison.rate_ratio(), comparison.cpu_ratio());
        rows.push(vec![
            comparison.connections.to_string(),
            comparison.other.name().to_owned(),
            pairs.len().to_string(),
            comparison.pairs.disturbed.len().to_string(),
            show(spread(|pair| pair.own.per_second), 0),
            show(spread(|pair| pair.other.per_second), 0),
            show(rate, 3),
            judged(comparison.rate_figure(), rate),
            show(spread(|pair| pair.own.cpu_per_request_us), 2),
            show(spread(|pair| pair.other.cpu_per_request_us), 2),
            show(cpu, 3),
            judged(comparison.cpu_figure(), cpu),
            percent(largest.fold(0.0, f64::max)),
        ]);
    }
    let columns = [
        "connections",
        "against",
        "pairs",
        "disturbed",
        "ours/s",
        "theirs/s",
        "rate ratio",
        "figure",
        "our CPU us/request",
        "their CPU us/request",
        "CPU ratio",
        "figure",
        "most steal",
    ];
    table(&columns, rows).map(|table| {
        format!(
            "{table}\nRates are each tool's own report. CPU time is the whole process's, start and end included, as \
             the kernel accounts for it when the process is waited for, over the requests that the tool reports: one \
             measure for all. Ratios are ours over theirs, within pairs. wrk and oha count the opening of their connections into their \
             window; ours opens them before. Pairs in which other processes took more than {:.0}% of the two CPUs are \
             counted as disturbed and measured again.\n",
            100.0 * DISTURBED
        )
    })
}

/// Open loops by the generator's own account. `None` where there is nothing to show.
pub(super) fn lag(series: &[lag::Series]) -> Option<String> {
    let rows = series.iter().map(|series| {
        let worst = |value: fn(&LagWindow) -> f64| {
            let values = series.windows.disturbed.iter().map(value);
            values.reduce(f64::max).map_or_else(String::new, |worst| format!("{worst:.0}"))
        };
        let stolen = series.windows.disturbed.iter().filter_map(|window| window.stolen).reduce(f64::max);
        vec![
            describe(series.load, series.shared),
            series.windows.sound.len().to_string(),
            show(series.p99_us(), 1),
            judged(Some(series.p99_figure()), series.p99_us()),
            show(series.p99_9_us(), 1),
            judged(series.p99_9_figure(), series.p99_9_us()),
            series.windows.disturbed.len().to_string(),
            stolen.map_or_else(String::new, percent),
            worst(|window| window.p99_us),
            worst(|window| window.p99_9_us),
        ]
    });
    let columns = [
        "load",
        "sound windows",
        "lag p99, us",
        "figure",
        "lag p99.9, us",
        "figure",
        "with steal or disturbed",
        "most steal",
        "their worst p99, us",
        "their worst p99.9, us",
    ];
    table(&columns, rows.collect()).map(|table| {
        format!(
            "{table}\nWindows in which the hypervisor took any time from the CPUs, or other processes more than {:.0}%, are \
             counted, and repeated: the figures are those of the windows without. A dedicated CPU is polled without pause; on a shared one the generator \
             sleeps, in class SCHED_FIFO.\n",
            100.0 * DISTURBED
        )
    })
}

/// Open loops as a server sees them. `None` where there is nothing to show.
pub(super) fn arrivals(series: &[arrivals::Series]) -> Option<String> {
    let rows = series.iter().map(|series| {
        vec![
            series.tool.name().to_owned(),
            series.windows.sound.len().to_string(),
            series.windows.disturbed.len().to_string(),
            show(series.spread(|window| window.per_second), 1),
            show(series.spread(|window| window.p50_us), 1),
            show(series.spread(|window| window.p99_us), 1),
            show(series.spread(|window| window.p99_9_us), 1),
        ]
    });
    let columns = [
        "tool",
        "sound windows",
        "with steal or disturbed",
        "arrivals/s",
        "deviation p50, us",
        "deviation p99, us",
        "deviation p99.9, us",
    ];
    table(&columns, rows.collect()).map(|table| {
        format!(
            "{table}\nEvery tool is asked for {} requests a second over {} connections. A server that polls on a CPU of \
             its own notes when each request was read; its deviation is how much later that was than an even \
             schedule at the asked rate, which is laid so that the least delayed request of the window is on time. A \
             tool that sends at another rate than it was asked for drifts, and one that schedules each connection by \
             itself sends in bursts: both count. Windows with steal, or that other processes disturbed, are measured \
             again.\n",
            arrivals::PER_SECOND,
            arrivals::CONNECTIONS
        )
    })
}

/// The ceiling and others. `None` where there is nothing to show.
pub(super) fn null_servers(compared: Option<&NullServers>) -> Option<String> {
    let compared = compared?;
    let rows = compared.servers.iter().enumerate().map(|(index, server)| {
        let ratio = compared.over_ceiling(index).filter(|_| index > 0);
        let stolen = compared.rounds.sound.iter().filter_map(|round| round[index].stolen);
        vec![
            server.name.to_owned(),
            compared.rounds.sound.len().to_string(),
            compared.rounds.disturbed.len().to_string(),
            show(compared.per_second(index), 0),
            if index > 0 { show(ratio, 3) } else { String::new() },
            judged((index > 0).then_some(NullServers::FIGURE), ratio),
            percent(stolen.fold(0.0, f64::max)),
        ]
    });
    let columns = ["server", "rounds", "disturbed", "requests/s", "over the ceiling", "figure", "most steal"];

    table(&columns, rows.collect()).map(|table| {
        format!(
            "{table}\nEach with one worker on the server's CPU, giving the same 51 bytes of JSON, under our closed loop \
             with {} connections; the order changes from round to round, and ratios are taken within rounds; rounds in which other processes took more than {:.0}% of the two CPUs \
             count for nothing and are repeated. nginx and \
             may_minihttp also parse the request and write a Date and a Server field.\n",
            null_servers::CONNECTIONS,
            100.0 * DISTURBED
        )
    })
}

/// Memory with many connections. `None` where there is nothing to show.
pub(super) fn memory(memory: Option<&Result<Memory, String>>) -> Option<String> {
    let memory = memory?.as_ref().ok()?;
    let reached = memory.peak_mib() <= 64.0;
    let row = vec![
        memory::CONNECTIONS.to_string(),
        format!("{}/s, constant", memory::PER_SECOND),
        memory.requests.to_string(),
        format!("{:.1}", memory.peak_mib()),
        format!("{}: {}", Memory::FIGURE, if reached { "PASS" } else { "FALLS SHORT" }),
    ];
    table(&["connections", "load", "right answers", "peak resident, MiB", "figure"], vec![row])
}

/// One kind of open loop in words.
pub(super) fn describe(load: Load, shared: bool) -> String {
    let cpu = if shared { "shared CPU" } else { "dedicated CPU" };
    match load {
        Load::Closed => "closed loop".to_owned(),
        Load::Constant { per_second, .. } => format!("{per_second}/s, constant, {cpu}"),
        Load::Poisson { per_second, .. } => format!("{per_second}/s, Poisson, {cpu}"),
    }
}

fn show(spread: Option<Spread>, decimals: usize) -> String {
    spread.map_or_else(|| "none".to_owned(), |spread| spread.show(decimals))
}

fn judged(figure: Option<Figure>, spread: Option<Spread>) -> String {
    match (figure, spread) {
        (Some(figure), Some(spread)) => format!("{figure}: {}", figure.judge(&spread)),
        (Some(figure), None) => format!("{figure}: not measured"),
        (None, _) => String::new(),
    }
}

fn percent(part: f64) -> String {
    format!("{:.1}%", part * 100.0)
}

/// `None` without rows.
fn table(columns: &[&str], rows: Vec<Vec<String>>) -> Option<String> {
    if rows.is_empty() {
        return None;
    }
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header(columns);
    for row in rows {
        table.add_row(row);
    }
    table.column_iter_mut().skip(1).for_each(|column| column.set_cell_alignment(CellAlignment::Right));
    Some(format!("{table}\n"))
}
