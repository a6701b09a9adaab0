//! The tools that are compared: how each is found, told what to do, and installed.
//!
//! Every tool gets one thread and the same URL, and is otherwise used as it comes. What it prints is
//! read elsewhere ([`super::figures_of`]).

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use host::program::find_program;
use serde::Serialize;

/// A load generator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Generator {
    /// `harness load`.
    Own,
    /// wrk: a closed loop.
    Wrk,
    /// oha: a closed loop, and an open one with `-q`.
    Oha,
    /// wrk2: an open loop.
    Wrk2,
}

/// A generator that is on this machine.
#[derive(Clone, Debug, Serialize)]
pub struct Tool {
    /// Which it is.
    pub generator: Generator,
    /// Its program.
    #[serde(skip)]
    pub program: PathBuf,
    /// What it says of its version.
    pub version: String,
}

/// What a generator is to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Task<'a> {
    /// Where to.
    pub url: &'a str,
    /// Over how many connections.
    pub connections: u32,
    /// For how long, whole seconds.
    pub window: Duration,
    /// When requests are due.
    pub load: Load,
    /// The CPU that it is to use, which its process is restricted to in any case.
    pub cpu: usize,
    /// Where a report goes that is not printed.
    pub report: &'a Path,
}

/// When requests are due.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Load {
    /// As soon as the last one was answered.
    Closed,
    /// At equal gaps.
    Constant {
        /// Requests per second.
        per_second: u32,
        /// Whether the CPU belongs to the generator alone. Only our own can make use of that.
        dedicated: bool,
    },
    /// At exponential gaps, which only our own can do.
    Poisson {
        /// Requests per second.
        per_second: u32,
        /// Whether the CPU belongs to the generator alone.
        dedicated: bool,
    },
}

impl Generator {
    /// What it is called, and its program.
    pub fn name(self) -> &'static str {
        match self {
            Self::Own => "harness load",
            Self::Wrk => "wrk",
            Self::Oha => "oha",
            Self::Wrk2 => "wrk2",
        }
    }

    /// How to get it.
    pub fn install(self) -> &'static str {
        match self {
            Self::Own => "cargo build --release --package harness",
            Self::Wrk => "apt install wrk",
            Self::Oha => "cargo install oha",
            Self::Wrk2 => "build https://github.com/giltene/wrk2 and put its program on the PATH as wrk2",
        }
    }

    /// Its program on the `PATH`.
    pub fn find(self) -> Option<PathBuf> {
        find_program(Path::new(self.name()))
    }

    /// What makes its program print its version.
    pub fn version_arguments(self) -> &'static [&'static str] {
        match self {
            Self::Own | Self::Oha => &["--version"],
            // An error to wrk, which prints its version with it.
            Self::Wrk | Self::Wrk2 => &["-v"],
        }
    }

    /// The arguments for a task. `None` where it cannot do it.
    pub fn arguments(self, task: &Task<'_>) -> Option<Vec<OsString>> {
        let seconds = format!("{}s", task.window.as_secs());
        let connections = task.connections.to_string();
        let mut arguments: Vec<OsString> = Vec::new();
        let mut add = |more: &[&str]| arguments.extend(more.iter().map(OsString::from));
        match (self, task.load) {
            (Self::Own, load) => {
                // The others have no warm-up, so there is none here.
                add(&["load", task.url, "--connections", &connections, "--duration", &seconds]);
                add(&["--warm-up", "0s", "--cpus", &task.cpu.to_string(), "--quiet", "--export-json"]);
                arguments.push(task.report.into());
                let mut add = |more: &[&str]| arguments.extend(more.iter().map(OsString::from));
                let (rate, poisson, dedicated) = match load {
                    // Its CPU is its own.
                    Load::Closed => {
                        add(&["--spin"]);
                        return Some(arguments);
                    }
                    Load::Constant { per_second, dedicated } => (per_second, false, dedicated),
                    Load::Poisson { per_second, dedicated } => (per_second, true, dedicated),
                };
                add(&["--rate", &rate.to_string()]);
                if poisson {
                    add(&["--poisson"]);
                }
                if dedicated {
                    add(&["--spin"]);
                }
            }
            (Self::Wrk, Load::Closed) => add(&["-t1", "-c", &connections, "-d", &seconds, task.url]),
            (Self::Wrk2, Load::Constant { per_second, .. }) => {
                add(&["-t1", "-c", &connections, "-d", &seconds, "-R", &per_second.to_string(), task.url]);
            }
            (Self::Oha, load @ (Load::Closed | Load::Constant { .. })) => {
                add(&["--no-tui", "--output-format", "json", "--worker-threads", "1"]);
                add(&["-c", &connections, "-z", &seconds]);
                if let Load::Constant { per_second, .. } = load {
                    add(&["-q", &per_second.to_string()]);
                }
                add(&[task.url]);
            }
            (Self::Wrk | Self::Wrk2 | Self::Oha, _) => return None,
        }
        Some(arguments)
    }
}

/// A version out of what a program prints about it: the first line up to a copyright, without the program's name.
pub fn version_in(printed: &str) -> Option<String> {
    let line = printed.lines().find(|line| !line.trim().is_empty())?;
    let line = line.split("Copyright").next()?.trim();
    let words = line.split_once(' ').map_or(line, |(_name, version)| version);
    (!words.is_empty()).then(|| words.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(generator: Generator, load: Load) -> Option<String> {
        let task = Task {
            url: "http://127.0.0.1:80/simple",
            connections: 64,
            window: Duration::from_secs(2),
            load,
            cpu: 1,
            report: Path::new("out.json"),
        };
        let arguments = generator.arguments(&task)?;
        Some(arguments.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn each_tool_is_told_the_same_in_its_own_words() {
        let constant = Load::Constant { per_second: 2_000, dedicated: true };
        let poisson = Load::Poisson { per_second: 2_000, dedicated: false };
        let url = "http://127.0.0.1:80/simple";
        let own = format!(
            "load {url} --connections 64 --duration 2s --warm-up 0s --cpus 1 --quiet --export-json out.json"
        );
        for (generator, load, expected) in [
            (Generator::Own, Load::Closed, Some(format!("{own} --spin"))),
            (Generator::Own, constant, Some(format!("{own} --rate 2000 --spin"))),
            (Generator::Own, poisson, Some(format!("{own} --rate 2000 --poisson"))),
            (Generator::Wrk, Load::Closed, Some(format!("-t1 -c 64 -d 2s {url}"))),
            (Generator::Wrk, constant, None),
            (Generator::Wrk2, constant, Some(format!("-t1 -c 64 -d 2s -R 2000 {url}"))),
            (
                Generator::Oha,
                constant,
                Some(format!("--no-tui --output-format json --worker-threads 1 -c 64 -z 2s -q 2000 {url}")),
            ),
            (Generator::Oha, poisson, None),
        ] {
            assert_eq!(shown(generator, load), expected, "{generator:?}");
        }
    }

    #[test]
    fn a_version_is_what_stands_behind_the_name() {
        let wrk = "wrk debian/4.1.0-3+b2 [epoll] Copyright (C) 2012 Will Glozer\nUsage: wrk <options> <url>";
        assert_eq!(version_in(wrk).as_deref(), Some("debian/4.1.0-3+b2 [epoll]"));
        assert_eq!(version_in("oha 1.16.0\n").as_deref(), Some("1.16.0"));
        assert_eq!(version_in("nginx version: nginx/1.26.3").as_deref(), Some("version: nginx/1.26.3"));
        assert_eq!(version_in("\n"), None);
    }
}
