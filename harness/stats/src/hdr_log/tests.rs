use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use proptest::prelude::*;

use super::*;
use crate::censored::Quantile;
use crate::histogram::{HIGHEST_NS, LOWEST_NS};

/// As another tool writes it, with another program than this crate's encoder: 1 ms three times, 2.5 ms twice and 10 s
/// once, up to an hour at 3 digits.
const FOREIGN: &str = "\
#[Logged with something else]\r
#[Histogram log format version 1.2]\r
#[StartTime: 1441812279.474 (seconds since epoch), Wed Sep 09 08:24:39 PDT 2015]\r
\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\r
0.127,1.007,10003.415,HISTFAAAAC14nJNpmSzMwMDAzQABzFCaEch0M9ixgMH+A0Tg4DpGtsMiLEf3MzIBAJncCC4=\r
Tag=A,1.127,2.000,1.000,HISTEwAAAAQAAAAAAAAAAwAAAAAAAAABAAADRjC4oAA/8AAAAAAAAMGuAQI=\r
1.134,3.000,10003.415,HISTFAAAAC14nJNpmSzMwMDAzQABzFCaEch0M9ixgMH+A0Tg4DpGtsMiLEf3MzIBAJncCC4=\r
";

fn recorded(values_ns: &[u64]) -> Histogram {
    let mut histogram = Histogram::new();
    values_ns.iter().for_each(|&ns| histogram.record_ns(ns));
    histogram
}

fn text(log: &HdrLog) -> String {
    let mut bytes = Vec::new();
    log.write(&mut bytes).expect("memory");
    String::from_utf8(bytes).expect("text")
}

fn problem(text: &str) -> (usize, Problem) {
    match HdrLog::read(text.as_bytes()) {
        Err(LogError::Line { line, problem }) => (line, problem),
        other => panic!("{other:?}"),
    }
}

fn with_counts(counts: &str) -> String {
    format!("#values in nanoseconds\n0.0,1.0,1.0,{counts}\n")
}

#[test]
fn a_log_of_another_tool_is_read_and_its_intervals_added_up() {
    let log = HdrLog::read(FOREIGN.as_bytes()).expect("a log");
    let untagged = log.histogram("").expect("no tag");
    let cells: Vec<_> = untagged.recorded().collect();
    assert_eq!(cells.iter().map(|&(_, count)| count).collect::<Vec<_>>(), [6, 4, 2]);
    for ((high, _), exact) in cells.into_iter().zip([1e6, 2.5e6, 1e10]) {
        assert!((0.0..=0.001).contains(&(high as f64 / exact - 1.0)), "{high} for {exact}");
    }
    assert_eq!(log.histogram("A").map(Histogram::len), Some(1));
    assert!(!log.states_unit());
    let range = log.range().expect("a start time");
    assert!((range.start_s - 1_441_812_279.601).abs() < 1e-6, "{range:?}");
    assert!((range.end_s - 1_441_812_283.608).abs() < 1e-6, "{range:?}");
}

#[test]
fn what_is_written_is_read_by_the_formats_own_reader() {
    let mut log = HdrLog::new(Some(TimeRange { start_s: 1_700_000_000.25, end_s: 1_700_000_004.5 }));
    log.comment("two\nlines");
    log.add("simple.response", &recorded(&[5_000, 7_000_000]));
    let text = text(&log);
    let entries: Vec<_> =
        IntervalLogIterator::new(text.as_bytes()).map(|entry| entry.expect("a line")).collect();
    let [LogEntry::StartTime(start), LogEntry::BaseTime(_), LogEntry::Interval(interval)] =
        entries.as_slice()
    else {
        panic!("{entries:?}")
    };
    assert_eq!(*start, Duration::from_millis(1_700_000_000_250));
    assert_eq!(interval.tag().map(|tag| tag.as_str()), Some("simple.response"));
    assert_eq!(interval.duration(), Duration::from_millis(4_250));
    // In milliseconds, and at most 0.1% above it.
    assert!((7.0..7.007).contains(&interval.max()), "{}", interval.max());
    assert!(text.contains("#values in nanoseconds") && text.contains("# lines\n"), "{text}");
}

