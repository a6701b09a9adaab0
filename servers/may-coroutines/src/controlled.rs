//! kit's accept loop and service on coroutines: the row `may`.

use std::{
    future::{Future, poll_fn},
    io,
    net::TcpListener,
};

use kit::{
    accept,
    args::Config,
    execute::Inline,
    runtime::Runtime,
    service::{Service, Site},
    shutdown::Shutdown,
    start::{self, Error},
};

use crate::{
    SERVER, coroutine,
    socket::{Listener, Stream},
    timer::Timer,
};

/// may's scheduler, of which a process has one.
#[derive(Clone, Debug)]
struct May {
    timer: Timer,
}

impl Runtime for May {
    type Listener = Listener;
    type Stream = Stream;
    type Timer = Timer;

    fn listener(&self, listener: TcpListener) -> io::Result<Listener> {
        Listener::new(listener)
    }

    async fn accept(&self, listener: &Listener) -> io::Result<Stream> {
        poll_fn(|context| listener.poll_accept(context)).await
    }

    fn timer(&self) -> Timer {
        self.timer.clone()
    }
}

impl<Task> hyper::rt::Executor<Task> for May
where
    Task: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: Task) {
        // Detached: a connection's coroutine ends by itself.
        if let Err(error) = coroutine::spawn(self.timer.clone(), task) {
            tracing::warn!(%error, "a connection was closed (vm.max_map_count? each stack takes two maps)");
        }
    }
}

/// See [`crate::run`].
pub(crate) fn run(config: &Config, listener: TcpListener, stopping: Shutdown) -> Result<(), Error> {
    let address = listener.local_addr().map_err(Error::system("read the listener's address"))?;
    let may = May { timer: Timer::start().map_err(Error::system("start the timer's thread"))? };
    let listener = may.listener(listener).map_err(Error::system("register the listener"))?;
    let service = Service::new(Site::new(SERVER, config, stopping.clone()), Inline, may.timer());
    let max_connections = config.limits.max_connections;
    let accepting = accept::serve(may.clone(), listener, service, max_connections, stopping);
    let accepting =
        coroutine::spawn(may.timer, accepting).map_err(Error::system("start the accepting coroutine"))?;
    start::announce(SERVER, config, address)?;
    match accepting.join() {
        Ok(Some(_drained)) => Ok(()),
        _ => Err(Error::Failed("the accept loop panicked".to_owned())),
    }
}
