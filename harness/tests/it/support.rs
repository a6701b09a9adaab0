//! What the tests of real processes share.

use std::{
    ffi::OsString,
    process::{Child, Output},
    sync::mpsc::channel,
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

/// The command that guards a process: the harness, under a hidden name.
pub(crate) fn harness_guard() -> Vec<OsString> {
    vec![env!("CARGO_BIN_EXE_harness").into(), "guard".into(), "--".into()]
}

/// Waits for a child, and fails the test rather than wait for ever.
pub(crate) fn finish(child: Child, patience: Duration) -> Output {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    let (sender, receiver) = channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    match receiver.recv_timeout(patience) {
        Ok(output) => output.unwrap(),
        Err(_) => {
            let _gone = kill_process(pid, Signal::KILL);
            panic!("the harness did not end within {patience:?}");
        }
    }
}
