//! What compio needs of io_uring: without it, its driver would do the work on threads, or panic.

use io_uring::opcode;
use kit::start::Error;
use kit_io_uring::Needs;

/// A wait with a timeout of its own came with Linux 5.11 and the poll that goes on, by which other threads wake an executor, with
/// 5.13; so did the tags of resources, by which the latter is told. No memory is locked.
pub(crate) const COMPIO: Needs = Needs {
    kernel: "5.13",
    operations: &[
        opcode::Accept::CODE,
        opcode::AsyncCancel::CODE,
        opcode::PollAdd::CODE,
        opcode::Recv::CODE,
        opcode::Send::CODE,
    ],
    is_enough: |ring| ring.is_feature_ext_arg() && ring.is_feature_resource_tagging(),
    locked_memory_bytes: 0,
};

/// Fails where no executor could start, before one is tried.
///
/// # Errors
/// What is missing, and which setting provides it.
pub fn check() -> Result<(), Error> {
    COMPIO.check()
}
