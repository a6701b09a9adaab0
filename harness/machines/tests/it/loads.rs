//! A load in two parts, over ssh from the host where commands are given, and what becomes of it.

use std::{fs, time::Duration};

use machines::{Machine, Ran, Running, Site};

use crate::scene::PATIENCE;

/// What both parts send together in a window of 2 s at 400 a second.
pub(crate) const REQUESTS: u64 = 800;
/// From the start of the parts to their end, roughly: they meet, wait 5 s for the start, warm up, load, and wait for each other.
pub(crate) const LENGTH: Duration = Duration::from_secs(9);

/// As a shell says SIGKILL.
pub(crate) const KILLED: i32 = 137;

/// Arguments of all parts.
const LOAD: &str =
    "http://server:8080/simple --rate 400 --connections 8 --duration 2s --warm-up 500ms --timeout 1s --quiet";

/// Two parts that were started.
pub(crate) struct Parts<'a> {
    site: &'a Site,
    /// The folder in which they meet.
    gather: String,
    running: [Running; 2],
}

/// How it went.
pub(crate) struct Ended {
    /// What ssh said of each part.
    pub(crate) ran: [Ran; 2],
    /// With what each part's process ended, as its own host has it; nothing where the host never knew.
    pub(crate) codes: [Option<i32>; 2],
    /// What `harness merge` made of the folder.
    pub(crate) merged: Ran,
}

impl<'a> Parts<'a> {
    /// Starts one on each generator.
    pub(crate) fn start(site: &'a Site, gather: &str) -> Self {
        Self::with(site, gather, "")
    }

    /// The same with more arguments.
    pub(crate) fn with(site: &'a Site, gather: &str, more: &str) -> Self {
        let running = [0, 1].map(|part| {
            let _earlier = fs::remove_file(site.control.path(&ended(part)));
            // ssh notices a link that is cut; the part has deadlines of its own.
            let mut ssh = site.control.command("ssh");
            ssh.args(["-o", "ServerAliveInterval=2", "-o", "ServerAliveCountMax=3", site.generators[part].name()]);
            ssh.arg(format!(
                "harness load {LOAD} --part {part}/2 --gather {gather} --gather-within 5s {more}; code=$?; echo $code >{}; exit $code",
                ended(part)
            ));
            Running::start(ssh).unwrap_or_else(|error| panic!("{error:#}"))
        });
        Self { site, gather: gather.to_owned(), running }
    }

    /// Waits for both, and merges.
    pub(crate) fn end(self) -> Ended {
        let Self { site, gather, running } = self;
        let ran = running.map(|running| running.finish(PATIENCE).unwrap_or_else(|error| panic!("{error:#}")));
        let code = |part: usize| {
            let text = fs::read_to_string(site.control.path(&ended(part))).ok()?;
            text.trim().parse().ok()
        };
        let codes = [code(0), code(1)];
        let merged = merge(&site.control, &gather);
        Ended { ran, codes, merged }
    }
}

/// Runs `harness merge` on a folder.
pub(crate) fn merge(control: &Machine, gather: &str) -> Ran {
    let mut merge = control.command("harness");
    merge.args(["merge", gather]);
    Running::start(merge).and_then(|merge| merge.finish(PATIENCE)).unwrap_or_else(|error| panic!("{error:#}"))
}

impl Ended {
    /// What is merged looks whole only where it is: every request is in it, and no part said that it failed. Otherwise it is refused in
    /// words. Returns whether it was merged.
    pub(crate) fn is_whole_or_refused(&self) -> bool {
        let Self { codes, merged, .. } = self;
        if merged.is_well() {
            // One that was killed when it had left all that it found is missed by nobody.
            let is_well = |code: &Option<i32>| [Some(0), Some(KILLED)].contains(code);
            assert!(codes.iter().all(is_well), "merged, and not both ended well:\n{}", self.said());
            assert!(requests(&merged.out).abs_diff(REQUESTS) <= 1, "{}", self.said());
            return true;
        }
        let is_shown = merged.out.contains(" values");
        // What was not at work together is shown with the warning that it is no whole.
        let word = if is_shown { "warning:" } else { "error:" };
        assert!(merged.err.contains(word), "refused without a word:\n{}", self.said());
        false
    }

    /// Everything that was said, for a message.
    pub(crate) fn said(&self) -> String {
        let one = |(part, ran): (usize, &Ran)| {
            let code = self.codes[part].map_or("nothing".to_owned(), |code| code.to_string());
            format!("part {part} ({}, on its host {code}):\n{}{}", ran.status, ran.out, ran.err)
        };
        let parts: String = self.ran.iter().enumerate().map(one).collect();
        format!("{parts}merge ({}):\n{}{}", self.merged.status, self.merged.out, self.merged.err)
    }
}

/// How many response times a merged table counts: `NAME.response: COUNT values`.
pub(crate) fn requests(merged: &str) -> u64 {
    let counts = merged.lines().filter_map(|line| {
        let (_, count) = line.split_once(".response: ")?;
        count.split_whitespace().next()?.parse::<u64>().ok()
    });
    counts.sum()
}

fn ended(part: usize) -> String {
    format!("/srv/ended/{part}")
}
