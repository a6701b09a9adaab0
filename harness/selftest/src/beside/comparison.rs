//! Everything that was measured as one plain value, and its tables as Markdown.

use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};
use serde::Serialize;

use super::{
    arrivals, closed,
    kept::Kept,
    lag::{self, LagWindow},
    memory::{self, Memory},
    null_servers::{self, NullServers},
    spread::{Figure, Spread},
    tool::{Load, Tool},
};
use race::{records::environment::Environment, trial::validity::DISTURBED};

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Host, code and command.
    pub environment: Environment,
    /// The server's CPU.
    pub server_cpu: usize,
    /// The generator's CPU.
    pub generator_cpu: usize,
    /// Pairs of each comparison, and windows of the rest.
    pub pairs: u32,
    /// Length of a window, seconds.
    pub window_s: u64,
    /// The generators that are on this machine.
    pub tools: Vec<Tool>,
    /// Programs that are not, and how to install them.
    pub missing: Vec<Missing>,
    /// A person ended it: what follows is what was finished.
    pub interrupted: bool,
    /// The closed loops.
    pub closed: Vec<closed::Comparison>,
    /// The open loops' own account.
    pub lag: Vec<lag::Series>,
    /// The open loops seen from outside.
    pub arrivals: Vec<arrivals::Series>,
    /// The ceiling and others.
    pub null_servers: Option<NullServers>,
    /// Memory with many connections, or why it could not be measured.
    pub memory: Option<Result<Memory, String>>,
}

/// A program that is not on this machine.
#[derive(Clone, Debug, Serialize)]
pub struct Missing {
    /// Which.
    pub name: &'static str,
    /// How to get it.
    pub install: &'static str,
}

impl Report {
    /// How many windows have no figures, and how many comparisons have none at all.
    pub fn failures(&self) -> usize {
        fn of<T>(kept: &Kept<T>) -> usize {
            kept.failed.len() + usize::from(kept.sound.is_empty())
        }
        let closed = self.closed.iter().map(|comparison| of(&comparison.pairs));
        let lag = self.lag.iter().map(|series| of(&series.windows));
        let arrivals = self.arrivals.iter().map(|series| of(&series.windows));
        let null_servers = self.null_servers.iter().map(|compared| of(&compared.rounds));
        closed.chain(lag).chain(arrivals).chain(null_servers).sum::<usize>()
            + usize::from(matches!(self.memory, Some(Err(_))))
    }

    /// The tables.
    pub fn markdown(&self) -> String {
        let mut text = self.provenance();
        let parts = [
            ("Closed loop against the ceiling", self.closed_table()),
            ("Open loop: schedule lag by the generator's own account", self.lag_table()),
            ("Open loop: evenness of arrivals, seen by the server", self.arrivals_table()),
            ("The ceiling and other null servers", self.null_server_table()),
            ("Memory", self.memory_table()),
        ];
        for (title, part) in parts {
            if let Some(part) = part {
                text.push_str(&format!("\n### {title}\n\n{part}"));
            }
        }
        let reasons = self.reasons();
        if !reasons.is_empty() {
            text.push_str("\n### What has no figures\n\n");
            reasons.iter().for_each(|reason| text.push_str(&format!("- {reason}\n")));
        }
        text
    }

    fn provenance(&self) -> String {
        let Environment { command, cpu, kernel, code, started, .. } = &self.environment;
        let revision =
            code.revision.as_deref().map_or("unknown", |revision| &revision[..revision.len().min(12)]);
        let modified = if code.modified == Some(true) { " with local changes" } else { "" };
        let model = cpu.model.as_deref().unwrap_or("an unknown processor");
        let machine = if cpu.virtual_machine { ", a virtual machine" } else { "" };
        let tools = self.tools.iter().map(|tool| format!("{} {}", tool.generator.name(), tool.version));
        let servers = self.null_servers.iter().flat_map(|compared| &compared.servers);
        let servers =
            servers.filter_map(|server| Some(format!("{} {}", server.name, server.version.as_deref()?)));
        let tools: Vec<String> = tools.chain(servers).collect();
        let missing: Vec<String> =
            self.missing.iter().map(|missing| format!("{} (`{}`)", missing.name, missing.install)).collect();
        let mut text = format!(
            "Made by `{command}` on {} at revision {revision}{modified}, on {} CPUs of {model}{machine}, Linux {kernel}: \
             server on CPU {}, generator on CPU {}, {} windows of {} s each. Tools: {}.",
            started.split('T').next().unwrap_or("an unknown day"),
            cpu.allowed.len(),
            self.server_cpu,
            self.generator_cpu,
            self.pairs,
            self.window_s,
            tools.join(", "),
        );
        if !missing.is_empty() {
            text.push_str(&format!(" Not installed: {}.", missing.join(", ")));
        }
        let coverage = Spread::of((0..self.pairs).map(f64::from)).map_or(0.0, |spread| spread.coverage());
        text.push_str(&format!(
            " Figures are medians, with the interval of their order statistics (over {} windows it contains the true \
             median with probability {coverage:.3}).\n",
            self.pairs
        ));
        if self.interrupted {
            text.push_str("\n**The comparison was interrupted:** what follows is what it had finished.\n");
        }
        text
    }

