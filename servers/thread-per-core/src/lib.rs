//! Threads per core: pinned executors that share nothing.
//!
//! Where connections live: on the executor whose listener the kernel chose; for good. Where operations run: on that
//! executor's thread. Each executor has its own SO_REUSEPORT listener, reactor, timers and counters, and is pinned to
//! its CPU unless `--no-pin` says otherwise.
//!
//! Three reactors: glommio (io_uring, asked when a socket is ready), compio (io_uring, handed whole operations), and as a control the same
//! shape on tokio's current-thread runtime (epoll), so that what the shape does can be told from what io_uring does, and
//! that from what either library does.

use std::{net::TcpListener, sync::Arc, sync::mpsc, thread};

use core_affinity::{CoreId, get_core_ids, set_for_current};
use host::cpus::CpuSet;
use kit::{
    args::Config,
    execute::Inline,
    service::Site,
    shutdown::{EndsTogether, Shutdown},
    start::{self, Error},
    worker::{Kind, Worker},
};

/// The server's name.
pub const SERVER: &str = "thread-per-core";

/// What the executors do their input and output with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Io {
    /// glommio, on io_uring.
    Glommio,
    /// compio, on io_uring.
    Compio,
    /// tokio's current-thread runtime, on epoll.
    Epoll,
}

/// By what an executor tells that it accepts.
struct Readiness(mpsc::Sender<()>);

impl Readiness {
    /// Logs on which CPUs the executor may really run, and reports that it accepts. Consumes the sender: the main thread
    /// counts until all are gone, those of executors that failed among them.
    fn report(self, index: usize) -> Result<(), Error> {
        let cpus = CpuSet::allowed().map_err(Error::system("read an executor's CPUs"))?;
        tracing::info!("executor t{index} runs on CPUs {cpus}");
        self.0.send(()).map_err(|_| Error::Failed("the server is gone".to_owned()))
    }
}

/// Serves each of `listeners` on an executor of its own until `stopping` is raised and the drain is over. Says so
/// when all accept.
///
/// # Errors
/// An executor cannot be started or pinned.
pub fn run(
    config: &Config,
    io: Io,
    pin: bool,
    listeners: Vec<TcpListener>,
    stopping: Shutdown,
) -> Result<(), Error> {
    let address = match listeners.first() {
        Some(first) => first.local_addr().map_err(Error::system("read the listener's address"))?,
        None => return Err(Error::Failed("there is no listener".to_owned())),
    };
    match io {
        Io::Glommio => kit_glommio::check()?,
        Io::Compio => kit_compio::check()?,
        Io::Epoll => {}
    }
    // Enumerated before any thread is pinned: afterwards a thread sees only its own CPU.
    let there: Vec<usize> = get_core_ids().unwrap_or_default().iter().map(|core| core.id).collect();
    if let Some(missing) = config.cpus.iter().find(|cpu| pin && !there.contains(cpu)) {
        return Err(Error::Failed(format!(
            "CPU {missing} is not there to pin an executor to: use --cpus or --no-pin"
        )));
    }
    let count = listeners.len();
    let max_connections = config.limits.shared_by(count).max_connections;
    let site = Site::new(SERVER, config, stopping.clone());
    let (ready, readiness) = mpsc::channel();
    let mut executors = Vec::with_capacity(count);
    for (index, listener) in listeners.into_iter().enumerate() {
        let cpu = pin.then(|| config.cpus.nth_wrapping(index));
        let (site, ready) = (Arc::clone(&site), Readiness(ready.clone()));
        let together = EndsTogether::with(&stopping);
        let executor = thread::Builder::new().name(format!("executor-{index}")).spawn(move || {
            // An executor that ends takes the others with it: the server would silently lack its share.
            let _together = together;
            Worker::new(Kind::Thread, index).make_current();
            let ready = || ready.report(index);
            match io {
                Io::Glommio => {
                    kit_glommio::serve(cpu, site, listener, max_connections, Inline, ready).map(drop)
                }
                Io::Compio => {
                    cpu.map_or(Ok(()), |cpu| pin_to(cpu, index))?;
                    kit_compio::serve(site, listener, max_connections, Inline, ready).map(drop)
                }
                Io::Epoll => {
                    cpu.map_or(Ok(()), |cpu| pin_to(cpu, index))?;
                    kit_tokio::front::current_thread(site, listener, max_connections, Inline, ready).map(drop)
                }
            }
        });
        executors.push(executor.map_err(Error::system("start an executor's thread"))?);
    }
    drop(ready);

    let accepting = readiness.iter().count();
    let announced = if accepting == count {
        start::announce(SERVER, config, address);
        Ok(())
    } else {
        Err(Error::Failed(format!("only {accepting} of {count} executors started")))
    };
    if announced.is_err() {
        stopping.raise();
    }
    let mut outcome = Ok(());
    for executor in executors {
        let ended = executor.join().unwrap_or_else(|_| Err(Error::Failed("an executor panicked".to_owned())));
        outcome = outcome.and(ended);
    }
    outcome.and(announced)
}

/// glommio does this by itself.
fn pin_to(cpu: usize, index: usize) -> Result<(), Error> {
    if set_for_current(CoreId { id: cpu }) {
        return Ok(());
    }
    Err(Error::Failed(format!("executor t{index} cannot be pinned to CPU {cpu}: use --cpus or --no-pin")))
}
