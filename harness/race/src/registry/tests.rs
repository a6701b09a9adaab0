//! Registries that are right, and what is said to those that are not.

use std::path::Path;

use conformance::Level;

use super::*;

const FACTORS: &str = "factors = { workers = 'thread', pinned = false, accept = 'shared-listener', io = 'epoll', \
                       stealing = true, placement = 'inline' }\n";
const ROW: &str = "[[row]]\nname = 'a'\nabout = ''\ntier = 'controlled'\n";
const HOST: &str = "[[row.deviations]]\nwhy = 'takes any Host'\ncases = ['a missing Host is refused']\n";

fn parse(text: &str) -> Result<Registry, String> {
    Registry::parse(text, Path::new("/nowhere"))
}

/// Row `a` with more keys, after a right row so that lines differ.
fn row_with(more: &str) -> Result<Registry, String> {
    let first =
        "[[row]]\nname = 'first'\nabout = ''\ntier = 'controlled'\npackage = 'a'\n".to_owned() + FACTORS;
    parse(&format!("{first}\n{ROW}{FACTORS}{more}\n"))
}

fn native(more: &str) -> Result<Registry, String> {
    parse(&format!("{}command = ['x']\n{FACTORS}{more}", ROW.replace("controlled", "native")))
}

#[test]
fn what_is_wrong_is_said_with_its_line_its_row_and_what_is_allowed() {
    let factors = |wrong: &str, right: &str| format!("{ROW}package = 'a'\n{}", FACTORS.replace(right, wrong));
    let bad_table = |text: String| parse(&text).unwrap_err();
    for (error, expected) in [
        (
            row_with("package = 'a'\nargz = []").unwrap_err(),
            ["line 14", "row `a`", "`argz`", "`deviations_file`"],
        ),
        (
            bad_table(factors("forks", "thread")),
            ["line 6", "row `a`", "`forks`", "`process`, `thread`, `single`"],
        ),
        (
            bad_table(factors("uring", "epoll")),
            ["line 6", "row `a`", "`uring`", "`epoll`, `io_uring`, `poll`"],
        ),
        (bad_table(factors("color", "placement")), ["line 6", "row `a`", "`color`", "`placement`"]),
        (bad_table(factors("'no'", "false")), ["line 6", "row `a`", "\"no\"", "boolean"]),
        (
            bad_table(ROW.replace("controlled", "fast") + FACTORS),
            ["line 4", "row `a`", "`fast`", "`controlled`, `native`, `reference`, `calibration`"],
        ),
        (
            row_with("package = 'a'\nsized = { args = ['-w'] }").unwrap_err(),
            ["row `a`", "number of workers", "in none of its arguments", "\"{workers}\""],
        ),
        (
            row_with("package = 'a'\nvariant = { of = 'b', workers = 2 }").unwrap_err(),
            ["row `a`", "variant", "which scenarios make", "leave the key out"],
        ),
        (
            row_with("package = 'a'\nconnections = 0").unwrap_err(),
            ["row `a`", "no connection at once", "leave the key out", "many"],
        ),
        (
            row_with("package = 'a'\nready = 'soon'").unwrap_err(),
            ["line 14", "row `a`", "`soon`", "`line` or `http`"],
        ),
        (
            row_with("package = 'a'\noperations = ['simpel']").unwrap_err(),
            ["line 14", "row `a`", "`simpel`", "`simple`"],
        ),
        (
            row_with("package = 'a'\nready_within = '4 parsecs'").unwrap_err(),
            ["line 14", "row `a`", "`4 parsecs` is no duration", "500ms"],
        ),
        (
            bad_table(format!("{ROW}package = 'a'\n")),
            ["line 1", "row `a`", "what it is", "workers = \"thread\""],
        ),
        (row_with("").unwrap_err(), ["line 8", "row `a`", "no program", "package = "]),
        (row_with("command = []").unwrap_err(), ["line 8", "row `a`", "empty", "command = ["]),
        (
            row_with("package = 'a'\ncommand = ['a']").unwrap_err(),
            ["line 8", "row `a`", "a package and a command", "either"],
        ),
        (
            row_with("package = 'a'\noperations = []").unwrap_err(),
            ["line 8", "row `a`", "no operation", "complex"],
        ),
        (
            row_with("package = 'a'\nargs = ['{single-thread}']").unwrap_err(),
            ["line 8", "row `a`", "`{single-thread}`", "uses = [\"single-thread\"]"],
        ),
        (
            row_with("package = 'a'\nargs = ['{port}']").unwrap_err(),
            ["line 8", "row `a`", "`{port}`", "ready = \"http\""],
        ),
        (
            row_with("package = 'a'\nready = 'http'\nargs = ['{host}:{port}']").unwrap_err(),
            ["line 8", "row `a`", "`{host}`", "{port}, {address}, {cpus}, {workers}"],
        ),
        (
            row_with("package = 'a'\nready = 'http'").unwrap_err(),
            ["line 8", "row `a`", "where to listen", "{port}"],
        ),
        (
            row_with("package = 'a'\nrequires = [{ program = 'x', file = 'y', install = 'z' }]").unwrap_err(),
            ["line 8", "row `a`", "either a program or a file", "apt-get install nginx"],
        ),
        (
            row_with("package = 'a'\nrequires = [{ file = 'y', version = '1', install = 'z' }]").unwrap_err(),
            ["line 8", "row `a`", "y has no version", "package.json"],
        ),
        (
            row_with("package = 'a'\nrequires = [{ program = 'x', instal = 'z' }]").unwrap_err(),
            ["line 14", "row `a`", "`instal`", "`install`"],
        ),
        (
            row_with("package = 'a'\nrequires = [{ program = 'x', exactly = true, install = 'z' }]")
                .unwrap_err(),
            ["line 8", "row `a`", "`exactly` is about a `version`", "apt-get install nginx"],
        ),
        (
            row_with("package = 'a'\nbuild = ['make']").unwrap_err(),
            ["line 8", "row `a`", "cargo builds its package", "build = ["],
        ),
        (
            row_with("command = ['a/b']\nbuild = ['make']").unwrap_err(),
            ["line 8", "row `a`", "of what (made_of)", "build = ["],
        ),
        (
            row_with("package = 'a'\ndeviations_file = 'none.toml'").unwrap_err(),
            ["line 8", "row `a`", "/nowhere/none.toml", "cannot read"],
        ),
    ] {
        for part in expected {
            assert!(error.contains(part), "no `{part}` in: {error}");
        }
    }
}

