//! From a command line of `load` to the plan that it makes, or to the refusal.

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
    assert_eq!((stream.name.as_str(), stream.pacing, stream.connections), ("/simple", Pacing::Closed, 50));
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
        bytes(&["-H", "Host: example.org", "-H", "x-a:b"]).ends_with("host: example.org\r\nx-a: b\r\n\r\n")
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
        refused(&["127.0.0.1:9", "-d", "@/nowhere/at-all"]).starts_with("/nowhere/at-all cannot be read: ")
    );
}

#[test]
fn what_cannot_be_sent_is_named() {
    assert!(refused(&["127.0.0.1:9", "-m", "G T"]).contains("`G T` is not a token"));
    assert!(refused(&["127.0.0.1:9", "-H", "content-length: 3"]).contains("set by the generator"));
    assert!(refused(&["127.0.0.1:9", "-H", "host: a", "-H", "host: b"]).contains("2 times"));
    assert!(refused(&["127.0.0.1:9", "--cpus", "1023"]).starts_with("--cpus 1023: this process may use "));
    assert!(refused(&["127.0.0.1:9", "--export-json", "x", "--export-hdr", "x"]).contains("the same file x"));
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
