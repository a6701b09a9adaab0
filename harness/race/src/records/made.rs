//! What is made from a run's records and can be made again: its pages, and files of one kind in folders of their own.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
};

use terminal::output::write_together;

use crate::records::durable::{UNFINISHED, naming, sync_name};

/// A file that is made from records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Where it is in the run's folder: a page's name, or that of a folder and of a file in it, with `/` between.
    pub path: String,
    /// What it holds.
    pub content: Vec<u8>,
}

/// What is there of a file, beside what should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// It holds something else.
    Differs,
    /// It is not there, or cannot be read.
    Missing,
    /// It is there, and should not be.
    Foreign,
}

/// Pages, in the run's folder itself.
const PAGES: [&str; 4] = ["summary.md", "deviations.md", "report.html", "report.md"];
/// Folders, and how the files in them end. What ends so is made; whatever else is there is nobody's business here.
const FOLDERS: [(&str, &str); 4] = [("tables", "csv"), ("plots", "svg"), ("hdr", "hlog"), ("schema", "json")];

impl File {
    /// One that holds text.
    pub fn text(path: impl Into<String>, content: impl Into<String>) -> Self {
        Self { path: path.into(), content: content.into().into_bytes() }
    }
}

/// Makes `folder` hold these files and none other of their kinds. All are on disk before the first takes its place, so that each is what
/// it was where one cannot be written. What is right already is left alone.
///
/// # Errors
/// The disk is full, or the folder may not be written to; the message names the file.
pub(super) fn write(folder: &Path, files: &[File]) -> io::Result<()> {
    // Two that write at once would take each other's files for unfinished ones. A file system without locks cannot tell.
    let _alone = fs::File::open(folder).and_then(|folder| folder.lock().map(|()| folder)).ok();
    let created = create_folders(folder, files)?;
    let changed: Vec<(PathBuf, &[u8])> = files
        .iter()
        .map(|file| (folder.join(&file.path), file.content.as_slice()))
        .filter(|(path, content)| !holds(path, content))
        .collect();
    let written = write_together(&changed, UNFINISHED).inspect_err(|_| {
        // Empty, they are of no use. One that is not empty stays.
        created.iter().for_each(|folder| drop(fs::remove_dir(folder)));
    })?;
    // Once a folder: a name is not on disk before its folder is.
    let mut synced = BTreeSet::new();
    for path in &written {
        if synced.insert(path.parent()) {
            sync_name(path).map_err(|error| naming(path, &error))?;
        }
    }
    for foreign in foreign(folder, files) {
        remove(&folder.join(foreign))?;
    }
    Ok(())
}

/// The folders that were not there.
fn create_folders(folder: &Path, files: &[File]) -> io::Result<Vec<PathBuf>> {
    let mut created = Vec::new();
    for name in FOLDERS.map(|(name, _)| name) {
        let path = folder.join(name);
        let is_needed = files.iter().any(|file| Path::new(&file.path).parent() == Some(Path::new(name)));
        // Whatever a link leads to.
        if is_needed && !path.is_dir() {
            fs::create_dir(&path).map_err(|error| {
                created.iter().for_each(|folder| drop(fs::remove_dir(folder)));
                naming(&path, &error)
            })?;
            created.push(path);
        }
    }
    Ok(created)
}

/// Whether a file is right already. What is no file, such as a pipe, cannot be asked.
fn holds(path: &Path, content: &[u8]) -> bool {
    let is_alike = fs::metadata(path).is_ok_and(|it| it.is_file() && it.len() == content.len() as u64);
    is_alike && fs::read(path).is_ok_and(|found| found == content)
}

/// The first file that is not as it should be, with its path in `folder`.
pub(super) fn difference(folder: &Path, files: &[File]) -> Option<(PathBuf, Difference)> {
    let of_file = |file: &File| {
        let path = folder.join(&file.path);
        let difference = match fs::metadata(&path) {
            Ok(_) if holds(&path, &file.content) => return None,
            Ok(found) if found.is_file() => Difference::Differs,
            _ => Difference::Missing,
        };
        Some((PathBuf::from(&file.path), difference))
    };
    let foreign = || foreign(folder, files).into_iter().next().map(|path| (path, Difference::Foreign));
    files.iter().find_map(of_file).or_else(foreign)
}

/// What is there of the kinds that are made and is none of `files`, in the order of names; with what a process left unfinished that
/// was ended.
fn foreign(folder: &Path, files: &[File]) -> Vec<PathBuf> {
    let made: BTreeSet<&Path> = files.iter().map(|file| Path::new(&file.path)).collect();
    let mut found = found(folder);
    found.retain(|path| !made.contains(path.as_path()));
    found
}

/// What there is of the kinds that are made.
fn found(folder: &Path) -> Vec<PathBuf> {
    let is_there = |path: &PathBuf| fs::symlink_metadata(folder.join(path)).is_ok_and(|it| !it.is_dir());
    let pages = PAGES.into_iter().flat_map(|page| [page.to_owned(), format!("{page}.{UNFINISHED}")]);
    let mut found: Vec<PathBuf> = pages.map(PathBuf::from).filter(is_there).collect();
    for (name, extension) in FOLDERS {
        let entries = fs::read_dir(folder.join(name)).into_iter().flatten().flatten();
        let mut files: Vec<PathBuf> = entries.map(|entry| Path::new(name).join(entry.file_name())).collect();
        files.retain(|path| has_kind(path, extension) && is_there(path));
        files.sort_unstable();
        found.extend(files);
    }
    found
}

