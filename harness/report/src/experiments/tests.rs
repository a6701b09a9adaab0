use race::{
    fixtures::run::write,
    plan::experiment::EventKind,
    programs::prerequisites::Skipped,
    records::{
        experiment::{ExperimentRecord, PassName, RestartedBy},
        folder::{Contents, Failure},
        window::Verdict,
    },
    registry::Reload,
};

use crate::{
    made_up::{experimented, section, supervised},
    model::{Section, plot::Drawn},
    render::text::{Look, text},
};

const MS: u64 = 1_000_000;

/// Events that take a little longer one by one, of a pass that nothing else failed in.
fn varied(record: &mut ExperimentRecord) {
    let mut failed = 0;
    for event in &mut record.events {
        for time in [&mut event.replaced_ns, &mut event.done_ns] {
            *time = time.map(|ns| ns + event.number as u64 * MS);
        }
        failed += event.requests_failed();
    }
    let stream = &mut record.pass.measured.as_mut().unwrap().streams[0];
    (stream.due, stream.right) = (1_020_000, 1_020_000 - failed);
    if failed > 0 {
        stream.errors.insert("reset".to_owned(), failed);
    }
    record.pass.reset = record.events.iter().map(|event| event.reset).sum();
}

/// As [`varied`], with nothing lost.
fn lossless(record: &mut ExperimentRecord) {
    for event in &mut record.events {
        event.failed.clear();
        event.reset = 0;
        event.slices.errors.fill(0);
    }
    varied(record);
}

fn crash() -> Contents {
    experimented("crash", supervised(), 10, varied)
}

/// A run of both experiments and of nothing else.
fn both() -> Contents {
    let mut contents = experimented("reload", supervised(), 100, lossless);
    let crash = crash();
    contents.run.plan.scenarios.extend(crash.run.plan.scenarios);
    contents.measurements.experiments.extend(crash.measurements.experiments);
    contents
}

/// The cell of a row and fault under the column `key` of table `table`.
fn cell(section: &Section, table: &str, of: [&str; 2], key: &str) -> String {
    let table = section.tables().find(|it| it.id == table).unwrap();
    let at = table.column(key).unwrap_or_else(|| panic!("no column {key}"));
    let is_it =
        |cells: &[crate::model::Cell]| cells[0].text == of[0] && (of[1].is_empty() || cells[1].text == of[1]);
    let (_, cells) =
        table.lines().find(|(_, cells)| is_it(cells)).unwrap_or_else(|| panic!("no line {of:?}"));
    cells[at].whole_text()
}

#[test]
fn a_crash_is_answered_first_in_a_sentence_for_each_thing_that_happens() {
    assert_eq!(
        section(&crash()).answer,
        "SIGKILL of a worker: fork-per-core failed 30 of 102,000 requests (0.029%) in 10 crashes, and a new process answered after 24.5 ms \
         (median; worst 29 ms); node-cluster failed 30 of 1,020,000 requests (0.0029%) in 10 crashes, its rate back after 20 ms (median and worst); pm2 failed 30 of \
         1,020,000 requests (0.0029%) in 10 crashes, its rate back after 20 ms (median and worst). A panic: work-stealing lost no process; fork-per-core replaced what ended. An abort or a stack overflow: \
         fork-per-core replaced what ended; work-stealing ended as a whole, and nobody but the harness restarted it."
    );
}

#[test]
fn none_of_many_requests_is_said_with_the_share_that_it_is_below() {
    let section = section(&experimented("reload", supervised(), 100, lossless));
    assert!(
        section.answer.starts_with(
            "Reload: fork-per-core failed 0 of 1,020,000 requests (below 0.00029% at 95%) in 100 reloads, each done after 310 ms (median; \
             worst 359 ms); pm2 failed 0 of"
        ),
        "{}",
        section.answer
    );
    assert_eq!(cell(&section, "events", ["fork-per-core", ""], "events_with_failures_share"), "0 [below 3%]");
    assert_eq!(cell(&section, "owes", ["fork-per-core", "reload"], "lost"), "nothing");
}

