//! Everything that is read at one edge of a window, and what two of them say of the time between.
//!
//! An edge is read before the window's load begins and after it has ended, by a thread that is
//! [pinned](CpuSet::pin_current_thread) to the generator's CPU: the same reading within a window, on the server's CPU, made a p99 of
//! 0.07 ms into one of 2 ms.
//!
//! A reading took 0.13 ms where the row has one thread, 0.27 ms with 8 and 5.6 ms with 256 if all of them had run since the last one,
//! 0.11, 0.14 and 1.2 ms if none had, and 2 to 9 ms the first time (medians on two CPUs of a virtual machine with some 110 tasks, while
//! others worked on it: `cargo run --release -p race --example reading`). Nearly all of it is the threads' own files, which tell run
//! delay, switches and where they ran; the clock of a process takes a third of a microsecond.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    time::{Duration, Instant},
};

use host::{cpus::CpuSet, members};
use load::ThreadOutcome;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stats::gate::Disturbance;

use crate::schema;

use super::{
    cpu_times::CpuTimes,
    generator::GeneratorUse,
    memory::{self, Memory},
    offset::Offset,
    row::{self, RowUse},
    shares::{self, Shares, Side, Where},
    tasks::{Process, Reader, Table, nanoseconds},
};

/// Reads edges, and remembers what need not be read again. One does for a whole run.
#[derive(Debug, Default)]
pub struct Edges {
    reader: Reader,
}

/// One reading of everything.
#[derive(Clone, Debug)]
pub struct Edge {
    at: Instant,
    took: Duration,
    table: Table,
    row: BTreeSet<u32>,
    harness: BTreeSet<u32>,
    memory: Memory,
    cpus: CpuTimes,
    offset: Offset,
}

/// What happened between two edges. Every figure is of the whole stretch, which is longer than the window by what was loaded
/// without being recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Accounts {
    /// How long the stretch was.
    pub stretch_ns: u64,
    /// The CPUs of which the shares are: the server's.
    #[schemars(with = "schema::Cpus")]
    pub cpus: CpuSet,
    /// What the row's tree used, wherever it ran.
    pub row: RowUse,
    /// Who used those CPUs.
    pub shares: Shares,
    /// What of the generator's own CPUs somebody took who does not take part; absent where it has none of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foreign_beside_generator_ns: Option<u64>,
    /// How long those CPUs were busy beyond that; less than nothing where more was counted as theirs than was done there. `None`
    /// where the kernel does not say how busy they were.
    pub unexplained_ns: Option<i64>,
    /// How far off that may be.
    pub unexplained_within_ns: u64,
    /// Ticks of each CPU of the machine that the hypervisor gave to another machine; of those that had any.
    pub stolen_ticks: BTreeMap<usize, u64>,
    /// By how much the clock of the kernel's stamps was set.
    pub clock_step_ns: i64,
    /// The generator's threads, within the window.
    pub generator: GeneratorUse,
    /// How long the two readings took.
    pub reading_ns: [u64; 2],
}

impl Edges {
    /// Reads an edge, where the row is everything below process `guard`, and the harness is this process, that guard, and the `others`
    /// that stand above the rows which are frozen now.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub fn read(&mut self, guard: u32, others: &[u32]) -> io::Result<Edge> {
        let at = Instant::now();
        let members = members::below(guard)?;
        let row = members.living.iter().chain(&members.unburied).map(|it| it.pid).collect();
        let harness = others.iter().copied().chain([guard, std::process::id()]).collect();
        self.read_of(at, row, harness)
    }

    /// Reads an edge where no row is: on the generator's host, while the row runs on another. The harness is this process.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub fn read_without_row(&mut self) -> io::Result<Edge> {
        self.read_of(Instant::now(), BTreeSet::new(), [std::process::id()].into())
    }

    fn read_of(&mut self, at: Instant, row: BTreeSet<u32>, harness: BTreeSet<u32>) -> io::Result<Edge> {
        let memory = memory::of(row.iter().copied())?;
        let table = self.reader.read(&row)?;
        let (cpus, offset) = (CpuTimes::read()?, Offset::read());
        Ok(Edge { at, took: at.elapsed(), table, row, harness, memory, cpus, offset })
    }
}

impl Edge {
    /// How long reading it took.
    pub fn took(&self) -> Duration {
        self.took
    }

    fn side(&self, process: &Process) -> Option<Side> {
        let has = |pids: &BTreeSet<u32>| {
            pids.contains(&process.pid) && self.table.get(&process.pid).is_some_and(|own| own.is(process))
        };
        if has(&self.row) { Some(Side::Row) } else { has(&self.harness).then_some(Side::Harness) }
    }
}

