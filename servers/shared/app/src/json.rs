//! Bodies are JSON, written in one way.

/// `value` as JSON. Only for this crate's own types, whose keys are strings or integers, so that writing
/// them to memory has no way to fail.
pub(crate) fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("own types with string keys always serialize")
}