#[test]
fn stretches_of_a_recording_are_intervals_that_are_read_back_as_their_sum() {
    let stretch = |start_s: f64, values: &[u64]| {
        let mut log = HdrLog::new(Some(TimeRange { start_s, end_s: start_s + 2.0 }));
        log.add("simple.response", &recorded(values));
        log
    };
    let stretches = [stretch(1_700_000_010.0, &[5_000, 10]), stretch(1_700_000_000.5, &[7_000, 10, 20])];
    let mut bytes = Vec::new();
    HdrLog::write_intervals(&stretches, &mut bytes).expect("memory");
    let intervals: Vec<_> = IntervalLogIterator::new(&bytes)
        .filter_map(|entry| match entry.expect("a line") {
            LogEntry::Interval(interval) => Some((interval.start_timestamp(), interval.duration())),
            _ => None,
        })
        .collect();
    let ms = Duration::from_millis;
    assert_eq!(intervals, [(ms(9_500), ms(2_000)), (ms(0), ms(2_000))]);
    let read = HdrLog::read(&bytes).expect("its own text");
    let mut sum = HdrLog::new(None);
    stretches.iter().for_each(|stretch| sum.merge(stretch));
    assert_eq!(read, sum);
    assert_eq!(read.histogram("simple.response").map(Histogram::clamped_below), Some(3));
}

#[test]
fn the_unanswered_keep_their_longer_than_through_file_and_merging() {
    let mut one = HdrLog::new(None);
    one.add(&HdrLog::tag("simple", RESPONSE), &recorded(&[1_000_000; 99]));
    one.add(&HdrLog::tag("simple", UNANSWERED), &recorded(&[5_000_000_000]));
    let mut merged = HdrLog::read(text(&one).as_bytes()).expect("its own text");
    merged.merge(&one);
    let times = merged.response_times("simple").expect("both tags");
    assert_eq!((times.len(), times.censored()), (200, 2));
    assert!(matches!(times.quantile(0.99), Some(Quantile::Exactly(_))));
    assert!(matches!(times.quantile(0.999), Some(Quantile::AtLeast(ns)) if ns > 4_900_000_000));
    assert_eq!(merged.response_times("complex"), None);
}

#[test]
fn clamped_values_are_still_known_to_be_clamped() {
    let mut log = HdrLog::new(None);
    log.add("a wait, 100%", &recorded(&[0, 10, 5_000, 90_000_000_000]));
    let back = HdrLog::read(text(&log).as_bytes()).expect("its own text");
    let histogram = back.histogram("a wait, 100%").expect("the tag");
    assert_eq!((histogram.clamped_below(), histogram.clamped_above()), (2, 1));
    assert_eq!(back, log);
    let lie = text(&log).replace("above=1", "above=2");
    assert!(matches!(problem(&lie), (3, Problem::Clamped(_))));
    assert!(matches!(problem("#[Clamped: a]\n"), (1, Problem::Clamped(_))));
}

#[test]
fn ranges_meet_for_as_long_as_both_last() {
    let range = |start_s, end_s| TimeRange { start_s, end_s };
    assert_eq!(range(10.0, 20.0).overlap_s(&range(15.0, 30.0)), 5.0);
    assert_eq!(range(10.0, 20.0).overlap_s(&range(20.0, 30.0)), 0.0);
    assert_eq!(range(10.0, 20.0).overlap_s(&range(25.0, 30.0)), 0.0);
    let epoch = TimeRange::new(UNIX_EPOCH + Duration::from_secs(3), Duration::from_millis(500));
    assert_eq!(epoch, range(3.0, 3.5));
}

