//! The stand that everything is measured on: one CPU for the server, one for the generator, and one way of running a
//! program to its end, whichever it is.

use std::{
    ffi::OsString,
    fs, io,
    path::Path,
    time::{Duration, Instant},
};

use host::{
    class::SchedulingClass,
    cpus::CpuSet,
    guard::{Ended, Usage},
    launch::{Exit, Heard, Launch},
};
use serde::Serialize;

use race::{
    machine::sample::{MachineSample, TreeSample},
    measure::soundness::DISTURBED,
};
use terminal::interrupt::Interrupt;

use super::{
    figures_of::{self, OwnAccount},
    serving::Serving,
    tool::{Generator, Load, Task, Tool, version_in},
    window_error::WindowError,
};

/// How often an interrupt is looked for while a program runs.
const GLANCE: Duration = Duration::from_millis(100);
/// What a generator may take beyond its window: to open connections, to drain, and to work its report out.
const BEYOND_WINDOW: Duration = Duration::from_secs(20);
/// How long a program may take to print its version.
const VERSION_WITHIN: Duration = Duration::from_secs(5);

/// The surroundings of every window.
#[derive(Debug)]
pub struct Stand {
    /// The server's CPU.
    pub server_cpu: usize,
    /// The generator's CPU.
    pub generator_cpu: usize,
    /// The command that guards a process.
    pub guard: Vec<OsString>,
    /// Whether a person wants to stop.
    pub interrupt: Interrupt,
    /// For reports and configurations; gone when the stand is.
    pub folder: tempfile::TempDir,
}

/// What a program did, seen from outside.
#[derive(Debug)]
pub struct Ran {
    /// What it printed.
    pub stdout: String,
    /// How it ended, and what it and all its children used.
    pub exit: Exit,
}

/// One window of one generator.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Window {
    /// Requests per second, by the generator's own report.
    pub per_second: f64,
    /// Requests that it says were answered.
    pub requests: u64,
    /// CPU time of the whole process, its start and end included, over its requests; microseconds.
    pub cpu_per_request_us: f64,
    /// The largest resident set, KiB.
    pub peak_rss_kib: u64,
    /// The part of the CPUs' time that the hypervisor took, over the whole life of the process.
    pub stolen: Option<f64>,
    /// The part of the CPUs' time that neither the generator nor the server used, nor the hypervisor.
    pub others: Option<f64>,
    /// What our own generator says besides.
    #[serde(skip)]
    pub own: Option<OwnAccount>,
}

impl Window {
    /// Whether other processes of this machine took so much of the CPUs that the window tells of them.
    pub fn is_disturbed(&self) -> bool {
        self.others.is_some_and(|others| others > DISTURBED)
    }
}

impl Stand {
    /// Runs one window of `tool` against a server, on the generator's CPU.
    ///
    /// # Errors
    /// It did not end well and in time, its report says too little, or a request failed.
    pub fn window(
        &self,
        tool: &Tool,
        server: &Serving,
        connections: u32,
        window: Duration,
        load: Load,
    ) -> Result<Window, WindowError> {
        self.window_on(self.generator_cpu, SchedulingClass::Normal, tool, server, connections, window, load)
    }

