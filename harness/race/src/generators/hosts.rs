//! Generators on hosts of their own, which make a load together.
//!
//! Only the beginning of a window needs a common clock: a time begins and ends on one host. Each clock is compared with the one here right
//! before it is needed, so that neither drift nor whoever sets one makes much of it.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, SystemTime},
};

use host::cpus::CpuSet;
use stats::clock_offset::{self, Exchange, Offset};

use super::{
    clock::now_ns,
    light::{divide, most_generators},
    order::Order,
    together::Part,
};
use crate::{
    plan::resolve::Resolved,
    programs::instance::InstanceError,
    records::window::{Measured, PortsRecord},
    server_host::{
        lines::{Answer, Asked},
        link::{ANSWER_WITHIN, Link},
    },
};

/// So often a clock is asked: a round trip that meets no queue is among as many.
const EXCHANGES: usize = 6;
/// How long all have from the word to the beginning of a load: to hear it, and to start their threads...
const LEAD: Duration = Duration::from_millis(15);
/// ... and to open each connection. Every window costs this time, so that it is short, and longer where that was not enough.
const LEAD_FOR_EACH: Duration = Duration::from_micros(100);
/// Whoever was not ready by then is given so many times as long, and all later loads twice as long.
const LONGER: u32 = 4;
/// The most that later loads are given because of it.
const MOST_PATIENCE: u32 = 64;
/// Whoever is not ready then never will be.
const LONGEST_LEAD: Duration = Duration::from_secs(20);

/// The hosts of all generators, of which there is one at least.
#[derive(Debug)]
pub struct GeneratorHosts {
    hosts: Vec<GeneratorHost>,
    measuring: u32,
    /// How many times as long as a load would need they are given, by what was not enough so far.
    patience: AtomicU32,
}

/// One of them.
#[derive(Debug)]
pub struct GeneratorHost {
    link: Link,
    /// What its generator may use.
    cpus: CpuSet,
}

/// What one of them is told.
#[derive(Debug)]
struct Told<'a> {
    host: &'a GeneratorHost,
    order: Order,
    measures: bool,
}

/// What came of an order.
enum Heard {
    Made(Box<Measured>),
    TooSoon(Duration),
}

impl GeneratorHost {
    /// The host at the other end of `link`, whose generator may use `cpus`.
    pub fn new(link: Link, cpus: CpuSet) -> Self {
        Self { link, cpus }
    }

    /// How a person calls it.
    pub fn name(&self) -> &str {
        self.link.host()
    }

    /// How far its clock is ahead of the one here.
    ///
    /// # Errors
    /// It does not say, or a clock was set meanwhile.
    pub fn clock(&self) -> Result<Offset, String> {
        let exchange = |_| {
            let asked_ns = now_ns();
            match self.link.ask(Asked::Clock, ANSWER_WITHIN)? {
                Answer::Clock { received_ns, answered_ns } => {
                    Ok(Exchange { asked_ns, received_ns, answered_ns, heard_ns: now_ns() })
                }
                other => Err(self.unexpected(&other)),
            }
        };
        let exchanges = (0..EXCHANGES).map(exchange).collect::<Result<Vec<Exchange>, String>>()?;
        clock_offset::of_exchanges(&exchanges).map_err(|error| format!("{}: {error}", self.name()))
    }

    fn make(&self, order: Order, within: Duration) -> Result<Heard, String> {
        let said = self.link.ask(Asked::Load(Box::new(order)), within);
        match said.map_err(|said| self.named(&said))? {
            Answer::Loaded(measured) => Ok(Heard::Made(measured)),
            Answer::TooSoon(late) => Ok(Heard::TooSoon(late)),
            other => Err(self.unexpected(&other)),
        }
    }

    fn ports(&self, order: Order) -> Result<Option<PortsRecord>, String> {
        // As long as a port may wait, and an answer.
        let within = Duration::from_secs(65) + ANSWER_WITHIN;
        match self.link.ask(Asked::Ports(Box::new(order)), within).map_err(|said| self.named(&said))? {
            Answer::Ports(ports) => Ok(ports),
            other => Err(self.unexpected(&other)),
        }
    }

    /// What it said, with its name where that does not say it.
    fn named(&self, said: &str) -> String {
        match said.contains(self.name()) {
            true => said.to_owned(),
            false => format!("{}: {said}", self.name()),
        }
    }

    fn unexpected(&self, answer: &Answer) -> String {
        format!("{} answers what it was not asked: {answer:?}", self.name())
    }
}

impl GeneratorHosts {
    /// These `hosts`, of which the first `measuring` have little to do and measure, where there are others; all measure where it is 0.
    pub fn new(hosts: Vec<GeneratorHost>, measuring: u32) -> Self {
        Self { hosts, measuring, patience: AtomicU32::new(1) }
    }

    /// Why one of them cannot be asked any more, if it cannot.
    pub fn lost(&self) -> Option<String> {
        self.hosts.iter().find_map(|host| host.link.lost()).map(|lost| lost.to_string())
    }

