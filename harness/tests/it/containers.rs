//! The container files name what the workspace has, and keep the promises that they make of every service.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use cargo_metadata::{MetadataCommand, TargetKind};
use serde_json::Value;

/// Has a program, but none for the image: it starts Node, nginx and PM2, which the image does not have.
const NOT_IN_THE_IMAGE: [&str; 1] = ["foreign"];

const IMAGE: &str = "server-architectures:local";

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The members of the workspace, and whether each has a program of its own name, by folder.
fn members() -> BTreeMap<String, (PathBuf, bool)> {
    let metadata = MetadataCommand::new().manifest_path(root().join("Cargo.toml")).no_deps().exec().unwrap();
    let top = metadata.workspace_root.clone().into_std_path_buf();
    let described = metadata.packages.iter().map(|package| {
        let folder =
            package.manifest_path.parent().unwrap().as_std_path().strip_prefix(&top).unwrap().to_owned();
        let own_program = |target: &cargo_metadata::Target| {
            target.kind.contains(&TargetKind::Bin) && target.name == package.name.as_str()
        };
        (package.name.to_string(), (folder, package.targets.iter().any(own_program)))
    });
    described.collect()
}

/// Every member that serves.
fn servers() -> BTreeSet<String> {
    let serves = |(name, (folder, program)): (String, (PathBuf, bool))| {
        (program && folder.starts_with("servers") && !NOT_IN_THE_IMAGE.contains(&name.as_str()))
            .then_some(name)
    };
    let servers: BTreeSet<String> = members().into_iter().filter_map(serves).collect();
    assert!(servers.contains("work-stealing"), "{servers:?}");
    servers
}

/// What the Dockerfile builds, each alone.
fn built() -> BTreeSet<String> {
    let dockerfile = text("Dockerfile");
    let list = dockerfile.split_once("ARG PACKAGES=\"").and_then(|(_, rest)| rest.split_once('"')).unwrap().0;
    list.replace('\\', " ").split_whitespace().map(str::to_owned).collect()
}

fn services() -> serde_json::Map<String, Value> {
    let compose: Value = serde_saphyr::from_str(&text("compose.yaml")).unwrap();
    compose["services"].as_object().unwrap().clone()
}

/// A list of words; none where there is no such key.
fn words(list: &Value) -> Vec<&str> {
    let words = list.as_array().into_iter().flatten();
    words.map(|word| word.as_str().unwrap_or_else(|| panic!("{word} is no word"))).collect()
}

/// What a service of this project's image runs; none of another image.
fn command(service: &Value) -> Option<Vec<&str>> {
    (service["image"] == IMAGE).then(|| words(&service["command"]))
}

#[test]
fn every_server_is_in_the_image_and_the_image_has_nothing_that_is_no_member() {
    let built = built();
    let missing: Vec<_> = servers().difference(&built).cloned().collect();
    assert_eq!(missing, [""; 0], "servers that the Dockerfile does not build");
    let members = members();
    let strangers: Vec<_> = built.iter().filter(|name| !members.contains_key(*name)).collect();
    assert_eq!(strangers, [""; 0], "packages of the Dockerfile that are no members");
    assert!(built.contains("harness"), "the bench in containers is the harness's");
}

#[test]
fn every_server_is_a_service_and_every_service_runs_what_the_image_has() {
    let services = services();
    let built = built();
    let mut served = BTreeSet::new();
    for (name, service) in &services {
        let Some(command) = command(service) else { continue };
        let program = *command.first().unwrap_or_else(|| panic!("{name} says no command"));
        let script = root().join("containers").join(program).is_file();
        assert!(script || built.contains(program), "{name} runs {program}, which the image does not have");
        served.insert(program.to_owned());
    }
    let missing: Vec<_> = servers().difference(&served).cloned().collect();
    assert_eq!(missing, [""; 0], "servers without a service in compose.yaml");
}

