//! Arguments of what has servers run on another host, and what that changes for a race.

use std::{net::IpAddr, str::FromStr as _, time::Duration};

use anyhow::anyhow;
use clap::Args;
use host::cpus::CpuSet;
use race::{
    generators::{self, hosts::GeneratorHosts},
    plan::{cpu_plan::Topology, scenario::Scenario},
    programs::{context::Context, start_environment::StartRecord},
    records::{generator_host::GeneratorHostRecord, server_host::ServerHostRecord},
    registry::Row,
    server_host::{
        other_host::can_be_copied,
        reached::{Reached, reach},
        ssh::{Reach, SshCommand},
    },
};
use terminal::{errln, numbers, outln};

const HEADING: &str = "Servers on another host";
/// How long connecting may take.
const WITHIN: Duration = Duration::from_secs(30);

/// Where servers run.
#[derive(Debug, Args)]
pub(crate) struct ServerHostArgs {
    /// Have the servers run on this host, as ssh names it, and load them from here
    #[arg(long, value_name = "HOST", help_heading = HEADING)]
    pub server_host: Option<String>,
    /// Where servers listen there, instead of where ssh comes in: an address of the network that is to be measured
    #[arg(long, value_name = "IP", requires = "server_host", help_heading = HEADING)]
    pub server_address: Option<IpAddr>,
    /// Have this host make a part of the load, instead of this one here; may be given several times
    #[arg(long, value_name = "HOST", requires = "server_host", help_heading = HEADING)]
    pub generator_host: Vec<String>,
    /// How many generator hosts, from the first, have little to do and measure, while the others load
    #[arg(
        long, value_name = "N", default_value_t = 0, requires = "generator_host", help_heading = HEADING,
        value_parser = within::whole(0..=1000_u32)
    )]
    pub measure_with: u32,
    /// The ssh client with options of its own, such as "ssh -p 2222 -i KEY"; its configuration is a better place for them
    #[arg(long, value_name = "COMMAND", default_value = "ssh", value_parser = SshCommand::from_str, help_heading = HEADING)]
    pub ssh: SshCommand,
    /// The harness there, where it is not on the PATH: a path, from the home folder where it is not absolute
    #[arg(long, value_name = "PROGRAM", default_value = "harness", help_heading = HEADING)]
    pub there: String,
}

/// What cannot be raced on another host.
#[derive(Debug, thiserror::Error)]
#[error("{0}, and --server-host runs it on another host: leave out either of them")]
pub(crate) struct NotThere(String);

/// Generator hosts that cannot share a load.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GeneratorsRefused {
    /// One generator may use all of a host.
    #[error("--generator-host {0} is given twice: one generator uses all CPUs of its host")]
    Twice(String),
    /// All would measure, and none would load.
    #[error(
        "--measure-with {measuring} leaves none of {hosts} generator hosts that loads: name more of them, or measure with fewer"
    )]
    NobodyLoads {
        /// How many are to measure.
        measuring: u32,
        /// How many there are.
        hosts: usize,
    },
}

/// The host that servers run on, where that is not this one.
#[derive(Debug)]
pub(crate) struct There {
    /// What is recorded of it.
    pub record: ServerHostRecord,
    /// What is recorded of the hosts of generators, where these are others than this one.
    pub generators: Vec<GeneratorHostRecord>,
    start: StartRecord,
}

