use std::collections::{BTreeMap, BTreeSet};

use race::{
    fixtures::{
        of_streams, row,
        run::{Wanted, run, scenario},
        spread, stream,
    },
    machine::tasks::Modes,
    records::{folder::Contents, window::Measured},
    registry::{Row, Tier},
};
use roxmltree::{Document, Node};

use crate::{
    made_up::{climbed, disturbed, experimented, of_curve, section, supervised, window},
    model::{Plot, plot::Around},
};

use super::*;

/// A window in which most requests took about `us` and some longer, as they do.
fn tailed(us: u64, count: u64) -> Measured {
    let mut times = spread(us, count);
    for (at, time) in times.iter_mut().enumerate() {
        *time *= if at % 97 == 0 {
            6
        } else if at % 23 == 0 {
            2
        } else {
            1
        };
    }
    let mut measured = of_streams(0.25, vec![stream("simple", 0.25, &times)]);
    let used_ns = measured.accounts.row.cpu_ns;
    measured.accounts.row.modes = Some(Modes { user_ns: used_ns / 3, system_ns: used_ns - used_ns / 3 });
    measured
}

/// No two windows are quite alike.
fn varied(wanted: &Wanted<'_>, count: u64) -> Measured {
    let by_name: u64 = wanted.entry.row.name.bytes().map(u64::from).sum::<u64>() % 13;
    let by_chance = ((7 * wanted.start + 5 * wanted.round + 3 * usize::from(wanted.entry.twin)) % 11) as u64;
    tailed((100 + 60 * by_name) * (100 + by_chance) / 100, count)
}

/// Rows of several tiers, one of them overloaded, and one window that does not count.
fn contents() -> Contents {
    let tiered = |name: &str, tier: Tier| Row { tier, ..row(name) };
    let rows = vec![
        row("work-stealing"),
        row("rayon-offload"),
        row("single-thread"),
        tiered("hyper-native", Tier::Native),
    ];
    let mut contents = run(rows, vec![scenario("mixed", 2)], 6, |wanted| {
        let mut measured = varied(&wanted, 500);
        if wanted.entry.row.name == "single-thread" {
            measured.streams[0].answered_in_window = 130;
        }
        measured
    });
    window(&mut contents, "rayon-offload", 2, 1).measured = Some(disturbed(8_000));
    contents
}

fn of_names(names: &[String]) -> Contents {
    let rows = names.iter().map(|name| row(name)).collect();
    run(rows, vec![scenario("mixed", 2)], 6, |wanted| varied(&wanted, 500))
}

fn hostile() -> Vec<String> {
    let names = [
        "<script>alert('1')</script>",
        "\"quoted\" & 'apostrophed' ]]> %s %00 | pipe",
        "\u{5d0}\u{5d1}\u{5d2} \u{202e}gnp.exe",
        "a\u{0}b\u{1b}[31mc\u{85}d\u{fffe}e\nf",
        "\u{6f22}\u{5b57}\u{1f600}",
        "",
    ];
    let long = "x".repeat(200);
    names.into_iter().map(str::to_owned).chain([long]).collect()
}

fn plots(contents: &Contents) -> Vec<Plot> {
    section(contents).plots
}

/// An experiment of these rows, in the first of which nothing is replaced, and its picture.
fn around(rows: Vec<Row>) -> Vec<Plot> {
    let first = rows[0].name.clone();
    let contents = experimented("crash", rows, 6, |record| {
        for event in record.events.iter_mut().filter(|event| event.of.row == first && event.number % 2 == 0) {
            let count = event.slices.due.len();
            event.slices.answered[50..].copy_from_slice(&vec![15; count - 50]);
            event.slices.max_us[50..52].fill(0);
            event.slices.max_us[60..70].fill(40_000 + 1_000 * event.number as u64);
        }
    });
    plots(&contents)
}

/// One of each kind.
/// A row that carries the whole ladder, and one that does not.
fn curve() -> Contents {
    climbed(scenario("curve", 1), &[("work-stealing", 2_000.0), ("rayon-offload", 800.0)], of_curve)
}

fn each_kind() -> Vec<Plot> {
    let mut all = plots(&contents());
    all.extend(around(supervised()));
    all.extend(plots(&curve()));
    all
}

#[test]
fn each_kind_of_picture_is_drawn_as_it_was() {
    for plot in each_kind() {
        insta::with_settings!({ omit_expression => true }, {
            // A line each element, so that a difference is found.
            let text = standalone(&plot).replace(STYLE, "(the style)").replace("><", ">\n<");
            insta::assert_snapshot!(format!("svg_{}", plot.id), text);
        });
    }
}

#[test]
fn the_same_records_give_the_same_bytes() {
    let texts = || each_kind().iter().map(standalone).collect::<Vec<_>>();
    assert_eq!(texts(), texts());
}