fn has_kind(path: &Path, extension: &str) -> bool {
    let ends = |path: &Path, extension: &str| path.extension() == Some(OsStr::new(extension));
    let finished = path.file_stem().filter(|_| ends(path, UNFINISHED)).map_or(path, Path::new);
    ends(finished, extension)
}

/// Removes everything that is made, and the folders that are empty then.
pub(super) fn remove_all(folder: &Path) -> io::Result<()> {
    for path in found(folder) {
        remove(&folder.join(path))?;
    }
    for (name, _) in FOLDERS {
        // One that holds something of somebody else stays.
        drop(fs::remove_dir(folder.join(name)));
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(naming(path, &error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn files(of: &[(&str, &str)]) -> Vec<File> {
        of.iter().map(|&(path, content)| File::text(path, content)).collect()
    }

    fn read(folder: &Path, path: &str) -> String {
        fs::read_to_string(folder.join(path)).unwrap()
    }

    const ALL: [(&str, &str); 4] =
        [("report.md", "1"), ("report.html", "2"), ("tables/a.csv", "3"), ("hdr/a.hlog", "4")];

    #[test]
    fn what_is_made_takes_the_place_of_what_was_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        write(path, &files(&ALL)).unwrap();
        assert_eq!(difference(path, &files(&ALL)), None);
        for (name, content) in [
            ("deviations.md", "of before"),
            ("tables/b.csv", "of before"),
            ("hdr/b.hlog.unfinished", "of a crash"),
            ("tables/mine.txt", "mine"),
            ("notes.md", "mine"),
        ] {
            fs::write(path.join(name), content).unwrap();
        }
        fs::create_dir(path.join("tables/folder.csv")).unwrap();
        write(path, &files(&ALL[..3])).unwrap();
        assert_eq!(found(path), ["report.html", "report.md", "tables/a.csv"].map(PathBuf::from));
        assert_eq!((read(path, "tables/mine.txt"), read(path, "notes.md")), ("mine".into(), "mine".into()));
        assert!(path.join("tables/folder.csv").is_dir());
        remove_all(path).unwrap();
        let mut left: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort_unstable();
        assert_eq!(left, ["notes.md", "tables"]);
    }

    #[test]
    fn the_first_file_that_is_not_as_it_should_be_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        write(path, &files(&ALL)).unwrap();
        let named = |name: &str, difference| Some((PathBuf::from(name), difference));
        fs::write(path.join("plots"), "no folder").unwrap();
        assert_eq!(difference(path, &files(&ALL)), None);
        fs::write(path.join("tables/b.csv"), "").unwrap();
        assert_eq!(difference(path, &files(&ALL)), named("tables/b.csv", Difference::Foreign));
        fs::remove_file(path.join("hdr/a.hlog")).unwrap();
        assert_eq!(difference(path, &files(&ALL)), named("hdr/a.hlog", Difference::Missing));
        fs::write(path.join("report.md"), "2").unwrap();
        assert_eq!(difference(path, &files(&ALL)), named("report.md", Difference::Differs));
    }

    #[test]
    fn where_one_cannot_be_written_all_are_what_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        fs::write(path.join("report.md"), "old").unwrap();
        // A file where a folder is needed, and a folder where a file is.
        fs::write(path.join("hdr"), "mine").unwrap();
        let error = write(path, &files(&ALL)).unwrap_err().to_string();
        assert!(error.starts_with(&path.join("hdr").display().to_string()), "{error}");
        fs::remove_file(path.join("hdr")).unwrap();
        fs::create_dir(path.join("report.html")).unwrap();
        let error = write(path, &files(&ALL)).unwrap_err().to_string();
        assert!(error.starts_with(&path.join("report.html").display().to_string()), "{error}");
        assert_eq!(read(path, "report.md"), "old");
        assert!(!path.join("tables").exists() && !path.join("hdr").exists());
    }

    #[test]
    fn what_two_write_at_once_is_what_one_of_them_wrote() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let of = |content: &str| files(&ALL.map(|(path, _)| (path, content)));
        let both = [of(&"a".repeat(100_000)), of(&"b".repeat(50_000))];
        for _again in 0..20 {
            std::thread::scope(|scope| {
                both.iter().for_each(|files| drop(scope.spawn(|| write(path, files).unwrap())));
            });
            assert!(both.iter().any(|files| difference(path, files).is_none()));
        }
    }

    #[test]
    fn links_stay_links() {
        let parent = tempfile::tempdir().unwrap();
        let (path, elsewhere) = (parent.path().join("run"), parent.path().join("elsewhere"));
        fs::create_dir(&path).unwrap();
        fs::create_dir(&elsewhere).unwrap();
        symlink("../elsewhere", path.join("tables")).unwrap();
        symlink("../elsewhere/page", path.join("report.md")).unwrap();
        write(&path, &files(&ALL)).unwrap();
        for link in ["tables", "report.md"] {
            assert!(fs::symlink_metadata(path.join(link)).unwrap().is_symlink(), "{link}");
        }
        assert_eq!((read(&elsewhere, "a.csv"), read(&elsewhere, "page")), ("3".into(), "1".into()));
        assert_eq!(difference(&path, &files(&ALL)), None);
    }
}
