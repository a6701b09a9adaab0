//! What glommio needs of io_uring: it panics, or ends the process, where that is not there.

use io_uring::opcode;
use kit::start::Error;
use kit_io_uring::Needs;

/// The youngest of the operations that it demands came with Linux 5.6, and it asks for 5.8 itself. It starts no executor under a
/// lower limit of locked memory, whoever the user is (0.9.0, `Reactor::new`).
pub(crate) const GLOMMIO: Needs = Needs {
    kernel: "5.8",
    operations: &[opcode::Recv::CODE, opcode::Statx::CODE],
    is_enough: |_| true,
    locked_memory_bytes: 512 << 10,
};

/// Fails where no executor could start, before one is tried. Raises the soft limit of locked memory to the hard one if that
/// is what it takes.
///
/// # Errors
/// What is missing, and which setting provides it.
pub fn check() -> Result<(), Error> {
    GLOMMIO.check()
}
