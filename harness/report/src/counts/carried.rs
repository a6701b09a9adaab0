//! Whether a row carried the load of its open loops, and what it carried if it did not.

use race::{plan::scenario::Scenario, start::kept::offered};
use stats::overload::{Carried, Load, Offered, over_starts};
use terminal::numbers::thousands;

use crate::counts::kept::{Line, Start, Which};

/// Whether a row carried its load.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RowLoad {
    pub(crate) load: Load,
    /// The stream with the least part of its load carried, where the load was too much in any start.
    short: Option<Short>,
}

/// What a row carried of a stream in the starts in which it was overloaded.
#[derive(Clone, Debug, PartialEq)]
struct Short {
    stream: String,
    /// Answers a second within the windows.
    answered_per_second: f64,
    /// Requests due a second.
    due_per_second: f64,
}

impl RowLoad {
    /// A row is overloaded where it did not carry one of its open loops in most starts.
    pub(crate) fn of(scenario: &Scenario, line: &Line<'_>) -> Self {
        let mut worst = Self { load: Load::Carried, short: None };
        for stream in &scenario.streams {
            let starts: Vec<Vec<Offered>> =
                line.starts.iter().map(|start| offered_in(start, &stream.name)).collect();
            let load = over_starts(&starts);
            let overloaded = starts.iter().filter(|windows| Carried::of(windows).is_overloaded());
            let short =
                Short::of(&stream.name, &Carried::of(&overloaded.flatten().copied().collect::<Vec<_>>()));
            let shorter = short.filter(|short| {
                load != Load::Carried && worst.short.as_ref().is_none_or(|worst| short.part() < worst.part())
            });
            worst = Self {
                load: if rank(load) > rank(worst.load) { load } else { worst.load },
                short: shorter.or(worst.short),
            };
        }
        worst
    }

    /// Whether response times are no property of the row: what its answers took is how long it was loaded.
    pub(crate) fn is_overloaded(&self) -> bool {
        self.load == Load::Overloaded
    }

    /// `overloaded: 130 of 1,000/s of simple`.
    pub(crate) fn note(&self) -> Option<String> {
        let Short { stream, answered_per_second, due_per_second } = self.short.as_ref()?;
        let of =
            format!("{} of {}/s of {stream}", thousands(*answered_per_second), thousands(*due_per_second));
        match self.load {
            Load::Carried => None,
            Load::AtTheEdge { overloaded, starts } => {
                Some(format!("overloaded in {overloaded} of {starts} starts, with {of}"))
            }
            Load::Overloaded => Some(format!("overloaded: {of}")),
        }
    }
}

impl Short {
    fn of(stream: &str, carried: &Carried) -> Option<Self> {
        Some(Self {
            stream: stream.to_owned(),
            answered_per_second: carried.answered_per_second()?,
            due_per_second: carried.due_per_second()?,
        })
    }

    fn part(&self) -> f64 {
        self.answered_per_second / self.due_per_second
    }
}

fn rank(load: Load) -> usize {
    match load {
        Load::Carried => 0,
        Load::AtTheEdge { overloaded, .. } => overloaded,
        Load::Overloaded => usize::MAX,
    }
}

/// What was offered of a stream in the windows of a start that count.
pub(crate) fn offered_in(start: &Start<'_>, stream: &str) -> Vec<Offered> {
    let windows = start.windows(Which::Gated).iter().flatten();
    windows.filter_map(|window| offered(window.measured, stream)).collect()
}

#[cfg(test)]
mod tests {
    use crate::made_up::{around, cell, raced, section};

    #[test]
    fn a_row_at_the_edge_keeps_its_times_and_says_what_it_carried_where_it_was_overloaded() {
        let contents = raced("mixed", &["work-stealing", "rayon-offload"], (6, 2), |wanted| {
            let mut measured = around(800);
            if wanted.entry.row.name == "rayon-offload" && wanted.start == 2 {
                measured.streams[0].answered_in_window = 400;
            }
            measured
        });
        let section = section(&contents);
        assert_eq!(
            section.notes,
            ["rayon-offload: overloaded in 1 of 6 starts, with 400 of 500/s of simple"]
        );
        assert_eq!(cell(&section, "rayon-offload", "p99, us"), "1,195 [1,195, 1,195]");
        assert_eq!(cell(&section, "rayon-offload", "place"), "1-2");
        assert_eq!(cell(&section, "rayon-offload", "answered"), "96.7%");
    }
}
