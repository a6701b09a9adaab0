//! nginx, alone or in front of instances of this project's servers.
//!
//! Each instance has one worker and, like nginx, the whole CPU mask: four instances on two CPUs share them.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Instant,
};

use app::Operation;
use host::{launch::Launch, program::find_program};
use kit::{
    args::Config,
    shutdown::Shutdown,
    start::{self, Error},
};
use rustix::process::Signal;

use crate::{
    answering::{START_WITHIN, ask, retry},
    failure::Failure,
    nginx::{Balance, Configuration, Site, Upstream},
    parts::{self, Part},
    port,
    run_folder::RunFolder,
    tied::{LastSignal, tied},
};

/// Where a package manager puts nginx, which is not on everybody's `PATH`.
const NGINX: [&str; 3] = ["nginx", "/usr/sbin/nginx", "/usr/local/sbin/nginx"];

/// How nginx says that it has no worker, or one that cannot accept.
const CANNOT_SERVE: [&str; 2] = ["[alert]", "[crit]"];
/// How one of this project's servers says that it cannot accept.
const CANNOT_ACCEPT: [&str; 1] = ["cannot accept"];

/// So many processes of one of this project's servers.
#[derive(Clone, Debug)]
pub struct Instances {
    /// The server's binary.
    pub program: PathBuf,
    /// How many.
    pub count: usize,
}

/// What nginx is in front of.
#[derive(Clone, Debug)]
pub enum Front {
    /// Nothing: it answers everything itself with the ceiling's answer to `/simple`, whose peer it is.
    Nothing,
    /// Instances of one server.
    Balanced(Instances, Balance),
    /// The exercise's split: `/api/randoms` goes to a cluster, everything else to one server.
    Split {
        /// The one server.
        one: PathBuf,
        /// The cluster, in turn.
        cluster: Instances,
    },
}

/// A name of the project's servers, and where its instances listen.
struct Started {
    server: String,
    addresses: Vec<SocketAddr>,
}

/// Starts the instances and nginx, says when nginx answers, and ends all of it when `stopping` is raised.
///
/// The ready line has the instances' name, since that is the `origin` of the answers, and counts as workers the worker
/// processes of nginx and the instances: whatever owns an event loop.
///
/// # Errors
/// Something did not start, or ended before the stop.
pub fn run(config: &Config, front: &Front, stopping: &Shutdown) -> Result<(), Error> {
    parts::adopt_orphans()?;
    let folder = RunFolder::create().map_err(Failure::into_error)?;
    let mut instances = Vec::new();
    let served = serve(config, front, &folder, &mut instances, stopping);
    parts::end_the_rest();
    served
}

fn serve(
    config: &Config,
    front: &Front,
    folder: &RunFolder,
    instances: &mut Vec<Part>,
    stopping: &Shutdown,
) -> Result<(), Error> {
    let program = NGINX.iter().find_map(|name| find_program(Path::new(name))).ok_or_else(|| {
        Error::Failed("nginx is not here: install it (apt-get install nginx) and start again".to_owned())
    })?;
    // Started by root, nginx's workers are somebody else, and must reach their folders in this one.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711))
        .map_err(Error::system("open the run folder to nginx"))?;
    let (server, site) = site(front, instances).map_err(Failure::into_error)?;
    let (address, mut nginx) = port::with_address(config.listen, |listen| {
        let configuration =
            Configuration { listen, workers: config.workers, limits: &config.limits, site: site.clone() };
        Ok((listen, start_nginx(&program, folder.path(), &configuration, instances)?))
    })?;

    let workers = config.workers + instances.len();
    start::announce(&server, &Config { workers, ..config.clone() }, address);
    let mut all: Vec<&mut Part> = instances.iter_mut().chain([&mut nginx]).collect();
    parts::watch(&mut all, stopping)?;

    let deadline = Instant::now() + config.limits.drain_timeout;
    // The proxy first: it still needs the instances for what is under way. SIGQUIT is nginx's graceful stop.
    nginx.stop(Signal::QUIT, deadline);
    for instance in instances.drain(..) {
        instance.stop(Signal::TERM, deadline);
    }
    Ok(())
}