#[test]
fn the_same_tag_in_two_logs_is_added_up_and_the_range_includes_both() {
    let at = |start_s| Some(TimeRange { start_s, end_s: start_s + 4.0 });
    let (mut one, mut other) = (HdrLog::new(at(100.0)), HdrLog::new(at(101.5)));
    one.add("a", &recorded(&[2_000]));
    other.add("b", &recorded(&[3_000]));
    other.add("a", &recorded(&[4_000, 4_000]));
    one.merge(&other);
    let tags: Vec<_> = one.tagged().map(|(tag, histogram)| (tag, histogram.len())).collect();
    assert_eq!(tags, [("a", 3), ("b", 1)]);
    assert_eq!(one.range(), Some(TimeRange { start_s: 100.0, end_s: 105.5 }));
}

#[test]
fn an_empty_text_holds_no_histogram() {
    for text in ["", "\n\n", "#values in nanoseconds\n", "\"StartTimestamp\",\"Interval_Length\"\n"] {
        assert_eq!(HdrLog::read(text.as_bytes()), Err(LogError::Empty));
    }
}

#[test]
fn a_log_cut_anywhere_is_said_to_be_cut_short_or_ends_between_lines() {
    let mut log = HdrLog::new(Some(TimeRange { start_s: 1e9, end_s: 1e9 + 4.0 }));
    log.add("simple.response", &recorded(&[5_000, 7_000_000]));
    log.add("simple.unanswered", &recorded(&[5_000_000_000]));
    let text = text(&log);
    let first_histogram = text.find("Tag=").expect("a tag");
    let second_histogram = text.rfind("Tag=").expect("a tag");
    for end in first_histogram + 1..text.len() - 1 {
        let read = HdrLog::read(&text.as_bytes()[..end]);
        if end == second_histogram - 1 || end == second_histogram {
            assert_eq!(read.map(|log| log.tagged().count()), Ok(1));
        } else {
            assert!(matches!(read, Err(LogError::CutShort { line: 6 | 7, .. })), "{end}: {read:?}");
        }
    }
}

#[test]
fn damaged_lines_say_what_is_wrong_and_where() {
    use Problem::*;
    type Expected = fn(&Problem) -> bool;
    let cases: [(String, usize, Expected); 15] = [
        ("\u{7f}ELF\u{1}\n".into(), 1, |p| matches!(p, NotText)),
        ("\n\n0.0,1.0\n".into(), 3, |p| matches!(p, Fields { found: 2 })),
        ("Tag=a\n".into(), 1, |p| matches!(p, Fields { found: 0 })),
        ("soon,1.0,1.0,x\n".into(), 1, |p| matches!(p, Number { field: "timestamp", .. })),
        ("0.0,-1.0,1.0,x\n".into(), 1, |p| matches!(p, Number { field: "interval length", .. })),
        ("0.0,1.0,NaN,x\n".into(), 1, |p| matches!(p, Number { field: "interval maximum", .. })),
        ("#[StartTime: 1e300 (seconds)]\n".into(), 1, |p| matches!(p, Number { .. })),
        (with_counts("HIS!"), 2, |p| matches!(p, Base64(_))),
        (with_counts(""), 2, |p| matches!(p, Cut)),
        (with_counts("AAAAAAAAAAA="), 2, |p| matches!(p, Cookie(0))),
        (with_counts("HISTFAAAAC14"), 2, |p| matches!(p, Cut)),
        (with_counts("HISTFAAAAAN4nJM="), 2, |p| matches!(p, Deflate(_))),
        // A payload that says it is of 4 GB.
        (with_counts("HISTFAAAACF4nJNpmSz8////DwwQwAylGYFMN4MdCxjsoTJMAN36CDo="), 2, |p| matches!(p, Cut)),
        // 70 seconds.
        (
            with_counts("HISTFAAAACV4nJNpmSzMwMDAwgABzFCaEch0M9ixgMH+A0Rg6QZmNgBkqQWt"),
            2,
            |p| matches!(p, TooLong { ns } if (69_900_000_000..70_000_000_001).contains(ns)),
        ),
        // 1 ms at two digits.
        (
            with_counts("HISTFAAAACR4nJNpmSzMwMDAzAABTFCaESjkZrBjAYP9B4jAc2k2AF5bBVU="),
            2,
            |p| matches!(p, Resolution { low, high } if (*low..=*high).contains(&1_000_000)),
        ),
    ];
    for (text, line, expected) in cases {
        let (at, problem) = problem(&text);
        assert!(at == line && expected(&problem), "{text:?}: line {at}: {problem:?}");
    }
    assert!(matches!(HdrLog::read(b"\xff\xff\0\n"), Err(LogError::Line { line: 1, problem: NotText })));
}

