//! Logs as other tools write them, in every encoding and every way of writing text that is about.
//!
//! Lines that are said to be a program's are what that program printed; frames in V0 and V1 are made here, from the format.

use std::io::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use proptest::prelude::*;

use super::{HdrLog, LogError, Problem};
use crate::histogram::Histogram;

/// What most logs here hold: 1 ms three times, 2.5 ms twice and 10 s once.
const VALUES: [(u64, u64); 3] = [(1_000_000, 3), (2_500_000, 2), (10_000_000_000, 1)];

/// HdrHistogram 2.1.11 for Java.
const JAVA: &str = "HISTFAAAAC142pNpmSzMwMDAzQABzFCaEch0M9ixgMH+A0Tg4DpGtsMiLEf3MzIBAJncCC4=";

/// The same for Java, of 1 ms and 5 ms before all values were doubled (`shiftValuesLeft`), not compressed.
const SHIFTED: &str = "HISTEwAAAAcAAAQAAAAAAwAAAAAAAAABAAADRjC4oAA/8AAAAAAAAMG+AQLDJAI=";

/// hdr-histogram-js 3.0.1, of 1 ms twice and 2.5 ms.
const JAVA_SCRIPT: &str = "HISTFAAAAC14nJNpmSzMwMDAzsDAwMjAwMDMAAGMDAzMbgY7FjDA+AfXMbIcFmECAGicBXI=";

/// One value of 0.4 ms, and a whole log with it: hdrhistogram 0.10.3 for Python.
const SMALL: &str = "HISTFAAAACV4nJNpmSzMwMDAwgABzFCaEch0M9ixgMH+A0Rg8wxGJgBkkQWd";
const PYTHON: &str = "\
#[Logged with Python]
#[Histogram log format version 1.2]
#[BaseTime: 1441812279.474000 (seconds since epoch)]
\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"
0.127000,1.007000,10007.000000,HISTFAAAAC14nJNpmSzMwMDAzQABzFCaEch0M9ixgMH+A0Tg4DpGtsMiLEf3MzIBAJncCC4=
1.134000,1.000000,0.000000,HISTFAAAACV4nJNpmSzMwMDAwgABzFCaEch0M9ixgMH+A0Rg8wxGJgBkkQWd
";

/// Cookies, not compressed and compressed.
const V0: [u32; 2] = [0x1c84_9308, 0x1c84_9309];
const V1: [u32; 2] = [0x1c84_9301, 0x1c84_9302];
const V2: [u32; 2] = [0x1c84_9303, 0x1c84_9304];

fn read(text: &str) -> Result<HdrLog, LogError> {
    HdrLog::read(text.as_bytes())
}

fn expected() -> Histogram {
    let mut histogram = Histogram::new();
    VALUES.iter().for_each(|&(ns, count)| histogram.record_n_ns(ns, count));
    histogram
}

/// What a line with these counts holds.
fn histogram(counts: &str) -> Result<Histogram, Problem> {
    match read(&format!("#values in nanoseconds\n0.127,1.007,10007.609,{counts}\n")) {
        Ok(log) => Ok(log.histogram("").cloned().expect("the tag")),
        Err(LogError::Line { line: 2, problem }) => Err(problem),
        Err(other) => panic!("{other:?}"),
    }
}

/// How a frame of `VALUES`, up to an hour at three digits, is written.
#[derive(Clone, Copy)]
struct Frame {
    cookies: [u32; 2],
    /// What the cookie says of the width of counts.
    width: u32,
    /// How many bytes more the header says that there are.
    stated_more: u32,
    offset: u32,
    ratio: u64,
    /// Zeros after the counts.
    unused: usize,
}

const FRAME: Frame =
    Frame { cookies: V1, width: 8, stated_more: 0, offset: 0, ratio: 1.0_f64.to_bits(), unused: 0 };

impl Frame {
    fn plain(&self, counts: &[u8]) -> Vec<u8> {
        let cookie = self.cookies[0] | self.width << 4;
        let total: u64 = VALUES.iter().map(|&(_, count)| count).sum();
        let stated = counts.len() as u32 + self.stated_more;
        let is_v0 = self.cookies == V0;
        let words = if is_v0 { vec![cookie, 3] } else { vec![cookie, stated, self.offset, 3] };
        let bounds = [1, 3_600_000_000_000, if is_v0 { total } else { self.ratio }];
        let words: Vec<u8> = words.into_iter().flat_map(u32::to_be_bytes).collect();
        [&words, &bounds.map(u64::to_be_bytes).concat(), counts, &vec![0; self.unused]].concat()
    }

