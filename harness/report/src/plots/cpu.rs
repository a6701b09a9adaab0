//! CPU time a request, in user mode and in the kernel.

use terminal::numbers::time;

use crate::{
    counts::{compared::cpu_per_request, kept::Line, value::Value},
    model::plot::{Bar, Cpu, Drawn},
};

use super::all::{All, Sketch, range};

/// What is known of where CPU time was used.
enum Split {
    /// Over the windows that count: the part in user mode.
    OfWindows(f64),
    /// Over the whole lives of its servers.
    OfLives(f64),
}

/// `None` where no row used any.
pub(super) fn of(all: &All<'_>) -> Option<Sketch> {
    let groups = all.by_tier(|row| bar(all, row));
    let bars = || groups.iter().flat_map(|group| &group.rows);
    let [low, high] = range(bars().map(|bar| bar.us)).filter(|[_, high]| *high > 0.0)?;
    let unsplit = bars().filter(|bar| bar.user_us.is_none()).count();
    let mut description = format!(
        "CPU time of each row's processes for one right answer, the median of its starts: between {} and {}. A bar is filled for user \
         time and hollow for time in the kernel, by the part of each over all windows that count.",
        time(low),
        time(high)
    );
    if unsplit > 0 {
        description.push_str(&format!(" Of {unsplit} rows nobody knows which is which."));
    }
    let drawn = Drawn::Cpu(Cpu { groups });
    Some(Sketch { title: "CPU time a request, user and system".to_owned(), description, drawn })
}

fn bar(all: &All<'_>, row: usize) -> Option<Bar> {
    let line = all.line(row);
    let us = Value::of_windows(&cpu_per_request(line))?.median.value;
    let split = split(line);
    let user_us = split.as_ref().map(|split| us * split.user());
    let said = match (&split, user_us) {
        (Some(split), Some(user_us)) => {
            let of = if matches!(split, Split::OfLives(_)) {
                ", split as over its servers' whole lives"
            } else {
                ""
            };
            format!("{}: user {}, system {}{of}", time(us), time(user_us), time(us - user_us))
        }
        _ => format!("{}, user and system not told apart", time(us)),
    };
    Some(Bar { label: all.label(row).to_owned(), said, us, user_us })
}

impl Split {
    fn user(&self) -> f64 {
        match self {
            Self::OfWindows(user) | Self::OfLives(user) => *user,
        }
    }
}

/// From the sums over all windows: each is cut to ticks of 10 ms, which is much of one window and little of many. Records without them
/// have what the kernel said of the servers' lives when they ended, the time between windows included.
fn split(line: &Line<'_>) -> Option<Split> {
    let modes = line.measured().filter_map(|measured| measured.accounts.row.modes);
    let of_windows = share(modes.map(|modes| [modes.user_ns, modes.system_ns]));
    let lives = line.starts.iter().filter_map(|start| start.server?.life);
    let of_lives = || share(lives.map(|life| [life.user_us, life.system_us]));
    of_windows.map(Split::OfWindows).or_else(|| of_lives().map(Split::OfLives))
}

/// The part of the first in the sum of both; `None` of nothing.
fn share(both: impl Iterator<Item = [u64; 2]>) -> Option<f64> {
    let [first, second] =
        both.fold([0.0, 0.0], |sums, [first, second]| [sums[0] + first as f64, sums[1] + second as f64]);
    (first + second > 0.0).then(|| first / (first + second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_sums_and_nothing_has_none() {
        assert_eq!(share([[30, 10], [0, 20]].into_iter()), Some(0.5));
        assert_eq!(share([[0, 0]].into_iter()), None);
        assert_eq!(share([[u64::MAX, 0], [u64::MAX, 0]].into_iter()), Some(1.0));
    }
}
