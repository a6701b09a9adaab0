//! Stdout and stderr that are closed, full, or read late, and the stop while nobody reads: work is done, files are written, and the exit
//! code says what was lost.

use std::{
    ffi::OsString,
    fs::{self, OpenOptions},
    io::{PipeReader, PipeWriter, Read, Write, pipe},
    os::fd::AsFd,
    process::{Child, Command, Output, Stdio},
    thread::{self, JoinHandle},
    time::Instant,
};

use host::processes;
use rustix::{
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    pipe::fcntl_setpipe_size,
    process::Signal,
    pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt},
    termios::{Action, tcflow},
};

use crate::{
    lap::Lap,
    scene::{PATIENCE, Scene, Writes, text},
    support::finish,
};

/// What is lost is said by this.
const LOST: i32 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    Out,
    Err,
}

impl Stream {
    fn set(self, command: &mut Command, to: impl Into<Stdio>) {
        match self {
            Self::Out => command.stdout(to),
            Self::Err => command.stderr(to),
        };
    }

    fn of(self, output: &Output) -> String {
        text(match self {
            Self::Out => &output.stdout,
            Self::Err => &output.stderr,
        })
    }

    fn other(self) -> Self {
        match self {
            Self::Out => Self::Err,
            Self::Err => Self::Out,
        }
    }
}

/// A pipe that holds as little as there can be, and has no room.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = pipe().unwrap();
    fcntl_setpipe_size(&writer, 4096).unwrap();
    let flags = fcntl_getfl(&writer).unwrap();
    fcntl_setfl(&writer, flags | OFlags::NONBLOCK).unwrap();
    while writer.write(b"#").is_ok() {}
    fcntl_setfl(&writer, flags).unwrap();
    (reader, writer)
}

/// Commands, with how they end where everything arrives and the file that they write.
fn commands(scene: &Scene) -> Vec<(Vec<OsString>, i32, Option<Writes>)> {
    let run = scene.path("checked").into_os_string();
    let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
    let mut commands: Vec<_> = Writes::ALL
        .into_iter()
        .map(|writes| (scene.arguments(writes, &scene.file(writes)), writes.code(), Some(writes)))
        .collect();
    commands.extend([
        (words(&["bench", "--list"]), 0, None),
        (words(&["bench", "--only", "nothing"]), 2, None),
        (words(&["bench", "--dry-run"]), 0, None),
        (words(&["load", "nowhere.invalid"]), 1, None),
        (words(&["load", "--help"]), 0, None),
        (words(&["--version"]), 0, None),
        (words(&["merge"]), 2, None),
        (words(&["list", "runs"]), 0, None),
        (words(&["show", "no/where"]), 2, None),
        ([words(&["show"]), vec![run.clone()]].concat(), 0, None),
        ([words(&["show", "--format", "json"]), vec![run.clone()]].concat(), 0, None),
        ([words(&["check"]), vec![run]].concat(), 0, None),
        (words(&["selftest", "--case", "none"]), 2, None),
    ]);
    commands
}

fn assert_written(scene: &Scene, writes: Option<Writes>, context: &str) {
    if let Some(writes) = writes {
        let file = scene.file(writes);
        let content = fs::read(&file).unwrap_or_else(|error| panic!("{context}: {error}"));
        assert!(writes.is_whole(&content), "{context}: {}", text(&content));
        fs::remove_file(file).unwrap();
    }
}

/// Has `case` look at every command and each of the two streams. `case` is given how the command ends and what it prints there where
/// everything arrives.
fn of_each_command(mut case: impl FnMut(&Scene, &[OsString], Stream, i32, &str) -> String) {
    let scene = Scene::new();
    for (arguments, code, writes) in commands(&scene) {
        let usual = finish(scene.harness(&arguments).spawn().unwrap(), PATIENCE);
        assert_eq!(usual.status.code(), Some(code), "{arguments:?}: {}", text(&usual.stderr));
        for stream in [Stream::Out, Stream::Err] {
            let context = case(&scene, &arguments, stream, code, &stream.of(&usual));
            assert_written(&scene, writes, &context);
        }
    }
}

#[test]
fn a_reader_that_has_gone_wanted_no_more() {
    of_each_command(|scene, arguments, stream, code, _| {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let mut command = scene.harness(arguments);
        stream.set(&mut command, writer);
        let child = command.spawn().unwrap();
        drop(command);
        let output = finish(child, PATIENCE);
        let (context, said) = (format!("{arguments:?} {stream:?}"), stream.other().of(&output));
        assert_eq!(output.status.code(), Some(code), "{context}: {said}");
        assert!(!said.contains("panicked") && !said.contains("not all there"), "{context}: {said}");
        context
    });
}