#[test]
fn every_figure_of_a_row_is_that_of_its_events() {
    let section = section(&crash());
    let of = |row: &str, fault: &str, key: &str| cell(&section, "events", [row, fault], key);
    let killed = |key: &str| of("fork-per-core", "kill", key);
    let took = |key: &str| cell(&section, "times", ["fork-per-core", "kill"], key);
    assert_eq!(killed("events"), "10");
    // 30 in each slice of the 3.4 s from one event to the next.
    assert_eq!((killed("requests"), killed("failed")), ("102,000".to_owned(), "30".to_owned()));
    assert_eq!((killed("failed_by_kind"), killed("resets")), ("reset 30".to_owned(), "20".to_owned()));
    assert_eq!(killed("events_with_failures_share"), "10 [69%, 100%]");
    assert_eq!(
        (took("replaced_us"), took("replaced_worst_us")),
        ("24.5 [21.0, 28.0]".to_owned(), "29.0".to_owned())
    );
    assert_eq!(
        (took("rate_back_us"), took("latency_back_us")),
        ("20 [20, 20]".to_owned(), "20 [20, 20]".to_owned())
    );
    assert_eq!(
        (took("longest_us"), took("longest_worst_us")),
        ("25.0 [25.0, 25.0]".to_owned(), "25.0".to_owned())
    );
    assert_eq!((took("p99_worst_us"), took("usual_longest_us")), ("24.0".to_owned(), "2.00".to_owned()));
    // Where nothing else happened to a row, its requests are those of the whole pass.
    assert_eq!(of("node-cluster", "kill", "requests"), "1,020,000");
    // And one that does not say who answers has no time until another does.
    assert_eq!(cell(&section, "times", ["node-cluster", "kill"], "replaced_us"), "-");
    assert_eq!(killed("failed_share"), "0.029%");
    assert_eq!(cell(&section, "passes", ["fork-per-core", ""], "primary_cpu_share"), "0.2%");
    assert_eq!(cell(&section, "passes", ["fork-per-core", ""], "primary_rss_kib"), "6.35");
}

#[test]
fn what_each_row_owes_for_each_fault_is_said_with_who_put_it_right() {
    let section = section(&crash());
    let of = |row: &str, fault: &str, key: &str| cell(&section, "owes", [row, fault], key);
    assert_eq!(of("fork-per-core", "kill", "seen"), "ended; replaced by the server after 24.5 ms");
    assert_eq!(of("fork-per-core", "kill", "lost"), "30 requests: reset 30");
    assert_eq!(of("work-stealing", "panic", "seen"), "answered 500; the process lives on");
    assert_eq!(of("work-stealing", "panic", "lost"), "nothing");
    assert_eq!(of("work-stealing", "abort", "seen"), "ended; nobody restarted it, the harness did");
    assert_eq!(of("node-cluster", "kill", "seen"), "ended; replaced by the server");
    // Faults that a row cannot be told to have are not its lines.
    let owes = section.tables().find(|table| table.id == "owes").unwrap();
    assert_eq!(owes.lines().count(), 4 + 3 + 1 + 1);
}

#[test]
fn a_row_without_a_reload_says_so_in_its_cell_and_is_no_line_of_figures() {
    let section = section(&experimented("reload", supervised(), 10, lossless));
    let of = |row: &str| cell(&section, "owes", [row, ""], "seen");
    assert_eq!(of("node-cluster"), "Node's cluster has no reload");
    assert_eq!(of("work-stealing"), "one process: a restart is all there is");
    assert_eq!(of("fork-per-core"), "all replaced after 264 ms");
    let rows: Vec<&str> =
        section.figures.as_ref().unwrap().lines().map(|(_, cells)| cells[0].text.as_str()).collect();
    assert_eq!(rows, ["fork-per-core", "pm2"]);
    assert!(section.caveats.is_empty(), "{:?}", section.caveats);
}

