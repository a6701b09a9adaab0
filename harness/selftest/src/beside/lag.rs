//! How late our open loop sends, by its own account, in windows from which the hypervisor took nothing.
//!
//! Stolen time is no fault of an instrument, and no merit of one that happens to be spared: windows with steal are
//! kept apart, counted, and measured again. So are those that other processes of this machine disturbed.

use std::time::Duration;

use host::class::SchedulingClass;
use serde::Serialize;

use super::{
    kept::{Kept, Measured},
    server::Server,
    spread::{Figure, Spread},
    stand::{Stand, Window},
    tool::{Load, Tool},
    window_error::WindowError,
};
use terminal::progress::Progress;

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
    /// The windows; only those without any steal are sound.
    pub windows: Kept<LagWindow>,
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
        Self { load, shared, windows: Kept::default() }
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
        Spread::of(self.windows.sound.iter().map(|window| window.p99_us))
    }

    /// The 99.9th percentile over the windows without steal.
    pub fn p99_9_us(&self) -> Option<Spread> {
        Spread::of(self.windows.sound.iter().map(|window| window.p99_9_us))
    }

    /// What is asked of the 99th percentile: 50 us on a dedicated CPU, 300 us on a shared one.
    pub fn p99_figure(&self) -> Figure {
        Figure::AtMost(if self.shared { 300.0 } else { 50.0 })
    }

    /// What is asked of the 99.9th percentile: 200 us on a dedicated CPU.
    pub fn p99_9_figure(&self) -> Option<Figure> {
        (!self.shared).then_some(Figure::AtMost(200.0))
    }

    /// Measures windows until `wanted` of them count. `what` says what they are of.
    ///
    /// # Errors
    /// Only an interrupt; what fails is kept as a reason.
    pub fn collect(
        &mut self,
        wanted: usize,
        what: &str,
        progress: &mut Progress,
        (stand, ceiling, own): (&Stand, &Server, &Tool),
        window: Duration,
    ) -> Result<(), WindowError> {
        let (load, shared) = (self.load, self.shared);
        self.windows
            .collect(wanted, what, progress, |_number| measure(stand, ceiling, own, window, load, shared))
    }
}

/// One window against a new server.
fn measure(
    stand: &Stand,
    ceiling: &Server,
    own: &Tool,
    window: Duration,
    load: Load,
    shared: bool,
) -> Result<Measured<LagWindow>, WindowError> {
    let server = ceiling.start(stand, stand.server_cpu)?;
    let (cpu, class) = if shared {
        (stand.server_cpu, SchedulingClass::Fifo)
    } else {
        (stand.generator_cpu, SchedulingClass::Normal)
    };
    let measured = stand.window_on(cpu, class, own, &server, CONNECTIONS, window, load)?;
    server.stop()?;
    let figures = lag_of(&measured)?;
    Ok(Measured {
        figures,
        is_sound: figures.stolen == Some(0.0) && !measured.is_disturbed(),
        shown: format!("lag p99 {:.0} us, p99.9 {:.0} us", figures.p99_us, figures.p99_9_us),
    })
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
