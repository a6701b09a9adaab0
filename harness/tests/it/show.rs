//! `harness show` and `harness list`: what they print for people and for programs, what they refuse, and that they write nothing.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::SystemTime,
};

use race::fixtures::{
    of_streams,
    run::{rows, run, scenario, write},
    spread, stream,
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt},
    termios::{Winsize, tcsetwinsize},
};
use serde_json::Value;

use crate::{
    lap::{Lap, PATIENCE, harness, stderr},
    scene::{Scene, text},
    support::finish,
};

/// A scene with runs in results/: one that is whole, and what may lie beside it.
fn scene() -> Scene {
    let scene = Scene::new();
    let names = ["work-stealing", "rayon-offload", "single-thread", "ceiling"];
    let scenarios = vec![scenario("simple-latency", 2), scenario("mixed", 2)];
    let whole = run(rows(&names), scenarios, 6, |wanted| {
        let by_chance = (wanted.start * 5 + wanted.round * 3) as u64 % 11;
        let us = if wanted.entry.row.name == "rayon-offload" { 300 } else { 900 };
        let streams = wanted.scenario.streams.iter();
        of_streams(1.0, streams.map(|of| stream(&of.name, 1.0, &spread(us + by_chance, 400))).collect())
    });
    write(&whole, &scene.path("results/whole")).unwrap();
    fs::create_dir_all(scene.path("results/damaged")).unwrap();
    fs::write(scene.path("results/damaged/run.json"), "{").unwrap();
    fs::create_dir_all(scene.path("results/notes")).unwrap();
    scene
}

fn run_in(scene: &Scene, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = scene.harness(arguments);
    for name in ["COLUMNS", "NO_COLOR", "CLICOLOR_FORCE", "LC_ALL"] {
        command.env_remove(name);
    }
    command.envs(environment.iter().copied());
    finish(command.spawn().unwrap(), PATIENCE)
}