    fn closed_table(&self) -> Option<String> {
        let mut rows = Vec::new();
        for comparison in &self.closed {
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

    fn lag_table(&self) -> Option<String> {
        let rows = self.lag.iter().map(|series| {
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

    fn arrivals_table(&self) -> Option<String> {
        let rows = self.arrivals.iter().map(|series| {
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

    fn null_server_table(&self) -> Option<String> {
        let compared = self.null_servers.as_ref()?;
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
        let columns =
            ["server", "rounds", "disturbed", "requests/s", "over the ceiling", "figure", "most steal"];

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

    fn memory_table(&self) -> Option<String> {
        let memory = self.memory.as_ref()?.as_ref().ok()?;
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

    fn reasons(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        let mut add = |what: String, failed: &[String]| {
            reasons.extend(failed.iter().map(|reason| format!("{what}: {reason}")));
        };
        for comparison in &self.closed {
            let what = format!("{} connections against {}", comparison.connections, comparison.other.name());
            add(what, &comparison.pairs.failed);
        }
        for series in &self.lag {
            add(describe(series.load, series.shared), &series.windows.failed);
        }
        for series in &self.arrivals {
            add(format!("arrivals of {}", series.tool.name()), &series.windows.failed);
        }
        if let Some(compared) = &self.null_servers {
            add("null servers".to_owned(), &compared.rounds.failed);
        }
        if let Some(Err(reason)) = &self.memory {
            add(format!("memory of {} connections", memory::CONNECTIONS), std::slice::from_ref(reason));
        }
        reasons
    }
}

/// One kind of open loop in words.
pub fn describe(load: Load, shared: bool) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::beside::{stand::Window, tool::Generator};
    use race::programs::workspace::Workspace;

    fn window(per_second: f64, cpu_per_request_us: f64) -> Window {
        Window {
            per_second,
            requests: 100_000,
            cpu_per_request_us,
            peak_rss_kib: 9_000,
            stolen: Some(0.004),
            others: Some(0.01),
            own: None,
        }
    }

    fn report() -> Report {
        let workspace = Workspace::at_or_above(std::path::Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        let pair =
            |ratio: f64| closed::Pair { own: window(90_000.0 * ratio, 8.0), other: window(90_000.0, 10.0) };
        let pairs = Kept {
            sound: vec![pair(1.2), pair(1.25), pair(1.1)],
            disturbed: vec![pair(0.5)],
            failed: vec![],
        };
        let lag =
            |p99_us| LagWindow { p99_us, p99_9_us: 4.0 * p99_us, per_second: 45_000.0, stolen: Some(0.0) };
        let deviations = arrivals::Deviations {
            arrivals: 4_000,
            per_second: 2_000.0,
            p50_us: 1.5,
            p99_us: 20.0,
            p99_9_us: 90.0,
        };
        let named = |name| null_servers::Named { name, version: None };
        let null_servers = NullServers {
            servers: vec![named("ceiling"), named("nginx")],
            rounds: Kept {
                sound: vec![vec![window(90_000.0, 8.0), window(81_000.0, 8.0)]],
                disturbed: Vec::new(),
                failed: vec!["nginx did not answer".to_owned()],
            },
        };
        Report {
            environment: race::records::environment::Environment::capture(
                &workspace,
                "harness generators".to_owned(),
            )
            .unwrap(),
            server_cpu: 0,
            generator_cpu: 1,
            pairs: 3,
            window_s: 2,
            tools: Vec::new(),
            missing: vec![Missing { name: "oha", install: "cargo install oha" }],
            interrupted: false,
            closed: vec![
                closed::Comparison { other: Generator::Wrk, connections: 64, pairs },
                closed::Comparison { other: Generator::Oha, connections: 64, pairs: Kept::default() },
            ],
            lag: vec![lag::Series {
                load: Load::Poisson { per_second: 45_000, dedicated: true },
                shared: false,
                windows: Kept { sound: vec![lag(30.0)], disturbed: vec![lag(800.0)], failed: vec![] },
            }],
            arrivals: vec![arrivals::Series {
                tool: Generator::Own,
                windows: Kept { sound: vec![deviations], ..Kept::default() },
            }],
            null_servers: Some(null_servers),
            memory: Some(Ok(Memory { peak_rss_kib: 20_480, requests: 4_000 })),
        }
    }

    #[test]
    fn the_tables_say_what_was_measured_and_what_it_was_to_reach() {
        let report = report();
        let markdown = report.markdown();
        let tables = &markdown[markdown.find("\n### ").unwrap()..];
        insta::assert_snapshot!("tables", tables.trim());
        assert!(markdown.contains("Not installed: oha (`cargo install oha`)."), "{markdown}");
        assert_eq!(report.failures(), 2);
    }
}
