//! A server's status as a person reads it.

use comfy_table::{Cell, CellAlignment, Color, ContentArrangement, Table, presets::NOTHING};

use super::{
    figures::{memory, span, thousands},
    protocol::{Health, PlaceStatus, Status},
};
use crate::logs::clean;

const COLUMNS: [&str; 11] = [
    "place",
    "pid",
    "state",
    "CPU",
    "CPU time",
    "RSS",
    "uptime",
    "restarts",
    "connections",
    "requests",
    "last exit",
];

/// Columns of words; the others are numbers, whose digits stand below each other.
const WORDS: [&str; 4] = ["place", "pid", "state", "last exit"];

/// A line on the server and a table of its places, each line with its newline. Escape sequences only where `colour` allows them.
pub(super) fn render(status: &Status, colour: bool) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(COLUMNS);
    // Whether stdout is a terminal is not the table's to find out.
    if colour {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    table.add_rows(status.places.iter().map(cells));
    for (column, name) in table.column_iter_mut().zip(COLUMNS) {
        let is_words = WORDS.contains(&name);
        column.set_cell_alignment(if is_words { CellAlignment::Left } else { CellAlignment::Right });
        column.set_padding(if name == "place" { (0, 1) } else { (1, 1) });
    }
    let mut text = head(status, colour) + "\n\n";
    for line in table.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn head(status: &Status, colour: bool) -> String {
    let health = match status.health {
        _ if !colour => status.health.to_string(),
        Health::Ok => format!("\x1b[32m{}\x1b[0m", status.health),
        Health::Degraded => format!("\x1b[31m{}\x1b[0m", status.health),
        Health::Draining | Health::Reloading => format!("\x1b[33m{}\x1b[0m", status.health),
    };
    format!(
        "{} {} is {health}: http://{}, primary {}, mode {}, up {}",
        clean(&status.server),
        clean(&status.version),
        status.address,
        status.pid,
        clean(&status.mode),
        span(status.uptime_seconds)
    )
}

fn cells(place: &PlaceStatus) -> Vec<Cell> {
    let pids: Vec<_> = place.pids.iter().map(u32::to_string).collect();
    let is_empty = pids.is_empty();
    let or_none = |text: String| if is_empty { "-".to_owned() } else { text };
    let state = Cell::new(clean(&place.state));
    let state = match place.state.as_str() {
        "ready" => state,
        "failed" => state.fg(Color::Red),
        _ => state.fg(Color::Yellow),
    };
    vec![
        Cell::new(format!("p{}", place.place)),
        Cell::new(or_none(pids.join(" "))),
        state,
        Cell::new(or_none(format!("{:.1}%", place.cpu_percent))),
        Cell::new(or_none(format!("{:.1} s", place.cpu_seconds))),
        Cell::new(or_none(memory(place.rss_bytes))),
        Cell::new(or_none(span(place.uptime_seconds))),
        Cell::new(thousands(place.restarts)),
        Cell::new(or_none(thousands(place.connections))),
        Cell::new(thousands(place.requests)),
        Cell::new(place.last_exit.as_deref().map_or_else(|| "-".to_owned(), clean)),
    ]
}

#[cfg(test)]
pub(super) mod tests {
    use std::net::SocketAddr;

    use super::*;

    /// One place of each kind.
    pub(in crate::control) fn made_up() -> Status {
        let ready = PlaceStatus {
            place: 0,
            pids: vec![4243],
            state: "ready".to_owned(),
            cpu_seconds: 12.34,
            cpu_percent: 61.52,
            rss_bytes: 5_400_000,
            uptime_seconds: 192.0,
            connections: 12,
            requests: 1_234_567,
            ..PlaceStatus::default()
        };
        let reloading = PlaceStatus {
            place: 1,
            pids: vec![4244, 4250],
            state: "draining".to_owned(),
            restarts: 3,
            last_exit: Some("ended by signal 9 (SIGKILL)\u{1b}[2J".to_owned()),
            ..ready.clone()
        };
        let failed = PlaceStatus {
            place: 10,
            state: "failed".to_owned(),
            restarts: 1000,
            requests: 7,
            last_exit: Some("exited with code 3 (cannot bind: \"x\")".to_owned()),
            ..PlaceStatus::default()
        };
        Status {
            server: "fork-per-core".to_owned(),
            version: "0.1.0".to_owned(),
            pid: 4242,
            address: SocketAddr::from(([127, 0, 0, 1], 8080)),
            uptime_seconds: 18_120.0,
            mode: "cluster".to_owned(),
            health: Health::Degraded,
            places: vec![ready, reloading, failed],
        }
    }

    #[test]
    fn columns_align_and_nothing_is_left_to_the_terminal() {
        let text = render(&made_up(), false);
        assert!(!text.replace('\n', "").contains(char::is_control), "{text:?}");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn colours_change_nothing_but_the_colour() {
        let coloured = render(&made_up(), true);
        assert!(coloured.contains("\x1b["));
        let mut plain = String::new();
        let mut rest = coloured.as_str();
        while let Some((before, after)) = rest.split_once("\x1b[") {
            plain.push_str(before);
            rest = after.split_once('m').unwrap().1;
        }
        let without_ends = |text: &str| text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
        assert_eq!(without_ends(&(plain + rest)), without_ends(&render(&made_up(), false)));
    }
}