#[test]
fn the_bench_loads_every_service_once() {
    let services = services();
    let loaded: Vec<&str> = words(&services["bench"]["command"])[1..]
        .iter()
        .map(|target| target.split_once(':').unwrap_or_else(|| panic!("{target} has no port")).0)
        .collect();
    let wanted: BTreeSet<&str> = services
        .iter()
        .filter(|(name, service)| *name != "bench" && service.get("ports").is_some())
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(loaded.iter().copied().collect::<BTreeSet<_>>(), wanted);
    assert_eq!(loaded.len(), wanted.len(), "one is loaded twice: {loaded:?}");
    let waited: BTreeSet<&str> =
        services["bench"]["depends_on"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(waited, wanted, "what the bench waits for");
}

#[test]
fn nginx_stands_before_services_that_there_are() {
    let (services, conf) = (services(), text("containers/nginx.conf"));
    let named: BTreeSet<&str> =
        conf.lines().filter_map(|line| line.trim().strip_prefix("server ")?.strip_suffix(":8080;")).collect();
    assert_eq!(named.len(), 4, "{named:?}");
    let waited: BTreeSet<&str> =
        services["nginx"]["depends_on"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(named, waited);
    for name in named {
        assert_eq!(command(&services[name]).unwrap(), ["single-thread"], "{name}");
    }
}

#[test]
fn no_service_has_more_rights_than_it_needs() {
    for (name, service) in &services() {
        assert_eq!(words(&service["cap_drop"]), ["ALL"], "{name}: cap_drop");
        assert_eq!(service["read_only"], true, "{name}: read_only");
        let options = words(&service["security_opt"]);
        assert!(options.contains(&"no-new-privileges:true"), "{name}: {options:?}");
        for option in options {
            if let Some(file) = option.strip_prefix("seccomp=") {
                assert!(root().join(file).is_file(), "{name}: {file} is not there");
            }
        }
        for port in words(&service["ports"]) {
            assert!(port.starts_with("127.0.0.1:"), "{name} is published to the whole network: {port}");
        }
    }
}

#[test]
fn services_on_io_uring_may_use_it_and_lock_memory() {
    let services = services();
    let on_io_uring: Vec<_> = services
        .iter()
        .filter(|(_, service)| command(service).is_some_and(|command| command.contains(&"glommio")))
        .collect();
    assert!(!on_io_uring.is_empty());
    for (name, service) in on_io_uring {
        assert!(words(&service["security_opt"]).contains(&"seccomp=containers/seccomp.json"), "{name}");
        let memlock = service["ulimits"]["memlock"].as_u64();
        assert!(memlock.is_some_and(|bytes| bytes >= 512 << 10), "{name}: memlock {memlock:?}");
        assert!(service["ulimits"].get("nofile").is_some(), "{name}: nofile");
    }
    let profile: Value = serde_json::from_str(&text("containers/seccomp.json")).unwrap();
    assert_eq!(profile["defaultAction"], "SCMP_ACT_ERRNO");
    let rules = profile["syscalls"].as_array().unwrap();
    let allowed: Vec<&str> = rules
        .iter()
        .filter(|rule| rule["action"] == "SCMP_ACT_ALLOW")
        .flat_map(|rule| words(&rule["names"]))
        .collect();
    for call in ["io_uring_setup", "io_uring_enter", "io_uring_register"] {
        assert!(allowed.contains(&call), "{call}");
    }
    for call in ["bpf", "mount", "perf_event_open", "ptrace", "setns", "unshare", "userfaultfd"] {
        assert!(!allowed.contains(&call), "{call} is allowed");
    }
}

#[test]
fn the_image_is_built_with_the_compiler_of_the_workspace_and_from_all_of_it() {
    let toolchain: toml::Table = text("rust-toolchain.toml").parse().unwrap();
    let channel = toolchain["toolchain"]["channel"].as_str().unwrap();
    let dockerfile = text("Dockerfile");
    for line in
        [format!("FROM rust:{channel}-slim-bookworm AS builder"), format!("ENV RUSTUP_TOOLCHAIN={channel}")]
    {
        assert!(dockerfile.lines().any(|found| found == line), "no `{line}` in the Dockerfile");
    }
    // cargo reads the manifest of every member, built or not.
    let ignore = text(".dockerignore");
    let sent: Vec<&str> = ignore.lines().filter_map(|line| line.strip_prefix('!')).collect();
    for (name, (folder, _)) in members() {
        let top = folder.components().next().unwrap().as_os_str().to_str().unwrap();
        assert!(sent.contains(&top), "{name}: .dockerignore leaves {top} out");
    }
    for file in ["Cargo.toml", "Cargo.lock"] {
        assert!(sent.contains(&file), "{file}");
    }
    for copied in ["healthy", "bench.sh"] {
        assert!(sent.contains(&format!("containers/{copied}").as_str()), "{copied}");
        assert!(root().join("containers").join(copied).is_file(), "{copied}");
    }
}
