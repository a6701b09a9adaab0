//! From the command line to a plan of the generator: everything is read, resolved and checked here, once, and before
//! anything is sent.

use std::{
    env,
    ffi::OsStr,
    fs::File,
    io::{self, Read as _},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    time::Duration,
};

use host::cpus::CpuSet;
use load::{
    ConnectionPolicy, Limits, Opening, Pacing, Plan, PlanError, Rate, Request, RequestError, RunError, Share,
    Stream, Wait,
};

use super::{
    part::{self, PartError, Which},
    values::{Bursts, Field, Ramp},
    wanted::LoadOptions,
};
use crate::target::{Target, TargetError};
use race::measure::answers::{self, Expected, Judged};

/// Why a command line that clap understood makes no plan.
#[derive(Debug, thiserror::Error)]
pub enum OptionError {
    /// A file that was to be sent or expected.
    #[error("{} cannot be read: {error}; name a file that can, or write the text itself", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// A file that is too long to be sent or compared.
    #[error("{} is longer than {MOST_FILE_BYTES} bytes, the most that is sent or compared; name a shorter file", .0.display())]
    TooLong(PathBuf),
    /// The request has a malformed part.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// More than one header field names the host.
    #[error("header field `host` is given {0} times; give it once")]
    Hosts(usize),
    /// CPUs that this process may not use.
    #[error("--cpus {asked}: this process may use {allowed}; choose among these")]
    Cpus {
        /// The ones asked for.
        asked: CpuSet,
        /// The ones allowed.
        allowed: CpuSet,
    },
    /// A part of the mix would send nothing.
    #[error("--requests {requests} leave none for `{part}` of --mix; send more, or give it more weight")]
    Requests {
        /// How many there are.
        requests: u64,
        /// The part that gets none.
        part: String,
    },
    /// Nothing says which part of a load this is.
    #[error(transparent)]
    Part(#[from] PartError),
    /// Parts that would draw from different seeds are no parts of one process.
    #[error("part {}/{} needs the seed that all parts draw from: give each the same --seed, or let them meet with --gather", .0.index, .0.of)]
    NoSeed(Share),
    /// Two exports to one file.
    #[error("--export-json and --export-hdr name the same file {}; name two", .0.display())]
    SameFile(PathBuf),
    /// Each stream has connections of its own.
    #[error("--connections {connections} are too few for the {parts} parts of --mix; give at least one each")]
    Connections {
        /// How many there are.
        connections: u32,
        /// How many parts the mix has.
        parts: usize,
    },
}

/// What is to be run, ready for the generator.
pub struct Prepared {
    /// The server.
    pub target: Target,
    /// The plan.
    pub plan: Plan,
    /// One for each stream of the plan: what is asked for, and how its answers are judged.
    pub asked: Vec<Asked>,
    /// What is not sent as a person wrote it, each as a sentence.
    pub notes: Vec<String>,
}

/// What a stream asks for.
pub struct Asked {
    /// The request's method.
    pub method: String,
    /// The request target.
    pub target: String,
    /// How answers are judged.
    pub judged: Judged,
}

/// What one stream is to be, before requests are made.
struct Part {
    name: String,
    target: String,
    share: f64,
}

impl Prepared {
    /// Reads files, resolves the host and makes the plan.
    ///
    /// # Errors
    /// See [`OptionError`] and [`TargetError`]; or the affinity of this process cannot be read.
    pub fn new(args: &LoadOptions) -> anyhow::Result<Self> {
        if let Some(path) = args.export_json.as_ref().filter(|path| args.export_hdr.as_ref() == Some(path)) {
            return Err(OptionError::SameFile(path.clone()).into());
        }
        let target = Target::parse(&args.url)?;
        let mut notes = target.notes.clone();
        let Which { share, note } = part::which(args.parts.part, args.parts.parts, |name| env::var_os(name))
            .map_err(OptionError::from)?;
        notes.extend(note);
        if share.of > 1 && args.seed.is_none() && args.parts.gather.is_none() {
            return Err(OptionError::NoSeed(share).into());
        }
        let parts = parts(args, &target, &mut notes)?;
        let cpus = allowed_cpus(args.cpus.as_ref())?;
        let body = args.body.as_deref().map(text_or_file).transpose()?.unwrap_or_default();
        let expected = Expected {
            status: args.expect_status,
            body: args.expect_body.as_deref().map(text_or_file).transpose()?,
        };
        let method = args
            .method
            .clone()
            .unwrap_or_else(|| if args.body.is_some() { "POST" } else { "GET" }.to_owned());
        let window = args.window();
        // A closed loop draws each next request of a mix by weight, whichever connection is free.
        let shared = (args.mix.is_some() && !args.is_open()).then_some(args.connections);
        let connections = connections_of(args.connections, parts.len(), shared.is_some())?;
        let requests = requests_of(args.requests, &parts)?;
        let (mut streams, mut asked) = (Vec::new(), Vec::new());
        for ((part, connections), requests) in parts.into_iter().zip(connections).zip(requests) {
            let judged = answers::judged(&expected, &method, &part.target, &body);
            let request = request(args, &method, &part.target, &target.host, &body)?;
            let pacing = pacing(args, part.share, window);
            let mut stream = Stream::new(part.name, request, judged.check.clone(), pacing, connections);
            stream.weight = part.share;
            stream.requests = requests;
            stream.verify = args.verify;
            stream.policy = policy(args);
            streams.push(stream);
            asked.push(Asked { method: method.clone(), target: part.target, judged });
        }
        let mut plan = Plan::new(target.address, streams);
        plan.part = share;
        plan.cpus = cpus;
        // A closed loop waits for answers alone: it stays awake as long as one may come soon.
        plan.wait = match (args.spin, args.is_open()) {
            (true, true) => Wait::Spin,
            (true, false) => Wait::Linger,
            (false, _) => Wait::Sleep,
        };
        plan.limits = Limits { max_head_bytes: args.max_head, max_body_bytes: args.max_body };
        plan.shared_connections = shared;
        plan.warm_up = args.warm_up();
        plan.window = window;
        plan.start_at = args.start_at;
        plan.timeout = args.timeout;
        plan.connect_within = args.timeout;
        plan.seed = args.seed.unwrap_or_else(|| jiff::Timestamp::now().as_nanosecond().unsigned_abs() as u64);
        has_connections_for_each_part(&plan)?;
        Ok(Self { target, plan, asked, notes })
    }
}

/// Said before the parts wait for each other, or for a start.
fn has_connections_for_each_part(plan: &Plan) -> Result<(), RunError> {
    let of = |stream: &Stream| plan.shared_connections.unwrap_or(stream.connections);
    match plan.streams.iter().find(|stream| of(stream) < plan.part.of) {
        Some(few) => {
            let (stream, connections) = (few.name.clone(), of(few));
            Err(PlanError::Parts { stream, connections, parts: plan.part.of }.into())
        }
        None => Ok(()),
    }
}

fn parts(args: &LoadOptions, target: &Target, notes: &mut Vec<String>) -> Result<Vec<Part>, TargetError> {
    let Some(mix) = &args.mix else {
        let target = answers::written_out(&target.path);
        return Ok(vec![Part { name: target.clone(), target, share: 1.0 }]);
    };
    let part = |part: &super::mix::Part| {
        let found = target.relative(&part.target)?;
        notes.extend(found.notes);
        Ok(Part { name: part.target.clone(), target: answers::written_out(&found.path), share: part.share })
    };
    mix.parts().iter().map(part).collect()
}

fn pacing(args: &LoadOptions, share: f64, window: Duration) -> Pacing {
    let rate = match (args.rate, args.ramp, args.bursts) {
        (Some(rate), _, Some(Bursts { on, off })) => {
            Rate::Bursts { per_second: rate * share, on_s: on.as_secs_f64(), off_s: off.as_secs_f64() }
        }
        (Some(rate), _, None) => Rate::Steady(rate * share),
        (None, Some(Ramp { from, to }), _) => {
            Rate::Ramp { from: from * share, to: to * share, over_s: window.as_secs_f64() }
        }
        (None, None, _) => return Pacing::Closed,
    };
    if args.poisson { Pacing::Poisson { per_second: rate } } else { Pacing::Constant { per_second: rate } }
}

fn policy(args: &LoadOptions) -> ConnectionPolicy {
    ConnectionPolicy {
        requests_each: args.requests_per_connection,
        opening: args.open_over.map_or(Opening::Ahead, Opening::Over),
        pipeline: args.pipeline,
        send_bytes_per_second: args.slow_send,
        read_bytes_per_second: args.slow_read,
        ..ConnectionPolicy::default()
    }
}

/// The connections of each of `parts` streams that do not share them: as even as can be, since how many a stream needs is
/// its rate times its service time, and what is asked for rarely is what takes long.
fn connections_of(connections: u32, parts: usize, shared: bool) -> Result<Vec<u32>, OptionError> {
    if shared {
        return Ok(vec![connections; parts]);
    }
    let too_few = OptionError::Connections { connections, parts };
    let parts = u32::try_from(parts).ok().filter(|&parts| parts <= connections).ok_or(too_few)?;
    Ok((0..parts).map(|part| connections / parts + u32::from(part < connections % parts)).collect())
}

/// How many requests each part sends: its share of all, rounded so that the sum is what was asked for.
fn requests_of(requests: Option<u64>, parts: &[Part]) -> Result<Vec<Option<u64>>, OptionError> {
    let Some(all) = requests else { return Ok(vec![None; parts.len()]) };
    let (mut share, mut given) = (0.0, 0);
    let mut counts = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        share += part.share;
        let until = if index + 1 == parts.len() { all } else { (share * all as f64).round() as u64 };
        let count = until.saturating_sub(given);
        if count == 0 {
            return Err(OptionError::Requests { requests: all, part: part.name.clone() });
        }
        given += count;
        counts.push(Some(count));
    }
    Ok(counts)
}

