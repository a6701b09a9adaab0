//! actix-web as shipped: one acceptor thread, which hands connections in turn to workers of one thread each.
//!
//! Where connections live: on the worker that the acceptor gave them to, whatever that one has to do. Where operations
//! run is an argument ([`Place`]). HTTP is actix's own: what it does otherwise than the contract says is listed with
//! the row, and not mended here, but where answers would be mixed up (the module `connection`). From kit come arguments, the listener, stop signals and counters.

mod connection;
mod execute;
mod respond;

use std::{
    any::Any,
    future::{Future as _, poll_fn},
    net::TcpListener,
    num::NonZeroUsize,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::Instant,
};

use actix_web::{
    App, HttpServer,
    dev::Extensions,
    rt::{self, System},
    web,
};
use app::Endpoint;
use kit::{
    args::Config,
    service::Site,
    shutdown::Shutdown,
    start::{self, Error},
    worker::{Kind, Worker},
};
use kit_rayon::Pool;

use crate::{
    connection::Connection,
    execute::Execution,
    respond::{Shared, respond},
};

/// The server's name.
pub const SERVER: &str = "actix-workers";

/// More than this actix refuses by a panic.
const MAX_WORKERS: usize = 512;

/// Where CPU-bound operations run.
#[derive(Clone, Debug)]
pub enum Place {
    /// On the worker that read the request.
    Inline,
    /// On the threads for blocking calls of that worker: each worker has its own.
    Block {
        /// Threads of each worker, started when needed.
        threads: NonZeroUsize,
        /// Operations that may wait for a thread of their worker; beyond it the answer is 503.
        queue: usize,
    },
    /// On a rayon pool that all workers share.
    Rayon(Pool),
}

/// Serves until `stopping` is raised and the drain is over. Says so when it accepts.
///
/// # Errors
/// More workers than actix takes, or the pool or a worker cannot be started.
pub fn run(config: &Config, place: &Place, listener: TcpListener, stopping: Shutdown) -> Result<(), Error> {
    if config.workers > MAX_WORKERS {
        return Err(Error::Failed(format!(
            "actix-web has at most {MAX_WORKERS} workers: give fewer --workers"
        )));
    }
    let address = listener.local_addr().map_err(Error::system("read the listener's address"))?;
    let site = Site::new(SERVER, config, stopping.clone());
    let execution = Execution::start(place)?;
    let limits = &config.limits;

    let workers = config.workers;
    let next = Arc::new(AtomicUsize::new(0));
    let max_body_bytes = usize::try_from(limits.max_body_bytes).unwrap_or(usize::MAX);
    let of_workers = Arc::clone(&site);
    // Called once on each worker's thread, and again for a worker that takes the place of one that died.
    let application = move || {
        Worker::new(Kind::Thread, next.fetch_add(1, Ordering::Relaxed) % workers).make_current();
        let shared = Shared { site: Arc::clone(&of_workers), execute: execution.of_worker() };
        let app = App::new()
            .app_data(web::Data::new(shared))
            .app_data(web::PayloadConfig::new(max_body_bytes))
            .default_service(web::to(respond));
        let paths = Endpoint::ALL.iter().flat_map(|endpoint| endpoint.paths());
        paths.fold(app, |app, path| app.route(path, web::to(respond)))
    };
    let of_connections = Arc::clone(&site);
    let mut http = HttpServer::new(application)
        .on_connect(move |_: &dyn Any, data: &mut Extensions| {
            of_connections.metrics.accepted();
            data.insert(Connection::new(Arc::clone(&of_connections)));
        })
        .workers(workers)
        .max_connections(limits.shared_by(workers).max_connections)
        .client_request_timeout(limits.header_timeout)
        .keep_alive(limits.idle_timeout)
        // Whole seconds are all that it takes; the stop signal's own watch keeps the exact time.
        .shutdown_timeout(limits.drain_timeout.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX))
        // Its own handlers would cut connections at SIGINT.
        .disable_signals();
    if let Place::Block { threads, .. } = place {
        http = http.worker_max_blocking_threads(threads.get());
    }
    let failed = |error| Error::Failed(format!("actix-web cannot serve: {error}"));
    let http = http.listen(listener).map_err(failed)?;

    System::new().block_on(async move {
        let mut server = http.run();
        let handle = server.handle();
        // Its first poll starts the workers and the acceptor.
        if let Poll::Ready(ended) = poll_fn(|context| Poll::Ready(Pin::new(&mut server).poll(context))).await
        {
            return ended.map_err(failed);
        }
        start::announce(SERVER, config, address);
        rt::spawn(server);
        stopping.wait().await;
        let since = Instant::now();
        handle.stop(true).await;
        if since.elapsed() >= config.limits.drain_timeout {
            tracing::warn!("the drain took all of --drain-timeout: what was not done by then is cut");
        }
        Ok(())
    })
}
