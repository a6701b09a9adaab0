//! The whole report, from the records of a run.

use std::collections::BTreeMap;

use race::{
    plan::scenario::Scenario,
    programs::prerequisites,
    records::{
        conformance::{Conformance as Recorded, RowConformance, Status},
        environment::{Cpu, Environment},
        folder::Contents,
        generator_host::GeneratorHostRecord,
        host_record::HostRecord,
        interface::Interface,
        reading::Damage,
        server_host::ServerHostRecord,
    },
};
use terminal::numbers;

use crate::{
    counts::planned::Planned,
    experiments,
    model::{Conformance, Deviation, List, Made, Report, RowScore},
    section,
    tables::{choices, rows},
};

/// How a figure is to be read.
const READING: &str = "A figure is the median over starts, with the interval of its order statistics ([smallest, largest] for up \
     to eight starts). Of a start it is the median over its windows, and from p90 up that of all its windows together. Latency is \
     response time, from the instant a request was due. A percentile from p90 up is printed with ten independent moments beyond \
     it, and otherwise how much longer the run would have had to measure.";

/// The same of an experiment's.
const READING_EXPERIMENTS: &str = "In an experiment a figure is the median over events, with the interval of its order statistics, and \
     the worst event stands beside it. Latency is response time, from the instant a request was due, of what was answered. A request has \
     failed that was not answered rightly; none is sent again. Rows are not ranked: each is loaded at a part of what it can carry itself.";

/// Draws the conclusions from a folder's records.
pub fn of(contents: &Contents) -> Report {
    let (mut sections, mut chosen) = (Vec::new(), Vec::new());
    for scenario in &contents.run.plan.scenarios {
        match &scenario.experiment {
            Some(experiment) => sections.push(experiments::of(scenario, experiment, contents)),
            None => {
                let (section, choices) = section::of(scenario, contents);
                sections.push(section);
                // Without its own rates, a ladder compares no rows.
                chosen.extend(scenario.has_own_step().then_some(choices));
            }
        }
    }
    Report {
        made: made(contents),
        warnings: warnings(contents),
        reading: reading(&contents.run.plan.scenarios),
        choices: choices::of(&chosen),
        sections,
        rows: rows::of(&contents.run.plan.rows),
        conformance: conformance(contents.run.conformance.as_ref()),
        left_out: left_out(contents),
        machine: machine(&contents.environment),
    }
}

fn reading(scenarios: &[Scenario]) -> String {
    let is_experiment = |scenario: &Scenario| scenario.experiment.is_some();
    let experiments = scenarios.iter().filter(|scenario| is_experiment(scenario)).count();
    let parts = [(experiments < scenarios.len(), READING), (experiments > 0, READING_EXPERIMENTS)];
    let said: Vec<&str> = parts.into_iter().filter(|(is_said, _)| *is_said).map(|(_, text)| text).collect();
    said.join(" ")
}

fn made(contents: &Contents) -> Made {
    let Contents { environment, run, .. } = contents;
    let planned = Planned::of(contents);
    let revision = environment.code.revision.as_deref().unwrap_or("unknown");
    let model = environment.cpu.model.as_deref().unwrap_or("an unknown processor");
    let virtual_machine = if environment.cpu.virtual_machine { ", a virtual machine" } else { "" };
    let servers = environment.server_host.as_ref().map_or_else(String::new, |there| {
        let HostRecord { name, cpu, kernel, .. } = &there.host;
        let model = cpu.model.as_deref().unwrap_or("an unknown processor");
        let away = numbers::time(there.round_trip.least_ns as f64 / 1e3);
        format!(
            "; the servers on {name}, {} CPUs of {model}, Linux {kernel}, {away} there and back",
            cpu.allowed.len()
        )
    });
    let generators: Vec<&str> =
        environment.generator_hosts.iter().map(|generator| generator.host.name.as_str()).collect();
    let generators = match generators.is_empty() {
        true => String::new(),
        false => format!("; the load from {}", generators.join(", ")),
    };
    let compiler = environment.tools.get("rustc").cloned().flatten();
    Made {
        started: environment.started.clone(),
        host: environment.host.clone(),
        command: environment.command.clone(),
        revision: revision.get(..12).unwrap_or(revision).to_owned(),
        is_modified: environment.code.modified == Some(true),
        machine: format!(
            "{} CPUs of {model}{virtual_machine}, Linux {}{servers}{generators}",
            environment.cpu.allowed.len(),
            environment.kernel
        ),
        compiler: compiler.unwrap_or_else(|| "an unknown compiler".to_owned()),
        seed: run.plan.seed,
        starts: planned.starts,
        complete: planned.starts_finished,
        passes: planned.passes,
        passes_complete: planned.passes_finished,
    }
}

