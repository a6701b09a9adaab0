//! axum as shipped, on tokio's multi-thread runtime: what most people deploy who write a service in Rust.
//!
//! Where connections live: on whichever thread polls them; an idle thread takes waiting tasks from a busy one. Where operations run: on the
//! thread that read the request. HTTP is what `axum::serve` makes of hyper, with its own graceful shutdown: what it does otherwise than the
//! contract says is listed with the row, and not mended here, but where answers would be mixed up (the module `strict`). From kit come arguments, the listener, stop signals and counters.

mod counted;
mod respond;
mod strict;

use std::{
    future::IntoFuture as _,
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use app::Endpoint;
use axum::{Router, extract::DefaultBodyLimit, routing::any};
use kit::{
    args::Config,
    service::Site,
    shutdown::Shutdown,
    start::{self, Error},
    worker::{Kind, Worker},
};
use tokio::{runtime::Builder, time::timeout};

use crate::{counted::Counted, respond::respond};

/// The server's name.
pub const SERVER: &str = "axum-tokio";

/// Serves until `stopping` is raised and the drain is over. Says so when it accepts.
///
/// # Errors
/// The runtime cannot be built.
pub fn run(config: &Config, listener: TcpListener, stopping: Shutdown) -> Result<(), Error> {
    let address = listener.local_addr().map_err(Error::system("read the listener's address"))?;
    let site = Site::new(SERVER, config, stopping.clone());
    let (workers, next) = (config.workers, AtomicUsize::new(0));
    let runtime = Builder::new_multi_thread()
        .worker_threads(workers)
        .on_thread_start(move || {
            Worker::new(Kind::Thread, next.fetch_add(1, Ordering::Relaxed) % workers).make_current();
        })
        .enable_io()
        .enable_time()
        .build()
        .map_err(Error::system("build the tokio runtime"))?;

    let listener = {
        let _entered = runtime.enter();
        tokio::net::TcpListener::from_std(listener).map_err(Error::system("register the listener"))?
    };
    let listener = Counted::new(listener, Arc::clone(&site));
    let serving = axum::serve(listener, router(site)).with_graceful_shutdown(stopping.wait());
    // On a worker, where the connections are: the main thread only waits for it.
    let serving = runtime.spawn(serving.into_future());
    start::announce(SERVER, config, address);
    let ended = runtime.block_on(within(config.limits.drain_timeout, stopping, serving));
    // What was cut has nobody left to answer to. Nobody waits for its end.
    runtime.shutdown_background();
    match ended {
        None => {
            tracing::warn!("the drain took all of --drain-timeout: what was not done by then is cut");
            Ok(())
        }
        Some(Ok(Ok(()))) => Ok(()),
        Some(Ok(Err(error))) => Err(Error::Failed(format!("axum cannot serve: {error}"))),
        Some(Err(error)) => Err(Error::Failed(format!("axum's accept loop ended: {error}"))),
    }
}

/// What `serving` comes to; nothing where it is not over `drain` after `stopping` was raised: axum waits for ever.
async fn within<F: Future + Unpin>(drain: Duration, stopping: Shutdown, mut serving: F) -> Option<F::Output> {
    tokio::select! {
        ended = &mut serving => return Some(ended),
        () = stopping.wait() => {}
    }
    timeout(drain, serving).await.ok()
}

fn router(site: Arc<Site>) -> Router {
    let max_body_bytes = usize::try_from(site.limits.max_body_bytes).unwrap_or(usize::MAX);
    let paths = Endpoint::ALL.iter().flat_map(|endpoint| endpoint.paths());
    paths
        .fold(Router::new(), |router, path| router.route(path, any(respond)))
        .fallback(respond)
        .layer(DefaultBodyLimit::max(max_body_bytes))
        .with_state(site)
}