    fn compressed(&self, stream: &[u8]) -> String {
        let words = [self.cookies[1] | self.width << 4, stream.len() as u32];
        STANDARD.encode([&words.map(u32::to_be_bytes).concat(), stream].concat())
    }

    fn text(&self) -> String {
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        zlib.write_all(&self.plain(&words(self.width))).expect("memory");
        self.compressed(&zlib.finish().expect("memory"))
    }
}

/// The counts of all cells up to the last one in use, in words of so many bytes.
fn words(width: u32) -> Vec<u8> {
    // 2,048 cells of one unit, then 1,024 for each doubling.
    let cell = |value: u64| {
        let doublings = (u64::BITS - (value | 2_047).leading_zeros()) as usize - 11;
        doublings * 1_024 + (value >> doublings) as usize
    };
    let mut cells = vec![0_u64; cell(VALUES[2].0) + 1];
    VALUES.iter().for_each(|&(value, count)| cells[cell(value)] = count);
    let first = 8 - width as usize;
    cells.iter().flat_map(|count| count.to_be_bytes()[first..].to_vec()).collect()
}

/// The counts of `VALUES` as V2 writes them.
fn v2_counts() -> Vec<u8> {
    let bytes = STANDARD.decode(JAVA).expect("base64");
    let mut plain = Vec::new();
    std::io::copy(&mut flate2::read::ZlibDecoder::new(&bytes[8..]), &mut plain).expect("zlib");
    plain.split_off(40)
}

#[test]
fn what_java_and_python_print_is_read() {
    assert_eq!(histogram(JAVA).as_ref(), Ok(&expected()));
    let python = read(PYTHON).expect("a log");
    let mut both = expected();
    both.record_ns(400_000);
    assert_eq!(python.histogram(""), Some(&both));
    assert!(!python.states_unit());
    let range = python.range().expect("a base time");
    assert!((range.start_s - 1_441_812_279.601).abs() < 1e-6, "{range:?}");
    assert!((range.end_s - 1_441_812_281.608).abs() < 1e-6, "{range:?}");
}

#[test]
fn a_shift_in_the_memory_of_the_writer_changes_no_value() {
    let recorded = |values: [u64; 3]| {
        let mut histogram = Histogram::new();
        values.into_iter().filter(|&ns| ns > 0).for_each(|ns| histogram.record_ns(ns));
        histogram
    };
    assert_eq!(histogram(JAVA_SCRIPT).as_ref(), Ok(&recorded([1_000_000, 1_000_000, 2_500_000])));
    assert_eq!(histogram(SHIFTED).as_ref(), Ok(&recorded([2_000_000, 10_000_000, 0])));
    assert_eq!(histogram(&Frame { offset: 7, ..FRAME }.text()).as_ref(), Ok(&expected()));
}

#[test]
fn older_encodings_are_read_with_counts_of_any_width_compressed_or_not() {
    for cookies in [V0, V1] {
        for width in [2, 4, 8] {
            let frame = Frame { cookies, width, ..FRAME };
            assert_eq!(histogram(&frame.text()).as_ref(), Ok(&expected()), "{cookies:x?} of {width}");
            let plain = STANDARD.encode(frame.plain(&words(width)));
            assert_eq!(
                histogram(&plain).as_ref(),
                Ok(&expected()),
                "{cookies:x?} of {width}, not compressed"
            );
        }
        for width in [0, 1, 6, 10, 12, 15] {
            let plain = Frame { cookies, width, ..FRAME }.plain(&words(8));
            let read = histogram(&STANDARD.encode(plain));
            assert_eq!(read, Err(Problem::Width(width as usize & !1)), "{cookies:x?}");
        }
    }
}

