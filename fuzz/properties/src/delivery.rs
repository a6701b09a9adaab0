//! How bytes reach a reader, as a part of the input, so that a fuzzer makes that up as well.
//!
//! An input begins with a byte of flags (each property has its own), one for the number of cuts, and the cuts; what
//! follows is delivered. A cut says how long the next piece is (1 to 128 bytes, from its low seven bits), and whether the
//! reader must wait before it (the highest bit). What the cuts leave over is one piece. Two zero bytes before plain bytes
//! deliver them whole.

/// What is delivered, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery<'a> {
    /// What the property makes of it.
    pub flags: u8,
    /// The pieces but the last.
    pub cuts: &'a [u8],
    /// What is delivered.
    pub bytes: &'a [u8],
}

/// One piece of a [`Delivery`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// The bytes; empty only for the last, and only where nothing is left for it.
    pub bytes: &'a [u8],
    /// Whether the reader waits before they come.
    pub awaited: bool,
}

impl<'a> Delivery<'a> {
    /// Reads an input. What is missing of it counts as zero.
    pub fn parse(input: &'a [u8]) -> Self {
        let (flags, rest) = input.split_first().map_or((0, input), |(flags, rest)| (*flags, rest));
        let (count, rest) = rest.split_first().map_or((0, rest), |(count, rest)| (usize::from(*count), rest));
        let (cuts, bytes) = rest.split_at(count.min(rest.len()));
        Self { flags, cuts, bytes }
    }

    /// The same bytes in one piece.
    #[must_use]
    pub fn whole(self) -> Self {
        Self { cuts: &[], ..self }
    }

    /// The input that [`Delivery::parse`] reads as this; only the first 255 cuts.
    pub fn input(self) -> Vec<u8> {
        let cuts = &self.cuts[..self.cuts.len().min(255)];
        let mut input = vec![self.flags, cuts.len() as u8];
        input.extend_from_slice(cuts);
        input.extend_from_slice(self.bytes);
        input
    }

    /// The pieces, one after the other.
    pub fn pieces(self) -> Pieces<'a> {
        Pieces { cuts: self.cuts, rest: Some(self.bytes) }
    }
}

/// An iterator over the pieces of a [`Delivery`]; their bytes, joined, are the delivery's.
#[derive(Clone, Debug)]
pub struct Pieces<'a> {
    cuts: &'a [u8],
    rest: Option<&'a [u8]>,
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        let rest = self.rest?;
        match self.cuts.split_first() {
            Some((&cut, cuts)) if !rest.is_empty() => {
                let (bytes, rest) = rest.split_at((usize::from(cut & 0x7f) + 1).min(rest.len()));
                (self.cuts, self.rest) = (cuts, Some(rest));
                Some(Piece { bytes, awaited: cut & 0x80 != 0 })
            }
            _ => {
                self.rest = None;
                Some(Piece { bytes: rest, awaited: false })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cuts_say_how_long_pieces_are_and_which_are_awaited() {
        let delivery = Delivery::parse(b"\x07\x02\x00\x81abcd");
        assert_eq!(delivery, Delivery { flags: 7, cuts: &[0, 0x81], bytes: b"abcd" });
        let pieces: Vec<_> = delivery.pieces().map(|piece| (piece.bytes, piece.awaited)).collect();
        assert_eq!(pieces, [(&b"a"[..], false), (b"bc", true), (b"d", false)]);
        assert_eq!(delivery.whole().pieces().count(), 1);
    }

    proptest! {
        #[test]
        fn pieces_are_the_bytes_and_an_input_reads_as_what_it_was_made_of(input: Vec<u8>) {
            let delivery = Delivery::parse(&input);
            let joined: Vec<u8> = delivery.pieces().flat_map(|piece| piece.bytes).copied().collect();
            prop_assert_eq!(&joined, delivery.bytes);
            let made = delivery.input();
            prop_assert_eq!(Delivery::parse(&made), delivery);
        }
    }
}
