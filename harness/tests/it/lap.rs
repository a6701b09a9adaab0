//! A lap of the real harness against scripted servers, made up for one test.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use race::records::{
    log::{Measurements, ServerRecord},
    reading,
    window::WindowRecord,
};

use crate::rows::FACTORS;
use crate::support::finish;
use rustix::process::{Pid, test_kill_process};

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A registry, scenarios and a place for results, all of this test alone.
pub(crate) struct Lap {
    pub(crate) folder: tempfile::TempDir,
}

impl Lap {
    /// `rows`: name and mode of the scripted server.
    pub(crate) fn with_rows(rows: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = scripted_server();
        let table = |(name, mode): &(&str, &str)| {
            let command = match *mode {
                "no-program" => "'/nowhere/at-all'".to_owned(),
                mode => format!("'{}', '{mode}'", server.display()),
            };
            // Only one of them is waited for in vain.
            let ready_within = if *mode == "mute" { "500ms" } else { "20s" };
            format!(
                "[[row]]\nname = '{name}'\nabout = 'scripted'\ntier = 'controlled'\ncommand = [{command}]\n\
                 operations = ['simple']\nready_within = '{ready_within}'\n{FACTORS}"
            )
        };
        fs::write(folder.path().join("servers.toml"), rows.iter().map(table).collect::<String>()).unwrap();
        fs::create_dir(folder.path().join("scenarios")).unwrap();
        let lap = Self { folder };
        lap.scenario("closed", "split", "by = 'throughput'", "kind = 'closed'");
        lap.scenario("open", "shared", "by = 'p99'", "kind = 'poisson', rate = { per_second = 200.0 }");
        lap
    }

    /// Adds a row of tier reference: mode of the scripted server, and more keys.
    pub(crate) fn and_reference(self, name: &str, mode: &str, more: &str) -> Self {
        let path = self.folder.path().join("servers.toml");
        let table = format!(
            "[[row]]\nname = '{name}'\nabout = 'scripted'\ntier = 'reference'\ncommand = ['{}', '{mode}']\n\
             operations = ['simple']\nready_within = '20s'\n{FACTORS}{more}\n",
            scripted_server().display()
        );
        fs::write(&path, fs::read_to_string(&path).unwrap() + &table).unwrap();
        self
    }

    pub(crate) fn scenario(&self, name: &str, placement: &str, by: &str, pacing: &str) {
        let text = format!(
            "question = 'Does it work?'\nplacement = '{placement}'\nwarm_up = '20ms'\nwindow = '100ms'\ntimeout = '1s'\n\
             rounds = 2\n\
             rank = {{ stream = 'simple', {by} }}\n\
             [[stream]]\nname = 'simple'\noperation = 'simple'\nconnections = 4\npacing = {{ {pacing} }}\n"
        );
        fs::write(self.folder.path().join(format!("scenarios/{name}.toml")), text).unwrap();
    }

    pub(crate) fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    /// Laps of tests run beside each other, and nobody reads their figures.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.command_alone(&[&["--beside-others"], arguments].concat())
    }

    /// A lap that wants the host for itself.
    pub(crate) fn command_alone(&self, arguments: &[&str]) -> Command {
        let mut command = host::tether::command(env!("CARGO_BIN_EXE_harness"));
        command
            .arg("bench")
            // Scripted servers are about racing; `verify.rs` is about which rows may be raced.
            .arg("--unverified")
            .arg("--registry")
            .arg(self.folder.path().join("servers.toml"))
            .arg("--scenarios")
            .arg(self.folder.path().join("scenarios"))
            .arg("--out")
            .arg(self.out())
            .args(arguments)
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        finish(
            self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap(),
            PATIENCE,
        )
    }

    /// What the log holds, as whoever reads a report has it.
    pub(crate) fn measurements(&self) -> Measurements {
        reading::read(&self.out().join("windows.jsonl")).unwrap()
    }

    /// The windows of the starts that were finished.
    pub(crate) fn windows(&self) -> Vec<WindowRecord> {
        self.measurements().complete.into_iter().flat_map(|start| start.windows).collect()
    }

    /// The servers of the starts that were finished.
    pub(crate) fn servers(&self) -> Vec<ServerRecord> {
        self.measurements().complete.into_iter().flat_map(|start| start.servers).collect()
    }

    pub(crate) fn report(&self) -> String {
        fs::read_to_string(self.out().join("report.md")).unwrap()
    }
}

/// The example of this package, which cargo builds beside its tests.
pub(crate) fn scripted_server() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let folder = own.parent().and_then(Path::parent).unwrap();
    folder.join("examples/scripted_server")
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn harness(arguments: &[&str]) -> Output {
    let mut command = host::tether::command(env!("CARGO_BIN_EXE_harness"));
    command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR"));
    finish(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap(), PATIENCE)
}

/// Waits until none of the processes runs.
pub(crate) fn assert_they_end(processes: &[u32]) {
    let deadline = Instant::now() + PATIENCE;
    let runs = |pid: &u32| {
        let pid = Pid::from_raw(i32::try_from(*pid).unwrap()).unwrap();
        test_kill_process(pid).is_ok() && !is_zombie(pid)
    };
    while processes.iter().any(runs) {
        assert!(Instant::now() < deadline, "processes outlived the harness: {processes:?}");
        std::thread::yield_now();
    }
}

fn is_zombie(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'))
}
