//! Builds every measured server alone, so that no server's dependency features leak into another's binary.

use std::{
    collections::{BTreeMap, HashMap},
    ffi::OsString,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use host::{
    guard::Ended,
    launch::{Heard, Launch, LaunchError},
    program::find_program,
    ready::Profile,
};

use crate::registry::{Program, Row, placeholders::fill};
use terminal::interrupt::Interrupt;

/// How often an interrupt is looked for while the compiler works.
pub(super) const GLANCE: Duration = Duration::from_millis(200);

/// A program that is ready to be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// The file.
    pub program: PathBuf,
    /// What comes before all other arguments.
    pub leading_args: Vec<String>,
    /// The row's own arguments, with the paths of the binaries that it uses.
    pub args: Vec<String>,
    /// Where it runs; where the harness does, if nothing is said.
    pub folder: Option<PathBuf>,
    /// The binaries that it uses, by package.
    pub uses: BTreeMap<String, PathBuf>,
    /// How programs of this workspace are built: for speed, but for a rehearsal.
    pub profile: Profile,
}

/// Why a row has no program.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// There is no cargo to call.
    #[error("no `cargo` on the PATH: install a Rust toolchain (rustup) to build `{0}`")]
    NoCargo(String),
    /// The package is not in the workspace, or does not compile; the compiler's last words follow.
    #[error("`cargo build --release --locked --package {package}` failed{advice}: {reason}")]
    Failed {
        /// The package.
        package: String,
        /// What may help.
        advice: &'static str,
        /// The compiler's own words.
        reason: String,
    },
    /// A row's own command to make its program did not.
    #[error("`{command}` failed: {reason}")]
    Own {
        /// The command.
        command: String,
        /// Its own last words, or what it left undone.
        reason: String,
    },
    /// A row's command names a program that is not there.
    #[error("no program `{0}`: install it, or give its path")]
    NoProgram(String),
    /// Ctrl-C.
    #[error("interrupted while building `{0}`")]
    Interrupted(String),
    /// What builds it could not be run at all.
    #[error("cannot run what builds it: {0}")]
    Launch(#[from] LaunchError),
}

impl Built {
    /// Puts together what starts `row`, whose packages were built as `binaries`. A command of the registry runs in `root`; one
    /// of the command line, where the person is.
    ///
    /// # Errors
    /// [`BuildError::NoProgram`].
    pub fn of(
        row: &Row,
        root: &Path,
        binaries: &HashMap<String, PathBuf>,
        profile: Profile,
    ) -> Result<Self, BuildError> {
        let missing = |package: &String| BuildError::NoProgram(package.clone());
        let path_of = |package: &String| binaries.get(package).cloned().ok_or_else(|| missing(package));
        let uses: BTreeMap<String, PathBuf> = row
            .uses
            .iter()
            .map(|package| Ok((package.clone(), path_of(package)?)))
            .collect::<Result<_, BuildError>>()?;
        let filled = |text: &String| fill(text, |name| Some(uses.get(name)?.display().to_string()));
        let args = row.args.iter().map(filled).collect();
        let (program, leading_args, folder) = match &row.program {
            Program::Package(package) => (path_of(package)?, Vec::new(), None),
            Program::Command(command) => {
                let command: Vec<String> = command.iter().map(filled).collect();
                let (name, leading) = command.split_first().ok_or_else(|| missing(&row.name))?;
                let path = Path::new(name);
                let folder = (!row.is_given).then(|| root.to_owned());
                let path = match &folder {
                    Some(folder) if path.components().count() > 1 => folder.join(path),
                    _ => path.to_owned(),
                };
                (find_program(&path).ok_or_else(|| missing(name))?, leading.to_vec(), folder)
            }
        };
        Ok(Self { program, leading_args, args, folder, uses, profile })
    }
}

/// One binary of the workspace, built by a call of cargo of its own.
#[derive(Clone, Copy, Debug)]
pub struct Alone<'a> {
    /// The package.
    pub package: &'a str,
    /// One of its examples; its program of the package's own name where nothing is said.
    pub example: Option<&'a str>,
    /// For speed, or as the tests are built.
    pub profile: Profile,
}

/// Builds one binary, and nothing else; its path.
///
/// # Errors
/// See [`BuildError`].
pub fn build_alone(
    alone: &Alone<'_>,
    root: &Path,
    guard: &[OsString],
    interrupt: &Interrupt,
    mut heard: impl FnMut(&str),
) -> Result<PathBuf, BuildError> {
    let package = alone.package.to_owned();
    let cargo = std::env::var_os("CARGO").map(PathBuf::from).or_else(|| find_program(Path::new("cargo")));
    let cargo = cargo.ok_or_else(|| BuildError::NoCargo(package.clone()))?;
    let manifest = root.join("Cargo.toml");
    let mut process = Launch::new(cargo)
        .args(["build", "--locked", "--message-format=json-render-diagnostics", "--package", &package])
        .args((alone.profile == Profile::Release).then_some("--release"))
        .args(alone.example.iter().flat_map(|example| ["--example", example]))
        .args([OsString::from("--manifest-path"), manifest.into_os_string()])
        .guarded_by(guard)
        .spawn()?;
    let target = alone.example.unwrap_or(alone.package);
    let mut program = None;
    let exit = loop {
        match process.next_line(Instant::now() + GLANCE)? {
            Heard::Line(line) => {
                let Ok(message) = serde_json::from_str::<Message>(&line) else { continue };
                heard(&message.target.name);
                if message.target.name == target {
                    program = message.executable.or(program);
                }
            }
            Heard::End(exit) => break exit,
            // Dropping the process kills cargo and the compilers below it.
            Heard::Nothing if interrupt.asked() => return Err(BuildError::Interrupted(package)),
            Heard::Nothing => {}
        }
    };
    match program {
        Some(program) if exit.ended == Ended::Code(0) => Ok(program),
        _ => Err(failure(package, &exit.stderr)),
    }
}

/// The part of cargo's messages about a finished crate that is of interest.
#[derive(serde::Deserialize)]
struct Message {
    target: Target,
    executable: Option<PathBuf>,
}

#[derive(serde::Deserialize)]
struct Target {
    name: String,
}

fn failure(package: String, stderr: &[String]) -> BuildError {
    let text = stderr.join("\n");
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let advice = if says(&[
        "linker `cc` not found",
        "failed to find tool",
        "is `gcc` not installed",
        "ToolNotFound",
    ]) {
        " (a C compiler is missing: install gcc)"
    } else if says(&["cannot update the lock file", "--locked was passed"]) {
        " (Cargo.lock does not fit the manifests: run `cargo metadata` and commit the result)"
    } else {
        ""
    };
    let first_error = stderr.iter().position(|line| line.starts_with("error")).unwrap_or(0);
    let reason = stderr[first_error..].iter().take(3).map(|line| line.trim()).collect::<Vec<_>>().join(" ");
    BuildError::Failed { package, advice, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_c_compiler_is_said_with_what_to_install() {
        let stderr = ["   Compiling x", "error: failed to run custom build command", "ToolNotFound: cc"];
        let error = failure("x".to_owned(), &stderr.map(str::to_owned)).to_string();
        assert!(error.contains("install gcc") && error.contains("custom build command"), "{error}");
    }
}
