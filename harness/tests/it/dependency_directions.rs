//! Who may know whom, as ARCHITECTURE.md draws it. A crate that grows a dependency in the wrong direction fails here.

use std::{collections::BTreeSet, path::Path};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// What a member may depend on, among the members: for its code, and in addition for its tests.
const ALLOWED: [(&str, &[&str], &[&str]); 25] = [
    // What servers share.
    ("app", &[], &[]),
    ("duration", &[], &[]),
    ("within", &["duration"], &[]),
    ("host", &[], &[]),
    ("kit", &["app", "host", "within"], &[]),
    ("kit-tokio", &["app", "host", "kit"], &[]),
    ("kit-io-uring", &["kit"], &[]),
    ("kit-compio", &["kit", "kit-io-uring"], &[]),
    ("kit-glommio", &["kit", "kit-io-uring"], &[]),
    ("kit-may", &["host", "kit"], &[]),
    ("kit-poll", &["host"], &[]),
    ("kit-rayon", &["app", "host", "kit"], &[]),
    ("supervisor", &["host", "kit", "within"], &[]),
    // The harness, from the ground up.
    ("stats", &[], &[]),
    ("load", &["stats"], &[]),
    ("conformance", &["app", "host"], &[]),
    ("terminal", &["load"], &["host"]),
    ("race", &["app", "conformance", "duration", "host", "load", "stats", "terminal"], &[]),
    ("report", &["race", "stats", "terminal"], &[]),
    ("client", &["host", "load", "race", "stats", "terminal", "within"], &[]),
    ("selftest", &["app", "host", "load", "race", "report", "stats", "terminal"], &[]),
    (
        "harness",
        &["client", "host", "load", "race", "report", "selftest", "terminal", "within"],
        &["app", "duration", "stats"],
    ),
    // Beside both.
    ("machines", &["host"], &["stats"]),
    ("benches", &["app", "host", "kit", "kit-tokio", "load", "stats"], &[]),
    ("properties", &["app", "kit", "load"], &[]),
];

/// A server may know what every server shares, and the suite that it must pass; never another server or the harness.
const SERVER: (&[&str], &[&str]) = (
    &[
        "app",
        "host",
        "kit",
        "kit-compio",
        "kit-glommio",
        "kit-may",
        "kit-poll",
        "kit-rayon",
        "kit-tokio",
        "supervisor",
        "within",
    ],
    &["conformance"],
);

/// Runtimes, which only the crates that are about them may name.
const RUNTIMES: [&str; 7] = ["actix-web", "axum", "compio", "glommio", "may", "rayon", "tokio"];

fn metadata() -> Metadata {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    MetadataCommand::new().manifest_path(manifest).no_deps().exec().unwrap()
}

fn member<'a>(metadata: &'a Metadata, name: &str) -> &'a Package {
    let found = metadata.packages.iter().find(|package| package.name.as_str() == name);
    found.unwrap_or_else(|| panic!("{name} is no member"))
}

fn is_server(package: &Package) -> bool {
    let folder = package.manifest_path.parent().and_then(|folder| folder.parent());
    folder.is_some_and(|folder| folder.ends_with("servers"))
        && !ALLOWED.iter().any(|(name, ..)| *name == package.name.as_str())
}

fn dependencies(package: &Package, kind: DependencyKind) -> BTreeSet<&str> {
    package.dependencies.iter().filter(|d| d.kind == kind).map(|d| d.name.as_str()).collect()
}

#[test]
fn every_member_depends_only_on_what_it_may_know() {
    let metadata = metadata();
    let members: BTreeSet<&str> = metadata.packages.iter().map(|package| package.name.as_str()).collect();
    let strangers: Vec<_> =
        ALLOWED.iter().map(|(name, ..)| *name).filter(|name| !members.contains(name)).collect();
    assert_eq!(strangers, [""; 0], "listed, and no members");
    for package in &metadata.packages {
        let name = package.name.as_str();
        let (code, tests) = match ALLOWED.iter().find(|(member, ..)| *member == name) {
            Some((_, code, tests)) => (*code, *tests),
            None if is_server(package) => SERVER,
            None => panic!("{name} is neither a server nor listed: say what it may know"),
        };
        for (kind, allowed) in [
            (DependencyKind::Normal, code.to_vec()),
            (DependencyKind::Build, Vec::new()),
            (DependencyKind::Development, [code, tests].concat()),
        ] {
            for dependency in dependencies(package, kind).intersection(&members) {
                assert!(allowed.contains(dependency), "{name} must not depend on {dependency} ({kind:?})");
            }
        }
    }
}

