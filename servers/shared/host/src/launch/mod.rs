//! Launching a server, reading its ready line, and ending it, with a deadline on every wait.
//!
//! Here is what is to be launched; `process` is what came of it, `pipes` what it says, `error` why there is none.

mod error;
mod pipes;
mod process;

use std::{
    ffi::{OsStr, OsString},
    io,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
};

pub use error::LaunchError;
pub use process::{Exit, Heard, Process};

use crate::{class::SchedulingClass, cpus::CpuSet, tether};

/// What is to be launched.
#[derive(Clone, Debug)]
pub struct Launch {
    program: PathBuf,
    arguments: Vec<OsString>,
    folder: Option<PathBuf>,
    environment: Vec<(OsString, OsString)>,
    inherits: bool,
    cpus: Option<CpuSet>,
    class: SchedulingClass,
    ends_by: EndsBy,
}

/// What ends a process whose launcher was killed.
#[derive(Clone, Debug)]
enum EndsBy {
    /// The watcher of this process.
    Tether,
    /// A guard above it: the program with its leading arguments.
    Guard(Vec<OsString>),
    /// Itself.
    Itself,
}

impl Launch {
    /// `program`, without arguments, on the CPUs that the caller may use.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            folder: None,
            environment: Vec::new(),
            inherits: true,
            cpus: None,
            class: SchedulingClass::Normal,
            ends_by: EndsBy::Tether,
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Starts the process in `folder`, instead of the caller's. The program's own path must then be absolute.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Empties the process's environment of what is the caller's, so that it has the variables that are set here alone.
    #[must_use]
    pub fn inherits_nothing(mut self) -> Self {
        self.inherits = false;
        self
    }

    /// Sets a variable of the process's environment, which is otherwise the caller's.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Restricts the process to `cpus`.
    #[must_use]
    pub fn cpus(mut self, cpus: CpuSet) -> Self {
        self.cpus = Some(cpus);
        self
    }

    /// Starts the process, and its guard, in a scheduling class, which whatever they start inherits.
    #[must_use]
    pub fn class(mut self, class: SchedulingClass) -> Self {
        self.class = class;
        self
    }

    /// Puts a guard (see [`guard`](crate::guard)) above the process. `guard` is the program, with its leading arguments, that
    /// runs [`guard::run`](crate::guard::run); the launched program and its arguments are appended.
    #[must_use]
    pub fn guarded_by<S: AsRef<OsStr>>(mut self, guard: impl IntoIterator<Item = S>) -> Self {
        self.ends_by = EndsBy::Guard(guard.into_iter().map(|part| part.as_ref().to_owned()).collect());
        self
    }

    /// Says that the process ends with this one by its own doing (see [`parent`](crate::parent)). Any other that has no guard
    /// is [tethered](tether) to this one.
    #[must_use]
    pub fn ends_by_itself(mut self) -> Self {
        self.ends_by = EndsBy::Itself;
        self
    }

    /// Starts the process, in a process group of its own so that a terminal's Ctrl-C reaches only the launcher.
    ///
    /// # Errors
    /// [`LaunchError::Spawn`]; with a guard, a program that cannot be started is reported by the first wait.
    pub fn spawn(self) -> Result<Process, LaunchError> {
        #[expect(clippy::disallowed_methods, reason = "the environment below says what ends the others")]
        let mut command = match &self.ends_by {
            EndsBy::Itself | EndsBy::Tether => Command::new(&self.program),
            EndsBy::Guard(guard) => {
                let [guard, leading @ ..] = guard.as_slice() else {
                    return Err(LaunchError::Io(io::ErrorKind::InvalidInput.into()));
                };
                let mut command = Command::new(guard);
                command.args(leading).arg(&self.program);
                command
            }
        };
        let guarded = matches!(self.ends_by, EndsBy::Guard(_));
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        if !self.inherits {
            command.env_clear();
        }
        match &self.ends_by {
            EndsBy::Tether => {
                command.env(tether::MARK, tether::mark()?);
            }
            EndsBy::Guard(_) => {
                command.env_remove(tether::MARK);
            }
            EndsBy::Itself => {}
        }
        command
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .process_group(0)
            .stdin(if guarded { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let spawn_error = |source| LaunchError::Spawn { program: self.program.clone(), source };
        let child = spawn_on(self.cpus.as_ref(), self.class, &mut command).map_err(spawn_error)?;
        Ok(Process::of(child)?)
    }
}

/// Spawns from a thread that is restricted to `cpus` and of the scheduling class, since a process inherits both from
/// the thread that creates it: this needs no code between fork and exec.
fn spawn_on(cpus: Option<&CpuSet>, class: SchedulingClass, command: &mut Command) -> io::Result<Child> {
    if cpus.is_none() && class == SchedulingClass::Normal {
        return command.spawn();
    }
    thread::scope(|scope| {
        let spawner = thread::Builder::new().spawn_scoped(scope, || {
            if let Some(cpus) = cpus {
                cpus.apply_to_current_thread()?;
            }
            if class != SchedulingClass::Normal {
                class.apply_to_current_thread()?;
            }
            command.spawn()
        })?;
        spawner.join().unwrap_or_else(|_| Err(io::Error::other("the spawning thread panicked")))
    })
}
