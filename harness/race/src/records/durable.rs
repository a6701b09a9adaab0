//! What makes a change to a file last, and a failure say which file it was.

use std::{fs, io, io::Write, path::Path};

/// What a file is called until it is whole: the last part of its name instead of its own.
pub(super) const UNFINISHED: &str = "unfinished";

/// Replaces a file by way of another, so that it is never half written: after a crash, of the machine too, it is what it was or what it
/// was to become.
///
/// # Errors
/// The disk is full, or the folder went away. The file is what it was then, and the other is gone.
pub fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension(UNFINISHED);
    let replaced = write_synced(&unfinished, content).and_then(|()| fs::rename(&unfinished, path));
    if replaced.is_err() {
        // It is of no use, and on a full disk it is in the way. If it cannot be removed either, the next run in this folder does it.
        let _ = fs::remove_file(&unfinished);
    }
    replaced.and_then(|()| sync_name(path)).map_err(|error| naming(path, &error))
}

fn write_synced(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = fs::File::create(path)?;
    file.write_all(content)?;
    // Before it is renamed: otherwise the new name may be on disk without the content.
    file.sync_all()
}

/// Has the name of a file on disk before it returns. Syncing a file says nothing of the folder that lists it: a rename, and a file that
/// was just created, are changes of the folder.
pub(super) fn sync_name(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match fs::File::open(folder)?.sync_all() {
        // File systems that know no such thing say so, and there is nothing that they could do instead.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            Ok(())
        }
        synced => synced,
    }
}

/// `error` with the file that it is about.
pub(crate) fn naming(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