/// What is printed where all goes well.
fn shown(scene: &Scene, arguments: &[&str]) -> String {
    let output = run_in(scene, arguments, &[("LC_ALL", "C.UTF-8")]);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn the_newest_run_is_shown_where_none_is_named_and_a_run_is_found_by_its_name() {
    let scene = scene();
    let newest = shown(&scene, &["show"]);
    assert!(newest.contains("if you want") && newest.contains("━━ mixed ━━"), "{newest}");
    assert_eq!(shown(&scene, &["show", "whole"]), newest);
    assert_eq!(shown(&scene, &["show", "results/whole"]), newest);
}

#[test]
fn nobody_who_reads_a_file_sees_colours_and_whoever_has_no_utf_8_sees_ascii() {
    let scene = scene();
    let plain = run_in(&scene, &["show", "whole"], &[("LC_ALL", "C.UTF-8")]);
    assert!(!text(&plain.stdout).contains('\u{1b}'));
    let forced = run_in(&scene, &["show", "whole"], &[("CLICOLOR_FORCE", "1")]);
    assert!(text(&forced.stdout).contains("\u{1b}[1m"));
    let narrow = run_in(&scene, &["show", "whole"], &[("LC_ALL", "C"), ("COLUMNS", "40")]);
    assert!(narrow.stdout.is_ascii(), "{}", text(&narrow.stdout));
    assert!(text(&narrow.stdout).lines().all(|line| line.len() <= 40), "{}", text(&narrow.stdout));
}

/// What is printed on a terminal of so many columns.
fn on_terminal(scene: &Scene, arguments: &[&str], columns: u16, environment: &[(&str, &str)]) -> String {
    // Not inherited by what other tests start meanwhile, which would hold it open.
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let terminal = openpt(flags).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let side = ioctl_tiocgptpeer(&terminal, flags).unwrap();
    tcsetwinsize(&side, Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let mut command = scene.harness(arguments);
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    command.env("TERM", "xterm").env("LC_ALL", "C.UTF-8").envs(environment.iter().copied());
    command.stdout(side);
    let child = command.spawn().unwrap();
    // The last who has the other side open: its end is that of what is read.
    drop(command);
    let mut printed = Vec::new();
    let mut part = [0; 4096];
    let patience = Timespec::try_from(PATIENCE).unwrap();
    loop {
        let ready = poll(&mut [PollFd::new(&terminal, PollFlags::IN)], Some(&patience)).unwrap();
        assert!(ready > 0, "nothing comes, and no end: {}", text(&printed));
        match rustix::io::read(&terminal, &mut part) {
            Ok(count @ 1..) => printed.extend_from_slice(&part[..count]),
            Ok(0) | Err(Errno::IO) => break,
            Err(error) => panic!("{error}"),
        }
    }
    let output = finish(child, PATIENCE);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&printed).replace("\r\n", "\n")
}

#[test]
fn a_terminal_is_written_to_as_wide_as_it_is_and_in_colour_unless_that_is_not_wanted() {
    let scene = scene();
    let coloured = on_terminal(&scene, &["show", "whole"], 60, &[]);
    assert!(coloured.contains("\u{1b}[1m") && coloured.contains("\u{1b}[2m"), "{coloured}");
    let plain = on_terminal(&scene, &["show", "whole"], 60, &[("NO_COLOR", "1")]);
    assert!(!plain.contains('\u{1b}'), "{plain}");
    let widest = plain.lines().map(|line| line.chars().count()).max();
    assert_eq!(widest, Some(60), "{plain}");
    let redirected = run_in(&scene, &["show", "whole"], &[("LC_ALL", "C.UTF-8"), ("COLUMNS", "60")]);
    assert_eq!(text(&redirected.stdout), plain);
    // JSON is for programs, unless a person looks at it.
    let json = on_terminal(&scene, &["show", "whole", "--format", "json"], 60, &[]);
    assert!(json.starts_with("{\n  \"made\": {\n"), "{json}");
    assert!(shown(&scene, &["show", "whole", "--format", "json"]).starts_with("{\"made\":{"));
}

#[test]
fn programs_get_every_format() {
    let scene = scene();
    let json: Value = serde_json::from_str(&shown(&scene, &["show", "--format", "json"])).unwrap();
    let names: Vec<&str> =
        json["sections"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["simple-latency", "mixed"]);

    let markdown = shown(&scene, &["show", "--format", "md"]);
    shown(&scene, &["report", "results/whole"]);
    assert_eq!(markdown, fs::read_to_string(scene.path("results/whole/report.md")).unwrap());

    let one =
        shown(&scene, &["show", "--format", "csv", "--scenario", "simple-latency", "--table", "figures"]);
    let lines: Vec<&str> = one.lines().collect();
    assert!(lines[0].starts_with("row,tier,p95_us,"), "{one}");
    assert!(lines.len() == 5 && lines[1].starts_with("rayon-offload,controlled,"), "{one}");
    let both = shown(&scene, &["show", "--format", "csv", "--table", "figures"]);
    let blocks: Vec<&str> = both.split("\r\n\r\n").collect();
    assert_eq!(blocks.len(), 2, "{both}");
    assert!(blocks[0].starts_with("scenario,table,row,tier,p95_us,"), "{both}");
    assert!(blocks[1].lines().skip(1).all(|line| line.starts_with("mixed,figures,")), "{both}");
    let all = shown(&scene, &["show", "--format", "csv"]);
    assert!(
        all.contains("\r\n,choices,") && all.contains("\r\n,rows,") && all.contains("\r\nmixed,costs,"),
        "{all}"
    );
}

#[test]
fn hidden_rows_change_no_place() {
    let scene = scene();
    let places = |arguments: &[&str]| -> BTreeMap<String, String> {
        let table = ["show", "--format", "csv", "--scenario", "simple-latency", "--table", "figures"];
        let csv = shown(&scene, &[&table[..], arguments].concat());
        let mut lines = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
        let head = lines.next().unwrap();
        let at = |key: &str| head.iter().position(|own| *own == key).unwrap();
        let (low, high) = (at("place_low"), at("place_high"));
        lines.map(|cells| (cells[0].to_owned(), format!("{}-{}", cells[low], cells[high]))).collect()
    };
    let (all, one) = (places(&[]), places(&["--only", "single-thread"]));
    assert_eq!((all.len(), one.len()), (4, 1));
    assert_eq!(all["single-thread"], one["single-thread"]);
    assert_eq!(one["single-thread"], "2-3");
}

#[test]
fn what_is_not_there_is_refused_with_what_is() {
    let scene = scene();
    for (arguments, expected) in [
        (&["show", "whle"][..], "there is no run `whle` (did you mean `whole`?); known: damaged, whole"),
        (&["show", "no/where"], "there is no run at no/where"),
        (&["show", "--scenario", "mixd"], "there is no scenario `mixd` (did you mean `mixed`?)"),
        (
            &["show", "--only", "work-staeling"],
            "there is no row `work-staeling` (did you mean `work-stealing`?)",
        ),
        (
            &["show", "--format", "csv", "--table", "figure"],
            "there is no table `figure` (did you mean `figures`?)",
        ),
        (&["show", "--table", "figures"], "--table is for --format csv: say both"),
        (&["show", "--format", "xml"], "possible values: text, md, csv, json"),
        (&["list"], "<WHAT>"),
        (&["list", "row"], "possible values: rows, scenarios, runs"),
    ] {
        let output = run_in(&scene, arguments, &[]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(expected) && output.stdout.is_empty(), "{arguments:?}: {said}");
    }
    // A line that was edited is left out, and said wherever the rest is shown.
    let log = scene.path("results/whole/windows.jsonl");
    fs::write(&log, fs::read_to_string(&log).unwrap().replacen("\"round\":0", "\"round\":1", 1)).unwrap();
    for format in ["text", "md", "csv", "json"] {
        let output = run_in(&scene, &["show", "whole", "--format", format], &[]);
        let printed = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{printed}");
        assert!(printed.contains("of windows.jsonl is left out: it is damaged"), "{format}: {printed}");
    }
    let listed = run_in(&scene, &["list", "runs"], &[]);
    assert!(text(&listed.stderr).contains("results/whole is damaged: line "), "{}", text(&listed.stderr));
    let damaged = run_in(&scene, &["show", "damaged"], &[]);
    assert_eq!(damaged.status.code(), Some(1));
    assert!(text(&damaged.stderr).starts_with("error: cannot use "), "{}", text(&damaged.stderr));
}

/// Every file below `folder`, with what is in it and when it was written.
fn files_below(folder: &Path) -> BTreeMap<PathBuf, (Vec<u8>, SystemTime)> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            let modified = entry.metadata().unwrap().modified().unwrap();
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(entry.path()),
                false => {
                    files.insert(entry.path(), (fs::read(entry.path()).unwrap(), modified));
                }
            }
        }
    }
    files
}

