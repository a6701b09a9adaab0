//! Files that commands write: what is no file, is a link, is mounted, is in a folder that may not be written to, has the longest name
//! that there is, or finds no room.

use std::{
    ffi::OsString,
    fs,
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink},
    path::Path,
    process::{Command, Output, Stdio},
    thread,
};

use race::records::reading;
use rustix::process::geteuid;

use crate::{
    lap::Lap,
    scene::{PATIENCE, Scene, Writes, text},
    support::finish,
};

/// The longest name of a file (limits.h, NAME_MAX).
const LONGEST_NAME: usize = 255;

fn assert_well(writes: Writes, output: &Output) {
    assert_eq!(output.status.code(), Some(writes.code()), "{writes:?}: {}", text(&output.stderr));
    assert!(text(&output.stdout).contains(writes.summary()), "{writes:?}: {}", text(&output.stdout));
}

fn assert_whole(writes: Writes, file: &Path) {
    let content = fs::read(file).unwrap();
    assert!(writes.is_whole(&content), "{writes:?}: {}", text(&content));
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_link_stays_a_link_and_a_file_keeps_its_mode() {
    let scene = Scene::new();
    fs::create_dir(scene.path("elsewhere")).unwrap();
    for writes in Writes::ALL {
        let (file, target) = (scene.file(writes), scene.path("elsewhere/target"));
        fs::write(&target, "old").unwrap();
        set_mode(&target, 0o640);
        // By way of a second one, and both relative.
        symlink("elsewhere/target", scene.path("second")).unwrap();
        let _none = fs::remove_file(&file);
        symlink("../second", &file).unwrap();
        assert_well(writes, &scene.run(writes, &file));
        assert_eq!(fs::read_link(&file).unwrap(), Path::new("../second"), "{writes:?}");
        assert_eq!(fs::metadata(&target).unwrap().mode() & 0o7777, 0o640, "{writes:?}");
        assert_whole(writes, &target);
        assert_eq!(fs::read_dir(scene.path("elsewhere")).unwrap().count(), 1, "{writes:?}");

        // One that leads to nothing yet.
        fs::remove_file(&target).unwrap();
        assert_well(writes, &scene.run(writes, &file));
        assert_eq!(fs::read_link(&file).unwrap(), Path::new("../second"), "{writes:?}");
        assert_whole(writes, &target);
        [target, scene.path("second"), file].iter().for_each(|path| fs::remove_file(path).unwrap());
    }
}

#[test]
fn a_file_with_two_names_stays_one_file() {
    let scene = Scene::new();
    let (file, second) = (scene.path("out/file"), scene.path("second"));
    fs::write(&file, "old".repeat(100_000)).unwrap();
    fs::hard_link(&file, &second).unwrap();
    assert_well(Writes::LoadJson, &scene.run(Writes::LoadJson, &file));
    assert_eq!(fs::metadata(&file).unwrap().ino(), fs::metadata(&second).unwrap().ino());
    assert_whole(Writes::LoadJson, &second);
}

#[test]
fn a_pipe_gets_what_a_file_would_and_stays_a_pipe() {
    let scene = Scene::new();
    for writes in Writes::ALL {
        let file = scene.file(writes);
        let _none = fs::remove_file(&file);
        let made = host::tether::command("mkfifo").arg(&file).status().unwrap();
        assert!(made.success());
        let reader = thread::spawn({
            let file = file.clone();
            move || fs::read(file).unwrap()
        });
        assert_well(writes, &scene.run(writes, &file));
        let content = reader.join().unwrap();
        assert!(writes.is_whole(&content), "{writes:?}: {}", text(&content));
        assert!(fs::symlink_metadata(&file).unwrap().file_type().is_fifo(), "{writes:?}");
        fs::remove_file(&file).unwrap();
    }
}

#[test]
fn a_pipe_that_nobody_reads_does_not_keep_a_run_from_being_ended() {
    let scene = Scene::new();
    let file = scene.path("out/file");
    assert!(host::tether::command("mkfifo").arg(&file).status().unwrap().success());
    let mut child = scene.harness(scene.arguments(Writes::LoadJson, &file)).spawn().unwrap();
    let mut said = [0; 1];
    std::io::Read::read_exact(child.stderr.as_mut().unwrap(), &mut said).unwrap();
    assert!(host::processes::send(child.id(), rustix::process::Signal::TERM));
    let output = finish(child, PATIENCE);
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("waiting for whoever reads it"), "{}", text(&output.stderr));
}

