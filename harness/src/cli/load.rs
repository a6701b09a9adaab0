//! The command line of `harness load`.

use std::{
    ffi::OsString,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use clap::{ArgGroup, Args};
use host::cpus::CpuSet;
use load::{Limits, Share, Verify};

use client::{
    clock::Offset,
    load_command::{
        mix,
        part::MOST_PARTS,
        values::{self, Bursts, Field, Ramp},
        wanted::LoadOptions,
    },
};

use super::clock::WayArgs;

/// What follows the arguments in the help page.
pub(super) const LOAD_EXAMPLES: &str = "\
Examples:
  harness load http://127.0.0.1:8080/simple                   closed loop: as fast as it answers
  harness load 127.0.0.1:8080/simple --rate 2000 --poisson    open loop: 2,000 users a second
  harness load 127.0.0.1:8080 -q 500 --mix 'simple=0.8,complex?iterations=1e6=0.2'
  harness load 127.0.0.1:8080/echo -d @body.json -H 'content-type: application/json' -z 30s
  harness load 127.0.0.1:8080/simple -q 1000 --cpus 1 --spin --export-json result.json
  srun -n 3 harness load server:8080/simple -q 3000 --poisson --gather /shared/new

In a closed loop each connection waits for its answer before it asks again, so that a stalled
server is asked less: its response times say nothing of what users would have met. With --rate,
requests are due whether the server keeps up or not, and response times count from the due time.

Answers of this project's own endpoints are checked against the right answer, and numbers in
their queries are written out (1e6 is sent as 1000000); elsewhere any status of class 2xx is
right. Otherwise paths and queries are sent as given, /a/../b and ?q='x' too; what a request line
cannot hold, such as a blank, is percent-encoded, and that is said. Redirects are not followed and
proxies not asked: only the host of the URL is contacted. TLS is not supported.

Exit codes:
  0    measured; warnings say what is wrong with the measurement, or with the server
  1    nothing was answered rightly, an answer had the wrong content, the server or a file could
       not be reached (or in the end no longer), this machine ran out of ports or descriptors, or
       another part of the load failed or was not to be seen
  2    the command line is wrong
  3    measured, and what was printed did not all arrive; files are written all the same
  130  interrupted; what was measured until then is shown";

/// Arguments of `load`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("arrivals").args(["rate", "ramp"]))]
pub(crate) struct LoadArgs {
    /// What to load; http:// may be left out
    #[arg(value_name = "URL")]
    pub url: String,

    /// Open loop: requests per second in all, evenly spaced; without it, a closed loop
    #[arg(short = 'q', long, value_name = "R", value_parser = values::rate, help_heading = "Load")]
    pub rate: Option<f64>,
    /// Random arrivals: exponential gaps with this mean rate
    #[arg(long, requires = "arrivals", help_heading = "Load")]
    pub poisson: bool,
    /// Open loop whose rate changes evenly over the window, from its start to its end
    #[arg(long, value_name = "FROM..TO", value_parser = values::ramp, conflicts_with = "warm_up", help_heading = "Load")]
    pub ramp: Option<Ramp>,
    /// Requests at --rate for so long, then none for so long, and again: --rate is that within a burst, and the mean is lower
    #[arg(long, value_name = "ON,OFF", value_parser = values::bursts, requires = "rate", help_heading = "Load")]
    pub bursts: Option<Bursts>,
    /// Several targets relative to the URL, each with its weight after the last `=`; in an open loop each has its own
    /// share of the rate and an equal part of the connections; a closed loop draws each next request by weight
    #[arg(long, value_name = "TARGET=WEIGHT,...", value_parser = mix::parse, help_heading = "Load")]
    pub mix: Option<mix::Mix>,
    /// Connections in all: no more requests than these are outstanding, what is due meanwhile waits, and the wait counts
    #[arg(short, long, value_name = "N", default_value_t = 50, value_parser = within::whole(1..=1_000_000_u32), help_heading = "Load")]
    pub connections: u32,
    /// Measuring window, such as 500ms, 10s or 2m [default: 10s, or until --requests are answered]
    #[arg(short = 'z', long, value_name = "TIME", value_parser = values::time, help_heading = "Load")]
    pub duration: Option<Duration>,
    /// End when so many requests were sent and answered
    #[arg(short = 'n', long, value_name = "N", value_parser = within::whole(1..=1_000_000_000_000_u64), conflicts_with = "warm_up", help_heading = "Load")]
    pub requests: Option<u64>,
    /// Load before the window, which is not recorded [default: 1s; none with --requests or --ramp]
    #[arg(short = 'w', long, alias = "warmup", value_name = "TIME", value_parser = values::time_or_none, help_heading = "Load")]
    pub warm_up: Option<Duration>,
    /// Start at this instant, RFC 3339 or @SECONDS since 1970, so that several generators begin together; by the clock of
    /// --clock-against. What is over by then, or when the connections are open, is an error
    #[arg(long, value_name = "TIME", value_parser = values::instant, help_heading = "Load")]
    pub start_at: Option<SystemTime>,
    /// Seed of arrivals and choices; printed with the results, a new one each time where nothing is said
    #[arg(long, value_name = "N", value_parser = within::whole(0..=u64::MAX), help_heading = "Load")]
    pub seed: Option<u64>,

    /// Method; GET, or POST where there is a body
    #[arg(short, long, value_name = "NAME", help_heading = "Request")]
    pub method: Option<String>,
    /// Body: text, or @FILE for the bytes of a file
    #[arg(short = 'd', long, value_name = "TEXT|@FILE", help_heading = "Request")]
    pub body: Option<OsString>,
    /// Header field, as often as wanted
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = Field::parse, help_heading = "Request")]
    pub headers: Vec<Field>,
    /// How long a request may take from its send, and an attempt to connect
    #[arg(short, long, value_name = "TIME", default_value = "5s", value_parser = values::time, help_heading = "Request")]
    pub timeout: Duration,

    /// Close each connection after so many requests, and open another
    #[arg(long, value_name = "K", value_parser = within::whole(1..=1_000_000_000_u32), help_heading = "Connections")]
    pub requests_per_connection: Option<u32>,
    /// Requests in flight on each connection at most (HTTP/1.1 pipelining)
    #[arg(long, value_name = "DEPTH", default_value_t = 1, value_parser = within::whole(1..=100_000_u32), help_heading = "Connections")]
    pub pipeline: u32,
    /// Open the connections evenly over so long, not before the load
    #[arg(long, value_name = "TIME", value_parser = values::time, help_heading = "Connections")]
    pub open_over: Option<Duration>,
    /// Slow clients: send no faster than this, in bytes per second
    #[arg(long, value_name = "B/S", value_parser = within::whole(1..=u32::MAX), help_heading = "Connections")]
    pub slow_send: Option<u32>,
    /// Slow clients: read no faster than this, in bytes per second
    #[arg(long, value_name = "B/S", value_parser = within::whole(1..=u32::MAX), help_heading = "Connections")]
    pub slow_read: Option<u32>,

    /// Which answers have their content compared: all, sample (one of 100), sample:N or none; status and framing are
    /// always checked
    #[arg(long, value_name = "WHICH", default_value = "all", value_parser = values::verify, help_heading = "Answers")]
    pub verify: Verify,
    /// The one status that is right, such as 204, whatever the content
    #[arg(long, value_name = "CODE", value_parser = within::whole(200..=599_u16), help_heading = "Answers")]
    pub expect_status: Option<u16>,
    /// The one content that is right: text, or @FILE
    #[arg(long, value_name = "TEXT|@FILE", help_heading = "Answers")]
    pub expect_body: Option<OsString>,
    /// The longest head of an answer in bytes, and the longest line of a chunk; an answer beyond it has failed (too_large)
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().max_head_bytes, value_parser = max_head(), help_heading = "Answers")]
    pub max_head: usize,
    /// The longest content of an answer in bytes, likewise; no limit where nothing is said: content is checked as it comes, and
    /// not kept
    #[arg(long, value_name = "BYTES", value_parser = within::whole(0..=1_u64 << 60), help_heading = "Answers")]
    pub max_body: Option<u64>,

    /// One generator thread pinned to each of these CPUs, such as 0-3,6; without it, one thread that is not pinned
    #[arg(long, value_name = "LIST", help_heading = "Generator")]
    pub cpus: Option<CpuSet>,
    /// Poll rather than sleep (in a closed loop: while an answer may come soon), for the least lag; only for CPUs that
    /// belong to the generator alone
    #[arg(long, requires = "cpus", help_heading = "Generator")]
    pub spin: bool,

    /// Write all figures as JSON
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub export_json: Option<PathBuf>,
    /// Write the histograms as an HdrHistogram log (V2), which other tools plot
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub export_hdr: Option<PathBuf>,
    /// No live view
    #[arg(long, help_heading = "Output")]
    pub quiet: bool,

    /// Make one part of the load, numbered from 0: 0/3 is the first of three, 2/3 the last. Rate, connections and requests are those
    /// of all parts together. Files are named after the part [default: by SLURM_PROCID and SLURM_NTASKS; else the whole]
    #[arg(long, value_name = "I/N", value_parser = values::part, help_heading = "Parts of a load")]
    pub part: Option<Share>,
    /// How many parts there are, where SLURM_PROCID or JOB_COMPLETION_INDEX says which of them this is
    #[arg(long, value_name = "N", conflicts_with = "part", value_parser = within::whole(1..=MOST_PARTS), help_heading = "Parts of a load")]
    pub parts: Option<u32>,
    /// The folder, shared by all parts and empty, in which they agree on seed and start and leave what they found; see harness merge
    #[arg(long, value_name = "DIR", conflicts_with = "requests", help_heading = "Parts of a load")]
    pub gather: Option<PathBuf>,
    /// How long the other parts are waited for, before the start and after the end. A part that gives no sign of life for as long, or
    /// for 15s, is given up in between
    #[arg(long, value_name = "TIME", default_value = "1m", requires = "gather", value_parser = values::time, help_heading = "Parts of a load")]
    pub gather_within: Duration,
    /// How long after the last part is ready the load begins: they learn of it and open their connections meanwhile
    #[arg(long, value_name = "TIME", default_value = "5s", requires = "gather", conflicts_with = "start_at", value_parser = values::time, help_heading = "Parts of a load")]
    pub gather_lead: Duration,
    /// Several parts may be on one host, where they compete for its CPUs and ports
    #[arg(long, requires = "gather", help_heading = "Parts of a load")]
    pub share_host: bool,
    /// Hosts share no folder: each part leaves what it found in one of its own and waits for nobody. Bring all of them into one before
    /// harness merge; seed and start are said to all
    #[arg(
        long,
        requires = "gather",
        requires = "seed",
        requires = "start_at",
        help_heading = "Parts of a load"
    )]
    pub apart: bool,
    /// Ask this host, through ssh, how far its clock is from this one, before and after the load: the host of part 0, or one for all
    #[arg(long, value_name = "HOST", conflicts_with = "clock_offset", help_heading = "Parts of a load")]
    pub clock_against: Option<String>,
    /// The same where it is known: how far that clock is ahead of this one, and within what, such as -1.5ms,200us
    #[arg(long, value_name = "OFFSET,BOUND", allow_hyphen_values = true, value_parser = values::clock_offset, help_heading = "Parts of a load")]
    pub clock_offset: Option<Offset>,
    #[command(flatten)]
    pub way: WayArgs,
}

