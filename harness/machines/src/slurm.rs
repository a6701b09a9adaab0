//! A cluster of Slurm on a site: the controller on the host from which the others are used, and a node on each of these.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command, time::Duration};

use anyhow::{Context as _, Result, bail};

use crate::{
    machine::Machine,
    running::{Daemon, Running, run, until},
    site::Site,
    wanted::found,
};

/// How long the cluster may take to say that it is whole.
const PATIENCE: Duration = Duration::from_secs(60);

const CONFIGURATION: &str = "/srv/slurm.conf";

/// No accounts and no control groups: one kernel stands for three.
const WRITTEN: &str = "\
ClusterName=site
SlurmctldHost=control
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
StateSaveLocation=/run/slurm/state
SlurmdSpoolDir=/run/slurm/spool
SlurmctldPidFile=/run/slurm/slurmctld.pid
SlurmdPidFile=/run/slurm/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/builtin
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/none
SlurmdParameters=config_overrides
ReturnToService=2
SlurmctldTimeout=30
SlurmdTimeout=30
KillWait=5
NodeName=generator-[0-1],server CPUs=1 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=60 State=UP
";

/// The cluster. Its daemons end with the hosts of the site.
#[derive(Debug)]
pub struct Slurm {
    _daemons: Vec<Daemon>,
}

impl Slurm {
    /// Starts it, and waits until every node is idle.
    ///
    /// # Errors
    /// A daemon cannot be started, or a node never is idle: what it said is in the message.
    pub fn start(site: &Site) -> Result<Self> {
        fs::write(site.control.path(CONFIGURATION), WRITTEN)?;
        let key = site.control.path("/srv/keys/munge");
        // Any 1,024 bytes do (munged(8)); nobody else ever sees this cluster.
        fs::write(&key, [7_u8; 1024])?;
        fs::set_permissions(&key, fs::Permissions::from_mode(0o400))?;
        let mut daemons = Vec::new();
        for machine in site.all() {
            daemons.push(machine.daemon("munged", munged(machine)?)?);
            // Before its socket is there, Slurm's daemons would find nobody to sign for them.
            until(PATIENCE, || machine.path("/run/munge/munge.socket.2").exists().then_some(()))
                .with_context(|| {
                    format!("munged of {} did not begin: {}", machine.name(), machine.log("munged"))
                })?;
        }
        daemons.push(site.control.daemon("slurmctld", daemon(&site.control, "slurmctld", &["-D"])?)?);
        for machine in [&site.generators[0], &site.generators[1], &site.server] {
            daemons
                .push(machine.daemon("slurmd", daemon(machine, "slurmd", &["-D", "-N", machine.name()])?)?);
        }
        let slurm = Self { _daemons: daemons };
        let mut seen = String::new();
        let idle = until(PATIENCE, || {
            let sinfo = Self::command(site, "sinfo", &["--noheader", "--Node", "--format=%N %T"]);
            seen = run(sinfo, Duration::from_secs(15)).unwrap_or_else(|error| format!("{error:#}"));
            (seen.lines().filter(|line| line.ends_with(" idle")).count() == 3).then_some(())
        });
        if idle.is_none() {
            let all = [&site.generators[0], &site.generators[1], &site.server];
            let logs: Vec<String> =
                all.map(|machine| format!("{}: {}", machine.name(), machine.log("slurmd"))).into();
            bail!(
                "not every node is idle:\n{seen}\nslurmctld: {}\n{}",
                site.control.log("slurmctld"),
                logs.join("\n")
            );
        }
        Ok(slurm)
    }

    /// A command of Slurm's, given on the host from which the others are used.
    pub fn command(site: &Site, program: &str, arguments: &[&str]) -> Command {
        let mut command = site.control.command(program);
        command.args(arguments).env("SLURM_CONF", CONFIGURATION);
        command
    }

    /// Submits a script from the folder that all share, with variables, and waits for its end.
    ///
    /// # Errors
    /// sbatch cannot be started.
    pub fn submit(&self, site: &Site, variables: &[(&str, &str)], arguments: &[&str]) -> Result<Running> {
        // A job's folder is that from which it was submitted.
        let mut sbatch = Self::command(
            site,
            "bash",
            &["-c", "cd /srv/jobs && exec sbatch --wait --output=said \"$@\"", "bash"],
        );
        sbatch.args(arguments).envs(variables.iter().copied());
        Running::start(sbatch)
    }
}

fn munged(machine: &Machine) -> Result<Command> {
    let mut munged = machine.command(found("munged").context("there is no munged")?);
    munged.args([
        "--foreground",
        "--force",
        "--key-file=/srv/keys/munge",
        "--socket=/run/munge/munge.socket.2",
    ]);
    munged.args(["--pid-file=/run/munge/pid", "--seed-file=/run/munge/seed", "--log-file=/run/munge/log"]);
    Ok(munged)
}

fn daemon(machine: &Machine, program: &str, arguments: &[&str]) -> Result<Command> {
    let mut command = machine.command(found(program).with_context(|| format!("there is no {program}"))?);
    command.args(["-f", CONFIGURATION]).args(arguments).env("SLURM_CONF", CONFIGURATION);
    Ok(command)
}
