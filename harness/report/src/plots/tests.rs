use race::{
    fixtures::{closed_loop, of_streams, run::Wanted, stream},
    machine::tasks::Modes,
    records::{
        folder::Contents,
        window::{Measured, Verdict},
    },
};
use stats::{Histogram, Recorded};

use crate::{
    made_up::{around, disturbed, raced, repeat, section, window, windows},
    model::{
        Plot,
        plot::{Along, Cpu, Dot, Dots, Drawn, Percentiles, Windows},
    },
};

const ROWS: [&str; 2] = ["work-stealing", "rayon-offload"];

/// Two rows, one of them faster, and no two starts quite alike.
fn two(wanted: &Wanted<'_>) -> Measured {
    let us = if wanted.entry.row.name == ROWS[0] { 400 } else { 1_600 };
    around(us + ((3 * wanted.start + usize::from(wanted.entry.twin)) % 4) as u64 * us / 100)
}

fn plots(contents: &Contents) -> Vec<Plot> {
    section(contents).plots
}

/// What is drawn, by kind.
struct All {
    dots: Option<Dots>,
    percentiles: Option<Percentiles>,
    windows: Option<Windows>,
    cpu: Option<Cpu>,
    along: Option<Along>,
}

fn drawn(contents: &Contents) -> All {
    let mut all = All { dots: None, percentiles: None, windows: None, cpu: None, along: None };
    for plot in plots(contents) {
        match plot.drawn {
            Drawn::Dots(dots) => all.dots = Some(dots),
            Drawn::Percentiles(percentiles) => all.percentiles = Some(percentiles),
            Drawn::Windows(windows) => all.windows = Some(windows),
            Drawn::Cpu(cpu) => all.cpu = Some(cpu),
            Drawn::Along(along) => all.along = Some(along),
            Drawn::Around(_) | Drawn::Curve(_) => panic!("no scenario but an experiment or a ladder has it"),
        }
    }
    all
}

fn dot<'a>(dots: &'a Dots, label: &str) -> &'a Dot {
    let mut all = dots.groups.iter().flat_map(|group| &group.rows);
    all.find(|dot| dot.label == label).expect("it is drawn")
}

#[test]
fn a_scenario_has_five_pictures_and_each_says_what_it_is() {
    let plots = plots(&raced("mixed", &ROWS, (6, 2), |wanted| two(&wanted)));
    let ids: Vec<&str> = plots.iter().map(|plot| plot.id.as_str()).collect();
    assert_eq!(ids, ["dots", "percentiles", "windows", "cpu", "along"]);
    assert_eq!(plots[0].title, "simple p99, by row");
    assert!(
        plots[0].description.contains("Best of the controlled rows is work-stealing, with 6"),
        "{plots:?}"
    );
    assert!(plots.iter().all(|plot| plot.description.len() > 80 && plot.description.ends_with('.')));
}

#[test]
fn a_dot_has_its_interval_and_place_and_chance_is_drawn_around_the_best() {
    let dots = drawn(&raced("mixed", &ROWS, (6, 2), |wanted| two(&wanted))).dots.unwrap();
    let best = dot(&dots, "work-stealing").estimate.unwrap();
    let [low, high] = best.interval.unwrap();
    assert!((590.0..620.0).contains(&low) && low < best.value && best.value < high, "{best:?}");
    let band = dots.band.as_ref().unwrap();
    assert!(band.low < best.value && best.value < band.high && band.high < 1.1 * best.value, "{band:?}");
    assert!(band.meaning.ends_with("drawn around work-stealing"));
    let places = ROWS.map(|label| dot(&dots, label).place.clone());
    assert_eq!(places, [Some("1".to_owned()), Some("2".to_owned())]);
    assert!(!dots.is_log);
    // The second server of the row is what the band is made from, and not a row of its own.
    assert_eq!(dots.groups.iter().map(|group| group.rows.len()).sum::<usize>(), 2);
}

