//! What makes a change to a file last, and a failure say which file it was.

use std::{fs, io, path::Path};

use terminal::output::write_durably;

/// What a file of a run is called until it is whole: the last part of its name instead of its own.
pub(super) const UNFINISHED: &str = "unfinished";

/// Replaces a file of a run by way of another, so that it is never half written: after a crash, of the machine too, it is what it was or
/// what it was to become. A link stays one, and what is no file is written to as it is.
///
/// # Errors
/// The disk is full, or the folder went away. The file is what it was then, and the other is gone.
pub(super) fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    written(path, Some(UNFINISHED), content)
}

/// The same of a page that people write as well, beside which is whatever they have there.
///
/// # Errors
/// The disk is full, or the folder went away.
pub fn write_page(path: &Path, content: &str) -> io::Result<()> {
    written(path, None, content.as_bytes())
}

fn written(path: &Path, extension: Option<&str>, content: &[u8]) -> io::Result<()> {
    let written = write_durably(path, extension, content);
    let synced = written.and_then(|file| file.map_or(Ok(()), |file| sync_name(&file)));
    synced.map_err(|error| naming(path, &error))
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
