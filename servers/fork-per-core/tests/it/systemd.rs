//! The units that come with the server: what systemd itself says of them.

use std::{fs, path::Path, process::Output};

use host::tether;

const UNITS: [&str; 2] = ["fork-per-core.service", "fork-per-core.socket"];

/// The unit, with the program where it is here and not where it will be installed.
fn unit(name: &str) -> String {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd").join(name)).unwrap();
    text.replace("/usr/local/bin/fork-per-core", env!("CARGO_BIN_EXE_fork-per-core"))
}

#[test]
fn systemd_finds_nothing_to_complain_of_in_the_units() {
    let folder = tempfile::tempdir().unwrap();
    let paths = UNITS.map(|name| folder.path().join(name));
    for (name, path) in UNITS.iter().zip(&paths) {
        fs::write(path, unit(name)).unwrap();
    }
    if tether::command("systemd-analyze").arg("--version").output().is_err() {
        return println!("skipped: systemd is not installed here");
    }
    let verify = |paths: &[std::path::PathBuf]| {
        let Output { status, stdout, stderr } =
            tether::command("systemd-analyze").args(["verify", "--man=no"]).args(paths).output().unwrap();
        let said = String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned();
        (status.success(), said)
    };
    // Of other units of this machine it may say something.
    let of_ours = |said: &str| said.lines().filter(|line| line.contains("fork-per-core")).count();
    let (is_fine, said) = verify(&paths);
    assert!(is_fine && of_ours(&said) == 0, "{said}");

    // It would say so.
    let text = fs::read_to_string(&paths[0]).unwrap();
    fs::write(&paths[0], text.replace("WatchdogSec=30", "WatchdogSec=often\nWatchdogs=1")).unwrap();
    let (_, said) = verify(&paths);
    assert!(of_ours(&said) >= 2, "{said}");
}

#[test]
fn the_stop_has_more_time_than_the_drain() {
    let unit = unit("fork-per-core.service");
    let value = |name: &str| {
        let line =
            unit.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name}"));
        line.trim_start_matches('=').to_owned()
    };
    let help = tether::command(env!("CARGO_BIN_EXE_fork-per-core")).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let drain =
        help.split("--drain-timeout").nth(1).and_then(|rest| rest.split("[default: ").nth(1)).unwrap();
    let drain: u64 = drain.split("s]").next().unwrap().parse().unwrap();
    assert!(value("TimeoutStopSec").parse::<u64>().unwrap() >= drain + 5, "{drain}");
    assert_eq!(value("KillMode"), "mixed");
    assert_eq!(value("OOMPolicy"), "continue");
}