#[test]
fn what_never_came_back_is_a_bound_and_not_left_out() {
    let contents = experimented("crash", supervised(), 6, |record| {
        varied(record);
        for event in record.events.iter_mut().filter(|event| event.number == 2) {
            (event.replaced_ns, event.restarted_by) = (None, Some(RestartedBy::Nobody));
            let after = event.slices.due.len() - 50;
            event.slices.answered[50..].copy_from_slice(&vec![0; after]);
            event.slices.max_us[50..].fill(0);
        }
    });
    let section = section(&contents);
    let of = |key: &str| cell(&section, "times", ["fork-per-core", "kill"], key);
    // Of five that are known and one of which only 3.4 s are known, in which nothing answered.
    assert_eq!(of("replaced_worst_us"), "> 3,400");
    assert_eq!(of("rate_back_worst_us"), "> 3,360");
    assert_eq!(
        cell(&section, "owes", ["fork-per-core", "kill"], "seen"),
        "replaced by the server 5 times, by nobody 1 times of 6"
    );
}

#[test]
fn a_pass_that_was_cut_short_or_does_not_count_is_said_to_be() {
    let mut contents = experimented("crash", supervised(), 10, |record| {
        varied(record);
        match record.pass.of.row.as_str() {
            "fork-per-core" => {
                record.events.truncate(4);
                record.pass.events = 4;
                record.pass.cut_short = Some("the server never came back".to_owned());
            }
            "pm2" => record.pass.verdict = Verdict::Invalid { reasons: vec!["accounts".to_owned()] },
            _ => {}
        }
    });
    let all = &mut contents.measurements;
    all.experiments.retain(|record| record.pass.of.row != "work-stealing");
    let of = PassName { scenario: "crash".to_owned(), row: "work-stealing".to_owned(), start: 0 };
    all.cut_off.push(of);
    contents.run.skipped = vec![Skipped {
        row: "nginx".to_owned(),
        missing: "nginx".to_owned(),
        install: "apt-get install nginx".to_owned(),
        named: false,
    }];
    let section = section(&contents);
    assert_eq!(
        section.caveats,
        [
            "nginx was skipped: no nginx.",
            "fork-per-core: its pass has 4 of 40 events: the server never came back.",
            "work-stealing: its pass was begun and not finished: nothing of it counts.",
            "pm2: nothing of its pass counts: accounts.",
        ]
    );
    assert_eq!(cell(&section, "events", ["fork-per-core", "kill"], "events"), "4 of 10");
    assert_eq!(cell(&section, "events", ["fork-per-core", "abort"], "events"), "0 of 10");
    assert_eq!(cell(&section, "events", ["pm2", "kill"], "failed"), "-");
    assert_eq!(cell(&section, "owes", ["pm2", "kill"], "seen"), "not measured");
    let whole = crate::markdown(&contents);
    assert!(whole.contains("**3 of 4 passes of experiments were finished.**"), "{whole}");
}

#[test]
fn an_experiment_of_which_nothing_was_measured_claims_nothing() {
    let mut contents = crash();
    contents.measurements.experiments.clear();
    let section = section(&contents);
    assert_eq!(section.answer, "Nothing can be said: nothing happened to any row.");
    assert!(section.figures.is_none() && section.plots.is_empty() && section.findings.is_empty());
    assert_eq!(section.caveats[0], "Nothing was measured.");
}

#[test]
fn what_went_otherwise_than_it_should_is_a_note_on_its_row() {
    let contents = experimented("reload", supervised(), 3, |record| {
        lossless(record);
        if record.pass.of.row == "pm2" {
            record.events[1].problem = Some("not done within 30 s".to_owned());
            record.events[1].done_ns = None;
        }
    });
    let section = section(&contents);
    assert_eq!(section.notes, ["pm2: event 2: not done within 30 s"]);
    assert!(section.answer.contains("pm2 failed 0 of"), "{}", section.answer);
    assert_eq!(cell(&section, "owes", ["pm2", "reload"], "seen"), "not done in 1 of 3");
}

