//! Faults on purpose: what a test asks a server to do to itself by `POST /fault?kind=`.
//!
//! A fault is an [`Operation`](crate::Operation), so that it happens where the architecture runs its CPU-bound ones, and shows
//! what one that goes wrong there costs everybody else. Servers do this only where they were told to ([`Faults::On`]); else
//! the path is unknown like any other. No list names it: neither the index, nor `/openapi.yaml`, nor `OPTIONS *`.

use std::{fmt, hint::black_box, process::abort, thread};

use crate::method::Method;
use crate::query;
use crate::rejection::Rejection;

/// Where faults are asked for.
const PATH: &str = "/fault";

/// The value of that path's `Allow` header. Not GET: what follows links must not end a server.
const ALLOW: &str = "POST, OPTIONS";

/// Whether a server commits faults when it is asked to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Faults {
    /// There is no such path: what every server is that nobody tests.
    #[default]
    Off,
    /// It does, for any client.
    On,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// It panics, which unwinds to whoever catches it.
    Panic,
    /// It ends the process by SIGABRT.
    Abort,
    /// It calls itself until the stack of its thread, or coroutine, is full, and touches the guard page below it. What that
    /// ends is for whoever made the stack to say; on a thread it is the process, by SIGABRT (which Rust raises when it has said why) or SIGSEGV.
    ///
    /// A stack without a bound (the main thread's under `ulimit -s unlimited`) would first fill the memory. So where 256 MiB
    /// were not enough, it ends the process by SIGABRT.
    Overflow,
    /// It never ends. It holds its executor and no CPU, as a thread that waits for a lock which nobody gives back.
    Hang,
}

/// What one call of the recursion takes of the stack, bytes: 128 of them fill the usual 8 MiB of a main thread.
const FRAME_BYTES: usize = 64 << 10;

/// How many calls there are at most, which touch 256 MiB: 32 times a main thread's usual stack, and no danger to the machine.
const MOST_FRAMES: usize = (256 << 20) / FRAME_BYTES;

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 4] = [Self::Panic, Self::Abort, Self::Overflow, Self::Hang];

    /// Their names, in the same order.
    const NAMES: [&'static str; 4] = ["panic", "abort", "overflow", "hang"];

    /// The target that asks for it, by POST.
    ///
    /// ```
    /// assert_eq!(app::Fault::Abort.target(), "/fault?kind=abort");
    /// ```
    pub fn target(self) -> String {
        format!("{PATH}?kind={self}")
    }

    /// Does it, to the calling thread or to the whole process.
    ///
    /// # Panics
    /// That is one of them.
    pub(crate) fn commit(self) -> ! {
        match self {
            Self::Panic => panic!("a client asked for this panic (POST {PATH})"),
            Self::Abort => abort(),
            Self::Overflow => {
                black_box(descend(MOST_FRAMES));
                abort()
            }
            Self::Hang => loop {
                // Somebody else's wake-up is no end of it.
                thread::park();
            },
        }
    }
}

/// Calls itself `left` more times. No optimiser can make a loop of it: each call's frame is written before and read after the next.
#[inline(never)]
fn descend(left: usize) -> u8 {
    let mut frame = [0_u8; FRAME_BYTES];
    black_box(&mut frame);
    let below = if left == 0 { 0 } else { descend(left - 1) };
    black_box(&frame)[left % FRAME_BYTES].wrapping_add(below)
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(Self::NAMES[*self as usize])
    }
}

/// What a request for faults asks for, where these are on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Fault(Fault),
    Options { allow: &'static str },
}