#[test]
fn what_cannot_be_drawn_is_said_in_its_place() {
    let contents = raced("mixed", &ROWS, (6, 2), |wanted| {
        let mut measured = two(&wanted);
        if wanted.entry.row.name == ROWS[0] {
            measured.streams[0].answered_in_window = 65;
        }
        measured
    });
    let all = drawn(&contents);
    let dots = all.dots.unwrap();
    let overloaded = dot(&dots, "work-stealing");
    assert_eq!((overloaded.said.as_str(), overloaded.estimate), ("overloaded: 65 of 500/s of simple", None));
    // Its times are how long it was loaded, so that it has no line; what happened along the run is shown and explained.
    let percentiles = all.percentiles.unwrap();
    assert_eq!(percentiles.lines.len(), 1);
    assert_eq!(percentiles.note.as_deref(), Some("Not drawn, since overloaded: work-stealing."));
    let windows = all.windows.unwrap();
    assert_eq!(windows.rows[1].note.as_deref(), Some("overloaded: 65 of 500/s of simple"));
}

#[test]
fn a_bound_is_one_in_the_picture() {
    let contents = raced("mixed", &ROWS, (6, 2), |wanted| {
        let mut measured = two(&wanted);
        if wanted.entry.row.name == ROWS[1] {
            let simple = &mut measured.streams[0];
            let mut given_up = Histogram::new();
            (0..10).for_each(|ms| given_up.record_ns(1_000_000_000 + ms * 1_000_000));
            (simple.unanswered, simple.censored) = (Recorded::of(&given_up), 10);
        }
        measured
    });
    let all = drawn(&contents);
    let dots = all.dots.unwrap();
    let bound = dot(&dots, "rayon-offload");
    let estimate = bound.estimate.unwrap();
    assert!(estimate.is_bound && estimate.is_open && bound.said.starts_with("> 1 s"), "{bound:?}");
    assert!(dots.is_log);
    let percentiles = all.percentiles.unwrap();
    let line = percentiles.lines.iter().find(|line| line.label == "rayon-offload").unwrap();
    assert!(line.is_open && line.points.last().unwrap().us < 10_000.0, "{line:?}");
}

#[test]
fn a_closed_loop_is_shown_by_rates_and_its_lower_bounds_are_told() {
    let mut contents = raced("simple-throughput", &ROWS, (6, 2), |wanted| {
        let mut closed = two(&wanted);
        closed.streams[0].offered_per_second = None;
        closed.closed_loop = Some(closed_loop(64, 40.0, 23.9));
        closed
    });
    for window in windows(&mut contents).filter(|window| window.row == ROWS[0]) {
        window.verdict = Verdict::Valid { generator_bound: true };
    }
    let all = drawn(&contents);
    let dots = all.dots.unwrap();
    assert!(
        dot(&dots, ROWS[0]).estimate.unwrap().is_bound && !dot(&dots, ROWS[1]).estimate.unwrap().is_bound
    );
    assert_eq!(all.along.unwrap().percentile, "p50");
}

#[test]
fn percentiles_ascend_and_end_ten_requests_before_the_last() {
    let percentiles = drawn(&raced("mixed", &ROWS, (6, 2), |wanted| two(&wanted))).percentiles.unwrap();
    for line in &percentiles.lines {
        assert!(line.points.is_sorted_by(|a, b| a.nines < b.nines && a.us <= b.us), "{line:?}");
        // Of 12 windows of 500 requests, p99.8 is the last that ten exceed.
        assert_eq!(line.points.last().unwrap().nines, 2.7);
        assert!(line.said.starts_with("p50 ") && line.said.contains(", p99 "), "{}", line.said);
    }
}

#[test]
fn windows_that_do_not_count_are_shown_and_marked() {
    let mut contents = raced("mixed", &ROWS, (6, 2), |wanted| two(&wanted));
    window(&mut contents, ROWS[0], 1, 0).measured = Some(disturbed(8_000));
    repeat(&mut contents, ROWS[0], (1, 0), around(400));
    window(&mut contents, ROWS[0], 2, 1).measured = None;
    let all = drawn(&contents);
    let windows = all.windows.unwrap();
    let of_row = &windows.rows[0];
    assert_eq!(of_row.label, ROWS[0]);
    let counts: Vec<Vec<bool>> = of_row
        .starts
        .iter()
        .map(|start| start.windows.iter().map(|window| window.counts).collect())
        .collect();
    assert_eq!(counts[0], [true, true]);
    assert_eq!((counts[1].iter().filter(|counts| **counts).count(), counts[1].len()), (2, 3));
    assert_eq!(counts[2], [true, false]);
    assert!(of_row.starts[1].windows.iter().all(|window| window.levels.iter().any(|level| *level > 0)));
    assert!(of_row.starts[2].windows[1].levels.is_empty());
    assert!(of_row.starts[2].said.starts_with("1 of 2 kept, p50 "), "{}", of_row.starts[2].said);
    // The start in which a row was measured once more is wider for all rows.
    assert_eq!(windows.starts.iter().map(|start| start.windows).collect::<Vec<_>>(), [2, 3, 2, 2, 2, 2]);
    let along = all.along.unwrap();
    let pairs: Vec<_> = along.rows[0].starts.iter().flat_map(|start| &start.windows).collect();
    assert_eq!(pairs.iter().filter(|pair| !pair.counts).count(), 2);
    assert!(pairs.iter().any(|pair| pair.rate.is_none() && pair.us.is_none()));
    assert!(pairs.iter().filter_map(|pair| pair.rate).all(|rate| (rate - 1.0).abs() < 0.01));
}

