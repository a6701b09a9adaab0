//! `harness merge` on real files: what it prints, what it writes, and how it refuses.

use std::{path::Path, process::Stdio, time::Duration};

use stats::{
    Histogram, Quantile,
    hdr_log::{HdrLog, TimeRange},
};
use tempfile::TempDir;

/// A log that another program wrote: 1 ms three times, 2.5 ms twice and 10 s once, without a tag.
const FOREIGN: &str = "\
#[Logged with something else]
#[Histogram log format version 1.2]
#[StartTime: 1700000001.000 (seconds since epoch), Tue Nov 14 22:13:21 UTC 2023]
\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"
0.000,4.000,10003.415,HISTFAAAAC14nJNpmSzMwMDAzQABzFCaEch0M9ixgMH+A0Tg4DpGtsMiLEf3MzIBAJncCC4=
";

/// Runs `harness merge` in the folder and returns what it printed, the errors last.
fn merged(folder: &TempDir, arguments: &[&str]) -> String {
    let output = host::tether::command(env!("CARGO_BIN_EXE_harness"))
        .arg("merge")
        .args(arguments)
        .env("LC_ALL", "C.UTF-8")
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    format!("exit code {}\n{}", output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

/// `count` response times of an even spread from `from_us` to `to_us` microseconds.
fn spread(count: u64, from_us: u64, to_us: u64) -> Histogram {
    let mut histogram = Histogram::new();
    (0..count).for_each(|i| histogram.record_ns(1_000 * (from_us + (to_us - from_us) * i / count)));
    histogram
}

fn log(start_s: f64, tagged: &[(&str, Histogram)]) -> HdrLog {
    let mut log = HdrLog::new(Some(TimeRange { start_s, end_s: start_s + 4.0 }));
    tagged.iter().for_each(|(tag, histogram)| log.add(tag, histogram));
    log
}

fn save(folder: &TempDir, name: &str, log: &HdrLog) {
    let mut file = std::fs::File::create(folder.path().join(name)).unwrap();
    log.write(&mut file).unwrap();
}

fn load(path: &Path) -> HdrLog {
    HdrLog::read(&std::fs::read(path).unwrap()).unwrap()
}

/// Two generators that ran together: a fast half and a slow half, of which some was never answered.
fn two_generators() -> TempDir {
    let folder = TempDir::new().unwrap();
    let mut unanswered = Histogram::new();
    (0..20).for_each(|_| unanswered.record(Duration::from_secs(5)));
    let none = Histogram::new();
    let fast = [("simple.response", spread(9_000, 1_000, 2_000)), ("simple.unanswered", none.clone())];
    let slow = [("simple.response", spread(980, 10_000, 20_000)), ("simple.unanswered", unanswered)];
    let mut a = log(1_700_000_000.0, &fast);
    a.add("simple.lag", &spread(9_000, 20, 60));
    a.comment("seed 7");
    let mut b = log(1_700_000_000.1, &slow);
    b.add("simple.lag", &none);
    save(&folder, "a.hlog", &a);
    save(&folder, "b.hlog", &b);
    folder
}

#[test]
fn help_teaches_by_example() {
    insta::assert_snapshot!("help_merge", merged(&TempDir::new().unwrap(), &["--help"]));
}

#[test]
fn two_generators_become_one_table_for_each_tag() {
    insta::assert_snapshot!("merge_two", merged(&two_generators(), &["a.hlog", "b.hlog"]));
}

#[test]
fn percentiles_are_those_of_the_sum_and_not_averages() {
    let folder = two_generators();
    let printed = merged(&folder, &["a.hlog", "b.hlog", "-o", "all.hlog"]);
    assert!(printed.starts_with("exit code 0\n"), "{printed}");
    let all = load(&folder.path().join("all.hlog"));
    let times = all.response_times("simple").unwrap();
    assert_eq!((times.len(), times.censored()), (10_000, 20));
    // Nine of ten are within the fast half; the average of both p90s would be over 10 ms.
    let exactly = |q: f64, us: f64| match times.quantile(q).unwrap() {
        Quantile::Exactly(ns) => (ns as f64 / 1e3 / us - 1.0).abs() < 0.002,
        Quantile::AtLeast(_) => false,
    };
    assert!(exactly(0.5, 1_555.0) && exactly(0.9, 2_000.0));
    assert!(exactly(0.95, 15_100.0) && times.quantile(0.999).unwrap().is_bound());
    assert_eq!(all.comments(), ["merged from a.hlog", "a.hlog: seed 7", "merged from b.hlog"]);
    assert_eq!(all.range(), Some(TimeRange { start_s: 1_700_000_000.0, end_s: 1_700_000_004.1 }));
}

#[test]
fn merging_in_steps_and_in_any_order_gives_the_same_sums() {
    let folder = two_generators();
    save(&folder, "c.hlog", &log(1_700_000_000.0, &[("simple.response", spread(500, 3_000, 9_000))]));
    for arguments in [
        &["a.hlog", "b.hlog", "-o", "ab.hlog"][..],
        &["c.hlog", "ab.hlog", "-o", "stepped.hlog"],
        &["b.hlog", "c.hlog", "a.hlog", "-o", "at-once.hlog"],
    ] {
        assert!(merged(&folder, arguments).starts_with("exit code 0\n"));
    }
    let [stepped, at_once] = ["stepped.hlog", "at-once.hlog"].map(|name| load(&folder.path().join(name)));
    for (tag, histogram) in stepped.tagged() {
        assert_eq!(at_once.histogram(tag), Some(histogram), "{tag}");
    }
}

#[test]
fn a_log_of_another_tool_is_merged_with_a_warning_about_its_unit() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("foreign.hlog"), FOREIGN).unwrap();
    save(&folder, "own.hlog", &log(1_700_000_001.0, &[("", spread(1_000, 2_000, 3_000))]));
    insta::assert_snapshot!("merge_foreign", merged(&folder, &["foreign.hlog", "own.hlog"]));
}

