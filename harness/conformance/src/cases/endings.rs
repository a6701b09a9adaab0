//! Clients that end their sending half: what came whole before it is answered ([`crate::half_closed`]).

use crate::{
    case::{Case, Step, code, must},
    half_closed::{SHAPES, Shape},
    verdict::Level,
};

pub(crate) fn cases() -> Vec<Case> {
    let of = |&shape: &Shape| {
        code(shape.name, Level::Must, "contract", move |context| shape.judge(context)).unrepeatable()
    };
    let mut cases: Vec<Case> = SHAPES.iter().map(of).collect();
    cases.push(must(
        "a client that has finished sending before its first byte is let go without an answer",
        "contract",
        vec![Step::FinishSending, Step::Closes],
    ));
    cases
}
