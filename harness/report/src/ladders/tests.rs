//! Ladders of queues whose response times have a closed form: what is printed of them is what it says.

use race::{
    fixtures::run::scenario,
    plan::{objective::Objective, own_load::OwnLoad, scenario::Scenario},
    records::folder::Contents,
};

use crate::{
    made_up::{cell, climbed, disturbed, of_curve, section, window, windows},
    model::{
        Section,
        plot::{Curve, Drawn},
    },
};

fn objective(text: &str) -> Option<Objective> {
    Some(text.parse().unwrap())
}

fn curve(wanted: &str) -> Scenario {
    Scenario { objective: objective(wanted), ..scenario("curve", 1) }
}

/// 500 requests a second, and at 0.5, 1.4 and 2 times that.
fn own(wanted: &str) -> Scenario {
    let own = OwnLoad {
        line: "simple=500/s".parse().unwrap(),
        objective: objective(wanted),
        connections: None,
        requests_per_connection: None,
        bursts: None,
    };
    own.scenario(2).unwrap()
}

fn of_own(step: usize) -> f64 {
    [250.0, 500.0, 700.0, 1_000.0][step]
}

const THREE: [(&str, f64); 3] =
    [("work-stealing", 2_000.0), ("rayon-offload", 800.0), ("thread-per-core", 120.0)];

/// The value of a number that is printed with its interval.
fn number(text: &str) -> f64 {
    text.split(' ').next().unwrap().replace(',', "").parse().unwrap_or_else(|_| panic!("{text}"))
}

fn curves(section: &Section) -> Vec<&Curve> {
    let plots = section.plots.iter();
    plots.filter_map(|plot| if let Drawn::Curve(curve) = &plot.drawn { Some(curve) } else { None }).collect()
}

#[test]
fn the_rate_up_to_which_a_queue_holds_its_p99_is_that_of_its_closed_form() {
    // mu - ln(100) / T: 1,770, which is beyond the ladder, 570, and less than nothing.
    let contents = climbed(curve("p99<20ms"), &THREE, of_curve);
    let section = section(&contents);
    let capacity = |row: &str| cell(&section, row, "up to simple/s");
    assert_eq!(capacity("work-stealing"), "beyond the ladder");
    assert!((number(&capacity("rayon-offload")) / 570.0 - 1.0).abs() < 0.03, "{}", capacity("rayon-offload"));
    assert_eq!(capacity("thread-per-core"), "not at any rate");
    assert!(
        section.answer.starts_with("simple p99<20ms holds beyond the ladder with work-stealing; up to 5"),
        "{}",
        section.answer
    );
    assert!(
        section.answer.ends_with("(rayon-offload); not at any rate with thread-per-core."),
        "{}",
        section.answer
    );
    assert!(section.figures.is_none(), "no rows are compared where there is no load of its own");
}

#[test]
fn latency_against_throughput_has_a_table_and_pictures_and_an_overloaded_step_has_no_time() {
    let contents = climbed(curve("p99<20ms"), &THREE, of_curve);
    let section = section(&contents);
    // At 100/s, the first step: ln(100) / 1,900.
    let first = number(&cell(&section, "work-stealing", "100/s"));
    let unit =
        if section.tables().any(|table| table.caption.contains("of simple in ms")) { 1e3 } else { 1e6 };
    assert!((first / unit * 1_900.0 / 100_f64.ln() - 1.0).abs() < 0.03, "{first}");
    assert_eq!(cell(&section, "rayon-offload", "1,000/s"), "overloaded");
    let [p50, p99] = curves(&section)[..] else { panic!("{:?}", section.plots) };
    assert_eq!((p50.percentile.as_str(), p99.percentile.as_str()), ("p50", "p99"));
    assert_eq!((p50.objective_us, p99.objective_us), (None, Some(20_000.0)));
    let line = |row: &str| p99.lines.iter().find(|line| line.label == row).unwrap();
    let offload = line("rayon-offload");
    // The last of eight steps, at 1,000/s, is beyond its 800.
    assert!(offload.is_open && offload.points.len() == 7 && !line("work-stealing").is_open);
    assert!(offload.points.is_sorted_by(|a, b| a.per_second < b.per_second && a.us.value < b.us.value));
    let curve = section.tables().find(|table| table.id == "curve").unwrap();
    assert_eq!(curve.lines().count(), 3 * 8);
}

