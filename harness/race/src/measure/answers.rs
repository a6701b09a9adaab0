//! What judges answers: the application's expectations as the generator's checks. Only this module, and what drives
//! windows, knows both.

use std::sync::Arc;

use app::{Expectation, Operation};
use load::{AnySuccess, Check, Content, Exactly, Mismatch};

/// Status 200 and the operation's right answer.
#[derive(Clone, Debug)]
pub struct RightAnswer(Expectation);

impl RightAnswer {
    /// Works the right answer out.
    pub fn to(operation: &Operation) -> Self {
        Self(Expectation::of(operation))
    }
}

impl Check for RightAnswer {
    fn check(&self, status: u16, body: &[u8]) -> Result<(), Mismatch> {
        if status != 200 {
            return Err(Mismatch::Status);
        }
        self.0.matches(body).map_err(|reason| Mismatch::Answer(reason.into()))
    }

    fn accepts(&self, status: u16) -> bool {
        status == 200
    }

    fn content(&self) -> Content<'_> {
        Content::Gathered { most: LONGEST_ANSWER_BYTES }
    }
}

/// The longest right answer names a thousand numbers with their counts, each in 17 bytes; the rest is for whoever writes each on a
/// line of its own.
const LONGEST_ANSWER_BYTES: usize = 64 * 1024;

/// One status, whatever the content.
#[derive(Clone, Copy, Debug)]
pub struct StatusIs(pub u16);

impl Check for StatusIs {
    fn check(&self, status: u16, _body: &[u8]) -> Result<(), Mismatch> {
        if self.accepts(status) { Ok(()) } else { Err(Mismatch::Status) }
    }

    fn accepts(&self, status: u16) -> bool {
        status == self.0
    }

    fn content(&self) -> Content<'_> {
        Content::Any
    }
}

/// How the answers to a request are judged.
#[derive(Clone)]
pub struct Judged {
    /// What judges them.
    pub check: Arc<dyn Check>,
    /// What it expects, for people: `the right answer of /simple`.
    pub expects: String,
}

/// What a person said of the right answer.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// Its status.
    pub status: Option<u16>,
    /// Its content.
    pub body: Option<Vec<u8>>,
}

/// How to judge the answers to `method` `target` with `body`: by what the person expects; else, where the target is one
/// of the application's endpoints, by its answer; else by the status alone.
pub fn judged(expected: &Expected, method: &str, target: &str, body: &[u8]) -> Judged {
    match (expected.status, &expected.body) {
        (status, Some(body)) => {
            let status = status.unwrap_or(200);
            let exactly = Exactly { status, body: body.clone() };
            Judged {
                check: Arc::new(exactly),
                expects: format!("status {status} with the {} bytes given", body.len()),
            }
        }
        (Some(status), None) => {
            Judged { check: Arc::new(StatusIs(status)), expects: format!("status {status}") }
        }
        (None, None) => of_application(method, target, body).unwrap_or_else(|| Judged {
            check: Arc::new(AnySuccess),
            expects: "any status of class 2xx".to_owned(),
        }),
    }
}

/// `None` where the application has no such endpoint, refuses the request, or gives answers that nobody can foresee.
fn of_application(method: &str, target: &str, body: &[u8]) -> Option<Judged> {
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let check: Arc<dyn Check> = match app::route(method, path, query).ok()? {
        // HEAD has the status of GET and nothing to check beside it.
        app::Request::Operation(_) if method == "HEAD" => Arc::new(StatusIs(200)),
        app::Request::Operation(operation) => Arc::new(RightAnswer::to(&operation)),
        app::Request::Echo if method == "POST" => Arc::new(Exactly { status: 200, body: body.to_owned() }),
        _ => return None,
    };
    Some(Judged { check, expects: format!("the right answer of {path}") })
}

/// A query in which the numbers that the application reads are written out: `iterations=1e6` is `iterations=1000000`,
/// since servers parse digits. Only parameters of the application's own endpoints: elsewhere `1e6` may be a name.
pub fn written_out(target: &str) -> String {
    let Some((path, query)) = target.split_once('?') else { return target.to_owned() };
    let Some(endpoint) = app::Endpoint::of(path) else { return target.to_owned() };
    let pairs = query.split('&').map(|pair| {
        let written = pair.split_once('=').and_then(|(name, value)| {
            endpoint.parameters().iter().find(|parameter| parameter.name == name)?;
            whole_number(value).map(|digits| format!("{name}={digits}"))
        });
        written.unwrap_or_else(|| pair.to_owned())
    });
    format!("{path}?{}", pairs.collect::<Vec<_>>().join("&"))
}