#[test]
fn whatever_rows_are_called_every_picture_is_xml_and_nothing_of_a_name_is_obeyed() {
    let names = hostile();
    let mut plots = plots(&of_names(&names));
    let supervised = &supervised()[0];
    plots.extend(around(names.iter().map(|name| Row { name: name.clone(), ..supervised.clone() }).collect()));
    assert_eq!(plots.len(), 6);
    for plot in &plots {
        let text = standalone(plot);
        let document = Document::parse(&text).unwrap_or_else(|error| panic!("{}: {error}\n{text}", plot.id));
        let known = ["svg", "title", "desc", "style", "g", "text", "path", "rect", "circle"];
        for node in document.descendants().filter(Node::is_element) {
            assert!(known.contains(&node.tag_name().name()), "{}: {}", plot.id, node.tag_name().name());
            assert!(node.attributes().all(|it| it.name() != "style" && !it.name().starts_with("on")));
        }
        let has_title = |wanted: &str| {
            let mut titles = document
                .descendants()
                .filter(|node| node.has_tag_name("title") || node.tag_name().name() == "title");
            titles.any(|title| title.text().is_some_and(|text| text.contains(wanted)))
        };
        assert!(has_title("<script>alert('1')</script>"), "{}", plot.id);
        // What is shortened beside the picture is whole in a title.
        assert!(has_title(&"x".repeat(200)), "{}", plot.id);
        assert!(!text.contains('\u{202e}') && !text.contains('\u{1b}'), "{}", plot.id);
        let longest = document
            .descendants()
            .filter(|node| node.tag_name().name() == "text")
            .filter_map(|node| Some(node.text()?.chars().count()))
            .max();
        assert!(longest.is_some_and(|longest| longest <= 125), "{}: {longest:?}", plot.id);
    }
}

#[test]
fn a_picture_in_a_page_names_and_describes_itself_by_identifiers_that_are_its_own() {
    let mut seen = BTreeSet::new();
    for plot in each_kind() {
        let text = inline(&plot).into_string();
        let document = Document::parse(&text).unwrap();
        let root = document.root_element();
        assert_eq!(root.attribute("role"), Some("img"));
        assert!(!text.contains("<style") && !text.contains(" style="));
        let by_id: BTreeMap<&str, &str> = document
            .descendants()
            .filter_map(|node| Some((node.attribute("id")?, node.text().unwrap_or_default())))
            .collect();
        let named: Vec<&str> = root.attribute("aria-labelledby").unwrap().split(' ').collect();
        let texts: Vec<&str> = named.iter().map(|id| by_id[id]).collect();
        assert_eq!(texts, [plot.title.as_str(), plot.description.as_str()]);
        for id in by_id.keys() {
            assert!(id.starts_with(&plot.id) && seen.insert((*id).to_owned()), "{id} occurs twice");
        }
    }
}

/// Whether a title is said of a mark: its own, or that of something around it. Of the grid and of what is under a title of its own, nothing
/// is said.
fn has_title(node: Node<'_, '_>) -> bool {
    node.ancestors().take_while(|around| around.tag_name().name() != "svg").any(|around| {
        around.children().any(|child| child.tag_name().name() == "title")
            // Strips have one over all marks of a start.
            || around.descendants().any(|inner| inner.attribute("class") == Some("t"))
    })
}

#[test]
fn every_mark_has_a_title() {
    const MARKS: [&str; 16] =
        ["m", "o", "w", "bar", "hollow", "band", "l", "q", "p", "y", "h1", "h2", "h3", "h4", "r", "bandedge"];
    for plot in each_kind() {
        let text = inline(&plot).into_string();
        let document = Document::parse(&text).unwrap();
        let is_mark =
            |node: &Node<'_, '_>| node.attribute("class").is_some_and(|class| MARKS.contains(&class));
        let marks: Vec<Node<'_, '_>> = document.descendants().filter(is_mark).collect();
        // Samples in a legend have words beside them.
        let without = marks.iter().filter(|mark| !has_title(**mark)).count();
        assert!(marks.len() > 3 && without <= 2, "{}: {without} of {} without", plot.id, marks.len());
    }
}

#[test]
fn thirty_rows_take_no_more_than_a_hundred_and_thirty_kibibytes() {
    let names: Vec<String> = (0..30).map(|at| format!("thread-per-core-{at}")).collect();
    let rows = names.iter().map(|name| row(name)).collect();
    let contents = run(rows, vec![scenario("mixed", 4)], 8, |wanted| varied(&wanted, 1_000));
    let sizes: Vec<(String, usize)> =
        plots(&contents).iter().map(|plot| (plot.id.clone(), inline(plot).into_string().len())).collect();
    let all: usize = sizes.iter().map(|(_, size)| size).sum();
    assert!(all <= 130 << 10, "{all}: {sizes:?}");
}