#[test]
fn neither_writes_anything() {
    let scene = scene();
    let before = files_below(&scene.path(""));
    for format in ["text", "md", "csv", "json"] {
        shown(&scene, &["show", "--format", format, "--all"]);
    }
    for what in ["rows", "scenarios", "runs"] {
        shown(&scene, &["list", what]);
        shown(&scene, &["list", what, "--format", "json"]);
    }
    assert!(before == files_below(&scene.path("")));
}

#[test]
fn a_reader_who_wants_a_line_gets_one_and_that_is_no_error() {
    let scene = scene();
    for format in ["text", "csv", "json"] {
        let script = r#""$0" show whole --format "$1" | head -1; echo "${PIPESTATUS[0]}""#;
        let command = ["-c", script, env!("CARGO_BIN_EXE_harness"), format];
        let output = finish(scene.command("bash", command).spawn().unwrap(), PATIENCE);
        let printed = text(&output.stdout);
        assert!(printed.lines().count() == 2 && printed.ends_with("\n0\n"), "{format}: {printed}");
        assert!(output.stderr.is_empty(), "{format}: {}", text(&output.stderr));
    }
}

#[test]
fn runs_are_listed_and_a_damaged_one_hides_no_other() {
    let scene = scene();
    let output = run_in(&scene, &["list", "runs"], &[]);
    let (table, said) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{said}");
    let line = |name: &str| table.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    assert!(line("whole").contains("6 of 6") && line("whole").contains("simple-latency, mixed"), "{table}");
    assert!(line("damaged").contains("damaged  ") && !table.contains("notes"), "{table}");
    assert!(said.starts_with("warning: ") && said.contains("results/damaged is damaged: "), "{said}");

    let json: Value = serde_json::from_str(&shown(&scene, &["list", "runs", "--format", "json"])).unwrap();
    let run = |name: &str| json.as_array().unwrap().iter().find(|run| run["name"] == name).unwrap().clone();
    let whole = run("whole");
    assert_eq!((&whole["finished"], &whole["planned"], &whole["schema"]), (&6.into(), &6.into(), &3.into()));
    assert_eq!((&whole["is_published"], &whole["damage"]), (&false.into(), &Value::Null));
    assert!(run("damaged")["damage"].as_str().unwrap().contains("cannot use "));

    fs::remove_dir_all(scene.path("results")).unwrap();
    assert_eq!(shown(&scene, &["list", "runs"]), "results/ holds no run yet: `cargo bench-all` makes one\n");
    assert_eq!(shown(&scene, &["list", "runs", "--format", "json"]), "[]\n");
}

