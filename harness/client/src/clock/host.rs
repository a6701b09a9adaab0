//! Which host a process is on: what has one kernel has one clock, whatever its names are.

use race::records::environment;
use serde::{Deserialize, Serialize};

/// One running kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostId {
    /// The name that it calls itself, for people.
    pub name: String,
    /// What the kernel drew when it started (random(4)): no two have the same. Empty where it does not tell.
    pub boot: String,
}

impl HostId {
    /// The one that this process is on.
    pub fn own() -> Self {
        Self { name: environment::host_name(), boot: environment::boot_id() }
    }

    /// Whether both are surely one.
    pub fn is(&self, other: &Self) -> bool {
        !self.boot.is_empty() && self.boot == other.boot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_itself_under_another_name_and_what_does_not_tell_is_nobody() {
        let own = HostId::own();
        assert!(!own.name.is_empty() && own.is(&HostId { name: "other".to_owned(), ..own.clone() }));
        let untold = HostId { name: own.name.clone(), boot: String::new() };
        assert!(!untold.is(&untold) && !own.is(&untold));
    }
}
