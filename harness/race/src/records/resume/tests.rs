use std::fs;

use super::*;
use crate::{
    fixtures,
    records::{folder::Failure, log::Entry},
};

/// A run of two starts, of which so many were finished, and what there was when it began.
struct Begun {
    parent: tempfile::TempDir,
    environment: Environment,
    plan: RunPlan,
}

impl Begun {
    fn with(finished: usize, change: impl FnOnce(&mut RunRecord)) -> Self {
        let parent = tempfile::tempdir().unwrap();
        let (environment, mut run) = (fixtures::environment(), fixtures::run_record(2));
        change(&mut run);
        let begun = Self { parent, environment, plan: run.plan.clone() };
        begun.folder().write_environment(&begun.environment).unwrap();
        begun.folder().write_run(&run).unwrap();
        let mut log = begun.folder().log().unwrap();
        for start in 0..finished {
            log.append(&Entry::Begun { start, at: String::new() }).unwrap();
            log.append(&Entry::Complete { start }).unwrap();
        }
        begun
    }

    fn folder(&self) -> Folder {
        Folder::open(self.parent.path())
    }

    /// As things are.
    fn resumed(&self) -> Result<Resumed, ResumeRefused> {
        let Self { plan: RunPlan { rows, scenarios, .. }, environment, .. } = self;
        Resumed::of(self.folder(), Today { rows, scenarios, environment })
    }

    /// What is said where `what` has changed meanwhile.
    fn refusal(&self, what: impl FnOnce(&mut Environment, &mut RunPlan)) -> String {
        let (mut environment, mut plan) = (self.environment.clone(), self.plan.clone());
        what(&mut environment, &mut plan);
        let today = Today { rows: &plan.rows, scenarios: &plan.scenarios, environment: &environment };
        Resumed::of(self.folder(), today).unwrap_err().to_string()
    }

    fn in_folder(&self, text: &str) -> String {
        text.replace("DIR", &self.parent.path().display().to_string())
    }
}

#[test]
fn a_run_goes_on_with_what_it_was_begun_with() {
    let begun = Begun::with(1, |_| ());
    let resumed = begun.resumed().unwrap();
    assert_eq!((resumed.complete().len(), &resumed.run().plan), (1, &begun.plan));
    assert_eq!(resumed.environment().started, begun.environment.started);
    resumed.same_programs(&begun.environment.programs).unwrap();
    resumed.same_plan(&begun.plan).unwrap();
    // It ended before it measured anything, or was read before.
    fs::remove_file(begun.parent.path().join("windows.jsonl")).unwrap();
    assert_eq!(begun.resumed().unwrap().complete().len(), 0);
    assert!(!begun.parent.path().join("windows.jsonl").exists(), "it was looked at, and changed");
}

#[test]
fn a_folder_without_a_run_is_refused() {
    let begun = Begun::with(1, |_| ());
    fs::remove_file(begun.parent.path().join("run.json")).unwrap();
    let expected = begun
        .in_folder("DIR holds no run that could be resumed: give the folder of one that was interrupted");
    assert_eq!(begun.resumed().unwrap_err().to_string(), expected);
}

#[test]
fn records_of_another_schema_are_refused_whatever_else_they_say() {
    let begun = Begun::with(1, |_| ());
    let log = begun.parent.path().join("windows.jsonl");
    let text = fs::read_to_string(&log).unwrap();
    fs::write(&log, text.replace(&format!("\"schema\":{SCHEMA}"), "\"schema\":4")).unwrap();
    let refused = begun.resumed().unwrap_err().to_string();
    let expected = format!(
        "DIR holds a run of another version: its records have schema 4, and this harness goes on with schema {SCHEMA}; begin a new run"
    );
    assert_eq!(refused, begun.in_folder(&expected));
    // A run of then has a plan that nobody reads today.
    fs::rename(&log, begun.parent.path().join("trials.jsonl")).unwrap();
    fs::write(begun.parent.path().join("run.json"), "{}").unwrap();
    let refused = begun.resumed().unwrap_err().to_string();
    assert!(refused.contains("its records have trials, and no windows, and this harness"), "{refused}");
}