#[test]
fn of_many_events_that_went_wrong_a_few_are_told_and_none_is_called_done() {
    let contents = experimented("reload", supervised(), 12, |record| {
        lossless(record);
        for event in &mut record.events {
            event.done_ns = None;
            event.problem = Some(match event.number {
                number @ 5..=7 => format!("one old worker was there after {number} s"),
                9 => "the server ended".to_owned(),
                _ => "nobody new came".to_owned(),
            });
        }
    });
    let section = section(&contents);
    assert_eq!(
        section.notes[0],
        "fork-per-core: 8 events, the first of them event 1: nobody new came; event 6: one old worker was there after 5 s; event 7: one \
         old worker was there after 6 s; 2 more did not go as they should"
    );
    assert!(section.answer.contains("in 12 reloads, none of them done within 30s;"), "{}", section.answer);
}

#[test]
fn a_run_of_experiments_alone_says_what_happened_and_nothing_of_places() {
    let contents = both();
    let report = crate::of(&contents);
    let whole = crate::render::markdown::report(&report);
    insta::assert_snapshot!("markdown", whole);
    let look = Look { columns: 110, colour: false, is_whole: true };
    let page = crate::render::html::page(&report);
    let summary = crate::render::summary::of(&report);
    let texts = [&whole, &text(&report, look), &page, &summary];
    for text in texts {
        for nonsense in
            ["if you want", "What to choose", "The best controlled row", "starts of all", "place |"]
        {
            assert!(!text.contains(nonsense), "{nonsense} in {text}");
        }
        assert!(text.contains("fork-per-core failed 0 of 1,020,000 requests"), "{text}");
    }
    assert!(whole.lines().filter(|line| line.starts_with('|')).all(|line| line.chars().count() <= 110));
    insta::assert_snapshot!("summary", summary);
    assert!(summary.lines().count() <= 25, "{summary}");
    insta::assert_snapshot!("text", text(&report, Look { is_whole: false, ..look }));
}

#[test]
fn a_folder_of_experiments_is_made_again_byte_for_byte_and_is_whole() {
    let parent = tempfile::tempdir().unwrap();
    let folder = write(&both(), &parent.path().join("run")).unwrap();
    assert_eq!(crate::write(&folder).unwrap(), crate::of(&both()));
    let files: Vec<String> =
        crate::files::of(&both(), &crate::of(&both())).into_iter().map(|file| file.path).collect();
    for file in [
        "tables/crash.events.csv",
        "tables/crash.times.csv",
        "tables/crash.owes.csv",
        "tables/reload.passes.csv",
        "plots/crash.around.svg",
        "plots/reload.around.svg",
    ] {
        assert!(files.iter().any(|path| path == file), "no {file} in {files:?}");
    }
    assert!(!files.iter().any(|path| path.starts_with("hdr/") || path == "tables/choices.csv"), "{files:?}");
    let said = crate::check::alone(&folder).unwrap();
    assert!(said.contains(": 6 passes with 290 events, and all "), "{said}");
}

#[test]
fn a_pass_that_is_missing_without_a_word_makes_a_run_no_whole_one() {
    let mut contents = both();
    contents.measurements.experiments.remove(1);
    let folder = race::records::folder::Folder::open("run".as_ref());
    let judged =
        |contents: &Contents| crate::check::whole(&folder, contents).map_err(|error| error.to_string());
    let said =
        "run: pass 1 of pm2 under reload was not finished, and nothing says why: --resume goes on from there";
    assert_eq!(judged(&contents), Err(said.to_owned()));
    contents.run.failures = vec![Failure { what: "pm2".to_owned(), reason: "out".to_owned(), start: None }];
    assert_eq!(judged(&contents), Ok(()));
}

