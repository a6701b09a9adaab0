//! Arguments of what has servers run on another host, and what that changes for a race.

use std::{net::IpAddr, str::FromStr as _, time::Duration};

use clap::Args;
use host::cpus::CpuSet;
use race::{
    plan::{cpu_plan::Topology, scenario::Scenario},
    programs::{context::Context, start_environment::StartRecord},
    records::server_host::ServerHostRecord,
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

/// The host that servers run on, where that is not this one.
#[derive(Debug)]
pub(crate) struct There {
    /// What is recorded of it.
    pub record: ServerHostRecord,
    start: StartRecord,
}

impl ServerHostArgs {
    /// Has the servers of a race run where these say; `None` where that is here. `beside_others`: whether others may measure there.
    ///
    /// # Errors
    /// That host cannot run them.
    pub(crate) fn take(&self, context: &mut Context, beside_others: bool) -> anyhow::Result<Option<There>> {
        let Some(host) = &self.server_host else { return Ok(None) };
        let Reached { host, record, start } = reach(&Reach {
            host: host.clone(),
            ssh: self.ssh.clone(),
            there: self.there.clone(),
            address: self.server_address,
            within: WITHIN,
            beside_others,
        })?;
        outln!(
            "servers run on {} ({}), where they listen on {}; a byte takes {} there and back at the least, {} in the middle",
            record.asked,
            record.host.name,
            record.address,
            numbers::time(record.round_trip.least_ns as f64 / 1e3),
            numbers::time(record.round_trip.median_ns as f64 / 1e3),
        );
        let cpu = &record.host.cpu;
        let own = CpuSet::allowed()?;
        // One machine has its CPUs once, unless a person has divided them.
        let shares = record.one_machine && cpu.allowed.iter().any(|cpu| own.contains(cpu));
        if !shares {
            let servers = Topology::of_other_host(&cpu.allowed, &cpu.cores);
            context.topology = Topology::apart(servers, Topology::of_this_host()?);
        }
        context.server_host = Box::new(host);
        Ok(Some(There { record, start }))
    }
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
