//! How the counters of a cluster lie in the memory that its processes share.
//!
//! A page of the cluster's own, then one for each place: what the primary says of the place, and the blocks of its two sides,
//! each with one writer. Everything is an atomic number, for which any bits are a value, so that a process can be misled by
//! what another has written, and no more.

use std::sync::atomic::{AtomicU32, AtomicU64};

use app::Endpoint;

use crate::counters::{Block, STATUSES};

/// How many places there can be: as many as `--workers` may say.
pub const PLACES: usize = 1024;

/// How many processes a place may have at a time: the one that serves, and its successor.
pub(super) const SIDES: usize = 2;

/// Counted up where the meaning of the memory changes and its form does not.
const VERSION: u32 = 2;

/// A page, as most machines have them, so that what is reserved for one place is its alone.
const PAGE: usize = 4096;

/// The whole memory. All zeros is that of a cluster without places.
#[repr(C)]
pub(super) struct Layout {
    pub(super) header: Header,
    pub(super) places: [Place; PLACES],
}

/// Written by the primary.
#[repr(C, align(4096))]
pub(super) struct Header {
    /// [`signature`].
    pub(super) signature: AtomicU64,
    /// How many places there are now.
    pub(super) places: AtomicU64,
    /// How many there were at most: the memory of so many is reserved.
    pub(super) places_ever: AtomicU64,
    /// How often a process was put in a place.
    pub(super) occupations: AtomicU64,
}

/// One place's page.
#[repr(C, align(4096))]
pub(super) struct Place {
    /// Written by the primary, as are `restarts`, `lost` and `occupants`.
    pub(super) state: AtomicU32,
    pub(super) restarts: AtomicU64,
    pub(super) lost: AtomicU64,
    pub(super) occupants: [Occupant; SIDES],
    /// Each written by the process on that side.
    pub(super) blocks: [Block; SIDES],
}

/// The process on one side of a place.
#[repr(C)]
pub(super) struct Occupant {
    /// 0 where there is none.
    pub(super) pid: AtomicU32,
    /// Which of the cluster's `occupations` it is: of two the higher is the successor.
    pub(super) turn: AtomicU64,
}

/// Bytes of the memory.
pub(super) const BYTES: u64 = size_of::<Layout>() as u64;

const _: () = assert!(align_of::<Layout>() == PAGE && size_of::<Header>() == PAGE);

/// Bytes of a memory that has `places` places.
pub(super) fn bytes_for(places: usize) -> u64 {
    (size_of::<Header>() + size_of::<Place>() * places) as u64
}

/// Tells this form of the memory from others: a worker is started from the program that is on disk now, which may be another
/// than the primary's. FNV-1a (Fowler, Noll, Vo), 64 bits, of all that the form follows from.
pub(super) fn signature() -> u64 {
    let mut text = format!("counters of a cluster {VERSION} {PLACES} {SIDES} {BYTES} {STATUSES:?}");
    for endpoint in Endpoint::ALL {
        text.push(' ');
        text.push_str(endpoint.name());
    }
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