#[test]
fn what_is_no_toml_is_said_with_its_line() {
    let error = parse(&format!("{ROW}{FACTORS}package = a\n")).unwrap_err();
    assert!(error.contains("line 6"), "{error}");
}

#[test]
fn two_rows_of_one_name_are_refused() {
    let row = format!("{ROW}{FACTORS}command = ['x']\n");
    let error = parse(&format!("{row}{row}")).unwrap_err();
    assert!(error.contains("line 7") && error.contains("row `a`: another row has this name"), "{error}");
}

#[test]
fn a_row_for_request_alone_is_chosen_by_its_name_or_with_all() {
    let row = |name: &str, more: &str| {
        format!(
            "[[row]]\nname = '{name}'\nabout = ''\ntier = 'calibration'\ncommand = ['x']\n{FACTORS}{more}\n"
        )
    };
    let registry = parse(&(row("a", "") + &row("b", "on_request = true"))).unwrap();
    let chosen = |names: &[&str], all| {
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        let rows = registry.select(Asked::of(&names, all)).unwrap();
        rows.into_iter().map(|row| row.name).collect::<Vec<_>>()
    };
    assert_eq!(chosen(&[], false), ["a"]);
    assert_eq!(chosen(&["b"], false), ["b"]);
    assert_eq!(chosen(&[], true), ["a", "b"]);
}

#[test]
fn a_whole_table_reads_back_from_a_record_as_it_was() {
    let row = ROW.replace("controlled", "reference");
    let registry = parse(&format!(
        "{row}command = ['x']\n{FACTORS}\
         args = ['--to', '{{single-thread}}', '{{port}}']\nuses = ['single-thread']\nready = 'http'\non_request = true\n\
         build = ['make', 'x']\nmade_of = ['app', 'app/lock.json']\nrequires = [{{ program = 'nginx', version = '1.22', exactly = true, version_args = ['-v'], install = 'get nginx' }}]\n",
    ))
    .unwrap();
    let row = &registry.rows()[0];
    assert_eq!(row.packages().collect::<Vec<_>>(), ["single-thread"]);
    let text = serde_json::to_string(row).unwrap();
    assert_eq!(&serde_json::from_str::<Row>(&text).unwrap(), row);
}