/// Starts what nginx is in front of: the name of its answers, and what nginx is to serve.
fn site(front: &Front, parts: &mut Vec<Part>) -> Result<(String, Site), Failure> {
    Ok(match front {
        Front::Nothing => {
            let (server, worker) = ("ceiling", "t0");
            let body = Operation::Simple.run().body(server, worker);
            (server.to_owned(), Site::Constant(String::from_utf8_lossy(&body).into_owned()))
        }
        Front::Balanced(instances, balance) => {
            let Started { server, addresses } = start_instances(instances, parts)?;
            let to = Upstream { name: "instances", balance: *balance, instances: addresses };
            (server, Site::Proxy { to, split: Vec::new() })
        }
        Front::Split { one, cluster } => {
            let one = start_instances(&Instances { program: one.clone(), count: 1 }, parts)?;
            let cluster = start_instances(cluster, parts)?;
            if one.server != cluster.server {
                let names = format!("{} and {}", one.server, cluster.server);
                return Err(Failure::of(format!(
                    "{names} would answer under one address: give --one and --cluster the same server"
                )));
            }
            let upstream = |name, instances| Upstream { name, balance: Balance::RoundRobin, instances };
            let split = vec![("/api/randoms", upstream("cluster", cluster.addresses))];
            (one.server, Site::Proxy { to: upstream("one", one.addresses), split })
        }
    })
}

fn start_instances(wanted: &Instances, parts: &mut Vec<Part>) -> Result<Started, Failure> {
    let first = parts.len();
    let launch = tied(&wanted.program, LastSignal::Kill).args(["--listen", "127.0.0.1:0", "--workers", "1"]);
    for index in 0..wanted.count {
        let name = format!("{} {index}", wanted.program.display());
        parts.push(Part::start(name, launch.clone())?);
    }
    let mut started = Started { server: String::new(), addresses: Vec::new() };
    for part in &mut parts[first..] {
        let ready = part.ready(START_WITHIN)?;
        started.server = ready.server;
        started.addresses.push(ready.address);
    }
    Ok(started)
}

fn start_nginx(
    program: &Path,
    folder: &Path,
    configuration: &Configuration<'_>,
    behind: &[Part],
) -> Result<Part, Failure> {
    let file = folder.join("nginx.conf");
    fs::write(&file, configuration.to_string()).map_err(Error::system("write nginx's configuration"))?;
    let mut nginx = Part::start("nginx", launch_nginx(program, folder))?;
    let address = configuration.listen;
    let targets = match &configuration.site {
        Site::Constant(_) => vec!["/simple"],
        Site::Proxy { split, .. } => {
            ["/simple"].into_iter().chain(split.iter().map(|&(path, _)| path)).collect()
        }
    };
    // Its pid file is there when it listens: whoever answers earlier is somebody else.
    let pid_file = folder.join("nginx.pid");
    retry(START_WITHIN, &format!("nginx did not answer at {address}"), || {
        if let Err(failure) = nginx.check_alive() {
            let lost = nginx.process.stderr().iter().any(|line| line.contains("Address already in use"));
            return Err(if lost { Failure::PortLost(failure.to_string()) } else { failure });
        }
        // They would be there and never answer.
        let behind = behind.iter().find_map(|part| part.said(&CANNOT_ACCEPT));
        if let Some(reason) = nginx.said(&CANNOT_SERVE).or(behind) {
            return Err(Failure::of(reason));
        }
        let answers = pid_file.exists() && targets.iter().all(|target| ask(address, target).is_ok());
        Ok(answers.then_some(()))
    })?;
    Ok(nginx)
}

fn launch_nginx(program: &Path, folder: &Path) -> Launch {
    tied(program, LastSignal::Term).args(["-e", "stderr", "-c", "nginx.conf", "-p"]).args([folder])
}