/// Understands a request for a path that is no endpoint's.
#[cold]
pub(crate) fn asked(
    method: Method,
    path: &str,
    query: Option<&str>,
    faults: Faults,
) -> Result<Asked, Rejection> {
    if faults == Faults::Off || path != PATH {
        return Err(Rejection::NotFound);
    }
    match method {
        Method::Options => Ok(Asked::Options { allow: ALLOW }),
        Method::Post => {
            query::word(query, "kind", &Fault::NAMES).map(|position| Asked::Fault(Fault::ALL[position]))
        }
        _ => Err(Rejection::MethodNotAllowed { allow: ALLOW }),
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;
    use crate::{ALLOW_ANY, Endpoint, OPENAPI, Operation, Request, index_body, route, route_with};

    fn on(method: &str, query: Option<&str>) -> Result<Request, Rejection> {
        route_with(method, PATH, query, Faults::On)
    }

    #[test]
    fn where_faults_are_off_the_path_is_as_unknown_as_any_other() {
        for method in ["GET", "HEAD", "POST", "OPTIONS", "DELETE"] {
            for query in [None, Some("kind=panic"), Some("kind=none")] {
                assert_eq!(route(method, PATH, query), Err(Rejection::NotFound), "{method} {query:?}");
            }
        }
    }

    #[test]
    fn nothing_that_lists_endpoints_names_it_and_what_is_one_is_routed_the_same() {
        assert!(!String::from_utf8(index_body()).unwrap().contains(PATH));
        assert!(!OPENAPI.contains(PATH));
        for endpoint in Endpoint::ALL {
            assert!(!endpoint.paths().contains(&PATH));
            for method in ["GET", "POST", "OPTIONS", "BREW"] {
                let path = endpoint.paths()[0];
                assert_eq!(route_with(method, path, None, Faults::On), route(method, path, None));
            }
        }
        let any = Ok(Request::Options { allow: ALLOW_ANY });
        assert_eq!(route_with("OPTIONS", "*", None, Faults::On), any);
        for path in ["/fault/", "/Fault", "/faults", "fault", "*"] {
            assert_eq!(route_with("POST", path, Some("kind=abort"), Faults::On), Err(Rejection::NotFound));
        }
    }

    #[test]
    fn where_they_are_on_a_post_asks_for_one_and_no_other_method_does() {
        for fault in Fault::ALL {
            let target = fault.target();
            let (path, query) = target.split_once('?').unwrap();
            let asked = Ok(Request::Operation(Operation::Fault(fault)));
            assert_eq!(route_with("POST", path, Some(query), Faults::On), asked);
        }
        for method in ["GET", "HEAD", "PUT", "QUERY"] {
            let refused = Err(Rejection::MethodNotAllowed { allow: "POST, OPTIONS" });
            assert_eq!(on(method, Some("kind=abort")), refused, "{method}");
        }
        assert_eq!(on("OPTIONS", None), Ok(Request::Options { allow: "POST, OPTIONS" }));
        assert_eq!(on("BREW", Some("kind=abort")), Err(Rejection::NotImplemented));
    }

    #[test]
    fn a_wrong_or_missing_kind_is_refused_with_those_that_there_are() {
        let refusal = |query| {
            let rejection = on("POST", query).unwrap_err();
            assert_eq!(rejection.status(), 400, "{query:?}");
            String::from_utf8(rejection.body()).unwrap()
        };
        assert_eq!(
            refusal(None),
            r#"{"error":"bad parameter kind: expected one of panic, abort, overflow, hang, but it is missing","parameter":"kind","expected":"one of panic, abort, overflow, hang"}"#
        );
        for query in
            ["", "&", "kind", "kind=", "kind=Panic", "kind=panic%20", "kind=exit", "kind=panic=abort"]
        {
            let body = refusal(Some(query));
            assert!(body.contains(r#""expected":"one of panic, abort, overflow, hang""#), "{query}: {body}");
        }
        assert!(refusal(Some("kind=abort&kind=abort")).contains("only once"));
        assert!(refusal(Some("kind=abort&now=1")).contains("only kind"));
    }

    #[test]
    fn a_panic_is_the_operations_and_says_who_wanted_it() {
        let panic = catch_unwind(|| Operation::Fault(Fault::Panic).run()).unwrap_err();
        assert!(panic.downcast_ref::<String>().unwrap().contains("POST /fault"));
        let parts = Operation::Fault(Fault::Panic).split(8);
        assert_eq!(parts.len(), 1, "it happens once");
        assert!(catch_unwind(|| parts[0].run()).is_err());
    }

    #[test]
    fn the_recursion_uses_as_much_stack_as_it_says() {
        const CALLS: usize = 100;
        let room = (CALLS + 1) * FRAME_BYTES;
        // Enough for that many calls, and a quarter more for what else is on the stack.
        let deep = thread::Builder::new().stack_size(2 * room + room / 4).spawn(|| descend(CALLS)).unwrap();
        assert_eq!(deep.join().unwrap(), 0);
    }
}
