//! Where figures come from, in one line: the command, the day, the code and the host.

use race::records::environment::Environment;
use report::code_span;

/// `` `harness selftest` on 2026-11-21 at revision 1234, on 2 CPUs of AMD EPYC, a virtual machine, Linux 6.18``.
pub(crate) fn line(environment: &Environment) -> String {
    let Environment { command, cpu, kernel, code, started, .. } = environment;
    let revision = code.revision.as_deref().map_or("unknown", |revision| &revision[..revision.len().min(12)]);
    let modified = if code.modified == Some(true) { " with local changes" } else { "" };
    let model = cpu.model.as_deref().unwrap_or("an unknown processor");
    let machine = if cpu.virtual_machine { ", a virtual machine" } else { "" };
    format!(
        "{} on {} at revision {revision}{modified}, on {} CPUs of {model}{machine}, Linux {kernel}",
        code_span(command),
        started.split('T').next().unwrap_or("an unknown day"),
        cpu.allowed.len(),
    )
}
