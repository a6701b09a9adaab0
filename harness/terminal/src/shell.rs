//! Commands as a person can type them again: what was an argument is one again in a shell, bytes that are no text included.

use std::{ffi::OsStr, fmt::Write as _, os::unix::ffi::OsStrExt};

/// Arguments with blanks between them.
pub fn command_line<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> String {
    let arguments: Vec<String> = arguments.into_iter().map(|argument| quoted(argument.as_ref())).collect();
    arguments.join(" ")
}

/// One argument, quoted where a shell would take it for something else. Where it holds bytes that are no text, or that move a
/// cursor, it is `$'...'` with their numbers (POSIX.1-2024, 2.2.4): on one line, and nothing of it is lost.
pub fn quoted(argument: impl AsRef<OsStr>) -> String {
    let bytes = argument.as_ref().as_bytes();
    match str::from_utf8(bytes) {
        // As it is typed: an `=` means something to a shell in a command's first word alone.
        Ok(text) if !text.is_empty() && text.chars().all(is_plain) => text.to_owned(),
        Ok(text) if !text.contains(char::is_control) => {
            // Only a NUL cannot be quoted, and it is a control character.
            shlex::try_quote(text).map_or_else(|_| escaped(bytes), |quoted| quoted.into_owned())
        }
        _ => escaped(bytes),
    }
}

fn is_plain(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "-_./:,=+@%".contains(letter)
}

fn escaped(bytes: &[u8]) -> String {
    let mut text = String::from("$'");
    let number = |text: &mut String, byte: u8| {
        // Writing to a string does not fail.
        let _ = write!(text, "\\x{byte:02x}");
    };
    for part in bytes.utf8_chunks() {
        for letter in part.valid().chars() {
            match letter {
                '\\' | '\'' => text.extend(['\\', letter]),
                '\n' => text.push_str("\\n"),
                '\t' => text.push_str("\\t"),
                letter if letter.is_control() => {
                    let mut bytes = [0; 4];
                    letter.encode_utf8(&mut bytes).bytes().for_each(|byte| number(&mut text, byte));
                }
                letter => text.push(letter),
            }
        }
        part.invalid().iter().for_each(|&byte| number(&mut text, byte));
    }
    text.push('\'');
    text
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_shell_takes_as_it_is_stays_and_the_rest_is_quoted() {
        for (argument, expected) in [
            ("--only=a,b", "--only=a,b"),
            ("/tmp/a b", "'/tmp/a b'"),
            ("O'Brien", "\"O'Brien\""),
            ("", "''"),
            ("a\nb", r"$'a\nb'"),
            ("a\x1b[31m", r"$'a\x1b[31m'"),
            ("\u{85}'\\", r"$'\xc2\x85\'\\'"),
        ] {
            assert_eq!(quoted(argument), expected);
        }
        let latin = OsStr::from_bytes(b"caf\xe9.json");
        assert_eq!(command_line([OsStr::new("-o"), latin]), r"-o $'caf\xe9.json'");
    }

    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        let all: Vec<OsString> = vec![
            OsStr::from_bytes(&(1..=255).collect::<Vec<u8>>()).to_owned(),
            "$HOME `x` \"y\" !z ~ * ?".into(),
            OsStr::from_bytes(b"\xe9abc").to_owned(),
        ];
        let script = format!("printf '%s\\0' {}", command_line(&all));
        let printed = host::tether::command("bash").args(["-c", &script]).output().unwrap().stdout;
        let expected: Vec<u8> = all.iter().flat_map(|one| [one.as_bytes(), b"\0"].concat()).collect();
        assert_eq!(printed, expected);
    }

    proptest! {
        #[test]
        fn it_is_always_one_line(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            prop_assert!(!quoted(OsStr::from_bytes(&bytes)).contains(char::is_control));
        }
    }
}
