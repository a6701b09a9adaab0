//! What others did to the machine meanwhile: which windows count, whose were dropped, and who took what.

use std::{cmp::Reverse, collections::BTreeMap};

use race::{
    plan::scenario::{Placement, Scenario},
    records::{
        folder::{Contents, GateRecord},
        window::{Measured, WindowRecord},
    },
    start::kept::causes,
};
use stats::{
    fisher::{self, Kept},
    gate::{STEAL_TICK, STEPS},
};

use crate::{
    counts::kept::{Line, gate_of},
    model::Said,
};

/// So many of those who took most are named.
const NAMED: usize = 5;
/// What takes less than this part of the CPUs is not worth a name.
const NAMED_FROM: f64 = 0.0005;
/// Busy time that nothing explains is spoken of from this part of the CPUs on.
const UNEXPLAINED: f64 = 0.02;

/// Which windows of a table count: one line at its head, and whether the machine was so disturbed that the thresholds were raised.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GateLine {
    pub(crate) text: String,
    pub(crate) is_raised: bool,
}

/// The line; `None` where nothing was measured.
pub(crate) fn gate_line(scenario: &Scenario, contents: &Contents, lines: &[Line<'_>]) -> Option<GateLine> {
    let gate = gate_of(contents)?;
    let Kept { kept, dropped } = lines.iter().map(Line::kept).sum();
    let planned = kept + dropped;
    if planned == 0 {
        return None;
    }
    let share = 100.0 * kept as f64 / planned as f64;
    let so_many = format!("{kept} of {planned} ({share:.0}%){}", dropped_for(&gate, lines));
    let [step, normally] = [gate.step, STEPS[0]].map(|step| format!("{:.0}%", 100.0 * step));
    let cpus = match scenario.placement {
        Placement::Split => "the server's CPUs, and of the generator's",
        Placement::Shared => "the server's CPUs",
    };
    let is_raised = gate.step > STEPS[0];
    let text = match is_raised {
        false => format!("windows count in which others took up to {step} of {cpus}: {so_many}"),
        true => format!(
            "A disturbed machine: windows count in which others took up to {step} of {cpus} (normally {normally}): \
             {so_many}{}.",
            even_so(&gate)
        ),
    };
    Some(GateLine { text, is_raised })
}

/// What the windows of a line that do not count were dropped for: `foreign 3`; empty where there are none.
pub(crate) fn dropped_cell(contents: &Contents, line: &Line<'_>) -> String {
    let gate = gate_of(contents);
    let causes = gate.map_or_else(String::new, |gate| causes_of(&gate, std::slice::from_ref(line)));
    // In a word each: the head of the table says them in full.
    let short = [
        ("foreign tasks", "foreign"),
        ("the generator's run delay", "delay"),
        ("a clock that was set", "clock"),
    ];
    short.into_iter().fold(causes, |causes, (long, short)| causes.replace(long, short))
}

/// What the others were dropped for.
fn dropped_for(gate: &GateRecord, lines: &[Line<'_>]) -> String {
    let causes = causes_of(gate, lines);
    if causes.is_empty() { String::new() } else { format!("; dropped for {causes}") }
}

/// Each cause with the number of windows; a window may be dropped for several things.
fn causes_of(gate: &GateRecord, lines: &[Line<'_>]) -> String {
    let mut by_cause: BTreeMap<String, usize> = BTreeMap::new();
    for window in lines.iter().flat_map(Line::dropped) {
        let Some(measured) = window.valid() else {
            *by_cause.entry("their own accounts".to_owned()).or_default() += 1;
            continue;
        };
        for cause in causes(gate, measured) {
            *by_cause.entry(cause.to_string()).or_default() += 1;
        }
    }
    let mut by_cause: Vec<(String, usize)> = by_cause.into_iter().collect();
    by_cause.sort_by_key(|(_, count)| Reverse(*count));
    let causes: Vec<String> = by_cause.iter().map(|(cause, count)| format!("{cause} {count}")).collect();
    causes.join(", ")
}

fn even_so(gate: &GateRecord) -> String {
    match gate.passing < 0.5 {
        true => format!("; even so only {:.0}% of those of the first start", 100.0 * gate.passing),
        false => String::new(),
    }
}

/// Whether windows of some rows were dropped more often than those of others, and who took the CPUs' time.
pub(crate) fn findings(scenario: &Scenario, contents: &Contents, lines: &[Line<'_>]) -> Vec<Said> {
    let differ = shares_differ(lines).map(Said::warning);
    differ.into_iter().chain(takers(scenario, contents)).collect()
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
            let part = 100.0 * share.share.unwrap_or(0.0);
            format!("{} {part:.0}% (p = {:.1e})", line.label(), share.adjusted_p)
        })
        .collect();
    (!differing.is_empty()).then(|| {
        format!(
            "Kept shares differ by more than chance (Fisher's test, {:.0}% over all rows): {}. The machine was not the same \
             for these rows as for the others.",
            100.0 * fisher::ALPHA,
            differing.join(", ")
        )
    })
}

/// Who took most of the server's CPUs' time beside those who take part, over all windows, those that do not count among them.
fn takers(scenario: &Scenario, contents: &Contents) -> Option<Said> {
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
    let is_warning = unexplained > UNEXPLAINED;
    if is_warning {
        parts.push(format!("nothing explains {} in which they were busy", percent(unexplained)));
    }
    let text = format!("Over all windows, those that do not count among them: {}.", parts.join("; "));
    Some(Said { text, is_warning })
}

/// The time of the server's CPUs in a window's stretch.
fn cpu_ns(measured: &Measured) -> f64 {
    measured.accounts.stretch_ns as f64 * measured.accounts.cpus.len() as f64
}

#[cfg(test)]
mod tests {
    use race::machine::shares::Taker;

    use crate::made_up::{around, cell, disturbed, raced, section};

    const ROWS: [&str; 2] = ["work-stealing", "rayon-offload"];

    #[test]
    fn a_gate_at_its_strictest_is_one_line_and_says_what_windows_were_dropped_for() {
        let contents = raced("mixed", &ROWS, (6, 4), |wanted| match (wanted.start, wanted.round) {
            (1, 2) => disturbed(800),
            _ => around(800),
        });
        let section = section(&contents);
        assert!(section.caveats.is_empty(), "{:?}", section.caveats);
        assert_eq!(
            section.load.last().unwrap(),
            "windows count in which others took up to 1% of the server's CPUs: 69 of 72 (96%); dropped for foreign tasks 3"
        );
        assert_eq!(cell(&section, "rayon-offload", "kept"), "96%");
        assert!(section.findings.iter().all(|finding| !finding.text.contains("Kept shares")));
    }

    #[test]
    fn a_raised_gate_heads_the_table_and_takes_no_place_away() {
        let mut contents = raced("mixed", &ROWS, (6, 4), |_| disturbed(800));
        contents.run.gate = Some(race::start::kept::choose_gate(&contents.measurements.complete[0]));
        let raised = section(&contents);
        assert_eq!(
            raised.caveats,
            [
                "A disturbed machine: windows count in which others took up to 10% of the server's CPUs (normally 1%): 72 of 72 (100%)."
            ]
        );
        assert_eq!(cell(&raised, "rayon-offload", "place"), "1-2");
        contents.run.gate = Some(race::records::folder::GateRecord { step: 0.3, passing: 0.25 });
        let last = section(&contents);
        assert!(
            last.caveats[0].ends_with("even so only 25% of those of the first start."),
            "{:?}",
            last.caveats
        );
    }

    #[test]
    fn a_row_that_lost_more_windows_than_the_others_is_named() {
        let contents = raced("mixed", &ROWS, (8, 4), |wanted| match wanted.entry.row.name.as_str() {
            "rayon-offload" if wanted.round > 0 => disturbed(800),
            _ => around(800),
        });
        let section = section(&contents);
        let said: Vec<_> =
            section.findings.iter().filter(|it| it.text.contains("Kept shares differ")).collect();
        assert_eq!(said.len(), 1, "{:?}", section.findings);
        assert!(said[0].is_warning && said[0].text.contains("rayon-offload 25% (p = "), "{said:?}");
        assert_eq!(cell(&section, "rayon-offload", "kept"), "25%");
        // Without half of its windows it has no place, and nobody has one among survivors.
        assert_eq!(cell(&section, "work-stealing", "place"), "1-2");
    }

    #[test]
    fn the_ungated_figure_stands_beside_the_gated_one() {
        let contents = raced("mixed", &ROWS, (6, 3), |wanted| match wanted.round {
            0 => disturbed(8_000),
            _ => around(800),
        });
        let section = section(&contents);
        assert_eq!(cell(&section, "rayon-offload", "p99, us"), "1,195 [1,195, 1,195]");
        assert_eq!(cell(&section, "rayon-offload", "ungated simple p99, us"), "11,878");
    }

    #[test]
    fn who_took_the_cpus_is_named_and_what_nothing_explains_is_said() {
        let contents = raced("mixed", &ROWS, (6, 2), |wanted| {
            let mut measured = around(800);
            let whole_ns = 2 * measured.accounts.stretch_ns;
            let taker = |name: &str, ns| Taker { name: name.to_owned(), pid: 3, ns };
            let shares = &mut measured.accounts.shares;
            shares.foreign_ns = whole_ns / 125;
            shares.takers =
                vec![taker("kdamond.0", whole_ns / 200), taker(["a", "b"][wanted.round], whole_ns / 500)];
            measured.accounts.unexplained_ns = Some((whole_ns / 40) as i64);
            measured.accounts.stolen_ticks = [(0, 1), (7, 9)].into();
            measured
        });
        let finding = section(&contents).findings.pop().unwrap();
        assert!(finding.is_warning);
        assert_eq!(
            finding.text,
            "Over all windows, those that do not count among them: others took 0.80% of the server's CPUs, most of it \
             kdamond.0 0.50%, a 0.10%, b 0.10%; the hypervisor took 0.47%; nothing explains 2.50% in which they were busy."
        );
    }
}
