//! Everything that was measured as one plain value, and the page that shows it.

use serde::Serialize;

use super::{
    arrivals, closed,
    kept::Kept,
    lag,
    memory::{self, Memory},
    null_servers::NullServers,
    spread::Spread,
    tables::{self, describe},
    tool::Tool,
};
use crate::provenance;
use race::records::environment::Environment;

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
            ("Closed loop against the ceiling", tables::closed(&self.closed)),
            ("Open loop: schedule lag by the generator's own account", tables::lag(&self.lag)),
            ("Open loop: evenness of arrivals, seen by the server", tables::arrivals(&self.arrivals)),
            ("The ceiling and other null servers", tables::null_servers(self.null_servers.as_ref())),
            ("Memory", tables::memory(self.memory.as_ref())),
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
        let tools = self.tools.iter().map(|tool| format!("{} {}", tool.generator.name(), tool.version));
        let servers = self.null_servers.iter().flat_map(|compared| &compared.servers);
        let servers =
            servers.filter_map(|server| Some(format!("{} {}", server.name, server.version.as_deref()?)));
        let tools: Vec<String> = tools.chain(servers).collect();
        let missing: Vec<String> =
            self.missing.iter().map(|missing| format!("{} (`{}`)", missing.name, missing.install)).collect();
        let mut text = format!(
            "Made by {}: server on CPU {}, generator on CPU {}, {} windows of {} s each. Tools: {}.",
            provenance::line(&self.environment),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::beside::{
        lag::LagWindow,
        null_servers,
        stand::Window,
        tool::{Generator, Load},
    };
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
