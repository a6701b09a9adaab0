//! `{name}` in a row's command and arguments: what is filled in before the program starts.
//!
//! Only a letter after the brace begins a placeholder, so that JSON may be an argument.

use super::row::{Readiness, Row};

/// What a row that is asked by HTTP may be told of its surroundings.
pub(crate) const OF_HTTP: [&str; 4] = ["port", "address", "cpus", "workers"];

/// The text with every placeholder that `value` knows filled in; the others stay.
pub(crate) fn fill(text: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, name, after)) = next(rest) {
        filled.push_str(before);
        filled.push_str(&value(name).unwrap_or_else(|| format!("{{{name}}}")));
        rest = after;
    }
    filled + rest
}

/// The names of all placeholders of a text.
fn names(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (_, name, after) = next(rest)?;
        rest = after;
        Some(name)
    })
}

/// What stands before the next placeholder, its name, and what follows.
fn next(text: &str) -> Option<(&str, &str, &str)> {
    for (at, _) in text.match_indices('{') {
        let inner = &text[at + 1..];
        let end = inner.find('}')?;
        let name = &inner[..end];
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
        if name.starts_with(|first: char| first.is_ascii_alphabetic()) && name.chars().all(is_plain) {
            return Some((&text[..at], name, &inner[end + 1..]));
        }
    }
    None
}

/// Whether every placeholder of `row` will be filled in, and a row that is asked by HTTP will know its port.
pub(super) fn check(row: &Row) -> Result<(), String> {
    let is_http = row.ready == Readiness::Http;
    let mut knows_port = false;
    for name in row.texts().flat_map(|text| names(text)) {
        knows_port |= ["port", "address"].contains(&name);
        let of_http = OF_HTTP.contains(&name);
        if row.uses.iter().any(|package| package == name) || (of_http && is_http) {
            continue;
        }
        if of_http {
            return Err(format!(
                "`{{{name}}}` is filled in only where ready = \"http\"; a program with a ready line is given --listen and \
                 --cpus"
            ));
        }
        let uses = row.uses.iter().map(String::as_str);
        let known: Vec<String> =
            OF_HTTP.into_iter().filter(|_| is_http).chain(uses).map(|name| format!("{{{name}}}")).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        return Err(format!(
            "nothing fills in `{{{name}}}`; known here: {known}; a package must be listed, as in uses = [\"{name}\"]"
        ));
    }
    if is_http && !knows_port {
        return Err(
            "it is asked by HTTP, but is not told where to listen: write {port}, or {address} for 127.0.0.1 with the port, \
             into its command or args, as in args = [\"--port\", \"{port}\"]"
                .to_owned(),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_names_are_filled_in_and_all_else_stays() {
        let value = |name: &str| (name == "port").then(|| "80".to_owned());
        for (text, filled) in [
            ("{port}", "80"),
            ("http://h:{port}/{port}", "http://h:80/80"),
            ("{\"port\": {port}}", "{\"port\": 80}"),
            ("{other}{port}", "{other}80"),
            ("{0}{}{ port }{port", "{0}{}{ port }{port"),
            ("", ""),
        ] {
            assert_eq!(fill(text, value), filled);
        }
    }
}
