//! One reason for which a row does not pass cases of the suite.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Cases of the suite that a row does not pass, all for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Deviation {
    /// The reason, as the reports print it.
    pub why: String,
    /// The cases, by name.
    pub cases: Vec<String>,
    /// Whether each of them happens in some plays and not in others: by a race between two threads of the server, say.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_chance: bool,
}

impl Deviation {
    /// The cases as a person reads them: by name where they are few, else their number and the first.
    pub fn cases_in_short(&self) -> String {
        let cases = match self.cases.as_slice() {
            few if few.len() <= 3 => few.join("; "),
            many => format!("{} cases, such as {}", many.len(), many[0]),
        };
        if self.by_chance { format!("by chance {cases}") } else { cases }
    }
}
