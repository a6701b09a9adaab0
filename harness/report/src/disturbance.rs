//! What others did to the machine meanwhile: which windows count, whose were dropped, and who took what.

use std::collections::BTreeMap;

use race::{
    plan::scenario::Scenario,
    records::{
        folder::{Contents, GateRecord},
        window::{Measured, WindowRecord},
    },
};
use stats::{
    fisher::{self, Kept},
    gate::{STEAL_TICK, STEPS},
};

use super::kept::{Line, gate_of};

/// So many of those who took most are named.
const NAMED: usize = 5;
/// What takes less than this part of the CPUs is not worth a name.
const NAMED_FROM: f64 = 0.0005;
/// Busy time that nothing explains is spoken of from this part of the CPUs on.
const UNEXPLAINED: f64 = 0.02;

/// Which windows of a table count: one line at its head, and whether the machine was so disturbed that the thresholds were raised.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct GateLine {
    pub(super) text: String,
    pub(super) is_raised: bool,
}

/// The line; `None` where nothing was measured.
pub(super) fn gate_line(contents: &Contents, lines: &[Line<'_>]) -> Option<GateLine> {
    let gate = gate_of(contents)?;
    let Kept { kept, dropped } = lines
        .iter()
        .map(Line::kept)
        .reduce(|all, row| Kept { kept: all.kept + row.kept, dropped: all.dropped + row.dropped })?;
    let planned = kept + dropped;
    if planned == 0 {
        return None;
    }
    let share = 100.0 * kept as f64 / planned as f64;
    let so_many = format!("{kept} of {planned} ({share:.0}%)");
    let [step, normally] = [gate.step, STEPS[0]].map(|step| format!("{:.0}%", 100.0 * step));
    let is_raised = gate.step > STEPS[0];
    let text = match is_raised {
        false => format!("windows count in which others took up to {step} of the server's CPUs: {so_many}"),
        true => format!(
            "A disturbed machine: windows count in which others took up to {step} of the server's CPUs (normally {normally}): \
             {so_many}{}.",
            even_so(&gate)
        ),
    };
    Some(GateLine { text, is_raised })
}

fn even_so(gate: &GateRecord) -> String {
    match gate.passing < 0.5 {
        true => format!("; even so only {:.0}% of those of the first start", 100.0 * gate.passing),
        false => String::new(),
    }
}

/// A row's share of windows that count.
pub(super) fn kept_cell(line: &Line<'_>) -> String {
    let Kept { kept, dropped } = line.kept();
    match kept + dropped {
        0 => "-".to_owned(),
        planned => format!("{:.0}%", 100.0 * kept as f64 / planned as f64),
    }
}

/// Whether windows of some rows were dropped more often than those of others, and who took the CPUs' time.
pub(super) fn findings(scenario: &Scenario, contents: &Contents, lines: &[Line<'_>]) -> Vec<String> {
    shares_differ(lines).into_iter().chain(takers(scenario, contents)).collect()
}

/// Rows whose share of kept windows is not that of the others.
fn shares_differ(lines: &[Line<'_>]) -> Option<String> {
    let kept: Vec<Kept> = lines.iter().map(Line::kept).collect();
    let shares = fisher::shares(&kept);
    let differing: Vec<String> = lines
        .iter()
        .zip(&shares)
        .filter(|(_, share)| share.differs)
        .map(|(line, share)| {
            format!(
                "{} ({:.0}%, p = {:.1e})",
                line.label(),
                100.0 * share.share.unwrap_or(0.0),
                share.adjusted_p
            )
        })
        .collect();
    (!differing.is_empty()).then(|| {
        format!(
            "**Kept shares differ:** {}; others took more of the CPUs while these rows were measured than while the rest were, \
             or less, by more than chance (Fisher, {:.0}%).",
            differing.join(", "),
            100.0 * fisher::ALPHA
        )
    })
}

/// Who took most of the server's CPUs' time beside those who take part, over all windows, those that do not count among them.
fn takers(scenario: &Scenario, contents: &Contents) -> Option<String> {
    let windows = contents.measurements.complete.iter().flat_map(|start| &start.windows);
    let own = windows.filter(|window| window.scenario == scenario.name);
    let measured: Vec<&Measured> = own.filter_map(|window: &WindowRecord| window.measured.as_ref()).collect();
    let whole: f64 = measured.iter().map(|it| cpu_ns(it)).sum();
    if whole <= 0.0 {
        return None;
    }
    let mut by_name: BTreeMap<&str, u64> = BTreeMap::new();
    for taker in measured.iter().flat_map(|it| &it.accounts.shares.takers) {
        *by_name.entry(&taker.name).or_default() += taker.ns;
    }
    let mut by_name: Vec<(&str, f64)> =
        by_name.into_iter().map(|(name, ns)| (name, ns as f64 / whole)).collect();
    by_name.sort_by(|a, b| b.1.total_cmp(&a.1));
    let percent = |share: f64| format!("{:.2}%", 100.0 * share);
    let named: Vec<String> = by_name
        .iter()
        .take(NAMED)
        .filter(|(_, share)| *share >= NAMED_FROM)
        .map(|(name, share)| format!("{name} {}", percent(*share)))
        .collect();
    let sum = |of: &dyn Fn(&Measured) -> f64| measured.iter().map(|it| of(it)).sum::<f64>() / whole;
    let foreign = sum(&|it| it.accounts.shares.foreign_ns as f64);
    let stolen = sum(&|it| it.accounts.stolen_from(&it.accounts.cpus) as f64 * STEAL_TICK.as_nanos() as f64);
    let unexplained = sum(&|it| it.accounts.unexplained_ns.unwrap_or(0) as f64);
    let mut parts = vec![format!("others took {} of the server's CPUs", percent(foreign))];
    if !named.is_empty() {
        parts[0] = format!("{}, most of it {}", parts[0], named.join(", "));
    }
    parts.push(format!("the hypervisor took {}", percent(stolen)));
    if unexplained > UNEXPLAINED {
        parts.push(format!("**nothing explains {} in which they were busy**", percent(unexplained)));
    }
    Some(format!("Over all windows, those that do not count among them: {}.", parts.join("; ")))
}

/// The time of the server's CPUs in a window's stretch.
fn cpu_ns(measured: &Measured) -> f64 {
    measured.accounts.stretch_ns as f64 * measured.accounts.cpus.len() as f64
}
