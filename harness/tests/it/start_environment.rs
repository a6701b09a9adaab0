//! Rows start in the environment that the harness states, whatever the caller has exported.

use std::{collections::BTreeMap, fs, process::Stdio, time::Duration};

use serde_json::Value;

use crate::{lap::scripted_server, rows::FACTORS, support::finish};

const PATIENCE: Duration = Duration::from_secs(120);

/// A script that writes its environment to the file and becomes the scripted server.
fn telling(file: &std::path::Path) -> String {
    format!("env > {}; exec {} terse \"$@\"", file.display(), scripted_server().display())
}

fn environment(file: &std::path::Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(file).unwrap();
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    // What a shell sets for itself.
    pairs
        .filter(|(name, _)| !["PWD", "SHLVL", "_", "OLDPWD"].contains(name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn what_the_caller_exports_reaches_no_row_of_the_registry_and_is_not_meant_for_a_given_one() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, given) = (folder.path().join("ours"), folder.path().join("given"));
    fs::create_dir(folder.path().join("scenarios")).unwrap();
    fs::write(
        folder.path().join("scenarios/open.toml"),
        "question = 'Does it work?'\nplacement = 'shared'\nwarm_up = '10ms'\nwindow = '100ms'\ntimeout = '1s'\n\
         rank = { stream = 'simple', by = 'p99' }\n\
         [[stream]]\nname = 'simple'\noperation = 'simple'\nconnections = 4\n\
         pacing = { kind = 'poisson', rate = { per_second = 200.0 } }\n",
    )
    .unwrap();
    let row = format!(
        "[[row]]\nname = 'ours'\nabout = 'scripted'\ntier = 'reference'\n\
         command = ['/bin/sh', '-c', '{}', 'sh']\noperations = ['simple']\nenv = {{ OF_THE_ROW = 'yes' }}\n{FACTORS}",
        telling(&ours)
    );
    fs::write(folder.path().join("servers.toml"), row).unwrap();
    let script = folder.path().join("given.sh");
    fs::write(&script, telling(&given)).unwrap();
    let out = folder.path().join("out");
    let child = host::tether::command(env!("CARGO_BIN_EXE_harness"))
        .args([
            "bench",
            "--unverified",
            "--beside-others",
            "--starts",
            "1",
            "--rounds",
            "1",
            "--duration",
            "100ms",
            "--out",
        ])
        .arg(&out)
        .arg("--registry")
        .arg(folder.path().join("servers.toml"))
        .arg("--scenarios")
        .arg(folder.path().join("scenarios"))
        .arg("--with")
        .arg(format!("name=given,cmd=/bin/sh {},operations=simple", script.display()))
        .envs([
            ("SERVER_POLICY", "off"),
            ("SERVER_WORKERS", "1"),
            ("RUST_LOG", "trace"),
            ("NODE_OPTIONS", "--inspect"),
        ])
        .envs([("MINE", "secret"), ("LANG", "tr_TR.UTF-8")])
        .env_remove("TMPDIR")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let output = finish(child, PATIENCE);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let ours = environment(&ours);
    assert_eq!(ours.keys().map(String::as_str).collect::<Vec<_>>(), ["HOME", "LANG", "OF_THE_ROW", "PATH"]);
    assert_eq!((ours["LANG"].as_str(), ours["OF_THE_ROW"].as_str()), ("C.UTF-8", "yes"));
    let given = environment(&given);
    assert_eq!((given["MINE"].as_str(), given["LANG"].as_str()), ("secret", "tr_TR.UTF-8"));
    for withheld in ["SERVER_POLICY", "SERVER_WORKERS", "RUST_LOG", "NODE_OPTIONS"] {
        assert!(!given.contains_key(withheld), "{given:?}");
    }
    let text = fs::read_to_string(out.join("environment.json")).unwrap();
    let record: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(record["start"]["common"]["LANG"], "C.UTF-8", "{record:#}");
    assert_eq!(record["start"]["rows"]["ours"]["OF_THE_ROW"], "yes", "{record:#}");
    assert!(record["start"]["given"]["given"].as_array().unwrap().contains(&"MINE".into()), "{record:#}");
    assert!(!text.contains("secret"), "{text}");
}
