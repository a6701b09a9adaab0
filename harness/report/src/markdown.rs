//! A report as Markdown that is also readable as it is: tables are aligned.

use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};

use super::{conclusions::Report, conformance, rows, section::Section};
use race::{
    programs::prerequisites,
    records::{environment::Environment, folder::Contents},
};

/// Where the description of the host begins.
pub(super) const HOST_HEADING: &str = "\n## The host";

/// What stands above the tables of a run that nobody should read figures from.
const REHEARSAL: &str =
    "\n**A rehearsal:** the servers are debug builds, to see that a race works. The figures mean nothing.\n";

/// The whole report.
pub(super) fn whole(report: &Report<'_>) -> String {
    let Contents { environment, run, .. } = report.contents;
    let mut text = format!("# {} on {}\n\n", date(environment), environment.host);
    text.push_str(&provenance(report.contents));
    if run.interrupted {
        text.push_str("\n**The run was interrupted:** what follows is what it had finished.\n");
    }
    for section in &report.sections {
        text.push_str(&format!("\n## {}\n\n{}\n", section.name, section.question));
        text.push_str(&body(section));
    }
    text.push_str(&rows::section("##", &run.plan.rows));
    text.push_str(&conformance::section("##", run.conformance.as_ref()));
    if !run.skipped.is_empty() {
        text.push_str("\n## Skipped\n\nWhat these rows need is not installed here.\n\n");
        run.skipped.iter().for_each(|skipped| text.push_str(&format!("- Skipped: {skipped}\n")));
    }
    let versions = prerequisites::unexpected(&run.plan.rows, &environment.required);
    if !versions.is_empty() {
        text.push_str("\n## Unexpected versions\n\n");
        versions.iter().for_each(|said| text.push_str(&format!("- {said}\n")));
    }
    if !run.failures.is_empty() {
        text.push_str("\n## What could not be measured\n\n");
        for failure in &run.failures {
            text.push_str(&format!("- {}: {}\n", failure.what, failure.reason));
        }
    }
    text.push_str(&host(report.contents));
    text
}

/// One scenario: how it was loaded, its table, and what may be concluded from it.
pub(super) fn body(section: &Section) -> String {
    let mut text = String::new();
    let mut list = |items: &[String]| {
        if !items.is_empty() {
            text.push('\n');
            items.iter().for_each(|item| text.push_str(&format!("- {item}\n")));
        }
    };
    list(&section.load);
    let caveats: Vec<String> = section.caveats.iter().map(|caveat| format!("**{caveat}**")).collect();
    list(&caveats);
    text.push_str(&format!("\n{}\n", table(section)));
    let mut list = |items: &[String]| {
        if !items.is_empty() {
            text.push('\n');
            items.iter().for_each(|item| text.push_str(&format!("- {item}\n")));
        }
    };
    list(&section.findings);
    text
}

fn table(section: &Section) -> String {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header(&section.columns);
    for row in &section.rows {
        // A bar within a cell would end it.
        table.add_row(row.iter().map(|cell| cell.replace('|', "\\|").replace('\n', " ")));
    }
    let textual = ["row", "tier", "notes"];
    for (index, heading) in section.columns.iter().enumerate() {
        if let (Some(column), false) = (table.column_mut(index), textual.contains(&heading.as_str())) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// The command, the code and the host of a run, in one paragraph.
pub(super) fn provenance(contents: &Contents) -> String {
    let Contents { environment, run, .. } = contents;
    let revision = environment.code.revision.as_deref().unwrap_or("unknown");
    let revision = revision.get(..12).unwrap_or(revision);
    let modified = if environment.code.modified == Some(true) { " with local changes" } else { "" };
    let model = environment.cpu.model.as_deref().unwrap_or("an unknown processor");
    let machine = if environment.cpu.virtual_machine { ", a virtual machine" } else { "" };
    format!(
        "Made by `{}` at revision {revision}{modified}, on {} CPUs of {model}{machine}, Linux {}, with {}. \
         Seed {}, {} trials of each row.\n\n\
         Figures are medians over the trials, with the interval of their order statistics \
         ([smallest, largest] for up to eight trials). Latency is response time, from the instant a request was due.\n{}",
        environment.command,
        environment.cpu.allowed.len(),
        environment.kernel,
        environment.tools.get("rustc").cloned().flatten().unwrap_or_else(|| "an unknown compiler".to_owned()),
        run.plan.seed,
        run.plan.trials,
        conformance::caveat(run.conformance.as_ref()),
    ) + if environment.rehearsal { REHEARSAL } else { "" }
}

fn host(contents: &Contents) -> String {
    let Environment { cpu, memory_mib, kernel, sysctls, limits, .. } = &contents.environment;
    let mut text = format!("{HOST_HEADING}\n\n");
    let mut line = |name: &str, value: Option<String>| {
        text.push_str(&format!("- {name}: {}\n", value.unwrap_or_else(|| "unknown".to_owned())));
    };
    line("processor", cpu.model.clone());
    line(
        "CPUs online, and allowed to this run",
        cpu.online.as_ref().map(|online| format!("{online}, {}", cpu.allowed)),
    );
    line("hardware threads by core", Some(cpu.cores.join(" | ")));
    line("governor", cpu.governor.clone());
    line("turbo", cpu.turbo.map(|on| if on { "on" } else { "off" }.to_owned()));
    line("simultaneous multithreading", cpu.smt.clone());
    line("clock source", cpu.clock_source.clone());
    line("memory", memory_mib.map(|mib| format!("{mib} MiB")));
    line("kernel", Some(kernel.clone()));
    for (name, value) in sysctls {
        line(&name.replace('/', "."), value.clone());
    }
    for (name, version) in &contents.environment.required {
        line(&format!("version of {name}"), version.clone());
    }
    for (name, value) in limits {
        line(&format!("limit of {name}"), value.clone());
    }
    let averages = contents.trials.iter().filter_map(|trial| trial.measured.as_ref()?.load_average_before);
    if let Some(largest) = averages.max_by(f64::total_cmp) {
        line("largest load average before a trial", Some(format!("{largest:.2}")));
    }
    text
}

/// The day of a run.
pub(super) fn date(environment: &Environment) -> &str {
    environment.started.split('T').next().unwrap_or("unknown")
}
