//! What becomes of content that does not come in one piece: it is judged as it comes, and no more of it is kept than its check
//! needs. So an answer costs the same memory however long it is.

use crate::check::{Check, Content, Mismatch, OTHER_BYTES};

/// What is kept of content that need not be kept: enough to recognise an error page.
pub(crate) const EXCERPT_BYTES: usize = 200;

/// The judgement of one answer after the other, each while it comes.
#[derive(Debug, Default)]
pub(crate) struct Judging {
    under_way: Option<Comparison>,
    /// The content's start: an excerpt, or as much as is gathered. The memory stays from answer to answer.
    kept: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Comparison {
    /// Whether the content is compared with the expected one at all.
    is_wanted: bool,
    /// How much of it has come.
    bytes: u64,
    /// It is not what is expected, whatever is still to come.
    differs: bool,
}

impl Judging {
    /// The answer under way, if there is one, is given up.
    pub(crate) fn reset(&mut self) {
        self.under_way = None;
        self.kept.clear();
    }

    /// Takes the next piece of an answer's content. `is_wanted` says of its first piece whether the content is compared.
    pub(crate) fn take(&mut self, check: &dyn Check, piece: &[u8], is_wanted: impl FnOnce() -> bool) {
        if self.under_way.is_none() {
            self.kept.clear();
        }
        let begin = || Comparison { is_wanted: is_wanted(), bytes: 0, differs: false };
        let judged = self.under_way.get_or_insert_with(begin);
        let content = if judged.is_wanted { check.content() } else { Content::Any };
        let most = match content {
            Content::Any => EXCERPT_BYTES,
            Content::Bytes(expected) => {
                judged.differs |= !goes_on_with(expected, judged.bytes, piece);
                EXCERPT_BYTES
            }
            Content::Gathered { most } => {
                judged.differs |= piece.len() as u64 > (most as u64).saturating_sub(judged.bytes);
                most.max(EXCERPT_BYTES)
            }
        };
        let room = most.saturating_sub(self.kept.len());
        self.kept.extend_from_slice(&piece[..piece.len().min(room)]);
        judged.bytes += piece.len() as u64;
    }

    /// The answer is complete: what was found of it, and whether its content was compared. What is kept of it stays until the
    /// next is taken or [`Judging::reset`].
    pub(crate) fn conclude(&mut self, check: &dyn Check, status: u16) -> (Result<(), Mismatch>, bool) {
        let Some(Comparison { is_wanted, bytes, differs }) = self.under_way.take() else {
            return (check.check(status, b""), true);
        };
        let by_status = || if check.accepts(status) { Ok(()) } else { Err(Mismatch::Status) };
        if !is_wanted {
            return (by_status(), false);
        }
        let result = match check.content() {
            Content::Any => check.check(status, &self.kept),
            Content::Bytes(expected) if differs || bytes != expected.len() as u64 => {
                by_status().and(Err(OTHER_BYTES))
            }
            Content::Bytes(_) => by_status(),
            Content::Gathered { most } if differs => by_status().and_then(|()| {
                let reason = format!("its {bytes} bytes are more than the {most} of any right answer");
                Err(Mismatch::Answer(reason.into()))
            }),
            Content::Gathered { .. } => check.check(status, &self.kept),
        };
        (result, true)
    }

    /// The start of the content.
    pub(crate) fn kept(&self) -> &[u8] {
        &self.kept
    }
}

/// Whether `piece` is what `expected` has from `at` on.
fn goes_on_with(expected: &[u8], at: u64, piece: &[u8]) -> bool {
    let from = usize::try_from(at).ok().and_then(|at| expected.get(at..));
    from.is_some_and(|rest| rest.starts_with(piece))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::check::{AnySuccess, Exactly};

    fn judged(
        check: &dyn Check,
        status: u16,
        pieces: &[&[u8]],
        is_wanted: bool,
    ) -> (Result<(), Mismatch>, bool) {
        let mut judging = Judging::default();
        pieces.iter().for_each(|piece| judging.take(check, piece, || is_wanted));
        judging.conclude(check, status)
    }

    #[test]
    fn of_content_that_is_only_compared_an_excerpt_is_kept_however_long_it_is() {
        let body: Vec<u8> = (0..100_000_u32).map(|index| (index % 251) as u8).collect();
        let check = Exactly { status: 200, body: body.clone() };
        let mut judging = Judging::default();
        for round in 0..2 {
            for piece in body.chunks(7_000) {
                judging.take(&check, piece, || true);
                assert!(judging.kept.capacity() < 8 * EXCERPT_BYTES, "{}", judging.kept.capacity());
            }
            assert_eq!(judging.conclude(&check, 200), (Ok(()), true), "round {round}");
            assert_eq!(judging.kept(), &body[..EXCERPT_BYTES]);
            judging.reset();
        }
    }

    #[test]
    fn content_that_is_too_long_to_be_right_is_wrong_and_not_kept() {
        struct Short;
        impl Check for Short {
            fn check(&self, _status: u16, body: &[u8]) -> Result<(), Mismatch> {
                if body == b"right" { Ok(()) } else { Err(Mismatch::answer("not right")) }
            }
            fn content(&self) -> Content<'_> {
                Content::Gathered { most: 300 }
            }
        }
        assert_eq!(judged(&Short, 200, &[b"ri", b"ght"], true), (Ok(()), true));
        assert_eq!(judged(&Short, 200, &[b"wr", b"ong"], true), (Err(Mismatch::answer("not right")), true));
        let long = [&[b'x'; 250][..]; 3];
        let (result, _) = judged(&Short, 200, &long, true);
        let reason = "wrong answer: its 750 bytes are more than the 300 of any right answer";
        assert_eq!(result.expect_err("too long").to_string(), reason);
        assert_eq!(judged(&Short, 500, &long, true), (Err(Mismatch::Status), true));
        let mut judging = Judging::default();
        (0..1_000).for_each(|_| judging.take(&Short, &[b'x'; 1_000], || true));
        assert!(judging.kept.capacity() < 2_000, "{}", judging.kept.capacity());
    }

    #[test]
    fn where_content_is_not_compared_the_status_decides() {
        let exactly = Exactly { status: 200, body: b"right".to_vec() };
        assert_eq!(judged(&exactly, 200, &[b"wr", b"ong"], false), (Ok(()), false));
        assert_eq!(judged(&exactly, 404, &[b"wr", b"ong"], false), (Err(Mismatch::Status), false));
        assert_eq!(judged(&AnySuccess, 204, &[b"a", b"b"], true), (Ok(()), true));
        assert_eq!(judged(&AnySuccess, 500, &[b"a", b"b"], true), (Err(Mismatch::Status), true));
    }

    proptest! {
        #[test]
        fn in_pieces_or_in_one_the_judgement_is_the_same(
            expected in prop::collection::vec(0_u8..3, 0..30), body in prop::collection::vec(0_u8..3, 1..30),
            same in any::<bool>(), size in 1_usize..10, status in prop::sample::select(vec![200_u16, 404]),
        ) {
            let body = if same && !expected.is_empty() { expected.clone() } else { body };
            let exactly = Exactly { status: 200, body: expected.clone() };
            let gathered = |status: u16, body: &[u8]| exactly.check(status, body);
            let pieces: Vec<&[u8]> = body.chunks(size).collect();
            prop_assert_eq!(judged(&exactly, status, &pieces, true), (exactly.check(status, &body), true));
            prop_assert_eq!(judged(&gathered, status, &pieces, true), (exactly.check(status, &body), true));
        }
    }
}
