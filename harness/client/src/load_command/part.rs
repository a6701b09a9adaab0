//! Which part of a load this process makes: as it was said, or as whatever started it says.
//!
//! Parts are numbered from 0, as Slurm and Kubernetes number theirs.

use std::{
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
};

use load::Share;

/// The most parts that a load may have.
pub const MOST_PARTS: u32 = 1_000;

/// Which of its tasks Slurm started, and how many there are (srun(1)).
const SLURM: (&str, &str) = ("SLURM_PROCID", "SLURM_NTASKS");
/// Which pod of an Indexed Job this is. How many there are Kubernetes does not tell.
const KUBERNETES: &str = "JOB_COMPLETION_INDEX";

/// Why nobody knows which part this is.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PartError {
    /// A variable that holds no number.
    #[error(
        "{variable} is `{value}`, which is no whole number from 0 to {MOST_PARTS}; say which part this is with --part I/N"
    )]
    NoNumber {
        /// Its name.
        variable: &'static str,
        /// What it holds.
        value: String,
    },
    /// A number that no part has.
    #[error("{variable} is {index}, and {parts} parts are numbered from 0 to {}; say of how many this is one with --parts", .parts - 1)]
    Beyond {
        /// The name of the variable.
        variable: &'static str,
        /// What it holds.
        index: u32,
        /// How many parts there are.
        parts: u32,
    },
    /// Of so many it may be any.
    #[error(
        "--parts {parts} does not say which of them this is, and neither {} nor {KUBERNETES} is set; say it with --part I/{parts}, \
         I from 0 to {}",
        SLURM.0,
        .parts - 1
    )]
    Which {
        /// How many there are.
        parts: u32,
    },
}

/// Which part it is, and what is to be said of that.
#[derive(Debug, PartialEq, Eq)]
pub struct Which {
    /// The part.
    pub share: Share,
    /// Who said so, where nobody typed it.
    pub note: Option<String>,
}

