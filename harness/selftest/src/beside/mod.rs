//! `harness generators`: our generator beside others, and our null server beside others, so that anyone can repeat what
//! METHODOLOGY.md says of the instrument.
//!
//! Every window is one process, pinned to one CPU, against one server pinned to another. Two things that are compared
//! are measured one right after the other, and their order alternates. What is measured from outside is measured
//! alike for all. A tool that is not installed is left out, with a line that says how to get it.
//!
//! It measures tools as programs and knows nothing of what is inside them, our own included.

pub mod arrival_log;
pub mod arrivals;
pub mod closed;
pub mod comparison;
pub mod figures_of;
pub mod kept;
pub mod lag;
pub mod memory;
pub mod null_servers;
mod page;
pub mod server;
pub mod serving;
pub mod spread;
pub mod stand;
mod tables;
pub mod tool;
mod wanted;
pub mod window_error;

pub use wanted::{GeneratorsOptions, Part};

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use host::ready::Profile;

use self::{
    comparison::{Missing, Report},
    kept::Kept,
    server::Server,
    stand::Stand,
    tool::{Generator, Load, Tool},
    window_error::WindowError,
};
use race::{
    plan::cpu_plan::Topology,
    programs::{
        builder::{Alone, build_alone},
        context::guard_command,
        workspace::Workspace,
    },
    records::environment::Environment,
};
use terminal::{
    errln,
    interrupt::Interrupt,
    outcome::{Outcome, after, all_of},
    outln,
    output::{Output, OutputError},
    progress::Progress,
};

/// Windows of the closed loop, of which the best tells what the ceiling can do.
const CALIBRATIONS: u32 = 3;
/// Connections of that closed loop.
const CALIBRATION_CONNECTIONS: u32 = 64;

/// Runs `harness generators`. `command` is what the person typed.
///
/// # Errors
/// There is only one CPU, the ceiling cannot be built, or nothing can be written.
pub fn generators(arguments: &GeneratorsOptions, command: String) -> anyhow::Result<Outcome> {
    if arguments.own.is_none() && cfg!(debug_assertions) {
        bail!(
            "this is a debug build, which is never measured: run it with --release (`just bench-generator`)"
        );
    }
    let workspace = Workspace::at_or_above(&std::env::current_dir()?)?;
    let interrupt = Interrupt::listen("finished windows are shown")?;
    let page = arguments.markdown.as_deref().map(read_page).transpose()?;
    let export = arguments.export_json.as_deref().map(Output::begin).transpose()?;
    let tables = arguments.markdown.as_deref().map(Output::begin).transpose()?;
    let Some((server_cpu, generator_cpu)) = Topology::of_this_host()?.one_each() else {
        bail!(
            "two CPUs are needed and only one may be used: widen the mask of this process (taskset, cgroup)"
        );
    };
    let stand = Stand {
        server_cpu,
        generator_cpu,
        guard: guard_command()?,
        interrupt,
        folder: tempfile::tempdir().context("cannot make a temporary folder")?,
    };
    let most = arguments.connections.iter().max().copied().unwrap_or(1);
    memory::raise_descriptors(u64::from(most) + 256)?;
    let harness = std::env::current_exe()?;
    let own = arguments.own.clone().unwrap_or_else(|| harness.clone());
    let mut report = Report {
        environment: Environment::capture(&workspace, command)?,
        server_cpu,
        generator_cpu,
        pairs: arguments.pairs,
        window_s: arguments.window.as_secs(),
        tools: Vec::new(),
        missing: Vec::new(),
        interrupted: false,
        closed: Vec::new(),
        lag: Vec::new(),
        arrivals: Vec::new(),
        null_servers: None,
        memory: None,
    };
    let comparison = Comparison { arguments, stand: &stand, workspace: &workspace, harness: &harness };
    let ended = comparison.measure(&own, &mut report);
    report.interrupted = matches!(ended, Err(WindowError::Interrupted));
    outln!("{}", report.markdown().trim_end());
    let page = page.as_deref().filter(|_| ended.is_ok());
    let export = export.map(|export| export.finish_json(&report));
    let page = publish(tables, page, &report)?;
    let written = all_of(export.into_iter().chain(page));
    let ended = match ended {
        Ok(()) if report.failures() == 0 => Ok(Outcome::Done),
        Ok(()) => Ok(Outcome::Partly),
        Err(WindowError::Interrupted) => Ok(Outcome::Interrupted),
        Err(error) => Err(error.into()),
    };
    after(written.map_err(Into::into), ended)
}

