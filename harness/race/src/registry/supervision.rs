//! What a row's processes are to each other, and how it is told to replace or to fail them: what experiments need to know of it.

use rustix::process::Signal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which processes of a row's tree are its workers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkerProcesses {
    /// Whose children they are: `server` is the process that the harness started, anything else the process whose command line holds
    /// this text.
    pub children_of: String,
}

/// How a row is reloaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reload {
    /// By this signal to the process that the harness started.
    Signal(String),
    /// It is not, for this reason.
    None(String),
}

/// The signals by which programs are told to reload, by the names of signal(7).
const SIGNALS: [(&str, Signal); 4] = [
    ("SIGHUP", Signal::HUP),
    ("SIGUSR1", Signal::USR1),
    ("SIGUSR2", Signal::USR2),
    ("SIGWINCH", Signal::WINCH),
];

impl WorkerProcesses {
    /// What stands for the process that the harness started.
    pub const SERVER: &str = "server";

    /// What is wrong with it.
    pub(super) fn check(&self) -> Result<(), String> {
        match self.children_of.trim().is_empty() {
            true => {
                Err("its workers are children of nobody, as in workers = { children_of = \"server\" }"
                    .to_owned())
            }
            false => Ok(()),
        }
    }
}

impl Reload {
    /// What is wrong with it.
    pub(super) fn check(&self) -> Result<(), String> {
        match self {
            Self::Signal(name) if self.signal().is_none() => {
                let known: Vec<&str> = SIGNALS.iter().map(|(name, _)| *name).collect();
                Err(format!("it is reloaded by `{name}`, which is none of {}", known.join(", ")))
            }
            Self::None(reason) if reason.trim().is_empty() => {
                Err("it is not reloaded and does not say why, as in reload = { none = \"one process\" }"
                    .to_owned())
            }
            Self::Signal(_) | Self::None(_) => Ok(()),
        }
    }

    /// The signal, where it is by one.
    pub fn signal(&self) -> Option<Signal> {
        let Self::Signal(name) = self else { return None };
        SIGNALS.iter().find(|(known, _)| known == name).map(|(_, signal)| *signal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reload_is_by_a_known_signal_or_has_a_reason_not_to_be() {
        let signal = |name: &str| Reload::Signal(name.to_owned());
        assert_eq!(signal("SIGHUP").signal(), Some(Signal::HUP));
        assert!(signal("SIGHUP").check().is_ok());
        assert!(signal("SIGKILL").check().unwrap_err().contains("none of SIGHUP, SIGUSR1"));
        assert!(Reload::None(" ".to_owned()).check().unwrap_err().contains("does not say why"));
        assert_eq!(Reload::None("one process".to_owned()).signal(), None);
        let nobody = WorkerProcesses { children_of: String::new() };
        assert!(nobody.check().unwrap_err().contains("children of nobody"));
    }
}
