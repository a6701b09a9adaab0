//! Every command that writes a file, as small as it can be, with what it needs: a server, logs, a checkout, a run.

use std::{
    ffi::{OsStr, OsString},
    fs,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::Duration,
};

use race::fixtures::{
    of_streams,
    run::{rows, run, scenario, write},
    spread, stream,
};
use stats::{
    Histogram,
    hdr_log::{HdrLog, TimeRange},
};
use tempfile::TempDir;

use crate::{rows::FACTORS, support::finish};

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writes {
    LoadJson,
    LoadHdr,
    Quick,
    Merge,
    Verify,
    Generators,
    Report,
}

impl Writes {
    pub(crate) const ALL: [Self; 7] = [
        Self::LoadJson,
        Self::LoadHdr,
        Self::Quick,
        Self::Merge,
        Self::Verify,
        Self::Generators,
        Self::Report,
    ];

    /// How it ends where everything arrives. What verifies has a row without a program here, and what compares no cargo.
    pub(crate) fn code(self) -> i32 {
        i32::from(matches!(self, Self::Verify | Self::Generators))
    }

    /// Whether the file can have any name.
    pub(crate) fn takes_a_name(self) -> bool {
        self != Self::Report
    }

    /// Whether this is a whole file of it.
    pub(crate) fn is_whole(self, content: &[u8]) -> bool {
        match self {
            Self::LoadJson | Self::Quick | Self::Verify | Self::Generators => {
                serde_json::from_slice::<serde_json::Value>(content).is_ok_and(|value| value.is_object())
            }
            Self::LoadHdr | Self::Merge => HdrLog::read(content).is_ok_and(|log| log.tagged().count() > 0),
            Self::Report => content.starts_with(b"# ") && content.ends_with(b"\n"),
        }
    }

    /// What is printed in any case.
    pub(crate) fn summary(self) -> &'static str {
        match self {
            Self::LoadJson | Self::LoadHdr => "right answers a second",
            Self::Quick => "Summary report @ ",
            Self::Merge => "percentile",
            Self::Verify => "no-program",
            Self::Generators => "Made by `harness generators",
            Self::Report => "simple-latency",
        }
    }
}

/// What all of them need.
pub(crate) struct Scene {
    folder: TempDir,
    pub(crate) address: SocketAddr,
    /// A word for each request.
    pub(crate) asked: Receiver<()>,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let (sender, asked) = channel();
        let scene = Self { folder: tempfile::tempdir().unwrap(), address: serve(sender), asked };
        // For anybody: some of it is done as nobody in particular.
        fs::set_permissions(scene.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for folder in ["out", "harness/scenarios", "empty"] {
            fs::create_dir_all(scene.path(folder)).unwrap();
        }
        let row = format!(
            "[[row]]\nname = 'no-program'\nabout = 'none'\ntier = 'reference'\ncommand = ['/nowhere/at-all']\n{FACTORS}"
        );
        fs::write(scene.path("harness/servers.toml"), row).unwrap();
        let one = "question = 'Does it work?'\nplacement = 'shared'\nwarm_up = '50ms'\nwindow = '200ms'\ntimeout = '1s'\n\
                   rank = { stream = 'simple', by = 'p99' }\n[[stream]]\nname = 'simple'\noperation = 'simple'\n\
                   connections = 4\npacing = { kind = 'closed' }\n";
        fs::write(scene.path("harness/scenarios/one.toml"), one).unwrap();
        let own = scene.path("own");
        fs::write(&own, "#!/bin/sh\necho harness 0.1.0\n").unwrap();
        fs::set_permissions(&own, fs::Permissions::from_mode(0o755)).unwrap();
        let mut times = Histogram::new();
        (1..1000).for_each(|n| times.record_ns(1_000 * n));
        let mut log = HdrLog::new(Some(TimeRange { start_s: 1_700_000_000.0, end_s: 1_700_000_004.0 }));
        log.add("simple.response", &times);
        log.write(&mut fs::File::create(scene.path("a.hlog")).unwrap()).unwrap();
        let made_up =
            run(rows(&["work-stealing", "ceiling"]), vec![scenario("simple-latency", 1)], 2, |wanted| {
                let streams = wanted.scenario.streams.iter();
                of_streams(1.0, streams.map(|of| stream(&of.name, 1.0, &spread(800, 400))).collect())
            });
        write(&made_up, &scene.path("run")).unwrap();
        report::write(&write(&made_up, &scene.path("checked")).unwrap()).unwrap();
        scene
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where the command writes, if nothing else is said.
    pub(crate) fn file(&self, writes: Writes) -> PathBuf {
        match writes {
            Writes::Report => self.path("run/report.md"),
            _ => self.path("out/file"),
        }
    }

    /// The arguments of a command that writes to `file`.
    pub(crate) fn arguments(&self, writes: Writes, file: &Path) -> Vec<OsString> {
        let url = format!("http://{}/simple", self.address);
        let load = ["load", &url, "-n", "5", "-c", "1"];
        let (arguments, path): (Vec<&str>, &Path) = match writes {
            Writes::LoadJson => ([&load[..], &["--export-json"]].concat(), file),
            Writes::LoadHdr => ([&load[..], &["--export-hdr"]].concat(), file),
            Writes::Quick => (vec!["quick", "-c", "1", "-n", "2", &url, "-o"], file),
            Writes::Merge => (vec!["merge", "a.hlog", "-o"], file),
            Writes::Verify => (vec!["verify", "--export-json"], file),
            Writes::Generators => (vec!["generators", "--own", "own", "--export-json"], file),
            Writes::Report => (vec!["report"], file.parent().unwrap()),
        };
        arguments.into_iter().map(OsString::from).chain([path.into()]).collect()
    }

    /// The harness, at home in this scene.
    pub(crate) fn harness<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        self.command(env!("CARGO_BIN_EXE_harness"), arguments)
    }

    /// Any program, at home in this scene.
    pub(crate) fn command<S: AsRef<OsStr>>(
        &self,
        program: &str,
        arguments: impl IntoIterator<Item = S>,
    ) -> Command {
        let mut command = host::tether::command(program);
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("CARGO", "/nowhere/cargo")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// The command with its file there, to its end.
    pub(crate) fn run(&self, writes: Writes, file: &Path) -> Output {
        finish(self.harness(self.arguments(writes, file)).spawn().unwrap(), PATIENCE)
    }

    /// What is in the folder of the files.
    pub(crate) fn left(&self) -> Vec<OsString> {
        let entries = fs::read_dir(self.path("out")).unwrap();
        let mut names: Vec<OsString> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort_unstable();
        names
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A server that answers every request rightly, for as long as the test lasts, and tells of it.
fn serve(asked: Sender<()>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let asked = asked.clone();
            thread::spawn(move || answer(stream, &asked));
        }
    });
    address
}

fn answer(mut stream: TcpStream, asked: &Sender<()>) {
    stream.set_nodelay(true).unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let body = r#"{"origin":"scripted","worker":"t0","payload":499500}"#;
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    while lines.by_ref().take_while(|line| !line.is_empty()).count() > 0 {
        // The test may have seen enough.
        let _ = asked.send(());
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}