/// What the longest head may be: a head that comes in pieces is kept until it is whole, for each connection.
pub(super) fn max_head() -> impl Fn(&str) -> Result<usize, String> + Clone + Send + Sync + 'static {
    within::whole(64..=16 << 20)
}

impl From<LoadArgs> for LoadOptions {
    fn from(arguments: LoadArgs) -> Self {
        let LoadArgs {
            url,
            rate,
            poisson,
            ramp,
            bursts,
            mix,
            connections,
            duration,
            requests,
            warm_up,
            start_at,
            seed,
            method,
            body,
            headers,
            timeout,
            requests_per_connection,
            pipeline,
            open_over,
            slow_send,
            slow_read,
            verify,
            expect_status,
            expect_body,
            max_head,
            max_body,
            cpus,
            spin,
            export_json,
            export_hdr,
            quiet,
            part,
            parts,
            gather,
            gather_within,
            gather_lead,
            share_host,
            apart,
            clock_against,
            clock_offset,
            way,
        } = arguments;
        Self {
            url,
            rate,
            poisson,
            ramp,
            bursts,
            mix,
            connections,
            duration,
            requests,
            warm_up,
            start_at,
            seed,
            method,
            body,
            headers,
            timeout,
            requests_per_connection,
            pipeline,
            open_over,
            slow_send,
            slow_read,
            verify,
            expect_status,
            expect_body,
            max_head,
            max_body,
            cpus,
            spin,
            export_json,
            export_hdr,
            quiet,
            part,
            parts,
            gather,
            gather_within,
            gather_lead,
            share_host,
            apart,
            clock: way.clock(clock_against, clock_offset),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::cli::{Cli, Command};

    use super::*;

    fn parsed(arguments: &[&str]) -> Result<LoadOptions, String> {
        let all = ["harness", "load", "127.0.0.1:1"].into_iter().chain(arguments.iter().copied());
        match Cli::try_parse_from(all) {
            Ok(Cli { command: Command::Load(arguments) }) => Ok((*arguments).into()),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn short_forms_are_those_of_oha() {
        let arguments =
            parsed(&["-c", "8", "-z", "2s", "-q", "1_500", "-m", "PUT", "-d", "x", "-t", "1s"]).unwrap();
        assert_eq!((arguments.connections, arguments.rate), (8, Some(1_500.0)));
        assert_eq!((arguments.window(), arguments.timeout), (Duration::from_secs(2), Duration::from_secs(1)));
        assert_eq!(
            (arguments.method.as_deref(), arguments.body.as_deref()),
            (Some("PUT"), Some("x".as_ref()))
        );
    }

    #[test]
    fn what_is_counted_or_ramped_has_no_warm_up() {
        let times = |arguments: &[&str]| {
            let arguments = parsed(arguments).unwrap();
            (arguments.warm_up().as_secs(), arguments.window().as_secs())
        };
        assert_eq!(times(&[]), (1, 10));
        assert_eq!(times(&["-n", "100"]), (0, 24 * 3600));
        assert_eq!(times(&["-n", "100", "-z", "3s"]), (0, 3));
        assert_eq!(times(&["--ramp", "0..100"]), (0, 10));
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_what_would() {
        for (arguments, expected) in [
            (&["--rate", "0"][..], "a rate of 0 sends nothing; choose one from 0.000001 to 10000000"),
            (&["--rate=-5"], "a rate of -5 requests per second is none"),
            (&["--rate", "fast"], "`fast` is no rate"),
            (&["--poisson"], "--rate <R>|--ramp <FROM..TO>"),
            (&["--bursts", "1s,1s"], "--rate <R>"),
            (&["--ramp", "0..9", "--rate", "5"], "cannot be used with"),
            (&["--ramp", "0..9", "--warm-up", "1s"], "cannot be used with"),
            (&["--requests", "9", "--warm-up", "1s"], "cannot be used with"),
            (&["--verify", "some"], "`some` is none of"),
            (&["--start-at", "noon"], "`noon` is no instant"),
            (&["--header", "no-colon"], "`no-colon` is no header field"),
            (&["--spin"], "--cpus <LIST>"),
            (&["--mix", "simple"], "`simple` has no weight"),
            (&["--part", "3/2"], "`3/2` is no part of a load; write it as I/N"),
            (&["--part", "2/2"], "2/3 for the last"),
            (&["--part", "0/2", "--parts", "2"], "cannot be used with"),
            (&["--gather", "g", "-n", "9"], "cannot be used with"),
            (&["--gather-within", "9s"], "--gather <DIR>"),
            (&["--clock-offset", "-3s"], "`-3s` is no offset of a clock"),
            (&["--clock-offset", "1s,1s", "--clock-against", "a"], "cannot be used with"),
        ] {
            let error = parsed(arguments).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}

#[cfg(test)]
mod plans {
    use std::fs;

    use clap::Parser;

    use client::load_command::options::Prepared;
    use load::{Pacing, Rate, Share};

    use crate::cli::{Cli, Command};

    fn prepared(arguments: &[&str]) -> anyhow::Result<Prepared> {
        let all = ["harness", "load"].into_iter().chain(arguments.iter().copied());
        match Cli::try_parse_from(all).unwrap().command {
            Command::Load(arguments) => Prepared::new(&(*arguments).into()),
            other => panic!("{other:?}"),
        }
    }

    fn refused(arguments: &[&str]) -> String {
        prepared(arguments).err().expect("it is refused").to_string()
    }

    #[test]
    fn a_url_alone_is_a_closed_loop() {
        let prepared = prepared(&["127.0.0.1:9/simple"]).unwrap();
        let [stream] = &prepared.plan.streams[..] else { panic!("one stream") };
        assert_eq!(
            (stream.name.as_str(), stream.pacing, stream.connections),
            ("/simple", Pacing::Closed, 50)
        );
        assert_eq!(stream.request.bytes(), b"GET /simple HTTP/1.1\r\nhost: 127.0.0.1:9\r\n\r\n");
    }

    #[test]
    fn a_mix_shares_the_rate_by_weight_and_the_connections_evenly() {
        let arguments = ["127.0.0.1:9", "-q", "500", "-c", "5", "--mix", "simple=4,complex?iterations=1e6=1"];
        let prepared = prepared(&arguments).unwrap();
        let [simple, complex] = &prepared.plan.streams[..] else { panic!("two streams") };
        assert_eq!(simple.pacing, Pacing::Constant { per_second: 400.0.into() });
        assert_eq!(complex.pacing, Pacing::Constant { per_second: 100.0.into() });
        assert_eq!((simple.connections, complex.connections), (3, 2));
        assert_eq!(
            (complex.name.as_str(), prepared.asked[1].target.as_str()),
            ("complex?iterations=1e6", "/complex?iterations=1000000")
        );
    }

    #[test]
    fn a_part_has_the_plan_of_the_whole_and_the_seed_of_all() {
        let whole = prepared(&["127.0.0.1:9", "-q", "500", "-c", "5", "--seed", "7"]).unwrap().plan;
        let part = ["127.0.0.1:9", "-q", "500", "-c", "5", "--seed", "7", "--part", "1/3"];
        let part = prepared(&part).unwrap().plan;
        assert_eq!((part.part, whole.part), (Share { index: 1, of: 3 }, Share::WHOLE));
        assert_eq!((part.seed, part.streams[0].connections), (whole.seed, whole.streams[0].connections));
        assert_eq!(part.streams[0].pacing, whole.streams[0].pacing);
        assert_eq!(part.connections_of(&part.streams[0]), 2);
        let unseeded = refused(&["127.0.0.1:9", "-q", "500", "--part", "1/3"]);
        assert!(unseeded.starts_with("part 1/3 needs the seed that all parts draw from"), "{unseeded}");
        let few = refused(&["127.0.0.1:9", "-c", "2", "--seed", "7", "--part", "1/3"]);
        assert!(few.contains("has 2 connections for the 3 parts of the load"), "{few}");
    }

    #[test]
    fn a_closed_mix_shares_all_its_connections() {
        let prepared = prepared(&["127.0.0.1:9", "-c", "5", "-n", "10", "--mix", "a=4,b=1"]).unwrap();
        assert_eq!(prepared.plan.shared_connections, Some(5));
        let streams: Vec<_> = prepared.plan.streams.iter().map(|s| (s.weight, s.requests)).collect();
        assert_eq!(streams, [(0.8, Some(8)), (0.2, Some(2))]);
    }

    #[test]
    fn a_rate_may_change_with_time() {
        let pacing = |arguments: &[&str]| {
            let mut all = vec!["127.0.0.1:9", "-z", "4s"];
            all.extend(arguments);
            prepared(&all).unwrap().plan.streams[0].pacing
        };
        let ramp = Rate::Ramp { from: 0.0, to: 90.0, over_s: 4.0 };
        assert_eq!(pacing(&["--ramp", "0..90"]), Pacing::Constant { per_second: ramp });
        assert_eq!(pacing(&["--ramp", "0..90", "--poisson"]), Pacing::Poisson { per_second: ramp });
        let bursts = Rate::Bursts { per_second: 9.0, on_s: 0.5, off_s: 2.0 };
        assert_eq!(pacing(&["-q", "9", "--bursts", "500ms,2s"]), Pacing::Constant { per_second: bursts });
    }

    #[test]
    fn a_body_makes_a_post_unless_a_method_is_given() {
        let bytes = |arguments: &[&str]| {
            let mut all = vec!["127.0.0.1:9/echo"];
            all.extend(arguments);
            String::from_utf8(prepared(&all).unwrap().plan.streams[0].request.bytes().to_owned()).unwrap()
        };
        assert!(bytes(&["-d", "hello"]).starts_with("POST /echo HTTP/1.1\r\n"));
        assert!(bytes(&["-d", "hello", "-m", "PUT"]).starts_with("PUT /echo HTTP/1.1\r\n"));
        assert!(
            bytes(&["-H", "Host: example.org", "-H", "x-a:b"])
                .ends_with("host: example.org\r\nx-a: b\r\n\r\n")
        );
    }

    #[test]
    fn a_body_may_be_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("body");
        fs::write(&path, b"from a file").unwrap();
        let prepared = prepared(&["127.0.0.1:9/echo", "-d", &format!("@{}", path.display())]).unwrap();
        assert!(prepared.plan.streams[0].request.bytes().ends_with(b"\r\n\r\nfrom a file"));
        assert!(
            refused(&["127.0.0.1:9", "-d", "@/nowhere/at-all"])
                .starts_with("/nowhere/at-all cannot be read: ")
        );
    }

    #[test]
    fn what_cannot_be_sent_is_named() {
        assert!(refused(&["127.0.0.1:9", "-m", "G T"]).contains("`G T` is not a token"));
        assert!(refused(&["127.0.0.1:9", "-H", "content-length: 3"]).contains("set by the generator"));
        assert!(refused(&["127.0.0.1:9", "-H", "host: a", "-H", "host: b"]).contains("2 times"));
        assert!(
            refused(&["127.0.0.1:9", "--cpus", "1023"]).starts_with("--cpus 1023: this process may use ")
        );
        assert!(
            refused(&["127.0.0.1:9", "--export-json", "x", "--export-hdr", "x"]).contains("the same file x")
        );
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("long");
        fs::File::create(&path).unwrap().set_len((256 << 20) + 1).unwrap();
        let long = refused(&["127.0.0.1:9", "-d", &format!("@{}", path.display())]);
        assert!(
            long.contains("/long is longer than 268435456 bytes, the most that is sent or compared"),
            "{long}"
        );
        assert!(refused(&["127.0.0.1:9", "-n", "2", "--mix", "a=9,b=1"]).contains("leave none for `b`"));
        let few = ["127.0.0.1:9", "-c", "1", "-q", "9", "--mix", "a=1,b=1"];
        assert!(refused(&few).contains("too few for the 2 parts"));
        assert!(refused(&["127.0.0.1:9", "--mix", "//elsewhere/x=1"]).contains("another host"));
    }
}