    /// The local ports of the host that has fewest left, once all have as many as their part of the load takes.
    ///
    /// # Errors
    /// One of them cannot say.
    pub(crate) fn ports(&self, order: &Order) -> Result<Option<PortsRecord>, InstanceError> {
        let mut fewest: Option<PortsRecord> = None;
        for Told { host, order, .. } in self.told(order) {
            let ports = host.ports(order).map_err(InstanceError::There)?;
            let left = |ports: &PortsRecord| ports.range.saturating_sub(ports.taken);
            fewest = fewest.into_iter().chain(ports).min_by_key(left);
        }
        Ok(fewest)
    }

    /// Has them make the load of `order`, which is the whole of it, and says what each found.
    ///
    /// # Errors
    /// One of them could not.
    pub(crate) fn make(&self, order: &Order) -> Result<Vec<Part>, InstanceError> {
        let mut lead = lead_for(&order.load) * self.patience.load(Ordering::Relaxed);
        loop {
            match self.once(order, lead)? {
                Ok(parts) => return Ok(parts),
                Err(_) if lead < LONGEST_LEAD => {
                    lead = (lead * LONGER).min(LONGEST_LEAD);
                    let more = self.patience.load(Ordering::Relaxed).saturating_mul(2).min(MOST_PATIENCE);
                    self.patience.store(more, Ordering::Relaxed);
                }
                Err((host, late)) => {
                    return Err(InstanceError::There(format!(
                        "{host} was not ready {lead:.1?} after it was told of a load, but {late:.1?} later"
                    )));
                }
            }
        }
    }

    /// The same with so much time before it begins: or who was late, and by how much.
    fn once(
        &self,
        order: &Order,
        lead: Duration,
    ) -> Result<Result<Vec<Part>, (String, Duration)>, InstanceError> {
        let told = self.told(order);
        let clocks: Vec<Offset> = told
            .iter()
            .map(|told| told.host.clock())
            .collect::<Result<_, String>>()
            .map_err(InstanceError::There)?;
        let begins = SystemTime::now() + lead;
        let within = lead + order.longest() + ANSWER_WITHIN;
        let heard: Vec<Result<Heard, String>> = thread::scope(|scope| {
            let asked: Vec<_> = told
                .iter()
                .zip(&clocks)
                .map(|(told, clock)| {
                    let start_at = Some(there(begins, *clock));
                    let order = Order { start_at, ..told.order.clone() };
                    scope.spawn(move || told.host.make(order, within))
                })
                .collect();
            let joined = |asked: thread::ScopedJoinHandle<'_, _>| {
                asked.join().unwrap_or_else(|cause| std::panic::resume_unwind(cause))
            };
            asked.into_iter().map(joined).collect()
        });
        let mut parts = Vec::new();
        for ((told, clock), heard) in told.iter().zip(clocks).zip(heard) {
            let host = told.host.name().to_owned();
            match heard.map_err(InstanceError::There)? {
                Heard::Made(measured) => parts.push(Part {
                    host,
                    measures: told.measures,
                    clock_within_ns: clock.bound_ns,
                    measured: *measured,
                }),
                Heard::TooSoon(late) => return Ok(Err((host, late))),
            }
        }
        Ok(Ok(parts))
    }

    /// What each of them is told that has a part of the load.
    fn told(&self, order: &Order) -> Vec<Told<'_>> {
        let count = u32::try_from(self.hosts.len()).unwrap_or(u32::MAX);
        let loading = count.saturating_sub(self.measuring);
        let divided = match (self.measuring, loading) {
            (0, _) | (_, 0) => None,
            _ => divide(&order.load, self.measuring, loading),
        };
        match divided {
            Some(divided) => {
                let (light, heavy) = self.hosts.split_at(self.measuring as usize);
                // Two processes that are drawn from one seed would be one.
                let seed = order.seed ^ 0x9E37_79B9_7F4A_7C15;
                let light = share(light, &Order { load: divided.light, seed, ..order.clone() }, true);
                let heavy = share(heavy, &Order { load: divided.rest, ..order.clone() }, false);
                light.into_iter().chain(heavy).collect()
            }
            None => {
                let taking_part = count.min(most_generators(&order.load)) as usize;
                share(&self.hosts[..taking_part], order, true)
            }
        }
    }
}

/// The load of `order` in equal parts.
fn share<'a>(hosts: &'a [GeneratorHost], order: &Order, measures: bool) -> Vec<Told<'a>> {
    let parts = u32::try_from(hosts.len()).unwrap_or(u32::MAX);
    let told = |(part, host): (u32, &'a GeneratorHost)| {
        let order = Order { part, parts, cpus: host.cpus.clone(), ..order.clone() };
        Told { host, order, measures }
    };
    (0..parts).zip(hosts).map(told).collect()
}

fn lead_for(load: &Resolved) -> Duration {
    let connections: usize = load.streams.iter().map(|stream| stream.connections).sum();
    LEAD + LEAD_FOR_EACH * u32::try_from(connections).unwrap_or(u32::MAX)
}

/// What a clock that is ahead by `offset` says when the one here says `at`.
fn there(at: SystemTime, offset: Offset) -> SystemTime {
    let by = Duration::from_nanos(offset.offset_ns.unsigned_abs());
    if offset.offset_ns < 0 { at - by } else { at + by }
}

#[cfg(test)]
mod tests;