/// The page that the tables go into, read before anything is measured; `None` if there is none yet.
fn read_page(path: &Path) -> anyhow::Result<String> {
    match fs::read_to_string(path) {
        Ok(page) => page::check(&page).map(|()| page).with_context(|| path.display().to_string()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(page::empty()),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Writes the tables where they are wanted: into a page (`None` where the comparison did not reach its end) only whole ones, so that an
/// interrupt does not take what was there.
fn publish(
    tables: Option<Output>,
    page: Option<&str>,
    report: &Report,
) -> anyhow::Result<Option<Result<(), OutputError>>> {
    match (tables, page) {
        (Some(tables), Some(page)) => {
            let page = page::with_tables(page, &report.markdown())?;
            Ok(Some(tables.finish(|file| file.write_all(page.as_bytes()))))
        }
        (Some(tables), None) => {
            let path = tables.path().display();
            errln!("{path} is left as it was: the comparison did not reach its end");
            Ok(None)
        }
        (None, _) => Ok(None),
    }
}

/// What all parts need to know.
struct Comparison<'a> {
    arguments: &'a GeneratorsOptions,
    stand: &'a Stand,
    workspace: &'a Workspace,
    /// This program, which is also the logging server.
    harness: &'a Path,
}

impl Comparison<'_> {
    fn measure(&self, own: &Path, report: &mut Report) -> Result<(), WindowError> {
        let ours = self.stand.tool(Generator::Own, own)?;
        let Some(ours) = ours else { return Err(WindowError::Unable(Generator::Own.name())) };
        report.tools.push(ours.clone());
        let others = self.find_others(report)?;
        let ceiling = Server::ceiling(&self.build(Alone {
            package: "ceiling",
            example: None,
            profile: Profile::Release,
        })?);
        self.closed(&ceiling, &ours, &others, report)?;
        if self.arguments.wants(Part::NullServers) {
            self.null_servers(&ceiling, &ours, report)?;
        }
        if self.arguments.wants(Part::Lag) {
            self.lag(&ceiling, &ours, report)?;
        }
        if self.arguments.wants(Part::Arrivals) {
            self.arrivals(&ours, &others, report)?;
        }
        if self.arguments.wants(Part::Memory) {
            report.memory = Some(match memory::measure(self.stand, &ceiling, &ours, self.arguments.window) {
                Err(WindowError::Interrupted) => return Err(WindowError::Interrupted),
                measured => measured.map_err(|error| error.to_string()),
            });
        }
        Ok(())
    }

    /// The other generators that are wanted and installed; the missing ones are said.
    fn find_others(&self, report: &mut Report) -> Result<Vec<Tool>, WindowError> {
        let arrivals = self.arguments.wants(Part::Arrivals);
        let wanted = [
            (Generator::Wrk, self.arguments.wants(Part::Wrk)),
            (Generator::Oha, self.arguments.wants(Part::Oha) || arrivals),
            (Generator::Wrk2, arrivals),
        ];
        let mut found = Vec::new();
        for (generator, _) in wanted.into_iter().filter(|(_, wanted)| *wanted) {
            match self.stand.tool(generator, self.harness)? {
                Some(tool) => found.push(tool),
                None => {
                    let missing = Missing { name: generator.name(), install: generator.install() };
                    self.say_missing(&missing);
                    report.missing.push(missing);
                }
            }
        }
        report.tools.extend(found.iter().cloned());
        Ok(found)
    }

    fn say_missing(&self, missing: &Missing) {
        errln!("{} is not installed and is left out: `{}`", missing.name, missing.install);
    }

    fn build(&self, alone: Alone<'_>) -> Result<PathBuf, WindowError> {
        let name = alone.example.unwrap_or(alone.package);
        let progress = Progress::new("building", 1);
        let heard = |part: &str| progress.doing(part.to_owned());
        build_alone(&alone, self.workspace.root(), &self.stand.guard, &self.stand.interrupt, heard).map_err(
            |error| match self.stand.interrupt.asked() {
                true => WindowError::Interrupted,
                false => {
                    WindowError::Server { name: name.to_owned(), reason: format!("is not built: {error}") }
                }
            },
        )
    }

    fn closed(
        &self,
        ceiling: &Server,
        ours: &Tool,
        others: &[Tool],
        report: &mut Report,
    ) -> Result<(), WindowError> {
        let is_wanted = |tool: &&Tool| match tool.generator {
            Generator::Wrk => self.arguments.wants(Part::Wrk),
            Generator::Oha => self.arguments.wants(Part::Oha),
            Generator::Own | Generator::Wrk2 => false,
        };
        let others: Vec<&Tool> = others.iter().filter(is_wanted).collect();
        let wanted = self.arguments.pairs as usize;
        let steps = self.arguments.connections.len() * others.len() * wanted;
        let mut progress = Progress::new("closed loop", steps);
        for &connections in &self.arguments.connections {
            for other in &others {
                let what = format!("{connections} connections against {}", other.generator.name());
                let pairs = Kept::default();
                report.closed.push(closed::Comparison { other: other.generator, connections, pairs });
                let Some(comparison) = report.closed.last_mut() else { continue };
                comparison.pairs.collect(wanted, &what, &mut progress, |number| {
                    let (both, window) = ((ours, *other), self.arguments.window);
                    closed::pair(self.stand, ceiling, both, connections, window, number)
                })?;
            }
        }
        Ok(())
    }

    fn null_servers(&self, ceiling: &Server, ours: &Tool, report: &mut Report) -> Result<(), WindowError> {
        let mut servers = vec![(ceiling.clone(), None)];
        match null_servers::nginx() {
            Some(program) => {
                let version = self.stand.version("nginx", &program, &["-v"])?;
                let version = version.rsplit('/').next().unwrap_or_default().to_owned();
                servers.push((Server::Nginx { program }, Some(version)));
            }
            None => {
                let missing = Missing { name: "nginx", install: "apt install nginx" };
                self.say_missing(&missing);
                report.missing.push(missing);
            }
        }
        let program = self.build(Alone {
            package: "ceiling",
            example: Some("may_minihttp"),
            profile: Profile::Release,
        })?;
        let version = fs::read_to_string(self.workspace.lock_file())
            .ok()
            .and_then(|lock| null_servers::locked_version(&lock, "may_minihttp"));
        servers.push((Server::may_minihttp(&program), version));
        let (wanted, window) = (self.arguments.pairs as usize, self.arguments.window);
        let mut progress = Progress::new("null servers", wanted);
        let named = |(server, version): &(Server, Option<String>)| null_servers::Named {
            name: server.name(),
            version: version.clone(),
        };
        let compared = report.null_servers.insert(null_servers::NullServers {
            servers: servers.iter().map(named).collect(),
            rounds: Kept::default(),
        });
        let servers: Vec<Server> = servers.into_iter().map(|(server, _)| server).collect();
        compared.rounds.collect(wanted, "null servers", &mut progress, |number| {
            null_servers::round(self.stand, &servers, ours, window, number)
        })
    }

    fn lag(&self, ceiling: &Server, ours: &Tool, report: &mut Report) -> Result<(), WindowError> {
        let half = self.half_of(ceiling, ours)?;
        let (wanted, window) = (self.arguments.pairs as usize, self.arguments.window);
        let mut progress = Progress::new("schedule lag", 3 * wanted);
        for series in lag::Series::all(half) {
            report.lag.push(series);
            let Some(series) = report.lag.last_mut() else { continue };
            let what = tables::describe(series.load, series.shared);
            series.collect(wanted, &what, &mut progress, (self.stand, ceiling, ours), window)?;
        }
        Ok(())
    }

    /// Half of the rate that our closed loop gets from the ceiling: the best of several windows, since what disturbs one
    /// only makes it slower. It chooses a load; it is no figure of anything.
    fn half_of(&self, ceiling: &Server, ours: &Tool) -> Result<u32, WindowError> {
        let mut best: f64 = 0.0;
        for _ in 0..CALIBRATIONS {
            let server = ceiling.start(self.stand, self.stand.server_cpu)?;
            let (connections, window) = (CALIBRATION_CONNECTIONS, self.arguments.window);
            let measured = self.stand.window(ours, &server, connections, window, Load::Closed)?;
            server.stop()?;
            best = best.max(measured.per_second);
        }
        Ok((best / 2.0).round() as u32)
    }

    fn arrivals(&self, ours: &Tool, others: &[Tool], report: &mut Report) -> Result<(), WindowError> {
        let open = |tool: &&Tool| tool.generator != Generator::Wrk;
        let tools: Vec<&Tool> = std::iter::once(ours).chain(others.iter().filter(open)).collect();
        let (wanted, window) = (self.arguments.pairs as usize, self.arguments.window);
        let mut progress = Progress::new("arrivals", tools.len() * wanted);
        for tool in tools {
            report.arrivals.push(arrivals::Series::new(tool.generator));
            let Some(series) = report.arrivals.last_mut() else { continue };
            let what = format!("arrivals of {}", tool.generator.name());
            series.windows.collect(wanted, &what, &mut progress, |_number| {
                arrivals::window(self.stand, self.harness, tool, window)
            })?;
        }
        Ok(())
    }
}