#[test]
fn headers_are_read_as_the_writers_for_python_and_net_write_them() {
    // The header counted as well; a ratio that is an integer.
    for (stated_more, ratio) in [(40, 1), (0, 0), (0, 1.0_f64.to_bits())] {
        let frame = Frame { stated_more, ratio, ..FRAME };
        assert_eq!(histogram(&frame.text()).as_ref(), Ok(&expected()), "{stated_more} {ratio}");
        let v2 = Frame { cookies: V2, width: 1, ratio, ..FRAME }.plain(&v2_counts());
        assert_eq!(histogram(&STANDARD.encode(v2)).as_ref(), Ok(&expected()), "V2, {ratio}");
    }
    // A whole buffer, whatever is in use of it; no checksum.
    let net = Frame { cookies: V2, width: 1, unused: 5_000, ..FRAME };
    let mut deflate = flate2::write::DeflateEncoder::new(vec![0x58, 0x85], flate2::Compression::best());
    deflate.write_all(&net.plain(&v2_counts())).expect("memory");
    let mut stream = deflate.finish().expect("memory");
    assert_eq!(histogram(&net.compressed(&stream)).as_ref(), Ok(&expected()));
    stream.truncate(stream.len() / 2);
    assert!(matches!(histogram(&net.compressed(&stream)), Err(Problem::Deflate(_))));
}

#[test]
fn what_is_no_histogram_of_times_is_told_apart() {
    // What Java prints of a DoubleHistogram.
    let of_floats = "DHISTwAAAAMAAAAAAAAAAhyEkxQAAAAgeNqTaZkszMDAwMwAATCaEULJ/7fbAGGtF2ACAE8eBBs=";
    assert_eq!(histogram(of_floats), Err(Problem::OfFloats));
    assert_eq!(histogram(&Frame { ratio: 0.5_f64.to_bits(), ..FRAME }.text()), Err(Problem::Scaled(0.5)));
    let below_zero = FRAME.plain(&[0xff; 8]);
    assert!(matches!(histogram(&STANDARD.encode(below_zero)), Err(Problem::Counts(_))));
}

#[test]
fn an_older_histogram_that_is_cut_is_said_to_be() {
    for cookies in [V0, V1] {
        let plain = Frame { cookies, ..FRAME }.plain(&words(8));
        for end in (4..60).chain(plain.len() - 20..plain.len()) {
            assert_eq!(
                histogram(&STANDARD.encode(&plain[..end])),
                Err(Problem::Cut),
                "{end} of {cookies:x?}"
            );
        }
    }
    let short = Frame { stated_more: 8, ..FRAME }.plain(&[0; 16]);
    assert_eq!(histogram(&STANDARD.encode(short)), Err(Problem::Cut));
}