#[test]
fn a_device_stays_a_device() {
    let scene = Scene::new();
    for writes in Writes::ALL {
        let file = scene.file(writes);
        let _none = fs::remove_file(&file);
        // What /dev/null is, where nothing is lost if it is replaced.
        let made =
            host::tether::command("mknod").arg(&file).args(["c", "1", "3"]).stderr(Stdio::null()).status();
        if !made.unwrap().success() {
            return println!("skipped: only root can make a device");
        }
        assert_well(writes, &scene.run(writes, &file));
        assert!(fs::symlink_metadata(&file).unwrap().file_type().is_char_device(), "{writes:?}");
        fs::remove_file(&file).unwrap();
    }
}

#[test]
fn what_stdout_leads_to_gets_the_file_and_what_is_printed() {
    let scene = Scene::new();
    let printed = scene.path("printed");
    for (writes, name) in [
        (Writes::LoadJson, "/dev/stdout"),
        (Writes::LoadJson, "/proc/self/fd/1"),
        (Writes::LoadJson, "/proc/thread-self/fd/1"),
        // The same file by its own name.
        (Writes::LoadJson, printed.to_str().unwrap()),
        (Writes::LoadHdr, "/dev/stdout"),
        (Writes::Quick, "/dev/fd/1"),
        (Writes::Merge, "/dev/stdout"),
        (Writes::Verify, "/dev/stdout"),
    ] {
        let into = fs::File::create(&printed).unwrap();
        let child = scene.harness(scene.arguments(writes, Path::new(name))).stdout(into).spawn().unwrap();
        let output = finish(child, PATIENCE);
        assert_eq!(output.status.code(), Some(writes.code()), "{writes:?}: {}", text(&output.stderr));
        let all = fs::read_to_string(&printed).unwrap();
        assert!(all.contains(writes.summary()), "{writes:?} to {name}: {all}");
        let begins = if matches!(writes, Writes::LoadHdr | Writes::Merge) { "#[Histogram" } else { "\n{\n" };
        let content = all.split_once(begins).unwrap_or_else(|| panic!("{writes:?} to {name}: {all}")).1;
        assert!(content.len() > 100 && !all.contains('\0'), "{writes:?} to {name}: {all}");
        assert!(fs::symlink_metadata("/dev/stdout").unwrap().is_symlink());
    }
}

#[test]
fn a_descriptor_that_was_given_gets_the_file_after_what_it_has() {
    let scene = Scene::new();
    let script = r#"exec 3>given; echo before >&3; "$@" /dev/fd/3; code=$?; echo after >&3; exit $code"#;
    let harness = [OsString::from("-c"), script.into(), "sh".into(), env!("CARGO_BIN_EXE_harness").into()];
    let mut arguments = scene.arguments(Writes::LoadJson, Path::new("/dev/fd/3"));
    arguments.pop();
    let output = finish(scene.command("sh", harness.into_iter().chain(arguments)).spawn().unwrap(), PATIENCE);
    assert_well(Writes::LoadJson, &output);
    let given = fs::read_to_string(scene.path("given")).unwrap();
    let content = given.strip_prefix("before\n").and_then(|rest| rest.strip_suffix("after\n")).unwrap();
    assert!(Writes::LoadJson.is_whole(content.as_bytes()), "{given}");
}

/// Runs a shell script in a namespace of mounts of its own, where there can be one; `$0` is the harness, and `$@` are arguments.
pub(crate) fn with_own_mounts(scene: &Scene, script: &str, arguments: Vec<OsString>) -> Option<Output> {
    let can: Command = scene.command("unshare", ["-m", "true"]);
    if !{ can }.output().is_ok_and(|output| output.status.success()) {
        println!("skipped: no namespace of mounts can be had here");
        return None;
    }
    let given = [
        OsString::from("-m"),
        "sh".into(),
        "-ec".into(),
        script.into(),
        env!("CARGO_BIN_EXE_harness").into(),
    ];
    Some(finish(scene.command("unshare", given.into_iter().chain(arguments)).spawn().unwrap(), PATIENCE))
}

#[test]
fn a_file_that_is_mounted_is_written_in_place() {
    let scene = Scene::new();
    for writes in Writes::ALL {
        let (file, mounted) = (scene.file(writes), scene.path("mounted"));
        fs::write(&file, "below").unwrap();
        fs::write(&mounted, "old").unwrap();
        let mut arguments = vec![mounted.clone().into(), file.clone().into()];
        arguments.extend(scene.arguments(writes, &file));
        let script = r#"mount --bind "$1" "$2"; shift 2; exec "$0" "$@""#;
        let Some(output) = with_own_mounts(&scene, script, arguments) else { return };
        assert_well(writes, &output);
        assert_whole(writes, &mounted);
        assert_eq!(fs::read_to_string(&file).unwrap(), "below", "{writes:?}");
        fs::remove_file(&file).unwrap();
        assert_eq!(scene.left(), [""; 0], "{writes:?}");
    }
}