#[test]
fn beside_other_scenarios_an_experiment_has_its_section_and_no_column_of_choices() {
    let mut contents = crate::tests::contents();
    let crash = crash();
    let rows = &mut contents.run.plan.rows;
    rows.iter_mut().for_each(|row| row.fault_args = None);
    rows.retain(|row| row.name != "work-stealing");
    rows.splice(0..0, crash.run.plan.rows);
    contents.run.plan.scenarios.extend(crash.run.plan.scenarios);
    contents.measurements.experiments = crash.measurements.experiments;
    let report = crate::of(&contents);
    assert_eq!(report.scenarios().last().unwrap(), "crash");
    let columns: Vec<&str> =
        report.choices().unwrap().columns.iter().map(|column| column.key.as_str()).collect();
    assert_eq!(columns, ["objective", "simple-throughput", "simple-latency", "mixed"]);
    assert_eq!((report.made.starts, report.made.passes), (6, 4));
    assert!(
        report
            .made
            .sentence("x")
            .ends_with("Seed 7, 6 starts of all servers, 4 passes of experiments, of one row each.")
    );
    // And of it alone, only that.
    let alone = report.clone().of_scenarios(&["crash".to_owned()]);
    assert_eq!((alone.sections.len(), alone.choices()), (1, None));
    let row = report.of_scenarios(&["crash".to_owned()]).of_rows(&["pm2".to_owned()]);
    assert!(row.sections[0].tables().all(|table| table.lines().all(|(_, cells)| cells[0].text == "pm2")));
}

#[test]
fn whatever_rows_are_called_a_page_of_experiments_obeys_nothing_of_it() {
    let hostile = "</style><script>alert(1)</script>|`*\u{202e}";
    let mut rows = supervised();
    hostile.clone_into(&mut rows[0].name);
    rows[2].reload = Some(Reload::None(hostile.to_owned()));
    let contents = experimented("reload", rows, 6, |record| {
        lossless(record);
        record.events[0].problem = Some(hostile.to_owned());
        record.pass.cut_short = Some(hostile.to_owned());
    });
    let report = crate::of(&contents);
    let page = crate::render::html::page(&report);
    assert!(!page.contains("<script>alert") && !page.contains('\u{202e}'));
    assert!(page.contains("&lt;script&gt;alert(1)"));
    let whole = crate::render::markdown::report(&report);
    assert!(!whole.contains("<script>") || whole.contains("\\<script>"), "{whole}");
}

#[test]
fn the_picture_has_a_multiple_for_each_row_and_kind_of_event() {
    let section = section(&crash());
    let [plot] = section.plots.as_slice() else { panic!("{:?}", section.plots.len()) };
    let Drawn::Around(around) = &plot.drawn else { panic!("{plot:?}") };
    let of: Vec<String> = around.rows.iter().map(|row| format!("{} {}", row.label, row.kind)).collect();
    assert_eq!(of.len(), 9);
    assert_eq!((of[0].as_str(), of[8].as_str()), ("fork-per-core kill, 10 crashes", "pm2 kill, 10 crashes"));
    let killed = &around.rows[0];
    assert_eq!((around.from_ms, around.width_ms, killed.rate.len()), (-300.0, 10.0, 180));
    // Nothing is answered in the two slices from the event on, and what fails does so in the first.
    let middle = |at: usize| killed.rate[at].unwrap().middle;
    assert_eq!([29, 30, 31, 32].map(middle), [1.0, 0.0, 0.0, 1.0]);
    assert_eq!((killed.failed[29], killed.failed[30], killed.failed[31]), (0, 30, 0));
    assert_eq!(killed.longest_us[30].unwrap().high, 25_000.0);
}

#[test]
fn the_area_of_the_picture_leaves_a_tenth_of_the_events_below_and_above() {
    let contents = experimented("crash", supervised(), 10, |record| {
        for event in record.events.iter_mut().filter(|event| event.kind == EventKind::Kill) {
            event.slices.max_us[60] = 1_000 * (event.number as u64 + 1);
        }
    });
    let section = section(&contents);
    let Drawn::Around(around) = &section.plots[0].drawn else { panic!() };
    let spread = around.rows[0].longest_us[40].unwrap();
    assert_eq!([spread.low, spread.middle, spread.high], [1_000.0, 5_000.0, 9_000.0]);
}