#[test]
fn what_finds_no_room_is_lost_and_the_exit_code_says_so() {
    of_each_command(|scene, arguments, stream, code, usual| {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = scene.harness(arguments);
        stream.set(&mut command, full);
        let output = finish(command.spawn().unwrap(), PATIENCE);
        let (context, said) = (format!("{arguments:?} {stream:?}"), stream.other().of(&output));
        let expected = if code == 0 && !usual.is_empty() { LOST } else { code };
        assert_eq!(output.status.code(), Some(expected), "{context}: {said}");
        assert!(!said.contains("panicked"), "{context}: {said}");
        let lost = "error: what was printed on stdout is not all there: No space left on device";
        assert_eq!(said.contains(lost), stream == Stream::Out && !usual.is_empty(), "{context}: {said}");
        context
    });
}

#[test]
fn a_reader_that_comes_late_gets_everything() {
    of_each_command(|scene, arguments, stream, code, usual| {
        let (mut reader, writer) = full_pipe();
        let mut command = scene.harness(arguments);
        stream.set(&mut command, writer);
        let child = command.spawn().unwrap();
        drop(command);
        let reading = thread::spawn(move || {
            let (mut all, mut part) = (Vec::new(), [0; 64]);
            while let Ok(count @ 1..) = reader.read(&mut part) {
                all.extend_from_slice(&part[..count]);
                thread::yield_now();
            }
            text(&all).trim_start_matches('#').to_owned()
        });
        let output = finish(child, PATIENCE);
        let context = format!("{arguments:?} {stream:?}");
        assert_eq!(output.status.code(), Some(code), "{context}: {}", stream.other().of(&output));
        // Figures differ from run to run, and how it begins does not.
        let begins = |text: &str| {
            text.lines().next().unwrap_or_default().replace(|letter: char| !letter.is_alphabetic(), "")
        };
        let came = reading.join().unwrap();
        assert_eq!(
            (begins(&came), came.ends_with('\n')),
            (begins(usual), usual.ends_with('\n')),
            "{context}: {came}"
        );
        context
    });
}

#[test]
fn files_are_written_while_nobody_reads() {
    let scene = Scene::new();
    for writes in Writes::ALL {
        for stream in [Stream::Out, Stream::Err] {
            let (reader, writer) = full_pipe();
            let mut command = scene.harness(scene.arguments(writes, &scene.file(writes)));
            let _none = fs::remove_file(scene.file(writes));
            stream.set(&mut command, writer);
            let child = command.spawn().unwrap();
            drop(command);
            let began = Instant::now();
            while !fs::read(scene.file(writes)).is_ok_and(|content| writes.is_whole(&content)) {
                assert!(began.elapsed() < PATIENCE, "{writes:?} {stream:?} has written nothing");
                thread::yield_now();
            }
            let reading = read_all(reader);
            let output = finish(child, PATIENCE);
            assert_eq!(output.status.code(), Some(writes.code()), "{writes:?} {stream:?}");
            reading.join().unwrap();
        }
    }
}

fn read_all(mut reader: PipeReader) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut all = Vec::new();
        reader.read_to_end(&mut all).map(|_| all).unwrap()
    })
}

/// What goes on until it is ended, and its file.
fn endless(scene: &Scene, writes: Writes) -> Command {
    let mut arguments = scene.arguments(writes, &scene.file(writes));
    match writes {
        Writes::Quick => arguments[4] = "1000000".into(),
        _ => {
            arguments.splice(2..4, ["-z".into(), "10m".into(), "-w".into(), "0s".into()]);
        }
    }
    scene.harness(arguments)
}

fn under_way(scene: &Scene, mut command: Command) -> Child {
    let child = command.spawn().unwrap();
    (0..20).for_each(|_| scene.asked.recv_timeout(PATIENCE).unwrap());
    child
}

#[test]
fn a_stop_is_heard_though_nobody_reads_what_is_said_of_it() {
    for writes in [Writes::LoadJson, Writes::LoadHdr, Writes::Quick] {
        for (stream, signal) in [
            (Stream::Err, Signal::INT),
            (Stream::Err, Signal::TERM),
            (Stream::Err, Signal::HUP),
            (Stream::Out, Signal::TERM),
        ] {
            let scene = Scene::new();
            let context = format!("{writes:?} {stream:?} {signal:?}");
            let (reader, writer) = full_pipe();
            let mut command = endless(&scene, writes);
            stream.set(&mut command, writer);
            let child = under_way(&scene, command);
            assert!(processes::send(child.id(), signal));
            let output = finish(child, PATIENCE);
            assert_eq!(output.status.code(), Some(130), "{context}: {}", stream.other().of(&output));
            if stream == Stream::Err {
                let printed = text(&output.stdout);
                assert!(printed.contains("nterrupted"), "{context}: {printed}");
            }
            assert_written(&scene, Some(writes), &context);
            assert_eq!(scene.left(), [""; 0], "{context}");
            drop(reader);
        }
    }
}

