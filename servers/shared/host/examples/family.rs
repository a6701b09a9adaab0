//! A server for tests of trees of processes: it does what it is told, and says what came of it.
//!
//! It prints `PORT TOLD_ON`: the port that it serves (to nobody), and the one on which each connection brings one order and gets one
//! answer. It ends with the guard above it, and so does what it starts.

#![expect(clippy::disallowed_macros, reason = "what it prints is what it is for")]

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpListener,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

use rustix::process::{WaitOptions, wait};

/// What the child opens before it becomes another program waits for somebody who writes.
const STICK: &str = "import os, sys; os.mkfifo(sys.argv[1]); \
    os.posix_spawn(\"/bin/true\", [\"true\"], {}, file_actions=[(os.POSIX_SPAWN_OPEN, 0, sys.argv[1], os.O_RDONLY, 0)])";

fn main() -> io::Result<()> {
    let (mut serving, told) = (Some(TcpListener::bind("127.0.0.1:0")?), TcpListener::bind("127.0.0.1:0")?);
    let port = |listener: &TcpListener| listener.local_addr().map(|address| address.port());
    println!("{} {}", serving.as_ref().map(port).transpose()?.unwrap_or(0), port(&told)?);
    let (spinning, noticed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    for connection in told.incoming() {
        let mut connection = connection?;
        let mut order = String::new();
        BufReader::new(&connection).read_line(&mut order)?;
        let words: Vec<&str> = order.split_whitespace().collect();
        let answer = match words[..] {
            ["child"] => start("exec sleep 300")?,
            ["daemon"] => start("setsid sh -c 'echo $$; exec >&-; exec sleep 300' & exec >&-; wait")?,
            ["threads", many] => {
                for _ in 0..many.parse().map_err(io::Error::other)? {
                    thread::spawn(|| {
                        loop {
                            thread::park();
                        }
                    });
                }
                String::new()
            }
            ["spin"] => {
                spinning.store(true, Relaxed);
                let spinning = Arc::clone(&spinning);
                thread::spawn(move || while spinning.load(Relaxed) {});
                String::new()
            }
            ["rest"] => {
                spinning.store(false, Relaxed);
                String::new()
            }
            // As supervisors do that want to know of more than ends.
            ["watch"] => {
                let noticed = Arc::clone(&noticed);
                thread::spawn(move || {
                    while let Ok(Some((_, status))) = wait(WaitOptions::UNTRACED) {
                        noticed.fetch_add(usize::from(status.stopped()), Relaxed);
                    }
                });
                String::new()
            }
            ["noticed"] => noticed.load(Relaxed).to_string(),
            // A thread that waits until its child has become another program, which it never does, cannot be stopped.
            ["stick", fifo] => start(&format!("exec python3 -c '{STICK}' {fifo}"))?,
            ["close"] => {
                drop(serving.take());
                String::new()
            }
            _ => return Err(io::Error::other(format!("no such order: {order}"))),
        };
        writeln!(connection, "{answer}")?;
    }
    Ok(())
}

/// Starts a shell; what it says first, or its pid where it says nothing.
fn start(script: &str) -> io::Result<String> {
    #[expect(clippy::disallowed_methods, reason = "the guard ends it")]
    let mut command = Command::new("sh");
    let says = script.contains("echo");
    let out = if says { Stdio::piped() } else { Stdio::null() };
    let mut child = command.args(["-c", script]).stdout(out).spawn()?;
    let mut said = String::new();
    if let Some(mut out) = child.stdout.take() {
        out.read_to_string(&mut said)?;
    }
    Ok(if says { said.trim().to_owned() } else { child.id().to_string() })
}