impl ServerHostArgs {
    /// Has the servers of a race run where these say; `None` where that is here. `beside_others`: whether others may measure there.
    ///
    /// # Errors
    /// That host cannot run them.
    pub(crate) fn take(&self, context: &mut Context, beside_others: bool) -> anyhow::Result<Option<There>> {
        let Some(host) = &self.server_host else { return Ok(None) };
        self.check_generators()?;
        let way = |host: &String, address| Reach {
            host: host.clone(),
            ssh: self.ssh.clone(),
            there: self.there.clone(),
            address,
            within: WITHIN,
            beside_others,
        };
        let Reached { host, record, start } = reach(&way(host, self.server_address))?;
        outln!(
            "servers run on {} ({}), where they listen on {}; a byte takes {} there and back at the least, {} in the middle",
            record.asked,
            record.host.name,
            record.address,
            numbers::time(record.round_trip.least_ns as f64 / 1e3),
            numbers::time(record.round_trip.median_ns as f64 / 1e3),
        );
        let cpu = &record.host.cpu;
        let servers = Topology::of_other_host(&cpu.allowed, &cpu.cores);
        let mut hosts = Vec::new();
        let mut generators: Vec<GeneratorHostRecord> = Vec::new();
        for (number, asked) in (0..).zip(&self.generator_host) {
            let probe = host.listens().map_err(|said| anyhow!("{}: {said}", record.asked))?;
            let measures = self.measure_with == 0 || number < self.measure_with;
            let reached = generators::reached::reach(&way(asked, None), probe, measures)?;
            outln!("{}", told(&reached.record));
            hosts.push(reached.host);
            generators.push(reached.record);
        }
        let own = CpuSet::allowed()?;
        // One machine has its CPUs once, unless a person has divided them.
        let shares = record.one_machine && cpu.allowed.iter().any(|cpu| own.contains(cpu));
        match generators.first() {
            Some(first) => {
                let generator = Topology::of_other_host(&first.host.cpu.allowed, &first.host.cpu.cores);
                context.topology = Topology::apart(servers, generator);
            }
            None if shares => {}
            None => context.topology = Topology::apart(servers, Topology::of_this_host()?),
        }
        context.server_host = Box::new(host);
        context.generator_hosts = (!hosts.is_empty()).then(|| GeneratorHosts::new(hosts, self.measure_with));
        Ok(Some(There { record, generators, start }))
    }

    /// Whether the hosts that are named can share a load.
    fn check_generators(&self) -> Result<(), GeneratorsRefused> {
        let hosts = &self.generator_host;
        let twice = hosts.iter().enumerate().find(|(at, host)| hosts[..*at].contains(host));
        match twice {
            Some((_, host)) => Err(GeneratorsRefused::Twice(host.clone())),
            None if self.measure_with as usize >= hosts.len() && self.measure_with > 0 => {
                Err(GeneratorsRefused::NobodyLoads { measuring: self.measure_with, hosts: hosts.len() })
            }
            None => Ok(()),
        }
    }
}

/// What a person is told of a generator's host.
fn told(record: &GeneratorHostRecord) -> String {
    let GeneratorHostRecord { asked, host, measures, round_trip, clock_within_ns, .. } = record;
    format!(
        "{asked} ({}) {} on {} CPUs; a byte takes {} from there to the servers and back at the least, and its clock is known within {}",
        host.name,
        if *measures { "loads and measures" } else { "loads" },
        host.cpu.allowed.len(),
        numbers::time(round_trip.least_ns as f64 / 1e3),
        numbers::time(*clock_within_ns as f64 / 1e3),
    )
}

impl There {
    /// Takes those of `rows` out that cannot be copied there. `only` are those that a person asked for by name.
    ///
    /// # Errors
    /// Such a one is among them.
    pub(crate) fn keep(rows: &mut Vec<Row>, only: &[String]) -> Result<(), NotThere> {
        let (copied, others): (Vec<Row>, Vec<Row>) =
            std::mem::take(rows).into_iter().partition(can_be_copied);
        *rows = copied;
        if let Some(row) = others.iter().find(|row| only.contains(&row.name)) {
            let reason = format!("`{}` needs more on its host than a program that can be copied", row.name);
            return Err(NotThere(reason));
        }
        if !others.is_empty() {
            let names: Vec<&str> = others.iter().map(|row| row.name.as_str()).collect();
            errln!(
                "warning: left out, since they need more on their host than a program that can be copied: {}",
                names.join(", ")
            );
        }
        Ok(())
    }

    /// Whether all of `scenarios` are loads.
    ///
    /// # Errors
    /// One is an experiment, which needs the server's processes at hand.
    pub(crate) fn only_loads(scenarios: &[Scenario]) -> Result<(), NotThere> {
        match scenarios.iter().find(|scenario| scenario.experiment.is_some()) {
            Some(scenario) => Err(NotThere(format!("`{}` strikes the server's processes", scenario.name))),
            None => Ok(()),
        }
    }

    /// So many CPUs would one host have for as many servers, the other half being the generator's.
    pub(crate) fn cpus_of_one_host(&self) -> usize {
        let of_servers = self.record.host.cpu.allowed.len();
        if self.record.one_machine { of_servers } else { 2 * of_servers }
    }

    /// Whether the other side keeps other runs away from this machine as well.
    pub(crate) fn keeps_alone(&self) -> bool {
        self.record.one_machine
    }

    /// What rows start with there, where they would start with `here` on this host.
    pub(crate) fn start(&self, here: StartRecord) -> StartRecord {
        StartRecord { common: self.start.common.clone(), ..here }
    }
}
