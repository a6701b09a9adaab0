//! The files that a run's folder has beside its records: pages, tables, pictures, latencies and schemas. All of them follow from the
//! records, and are the same bytes whenever they are made.

use std::{collections::BTreeSet, io};

use race::records::{
    folder::{Contents, Folder},
    made::File,
};

use crate::{
    counts::kept::lines,
    model::{Report, Section, file_name},
    pages::hdr,
    render::{csv, html, markdown, summary, svg},
    schemas::schemas,
};

/// The files, pages first.
pub fn of(contents: &Contents, report: &Report) -> Vec<File> {
    let mut made = Made::default();
    made.page("report.md", markdown::report(report));
    made.page("report.html", html::page(report));
    made.page("summary.md", summary::of(report));
    if let Some(deviations) = markdown::deviations(report) {
        made.page("deviations.md", deviations);
    }
    for table in report.choices().into_iter().chain([&report.rows]) {
        made.add("tables", &table.id, "csv", csv::table(table));
    }
    report.sections.iter().for_each(|section| made.of_section(section));
    for scenario in contents.run.plan.compared() {
        for line in lines(scenario, contents) {
            if let Some(log) = hdr::log(scenario, &line) {
                made.add("hdr", &format!("{}.{}", scenario.name, line.label()), "hlog", log);
            }
        }
    }
    for (name, schema) in schemas() {
        made.add("schema", name, "json", format!("{schema:#}\n"));
    }
    made.files
}

/// Makes the folder hold these files of its records, and none of others. Where one cannot be written, all are what they were.
///
/// # Errors
/// The disk is full, or the folder may not be written to; the message names the file.
pub fn write(folder: &Folder, contents: &Contents, report: &Report) -> io::Result<()> {
    folder.write_made(&of(contents, report))
}

#[derive(Default)]
struct Made {
    files: Vec<File>,
    taken: BTreeSet<String>,
}

impl Made {
    fn page(&mut self, name: &str, text: String) {
        self.files.push(File::text(name, text));
    }

    fn of_section(&mut self, section: &Section) {
        for table in section.tables() {
            self.add("tables", &format!("{}.{}", section.name, table.id), "csv", csv::table(table));
        }
        for plot in &section.plots {
            self.add("plots", &format!("{}.{}", section.name, plot.id), "svg", svg::standalone(plot));
        }
    }