#[test]
fn a_file_that_may_be_written_is_though_its_folder_may_not() {
    let scene = Scene::new();
    // A report is more than one file, and some of them are not there yet.
    for writes in Writes::ALL.into_iter().filter(|writes| *writes != Writes::Report) {
        let file = scene.file(writes);
        let folder = file.parent().unwrap();
        fs::write(&file, "old".repeat(10_000)).unwrap();
        set_mode(&file, 0o666);
        set_mode(folder, 0o555);
        let harness = OsString::from(env!("CARGO_BIN_EXE_harness"));
        let arguments = [harness].into_iter().chain(scene.arguments(writes, &file));
        // Root may write anywhere.
        let mut command = match geteuid().is_root() {
            true => {
                let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"].map(OsString::from);
                scene.command("setpriv", nobody.into_iter().chain(arguments))
            }
            false => scene.command("env", arguments),
        };
        let output = finish(command.spawn().unwrap(), PATIENCE);
        set_mode(folder, 0o755);
        if matches!(output.status.code(), Some(126 | 127)) {
            return println!("skipped: not everybody may run this harness: {}", text(&output.stderr));
        }
        assert_well(writes, &output);
        assert_whole(writes, &file);
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o666, "{writes:?}");
    }
}

#[test]
fn a_file_that_may_not_be_written_is_known_before_the_run() {
    let scene = Scene::new();
    let nowhere = scene.path("nowhere/file");
    let long = scene.path("out").join("x".repeat(LONGEST_NAME + 1));
    let folder = scene.path("out");
    // What is merged is shown first: there is no run.
    for writes in Writes::ALL.into_iter().filter(|writes| writes.takes_a_name() && *writes != Writes::Merge) {
        for (file, advice) in [
            (&nowhere, "name a file in a folder that exists"),
            (&long, "choose a shorter name"),
            (&folder, "name a file in that folder"),
        ] {
            let output = scene.run(writes, file);
            let said = text(&output.stderr);
            assert_eq!(
                (output.status.code(), text(&output.stdout)),
                (Some(1), String::new()),
                "{writes:?}: {said}"
            );
            assert!(said.contains(file.to_str().unwrap()) && said.contains(advice), "{writes:?}: {said}");
        }
    }
    assert!(scene.asked.try_recv().is_err(), "something was sent before the file was known to be none");
}

#[test]
fn a_name_of_255_bytes_is_a_name() {
    let scene = Scene::new();
    for writes in Writes::ALL.into_iter().filter(|writes| writes.takes_a_name()) {
        let file = scene.path("out").join("x".repeat(LONGEST_NAME));
        for _new_and_again in 0..2 {
            assert_well(writes, &scene.run(writes, &file));
            assert_whole(writes, &file);
        }
        fs::remove_file(&file).unwrap();
    }
}

/// Makes a disk of 1 MiB at `$1`, has `prepare` put things on it, and fills the rest.
pub(crate) fn full_disk(prepare: &str) -> String {
    format!(
        r#"mount -t tmpfs -o size=1m disk "$1"; {prepare}
           ! cat /dev/zero > "$1/fill" 2>/dev/null"#
    )
}

#[test]
fn on_a_full_disk_the_summary_is_printed_and_the_file_is_named() {
    let scene = Scene::new();
    for writes in Writes::ALL.into_iter().filter(|writes| writes.takes_a_name()) {
        let script = full_disk("")
            + r#"
            folder=$1; shift; code=0; "$0" "$@" || code=$?; ls -A "$folder" >&2; exit $code"#;
        let mut arguments = vec![scene.path("out").into()];
        arguments.extend(scene.arguments(writes, &scene.file(writes)));
        let Some(output) = with_own_mounts(&scene, &script, arguments) else { return };
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{writes:?}: {said}");
        assert!(text(&output.stdout).contains(writes.summary()), "{writes:?}: {}", text(&output.stdout));
        let expected = format!("{} cannot be written: No space left on device", scene.file(writes).display());
        assert!(said.contains(&expected) && said.contains("; make room there"), "{writes:?}: {said}");
        assert!(said.ends_with("\nfill\n"), "{writes:?} leaves something: {said}");
    }
}

