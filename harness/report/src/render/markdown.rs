//! A report as Markdown that is also readable as it is: tables are aligned.

use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};

use crate::{render::{code_span::code_span, conformance, rows}, conclusions::Report, section::Section, table};
use race::{
    programs::prerequisites,
    records::{environment::Environment, folder::Contents},
};

/// Where the description of the host begins.
pub(crate) const HOST_HEADING: &str = "\n## The host";

/// What stands above the tables of a run that nobody should read figures from.
const REHEARSAL: &str =
    "\n**A rehearsal:** the servers are debug builds, to see that a race works. The figures mean nothing.\n";

/// The whole report.
pub(crate) fn whole(report: &Report<'_>) -> String {
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

/// One scenario: how it was loaded, its tables, and what may be concluded from them.
fn body(section: &Section) -> String {
    let caveats: Vec<String> = section.caveats.iter().map(|caveat| format!("**{caveat}**")).collect();
    let mut text = list(None, &section.load) + &list(None, &caveats);
    for table in &section.tables {
        text.push_str(&format!("\n{}\n\n{}\n", table.caption, aligned(table)));
    }
    text + &list(Some("Of single rows:"), &section.notes) + &list(Some("Findings:"), &section.findings)
}

/// A list after an empty line, under a line that says what it is; nothing where it is empty.
fn list(head: Option<&str>, items: &[String]) -> String {
    if items.is_empty() {
        return String::new();
    }
    let head = head.map_or_else(String::new, |head| format!("{head}\n\n"));
    let items: String = items.iter().map(|item| format!("- {item}\n")).collect();
    format!("\n{head}{items}")
}

fn aligned(of: &table::Table) -> String {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header(&of.columns);
    for row in &of.rows {
        // A bar within a cell would end it.
        table.add_row(row.iter().map(|cell| cell.replace('|', "\\|").replace('\n', " ")));
    }
    let textual = ["row", "tier"];
    for (index, heading) in of.columns.iter().enumerate() {
        if let (Some(column), false) = (table.column_mut(index), textual.contains(&heading.as_str())) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// The command, the code and the host of a run, in one paragraph.
fn provenance(contents: &Contents) -> String {
    let Contents { environment, run, measurements } = contents;
    let revision = environment.code.revision.as_deref().unwrap_or("unknown");
    let revision = revision.get(..12).unwrap_or(revision);
    let modified = if environment.code.modified == Some(true) { " with local changes" } else { "" };
    let model = environment.cpu.model.as_deref().unwrap_or("an unknown processor");
    let machine = if environment.cpu.virtual_machine { ", a virtual machine" } else { "" };
    let mut text = format!(
        "Made by {} at revision {revision}{modified}, on {} CPUs of {model}{machine}, Linux {}, with {}. \
         Seed {}, {} starts of all servers.\n\n\
         A figure is the median over starts, with the interval of its order statistics ([smallest, largest] for up to eight \
         starts). Of a start it is the median over its windows, and from p90 up that of all its windows together. Latency is \
         response time, from the instant a request was due. A percentile from p90 up is printed with ten independent moments \
         beyond it, and otherwise how much longer the run would have had to measure.\n",
        code_span(&environment.command),
        environment.cpu.allowed.len(),
        environment.kernel,
        environment.tools.get("rustc").cloned().flatten().unwrap_or_else(|| "an unknown compiler".to_owned()),
        run.plan.seed,
        run.plan.starts,
    );
    let (complete, incomplete) = (measurements.complete.len(), measurements.incomplete.len());
    if complete < run.plan.starts as usize {
        text.push_str(&format!("\n**{complete} of {} starts were finished.**\n", run.plan.starts));
    }
    if incomplete > 0 {
        let starts = match incomplete {
            1 => "One start was begun and not finished: nothing of it counts.".to_owned(),
            several => format!("{several} starts were begun and not finished: nothing of them counts."),
        };
        text.push_str(&format!("\n{starts}\n"));
    }
    if !run.resumed.is_empty() {
        text.push_str(&format!("\nThe run was ended early and gone on with: {}.\n", run.resumed.join(", ")));
    }
    text.push_str(conformance::caveat(run.conformance.as_ref()));
    text + if environment.rehearsal { REHEARSAL } else { "" }
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
    text
}

/// The day of a run.
fn date(environment: &Environment) -> &str {
    environment.started.split('T').next().unwrap_or("unknown")
}