#[test]
fn a_stop_is_heard_though_stderr_is_full_or_gone() {
    let gone = || {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        Stdio::from(writer)
    };
    let full = || Stdio::from(OpenOptions::new().write(true).open("/dev/full").unwrap());
    for stderr in [gone(), full()] {
        let scene = Scene::new();
        let mut command = endless(&scene, Writes::LoadJson);
        command.stderr(stderr);
        let child = under_way(&scene, command);
        assert!(processes::send(child.id(), Signal::INT));
        let output = finish(child, PATIENCE);
        assert_eq!(output.status.code(), Some(130));
        assert!(
            text(&output.stdout).contains("PARTIAL RESULTS: interrupted after "),
            "{}",
            text(&output.stdout)
        );
        assert_written(&scene, Some(Writes::LoadJson), "stderr is full or gone");
    }
}

#[test]
fn a_stop_is_heard_though_the_terminal_is_held() {
    let scene = Scene::new();
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let side = ioctl_tiocgptpeer(&terminal, OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    // As Ctrl-S does.
    tcflow(side.as_fd(), Action::OOff).unwrap();
    let mut command = endless(&scene, Writes::LoadJson);
    command.stderr(side);
    let child = under_way(&scene, command);
    assert!(processes::send(child.id(), Signal::TERM));
    let output = finish(child, PATIENCE);
    assert_eq!(output.status.code(), Some(130));
    assert_written(&scene, Some(Writes::LoadJson), "the terminal is held");
}

#[test]
fn the_end_of_the_terminal_keeps_what_was_measured() {
    for writes in [Writes::LoadJson, Writes::LoadHdr, Writes::Quick] {
        let scene = Scene::new();
        let child = under_way(&scene, endless(&scene, writes));
        // A terminal that goes away says so more than once.
        for _again in 0..3 {
            processes::send(child.id(), Signal::HUP);
        }
        let output = finish(child, PATIENCE);
        assert_eq!(output.status.code(), Some(130), "{writes:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains("interrupted: what was measured"), "{}", text(&output.stderr));
        assert_written(&scene, Some(writes), "the terminal is gone");
        assert_eq!(scene.left(), [""; 0], "{writes:?}");
    }
}

#[test]
fn what_is_to_outlive_its_terminal_does() {
    let scene = Scene::new();
    let load = endless(&scene, Writes::LoadJson);
    let arguments: Vec<OsString> = load.get_args().map(OsString::from).collect();
    let script =
        [OsString::from("-c"), r#"trap '' HUP; exec "$0" "$@""#.into(), env!("CARGO_BIN_EXE_harness").into()];
    let child = under_way(&scene, scene.command("sh", script.into_iter().chain(arguments)));
    assert!(processes::send(child.id(), Signal::HUP));
    // More than can have been on the way.
    (0..10_000).for_each(|_| scene.asked.recv_timeout(PATIENCE).unwrap());
    assert!(processes::send(child.id(), Signal::TERM));
    let output = finish(child, PATIENCE);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert_eq!(said.matches("interrupted: ").count(), 1, "{said}");
}

#[test]
fn a_race_goes_on_though_nothing_of_it_can_be_said() {
    for stream in [Stream::Out, Stream::Err] {
        let lap = Lap::with_rows(&[("a", "right")]);
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = lap.command(&["--starts", "1", "--scenario", "closed"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        stream.set(&mut command, full);
        let output = finish(command.spawn().unwrap(), PATIENCE);
        assert_eq!(output.status.code(), Some(LOST), "{stream:?}: {}", stream.other().of(&output));
        assert!(!lap.windows().is_empty() && lap.report().contains("## closed"), "{stream:?}");
    }
}

#[test]
fn a_race_is_ended_though_nobody_reads_what_it_says() {
    for (stream, signal) in
        [(Stream::Err, Signal::HUP), (Stream::Out, Signal::TERM), (Stream::Err, Signal::INT)]
    {
        let lap = Lap::with_rows(&[("a", "right")]);
        let (reader, writer) = full_pipe();
        let mut command =
            lap.command(&["--starts", "1000", "--rounds", "1", "--duration", "50ms", "--scenario", "open"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        stream.set(&mut command, writer);
        let child = command.spawn().unwrap();
        drop(command);
        let (log, began) = (lap.out().join("windows.jsonl"), Instant::now());
        while !fs::read_to_string(&log).is_ok_and(|text| text.contains("\"complete\"")) {
            assert!(began.elapsed() < PATIENCE, "{stream:?}: no start was finished");
            thread::yield_now();
        }
        assert!(processes::send(child.id(), signal));
        assert_eq!(finish(child, PATIENCE).status.code(), Some(130), "{stream:?} {signal:?}");
        assert!(
            !lap.measurements().complete.is_empty() && lap.report().contains("interrupted"),
            "{stream:?}"
        );
        drop(reader);
    }
}