#[test]
fn on_a_full_disk_a_file_stays_what_it_was() {
    let scene = Scene::new();
    let script = full_disk(r#"printf old > "$1/file""#)
        + r#"
        folder=$1; shift; code=0; "$0" "$@" || code=$?; cat "$folder/file" >&2; exit $code"#;
    let mut arguments = vec![scene.path("out").into()];
    arguments.extend(scene.arguments(Writes::LoadJson, &scene.path("out/file")));
    let Some(output) = with_own_mounts(&scene, &script, arguments) else { return };
    let said = text(&output.stderr);
    assert!(output.status.code() == Some(1) && said.ends_with("\nold"), "{said}");
}

#[test]
fn on_a_full_disk_a_report_is_printed_and_the_one_that_was_kept_stays() {
    let scene = Scene::new();
    let script = full_disk(r#"cp -r run "$1"; echo old > "$1/run/report.md""#)
        + r#"
        code=0; "$0" report "$1/run" || code=$?; cat "$1/run/report.md"; ls "$1/run"; exit $code"#;
    let Some(output) = with_own_mounts(&scene, &script, vec![scene.path("out").into()]) else { return };
    let (said, printed) = (text(&output.stderr), text(&output.stdout));
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(printed.contains(Writes::Report.summary()), "{printed}");
    assert!(printed.ends_with("\nold\nenvironment.json\nreport.md\nrun.json\nwindows.jsonl\n"), "{printed}");
    assert!(
        said.contains("report.md: No space left on device") && said.contains("draw them again"),
        "{said}"
    );
}

#[test]
fn a_race_whose_disk_is_full_keeps_and_shows_what_it_had_finished() {
    let (scene, lap) = (Scene::new(), Lap::with_rows(&[("a", "right")]));
    let race = ["--starts", "1000", "--rounds", "1", "--duration", "50ms", "--scenario", "open"];
    let arguments = lap.command(&race).get_args().map(OsString::from).collect::<Vec<_>>();
    let script = r#"
        mkdir "$1" "$2"; mount -t tmpfs -o size=100k disk "$1"; folder=$1; kept=$2; shift 2
        code=0; "$0" "$@" || code=$?; cp "$folder"/* "$kept"; exit $code"#;
    let kept = lap.folder.path().join("kept");
    let given = [lap.out().into(), kept.clone().into()].into_iter().chain(arguments).collect();
    let Some(output) = with_own_mounts(&scene, script, given) else { return };
    let (said, printed) = (text(&output.stderr), text(&output.stdout));
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot keep what was measured") && said.contains("No space left"), "{said}");
    assert!(printed.contains("if you want") && printed.contains("The records are in"), "{printed}");
    let finished = reading::read(&kept.join("windows.jsonl")).unwrap().complete.len();
    assert!(finished > 0, "{said}");
    let run: serde_json::Value = serde_json::from_slice(&fs::read(kept.join("run.json")).unwrap()).unwrap();
    assert_eq!(run["plan"]["starts"], 1000);
}

#[test]
fn a_limit_of_the_size_of_files_is_as_a_full_disk() {
    let scene = Scene::new();
    for writes in [Writes::LoadJson, Writes::Quick] {
        let file = scene.file(writes);
        let arguments = scene.arguments(writes, &file);
        let given = [
            OsString::from("-c"),
            r#"ulimit -f 1; exec "$0" "$@""#.into(),
            env!("CARGO_BIN_EXE_harness").into(),
        ];
        let output =
            finish(scene.command("sh", given.into_iter().chain(arguments)).spawn().unwrap(), PATIENCE);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{writes:?}: {said}");
        assert!(text(&output.stdout).contains(writes.summary()), "{writes:?}: {}", text(&output.stdout));
        assert!(
            said.contains("file cannot be written: File too large") && said.contains("ulimit -f"),
            "{said}"
        );
        assert_eq!(scene.left(), [""; 0], "{writes:?}");
    }
}

#[test]
fn a_folder_whose_own_path_may_not_be_known_is_one_that_files_are_written_to() {
    if !geteuid().is_root() {
        return println!("skipped: only root can become somebody who may not");
    }
    let scene = Scene::new();
    let (hidden, inner) = (scene.path("hidden"), scene.path("hidden/inner"));
    fs::create_dir_all(&inner).unwrap();
    set_mode(&inner, 0o777);
    set_mode(&hidden, 0o700);
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", env!("CARGO_BIN_EXE_harness")]
        .map(OsString::from);
    let arguments = nobody.into_iter().chain(scene.arguments(Writes::LoadJson, Path::new("file")));
    let child = scene.command("setpriv", arguments).current_dir(&inner).spawn().unwrap();
    assert_well(Writes::LoadJson, &finish(child, PATIENCE));
    assert_whole(Writes::LoadJson, &inner.join("file"));
}

#[test]
fn nothing_is_left_of_a_run_that_is_killed() {
    let scene = Scene::new();
    let mut arguments = scene.arguments(Writes::LoadJson, &scene.path("out/file"));
    arguments.splice(2..4, ["-z".into(), "10m".into()]);
    let mut child = scene.harness(arguments).spawn().unwrap();
    (0..20).for_each(|_| scene.asked.recv_timeout(PATIENCE).unwrap());
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(scene.left(), [""; 0]);
}
