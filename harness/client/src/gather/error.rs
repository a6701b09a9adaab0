//! Why the parts of a load did not become one, each as one line that names the part or the folder and says what to do.

use std::{io, path::PathBuf, time::Duration};

/// Why the parts of a load did not become one.
#[derive(Debug, thiserror::Error)]
pub enum GatherError {
    /// The folder cannot be used.
    #[error("{}: {error}; name a folder that all parts share and may write to, with room in it", path.display())]
    Folder {
        /// The folder, or a file in it.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// A file in it is none of this revision's.
    #[error("{} cannot be read: {error}; build all parts from the same revision", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: serde_json::Error,
    },
    /// Something was gathered there already.
    #[error("{} holds {file} of an earlier load; name a folder that is empty, or not there yet", path.display())]
    Used {
        /// The folder.
        path: PathBuf,
        /// What is in it.
        file: String,
    },
    /// Part 0 is not to be seen.
    #[error(
        "part 0 left no plan in {} within {within:?}: see that it was started, and that this is one folder, shared by all hosts",
        path.display()
    )]
    NotShared {
        /// The folder.
        path: PathBuf,
        /// How long it was waited for.
        within: Duration,
    },
    /// Some did not come.
    #[error(
        "{parts} did not come to {} within {within:?}: see that they were started, and that this is one folder, shared by all hosts",
        path.display()
    )]
    Absent {
        /// Which, as in `parts 1, 2`.
        parts: String,
        /// The folder.
        path: PathBuf,
        /// How long they were waited for.
        within: Duration,
    },
    /// Some came and went no further.
    #[error(
        "{parts} came to {} and did not get ready within {within:?}: see what they say of the server, and of the clock that they go by",
        path.display()
    )]
    NotReady {
        /// Which, as in `part 2 on node3`.
        parts: String,
        /// The folder.
        path: PathBuf,
        /// How long they were waited for.
        within: Duration,
    },
    /// A part would do something else.
    #[error("part {part} has another plan than part 0: {differs}; start all parts with the same arguments")]
    OtherPlan {
        /// The part.
        part: u32,
        /// In what, with both values.
        differs: String,
    },
    /// A part saw another folder's plan.
    #[error("part {part} came by the plan of another load in {}; name a folder that is empty, or not there yet", path.display())]
    OtherLoad {
        /// The part.
        part: u32,
        /// The folder.
        path: PathBuf,
    },
    /// Parts that would compete.
    #[error(
        "parts {first} and {second} are both on {host}, where they would compete for its CPUs and ports: start one on each host, or say \
         --share-host"
    )]
    OneHost {
        /// A part.
        first: u32,
        /// Another.
        second: u32,
        /// Where both are.
        host: String,
    },
    /// Somebody was this part before.
    #[error(
        "part {part} came to {} already, on {host}: a part that is started again is not waited for; start all parts with an empty folder",
        path.display()
    )]
    Again {
        /// The part.
        part: u32,
        /// The host on which it was.
        host: String,
        /// The folder.
        path: PathBuf,
    },
    /// Part 0 said nothing any more.
    #[error("part 0 set no start in {} within {within:?}: it died, or waits for parts that were not started", path.display())]
    NoStart {
        /// The folder.
        path: PathBuf,
        /// How long it was waited for.
        within: Duration,
    },
    /// The start is over.
    #[error(
        "part {part} learned of the start {late:.1?} after it: start all parts again with an empty folder, and with a --gather-lead or a \
         --start-at that leaves more time"
    )]
    Late {
        /// The part.
        part: u32,
        /// How long ago it was.
        late: Duration,
    },
    /// A part gave up.
    #[error("part {part} failed on {host}: {reason}; what other parts measured is not the whole load")]
    Failed {
        /// The part.
        part: u32,
        /// Where.
        host: String,
        /// Why.
        reason: String,
    },
    /// Parts that said nothing any more.
    #[error(
        "{parts} left no result within {within:?} of the end of the load: dead, or cut off; what other parts measured is not the whole load"
    )]
    Died {
        /// Which, as in `part 2 on node3`.
        parts: String,
        /// How long they were waited for.
        within: Duration,
    },
}

impl GatherError {
    /// Whether another command line would help.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Used { .. } | Self::OtherPlan { .. } | Self::OneHost { .. } | Self::Again { .. })
    }
}

/// `part 2`, `parts 1, 2`.
pub(super) fn parts(of: &[String]) -> String {
    format!("part{} {}", if of.len() == 1 { "" } else { "s" }, of.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_one_line_that_says_what_to_do() {
        let (path, within) = (PathBuf::from("/shared/a"), Duration::from_secs(30));
        let absent =
            GatherError::Absent { parts: parts(&["1".into(), "2".into()]), path: path.clone(), within };
        assert_eq!(
            absent.to_string(),
            "parts 1, 2 did not come to /shared/a within 30s: see that they were started, and that this is one folder, shared by \
             all hosts"
        );
        let again = GatherError::Again { part: 1, host: "node1".into(), path };
        assert!(again.to_string().starts_with("part 1 came to /shared/a already, on node1: "));
        let late = GatherError::Late { part: 1, late: Duration::from_millis(1_234) };
        assert!(late.to_string().starts_with("part 1 learned of the start 1.2s after it"), "{late}");
        assert_eq!(parts(&["2 on node3".into()]), "part 2 on node3");
    }
}
