//! The local ports towards one server: how many there are, how many are taken, and waiting until there are enough.
//!
//! Each connection that the generator closes leaves its port in TIME_WAIT for 60 s. A load that opens connections all the time would be
//! refused ports in the end, which says nothing of any row; and long before that each attempt looks for a free one.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    thread,
    time::{Duration, Instant},
};

use terminal::errln;

use crate::{
    generators::order::Order,
    plan::resolve::{Resolved, ResolvedStream},
    records::window::PortsRecord,
};

/// How long a port stays in TIME_WAIT (Linux, TCP_TIMEWAIT_LEN), seconds.
const TIME_WAIT_S: f64 = 60.0;
/// After this long one in TIME_WAIT may be used again, where `net.ipv4.tcp_tw_reuse` allows it.
const REUSED_AFTER_S: f64 = 1.0;
/// More connections a second than one thread of the generator opens here: a closed loop's rate is not known beforehand.
const MOST_OPENED_PER_SECOND: f64 = 30_000.0;
/// How often it is looked again.
const AGAIN_AFTER: Duration = Duration::from_millis(100);
/// How long they are waited for: until everything that waits has ended.
const PATIENCE: Duration = Duration::from_secs(65);

/// The ports that connections from here may have.
pub fn range() -> Option<u64> {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut ends = text.split_ascii_whitespace().map(|end| end.parse::<u64>().ok());
    let (low, high) = (ends.next()??, ends.next()??);
    (high >= low).then(|| high - low + 1)
}

/// Whether `load` takes more of them than it has connections.
pub(crate) fn are_taken_by(load: &Resolved) -> bool {
    load.streams.iter().any(|stream| stream.shape.requests_per_connection.is_some())
}

/// Waits until the generator has the ports that its part of the load takes, unless that `is_over`. `None` where the system does not tell.
pub(crate) fn wait(order: &Order, is_over: &dyn Fn() -> bool) -> Option<PortsRecord> {
    let Order { address: server, load, .. } = order;
    let server = *server;
    let range = range()?;
    let deadline = Instant::now() + PATIENCE;
    let needed = needed(load, order.cpus.len(), range).div_ceil(u64::from(order.parts.max(1)));
    let mut has_said = false;
    loop {
        let taken = taken(&fs::read_to_string("/proc/net/tcp").ok()?, server.port(), is_reused(server));
        let record = PortsRecord { range, taken };
        if range.saturating_sub(taken) >= needed || is_over() || Instant::now() >= deadline {
            return Some(record);
        }
        if !has_said {
            errln!(
                "waiting for local ports: {taken} of {range} towards {server} are taken, most of them in TIME_WAIT for a minute, and \
                 {needed} are to be free; widen net.ipv4.ip_local_port_range to wait less"
            );
            has_said = true;
        }
        thread::sleep(AGAIN_AFTER);
    }
}

/// How many of `range` ports a load may take.
fn needed(load: &Resolved, threads: usize, range: u64) -> u64 {
    let seconds = (load.warm_up + load.window).as_secs_f64();
    let of_stream = |stream: &ResolvedStream| {
        let Some(each) = stream.shape.requests_per_connection else { return stream.connections as f64 };
        let opened = match stream.pacing.rate() {
            Some(rate) => rate.mean_per_second() / f64::from(each) * seconds,
            // A guess, which is not to keep a load from beginning that would have enough.
            None => {
                let most = MOST_OPENED_PER_SECOND * threads.max(1) as f64 / f64::from(each) * seconds;
                most.min(range as f64 / 2.0 - stream.connections as f64).max(0.0)
            }
        };
        stream.connections as f64 + opened
    };
    load.streams.iter().map(of_stream).sum::<f64>().ceil() as u64
}

/// How long a closed connection to a server of this host keeps its port.
pub(crate) fn kept() -> Duration {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Duration::from_secs_f64(if is_reused(any) { REUSED_AFTER_S } else { TIME_WAIT_S })
}

