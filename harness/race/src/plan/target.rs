//! What is asked for to have an operation done, and which operation that is.

use app::Operation;
use serde::{Deserialize, Deserializer, Serializer, de::Error};

/// The path and query of `operation`.
pub(crate) fn of(operation: Operation) -> String {
    let path = operation.endpoint().map_or("", |endpoint| endpoint.paths()[0]);
    match operation {
        Operation::Simple => path.to_owned(),
        Operation::Complex { iterations } => format!("{path}?iterations={iterations}"),
        Operation::Randoms { count, seed } => format!("{path}?count={count}&seed={seed}"),
        Operation::Delay { milliseconds } => format!("{path}?ms={milliseconds}"),
        Operation::Fault(fault) => fault.target(),
    }
}

/// The operation that the application does for it.
fn operation(target: &str) -> Option<Operation> {
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    match app::route("GET", path, query) {
        Ok(app::Request::Operation(operation)) => Some(operation),
        _ => None,
    }
}

/// An operation as its target.
pub(crate) fn serialize<S: Serializer>(operation: &Operation, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&of(*operation))
}

/// An operation by its target.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Operation, D::Error> {
    let target = String::deserialize(from)?;
    operation(&target).ok_or_else(|| D::Error::custom(format!("`{target}` is no operation")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_what_the_application_understands() {
        for asked in [
            Operation::Simple,
            Operation::Complex { iterations: 12 },
            Operation::Randoms { count: 3, seed: 4 },
            Operation::Delay { milliseconds: 5 },
        ] {
            assert_eq!(operation(&of(asked)), Some(asked));
        }
        assert_eq!(operation("/nothing"), None);
    }
}
