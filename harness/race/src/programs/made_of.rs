//! Which files a row is made of, and what is in them: a row of which one has changed is another row.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    programs::{builder::Built, context::Context, prerequisites},
    records::{durable::naming, environment::sha256_of},
    registry::Row,
};

/// The SHA-256 of all that those of `rows` are made of which have a program in `context`, as a run's environment lists them: of the
/// program under the row's name, of another package's as `row uses package`, of any other file as `row is made of file`. `root` is the
/// checkout. A file that is not there is not listed: the suite says so of its row.
///
/// # Errors
/// A program cannot be read.
pub fn sha256_of_rows(rows: &[Row], context: &Context, root: &Path) -> io::Result<BTreeMap<String, String>> {
    let hash = |file: &Path| sha256_of(file).map_err(|error| naming(file, &error));
    let mut hashes = BTreeMap::new();
    for row in rows {
        let Some(built) = context.programs.get(&row.name) else { continue };
        let mut others = files_of(row, built, root).unwrap_or_default();
        hashes.insert(row.name.clone(), hash(&built.program)?);
        others.remove(&built.program);
        for (package, binary) in &built.uses {
            hashes.insert(format!("{} uses {package}", row.name), hash(binary)?);
            others.remove(binary);
        }
        for file in others {
            if let Ok(hash) = hash(&file) {
                hashes.insert(format!("{} is made of {}", row.name, shown(&file, root)), hash);
            }
        }
    }
    Ok(hashes)
}

/// Whether what [`sha256_of_rows`] calls `part` is one of `row`.
pub(crate) fn is_part_of(part: &str, row: &str) -> bool {
    let rest = part.strip_prefix(row);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(" uses ") || rest.starts_with(" is made of "))
}

/// A path as a record has it, which does not say where the checkout is, or where the caller lives.
fn shown(file: &Path, root: &Path) -> String {
    if let Ok(within) = file.strip_prefix(root) {
        return within.display().to_string();
    }
    let home = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.parent().is_some());
    match home.and_then(|home| file.strip_prefix(home).ok().map(Path::to_owned)) {
        Some(within) => format!("~/{}", within.display()),
        None => file.display().to_string(),
    }
}

/// The binary and those that it uses; what the registry says that the row is made of, and the programs and files that it
/// requires; each file that an argument names, and beside a script the others of its kind, which it may load: an interpreter
/// alone says little.
pub(crate) fn files_of(row: &Row, built: &Built, root: &Path) -> io::Result<BTreeSet<PathBuf>> {
    let mut files = sources_of(row, root)?;
    files.extend(built.uses.values().cloned());
    files.insert(built.program.clone());
    for required in &row.requires {
        files.extend(required.file.iter().map(|file| root.join(file)));
        files.extend(required.program.iter().filter_map(|program| prerequisites::located(root, program)));
    }
    let folder = built.folder.as_deref().unwrap_or(Path::new(""));
    let named = built.leading_args.iter().chain(&built.args).map(|argument| folder.join(argument));
    for file in named.filter(|path| path.is_file()) {
        if let (Some(kind), Some(folder)) = (file.extension(), file.parent()) {
            let beside = files_in(folder).unwrap_or_default().into_iter();
            files.extend(beside.filter(|other| other.extension() == Some(kind)));
        }
        files.insert(file);
    }
    Ok(files)
}

/// What the registry says that the row is made of, file by file.
pub(super) fn sources_of(row: &Row, root: &Path) -> io::Result<BTreeSet<PathBuf>> {
    let mut files = BTreeSet::new();
    for part in row.made_of.iter().map(|part| root.join(part)) {
        if part.is_dir() {
            files.extend(files_in(&part).map_err(|error| naming(&part, &error))?);
        } else {
            files.insert(part);
        }
    }
    Ok(files)
}

/// The files in a folder, and not those in folders in it.
fn files_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let paths = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
    paths.filter(|path| path.as_ref().map_or(true, |path| path.is_file())).collect()
}

#[cfg(test)]
mod tests {
    use host::ready::Profile;
    use terminal::interrupt::Interrupt;

    use super::*;

    #[test]
    fn a_row_is_listed_with_its_program_the_packages_that_it_uses_and_its_files() {
        let checkout = tempfile::tempdir().unwrap();
        let root = checkout.path();
        for name in ["engine", "helper", "main.js", "other.js", "unrelated"] {
            fs::write(root.join(name), name).unwrap();
        }
        let row =
            Row { made_of: vec!["gone".into()], ..Row::given("a".to_owned(), vec!["engine".to_owned()]) };
        let built = |made_of: &[&str]| Built {
            program: root.join("engine"),
            leading_args: made_of.iter().map(|name| (*name).to_owned()).collect(),
            args: Vec::new(),
            folder: Some(root.to_owned()),
            uses: [("helper".to_owned(), root.join("helper"))].into(),
            profile: Profile::Release,
        };
        let mut context = Context::new(Interrupt::never()).unwrap();
        context.programs.insert("a".to_owned(), built(&["main.js"]));
        let unbuilt = Row::given("b".to_owned(), vec!["engine".to_owned()]);
        let hashes = sha256_of_rows(&[row, unbuilt], &context, root).unwrap();
        let hash = |name: &str| sha256_of(&root.join(name)).unwrap();
        let expected = [
            ("a", "engine"),
            ("a is made of main.js", "main.js"),
            ("a is made of other.js", "other.js"),
            ("a uses helper", "helper"),
        ];
        assert_eq!(hashes, expected.map(|(part, file)| (part.to_owned(), hash(file))).into());
        assert!(hashes.keys().all(|part| is_part_of(part, "a") && !is_part_of(part, "b")));
        assert!(!is_part_of("a-b", "a") && !is_part_of("ab uses helper", "a"));
    }
}
