//! Files that a person names on the command line: known to be writable before anything is measured, and there whole or not at all.
//! A link stays a link and a mode the mode that it was; a pipe, a device such as /dev/null and this process's own streams are written
//! to as they are.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::{place::Place, replace::Way, streams, writer::Writer};

/// A file to be written at the end of a run.
#[derive(Debug)]
pub struct Output {
    path: PathBuf,
    place: Place,
}

/// A file that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be written: {error}; {}", path.display(), advice(error))]
pub struct OutputError {
    path: PathBuf,
    error: io::Error,
}

impl OutputError {
    /// Whether this process was to end while it waited for a reader.
    pub fn is_interrupt(&self) -> bool {
        self.error.kind() == io::ErrorKind::Interrupted
    }
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room there, or name a file elsewhere"
        }
        io::ErrorKind::FileTooLarge => "raise the limit of the size of files (`ulimit -f`)",
        io::ErrorKind::IsADirectory => "name a file in that folder",
        io::ErrorKind::InvalidFilename => "choose a shorter name",
        io::ErrorKind::TimedOut | io::ErrorKind::BrokenPipe => "have it read to its end",
        _ => "name a file in a folder that exists and may be written to",
    }
}

impl Output {
    /// Finds out whether the file can be written later. What it holds stays until there is something to replace it, and nothing is
    /// left beside it meanwhile.
    ///
    /// # Errors
    /// It cannot.
    pub fn begin(path: &Path) -> Result<Self, OutputError> {
        match Place::of(path) {
            Ok(place) => Ok(Self { path: path.to_owned(), place }),
            Err(error) => Err(OutputError { path: path.to_owned(), error }),
        }
    }

    /// The file as it was named.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether both are one regular file, by whatever names.
    pub fn is_same_file(&self, other: &Self) -> bool {
        let whole = |place: &Place| match place {
            Place::File(target) => {
                let folder = target.path.parent().and_then(|folder| folder.canonicalize().ok());
                Some((folder, target.path.file_name()?.to_owned()))
            }
            Place::Stream(_) | Place::Special(_) => None,
        };
        whole(&self.place).is_some_and(|own| Some(own) == whole(&other.place))
    }

    /// Writes the file.
    ///
    /// # Errors
    /// The disk is full, or the folder went away.
    pub fn finish(self, write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> Result<(), OutputError> {
        let mut content = Vec::new();
        let written = write(&mut content).and_then(|()| match self.place {
            // It may have become another meanwhile, or gone.
            Place::File(_) => Place::of(&self.path)?.put(&content, Way::default()),
            place => place.put(&content, Way::default()),
        });
        written.map_err(|error| OutputError { path: self.path, error })
    }

    /// Writes a value as JSON, indented.
    ///
    /// # Errors
    /// See [`Output::finish`].
    pub fn finish_json(self, value: &impl serde::Serialize) -> Result<(), OutputError> {
        self.finish(|out| {
            serde_json::to_writer_pretty(&mut *out, value)?;
            out.write_all(b"\n")
        })
    }
}

/// Writes a file that is never half written: after a crash, of the machine too, it is what it was or what it was to become. Until it is
/// whole it has `extension` instead of its own, where nothing else may be; or is hidden. Returns the file that was written, which a
/// link led to; nothing where it is none.
///
/// # Errors
/// The disk is full, or the folder went away. The file is what it was then, and the other is gone.
pub fn write_durably(path: &Path, extension: Option<&str>, content: &[u8]) -> io::Result<Option<PathBuf>> {
    let place = Place::of(path)?;
    let written = match &place {
        Place::File(target) => Some(target.path.clone()),
        _ => None,
    };
    place.put(content, Way { extension, is_durable: true })?;
    Ok(written)
}

/// Writes files that belong together, each as [`write_durably`] does, and none before all of them are on disk: where one cannot be
/// written, all are what they were. Until then each has `extension` after its own name. Returns the files that were written, which links
/// led to.
///
/// # Errors
/// The disk is full, or a folder may not be written to; the message names the file.
pub fn write_together(files: &[(PathBuf, &[u8])], extension: &str) -> io::Result<Vec<PathBuf>> {
    let naming = |path: &Path| {
        let path = path.to_owned();
        move |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))
    };
    // What is staged keeps no file open: there may be more than a process may have open.
    let (mut staged, mut others, mut written) = (Vec::new(), Vec::new(), Vec::new());
    for (path, content) in files {
        let place = Place::of(path).map_err(naming(path))?;
        let beside = match &place {
            Place::File(target) => {
                written.push(target.path.clone());
                let own = target.path.extension().unwrap_or_default().to_string_lossy();
                let extension = format!("{own}.{extension}");
                let way = Way { extension: Some(&extension), is_durable: true };
                target.stage(content, way).map_err(naming(path))?
            }
            Place::Stream(_) | Place::Special(_) => None,
        };
        match beside {
            Some(beside) => staged.push((path, beside)),
            None => others.push((path, place, content)),
        }
    }
    for (path, place, content) in others {
        place.put(content, Way { extension: None, is_durable: true }).map_err(naming(path))?;
    }
    for (path, beside) in staged {
        beside.take_place().map_err(naming(path))?;
    }
    Ok(written)
}