#[test]
fn a_record_of_before_rows_said_what_they_are_still_reads() {
    let text = r#"{"name":"a","about":"","tier":"controlled","package":"a","args":[],"operations":["simple","complex"],"ready_within":"10s"}"#;
    let row: Row = serde_json::from_str(text).unwrap();
    assert_eq!((row.factors, row.ready), (None, Readiness::Line));
    assert_eq!(serde_json::to_string(&row).unwrap(), text, "and is written as it was");
}

#[test]
fn deviations_are_listed_by_reason_and_read_back_from_a_record() {
    let registry = native(HOST).unwrap();
    let row = &registry.rows()[0];
    assert_eq!(row.deviations[0].cases, ["a missing Host is refused"]);
    let text = serde_json::to_string(row).unwrap();
    assert_eq!(&serde_json::from_str::<Row>(&text).unwrap(), row);
}

#[test]
fn a_file_of_deviations_adds_to_those_of_the_table_and_is_checked_like_them() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("deviations")).unwrap();
    let read = |text: &str| {
        std::fs::write(folder.path().join("deviations/shared.toml"), text).unwrap();
        let registry = format!(
            "{}command = ['x']\n{FACTORS}deviations_file = 'deviations/shared.toml'\n{HOST}",
            ROW.replace("controlled", "native")
        );
        Registry::parse(&registry, folder.path())
    };
    let shared = "[[deviations]]\nwhy = 'no Allow'\ncases = ['POST to simple is 405']\n";
    let registry = read(shared).unwrap();
    let listed: Vec<_> =
        registry.rows()[0].deviations.iter().map(|deviation| deviation.why.as_str()).collect();
    assert_eq!(listed, ["takes any Host", "no Allow"]);
    for (wrong, expected) in [
        (shared.replace("why", "because"), "because"),
        (shared.replace("[[deviations]]", "[[row.deviations]]"), "[[deviations]]"),
        (shared.replace("simple", "smiple"), "did you mean `POST to simple is 405`?"),
        (shared.replace("POST to simple is 405", "a missing Host is refused"), "twice"),
    ] {
        let error = read(&wrong).unwrap_err();
        assert!(error.contains(expected) && error.contains("row `a`"), "{error}");
    }
}

#[test]
fn a_deviation_that_the_suite_cannot_find_is_refused_with_the_nearest_case() {
    let error = native(&HOST.replace("missing", "misisng")).unwrap_err();
    assert!(error.contains("(did you mean `a missing Host is refused`?)"), "{error}");
}

#[test]
fn deviations_that_say_nothing_or_too_much_are_refused() {
    let twice = HOST.repeat(2);
    let reasonless = HOST.replace("takes any Host", " ");
    let caseless = HOST.replace("'a missing Host is refused'", "");
    let misspelt = HOST.replace("why", "because");
    for (tier, deviations, expected) in [
        ("reference", twice.as_str(), "twice"),
        ("reference", &reasonless, "lacks its reason"),
        ("reference", &caseless, "lacks its reason (why) or its cases"),
        ("reference", &misspelt, "because"),
        ("controlled", HOST, "is of tier controlled and may list no deviation"),
        ("calibration", HOST, "is of tier calibration"),
    ] {
        let row = ROW.replace("controlled", tier);
        let error = parse(&format!("{row}command = ['x']\n{FACTORS}{deviations}")).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn what_must_say_how_it_was_built_has_a_ready_line() {
    let error = native("ready = 'http'\nargs = ['{port}']\n").unwrap_err();
    assert!(error.contains("row `a`") && error.contains("ready line"), "{error}");
}

#[test]
fn many_cases_are_counted_and_few_are_named() {
    let of = |count: usize| Deviation {
        why: "x".to_owned(),
        cases: (1..=count).map(|number| format!("case {number}")).collect(),
        by_chance: count == 5,
    };
    assert_eq!(of(3).cases_in_short(), "case 1; case 2; case 3");
    assert_eq!(of(4).cases_in_short(), "4 cases, such as case 1");
    assert_eq!(of(5).cases_in_short(), "by chance 5 cases, such as case 1");
}

#[test]
fn what_no_row_owes_is_no_deviation() {
    let may = conformance::suite().into_iter().find(|case| case.level == Level::May).unwrap();
    let deviations = format!("[[row.deviations]]\nwhy = 'x'\ncases = [\"{}\"]\n", may.name);
    assert!(native(&deviations).unwrap_err().contains("leave it out"));
}
