//! Four hosts with links between them: a server, two generators, and one from which they are used.

use std::{
    env,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    keys,
    machine::Machine,
    running::{Daemon, run},
    wanted::found,
};

/// How long a step of the setting up may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the hosts share: `/srv`, with a folder in it that takes 1 MiB, and the names of them all.
const SHARED: &str = "
mount -t tmpfs -o mode=755 tmpfs /srv
mkdir /srv/keys /srv/ssh /srv/parts /srv/ended /srv/jobs /srv/small
mount -t tmpfs -o mode=755,size=1m tmpfs /srv/small
printf '127.0.0.1 localhost\\n10.77.0.1 control\\n10.77.0.2 server\\n10.77.0.10 generator-0\\n10.77.0.11 generator-1\\n' >/srv/hosts
mount --bind /srv/hosts /etc/hosts
ip link add bridge type bridge
ip address add 10.77.0.1/24 dev bridge
ip link set bridge up
";

/// Four hosts. What all of them see below `/srv` is one folder, which is gone with the site.
#[derive(Debug)]
pub struct Site {
    /// Where a server runs.
    pub server: Machine,
    /// Where parts of a load run.
    pub generators: [Machine; 2],
    /// Where commands are given; it has the bridge and what is shared, and ends last.
    pub control: Machine,
    _daemons: Vec<Daemon>,
}

impl Site {
    /// Makes them, with an sshd each. The first letters of their names are in the order in which Slurm sorts them: the server is last.
    ///
    /// # Errors
    /// See [`missing`](crate::missing) for what must be here; whatever else fails is named.
    pub fn new() -> Result<Self> {
        let control = Machine::new("control", None, SHARED)?;
        keys::write(&control)?;
        let server = linked(&control, "server", "10.77.0.2/24")?;
        let generators = [
            linked(&control, "generator-0", "10.77.0.10/24")?,
            linked(&control, "generator-1", "10.77.0.11/24")?,
        ];
        let sshd = found("sshd").context("there is no sshd")?;
        let mut site = Self { server, generators, control, _daemons: Vec::new() };
        site._daemons =
            site.all().into_iter().map(|machine| keys::serve(machine, &sshd)).collect::<Result<_>>()?;
        for machine in site.all() {
            keys::answered(&site.control, machine)?;
        }
        Ok(site)
    }

    /// All four.
    pub fn all(&self) -> [&Machine; 4] {
        [&self.server, &self.generators[0], &self.generators[1], &self.control]
    }

    /// Puts these programs of this workspace on every host's `PATH`.
    ///
    /// # Errors
    /// One is not built.
    pub fn install(&self, programs: &[&str]) -> Result<()> {
        for program in programs {
            let file = Self::programs()?.join(program);
            ensure!(
                file.is_file(),
                "{program} is not built: run `just test-machines`, or cargo build -p {program}"
            );
            self.all().into_iter().try_for_each(|machine| machine.install(&file))?;
        }
        Ok(())
    }

    /// Where cargo puts programs: beside this test's own.
    ///
    /// # Errors
    /// This is no program of cargo's.
    pub fn programs() -> Result<PathBuf> {
        let own = env::current_exe()?;
        let folder =
            own.parent().and_then(Path::parent).context("a test is two folders below what it tests")?;
        Ok(folder.to_owned())
    }

    /// Cuts a host's link, or mends it.
    ///
    /// # Errors
    /// There is no such link.
    pub fn link(&self, machine: &Machine, is_up: bool) -> Result<()> {
        let mut ip = self.control.in_network("ip");
        ip.args(["link", "set", &port(machine.name()), if is_up { "up" } else { "down" }]);
        run(ip, PATIENCE).map(drop)
    }
}

/// A host with a link to the bridge.
fn linked(control: &Machine, name: &str, address: &str) -> Result<Machine> {
    let machine = Machine::new(name, Some(control), "")?;
    let ip = |on: &Machine, arguments: &[&str]| {
        let mut ip = on.in_network("ip");
        ip.args(arguments);
        run(ip, PATIENCE)
    };
    let (port, pid) = (port(name), machine.pid().to_string());
    ip(control, &["link", "add", &port, "type", "veth", "peer", "name", "eth0", "netns", &pid])?;
    ip(control, &["link", "set", &port, "master", "bridge", "up"])?;
    ip(&machine, &["address", "add", address, "dev", "eth0"])?;
    ip(&machine, &["link", "set", "eth0", "up"])?;
    Ok(machine)
}

/// The bridge's end of a host's link: a name of at most 15 letters (IFNAMSIZ).
fn port(name: &str) -> String {
    format!("to-{name}")
}
