//! Whether a request that could be performed is, as its preconditions say (RFC 9110 section 13).

use super::Fault;
use super::connection::Head;

/// The status of what is not performed.
pub(super) fn unmet(head: &Head, fault: Fault) -> Option<u16> {
    let reads = matches!(head.method.as_str(), "GET" | "HEAD");
    if fault == Fault::IgnoresPreconditions || !(reads || head.method == "POST") {
        return None;
    }
    match (matches(head, "if-match", fault), matches(head, "if-none-match", fault)) {
        (Some(false), _) => Some(412),
        (_, Some(true)) if reads => Some(304),
        (_, Some(true)) => Some(412),
        _ => None,
    }
}

/// Whether a field's list has what is there; nothing where there is no such field.
fn matches(head: &Head, name: &str, fault: Fault) -> Option<bool> {
    let value = head.all(name).collect::<Vec<_>>().join(",");
    head.all(name).next()?;
    Some(match fault {
        Fault::HasNoRepresentations => false,
        Fault::MatchesAnyTag => true,
        Fault::LooksForStarsWithinTags => value.contains('*'),
        _ => value == "*",
    })
}