/// Whether a port in TIME_WAIT may be used again after a second: 1 is always, and 2, the default, on loopback.
fn is_reused(server: SocketAddr) -> bool {
    let reuse = fs::read_to_string("/proc/sys/net/ipv4/tcp_tw_reuse").unwrap_or_default();
    match reuse.trim() {
        "1" => true,
        "2" => server.ip().is_loopback(),
        _ => false,
    }
}

/// How many ports are taken towards `port`, by `/proc/net/tcp`; without those in TIME_WAIT that may be used again.
fn taken(table: &str, port: u16, is_reused: bool) -> u64 {
    const TIME_WAIT: &str = "06";
    let towards = format!(":{port:04X}");
    let is_taken = |line: &&str| {
        let mut fields = line.split_ascii_whitespace().skip(2);
        let (Some(remote), Some(state)) = (fields.next(), fields.next()) else { return false };
        if !remote.ends_with(&towards) {
            return false;
        }
        // tr:tm->when, in hundredths of a second until it is over.
        let left = fields.nth(1).and_then(|timer| u64::from_str_radix(timer.split_once(':')?.1, 16).ok());
        let age_s = left.map_or(0.0, |left| TIME_WAIT_S - left as f64 / 100.0);
        !(is_reused && state == TIME_WAIT && age_s >= REUSED_AFTER_S)
    };
    table.lines().filter(is_taken).count() as u64
}

#[cfg(test)]
mod tests {
    use app::Operation;
    use load::Pacing;

    use super::*;
    use crate::plan::stream::Shape;

    const TABLE: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 0100007F:C001 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 2 1 0 20 4 30 10 -1
   2: 0100007F:C002 0100007F:1F90 06 00000000:00000000 03:00001751 00000000     0        0 0 3 0
   3: 0100007F:C003 0100007F:1F90 06 00000000:00000000 03:00000100 00000000     0        0 0 3 0
   4: 0100007F:1F90 0100007F:C001 01 00000000:00000000 00:00000000 00000000     0        0 3 1 0 20 4 30 10 -1
   5: 0100007F:C004 0100007F:0050 06 00000000:00000000 03:00001751 00000000     0        0 0 3 0
";

    #[test]
    fn ports_in_time_wait_are_taken_until_they_may_be_used_again() {
        assert_eq!(taken(TABLE, 8080, false), 3);
        // 0x1751 is 59.69 s left: a third of a second old. 0x100 is 2.56 s left.
        assert_eq!(taken(TABLE, 8080, true), 2);
        assert_eq!(taken(TABLE, 81, true), 0);
        assert_eq!(taken("", 8080, true), 0);
    }

    #[test]
    fn a_load_takes_as_many_ports_as_it_opens_connections() {
        let stream = |pacing, each| ResolvedStream {
            name: "s".to_owned(),
            operation: Operation::Simple,
            connections: 64,
            pacing,
            shape: Shape { requests_per_connection: each, ..Shape::default() },
        };
        let load = |stream| Resolved {
            streams: vec![stream],
            warm_up: Duration::from_millis(500),
            window: Duration::from_millis(1500),
            timeout: Duration::from_secs(5),
        };
        let open = Pacing::Poisson { per_second: 1000.0.into() };
        assert_eq!(needed(&load(stream(open, None)), 1, 28_000), 64);
        assert_eq!(needed(&load(stream(open, Some(10))), 1, 28_000), 64 + 200);
        // What a load is known to take is waited for, and of what it might half at most.
        assert_eq!(needed(&load(stream(open, Some(1))), 1, 1_000), 64 + 2_000);
        assert_eq!(needed(&load(stream(Pacing::Closed, Some(1))), 2, 400_000), 64 + 120_000);
        assert_eq!(needed(&load(stream(Pacing::Closed, Some(1))), 2, 28_000), 14_000);
    }

    #[test]
    fn this_host_tells_its_ports() {
        assert!(range().is_none_or(|range| range > 0));
    }
}
