//! What must be there for a row to run, as data. Whether it is there, `prerequisites` finds out.

use std::{fmt, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A program or a file that a row cannot run without.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// A program, by its name on the `PATH` or its path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// A file, by its path within the checkout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// How the version is expected to begin, such as `1.22`. Another one is warned about, unless it is `exactly` this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Whether another version is as good as none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exactly: bool,
    /// What makes the program print its version; `--version` where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_args: Option<Vec<String>>,
    /// The command that installs it.
    pub install: String,
}

/// The one kind of file whose version is known: its field `version`.
pub(crate) const VERSIONED_FILE: &str = "package.json";

impl Requirement {
    /// What is wrong with it.
    pub(super) fn check(&self) -> Result<(), String> {
        const EXAMPLE: &str = r#"requires = [{ program = "nginx", version = "1.22", version_args = ["-v"], install = "apt-get install nginx" }]"#;
        let is_versioned = self.file.as_ref().is_none_or(|file| file.ends_with(VERSIONED_FILE));
        let wrong = match (&self.program, &self.file) {
            (Some(_), Some(_)) | (None, None) => "it names either a program or a file".to_owned(),
            (None, Some(_)) if self.version_args.is_some() => {
                "only a program has `version_args`; a file is never run".to_owned()
            }
            (None, Some(file)) if self.version.is_some() && !is_versioned => {
                format!("{} has no version: only a program and a {VERSIONED_FILE} have one", file.display())
            }
            _ if self.exactly && self.version.is_none() => {
                "`exactly` is about a `version`, and there is none".to_owned()
            }
            _ if self.install.trim().is_empty() => "it lacks the command that installs it".to_owned(),
            _ => return Ok(()),
        };
        Err(format!("what it requires is wrong: {wrong}, as in {EXAMPLE}"))
    }

    /// Whether `found` is the version that is expected: `1.22` expects `1.22` and `1.22.1`, and neither `1.2` nor `1.221`.
    pub fn expects(&self, found: Option<&str>) -> bool {
        let Some(expected) = &self.version else { return true };
        let rest = found.and_then(|found| found.strip_prefix(expected.as_str()));
        rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_digit()))
    }
}

/// Its name.
impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.program, &self.file) {
            (Some(program), _) => f.write_str(program),
            (None, Some(file)) => write!(f, "{}", file.display()),
            (None, None) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_expected_by_whole_numbers() {
        let nginx = |version: Option<&str>| Requirement {
            program: Some("nginx".to_owned()),
            file: None,
            version: version.map(str::to_owned),
            exactly: false,
            version_args: None,
            install: "x".to_owned(),
        };
        let of_22 = nginx(Some("1.22"));
        assert!(of_22.expects(Some("1.22")) && of_22.expects(Some("1.22.1")));
        for other in [Some("1.2"), Some("1.221.0"), Some("2.1.22"), None] {
            assert!(!of_22.expects(other), "{other:?}");
        }
        assert!(nginx(None).expects(None));
    }
}
