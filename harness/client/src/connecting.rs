//! What it means that connections fail, and what can be done about it: the machine that loads is told apart from the server.

use std::io;

use load::{Cause, OsError, OsErrors};

/// What the system says with an error.
pub(crate) fn meaning(error: OsError) -> &'static str {
    match error.cause() {
        Cause::NoLocalPort => "this machine has no local port, or no address, left to connect from",
        Cause::NoDescriptor => "this process may open no more files",
        Cause::NoFile => "nobody on this machine may open more files",
        Cause::NoMemory => "this machine has no room for another socket",
        Cause::Forbidden => "this machine forbids the connection",
        Cause::Refused => "nobody listens there",
        Cause::Reset => "the server, or something before it, broke the connection off",
        Cause::TimedOut => "nothing answered in time",
        Cause::Unreachable => "no way leads there",
        Cause::Other => "see errno(3)",
    }
}

/// What to do about it.
pub(crate) fn advice(error: OsError) -> &'static str {
    match error.cause() {
        Cause::NoLocalPort => {
            "let connections carry more requests or use fewer of them, widen net.ipv4.ip_local_port_range, or set \
             net.ipv4.tcp_tw_reuse to 1"
        }
        Cause::NoDescriptor => "raise the limit with `ulimit -n`, or use fewer connections",
        Cause::NoFile => "raise fs.file-max, or use fewer connections",
        Cause::NoMemory => "use fewer connections, or see net.ipv4.tcp_mem and fs.epoll.max_user_watches",
        Cause::Forbidden => "see this machine's firewall",
        Cause::Refused => "see whether the server is running and listens on this address",
        Cause::Reset => "see the server's log, and how many connections it accepts",
        Cause::TimedOut => {
            "see whether the server's backlog is full (its own, and net.core.somaxconn), or something on the way drops packets"
        }
        Cause::Unreachable => "see the address, the route to it, and the firewalls on it",
        Cause::Other => "see whether the server is running",
    }
}

/// All of them with their counts and what they mean: `EMFILE 3 (this process may open no more files)`.
pub(crate) fn told(errors: &OsErrors) -> String {
    let told = errors.iter().map(|(error, count)| format!("{} {count} ({})", error.name(), meaning(error)));
    told.collect::<Vec<_>>().join(", ")
}

/// What to do about all of them, the most frequent first; `None` where there are none.
pub(crate) fn advice_on(errors: &OsErrors) -> Option<String> {
    let mut all: Vec<&str> = Vec::new();
    for (error, _) in errors.iter() {
        if !all.contains(&advice(error)) {
            all.push(advice(error));
        }
    }
    let blame = if errors.iter().all(|(error, _)| error.cause().is_local()) {
        "this is not the server's doing: "
    } else {
        ""
    };
    (!all.is_empty()).then(|| format!("{blame}{}", all.join("; ")))
}

/// Whether the machine that loads failed for itself, so that the load was not the one that was asked for.
pub(crate) fn are_local(errors: &OsErrors) -> bool {
    errors.iter().any(|(error, _)| error.cause().is_local())
}

/// What the system said of an attempt to connect.
pub(crate) fn os_error(error: &io::Error) -> OsError {
    let given_up = error.kind() == io::ErrorKind::TimedOut;
    error.raw_os_error().map_or_else(|| if given_up { TIMED_OUT } else { OsError(0) }, OsError)
}

/// What the standard library says in words of its own.
const TIMED_OUT: OsError = OsError(rustix::io::Errno::TIMEDOUT.raw_os_error());

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn advice_fits_the_cause_and_the_server_is_blamed_for_its_own_alone() {
        let mut local = OsErrors::default();
        [Errno::ADDRNOTAVAIL, Errno::MFILE, Errno::ADDRNOTAVAIL]
            .into_iter()
            .for_each(|one| local.add(one.into()));
        let advice = advice_on(&local).unwrap();
        assert!(advice.starts_with("this is not the server's doing: let connections carry more"), "{advice}");
        assert!(
            advice.contains("ip_local_port_range") && advice.contains("; raise the limit with `ulimit -n`")
        );
        assert_eq!(
            told(&local),
            "EADDRNOTAVAIL 2 (this machine has no local port, or no address, left to connect from), EMFILE 1 (this \
             process may open no more files)"
        );
        assert!(are_local(&local));
        for (errno, expected) in [
            (Errno::CONNREFUSED, "is running and listens"),
            (Errno::CONNRESET, "server's log"),
            (Errno::TIMEDOUT, "backlog is full"),
            (Errno::NETUNREACH, "the route to it"),
            (Errno::NFILE, "fs.file-max"),
        ] {
            let mut errors = OsErrors::default();
            errors.add(errno.into());
            let advice = advice_on(&errors).unwrap();
            assert!(advice.contains(expected), "{advice}");
            assert_eq!(advice.contains("not the server's doing"), are_local(&errors), "{errno:?}");
        }
        assert_eq!(advice_on(&OsErrors::default()), None);
    }

    #[test]
    fn a_timeout_of_the_standard_library_is_one() {
        assert_eq!(os_error(&io::ErrorKind::TimedOut.into()).name(), "ETIMEDOUT");
        assert_eq!(os_error(&io::Error::from_raw_os_error(24)).name(), "EMFILE");
    }
}
