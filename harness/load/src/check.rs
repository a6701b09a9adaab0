//! Whether an answer is the right one.
//!
//! The generator knows no application: it asks a [`Check`] that the caller supplies.

use std::borrow::Cow;

/// Why an answer is not the expected one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The status is not the expected one; it is counted by its class.
    #[error("unexpected status")]
    Status,
    /// The status is right and the answer is not.
    #[error("wrong answer: {0}")]
    Answer(Cow<'static, str>),
}

impl Mismatch {
    /// An answer that is wrong for a reason known beforehand.
    pub fn answer(reason: &'static str) -> Self {
        Self::Answer(Cow::Borrowed(reason))
    }
}

/// Judges the answers to one request. Called for every answer on the engine's own threads, so it should neither
/// allocate nor block while answers are right.
pub trait Check: Send + Sync {
    /// Judges one answer by its final status and its whole content, transfer coding removed.
    ///
    /// # Errors
    /// The answer is not the expected one.
    fn check(&self, status: u16, body: &[u8]) -> Result<(), Mismatch>;

    /// Whether the status is the expected one: what is asked of answers whose content is not compared.
    fn accepts(&self, status: u16) -> bool {
        (200..300).contains(&status)
    }

    /// What is to be done with content that does not come in one piece, so that none of it need be kept that is not needed.
    fn content(&self) -> Content<'_> {
        Content::Gathered { most: MOST_GATHERED }
    }
}

/// What is done with content that does not come in one piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// Nothing is asked of it: [`Check::check`] is given whatever is left of it.
    Any,
    /// It must be these bytes, and the status one that [`Check::accepts`]. They are compared as they come.
    Bytes(&'a [u8]),
    /// It is gathered for [`Check::check`]. Content that is longer than so many bytes is none that could be right.
    Gathered {
        /// How many, at most.
        most: usize,
    },
}

/// What a check is gathered that does not say how much it needs.
const MOST_GATHERED: usize = 1024 * 1024;

impl<F> Check for F
where
    F: Fn(u16, &[u8]) -> Result<(), Mismatch> + Send + Sync,
{
    fn check(&self, status: u16, body: &[u8]) -> Result<(), Mismatch> {
        self(status, body)
    }
}

/// Any answer of class 2xx is right.
#[derive(Clone, Copy, Debug)]
pub struct AnySuccess;

impl Check for AnySuccess {
    fn check(&self, status: u16, _body: &[u8]) -> Result<(), Mismatch> {
        if self.accepts(status) { Ok(()) } else { Err(Mismatch::Status) }
    }

    fn content(&self) -> Content<'_> {
        Content::Any
    }
}

/// One status and the same bytes every time.
#[derive(Clone, Debug)]
pub struct Exactly {
    /// The status.
    pub status: u16,
    /// The content.
    pub body: Vec<u8>,
}

impl Check for Exactly {
    fn check(&self, status: u16, body: &[u8]) -> Result<(), Mismatch> {
        if status != self.status {
            Err(Mismatch::Status)
        } else if body != self.body {
            Err(OTHER_BYTES)
        } else {
            Ok(())
        }
    }

    fn accepts(&self, status: u16) -> bool {
        status == self.status
    }

    fn content(&self) -> Content<'_> {
        Content::Bytes(&self.body)
    }
}

/// What is wrong with content that is not the same byte for byte.
pub(crate) const OTHER_BYTES: Mismatch = Mismatch::Answer(Cow::Borrowed("other bytes than expected"));
