//! Prints how many CPUs this process may use, line by line: what the mask, the cgroups' quota and both together allow, what
//! the standard library says, and whether there may be a quota that cannot be seen.

#![expect(clippy::disallowed_macros, reason = "what it prints is what it is for")]

use host::{
    cpus::{CpuSet, default_workers},
    quota::{Quota, Unseen},
};

fn main() -> std::io::Result<()> {
    println!("mask {}", CpuSet::allowed()?.len());
    println!(
        "quota {}",
        Quota::of_this_process().map_or_else(|| "none".to_owned(), |quota| quota.to_string())
    );
    println!("workers {}", default_workers());
    println!("standard library {}", std::thread::available_parallelism()?);
    if let Some(unseen) = Unseen::of_this_process() {
        println!("unseen: {unseen}");
    }
    Ok(())
}