#[test]
fn windows_of_every_round_of_a_step_are_told_what_they_were_dropped_for() {
    let mut contents = climbed(own("simple p99<20ms"), &THREE, of_own);
    // The three rounds at the load as it was said, of one start; and one round at another step, which is not asked about.
    for round in [1, 2, 3, 5] {
        window(&mut contents, "work-stealing", 1, round).measured = Some(disturbed(8_000));
    }
    assert_eq!(cell(&section(&contents), "work-stealing", "dropped for"), "foreign 3");
}

#[test]
fn of_an_own_load_it_is_said_who_holds_the_objective_and_how_much_more_of_it_each_could_take() {
    let queues = [("work-stealing", 2_000.0), ("rayon-offload", 800.0), ("thread-per-core", 520.0)];
    let contents = climbed(own("simple p99<20ms"), &queues, of_own);
    let section = section(&contents);
    let of = |heading: &str| queues.map(|(row, _)| cell(&section, row, heading));
    assert_eq!(of("holds"), ["yes", "yes", "no"]);
    let [ahead, held, not] = of("times the load");
    assert_eq!(ahead, "beyond the ladder");
    assert!((number(&held) / (570.0 / 500.0) - 1.0).abs() < 0.03, "{held}");
    // It carries 290/s of it: 0.58 times.
    assert!((number(&not) / 0.58 - 1.0).abs() < 0.03, "{not}");
    let said = &section.answer;
    let begins = "2 of 3 rows hold simple p99<20ms under this load: work-stealing (beyond the ladder) and rayon-offload (up to 1.1";
    assert!(said.starts_with(begins) && said.contains("; not thread-per-core ("), "{said}");
    // Beside that, rows are compared under the load as it was said, as under any other.
    assert!(section.figures.is_some() && section.tables().any(|table| table.id == "times-simple"));
}

#[test]
fn an_objective_that_no_row_holds_is_said_so() {
    let contents = climbed(own("simple p99<1ms"), &THREE, of_own);
    let said = section(&contents).answer;
    assert!(said.starts_with("No row holds simple p99<1ms under this load; not work-stealing (3"), "{said}");
    let along = climbed(curve("simple p99<1ms"), &THREE, of_curve);
    assert_eq!(section(&along).answer, "No row holds simple p99<1ms at any rate of the ladder.");
}

#[test]
fn an_objective_of_a_load_without_a_ladder_is_held_or_not() {
    let scenario = Scenario { objective: objective("simple p99<20ms"), ..scenario("simple-latency", 2) };
    let contents = climbed(scenario, &THREE[..2], |_| 500.0);
    let section = section(&contents);
    assert_eq!(cell(&section, "work-stealing", "holds"), "yes");
    assert!(
        section.answer.starts_with("2 of 2 rows hold simple p99<20ms under this load: "),
        "{}",
        section.answer
    );
    assert!(curves(&section).is_empty());
    assert!(section.tables().all(|table| table.column("capacity_per_s").is_none()));
}

/// Without the windows of `row` at `step` in the first three starts.
fn without(contents: &mut Contents, row: &str, step: usize) {
    for window in
        windows(contents).filter(|window| window.row == row && window.round == step && window.start < 3)
    {
        let accounts = &mut window.measured.as_mut().unwrap().accounts;
        accounts.shares.foreign_ns = accounts.stretch_ns / 10;
    }
}

#[test]
fn a_step_that_the_gate_drops_is_passed_over_and_an_end_that_it_drops_leaves_the_start_out() {
    let mut contents = climbed(curve("p99<20ms"), &THREE, of_curve);
    without(&mut contents, "rayon-offload", 3);
    without(&mut contents, "work-stealing", 7);
    let section = section(&contents);
    let held = cell(&section, "rayon-offload", "up to simple/s");
    assert!((number(&held) / 570.0 - 1.0).abs() < 0.03, "{held}");
    // Three starts are no interval.
    assert_eq!(cell(&section, "work-stealing", "up to simple/s"), "beyond the ladder");
}