#[test]
fn damaged_records_are_refused_with_the_file_and_the_line() {
    let begun = Begun::with(1, |_| ());
    let log = begun.parent.path().join("windows.jsonl");
    let text = fs::read_to_string(&log).unwrap();
    fs::write(&log, text.replace("\"start\":0", "\"start\":1")).unwrap();
    let refused = anyhow::Error::from(begun.resumed().unwrap_err());
    let expected =
        "cannot use DIR/windows.jsonl: line 1 is damaged: its entry has another SHA-256 than it says";
    assert_eq!(format!("{refused:#}"), begun.in_folder(expected));
}

#[test]
fn a_finished_run_is_refused_and_its_tables_are_a_command_away() {
    let begun = Begun::with(2, |_| ());
    let expected =
        "DIR holds a run that is finished, with all its 2 starts; `harness report DIR` draws its tables";
    assert_eq!(begun.resumed().unwrap_err().to_string(), begun.in_folder(expected));
}

#[test]
fn another_host_is_refused_with_what_differs() {
    let begun = Begun::with(1, |_| ());
    let refused = begun.refusal(|now, _| now.host = "elsewhere".to_owned());
    assert_eq!(
        refused,
        "this is not the host that the run was begun on: its name was host and is elsewhere; resume it there, or begin a new run"
    );
    for (refused, expected) in [
        (begun.refusal(|now, _| now.cpu.model = None), "its CPU was Model and is unknown;"),
        (
            begun.refusal(|now, _| now.cpu.allowed = "0-2".parse().unwrap()),
            "its set of CPUs that may be used was 0-1 and is 0-2;",
        ),
        (begun.refusal(|now, _| now.kernel = "6.1".to_owned()), "its kernel was 6.0 and is 6.1;"),
    ] {
        assert!(refused.contains(expected), "{refused}");
    }
}

#[test]
fn another_harness_is_refused_with_the_revision_that_it_was() {
    let begun = Begun::with(1, |_| ());
    let refused = begun.refusal(|now, _| now.code.harness_sha256 = Some("another".to_owned()));
    assert_eq!(
        refused,
        "this harness is not the one that the run was begun with, which could make a difference of its own; build revision \
         0123456789abcdef as it was, or begin a new run"
    );
}

#[test]
fn a_row_or_a_scenario_that_has_changed_is_named_with_what_has() {
    let begun = Begun::with(1, |_| ());
    let refused = begun.refusal(|_, now| now.rows[1].args.push("--fast".to_owned()));
    assert_eq!(
        refused,
        "the row `b` has changed (args) since the run was begun: change that back, or begin a new run"
    );
    let refused = begun.refusal(|_, now| drop(now.rows.remove(0)));
    assert!(refused.starts_with("the row `a` is gone since the run was begun"), "{refused}");
    let refused = begun.refusal(|_, now| now.scenarios[1].streams[0].connections = 1);
    assert!(refused.starts_with("the scenario `second` has changed (stream) since"), "{refused}");
    let refused = begun.refusal(|_, now| drop(now.scenarios.remove(0)));
    assert!(refused.starts_with("the scenario `first` is gone since"), "{refused}");
}

#[test]
fn what_a_person_chose_for_the_run_is_no_change_of_the_scenario() {
    let begun = Begun::with(1, |run| {
        run.plan.scenarios[0].rounds = 6;
        run.plan.scenarios[0].window = 2 * run.plan.scenarios[0].window;
    });
    let Begun { environment, .. } = &begun;
    let RunPlan { rows, scenarios, .. } = &fixtures::run_record(2).plan;
    let resumed = Resumed::of(begun.folder(), Today { rows, scenarios, environment }).unwrap();
    assert_eq!(resumed.run().plan.scenarios[0].rounds, 6);
}

#[test]
fn a_row_of_the_command_line_is_in_the_plan_and_in_no_registry() {
    let given = Row::given("mine".to_owned(), vec!["./mine".to_owned()]);
    let begun = Begun::with(1, |run| {
        run.plan.rows.push(given.clone());
        run.plan.with.push("mine".to_owned());
    });
    let Begun { environment, plan, .. } = &begun;
    let today = Today { rows: &plan.rows[..2], scenarios: &plan.scenarios, environment };
    let resumed = Resumed::of(begun.folder(), today).unwrap();
    assert_eq!(resumed.run().plan.rows[2], given);
    let mut asked = plan.clone();
    asked.rows[2] = Row::given("mine".to_owned(), vec!["./another".to_owned()]);
    let refused = resumed.same_plan(&asked).unwrap_err().to_string();
    assert!(refused.starts_with("the row `mine` has changed (command) since"), "{refused}");
}

