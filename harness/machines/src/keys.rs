//! How hosts of a site ssh to each other: one key for all of them, one for whoever logs in, and no password.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, Result};

use crate::{
    machine::Machine,
    running::{Daemon, run},
};

/// How long each step may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where the shared folder has them.
pub(crate) const FOLDER: &str = "/srv/keys";

const CLIENT: &str = "\
Host *
    IdentityFile /srv/keys/user
    IdentitiesOnly yes
    UserKnownHostsFile /srv/keys/known
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    BatchMode yes
    ConnectTimeout 5
";

const DAEMON: &str = "\
HostKey /srv/keys/host
AuthorizedKeysFile /srv/keys/user.pub
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
UsePAM no
StrictModes no
PidFile none
MaxStartups 100
LoginGraceTime 20
ClientAliveInterval 5
ClientAliveCountMax 2
Subsystem sftp internal-sftp
";

/// Writes keys and configurations. To be called before other hosts begin, which find them then in `/etc/ssh`.
pub(crate) fn write(control: &Machine) -> Result<()> {
    for key in ["host", "user"] {
        let mut keygen = control.command("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", key, "-f", &format!("{FOLDER}/{key}")]);
        run(keygen, PATIENCE)?;
    }
    let public = fs::read_to_string(control.path("/srv/keys/host.pub"))?;
    let file = |path: &str, text: &str| -> Result<()> {
        fs::write(control.path(path), text).with_context(|| format!("cannot write {path}"))
    };
    file("/srv/keys/known", &format!("* {public}"))?;
    file("/srv/ssh/ssh_config", CLIENT)?;
    file("/srv/ssh/sshd_config", DAEMON)?;
    let mut mount = control.command("mount");
    mount.args(["--bind", "/srv/ssh", "/etc/ssh"]);
    run(mount, PATIENCE).map(drop)
}

/// Starts the daemon on a host. It ends with the host.
pub(crate) fn serve(machine: &Machine, program: &Path) -> Result<Daemon> {
    let mut sshd = machine.command(program);
    sshd.args(["-D", "-e", "-f", "/etc/ssh/sshd_config"]);
    machine.daemon("sshd", sshd)
}

/// Waits until a host answers.
pub(crate) fn answered(control: &Machine, machine: &Machine) -> Result<()> {
    let mut ssh = control.command("ssh");
    ssh.args(["-o", "ConnectionAttempts=10", machine.name(), "true"]);
    let silent =
        || format!("the sshd of {} does not answer; it said: {}", machine.name(), machine.log("sshd"));
    run(ssh, PATIENCE).with_context(silent).map(drop)
}