#[test]
fn a_log_is_merged_whichever_way_its_text_is_written() {
    let folder = TempDir::new().unwrap();
    let commas =
        FOREIGN.replace("0.000,4.000,10003.415", "0,000,4,000,10003,415").replace("1.000 (", "1,000 (");
    let utf_16: Vec<u8> = format!("\u{feff}{commas}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    write("marked.hlog", format!("\u{feff}{}", FOREIGN.replace('\n', "\r\n")).as_bytes());
    write("net.hlog", &utf_16);
    write("latin.hlog", &[b"#caf\xe9\n", FOREIGN.as_bytes()].concat());
    let printed = merged(&folder, &["marked.hlog", "net.hlog", "latin.hlog", "-o", "all.hlog"]);
    assert!(printed.starts_with("exit code 0\n") && printed.contains("caf\u{e9}"), "{printed}");
    assert!(printed.contains("(no tag): 18 values"), "{printed}");
    let all = load(&folder.path().join("all.hlog"));
    assert_eq!(all.histogram("").map(Histogram::len), Some(18));
    write("cut.hlog", &utf_16[..utf_16.len() - 40]);
    let printed = merged(&folder, &["cut.hlog"]);
    assert!(printed.contains("cut.hlog: line 5: the log is cut short here"), "{printed}");
}

#[test]
fn where_the_locale_is_not_utf_8_the_micro_sign_is_a_letter() {
    let folder = two_generators();
    let mut command = host::tether::command(env!("CARGO_BIN_EXE_harness"));
    let output = command.args(["merge", "a.hlog"]).env("LC_ALL", "C").current_dir(&folder).output().unwrap();
    assert!(
        output.stdout.is_ascii() && String::from_utf8_lossy(&output.stdout).contains("39.01us"),
        "{output:?}"
    );
}

#[test]
fn what_makes_a_sum_doubtful_is_said() {
    let folder = two_generators();
    let late =
        [("simple.response", spread(100, 1_000, 2_000)), ("complex.response", spread(100, 6_000, 9_000))];
    save(&folder, "late.hlog", &log(1_700_000_010.0, &late));
    save(&folder, "overlapping.hlog", &log(1_700_000_002.0, &late));
    let mut untimed = HdrLog::new(None);
    untimed.add("simple.response", &spread(10, 1_000, 2_000));
    save(&folder, "untimed.hlog", &untimed);
    std::fs::copy(folder.path().join("a.hlog"), folder.path().join("copy.hlog")).unwrap();
    let warnings = |arguments: &[&str]| {
        let printed = merged(&folder, arguments);
        assert!(printed.starts_with("exit code 0\n"), "{printed}");
        let warnings: Vec<_> = printed.lines().filter(|line| line.starts_with("warning: ")).collect();
        format!("{}\n{}\n", arguments.join(" "), warnings.join("\n"))
    };
    let all = [
        warnings(&["a.hlog", "b.hlog"]),
        warnings(&["a.hlog", "late.hlog"]),
        warnings(&["a.hlog", "overlapping.hlog"]),
        warnings(&["a.hlog", "untimed.hlog"]),
        warnings(&["a.hlog", "a.hlog"]),
        warnings(&["a.hlog", "copy.hlog"]),
    ];
    insta::assert_snapshot!("merge_warnings", all.join("\n"));
}

#[test]
fn the_same_log_twice_counts_once() {
    let printed = merged(&two_generators(), &["a.hlog", "a.hlog"]);
    assert!(printed.contains("\nsimple.response: 9000 values\n"), "{printed}");
}

#[test]
fn a_server_that_never_answered_has_bounds_only() {
    let folder = TempDir::new().unwrap();
    let mut unanswered = Histogram::new();
    (0..40).for_each(|_| unanswered.record(Duration::from_secs(2)));
    save(&folder, "dead.hlog", &log(1_700_000_000.0, &[("simple.unanswered", unanswered)]));
    insta::assert_snapshot!("merge_unanswered", merged(&folder, &["dead.hlog"]));
}

#[test]
fn what_is_no_log_is_refused_by_name_and_line() {
    let folder = two_generators();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    write("empty.hlog", b"");
    write("binary.hlog", &[0x7f, b'E', b'L', b'F', 0xff, 0, 1]);
    let a = std::fs::read(folder.path().join("a.hlog")).unwrap();
    write("cut.hlog", &a[..a.len() - 30]);
    let all = [
        merged(&folder, &[]),
        merged(&folder, &["nowhere.hlog"]),
        merged(&folder, &["empty.hlog"]),
        merged(&folder, &["binary.hlog"]),
        merged(&folder, &["a.hlog", "cut.hlog"]),
        merged(&folder, &["/dev/zero"]),
        merged(&folder, &["a.hlog", "b.hlog", "-o", "./b.hlog"]),
        merged(&folder, &["a.hlog", "-o", "nowhere/all.hlog"])
            .lines()
            .filter(|l| !l.starts_with(['|', ' ']))
            .collect::<Vec<_>>()
            .join("\n"),
    ];
    insta::assert_snapshot!("merge_refusals", all.join("\n"));
    assert_eq!(load(&folder.path().join("b.hlog")).tagged().count(), 3, "it was overwritten");
}