#[test]
fn a_row_around_its_events_takes_no_more_than_ten_kibibytes() {
    let contents = experimented("crash", supervised(), 6, |record| {
        for event in &mut record.events {
            let by_chance = |at: usize| ((at * 31 + event.number * 17) % 101) as u32;
            for at in 0..event.slices.due.len() {
                event.slices.answered[at] = 20 + by_chance(at) / 8;
                event.slices.max_us[at] = 1_000 + 100 * u64::from(by_chance(at * 7));
            }
        }
    });
    let [plot] = &plots(&contents)[..] else { panic!("one picture") };
    let size = inline(plot).into_string().len();
    let Drawn::Around(around) = &plot.drawn else { panic!("{}", plot.id) };
    assert!(size <= (10 << 10) * around.rows.len(), "{size} for {} rows", around.rows.len());
}

fn absurd(around: &mut Around) {
    around.from_ms = f64::NEG_INFINITY;
    let rate = around.rows[0].rate[40].as_mut().unwrap();
    (rate.low, rate.middle, rate.high) = (f64::NAN, f64::MAX, -1.0);
    around.rows[0].longest_us[40].as_mut().unwrap().high = f64::INFINITY;
    around.rows[1].failed = vec![u64::MAX; 3];
    around.rows[1].rate.clear();
}

#[test]
fn what_is_edited_to_be_absurd_is_drawn_within_the_picture() {
    let mut plots = each_kind();
    for plot in &mut plots {
        match &mut plot.drawn {
            Drawn::Dots(dots) => {
                let dots = dots.groups.iter_mut().flat_map(|group| &mut group.rows);
                let estimates = dots.filter_map(|dot| dot.estimate.as_mut());
                for (estimate, value) in estimates.zip([f64::NAN, f64::MAX, -1.0]) {
                    estimate.value = value;
                }
            }
            Drawn::Percentiles(percentiles) => percentiles.lines[0].points[0].us = f64::MAX,
            Drawn::Windows(windows) => windows.starts.clear(),
            Drawn::Cpu(cpu) => cpu.groups[0].rows[0].us = f64::MAX,
            Drawn::Along(along) => along.rows[0].starts[0].windows[0].us = Some(f64::NAN),
            Drawn::Around(around) => absurd(around),
            Drawn::Curve(curve) => {
                curve.objective_us = Some(f64::NAN);
                curve.lines[0].points[0].us.value = f64::MAX;
                curve.lines[0].points[0].per_second = f64::INFINITY;
                curve.lines[0].points[0].us.interval = Some([f64::NAN, -1.0]);
                curve.lines[1].points.clear();
            }
        }
        let text = standalone(plot);
        Document::parse(&text).unwrap();
        assert!(!text.contains("NaN") && !text.contains("inf "), "{text}");
    }
}

/// By the name of each colour, its values in the order in which the sheet has them: on a light ground, on a dark one, forced.
fn colours() -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut colours: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let declared = STYLE.split("--plot-").filter_map(|part| part.split_once(':'));
    for (name, rest) in declared.filter(|(name, _)| name.chars().all(char::is_alphanumeric)) {
        let value = rest.split([';', '}', '\n']).next().unwrap_or_default();
        // Not where one is set to another.
        if !value.starts_with("var(") {
            colours.entry(name).or_default().push(value);
        }
    }
    colours
}

/// Relative luminance (WCAG 2.2).
fn luminance(colour: &str) -> f64 {
    let digits = colour.trim_start_matches('#');
    let digits =
        if digits.len() == 3 { digits.chars().flat_map(|it| [it, it]).collect() } else { digits.to_owned() };
    let channel = |at: usize| {
        let value = f64::from(u8::from_str_radix(&digits[at..at + 2], 16).unwrap()) / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * channel(0) + 0.7152 * channel(2) + 0.0722 * channel(4)
}

fn contrast(one: &str, other: &str) -> f64 {
    let [low, high] = {
        let (a, b) = (luminance(one), luminance(other));
        [a.min(b), a.max(b)]
    };
    (high + 0.05) / (low + 0.05)
}

#[test]
fn colours_stand_out_from_either_ground_and_shades_from_each_other() {
    let colours = colours();
    for scheme in [0, 1] {
        let ground = colours["ground"][scheme];
        for name in ["mark", "edge", "c0", "c1", "c2", "c3", "c4", "c5", "h1"] {
            let found = contrast(colours[name][scheme], ground);
            assert!(found >= 3.0, "{name} in scheme {scheme}: {found:.2}");
        }
        for name in ["ink", "soft"] {
            // As text, which asks for more; on the band as well.
            for behind in [ground, colours["band"][scheme]] {
                let found = contrast(colours[name][scheme], behind);
                assert!(found >= 4.5, "{name} in scheme {scheme}: {found:.2}");
            }
        }
        let found = contrast(colours["mark"][scheme], colours["band"][scheme]);
        assert!(found >= 3.0, "a mark on the band in scheme {scheme}: {found:.2}");
        for two in ["h1", "h2", "h3", "h4"].windows(2) {
            let found = contrast(colours[two[0]][scheme], colours[two[1]][scheme]);
            assert!(found >= 1.4, "{two:?} in scheme {scheme}: {found:.2}");
        }
    }
    assert!(colours.values().all(|values| values.len() == 3 && !values[2].starts_with('#')), "{colours:?}");
}