fn request(
    args: &LoadOptions,
    method: &str,
    target: &str,
    host: &str,
    body: &[u8],
) -> Result<Request, OptionError> {
    // A name of a virtual host is a field to a person and part of every request to the generator.
    let is_host = |field: &&Field| field.name.eq_ignore_ascii_case("host");
    let hosts: Vec<&Field> = args.headers.iter().filter(is_host).collect();
    let host = match hosts[..] {
        [] => host,
        [field] => &field.value,
        _ => return Err(OptionError::Hosts(hosts.len())),
    };
    let others = args.headers.iter().filter(|field| !is_host(field));
    let fields: Vec<(&str, &str)> = others.map(|field| (field.name.as_str(), field.value.as_str())).collect();
    Ok(Request::new(method, target, host, &fields, body)?)
}

fn allowed_cpus(asked: Option<&CpuSet>) -> anyhow::Result<Vec<usize>> {
    let Some(asked) = asked else { return Ok(Vec::new()) };
    let allowed = CpuSet::allowed()?;
    if asked.iter().all(|cpu| allowed.contains(cpu)) {
        Ok(asked.iter().collect())
    } else {
        Err(OptionError::Cpus { asked: asked.clone(), allowed }.into())
    }
}

/// The most bytes of a file that is sent or compared, 256 MiB: each generator thread holds what it sends in memory.
const MOST_FILE_BYTES: u64 = 256 << 20;

/// The bytes of `TEXT`, whatever they are, or of the file of `@FILE`.
fn text_or_file(text: &OsStr) -> Result<Vec<u8>, OptionError> {
    let Some(path) = text.as_bytes().strip_prefix(b"@") else { return Ok(text.as_bytes().to_owned()) };
    let path = Path::new(OsStr::from_bytes(path));
    let mut bytes = Vec::new();
    // Whatever a file says of its length: a device has none, and may have no end.
    let read = |file: File| {
        let is_too_long = file.metadata()?.len() > MOST_FILE_BYTES;
        let read =
            if is_too_long { 0 } else { file.take(MOST_FILE_BYTES + 1).read_to_end(&mut bytes)? as u64 };
        Ok(is_too_long || read > MOST_FILE_BYTES)
    };
    match File::open(path).and_then(read) {
        Ok(false) => Ok(bytes),
        Ok(true) => Err(OptionError::TooLong(path.into())),
        Err(error) => Err(OptionError::File { path: path.into(), error }),
    }
}
