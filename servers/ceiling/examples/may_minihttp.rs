//! Another null server, to measure the ceiling beside: may_minihttp as it is published, with one worker, giving the
//! ceiling's own answer.
//!
//! `may_minihttp --listen ADDRESS --cpus LIST`, the port written out: the library does not tell which one it got. It
//! parses its requests and writes a Date and a Server field, which the ceiling does not. TCP_NODELAY stays off, since
//! the library shows its sockets to nobody; every answer is one write, so that nothing waits for it.

use std::{io, net::SocketAddr, process::ExitCode};

use host::{
    cpus::CpuSet,
    lossy,
    ready::{Profile, Ready},
};
use may_minihttp::{HttpServer, HttpService, Request, Response};

const USAGE: &str = "usage: may_minihttp --listen ADDRESS:PORT --cpus LIST";

/// The ceiling's answer, byte for byte.
const BODY: &str = "{\"origin\":\"ceiling\",\"worker\":\"t0\",\"payload\":499500}";

/// A coroutine's stack, in words of 8 bytes: the size that the library's own benchmark examples set.
const STACK_WORDS: usize = 0x1000;

#[derive(Clone)]
struct Constant;

impl HttpService for Constant {
    fn call(&mut self, _request: Request<'_, '_, '_>, response: &mut Response<'_>) -> io::Result<()> {
        response.header("Content-Type: application/json").body(BODY);
        Ok(())
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let parsed = match &arguments[..] {
        [listen, address, cpus, list] if listen == "--listen" && cpus == "--cpus" => {
            address.parse::<SocketAddr>().ok().zip(list.parse::<CpuSet>().ok())
        }
        _ => None,
    };
    let Some((address, cpus)) = parsed.filter(|(address, _)| address.port() != 0) else {
        lossy::stderr().say(format_args!("{USAGE}"));
        return ExitCode::from(2);
    };
    match serve(address, cpus) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            lossy::stderr().say(format_args!("cannot serve on {address}: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn serve(address: SocketAddr, cpus: CpuSet) -> io::Result<()> {
    cpus.apply_to_current_thread()?;
    may::config().set_workers(1).set_stack_size(STACK_WORDS);
    // The mask of the process says where its worker runs.
    may::config().set_worker_pin(false);
    let server = HttpServer(Constant).start(address)?;
    let ready = Ready {
        server: "may_minihttp".to_owned(),
        address,
        pid: std::process::id(),
        workers: 1,
        cpus,
        profile: Profile::of_this_build(),
    };
    // It serves whether or not somebody hears that.
    let _ = ready.announce();
    server.join().map_err(|_| io::Error::other("the accepting coroutine panicked"))
}
