//! One allocator for every row: what a request costs must not depend on which allocator its server chose.

use std::alloc::{GlobalAlloc, Layout};

use mimalloc::MiMalloc;

use crate::failure;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

/// Does without transparent huge pages, from now on and in what this process starts. With them, one page in use of a buffer makes 2 MiB
/// around it resident: ten thousand idle connections held twice the memory, and how much depended on the kernel's mood
/// (METHODOLOGY.md, "Idle connections").
pub(crate) fn keep_pages_small() -> std::io::Result<()> {
    Ok(rustix::thread::disable_transparent_huge_pages(true)?)
}

/// What the allocator touches first is huge already when `main` begins, and stays so: 4 MiB of a process that needs one.
#[used]
#[expect(unsafe_code, reason = "nothing else runs before the first allocation")]
// SAFETY: the linker calls what this section holds before `main`, as functions without arguments and result, in the order of their numbers.
#[unsafe(link_section = ".init_array.00001")]
static BEFORE_MAIN: extern "C" fn() = before_main;

/// One system call, of which `main` tells if it fails.
extern "C" fn before_main() {
    let _ = keep_pages_small();
}

/// mimalloc; that there is no memory is told like any other limit ([`failure`]).
struct Allocator;

impl Allocator {
    #[inline]
    fn or_failure(got: *mut u8) -> *mut u8 {
        if got.is_null() {
            refused();
        }
        got
    }
}

#[cold]
fn refused() {
    failure::out_of_memory();
}

#[expect(unsafe_code, reason = "an allocator is an unsafe trait")]
// SAFETY: every call is mimalloc's, with what it was given and to the end, and what it returns is returned.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is passed on.
        Self::or_failure(unsafe { MiMalloc.alloc(layout) })
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is passed on.
        Self::or_failure(unsafe { MiMalloc.alloc_zeroed(layout) })
    }

    #[inline]
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // SAFETY: the caller's promise is passed on.
        Self::or_failure(unsafe { MiMalloc.realloc(pointer, layout, bytes) })
    }

    #[inline]
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { MiMalloc.dealloc(pointer, layout) }
    }
}