#[test]
fn a_unit_of_a_microsecond_is_taken_where_it_is_fine_enough() {
    // 5 ms: cells of 4,096 ns in both. 5 us: cells of 512 ns against 4.
    let log =
        HdrLog::read(with_counts("HISTFAAAACR4nJNpmSzMwMDAzAABUJr5BRC7GexYwGD/ASLS7swGAG/yBgg=").as_bytes());
    assert_eq!(log.expect("fine enough").histogram("").map(Histogram::len), Some(3));
    let coarse = problem(&with_counts("HISTFAAAACN4nJNpmSzMwMDAxAABzFDqBRC7GexYwGD/ASIiyAYAaJ4FTg=="));
    assert_eq!(coarse, (2, Problem::Resolution { low: 4_608, high: 5_119 }));
}

#[test]
fn values_in_no_known_unit_are_refused() {
    // 2,500 of something, whose maximum is stated to be 2.5 of something else: microseconds and milliseconds.
    let line = "0.0,1.0,2.500,HISTFAAAACN4nJNpmSzMwMDAzAABMJoRyHQz2LGAwf4DROCwMhsAXhsFOg==\n";
    let (at, problem) = problem(line);
    assert!(at == 1 && matches!(problem, Problem::Unit { max: 2_501, .. }), "{problem:?}");
    let stated = format!("#Values in nanoseconds\n{line}");
    assert!(HdrLog::read(stated.as_bytes()).expect("a log").states_unit());
}

#[test]
fn a_small_file_that_would_take_much_memory_is_refused() {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use std::io::Write as _;
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    zlib.write_all(&vec![0; 20 << 20]).expect("memory");
    let compressed = zlib.finish().expect("memory");
    let frame =
        [&0x1c84_9314_u32.to_be_bytes(), &(compressed.len() as u32).to_be_bytes(), compressed.as_slice()];
    assert_eq!(problem(&with_counts(&STANDARD.encode(frame.concat()))), (2, Problem::TooLarge));

    let line = "1.000,HISTEwAAAAQAAAAAAAAAAwAAAAAAAAABAAADRjC4oAA/8AAAAAAAAMGuAQI=";
    let many: String = (0..=MOST_TAGS).map(|i| format!("Tag={i},0.0,1.0,{line}\n")).collect();
    assert_eq!(problem(&many), (MOST_TAGS + 1, Problem::TooManyTags));
}

#[test]
fn timestamps_are_dates_or_counted_from_the_header() {
    let line = "1.0,1.000,HISTEwAAAAQAAAAAAAAAAwAAAAAAAAABAAADRjC4oAA/8AAAAAAAAMGuAQI=\n";
    let start = |header: &str, timestamp: &str| {
        let log = HdrLog::read(format!("{header}{timestamp},{line}").as_bytes()).expect("a log");
        log.range().map(|range| range.start_s)
    };
    assert_eq!(start("", "5.0"), None);
    assert_eq!(start("", "1600000000.5"), Some(1_600_000_000.5));
    assert_eq!(start("#[StartTime: 1600000000 (seconds)]\n", "5.0"), Some(1_600_000_005.0));
    assert_eq!(start("#[StartTime: 1600000000 (seconds)]\n", "1600000007.0"), Some(1_600_000_007.0));
    assert_eq!(start("#[BaseTime: 1500000000 (seconds)]\n", "5.0"), Some(1_500_000_005.0));
}