#[test]
fn options_that_ask_for_another_plan_are_refused_with_both() {
    let begun = Begun::with(1, |run| {
        let (what, reason) = ("third".to_owned(), "too few CPUs".to_owned());
        run.failures.push(Failure { what, reason, start: None });
    });
    let resumed = begun.resumed().unwrap();
    let refusal = |change: fn(&mut RunPlan)| {
        let mut asked = begun.plan.clone();
        change(&mut asked);
        resumed.same_plan(&asked).unwrap_err().to_string()
    };
    assert_eq!(
        refusal(|asked| asked.starts = 8),
        "the run was begun with 2 starts, and not with 8 starts: leave out what --resume is given beside the folder, or begin a new run"
    );
    for (refused, expected) in [
        (refusal(|asked| drop(asked.rows.pop())), "with the rows a, b, and not with the rows a:"),
        (
            refusal(|asked| drop(asked.scenarios.pop())),
            "with the scenarios first, second, and not with the scenarios first:",
        ),
        (refusal(|asked| asked.seed = 8), "with seed 7, and not with seed 8:"),
        (
            refusal(|asked| asked.scenarios[1].rounds = 3),
            "with 2 rounds of windows of 250ms in second, and not with 3 rounds of windows of 250ms in second:",
        ),
    ] {
        assert!(refused.contains(expected), "{refused}");
    }
    // One that this host is too small for was left out of the plan when the run was begun.
    let mut asked = begun.plan.clone();
    asked.scenarios.push(fixtures::scenario("third"));
    resumed.same_plan(&asked).unwrap();
}

#[test]
fn a_program_that_has_changed_or_is_gone_is_named_unless_its_row_is_out() {
    let mut begun = Begun::with(1, |_| ());
    let environment = &mut begun.environment;
    environment.programs.insert("b is made of app.js".to_owned(), "of app.js".to_owned());
    begun.folder().write_environment(&begun.environment).unwrap();
    let refusal = |begun: &Begun, part: &str, is: Option<&str>| {
        let mut programs = begun.environment.programs.clone();
        programs.remove(part);
        programs.extend(is.map(|is| (part.to_owned(), is.to_owned())));
        begun.resumed().unwrap().same_programs(&programs).err().map(|refused| refused.to_string())
    };
    assert_eq!(
        refusal(&begun, "a", Some("another")).unwrap(),
        "`a` is another file than what was measured before; build revision 0123456789abcdef as it was, or begin a new run"
    );
    assert_eq!(
        refusal(&begun, "a", None).unwrap(),
        "`a` is not there, and was measured before: build it, or begin a new run"
    );
    let of_file = "b is made of app.js";
    assert!(
        refusal(&begun, of_file, Some("another")).unwrap().starts_with("`b is made of app.js` is another")
    );
    assert!(refusal(&begun, of_file, None).unwrap().starts_with("`b is made of app.js` is not there"));
    assert!(refusal(&begun, "b uses helper", Some("new")).unwrap().starts_with("`b uses helper` is another"));
    // A row that nobody knows, and one whose build was cut short, were not measured.
    assert_eq!(refusal(&begun, "c", Some("new")), None);
    begun.environment.programs.remove("a");
    begun.folder().write_environment(&begun.environment).unwrap();
    assert_eq!(refusal(&begun, "a", Some("new")), None);

    let is_out_since = |start| {
        let mut run = fixtures::run_record(2);
        let reason = "is out of the race".to_owned();
        run.failures.push(Failure { what: "b".to_owned(), reason, start: Some(start) });
        begun.folder().write_run(&run).unwrap();
    };
    is_out_since(0);
    assert_eq!(refusal(&begun, "b", None), None);
    // A start that was cut short puts no row out.
    is_out_since(1);
    assert!(refusal(&begun, "b", None).is_some());
}