impl Place {
    fn put(self, content: &[u8], way: Way<'_>) -> io::Result<()> {
        match self {
            Self::Stream(stream) => {
                // Whether it arrives is known when everything that is printed has.
                streams::print_bytes(stream, content);
                Ok(())
            }
            Self::Special(file) => {
                let writer = Writer::new(file, usize::MAX);
                writer.put(content);
                Ok(writer.end(None)?)
            }
            Self::File(target) => target.put(content, way),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt},
    };

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn a_file_holds_what_it_held_until_there_is_something_to_replace_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o604)).unwrap();
        let before = fs::metadata(&path).unwrap();
        drop(Output::begin(&path).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        let output = Output::begin(&path).unwrap();
        assert_eq!(names(folder.path()), ["a.json"]);
        output.finish_json(&[1]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "[\n  1\n]\n");
        let after = fs::metadata(&path).unwrap();
        assert_eq!((after.mode(), after.uid(), after.gid()), (before.mode(), before.uid(), before.gid()));
        assert_ne!(after.ino(), before.ino(), "it was written over");
        assert_eq!(names(folder.path()), ["a.json"]);

        // A new one is like any other.
        let [new, any] = ["new", "any"].map(|name| folder.path().join(name));
        Output::begin(&new).unwrap().finish_json(&[1]).unwrap();
        fs::write(&any, "").unwrap();
        assert_eq!(fs::metadata(&new).unwrap().mode(), fs::metadata(&any).unwrap().mode());
    }

    #[test]
    fn what_became_of_the_file_meanwhile_is_what_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        fs::write(&path, "old").unwrap();
        let output = Output::begin(&path).unwrap();
        fs::remove_file(&path).unwrap();
        output.finish_json(&[1]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "[\n  1\n]\n");
        let output = Output::begin(&path).unwrap();
        fs::remove_dir_all(folder.path()).unwrap();
        let error = output.finish_json(&[1]).unwrap_err().to_string();
        assert!(error.contains("a.json cannot be written: No such file or directory"), "{error}");
    }

    #[test]
    fn one_file_is_known_by_its_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::os::unix::fs::symlink("a.json", path("link")).unwrap();
        fs::create_dir(path("inner")).unwrap();
        let output = |path: &Path| Output::begin(path).unwrap();
        for (other, is_same) in
            [("a.json", true), ("link", true), ("inner/../a.json", true), ("b.json", false)]
        {
            assert_eq!(output(&path("a.json")).is_same_file(&output(&path(other))), is_same, "{other}");
        }
        let null = Path::new("/dev/null");
        assert!(!output(null).is_same_file(&output(null)));
    }

    #[test]
    fn a_device_is_written_to_and_stays_what_it_is() {
        let path = Path::new("/dev/null");
        Output::begin(path).unwrap().finish_json(&[1]).unwrap();
        assert!(fs::metadata(path).unwrap().file_type().is_char_device());
        let error = Output::begin(Path::new("/dev/full")).unwrap().finish_json(&[1]).unwrap_err().to_string();
        assert_eq!(
            error,
            "/dev/full cannot be written: No space left on device (os error 28); make room there, or name a file elsewhere"
        );
    }

    #[test]
    fn what_cannot_be_written_is_known_beforehand() {
        let folder = tempfile::tempdir().unwrap();
        let circle = folder.path().join("circle");
        std::os::unix::fs::symlink("circle", &circle).unwrap();
        for (path, expected) in [
            (folder.path().to_owned(), "name a file in that folder"),
            (folder.path().join("a.json/"), "name a file in that folder"),
            (folder.path().join("nowhere/a.json"), "name a file in a folder that exists"),
            (circle, "Too many levels of symbolic links"),
            ("/proc/self/fd/1000000".into(), "Bad file descriptor"),
            ("/dev/stdin/a".into(), " cannot be written: "),
        ] {
            let error = Output::begin(&path).unwrap_err().to_string();
            assert!(error.contains(" cannot be written: ") && error.contains(expected), "{error}");
        }
    }

    #[test]
    fn what_is_written_durably_is_written_by_way_of_the_file_that_is_named_and_not_over_what_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        fs::write(folder.path().join("a.part"), "of a crash").unwrap();
        assert_eq!(write_durably(&path, Some("part"), b"new").unwrap().as_ref(), Some(&path));
        assert_eq!(
            (fs::read(&path).unwrap(), names(folder.path())),
            (b"new".to_vec(), vec!["a.json".to_owned()])
        );
        assert_eq!(write_durably(Path::new("/dev/null"), None, b"new").unwrap(), None);
    }

    #[test]
    fn files_that_belong_together_are_written_all_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("a.md"), "old").unwrap();
        fs::write(path("elsewhere"), "old").unwrap();
        std::os::unix::fs::symlink("elsewhere", path("a.html")).unwrap();
        fs::create_dir(path("taken")).unwrap();
        let files = |last: &str| -> Vec<(PathBuf, &[u8])> {
            [("a.md", "1"), ("a.html", "2"), (last, "3")]
                .map(|(name, new)| (path(name), new.as_bytes()))
                .into()
        };
        for wrong in ["taken", "nowhere/b"] {
            let error = write_together(&files(wrong), "part").unwrap_err().to_string();
            assert!(error.starts_with(&format!("{}: ", path(wrong).display())), "{error}");
            assert_eq!(fs::read_to_string(path("a.md")).unwrap(), "old");
            assert_eq!(fs::read_to_string(path("a.html")).unwrap(), "old");
        }
        assert_eq!(write_together(&files("b"), "part").unwrap(), ["a.md", "elsewhere", "b"].map(path));
        assert_eq!(fs::read_to_string(path("a.md")).unwrap(), "1");
        assert_eq!(fs::read_to_string(path("elsewhere")).unwrap(), "2");
        assert!(fs::symlink_metadata(path("a.html")).unwrap().is_symlink());
        assert_eq!(names(folder.path()), ["a.html", "a.md", "b", "elsewhere", "taken"]);
    }
}