proptest! {
    #[test]
    fn what_is_written_is_read_back_whole(
        tagged in prop::collection::btree_map("\\PC{0,12}|[ ,%\n\r.A-C0-9]{0,8}", prop::collection::vec(any::<u64>(), 0..8), 1..6),
        comments in prop::collection::vec("[ -~]{0,20}", 0..3),
        start_ms in prop::option::of(0_u64..4_000_000_000_000), length_ms in 0_u64..1_000_000,
    ) {
        let range = start_ms.map(|ms| TimeRange {
            start_s: ms as f64 / 1e3, end_s: (ms + length_ms) as f64 / 1e3,
        });
        let mut log = HdrLog::new(range);
        comments.iter().for_each(|comment| log.comment(comment));
        for (tag, values) in &tagged {
            log.add(tag, &recorded(values));
        }
        let back = HdrLog::read(text(&log).as_bytes()).expect("its own text");
        prop_assert_eq!(back.tagged().collect::<Vec<_>>(), log.tagged().collect::<Vec<_>>());
        let starts = back.range().map(|range| (range.start_s * 1e3).round() as u64);
        prop_assert_eq!(starts, start_ms);
        prop_assert!(back.states_unit());
    }

    #[test]
    fn damage_never_panics(
        values in prop::collection::vec(any::<u64>(), 0..8),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut log = HdrLog::new(None);
        log.add("a", &recorded(&values));
        let mut bytes = text(&log).into_bytes();
        for (index, byte) in damage {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = HdrLog::read(&bytes);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = HdrLog::read(&bytes);
        let _ = HdrLog::read(with_counts(&STANDARD.encode(bytes)).as_bytes());
    }

    #[test]
    fn no_header_or_counts_of_a_histogram_make_it_panic(
        offset in prop_oneof![Just(0_u32), any::<u32>()], digits in 0_u32..8,
        low in prop_oneof![1_u64..5_000, any::<u64>()], high in prop_oneof![Just(HIGHEST_NS), any::<u64>()],
        ratio in prop_oneof![Just(1.0_f64), any::<f64>()], counts in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let fields = [0x1c84_9313, counts.len() as u32, offset, digits].map(u32::to_be_bytes).concat();
        let bounds = [low.to_be_bytes(), high.to_be_bytes(), ratio.to_be_bytes()].concat();
        let frame = STANDARD.encode([fields, bounds, counts].concat());
        if let Ok(log) = HdrLog::read(with_counts(&frame).as_bytes()) {
            let _ = (log.histogram("").map(|histogram| histogram.quantile_ns(0.5)), text(&log));
        }
    }
}

proptest! {
    // Fewer than usual: every case decodes and walks tens of thousands of cells.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_histogram_of_at_least_our_resolution_comes_in_without_loss(
        values in prop::collection::vec(LOWEST_NS..HIGHEST_NS, 1..30), digits in 3_u8..5,
    ) {
        let mut foreign = hdrhistogram::Histogram::<u64>::new_with_bounds(1, 3_600_000_000_000, digits).expect("bounds");
        values.iter().for_each(|&ns| foreign.record(ns).expect("within the bounds"));
        let mut bytes = Vec::new();
        hdrhistogram::serialization::Serializer::serialize(
            &mut hdrhistogram::serialization::V2DeflateSerializer::new(), &foreign, &mut bytes,
        ).expect("memory");
        let log = HdrLog::read(with_counts(&STANDARD.encode(bytes)).as_bytes()).expect("a log");
        prop_assert_eq!(log.histogram(""), Some(&recorded(&values)));
    }
}
