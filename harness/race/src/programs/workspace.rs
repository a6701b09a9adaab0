//! Where the project's files are: the data that the harness reads and the folder that it writes to.

use std::path::{Path, PathBuf};

/// The root of a checkout of this project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    root: PathBuf,
}

/// The command was not given inside a checkout.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("no checkout of this project at {0} or above it: run this inside the cloned repository")]
pub struct NoWorkspace(PathBuf);

impl Workspace {
    /// The nearest folder at or above `start` that holds the registry of rows.
    ///
    /// # Errors
    /// There is none.
    pub fn at_or_above(start: &Path) -> Result<Self, NoWorkspace> {
        let root = start.ancestors().find(|folder| Self { root: folder.to_path_buf() }.registry().is_file());
        root.map(|root| Self { root: root.to_path_buf() }).ok_or_else(|| NoWorkspace(start.to_path_buf()))
    }

    /// The root itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The registry of rows.
    pub fn registry(&self) -> PathBuf {
        self.root.join("harness/servers.toml")
    }

    /// The folder of the scenarios.
    pub fn scenarios(&self) -> PathBuf {
        self.root.join("harness/scenarios")
    }

    /// The folder of the published runs.
    pub fn results(&self) -> PathBuf {
        self.root.join("results")
    }

    /// The page that a newcomer reads first.
    pub fn readme(&self) -> PathBuf {
        self.root.join("README.md")
    }

    /// The exact versions of all dependencies.
    pub fn lock_file(&self) -> PathBuf {
        self.root.join("Cargo.lock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_found_from_any_folder_inside_and_not_from_outside() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let workspace = Workspace::at_or_above(&here.join("src")).unwrap();
        assert_eq!(Some(workspace.root()), here.ancestors().nth(2));
        assert!(workspace.scenarios().is_dir() && workspace.lock_file().is_file());
        assert!(Workspace::at_or_above(Path::new("/")).is_err());
    }
}