#[test]
fn what_is_served_and_what_all_servers_share_name_no_runtime() {
    let metadata = metadata();
    for name in ["app", "duration", "host", "kit", "within"] {
        let dependencies = dependencies(member(&metadata, name), DependencyKind::Normal);
        let named: Vec<_> = RUNTIMES.iter().filter(|runtime| dependencies.contains(*runtime)).collect();
        assert!(named.is_empty(), "{name} depends on {named:?}");
    }
}

#[test]
fn the_ceiling_knows_another_null_server_only_in_an_example() {
    let metadata = metadata();
    let ceiling = member(&metadata, "ceiling");
    assert!(dependencies(ceiling, DependencyKind::Development).contains("may_minihttp"));
    let linked = dependencies(ceiling, DependencyKind::Normal);
    let named: Vec<_> =
        linked.iter().filter(|name| RUNTIMES.contains(name) || name.starts_with("may")).collect();
    assert!(named.is_empty(), "the null server itself depends on {named:?}");
}

#[test]
fn the_harness_names_no_runtime_and_links_no_server() {
    let metadata = metadata();
    let servers: BTreeSet<&str> =
        metadata.packages.iter().filter(|p| is_server(p)).map(|p| p.name.as_str()).collect();
    assert!(servers.contains("work-stealing"), "{servers:?}");
    let folder = metadata.workspace_root.join("harness");
    let of_the_harness =
        metadata.packages.iter().filter(|package| package.manifest_path.starts_with(&folder));
    assert!(of_the_harness.clone().count() >= 9);
    for package in of_the_harness {
        for dependency in &package.dependencies {
            let name = dependency.name.as_str();
            assert!(
                !RUNTIMES.contains(&name) && !servers.contains(name),
                "{} depends on {name}",
                package.name
            );
        }
    }
}

#[test]
fn every_member_inherits_the_lints_and_states_no_version_of_its_own() {
    for package in metadata().packages {
        let manifest = std::fs::read_to_string(&package.manifest_path).unwrap();
        assert!(manifest.contains("[lints]\nworkspace = true"), "{} has lints of its own", package.name);
        let own_version = manifest.lines().find(|line| line.contains("version = \""));
        assert_eq!(own_version, None, "{} states a version: the workspace states them once", package.name);
    }
}

#[test]
fn only_the_command_line_and_what_is_started_by_one_know_clap() {
    let metadata = metadata();
    let command_line = metadata.workspace_root.join("harness");
    let below = metadata.packages.iter().filter(|package| {
        package.manifest_path.starts_with(&command_line)
            && package.manifest_path != command_line.join("Cargo.toml")
    });
    assert!(below.clone().count() >= 8);
    for package in below.chain(["app", "duration", "host"].map(|name| member(&metadata, name))) {
        let linked = dependencies(package, DependencyKind::Normal);
        assert!(!linked.contains("clap"), "{} knows clap: it gets plain values", package.name);
    }
}

#[test]
fn the_waker_of_a_thread_in_poll_is_made_in_one_place() {
    let home = Path::new("servers/shared/host/src/waker.rs");
    let (mut makers, mut seen) = (Vec::new(), 0);
    for package in metadata().packages {
        let mut folders = vec![package.manifest_path.with_file_name("src").into_std_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if std::fs::read_to_string(&path).is_ok_and(|text| text.contains("eventfd(")) {
                    makers.push(path);
                } else {
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 100, "only {seen} files were read");
    assert!(makers.len() == 1 && makers[0].ends_with(home), "only {} makes one: {makers:?}", home.display());
}