/// Finds out which part of a load is to be made: `given`, or what the environment says, of `parts` or as many as it says.
///
/// # Errors
/// What the environment says makes no part, or nothing says which of the `parts` it is.
pub fn which(
    given: Option<Share>,
    parts: Option<u32>,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<Which, PartError> {
    let read = |name: &'static str| variable(name).map(|value| number(name, &value)).transpose();
    if let Some(share) = given {
        return Ok(Which { share, note: None });
    }
    let whole = |note| Ok(Which { share: Share::WHOLE, note });
    if let Some(index) = read(SLURM.0)? {
        let of = match parts {
            Some(parts) => Some((parts, "--parts")),
            None => read(SLURM.1)?.map(|tasks| (tasks.max(1), SLURM.1)),
        };
        return match of {
            Some((of, by)) => share(SLURM.0, index, of, by),
            None => whole(Some(unsaid(SLURM.0, index))),
        };
    }
    match (read(KUBERNETES)?, parts) {
        (Some(index), Some(of)) => share(KUBERNETES, index, of, "--parts"),
        (Some(index), None) => whole(Some(unsaid(KUBERNETES, index))),
        (None, None | Some(1)) => whole(None),
        (None, Some(of)) => Err(PartError::Which { parts: of }),
    }
}

fn number(variable: &'static str, value: &OsStr) -> Result<u32, PartError> {
    let text = value.to_string_lossy();
    let number = text.trim().parse().ok().filter(|number| *number <= MOST_PARTS);
    number.ok_or_else(|| PartError::NoNumber { variable, value: text.into_owned() })
}

fn share(variable: &'static str, index: u32, of: u32, by: &str) -> Result<Which, PartError> {
    if index >= of {
        return Err(PartError::Beyond { variable, index, parts: of });
    }
    let note = format!(
        "this is part {index} of {of}, counted from 0, by {variable} and {by}; the whole load would be --part 0/1"
    );
    Ok(Which { share: Share { index, of }, note: (of > 1).then_some(note) })
}

fn unsaid(variable: &str, index: u32) -> String {
    format!(
        "{variable} is {index}, and nothing says of how many parts this would be one: the whole load is made; see --parts"
    )
}

/// The file of this part, where all parts are started with one name: of part 1 of 3 it has `.part-1-of-3` before its ending. What is
/// no file stays what it is.
pub(super) fn own_name(path: &Path, share: Share) -> PathBuf {
    let is_other = fs::metadata(path).is_ok_and(|there| !there.is_file());
    let is_open = ["/dev", "/proc"].iter().any(|folder| path.starts_with(folder));
    let Some(stem) = path.file_stem().filter(|_| share.of > 1 && !is_other && !is_open) else {
        return path.to_owned();
    };
    let mut name = stem.to_owned();
    name.push(format!(".part-{}-of-{}", share.index, share.of));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which part it is where these variables are set.
    fn among(parts: Option<u32>, variables: &[(&str, &str)]) -> Result<Which, PartError> {
        which(None, parts, |name| {
            variables.iter().find(|(own, _)| *own == name).map(|(_, value)| (*value).into())
        })
    }

    fn part(parts: Option<u32>, variables: &[(&str, &str)]) -> (u32, u32) {
        let Which { share, note } = among(parts, variables).unwrap();
        assert_eq!(note.is_some(), share.of > 1, "{note:?}");
        (share.index, share.of)
    }

    #[test]
    fn what_was_said_wins_and_what_started_it_is_asked_otherwise() {
        let slurm = [("SLURM_PROCID", "2"), ("SLURM_NTASKS", "3")];
        let given = which(Some(Share { index: 0, of: 2 }), None, |_| Some("9".into())).unwrap();
        assert_eq!(given, Which { share: Share { index: 0, of: 2 }, note: None });
        assert_eq!(part(None, &slurm), (2, 3));
        assert_eq!(part(Some(5), &slurm), (2, 5));
        assert_eq!(part(None, &[("SLURM_PROCID", "0"), ("SLURM_NTASKS", "1")]), (0, 1));
        assert_eq!(part(Some(4), &[("JOB_COMPLETION_INDEX", "3")]), (3, 4));
        assert_eq!(part(None, &[]), (0, 1));
        assert_eq!(part(Some(1), &[]), (0, 1));
    }

    #[test]
    fn who_decided_it_is_said_where_nobody_typed_it() {
        let by_slurm = among(None, &[("SLURM_PROCID", "2"), ("SLURM_NTASKS", "3")]).unwrap().note.unwrap();
        assert_eq!(
            by_slurm,
            "this is part 2 of 3, counted from 0, by SLURM_PROCID and SLURM_NTASKS; the whole load would be --part 0/1"
        );
        let of_how_many = among(None, &[("JOB_COMPLETION_INDEX", "2")]).unwrap();
        assert_eq!(of_how_many.share, Share::WHOLE);
        assert!(of_how_many.note.unwrap().ends_with("the whole load is made; see --parts"));
    }

    #[test]
    fn what_makes_no_part_is_refused_with_what_would() {
        for (parts, variables, expected) in [
            (
                Some(2),
                &[("SLURM_PROCID", "2")][..],
                "SLURM_PROCID is 2, and 2 parts are numbered from 0 to 1",
            ),
            (None, &[("SLURM_PROCID", "-1")], "SLURM_PROCID is `-1`, which is no whole number"),
            (None, &[("SLURM_PROCID", "0"), ("SLURM_NTASKS", "many")], "SLURM_NTASKS is `many`"),
            (Some(3), &[("JOB_COMPLETION_INDEX", "3")], "JOB_COMPLETION_INDEX is 3, and 3 parts"),
            (Some(3), &[], "say it with --part I/3, I from 0 to 2"),
        ] {
            let error = among(parts, variables).unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn each_part_has_files_of_its_own_and_devices_stay() {
        let name = |path: &str, of| own_name(Path::new(path), Share { index: 1, of });
        assert_eq!(name("out/a.json", 3), Path::new("out/a.part-1-of-3.json"));
        assert_eq!(name("a.b.hlog", 3), Path::new("a.b.part-1-of-3.hlog"));
        assert_eq!(name("result", 3), Path::new("result.part-1-of-3"));
        for kept in ["/dev/null", "/dev/stdout", "/proc/self/fd/1", "..", "/"] {
            assert_eq!(name(kept, 3), Path::new(kept));
        }
        assert_eq!(name("a.json", 1), Path::new("a.json"));
    }
}
