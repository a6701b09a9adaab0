//! What the suite found, kept until the program, its arguments or the suite change.
//!
//! Outcomes are kept and never judgements: deviations are judged afresh each time. A file that is damaged, or of
//! another program, is as good as none.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::play::{PlayedCase, Setting};
use crate::{programs::builder::Built, records::environment::sha256_of, registry::Row};
use terminal::output::Output;

/// Raised when a field changes its meaning.
const SCHEMA: u32 = 1;

/// All that outcomes depend on, as far as it can be known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Key {
    schema: u32,
    row: String,
    /// All files of [`files_of`].
    programs_sha256: BTreeMap<PathBuf, String>,
    arguments: Vec<String>,
    /// Each argument can also be an environment variable (kit), which the server inherits.
    environment: BTreeMap<String, String>,
    /// This very program, which the suite is linked into.
    suite_sha256: String,
}

/// The version of the suite: the hash of this program.
///
/// # Errors
/// The program cannot be read.
pub(crate) fn suite_sha256() -> io::Result<String> {
    // Not by its path: it may have been replaced meanwhile.
    sha256_of(Path::new("/proc/self/exe"))
}

impl Key {
    /// What the outcomes of `row` depend on.
    ///
    /// # Errors
    /// The binary cannot be read.
    pub(crate) fn of(row: &Row, built: &Built, setting: &Setting, suite_sha256: &str) -> io::Result<Self> {
        let mut programs_sha256 = BTreeMap::new();
        for file in files_of(built) {
            let sha256 = sha256_of(&file)?;
            programs_sha256.insert(file, sha256);
        }
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok().filter(|name| name.starts_with("SERVER_"))?;
            Some((name, value.to_string_lossy().into_owned()))
        });
        let leading = built.leading_args.iter().cloned();
        Ok(Self {
            schema: SCHEMA,
            row: row.name.clone(),
            programs_sha256,
            arguments: leading.chain(setting.arguments(row)).collect(),
            environment: variables.collect(),
            suite_sha256: suite_sha256.to_owned(),
        })
    }
}

/// The binary and those that it uses, each file that an argument names, and beside a script the others of its kind, which it
/// may load: an interpreter alone says little.
fn files_of(built: &Built) -> BTreeSet<PathBuf> {
    let mut files: BTreeSet<PathBuf> = built.uses.values().cloned().collect();
    files.insert(built.program.clone());
    let folder = built.folder.as_deref().unwrap_or(Path::new(""));
    let named = built.leading_args.iter().chain(&built.args).map(|argument| folder.join(argument));
    for file in named.filter(|path| path.is_file()) {
        let (kind, beside) = (file.extension(), file.parent().and_then(|folder| fs::read_dir(folder).ok()));
        if kind.is_some() {
            let beside = beside.into_iter().flatten().flatten().map(|entry| entry.path());
            files.extend(beside.filter(|other| other.extension() == kind && other.is_file()));
        }
        files.insert(file);
    }
    files
}

/// One row's outcomes, as the file has them.
#[derive(Serialize, Deserialize)]
struct Kept {
    key: Key,
    cases: Vec<PlayedCase>,
    /// What the server said, case by case.
    said: Vec<String>,
}

/// A folder with one file for each row.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// The cache in `folder`, which need not exist.
    pub(crate) fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// What was found under this very key.
    pub(crate) fn load(&self, key: &Key) -> Option<Vec<PlayedCase>> {
        let kept: Kept = serde_json::from_slice(&fs::read(self.file(key)).ok()?).ok()?;
        let is_whole = kept.key == *key && !kept.cases.is_empty() && kept.cases.len() == kept.said.len();
        is_whole.then(|| {
            let with_said = |(case, said)| PlayedCase { said, ..case };
            kept.cases.into_iter().zip(kept.said).map(with_said).collect()
        })
    }

    /// Keeps what was found, instead of what was known of the row before.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub(crate) fn store(&self, key: &Key, cases: &[PlayedCase]) -> anyhow::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let said = cases.iter().map(|case| case.said.clone()).collect();
        let kept = Kept { key: key.clone(), cases: cases.to_vec(), said };
        Ok(Output::begin(&self.file(key))?.finish_json(&kept)?)
    }

    fn file(&self, key: &Key) -> PathBuf {
        let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
        self.folder.join(format!("{}.json", key.row.chars().map(plain).collect::<String>()))
    }
}

#[cfg(test)]
mod tests {
    use conformance::{Level, Verdict};

    use super::*;

    fn key(suite: &str) -> Key {
        Key {
            schema: SCHEMA,
            row: "../a b".to_owned(),
            programs_sha256: BTreeMap::new(),
            arguments: vec!["--io".to_owned(), "epoll".to_owned()],
            environment: BTreeMap::new(),
            suite_sha256: suite.to_owned(),
        }
    }

    fn cases() -> Vec<PlayedCase> {
        vec![PlayedCase {
            name: "a missing Host is refused".to_owned(),
            level: Level::Must,
            source: "RFC 9112 3.2".to_owned(),
            verdict: Verdict::Warn,
            detail: "answered 500, expected 400".to_owned(),
            said: "HTTP/1.1 500 x\r\n\r\n\0\u{fffd}".to_owned(),
        }]
    }

    #[test]
    fn what_is_kept_reads_back_whole_and_only_under_its_own_key() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path().join("verified"));
        assert_eq!(cache.load(&key("1")), None);
        cache.store(&key("1"), &cases()).unwrap();
        assert_eq!(cache.load(&key("1")), Some(cases()));
        assert_eq!(cache.load(&key("2")), None);
        let mut other = key("1");
        other.arguments.pop();
        assert_eq!(cache.load(&other), None);
        // Whatever the row is called, its file is within the folder, and there is one.
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(fs::read_dir(folder.path().join("verified")).unwrap().count(), 1);
    }

    #[test]
    fn a_damaged_file_is_as_good_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path().to_owned());
        cache.store(&key("1"), &cases()).unwrap();
        let file = cache.file(&key("1"));
        let whole = fs::read_to_string(&file).unwrap();
        for damaged in [&whole[..whole.len() / 2], "", "{}", "\u{0}", &whole.replace("\"warn\"", "\"fine\"")]
        {
            fs::write(&file, damaged).unwrap();
            assert_eq!(cache.load(&key("1")), None, "{damaged}");
        }
        cache.store(&key("1"), &cases()).unwrap();
        assert_eq!(cache.load(&key("1")), Some(cases()));
    }
}
