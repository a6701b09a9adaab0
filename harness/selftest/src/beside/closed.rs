//! The closed loop: our generator and another, in alternating pairs against the ceiling.

use std::time::Duration;

use serde::Serialize;

use super::{
    kept::{Kept, Measured},
    server::Server,
    spread::{Figure, Spread},
    stand::{Stand, Window},
    tool::{Generator, Load, Tool},
    window_error::WindowError,
};

/// All pairs against one tool with one number of connections.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// The other tool.
    pub other: Generator,
    /// Connections of each.
    pub connections: u32,
    /// The pairs.
    pub pairs: Kept<Pair>,
}

/// Two windows, one after the other, against one process of the server.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Pair {
    /// Ours.
    pub own: Window,
    /// The other's.
    pub other: Window,
}

impl Comparison {
    /// Our requests per second over the other's.
    pub fn rate_ratio(&self) -> Option<Spread> {
        Spread::of(self.pairs.sound.iter().map(|pair| pair.own.per_second / pair.other.per_second))
    }

    /// Our CPU time per request over the other's.
    pub fn cpu_ratio(&self) -> Option<Spread> {
        Spread::of(
            self.pairs.sound.iter().map(|pair| pair.own.cpu_per_request_us / pair.other.cpu_per_request_us),
        )
    }

    /// The rate to reach, where one is set: 1.15, 1.4 and 1.0 times wrk's with 64, 1,000 and 1 connections, and 1.6
    /// times oha's with any.
    pub fn rate_figure(&self) -> Option<Figure> {
        match (self.other, self.connections) {
            (Generator::Wrk, 64) => Some(Figure::AtLeast(1.15)),
            (Generator::Wrk, 1_000) => Some(Figure::AtLeast(1.4)),
            (Generator::Wrk, 1) => Some(Figure::AtLeast(1.0)),
            (Generator::Oha, _) => Some(Figure::AtLeast(1.6)),
            _ => None,
        }
    }

    /// The CPU time per request to stay below, where one is set: 0.85 of wrk's.
    pub fn cpu_figure(&self) -> Option<Figure> {
        (self.other == Generator::Wrk).then_some(Figure::AtMost(0.85))
    }
}

/// Measures pair number `number`: who goes first alternates from pair to pair, and the server is a new one.
///
/// # Errors
/// The server or either window failed.
pub fn pair(
    stand: &Stand,
    ceiling: &Server,
    (own, other): (&Tool, &Tool),
    connections: u32,
    window: Duration,
    number: usize,
) -> Result<Measured<Pair>, WindowError> {
    let server = ceiling.start(stand, stand.server_cpu)?;
    let measure = |tool| stand.window(tool, &server, connections, window, Load::Closed);
    let pair = if number.is_multiple_of(2) {
        let own = measure(own)?;
        Pair { own, other: measure(other)? }
    } else {
        let other = measure(other)?;
        Pair { own: measure(own)?, other }
    };
    server.stop()?;
    Ok(Measured {
        figures: pair,
        is_sound: !pair.own.is_disturbed() && !pair.other.is_disturbed(),
        shown: format!("{:.3} of its rate", pair.own.per_second / pair.other.per_second),
    })
}