    /// The same on any CPU, in any scheduling class.
    ///
    /// # Errors
    /// See [`Stand::window`].
    #[expect(clippy::too_many_arguments, reason = "a window is where tool, server, load and placement meet")]
    pub fn window_on(
        &self,
        cpu: usize,
        class: SchedulingClass,
        tool: &Tool,
        server: &Serving,
        connections: u32,
        window: Duration,
        load: Load,
    ) -> Result<Window, WindowError> {
        let name = tool.generator.name();
        let report = self.folder.path().join("report.json");
        let task = Task { url: &server.url(), connections, window, load, cpu, report: &report };
        let arguments = tool.generator.arguments(&task).ok_or(WindowError::Unable(name))?;
        remove_if_there(&report)?;
        let launch = Launch::new(&tool.program).args(arguments).cpus(CpuSet::from_iter([cpu])).class(class);
        let before = (MachineSample::take().ok(), TreeSample::of_tree(server.pid()));
        let ran = self.run(name, launch, window + BEYOND_WINDOW)?;
        let after = (MachineSample::take().ok(), TreeSample::of_tree(server.pid()));
        if ran.exit.ended != Ended::Code(0) {
            return Err(ended_badly(name, &ran.exit));
        }
        let printed = match tool.generator {
            Generator::Own => fs::read_to_string(&report)
                .map_err(|source| WindowError::File { path: report.clone(), source })?,
            _ => ran.stdout,
        };
        let reported = figures_of::read(tool.generator, &printed)?;
        if reported.failed > 0 || reported.requests == 0 {
            let (failed, requests) = (reported.failed, reported.requests);
            return Err(WindowError::Failures { name: name.to_owned(), failed, requests });
        }
        let Usage { user_us, system_us, peak_rss_kib, .. } = ran.exit.usage.unwrap_or_default();
        let by_generator = Duration::from_micros(user_us + system_us);
        let by_server = Duration::from_nanos(after.1.since(&before.1).cpu_ns);
        let machine = before.0.zip(after.0).map(|(before, after)| {
            let (server, generator) = (CpuSet::from_iter([self.server_cpu]), CpuSet::from_iter([cpu]));
            after.since(&before, &server, &generator, by_generator + by_server)
        });
        Ok(Window {
            per_second: reported.per_second,
            requests: reported.requests,
            cpu_per_request_us: (user_us + system_us) as f64 / reported.requests as f64,
            peak_rss_kib,
            stolen: machine.as_ref().map(|machine| machine.stolen),
            others: machine.as_ref().map(|machine| machine.others),
            own: reported.own,
        })
    }

    /// Runs a program to its end under a guard, and keeps what it prints.
    ///
    /// # Errors
    /// It cannot be started, outstays `within`, or a person wants to stop. How it ended is the caller's to judge.
    pub fn run(&self, name: &str, launch: Launch, within: Duration) -> Result<Ran, WindowError> {
        let launch_error = |source| WindowError::Launch { name: name.to_owned(), source };
        let deadline = Instant::now() + within;
        let mut process = launch.guarded_by(&self.guard).spawn().map_err(launch_error)?;
        let mut stdout = String::new();
        let exit = loop {
            match process.next_line(deadline.min(Instant::now() + GLANCE)).map_err(launch_error)? {
                Heard::Line(line) => {
                    stdout.push_str(&line);
                    stdout.push('\n');
                }
                Heard::End(exit) => break exit,
                // Dropping the process ends it and whatever it started.
                Heard::Nothing if self.interrupt.asked() => return Err(WindowError::Interrupted),
                Heard::Nothing if Instant::now() >= deadline => {
                    return Err(WindowError::Late { name: name.to_owned(), within });
                }
                Heard::Nothing => {}
            }
        };
        Ok(Ran { stdout, exit })
    }

    /// What a program says of its version.
    ///
    /// # Errors
    /// It cannot be run, or says nothing.
    pub fn version(&self, name: &str, program: &Path, arguments: &[&str]) -> Result<String, WindowError> {
        let ran = self.run(name, Launch::new(program).args(arguments), VERSION_WITHIN)?;
        let printed = format!("{}\n{}", ran.stdout, ran.exit.stderr.join("\n"));
        version_in(&printed).ok_or_else(|| ended_badly(name, &ran.exit))
    }

    /// A generator that is on this machine; `None` if it is not.
    ///
    /// # Errors
    /// It is there and does not even print its version.
    pub fn tool(&self, generator: Generator, own: &Path) -> Result<Option<Tool>, WindowError> {
        let found = match generator {
            Generator::Own => Some(own.to_owned()),
            other => other.find(),
        };
        let Some(program) = found else { return Ok(None) };
        let version = self.version(generator.name(), &program, generator.version_arguments())?;
        Ok(Some(Tool { generator, program, version }))
    }
}

fn ended_badly(name: &str, exit: &Exit) -> WindowError {
    let last = exit.stderr.iter().rev().find(|line| !line.trim().is_empty()).cloned().unwrap_or_default();
    WindowError::Ended { name: name.to_owned(), ended: exit.ended, last }
}

/// The report of an earlier window must never be taken for that of this one.
fn remove_if_there(path: &Path) -> Result<(), WindowError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(WindowError::File { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}
