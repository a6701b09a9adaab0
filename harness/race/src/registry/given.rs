//! A row from the command line: `name=my,cmd=./my --port {port},ready=http`.

use super::{OperationName, Readiness, Row, placeholders};
use terminal::names::nearest;

const EXAMPLE: &str = "name=my,cmd=./my --port {port},ready=http";
const KEYS: [&str; 5] = ["name", "cmd", "ready", "tier", "operations"];

impl Row {
    /// Reads a row as a person types it. Commas end a value only before a key, and never within quotes of the command.
    ///
    /// # Errors
    /// What is wrong, with an example.
    pub fn from_command_line(text: &str) -> Result<Self, String> {
        let wrong = |reason: String| format!("{reason}, as in \"{EXAMPLE}\"");
        let mut values: Vec<(&str, &str)> = Vec::new();
        for part in parts(text) {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            if !KEYS.contains(&key) {
                let meant = nearest(KEYS.into_iter(), key);
                let meant = meant.map(|meant| format!(" (did you mean `{meant}`?)")).unwrap_or_default();
                return Err(wrong(format!("there is no key `{key}`{meant}; write {}", KEYS.join(", "))));
            }
            if value.is_empty() || values.iter().any(|&(earlier, _)| earlier == key) {
                return Err(wrong(format!("`{key}` must be given once, with a value")));
            }
            values.push((key, value));
        }
        let value = |wanted: &str| values.iter().find(|(key, _)| *key == wanted).map(|&(_, value)| value);
        let needed = |key: &str| value(key).ok_or_else(|| wrong(format!("`{key}` is missing")));
        let command = shlex::split(needed("cmd")?).filter(|command| !command.is_empty());
        let command =
            command.ok_or_else(|| wrong("cmd is no command: a quote in it is never closed".to_owned()))?;
        let mut row = Self::given(needed("name")?.to_owned(), command);
        row.ready = match value("ready") {
            None | Some("line") => Readiness::Line,
            Some("http") => Readiness::Http,
            Some(other) => return Err(wrong(format!("ready={other} is neither line nor http"))),
        };
        if let Some(tier) = value("tier").filter(|&tier| tier != "reference") {
            return Err(wrong(format!("a row of the command line is of tier reference, and not {tier}")));
        }
        if let Some(names) = value("operations") {
            row.operations = names.split('+').map(operation).collect::<Result<_, _>>().map_err(wrong)?;
        }
        if row.name.contains(|letter: char| letter.is_whitespace() || letter == '|') {
            return Err(wrong(format!("the name `{}` holds a space or a bar", row.name)));
        }
        placeholders::check(&row).map_err(wrong)?;
        Ok(row)
    }
}

fn operation(name: &str) -> Result<OperationName, String> {
    let quoted = serde_json::Value::from(name);
    serde_json::from_value(quoted).map_err(|error| format!("operations are joined by +: {error}"))
}

/// The parts between commas that end a value.
fn parts(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut quote) = (0, None);
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        let in_command = text[start..].starts_with("cmd=");
        match (letter, quote) {
            ('\\', None | Some('"')) if in_command => drop(letters.next()),
            ('"' | '\'', None) if in_command => quote = Some(letter),
            (_, Some(open)) if letter == open => quote = None,
            (',', None) if !in_command || begins_with_key(&text[at + 1..]) => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// Whether a key follows, or what may have been meant as one.
fn begins_with_key(text: &str) -> bool {
    let is_plain = |letter: char| letter.is_ascii_lowercase();
    text.split_once('=')
        .is_some_and(|(key, _)| key.chars().all(is_plain) && nearest(KEYS.into_iter(), key).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::{Program, Tier};

    fn command(text: &str) -> Vec<String> {
        match Row::from_command_line(text).unwrap().program {
            Program::Command(command) => command,
            Program::Package(package) => panic!("{package}"),
        }
    }

    #[test]
    fn a_row_is_read_as_a_person_types_it() {
        let row =
            Row::from_command_line("name=my,cmd=./my --port {port},ready=http,operations=simple+complex")
                .unwrap();
        assert_eq!((row.name.as_str(), row.tier, row.ready), ("my", Tier::Reference, Readiness::Http));
        assert_eq!(row.operations, [OperationName::Simple, OperationName::Complex]);
        assert!(row.is_given && row.factors.is_none());
        // Who has a slow backend says so.
        let usual = [OperationName::Simple, OperationName::Complex, OperationName::Randoms];
        assert_eq!(Row::from_command_line("name=my,cmd=./my").unwrap().operations, usual);
    }

    #[test]
    fn a_command_is_split_as_a_shell_would_and_may_hold_commas() {
        assert_eq!(command("name=m,cmd=./m --on 1,2 'a b',c"), ["./m", "--on", "1,2", "a b,c"]);
        assert_eq!(command("cmd=./m 'x,name=y',name=m"), ["./m", "x,name=y"]);
        assert_eq!(command(r#"cmd=./m "a\"b,ready=c",name=m"#), ["./m", "a\"b,ready=c"]);
    }

    #[test]
    fn what_is_wrong_is_answered_with_an_example() {
        for (text, expected) in [
            ("", "no key ``"),
            ("cmd=./my", "`name` is missing"),
            ("name=my", "`cmd` is missing"),
            ("name=my,cmd=", "`cmd` must be given once, with a value"),
            ("name=my,name=you,cmd=x", "`name` must be given once"),
            ("name=my,cmd=./my {port},raedy=http", "no key `raedy` (did you mean `ready`?)"),
            ("name=my,cmd=./my {port}", "`{port}` is filled in only where ready"),
            ("name=my,cmd=./my,ready=http", "where to listen"),
            ("name=my,cmd=./my,ready=soon", "neither line nor http"),
            ("name=my,tier=native,cmd=./my", "of tier reference, and not native"),
            ("name=my,operations=simple+fast,cmd=./my", "`fast`"),
            ("name=my,cmd='./my", "never closed"),
            ("name=m y,cmd=./my", "holds a space"),
        ] {
            let error = Row::from_command_line(text).unwrap_err();
            assert!(error.contains(expected) && error.contains(EXAMPLE), "{text}: {error}");
        }
    }
}