fn warnings(contents: &Contents) -> Vec<String> {
    let Contents { environment, run, measurements, .. } = contents;
    let mut warnings = Damage::told(&contents.damage);
    if environment.rehearsal {
        warnings.push(
            "A rehearsal: the servers are debug builds, to see that a race works. The figures mean nothing."
                .to_owned(),
        );
    }
    if run.interrupted {
        warnings.push("The run was interrupted: what follows is what it had finished.".to_owned());
    }
    let Planned { starts, starts_finished, passes, passes_finished } = Planned::of(contents);
    if starts_finished < starts as usize {
        warnings.push(format!("{starts_finished} of {starts} starts were finished."));
    }
    if passes_finished < passes {
        warnings.push(format!("{passes_finished} of {passes} passes of experiments were finished."));
    }
    let incomplete = measurements.incomplete.len();
    if incomplete > 0 {
        warnings.push(match incomplete {
            1 => "One start was begun and not finished: nothing of it counts.".to_owned(),
            several => format!("{several} starts were begun and not finished: nothing of them counts."),
        });
    }
    if !run.resumed.is_empty() {
        warnings.push(format!("The run was ended early and gone on with: {}.", run.resumed.join(", ")));
    }
    if run.conformance == Some(Recorded::Unverified) {
        warnings.push(
            "The rows were not verified: nobody asked whether they keep the contract (--unverified), and a row that breaks it may \
             be fast because of that."
                .to_owned(),
        );
    }
    warnings
}

fn conformance(recorded: Option<&Recorded>) -> Option<Conformance> {
    let Some(Recorded::Verified { rows }) = recorded else { return None };
    (!rows.is_empty()).then(|| Conformance { rows: rows.iter().map(score).collect() })
}

fn score(row: &RowConformance) -> RowScore {
    let RowConformance { row: name, tier, status, must, should, skipped, deviations, .. } = row;
    let score = match (status, must.all + should.all) {
        (Status::NotVerified, _) => {
            format!("not verified, since rows of tier {tier} are not held to the contract")
        }
        (_, 0) => "could not be verified".to_owned(),
        _ if *skipped > 0 => format!("MUST {must}, SHOULD {should}, {skipped} not judged"),
        _ => format!("MUST {must}, SHOULD {should}"),
    };
    let deviation =
        |it: &race::registry::Deviation| Deviation { why: it.why.clone(), cases: it.cases_in_short() };
    RowScore {
        row: name.clone(),
        score,
        is_broken: *status == Status::Broken && must.all + should.all > 0,
        deviations: deviations.iter().map(deviation).collect(),
    }
}

fn left_out(contents: &Contents) -> Vec<List> {
    let Contents { environment, run, .. } = contents;
    let list = |heading: &str, items: Vec<String>| List { heading: heading.to_owned(), items };
    let skipped = run.skipped.iter().map(ToString::to_string).collect();
    let versions = prerequisites::unexpected(&run.plan.rows, &environment.required);
    let versions = versions.iter().map(ToString::to_string).collect();
    let failed = run.failures.iter().map(|failure| format!("{}: {}", failure.what, failure.reason)).collect();
    let lists = [
        list("Skipped, since what they need is not installed", skipped),
        list("Unexpected versions", versions),
        list("What could not be measured", failed),
    ];
    lists.into_iter().filter(|list| !list.items.is_empty()).collect()
}

fn machine(environment: &Environment) -> List {
    let Environment { cpu, memory_mib, kernel, sysctls, limits, required, .. } = environment;
    let mut items = Vec::new();
    let mut line = |name: &str, value: Option<String>| {
        items.push(format!("{name}: {}", value.unwrap_or_else(|| "unknown".to_owned())));
    };
    processor(cpu, &mut line);
    line("memory", memory_mib.map(|mib| format!("{mib} MiB")));
    line("kernel", Some(kernel.clone()));
    for (name, value) in sysctls {
        line(&name.replace('/', "."), value.clone());
    }
    for (name, version) in required {
        line(&format!("version of {name}"), version.clone());
    }
    for (name, value) in limits {
        line(&format!("limit of {name}"), value.clone());
    }
    items.extend(servers_machine(environment).into_iter().map(|item| format!("servers' host, {item}")));
    items.extend(environment.generator_hosts.iter().map(generators_machine));
    List { heading: "The host".to_owned(), items }
}

