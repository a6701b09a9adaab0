//! The application on Go's net/http.

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
};

use app::Endpoint;
use host::{guard::Ended, launch::Launch, processes};
use rustix::process::Signal;

use crate::common::{PATIENCE, Running, get, have};

const SERVED: &[Endpoint] = &[Endpoint::Simple, Endpoint::Complex, Endpoint::Randoms, Endpoint::Info];

/// The program, built as the registry says but for where it goes; nothing where there is no Go.
fn program() -> Option<&'static Path> {
    static PROGRAM: OnceLock<Option<PathBuf>> = OnceLock::new();
    let built = PROGRAM.get_or_init(|| {
        if !have(&["go"]) {
            return None;
        }
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("go-net-http");
        let sources =
            ["main.go", "strict.go"].map(|file| Path::new(env!("CARGO_MANIFEST_DIR")).join("go").join(file));
        let go = host::program::find_program(Path::new("go"))?;
        let build = Launch::new(go).args(["build", "-trimpath", "-o"]).args([&program]).args(sources);
        let exit = build.spawn().unwrap().wait(PATIENCE).unwrap();
        assert_eq!(exit.ended, Ended::Code(0), "{:?}", exit.stderr);
        Some(program)
    });
    built.as_deref()
}

fn launch(program: &Path, arguments: &[&str]) -> Launch {
    Launch::new(program).args(["--listen", "127.0.0.1:0"]).args(arguments)
}

#[test]
fn it_answers_as_the_contract_says_and_drains_at_either_signal() {
    let Some(program) = program() else { return };
    let running = Running::start(launch(program, &["--cpus", "0-1,5"]));
    assert_eq!(running.ready.server, "go-net-http");
    assert_eq!(
        running.ready.cpus.to_string(),
        "0-1,5",
        "the list is only said again: the mask is the launcher's"
    );
    running.check(SERVED);
    let info = running.info();
    assert_eq!((&info["worker"], &info["pid"]), (&"p0".into(), &running.ready.pid.into()));
    assert_eq!(info["workers"], running.ready.workers);
    assert!(info["rss_bytes"].as_u64().unwrap() > 0, "{info}");
    running.stop();

    let running = Running::start(launch(program, &[]));
    assert!(processes::send(running.ready.pid, Signal::INT));
    assert_eq!(running.wait().ended, Ended::Code(0));
}

#[test]
fn it_has_a_thread_for_goroutines_for_each_cpu_of_its_mask() {
    let Some(program) = program() else { return };
    let one = host::cpus::CpuSet::allowed().unwrap().iter().last().unwrap();
    let running = Running::start(launch(program, &[]).cpus(host::cpus::CpuSet::from_iter([one])));
    assert_eq!((running.ready.workers, running.ready.cpus.to_string()), (1, one.to_string()));
    running.stop();
}

#[test]
fn its_bodies_have_the_bytes_of_this_projects_servers() {
    let Some(program) = program() else { return };
    let running = Running::start(launch(program, &[]));
    for (target, operation) in [
        ("/simple", app::Operation::Simple),
        ("/operacion-simple", app::Operation::Simple),
        ("/complex", app::Operation::Complex { iterations: 5_000_000 }),
        ("/operacion-compleja?iterations=0", app::Operation::Complex { iterations: 0 }),
        ("/api/randoms", app::Operation::Randoms { count: 100_000, seed: 0 }),
        ("/api/randoms?count=0", app::Operation::Randoms { count: 0, seed: 0 }),
        (
            "/api/randoms?seed=4294967295&count=12345",
            app::Operation::Randoms { count: 12345, seed: u32::MAX },
        ),
    ] {
        let (_, body) = running.get(target);
        assert_eq!(body.as_bytes(), operation.run().body("go-net-http", "p0"), "{target}");
    }
    running.stop();
}

#[test]
fn its_parameters_are_checked_and_refusals_name_them() {
    let Some(program) = program() else { return };
    let running = Running::start(launch(program, &[]));
    let address = running.ready.address;
    for (target, name, most) in [
        ("/complex?iterations=5000000001", "iterations", "5000000000"),
        ("/complex?iterations=18446744073709551616", "iterations", "5000000000"),
        ("/complex?iterations=-1", "iterations", "5000000000"),
        ("/complex?iterations=%2B1", "iterations", "5000000000"),
        ("/complex?iterations=1_000", "iterations", "5000000000"),
        ("/complex?iterations=1e3", "iterations", "5000000000"),
        ("/complex?iterations=", "iterations", "5000000000"),
        ("/complex?iterations=1&iterations=1", "iterations", "5000000000"),
        ("/api/randoms?count=100000001", "count", "100000000"),
        ("/api/randoms?seed=4294967296", "seed", "4294967295"),
    ] {
        let (status, body) = get(address, target);
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, &body["parameter"]), (400, &name.into()), "{target}");
        assert!(body["error"].as_str().unwrap().contains(most), "{target}: {body}");
    }
    assert_eq!(get(address, "/nowhere").0, 404);
    assert_eq!(get(address, "/echo").0, 405);
    running.stop();
}

#[test]
fn its_arguments_that_cannot_be_meant_are_usage_errors_and_a_taken_port_is_said() {
    let Some(program) = program() else { return };
    let said = |arguments: &[&str], code: i32| {
        let exit = Launch::new(program).args(arguments).spawn().unwrap().wait(PATIENCE).unwrap();
        assert_eq!(exit.ended, Ended::Code(code), "{arguments:?}: {:?}", exit.stderr);
        assert!(
            exit.stderr.iter().any(|line| line.starts_with("error: ")),
            "{arguments:?}: {:?}",
            exit.stderr
        );
        exit.stderr.join("\n")
    };
    for arguments in [
        ["--listen", "nowhere"],
        ["--listen", "127.0.0.1:65536"],
        ["--listen", "127.0.0.1:-1"],
        ["--cpus", "3-1"],
        ["--cpus", ""],
        ["--cpus", "0-"],
        ["--threads", "2"],
        ["--listen=127.0.0.1:0", "more"],
    ] {
        said(&arguments, 2);
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let said = said(&["--listen", &listen], 1);
    assert!(said.contains(&listen) && said.contains("in use"), "{said}");
}