fn split(contents: &Contents, label: &str) -> (Option<f64>, String) {
    let cpu = drawn(contents).cpu.unwrap();
    let bar = cpu.groups.iter().flat_map(|group| &group.rows).find(|bar| bar.label == label).unwrap();
    (bar.user_us.map(|user_us| (100.0 * user_us / bar.us).round()), bar.said.clone())
}

#[test]
fn cpu_time_is_split_by_what_windows_say_or_servers_lives_or_not_at_all() {
    let mut contents = raced("mixed", &ROWS, (6, 2), |wanted| two(&wanted));
    assert_eq!(split(&contents, ROWS[0]), (None, "10 us, user and system not told apart".to_owned()));
    let servers = contents.measurements.complete.iter_mut().flat_map(|start| &mut start.servers);
    let life = serde_json::json!({
        "user_us": 250_000, "system_us": 750_000, "peak_rss_kib": 0, "voluntary_switches": 0, "involuntary_switches": 0
    });
    servers.for_each(|server| server.life = serde_json::from_value(life.clone()).unwrap());
    let (user, said) = split(&contents, ROWS[0]);
    assert_eq!(user, Some(25.0));
    assert!(said.ends_with("split as over its servers' whole lives"), "{said}");
    for (at, window) in windows(&mut contents).enumerate() {
        // Cut to ticks, as the kernel does: one window says nothing, and their sum does.
        let ticks = |every: usize| if at % every == 0 { 10_000_000 } else { 0 };
        let used = &mut window.measured.as_mut().unwrap().accounts.row;
        used.modes = Some(Modes { user_ns: 30_000_000 + ticks(2), system_ns: 10_000_000 + ticks(3) });
    }
    let (user, said) = split(&contents, ROWS[0]);
    assert!(user.is_some_and(|user| (68.0..78.0).contains(&user)), "{user:?}");
    assert!(said.starts_with("10 us: user 7") && !said.contains("lives"), "{said}");
}

#[test]
fn a_row_alone_and_a_start_alone_have_pictures_without_places_or_bands() {
    let all = drawn(&raced("mixed", &ROWS[..1], (1, 2), |wanted| two(&wanted)));
    let dots = all.dots.unwrap();
    let only = dot(&dots, ROWS[0]);
    assert_eq!((only.place.as_deref(), only.estimate.unwrap().interval), (None, None));
    assert!(dots.band.is_none());
    assert!(all.percentiles.is_some() && all.windows.is_some() && all.cpu.is_some() && all.along.is_some());
}

#[test]
fn what_would_show_nothing_is_left_out() {
    let mut nothing = raced("mixed", &ROWS, (6, 2), |wanted| two(&wanted));
    nothing.measurements.complete.clear();
    assert!(plots(&nothing).is_empty());

    let mut failed = raced("mixed", &ROWS, (6, 2), |wanted| two(&wanted));
    windows(&mut failed).for_each(|window| window.measured = None);
    assert!(plots(&failed).is_empty());

    let overloaded = raced("mixed", &ROWS, (6, 2), |wanted| {
        let mut measured = two(&wanted);
        measured.streams[0].answered_in_window = 65;
        measured
    });
    let all = drawn(&overloaded);
    assert!(all.dots.is_none() && all.percentiles.is_none());
    assert!(all.windows.is_some() && all.along.is_some());

    let zero = raced("mixed", &ROWS, (6, 2), |wanted| {
        let mut measured = of_streams(1.0, vec![stream("simple", 1.0, &[])]);
        measured.window_s = wanted.start as f64;
        measured
    });
    assert!(plots(&zero).is_empty(), "{:?}", plots(&zero));
}