fn processor(cpu: &Cpu, mut line: impl FnMut(&str, Option<String>)) {
    line("processor", cpu.model.clone());
    line(
        "CPUs online, and allowed to this run",
        cpu.online.as_ref().map(|online| format!("{online}, {}", cpu.allowed)),
    );
    line("hardware threads by core", Some(cpu.cores.join(" and ")));
    line("governor", cpu.governor.clone());
    line("turbo", cpu.turbo.map(|on| if on { "on" } else { "off" }.to_owned()));
    line("simultaneous multithreading", cpu.smt.clone());
    line("clock source", cpu.clock_source.clone());
}

/// The host that servers ran on, where that was another; empty where it was not.
fn servers_machine(environment: &Environment) -> Vec<String> {
    let mut items = Vec::new();
    let mut line = |name: &str, value: Option<String>| {
        items.push(format!("{name}: {}", value.unwrap_or_else(|| "unknown".to_owned())));
    };
    if let Some(there) = &environment.server_host {
        let ServerHostRecord {
            asked,
            host,
            address,
            interface,
            generator_interface,
            round_trip,
            one_machine,
        } = there;
        let HostRecord { name, cpu, memory_mib, kernel, sysctls, limits } = host;
        let machine = if *one_machine { ", which is the same machine" } else { "" };
        line("name", Some(format!("{name}, reached as {asked}{machine}")));
        line("address of its servers", Some(address.clone()));
        let time = |ns: u64| numbers::time(ns as f64 / 1e3);
        let [least, median] = [round_trip.least_ns, round_trip.median_ns].map(time);
        line("a byte there and back", Some(format!("{least} at the least, {median} in the middle")));
        line("its interface", interface.as_ref().map(shown));
        line("the generator's interface", generator_interface.as_ref().map(shown));
        processor(cpu, &mut line);
        line("memory", memory_mib.map(|mib| format!("{mib} MiB")));
        line("kernel", Some(kernel.clone()));
        for (name, value) in sysctls {
            line(&name.replace('/', "."), value.clone());
        }
        for (name, value) in limits {
            line(&format!("limit of {name}"), value.clone());
        }
    }
    items
}

/// The host of one of several generators, in a line.
fn generators_machine(generator: &GeneratorHostRecord) -> String {
    let GeneratorHostRecord { asked, host, measures, address, interface, round_trip, .. } = generator;
    let HostRecord { name, cpu, kernel, .. } = host;
    let time = |ns: u64| numbers::time(ns as f64 / 1e3);
    format!(
        "a generator's host, {name}, reached as {asked}: {}; {} CPUs of {}, Linux {kernel}; from {address}, {}; a byte to the servers and back {} \
         at the least, {} in the middle; its clock known within {}",
        if *measures { "its times count" } else { "it loads only" },
        cpu.allowed.len(),
        cpu.model.as_deref().unwrap_or("an unknown processor"),
        interface.as_ref().map_or_else(|| "an unknown interface".to_owned(), shown),
        time(round_trip.least_ns),
        time(round_trip.median_ns),
        numbers::time(generator.clock_within_ns as f64 / 1e3)
    )
}

/// An interface, with what its device takes over from the kernel.
fn shown(interface: &Interface) -> String {
    let Interface { name, mtu, driver, speed_mbit, offloads } = interface;
    let unknown = || "unknown".to_owned();
    let on = |offloads: &BTreeMap<String, String>| {
        let on = offloads.iter().filter(|(_, value)| *value == "on").map(|(name, _)| name.as_str());
        format!("on: {}", on.collect::<Vec<_>>().join(", "))
    };
    format!(
        "{name}, MTU {}, driver {}, speed {}, offloads {}",
        mtu.map_or_else(unknown, |mtu| mtu.to_string()),
        driver.clone().unwrap_or_else(unknown),
        speed_mbit.map_or_else(unknown, |speed| format!("{speed} Mbit/s")),
        offloads.as_ref().map_or_else(unknown, on)
    )
}