#[test]
fn rows_and_scenarios_are_listed_as_bench_lists_them() {
    let printed = |arguments: &[&str]| {
        let output = harness(arguments);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        text(&output.stdout)
    };
    let both = printed(&["bench", "--list"]);
    let (rows, scenarios) = (printed(&["list", "rows"]), printed(&["list", "scenarios"]));
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(&both), words(&format!("{rows}{scenarios}")));
    let rows: Value = serde_json::from_str(&printed(&["list", "rows", "--format", "json"])).unwrap();
    let ceiling = rows.as_array().unwrap().iter().find(|row| row["name"] == "ceiling").unwrap();
    assert_eq!((&ceiling["tier"], &ceiling["on_request"]), (&"calibration".into(), &false.into()));
    let scenarios: Value =
        serde_json::from_str(&printed(&["list", "scenarios", "--format", "json"])).unwrap();
    assert!(
        scenarios.as_array().unwrap().iter().any(|it| it["name"] == "mixed" && it["question"].is_string())
    );
}

#[test]
fn a_run_of_an_earlier_schema_is_shown_as_it_was_reported() {
    let output = harness(&["show", "2026-11-21-vm"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("this is its report.md, as it was made then"), "{output:?}");
    let results = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../results"));
    let page = fs::read_to_string(results.join("2026-11-21-vm/report.md")).unwrap();
    assert_eq!(text(&harness(&["show", "2026-11-21-vm", "--format", "md"]).stdout), page);
    for asked in [["--format", "json"], ["--format", "csv"], ["--scenario", "mixed"], ["--only", "ceiling"]] {
        let output = harness(&[&["show", "2026-11-21-vm"][..], &asked[..]].concat());
        assert_eq!(output.status.code(), Some(2), "{asked:?}: {}", stderr(&output));
        assert!(stderr(&output).contains("no tables for --"), "{asked:?}: {}", stderr(&output));
    }
}

#[test]
fn a_race_says_between_starts_what_is_known_so_far() {
    let lap = Lap::with_rows(&[("a", "right"), ("b", "right")]);
    let output = lap.run(&["--starts", "2", "--scenario", "closed"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = stderr(&output);
    let lines: Vec<&str> = said.lines().filter(|line| line.starts_with("after start ")).collect();
    let [line] = lines.as_slice() else { panic!("{said}") };
    let begins = "after start 1 of 2: no row will be told from another, which takes 6 starts; closed: kept ";
    assert!(line.starts_with(begins) && line.contains(" left, of which measuring "), "{line}");
    // The end of a race prints what `harness show` does.
    let mut command = host::tether::command(env!("CARGO_BIN_EXE_harness"));
    command.arg("show").arg(lap.out()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let again = finish(command.spawn().unwrap(), PATIENCE);
    assert!(text(&output.stdout).contains(&text(&again.stdout)), "{}", text(&output.stdout));
}
