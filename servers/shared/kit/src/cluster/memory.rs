//! Memory that processes share: made by one, handed on as a descriptor, mapped by each.
//!
//! A memfd of a fixed size. It is sealed against shrinking, so that no process can cut the others off what they have mapped,
//! which would end them by SIGBUS.

use std::{
    io,
    ops::Deref,
    os::fd::{AsRawFd, OwnedFd},
};

use memmap2::{MmapMut, MmapOptions, MmapRaw};
use rustix::{
    fs::{
        FallocateFlags, MemfdFlags, SealFlags, fallocate, fcntl_add_seals, fcntl_get_seals, fstat, ftruncate,
        memfd_create,
    },
    io::{Errno, retry_on_intr},
};

use super::layout::{BYTES, Layout};

/// The memory, in this process.
pub(super) struct Memory {
    map: MmapRaw,
    /// None where it is this process's alone.
    descriptor: Option<OwnedFd>,
}

impl Memory {
    /// New memory, all zeros and none of it reserved, and a descriptor to hand to others.
    pub(super) fn create() -> io::Result<(Self, OwnedFd)> {
        let descriptor = create().map_err(context("make memory to be shared (memfd_create)"))?;
        ftruncate(&descriptor, BYTES)
            .map_err(context("give shared memory its size, which `ulimit -f` bounds (ftruncate)"))?;
        let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
        fcntl_add_seals(&descriptor, seals).map_err(context("seal shared memory (fcntl)"))?;
        let handle = descriptor.try_clone().map_err(context("duplicate the descriptor of shared memory"))?;
        Ok((Self::map(descriptor)?, handle))
    }

    /// Memory of this process alone.
    pub(super) fn unshared() -> io::Result<Self> {
        let map = MmapMut::map_anon(size_of::<Layout>()).map_err(context("map memory (mmap)"))?;
        Ok(Self { map: map.into(), descriptor: None })
    }

    /// Memory that another process has made.
    pub(super) fn open(descriptor: OwnedFd) -> io::Result<Self> {
        let seals = fcntl_get_seals(&descriptor)
            .map_err(context("read the seals of what was handed over as shared memory (fcntl)"))?;
        if !seals.contains(SealFlags::SHRINK) {
            return Err(invalid("what was handed over as shared memory could be shrunk"));
        }
        let size = fstat(&descriptor).map_err(context("read the size of shared memory (fstat)"))?.st_size;
        if u64::try_from(size) != Ok(BYTES) {
            return Err(invalid(format!(
                "the shared memory has {size} bytes where this program expects {BYTES}: its primary is another version, and is to be \
                 restarted"
            )));
        }
        Self::map(descriptor)
    }

    fn map(descriptor: OwnedFd) -> io::Result<Self> {
        let map = MmapOptions::new().len(size_of::<Layout>()).map_raw(descriptor.as_raw_fd());
        Ok(Self { map: map.map_err(context("map shared memory (mmap)"))?, descriptor: Some(descriptor) })
    }

    /// Sees to it that the bytes from `start` to `end` are there, so that whoever uses them first is not ended for want of
    /// memory.
    pub(super) fn reserve(&self, start: u64, end: u64) -> io::Result<()> {
        let Some(descriptor) = &self.descriptor else { return Ok(()) };
        match retry_on_intr(|| fallocate(descriptor, FallocateFlags::empty(), start, end - start)) {
            // Where it cannot be said beforehand, the first use will show: as of all other memory.
            Ok(()) | Err(Errno::NOSYS | Errno::OPNOTSUPP) => Ok(()),
            Err(errno) => Err(context("reserve shared memory (fallocate)")(errno)),
        }
    }
}

impl Deref for Memory {
    type Target = Layout;

    #[expect(unsafe_code, reason = "mapped memory is had by its address alone")]
    fn deref(&self) -> &Layout {
        // SAFETY: the mapping has the size of a `Layout`, begins at a page, which is its alignment, may be read and written,
        // and is there as long as `self`. Shared memory cannot become shorter: `create` has sealed it, and `open` has looked.
        // A `Layout` is atomic integers throughout: every pattern of bits is one, and other threads and processes may change
        // them at any time.
        unsafe { &*self.map.as_ptr().cast::<Layout>() }
    }
}

fn create() -> Result<OwnedFd, Errno> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Never to be run as a program: with vm.memfd_noexec=2 only this is granted. Kernels before 6.3 do not know it.
    match memfd_create("cluster", flags | MemfdFlags::NOEXEC_SEAL) {
        Err(Errno::INVAL) => memfd_create("cluster", flags),
        created => created,
    }
}

/// An error that says what was tried, of the kind that the system's has.
fn context<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> io::Error {
    move |error| {
        let error = error.into();
        io::Error::new(error.kind(), format!("{what}: {error}"))
    }
}

pub(super) fn invalid(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}
