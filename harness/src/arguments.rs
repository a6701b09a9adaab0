//! The command line: parsed, said again as it was typed, and what of it is no text though it should be.

use std::{
    env,
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
};

use clap::{CommandFactory, Parser, error::ErrorKind};
use terminal::{
    errln,
    shell::{command_line, quoted},
    streams::{self, Stream},
};

use crate::cli::{Cli, Command};

/// What was asked for.
///
/// # Errors
/// Nothing that could be done, or only help: it is printed, and this is the exit code.
pub(crate) fn parse() -> Result<Command, u8> {
    let arguments: Vec<OsString> = env::args_os().collect();
    Cli::try_parse_from(&arguments).map(|cli| cli.command).map_err(|error| {
        match not_text(&error, &arguments) {
            Some(said) => errln!("error: {said}\n\nFor more information, try '--help'."),
            None => {
                let stream = if error.use_stderr() { Stream::Err } else { Stream::Out };
                streams::print(stream, format_args!("{}", error.render().ansi()));
            }
        }
        u8::try_from(error.exit_code()).unwrap_or(2)
    })
}

/// The command as a person types it: the alias where it was used.
pub(crate) fn typed() -> String {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    match arguments.split_first() {
        Some((first, [])) if first == "bench" => "cargo bench-all".to_owned(),
        Some((first, rest)) if first == "bench" => format!("cargo bench-all {}", command_line(rest)),
        _ => format!("harness {}", command_line(&arguments)),
    }
}

/// Which arguments have bytes that are no UTF-8 where a text is wanted; clap does not say which.
fn not_text(error: &clap::Error, arguments: &[OsString]) -> Option<String> {
    if error.kind() != ErrorKind::InvalidUtf8 {
        return None;
    }
    let others: Vec<usize> = (1..arguments.len()).filter(|&at| arguments[at].to_str().is_none()).collect();
    // Paths may have them. What is refused though all others are text is none of these.
    let is_refused = |&at: &usize| {
        let text = |(other, argument): (usize, &OsString)| match other == at {
            true => argument.clone(),
            false => argument.to_string_lossy().into_owned().into(),
        };
        let alone: Vec<OsString> = arguments.iter().enumerate().map(text).collect();
        Cli::try_parse_from(alone).is_err_and(|error| error.kind() == ErrorKind::InvalidUtf8)
    };
    let refused: Vec<usize> = others.iter().copied().filter(|at| is_refused(at)).collect();
    let named = if refused.is_empty() { others } else { refused };
    let named: Vec<String> = named.into_iter().map(|at| name_of(at, arguments)).collect();
    Some(format!(
        "{}: it is to be UTF-8 text; only the names of files may have other bytes",
        named.join(", ")
    ))
}

/// An argument by the flag whose value it is.
fn name_of(at: usize, arguments: &[OsString]) -> String {
    let argument = arguments[at].as_bytes();
    let before = |end: usize| String::from_utf8_lossy(&argument[..end]).into_owned();
    let flag = match argument {
        [b'-', b'-', ..] => argument.iter().position(|&byte| byte == b'=').map(before),
        [b'-', letter, _, ..] if letter.is_ascii_alphanumeric() => Some(before(2)),
        _ => arguments[..at].last().filter(|last| takes_value(last, arguments)).map(|last| {
            let last: &OsStr = last;
            last.to_string_lossy().into_owned()
        }),
    };
    match flag {
        Some(flag) => format!("{flag} {}", quoted(OsStr::from_bytes(&argument[value_at(argument, &flag)..]))),
        None => quoted(&arguments[at]),
    }
}

/// Where the value begins in an argument that may hold its flag as well.
fn value_at(argument: &[u8], flag: &str) -> usize {
    match argument.strip_prefix(flag.as_bytes()) {
        Some([b'=', ..]) => flag.len() + 1,
        Some(_) => flag.len(),
        None => 0,
    }
}

fn takes_value(flag: &OsStr, arguments: &[OsString]) -> bool {
    let all = Cli::command();
    let command = arguments.get(1).and_then(|name| all.find_subcommand(name));
    command.is_some_and(|command| {
        let is_it = |argument: &&clap::Arg| {
            let long = argument.get_long().is_some_and(|long| flag == OsStr::new(&format!("--{long}")));
            long || argument.get_short().is_some_and(|short| flag == OsStr::new(&format!("-{short}")))
        };
        command.get_arguments().find(is_it).is_some_and(|argument| argument.get_action().takes_values())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(arguments: &[&[u8]]) -> Vec<OsString> {
        [&b"harness"[..]]
            .into_iter()
            .chain(arguments.iter().copied())
            .map(|one| OsStr::from_bytes(one).to_owned())
            .collect()
    }

    fn said(arguments: &[&[u8]]) -> Option<String> {
        let all = typed(arguments);
        not_text(&Cli::try_parse_from(&all).err()?, &all)
    }

    #[test]
    fn an_argument_that_is_to_be_text_is_named_by_its_flag() {
        let rest = ": it is to be UTF-8 text; only the names of files may have other bytes";
        for (arguments, named) in [
            (&[&b"load"[..], b"127.0.0.1:1", b"--method", b"caf\xe9"][..], r"--method $'caf\xe9'"),
            (&[b"load", b"127.0.0.1:1", b"--method=caf\xe9"], r"--method $'caf\xe9'"),
            (&[b"load", b"127.0.0.1:1", b"-mcaf\xe9"], r"-m $'caf\xe9'"),
            (&[b"load", b"127.0.0.1:1", b"-H", b"a: \xe9"], r"-H $'a: \xe9'"),
            (&[b"load", b"--quiet", b"caf\xe9"], r"$'caf\xe9'"),
            (&[b"load", b"--export-json", b"\xe9.json", b"127.0.0.1:1", b"-q", b"\xe9"], r"-q $'\xe9'"),
            (&[b"bench", b"--only", b"\xe9"], r"--only $'\xe9'"),
            (&[b"verify", b"a", b"\xe9"], r"$'\xe9'"),
        ] {
            assert_eq!(said(arguments), Some(format!("{named}{rest}")), "{arguments:?}");
        }
    }

    #[test]
    fn names_of_files_may_have_any_bytes() {
        for arguments in [
            &[&b"load"[..], b"127.0.0.1:1", b"--export-json", b"\xe9", b"--export-hdr=\xe9", b"-d", b"@\xe9"]
                [..],
            &[b"quick", b"127.0.0.1:1", b"-o\xe9"],
            &[b"merge", b"\xe9", b"-o", b"\xe9"],
            &[b"bench", b"--out", b"\xe9", b"--registry", b"\xe9", b"--scenarios", b"\xe9"],
            &[b"bench", b"--resume", b"\xe9"],
            &[b"verify", b"--cache", b"\xe9", b"--registry", b"\xe9", b"--export-json", b"\xe9"],
            &[b"show", b"\xe9"],
            &[b"list", b"rows", b"--registry", b"\xe9", b"--scenarios=\xe9"],
            &[b"report", b"\xe9"],
            &[b"check", b"\xe9"],
            &[b"generators", b"--own", b"\xe9", b"--markdown", b"\xe9", b"--export-json", b"\xe9"],
            &[b"selftest", b"--comparison", b"--out", b"\xe9", b"--export-json", b"\xe9"],
        ] {
            let parsed = Cli::try_parse_from(typed(arguments));
            assert!(parsed.is_ok(), "{arguments:?}: {}", parsed.unwrap_err());
        }
    }
}
