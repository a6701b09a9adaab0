//! How late our open loop sends, by its own account, in windows from which the hypervisor took nothing.
//!
//! Stolen time is no fault of an instrument, and no merit of one that happens to be spared: windows with steal are
//! kept apart, counted, and measured again.

use std::time::Duration;

use host::class::SchedulingClass;
use serde::Serialize;

use super::{
    bench::{Bench, Window, WindowError},
    server::Server,
    spread::{Figure, Spread},
    tool::{Load, Tool},
};

/// How often a window is measured again because of stolen time, for each that is wanted.
const REPEATS: u32 = 2;
/// Connections of the open loops: enough that hardly a request waits for one.
const CONNECTIONS: u32 = 64;
/// The rate on a shared CPU.
const SHARED_PER_SECOND: u32 = 2_000;

/// One kind of open loop and its windows.
#[derive(Clone, Debug, Serialize)]
pub struct Series {
    /// When requests were due, and whether the CPU was the generator's alone.
    pub load: Load,
    /// Whether server and generator shared one CPU.
    pub shared: bool,
    /// Windows without steal.
    pub clean: Vec<LagWindow>,
    /// Windows with steal, or where the kernel does not tell.
    pub disturbed: Vec<LagWindow>,
    /// Windows that have no figures, and why.
    pub failed: Vec<String>,
}

/// One window.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct LagWindow {
    /// Schedule lag that one request in a hundred exceeds, microseconds.
    pub p99_us: f64,
    /// Schedule lag that one request in a thousand exceeds, microseconds.
    pub p99_9_us: f64,
    /// Requests answered per second.
    pub per_second: f64,
    /// The part of the CPUs' time that the hypervisor took: the larger of the generator's own account and of ours.
    pub stolen: Option<f64>,
}

impl Series {
    /// Nothing measured yet.
    pub fn new(load: Load, shared: bool) -> Self {
        Self { load, shared, clean: Vec::new(), disturbed: Vec::new(), failed: Vec::new() }
    }

    /// The three that are asked about. `half` is half of what the ceiling can do.
    pub fn all(half: u32) -> [Self; 3] {
        let (constant, poisson) = (
            Load::Constant { per_second: half, dedicated: true },
            Load::Poisson { per_second: half, dedicated: true },
        );
        let shared = Load::Poisson { per_second: SHARED_PER_SECOND, dedicated: false };
        [Self::new(constant, false), Self::new(poisson, false), Self::new(shared, true)]
    }

    /// The 99th percentile over the windows without steal.
    pub fn p99_us(&self) -> Option<Spread> {
        Spread::of(self.clean.iter().map(|window| window.p99_us))
    }

    /// The 99.9th percentile over the windows without steal.
    pub fn p99_9_us(&self) -> Option<Spread> {
        Spread::of(self.clean.iter().map(|window| window.p99_9_us))
    }

    /// What is asked of the 99th percentile: 50 us on a dedicated CPU, 300 us on a shared one.
    pub fn p99_figure(&self) -> Figure {
        Figure::AtMost(if self.shared { 300.0 } else { 50.0 })
    }

    /// What is asked of the 99.9th percentile: 200 us on a dedicated CPU.
    pub fn p99_9_figure(&self) -> Option<Figure> {
        (!self.shared).then_some(Figure::AtMost(200.0))
    }

    /// Whether as many windows without steal as are wanted were measured, or too many with.
    pub fn is_complete(&self, wanted: u32) -> bool {
        let tried = self.clean.len() + self.disturbed.len() + self.failed.len();
        self.clean.len() >= wanted as usize || tried >= (wanted * (1 + REPEATS)) as usize
    }

    /// Measures one more window and keeps it.
    ///
    /// # Errors
    /// Only an interrupt; what fails is kept as a reason.
    pub fn measure(
        &mut self,
        bench: &Bench,
        ceiling: &Server,
        own: &Tool,
        window: Duration,
    ) -> Result<String, WindowError> {
        match self.window(bench, ceiling, own, window) {
            Ok(window) => {
                let clean = window.stolen == Some(0.0);
                if clean { &mut self.clean } else { &mut self.disturbed }.push(window);
                let said = if clean { "" } else { ", with steal" };
                Ok(format!("lag p99 {:.0} us, p99.9 {:.0} us{said}", window.p99_us, window.p99_9_us))
            }
            Err(WindowError::Interrupted) => Err(WindowError::Interrupted),
            Err(error) => {
                self.failed.push(error.to_string());
                Ok(format!("failed: {error}"))
            }
        }
    }

    fn window(
        &self,
        bench: &Bench,
        ceiling: &Server,
        own: &Tool,
        window: Duration,
    ) -> Result<LagWindow, WindowError> {
        let server = ceiling.start(bench, bench.server_cpu)?;
        let (cpu, class) = if self.shared {
            (bench.server_cpu, SchedulingClass::Fifo)
        } else {
            (bench.generator_cpu, SchedulingClass::Normal)
        };
        let measured = bench.window_on(cpu, class, own, &server.url(), CONNECTIONS, window, self.load)?;
        server.stop()?;
        lag_of(&measured)
    }
}

fn lag_of(window: &Window) -> Result<LagWindow, WindowError> {
    let none = || WindowError::Server {
        name: "harness load".to_owned(),
        reason: "reports no schedule lag".to_owned(),
    };
    let own = window.own.ok_or_else(none)?;
    let lag = own.lag.ok_or_else(none)?;
    // Steal that only one of the two saw is steal.
    let stolen = match (own.stolen, window.stolen) {
        (Some(own), Some(outside)) => Some(own.max(outside)),
        _ => None,
    };
    Ok(LagWindow { p99_us: lag.p99_us, p99_9_us: lag.p99_9_us, per_second: window.per_second, stolen })
}