    /// Adds a file of a folder. Two names that come to one, such as `a.b` under `c` and `b` under `c.a`, are told apart by a number.
    fn add(&mut self, folder: &str, name: &str, extension: &str, content: impl Into<Vec<u8>>) {
        let name = file_name(name);
        let path = |number: u32| match number {
            1 => format!("{folder}/{name}.{extension}"),
            _ => format!("{folder}/{name}-{number}.{extension}"),
        };
        let free = (1..).map(path).find(|path| self.taken.insert(path.clone()));
        self.files.extend(free.map(|path| File { path, content: content.into() }));
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use race::fixtures::run::write as write_records;
    use stats::hdr_log::HdrLog;

    use super::*;
    use crate::{
        made_up::{around, raced, windows},
        whole,
    };

    fn run() -> Contents {
        raced("mixed", &["work-stealing", "rayon-offload", "ceiling"], (6, 2), |_| around(800))
    }

    fn made(contents: &Contents) -> Vec<File> {
        of(contents, &whole::of(contents))
    }

    fn paths(files: &[File]) -> Vec<&str> {
        files.iter().map(|file| file.path.as_str()).collect()
    }

    #[test]
    fn a_folder_is_made_whole_and_again_byte_for_byte() {
        let parent = tempfile::tempdir().unwrap();
        let folder = write_records(&run(), &parent.path().join("run")).unwrap();
        let contents = folder.contents().unwrap();
        let files = made(&contents);
        folder.write_made(&files).unwrap();
        assert_eq!(folder.difference(&made(&folder.contents().unwrap())), None);
        for path in [
            "report.md",
            "report.html",
            "summary.md",
            "deviations.md",
            "tables/choices.csv",
            "tables/rows.csv",
            "tables/mixed.figures.csv",
            "plots/mixed.dots.svg",
            "hdr/mixed.work-stealing.hlog",
            "hdr/mixed.work-stealing%20%28again%29.hlog",
            "schema/environment.json",
            "schema/report.json",
            "schema/run.json",
            "schema/windows.json",
        ] {
            assert!(paths(&files).contains(&path), "no {path} in {:?}", paths(&files));
            assert!(folder.path().join(path).is_file(), "{path}");
        }
        assert!(paths(&files)[0] == "report.md", "the page that people read first is written first");
    }

    #[test]
    fn latencies_are_those_of_the_windows_that_count_start_by_start() {
        let mut contents = run();
        let last = windows(&mut contents).filter(|window| window.row == "rayon-offload").last().unwrap();
        last.verdict = race::records::window::Verdict::Invalid { reasons: vec!["late".to_owned()] };
        let files = made(&contents);
        let log = files.iter().find(|file| file.path == "hdr/mixed.rayon-offload.hlog").unwrap();
        let text = String::from_utf8(log.content.clone()).unwrap();
        let intervals =
            |tag: &str| text.lines().filter(|line| line.starts_with(&format!("Tag={tag},"))).count();
        assert_eq!((intervals("simple.response"), intervals("simple.unanswered")), (6, 6), "{text}");
        let read = HdrLog::read(&log.content).unwrap();
        assert_eq!(read.histogram("simple.response").unwrap().len(), 11 * 500);
        assert!(read.histogram("simple.unanswered").unwrap().is_empty());
        assert!(read.range().is_some() && read.states_unit());
        assert!(
            text.contains("# rayon-offload under mixed: the 11 windows that count, of 6 starts"),
            "{text}"
        );
    }

    #[test]
    fn hostile_names_are_names_of_files_and_none_is_taken_twice() {
        let names = ["../../x", "<script>|\"%", "\u{202e}a\u{0}\n", "."].map(str::to_owned);
        let long = "é".repeat(500);
        let mut contents = run();
        let rows = contents.run.plan.rows.clone();
        contents.run.plan.rows = names
            .iter()
            .chain([&long])
            .map(|name| race::registry::Row { name: name.clone(), ..rows[0].clone() })
            .collect();
        contents.run.plan.scenarios[0].name = "../mixed".to_owned();
        windows(&mut contents).for_each(|window| window.scenario = "../mixed".to_owned());
        for start in &mut contents.measurements.complete {
            let first = start.windows.iter().filter(|window| window.row == "work-stealing" && !window.twin);
            let first: Vec<_> = first.cloned().collect();
            start.windows = names
                .iter()
                .chain([&long])
                .flat_map(|name| {
                    first
                        .iter()
                        .cloned()
                        .map(|window| race::records::window::WindowRecord { row: name.clone(), ..window })
                })
                .collect();
            start.servers.clear();
        }
        let files = made(&contents);
        let logs: BTreeSet<&str> =
            paths(&files).into_iter().filter(|path| path.starts_with("hdr/")).collect();
        assert_eq!(logs.len(), 5, "{logs:?}");
        let parent = tempfile::tempdir().unwrap();
        let folder = write_records(&contents, &parent.path().join("run")).unwrap();
        folder.write_made(&files).unwrap();
        assert_eq!(folder.difference(&files), None);
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);
        for path in paths(&files) {
            let mut parts = Path::new(path).components();
            assert!(parts.clone().count() <= 2 && path.len() < 200, "{path}");
            assert!(parts.all(|part| matches!(part, std::path::Component::Normal(_))), "{path}");
        }
    }

    #[test]
    fn names_that_come_to_one_are_told_apart() {
        let mut made = Made::default();
        made.add("hdr", "a.b.c", "hlog", "1");
        made.add("hdr", "a.b.c", "hlog", "2");
        assert_eq!(paths(&made.files), ["hdr/a.b.c.hlog", "hdr/a.b.c-2.hlog"]);
    }

    #[test]
    fn a_run_with_nothing_measured_has_its_pages_and_no_latencies() {
        let mut contents = run();
        contents.measurements = race::records::log::Measurements::default();
        let files = made(&contents);
        assert!(
            paths(&files).contains(&"report.md")
                && !paths(&files).iter().any(|path| path.starts_with("hdr/"))
        );
    }
}
