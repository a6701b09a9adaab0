//! What is printed goes one way. A print macro panics where nothing can be written (a full disk, a pipe that was closed), and with it
//! the thread that was to do something: clippy is told to refuse it, crate by crate, since tests and examples may.

use cargo_metadata::MetadataCommand;

#[test]
fn every_crate_of_the_harness_refuses_print_macros() {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let metadata = MetadataCommand::new().manifest_path(manifest).no_deps().exec().unwrap();
    let folder = metadata.workspace_root.join("harness");
    let mut seen = 0;
    // What the suite prints it prints in tests.
    let of_commands = |package: &&cargo_metadata::Package| {
        package.manifest_path.starts_with(&folder) && package.name.as_str() != "conformance"
    };
    for package in metadata.packages.iter().filter(of_commands) {
        for target in package.targets.iter().filter(|target| target.is_lib() || target.is_bin()) {
            let source = std::fs::read_to_string(&target.src_path).unwrap();
            let refuses = source.contains("#![warn(clippy::print_stderr, clippy::print_stdout)]");
            assert!(refuses, "{} may use print macros: see terminal's lib.rs", target.src_path);
            seen += 1;
        }
    }
    assert!(seen >= 8, "only {seen} crates were read");
}