/// The digits of a whole number written with an exponent or underscores: `1e6`, `2.5e3`, `1_000`.
fn whole_number(text: &str) -> Option<String> {
    let text = text.replace('_', "");
    if !text.bytes().all(|byte| byte.is_ascii_digit() || b".eE+".contains(&byte)) {
        return None;
    }
    /// Up to here every whole number is a float of its own.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let number: f64 = text.parse().ok()?;
    (number.fract() == 0.0 && number <= EXACT).then(|| format!("{number:.0}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(method: &str, target: &str, status: u16, answer: &[u8]) -> Result<(), Mismatch> {
        judged(&Expected::default(), method, target, b"sent").check.check(status, answer)
    }

    #[test]
    fn an_endpoint_of_the_application_is_held_to_its_answer() {
        let simple = br#"{"origin":"a","worker":"t0","payload":499500}"#;
        assert_eq!(verdict("GET", "/simple", 200, simple), Ok(()));
        assert!(matches!(verdict("GET", "/complex?iterations=9", 200, simple), Err(Mismatch::Answer(_))));
        assert_eq!(verdict("GET", "/simple", 500, simple), Err(Mismatch::Status));
        assert!(!judged(&Expected::default(), "GET", "/simple", b"").check.accepts(204));
        assert_eq!(verdict("HEAD", "/simple", 200, b""), Ok(()));
        assert_eq!(verdict("POST", "/echo", 200, b"sent"), Ok(()));
        assert!(verdict("POST", "/echo", 200, b"other").is_err());
    }

    #[test]
    fn the_longest_answer_of_the_application_is_within_what_is_gathered() {
        let many = Operation::Randoms { count: 100_000, seed: u32::MAX };
        let Content::Gathered { most } = RightAnswer::to(&many).content() else { panic!("it is gathered") };
        let body = many.run().body("a-server-with-a-long-name", "p1023 t1023");
        // Each of the thousand counts has three digits more where as many are drawn as may be.
        assert!(body.len() + 3 * 1_000 < most / 3, "{} bytes", body.len());
    }

    #[test]
    fn what_is_not_the_applications_is_judged_by_its_status() {
        for target in ["/", "/healthz", "/elsewhere", "/complex?iterations=many"] {
            assert_eq!(verdict("GET", target, 204, b""), Ok(()), "{target}");
            assert_eq!(verdict("GET", target, 404, b""), Err(Mismatch::Status), "{target}");
        }
    }

    #[test]
    fn what_the_person_expects_goes_first() {
        let expected = Expected { status: Some(404), body: None };
        assert_eq!(judged(&expected, "GET", "/simple", b"").check.check(404, b"gone"), Ok(()));
        let expected = Expected { status: None, body: Some(b"hello".to_vec()) };
        let judged = judged(&expected, "GET", "/simple", b"");
        assert_eq!(judged.check.check(200, b"hello"), Ok(()));
        assert!(judged.check.check(200, b"hullo").is_err());
    }

    #[test]
    fn numbers_with_an_exponent_are_written_out_where_their_meaning_is_known() {
        for (given, written) in [
            ("/complex?iterations=1e6", "/complex?iterations=1000000"),
            ("/operacion-compleja?iterations=2.5e3", "/operacion-compleja?iterations=2500"),
            ("/api/randoms?count=1e3&seed=1_000", "/api/randoms?count=1000&seed=1000"),
            ("/complex?iterations=1.5", "/complex?iterations=1.5"),
            ("/complex?iterations=-1e3", "/complex?iterations=-1e3"),
            ("/complex?iterations=1e300", "/complex?iterations=1e300"),
            ("/complex?iterations=nan", "/complex?iterations=nan"),
            ("/complex?commit=1e6", "/complex?commit=1e6"),
            ("/elsewhere?iterations=1e6", "/elsewhere?iterations=1e6"),
            ("/simple", "/simple"),
        ] {
            assert_eq!(written_out(given), written);
        }
    }
}