#[test]
fn a_log_is_read_whichever_way_its_text_is_written() {
    let tag = "\u{e9}t\u{e9}";
    let plain = format!(
        "#[StartTime: 1441812279.474 (seconds since epoch), Wed Sep 09 2015]\n#caf\u{e9}\n\
         \"StartTimestamp\",\"Interval_Length\"\nTag={tag},0.127,1.007,10007.609,{JAVA}\n"
    );
    let log = read(&plain).expect("a log");
    assert_eq!(log.histogram(tag), Some(&expected()));
    let commas =
        plain.replace("2279.474", "2279,474").replace("0.127,1.007,10007.609", "0,127,1,007,10007,609");
    let utf_16 = format!("\u{feff}{commas}");
    for (how, bytes) in [
        ("a byte order mark", format!("\u{feff}{plain}").into_bytes()),
        ("CR LF", plain.replace('\n', "\r\n").into_bytes()),
        ("CR", plain.replace('\n', "\r").into_bytes()),
        ("no end", plain.trim_end().as_bytes().to_vec()),
        ("decimal commas", commas.clone().into_bytes()),
        ("Latin-1", plain.chars().map(|character| u32::from(character) as u8).collect()),
        ("UTF-16, as .NET", utf_16.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("UTF-16, big end first", utf_16.encode_utf16().flat_map(u16::to_be_bytes).collect()),
    ] {
        assert_eq!(HdrLog::read(&bytes).as_ref(), Ok(&log), "{how}");
    }
    let two = read(&[format!("\u{feff}{plain}"), utf_16].concat()).expect("two logs in one file");
    assert_eq!(two.histogram(tag).map(Histogram::len), Some(12));
}

#[test]
fn whichever_way_a_text_is_written_a_cut_is_told() {
    let whole = format!("#[x]\n0,127,1,007,10007,609,{JAVA}\n");
    let utf_16: Vec<u8> = format!("\u{feff}{whole}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    for less in 2..80 {
        let (utf_8, end) = (&whole.as_bytes()[..whole.len() - less], utf_16.len() - 2 * less);
        for bytes in [utf_8, &utf_16[..end], &utf_16[..end - 1]] {
            let read = HdrLog::read(bytes);
            assert!(matches!(read, Err(LogError::CutShort { line: 2, .. })), "{less}: {read:?}");
        }
    }
}

#[test]
fn zeros_at_the_end_of_a_file_are_a_cut_too() {
    let text = format!("#[x]\n0.127,1.007,10007.609,{JAVA}\n0.127,1.0\0\0\0\0");
    assert!(matches!(read(&text), Err(LogError::CutShort { line: 3, problem: Problem::NotText })));
}

#[test]
fn what_is_no_log_is_not_called_cut() {
    for text in ["hello", "hello\n", "hello, world\nand so on\n", "a,b,c,d,e\n"] {
        let error = read(text).expect_err(text);
        assert!(matches!(error, LogError::Line { line: 1, .. }), "{error:?}");
        assert!(!error.to_string().contains("cut"), "{error}");
    }
}

#[test]
fn a_base_time_in_any_case_and_an_end_in_the_place_of_a_length_are_understood() {
    let range = |header: &str, times: &str| {
        let log =
            read(&format!("{header}\n#values in nanoseconds\n{times},10007.609,{JAVA}\n")).expect("a log");
        log.range().map(|range| (range.start_s, range.end_s))
    };
    // The writer for Go had it in this case for years.
    let go = range("#[Basetime: 1441812279 (seconds since epoch)]", "1.000,2.000");
    assert_eq!(go, Some((1_441_812_280.0, 1_441_812_282.0)));
    let c = range("#[StartTime: 1441812279.000 (seconds)]", "1441812279.000,1441812281.000");
    assert_eq!(c, Some((1_441_812_279.0, 1_441_812_281.0)));
    assert_eq!(range("#", "-1441812279.000,2.000"), None);
}

#[test]
fn maxima_that_say_nothing_of_the_unit_leave_it_unknown() {
    let unknown_at = |text: &str| match read(text) {
        Err(LogError::Line { line, problem: Problem::Unit { .. } }) => Some(line),
        Ok(_) => None,
        Err(other) => panic!("{other:?}"),
    };
    // 0.4 ms in nanoseconds, or 400 ms in microseconds.
    let unclear = format!("0.0,1.0,0.000000,{SMALL}\n");
    assert_eq!(unknown_at(&unclear), Some(1));
    assert_eq!(unknown_at(&format!("{unclear}0.0,1.0,10007.000,{JAVA}\n")), None);
    assert_eq!(unknown_at(&format!("{unclear}0.0,1.0,10007608.831,{JAVA}\n")), Some(2));
    assert_eq!(unknown_at(&format!("0.0,1.0,0.400,{SMALL}\n")), None);
    assert_eq!(unknown_at(&format!("#values in nanoseconds\n{unclear}")), None);
}

proptest! {
    #[test]
    fn no_frame_makes_it_panic(
        cookie in prop::sample::select(vec![V0[0], V0[1], V1[0], V1[1], V2[0], V2[1], 0x0c72_120e]), width in 0_u32..16,
        bytes in prop::collection::vec(any::<u8>(), 0..90), words in prop::collection::vec(0_u64..3, 0..20),
    ) {
        let words = words.into_iter().flat_map(u64::to_be_bytes);
        let frame: Vec<u8> = (cookie | width << 4).to_be_bytes().into_iter().chain(bytes).chain(words).collect();
        let _ = histogram(&STANDARD.encode(frame));
    }

    #[test]
    fn no_older_header_makes_it_panic(
        is_v0: bool, width in prop::sample::select(vec![2_u32, 4, 8]), digits in 0_u32..8,
        low in prop_oneof![1_u64..5_000, any::<u64>()], high in any::<u64>(), total in 0_u64..9,
        counts in prop::collection::vec(any::<u16>(), 0..60),
    ) {
        let counts: Vec<u8> = counts.into_iter().flat_map(u16::to_be_bytes).collect();
        let (words, last) = if is_v0 {
            (vec![V0[0] | width << 4, digits], total)
        } else {
            (vec![V1[0] | width << 4, counts.len() as u32, 0, digits], 1.0_f64.to_bits())
        };
        let words: Vec<u8> = words.into_iter().flat_map(u32::to_be_bytes).collect();
        let frame = [words, [low, high, last].map(u64::to_be_bytes).concat(), counts].concat();
        let _ = histogram(&STANDARD.encode(frame));
    }
}
