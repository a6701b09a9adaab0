//! A server that does as it is told, right or wrong: what the harness's own tests race.
//!
//! `scripted_server MODE --listen ADDRESS --cpus LIST [...]`. It obeys the contract between servers and harness as far as MODE
//! does not say otherwise; it is no row, and no architecture.

#![expect(
    clippy::disallowed_methods,
    reason = "what it leaves behind is for the guard above it to end, and untethered"
)]

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    process::{Command, ExitCode},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use host::ready::{Profile, Ready};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    // What follows is heard and not heeded, as the number of workers.
    let [_, mode, _, listen, _, cpus, ..] = &arguments[..] else {
        eprintln!("usage: scripted_server MODE --listen ADDRESS --cpus LIST [...]");
        return ExitCode::from(2);
    };
    match mode.as_str() {
        "dies" => {
            eprintln!("no reason to live");
            return ExitCode::from(3);
        }
        "into-the-background" => {
            let outcome = Command::new("setsid").args(["sleep", "600"]).spawn();
            return if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
        "mute" => std::thread::sleep(Duration::from_secs(600)),
        // Somebody else has the port: here, an earlier line of this very program.
        "port-taken" => {
            let holder =
                TcpListener::bind("127.0.0.1:0").and_then(|holder| holder.local_addr().map(|a| (holder, a)));
            if let Ok((_holder, address)) = holder
                && let Err(error) = TcpListener::bind(address)
            {
                eprintln!("cannot listen on {address}: {error}; choose another with --listen");
                return ExitCode::FAILURE;
            }
        }
        _ => {}
    }
    let stop = Arc::new(AtomicBool::new(false));
    if mode == "unstoppable" {
        if let Err(error) = leave_everything_behind() {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
        // Whoever raises this, nobody looks.
        for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT, signal_hook::consts::SIGHUP]
        {
            if let Err(error) = signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false))) {
                eprintln!("cannot ignore signals: {error}");
                return ExitCode::FAILURE;
            }
        }
        return match serve(mode, listen, cpus, &stop) {
            Ok(code) => code,
            Err(_) => ExitCode::FAILURE,
        };
    }
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        if let Err(error) = signal_hook::flag::register(signal, Arc::clone(&stop)) {
            eprintln!("cannot listen for signals: {error}");
            return ExitCode::FAILURE;
        }
    }
    match serve(mode, listen, cpus, &stop) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// A child that ignores SIGTERM, and a daemon that does as well: its parent is gone, and it leads a session of its own, so that
/// neither a signal to this process's group nor to its children reaches it.
fn leave_everything_behind() -> std::io::Result<()> {
    const STUBBORN: &str = "trap '' TERM HUP INT; while :; do sleep 600; done";
    Command::new("sh").args(["-c", STUBBORN]).spawn()?;
    let daemon = format!("setsid sh -c \"{STUBBORN}\" &");
    // The shell between forks once more and ends, which makes an orphan of the second.
    Command::new("sh").args(["-c", &daemon]).status()?;
    Ok(())
}

fn serve(
    mode: &str,
    listen: &str,
    cpus: &str,
    stop: &AtomicBool,
) -> Result<ExitCode, Box<dyn std::error::Error>> {
    if mode == "daemonises" {
        // A grandchild in a session of its own, which no signal to this process or its group reaches.
        Command::new("setsid").args(["sleep", "600"]).spawn()?;
    }
    let listener = TcpListener::bind(listen)?;
    let ready = Ready {
        server: "scripted".to_owned(),
        address: listener.local_addr()?,
        pid: std::process::id(),
        workers: 1,
        cpus: cpus.parse()?,
        profile: if mode == "debug" { Profile::Debug } else { Profile::Release },
    };
    match mode {
        // No program but this project's says all of it.
        "terse" => println!("{{\"address\":\"{}\"}}", ready.address),
        "foreign" | "unstoppable" => {}
        _ => ready.announce()?,
    }
    let mode = mode.to_owned();
    if mode == "never-rests" {
        std::thread::spawn(|| {
            loop {
                std::hint::spin_loop();
            }
        });
    }
    let listener = Arc::new(listener);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (mode, listener) = (mode.clone(), Arc::clone(&listener));
            std::thread::spawn(move || answer_all(&mode, &listener, stream));
        }
    });
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(ExitCode::SUCCESS)
}

/// What happens at the twentieth answer.
fn under_load(mode: &str, listener: &TcpListener) {
    match mode {
        "dies-under-load" => std::process::exit(9),
        // Whoever is in the tree of a frozen server then was not there before.
        "forks-under-load" => drop(Command::new("sleep").arg("600").spawn()),
        // Nobody is let in any more; who is in stays.
        "closes-under-load" => drop(rustix::net::shutdown(listener, rustix::net::Shutdown::Both)),
        _ => {}
    }
}

/// Requests of all connections.
static ANSWERED: AtomicU32 = AtomicU32::new(0);

/// Answers requests without a body until the client goes away.
fn answer_all(mode: &str, listener: &TcpListener, stream: TcpStream) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut writer = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|&length| length > 0)?;
        let mut header = String::new();
        while header != "\r\n" {
            header.clear();
            reader.read_line(&mut header).ok().filter(|&length| length > 0)?;
        }
        // Late enough to pass the check of the answers.
        if ANSWERED.fetch_add(1, Ordering::Relaxed) == 20 {
            under_load(mode, listener);
        }
        if mode == "hangs-under-load" && ANSWERED.load(Ordering::Relaxed) > 20 {
            std::thread::sleep(Duration::from_secs(600));
        }
        let mut words = line.split(' ');
        let (method, target) = (words.next()?, words.next()?);
        let (path, query) =
            target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let (status, body) = match app::route(method, path, query) {
            Ok(app::Request::Operation(operation)) => {
                if let app::Operation::Delay { milliseconds } = operation {
                    std::thread::sleep(Duration::from_millis(milliseconds));
                }
                let body = operation.run().body("scripted", "t0");
                let body = String::from_utf8(body).ok()?;
                (200, if mode == "wrong" { body.replace("499500", "499501") } else { body })
            }
            Ok(app::Request::Healthz) => (200, "ok".to_owned()),
            Ok(_) => (200, "{}".to_owned()),
            Err(rejection) => (rejection.status(), String::new()),
        };
        let length = body.len();
        write!(
            writer,
            "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .ok()?;
    }
}