impl Accounts {
    /// What happened from `before` to `after` on `cpus`, which are the server's, where `threads` were the generator's, on the CPUs
    /// `generator`.
    pub fn between(
        before: &Edge,
        after: &Edge,
        cpus: &CpuSet,
        generator: &CpuSet,
        threads: &[ThreadOutcome],
    ) -> Self {
        let at = Where { cpus, generator };
        let side = |process: &Process| after.side(process).or_else(|| before.side(process));
        let shares = shares::between(&before.table, &after.table, at, side);
        let has_own = !generator.iter().any(|cpu| cpus.contains(cpu));
        let beside = || {
            let at = Where { cpus: generator, generator };
            let shares = shares::between(&before.table, &after.table, at, side);
            shares.foreign_ns / generator.len().max(1) as u64
        };
        let busy = after.cpus.busy_since(&before.cpus, cpus);
        let signed = |ns: u64| i64::try_from(ns).unwrap_or(i64::MAX);
        Self {
            stretch_ns: nanoseconds(after.at.saturating_duration_since(before.at)),
            cpus: cpus.clone(),
            row: row::between((&before.table, &before.row), (&after.table, &after.row), after.memory),
            foreign_beside_generator_ns: has_own.then(beside),
            unexplained_ns: busy.map(|busy| signed(busy.ns) - signed(shares.sum_ns())),
            unexplained_within_ns: busy.map_or(0, |busy| busy.within_ns),
            shares,
            stolen_ticks: after.cpus.stolen_since(&before.cpus),
            clock_step_ns: after.offset.step_ns_since(before.offset),
            generator: GeneratorUse::of(threads),
            reading_ns: [nanoseconds(before.took), nanoseconds(after.took)],
        }
    }

    /// Those of the row's host, where `before` and `after` were read on the generator's, whose `threads` ran on its CPUs `generator`: who
    /// took these, and whether the clock of the stamps was set, is known there alone.
    #[must_use]
    pub fn with_generator_of(
        self,
        before: &Edge,
        after: &Edge,
        generator: &CpuSet,
        threads: &[ThreadOutcome],
    ) -> Self {
        let there = Self::between(before, after, generator, generator, threads);
        Self {
            foreign_beside_generator_ns: Some(there.shares.foreign_ns / generator.len().max(1) as u64),
            clock_step_ns: there.clock_step_ns,
            generator: there.generator,
            ..self
        }
    }

    /// Those of the row's host, where generators on other hosts found `theirs`: of each figure the worst, since each host is judged by
    /// itself.
    #[must_use]
    pub fn with_generators(self, theirs: &[&Self]) -> Self {
        let foreign = theirs.iter().map(|accounts| accounts.foreign_share()).fold(0.0, f64::max);
        let step =
            theirs.iter().map(|accounts| accounts.clock_step_ns).max_by_key(|step| step.unsigned_abs());
        let delayed =
            |one: &GeneratorUse, other: &GeneratorUse| one.delayed_share().total_cmp(&other.delayed_share());
        let generator = theirs.iter().map(|accounts| accounts.generator).max_by(delayed);
        Self {
            foreign_beside_generator_ns: Some((foreign * self.stretch_ns as f64) as u64),
            clock_step_ns: step.unwrap_or(0),
            generator: generator.unwrap_or_default(),
            ..self
        }
    }

    /// The share of the CPUs' time that somebody took who does not take part.
    pub fn foreign_share(&self) -> f64 {
        self.share(self.shares.foreign_ns)
    }

    /// The share of the time of the generator's own CPUs, in the mean, that somebody took who does not take part; 0 where it has none.
    pub fn foreign_share_beside_generator(&self) -> f64 {
        self.foreign_beside_generator_ns.unwrap_or(0) as f64 / (self.stretch_ns as f64).max(1.0)
    }

    /// The share of the CPUs' time that the harness and its generator took: nothing of it is foreign where they share them.
    pub fn harness_share(&self) -> f64 {
        self.share(self.shares.harness_ns)
    }

    /// The share of the CPUs' time that the kernel's own threads took for the row.
    pub fn kernel_share(&self) -> f64 {
        self.share(self.shares.kernel_ns)
    }

    /// The share of the CPUs' time that nothing explains.
    pub fn unexplained_share(&self) -> Option<f64> {
        let whole = self.stretch_ns as f64 * self.cpus.len() as f64;
        self.unexplained_ns.map(|ns| ns as f64 / whole.max(1.0))
    }

    /// What the gate sees of a stretch in which the clock of the stamps was set by `step_ns` within the window, as far as the generator
    /// knows.
    pub fn disturbance(&self, step_ns: Option<i64>) -> Disturbance {
        let steps = [self.clock_step_ns, step_ns.unwrap_or(0)].map(i64::unsigned_abs);
        Disturbance {
            length: Duration::from_nanos(self.stretch_ns),
            foreign: self.foreign_share().max(self.foreign_share_beside_generator()),
            steal_ticks: self.stolen_from(&self.cpus) as f64 / self.cpus.len().max(1) as f64,
            run_delay: self.generator.delayed_share(),
            clock_step: Duration::from_nanos(steps[0].max(steps[1])),
        }
    }

    /// Ticks stolen from `cpus`.
    pub fn stolen_from(&self, cpus: &CpuSet) -> u64 {
        cpus.iter().filter_map(|cpu| self.stolen_ticks.get(&cpu)).sum()
    }

    /// The share of the CPUs' time in which anybody used them.
    pub fn busy_share(&self) -> f64 {
        self.share(self.shares.sum_ns())
    }

    fn share(&self, ns: u64) -> f64 {
        ns as f64 / (self.stretch_ns as f64 * self.cpus.len() as f64).max(1.0)
    }
}
