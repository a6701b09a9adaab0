//! Prints how many CPUs this process may use, line by line: what the mask, the cgroups' quota and both together allow, and
//! what the standard library says.

#![expect(clippy::disallowed_macros, reason = "what it prints is what it is for")]

use host::{
    cpus::{CpuSet, default_workers},
    quota::Quota,
};

fn main() -> std::io::Result<()> {
    println!("mask {}", CpuSet::allowed()?.len());
    println!(
        "quota {}",
        Quota::of_this_process().map_or_else(|| "none".to_owned(), |quota| quota.to_string())
    );
    println!("workers {}", default_workers());
    println!("standard library {}", std::thread::available_parallelism()?);
    Ok(())
}
