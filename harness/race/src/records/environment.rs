//! The host, the tools and the code that a run was made with, so that its figures can be placed.

use std::{collections::BTreeMap, fs, path::Path};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    generator_host::GeneratorHostRecord,
    host_record::{HostRecord, output},
    server_host::ServerHostRecord,
};
use crate::programs::{start_environment::StartRecord, workspace::Workspace};

pub use super::host_record::{Cpu, boot_id, host_name};

/// Everything about a run that is not a measurement. Unknown is `null`, never left out.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Environment {
    /// When the run began, RFC 3339 with the host's offset.
    pub started: String,
    /// The command line that made it, as a person would type it.
    pub command: String,
    /// The host's name.
    pub host: String,
    /// The processor.
    pub cpu: Cpu,
    /// Memory in all, MiB.
    pub memory_mib: Option<u64>,
    /// Kernel release and version.
    pub kernel: String,
    /// Kernel settings that matter to servers and to timing, by their path below `/proc/sys`.
    pub sysctls: BTreeMap<String, Option<String>>,
    /// Limits of this process, soft value.
    pub limits: BTreeMap<String, Option<String>>,
    /// Whether the programs were built as the tests are, to see that a race works: such figures mean nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rehearsal: bool,
    /// The code that was measured.
    pub code: Code,
    /// Tool versions.
    pub tools: BTreeMap<String, Option<String>>,
    /// Versions of what the rows require, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub required: BTreeMap<String, Option<String>>,
    /// What the rows' programs started with; absent in records of before that was stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<StartRecord>,
    /// The host that servers ran on; absent where that was this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_host: Option<ServerHostRecord>,
    /// The hosts of the generators; absent where the load was made on this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub generator_hosts: Vec<GeneratorHostRecord>,
    /// SHA-256 of every measured program, by row; of each package that it uses and each file that it is made of, by both.
    pub programs: BTreeMap<String, String>,
}

/// The code that was measured.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Code {
    /// The git revision.
    pub revision: Option<String>,
    /// Whether the checkout differed from it.
    pub modified: Option<bool>,
    /// SHA-256 of Cargo.lock.
    pub lock_sha256: Option<String>,
    /// SHA-256 of the harness: of the generator above all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub harness_sha256: Option<String>,
}

impl Environment {
    /// Looks at this host and checkout.
    ///
    /// # Errors
    /// The CPU mask of this process cannot be read.
    pub fn capture(workspace: &Workspace, command: String) -> std::io::Result<Self> {
        let root = workspace.root();
        let HostRecord { name, cpu, memory_mib, kernel, sysctls, limits } = HostRecord::capture()?;
        Ok(Self {
            started: jiff::Zoned::now().strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
            command,
            host: name,
            cpu,
            memory_mib,
            kernel,
            sysctls,
            limits,
            code: Code {
                revision: output(root, "git", &["rev-parse", "HEAD"]),
                modified: output(root, "git", &["status", "--porcelain", "--untracked-files=no"])
                    .map(|changes| !changes.is_empty()),
                lock_sha256: sha256_of(&workspace.lock_file()).ok(),
                // Not by its path: it may have been replaced meanwhile.
                harness_sha256: sha256_of(Path::new("/proc/self/exe")).ok(),
            },
            tools: [
                ("cargo", output(root, "cargo", &["--version"])),
                ("rustc", output(root, "rustc", &["--version"])),
                ("gcc", output(root, "gcc", &["-dumpfullversion"])),
                ("harness", Some(env!("CARGO_PKG_VERSION").to_owned())),
            ]
            .map(|(name, version)| (name.to_owned(), version))
            .into(),
            required: BTreeMap::new(),
            start: None,
            rehearsal: false,
            server_host: None,
            generator_hosts: Vec::new(),
            programs: BTreeMap::new(),
        })
    }
}

/// SHA-256 of a file, in hexadecimal.
///
/// # Errors
/// The file cannot be read.
pub fn sha256_of(path: &Path) -> std::io::Result<String> {
    Ok(sha256_of_bytes(&fs::read(path)?))
}

/// The SHA-256 of bytes, in hexadecimal digits.
pub fn sha256_of_bytes(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_is_described_and_the_description_reads_back() {
        let workspace = Workspace::at_or_above(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        let environment = Environment::capture(&workspace, "cargo bench-all".to_owned()).unwrap();
        assert!(!environment.cpu.allowed.is_empty() && environment.memory_mib > Some(0));
        assert_eq!(environment.code.harness_sha256, sha256_of(&std::env::current_exe().unwrap()).ok());
        let text = serde_json::to_string(&environment).unwrap();
        let back: Environment = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&back).unwrap(), text);
    }

    #[test]
    fn the_hash_of_a_file_is_the_one_that_the_standard_gives() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("abc");
        fs::write(&file, "abc").unwrap();
        // FIPS 180-4, example of SHA-256 for the message "abc".
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256_of(&file).unwrap(), expected);
    }
}
