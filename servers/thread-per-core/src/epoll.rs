//! The control: a pinned current-thread tokio runtime.

use core_affinity::{CoreId, set_for_current};
use kit::{execute::Inline, start::Error};

use crate::Shard;

/// Serves one shard on the calling thread.
pub(crate) fn serve(shard: Shard) -> Result<(), Error> {
    let Shard { index, cpu, listener, max_connections, site, ready } = shard;
    if let Some(id) = cpu
        && !set_for_current(CoreId { id })
    {
        return Err(Error::Failed(format!(
            "executor t{index} cannot be pinned to CPU {id}: use --cpus or --no-pin"
        )));
    }
    kit_tokio::front::current_thread(site, listener, max_connections, Inline, || ready.report(index))?;
    Ok(())
}
