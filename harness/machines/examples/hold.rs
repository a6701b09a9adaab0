//! Makes a site, says which processes of this machine hold its hosts, and waits to be ended: for the test of what is left then.

use std::io::Write as _;

use machines::Site;

fn main() -> anyhow::Result<()> {
    let site = Site::new()?;
    let pids = site.all().map(|machine| machine.pid().to_string());
    let mut out = std::io::stdout();
    writeln!(out, "{}", pids.join(" "))?;
    out.flush()?;
    loop {
        std::thread::park();
    }
}
