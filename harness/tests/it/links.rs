//! What pages and comments name is there: a link leads to a file and a heading, a path to something of this repository.
//!
//! A name is checked where it can be told from other words: in backticks it has a slash behind one of our folders, or ends as
//! our files do; outside of them it has a slash and such an end. What git ignores, and `CAPITALS` to be replaced, are left
//! alone. A heading is named as in `METHODOLOGY.md, "Placement"`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use crate::markdown::{headings_named_in, links_in, prose_of, slugs_of, titles_of, unreleased};

/// How our files end.
const ENDS: [&str; 12] =
    [".rs", ".toml", ".md", ".yaml", ".yml", ".json", ".jsonl", ".js", ".py", ".conf", ".lock", ".snap"];

/// How files begin and end whose comments, after this mark, are read.
const COMMENTED: [(&str, &str); 10] = [
    (".rs", "//"),
    (".js", "//"),
    (".toml", "#"),
    (".yaml", "#"),
    (".py", "#"),
    (".conf", "#"),
    ("Dockerfile", "#"),
    ("justfile", "#"),
    (".ci/run", "#"),
    (".gitignore", "#"),
];

/// Stands for a path of a reader's own.
const EXAMPLE: &str = "path/";

#[test]
fn what_pages_link_to_and_name_is_there() {
    let repository = Repository::read();
    let pages: Vec<&String> = repository.files.iter().filter(|path| is_page(path)).collect();
    for page in ["README.md", "ARCHITECTURE.md", "METHODOLOGY.md", "CONTRIBUTING.md", "results/README.md"] {
        assert!(pages.iter().any(|path| *path == page), "{page} was not read");
    }
    let texts: BTreeMap<&str, String> =
        pages.iter().map(|path| (path.as_str(), repository.text(path))).collect();
    let (mut checked, mut dead) = (0, Vec::new());
    for (page, text) in &texts {
        let prose = prose_of(if *page == "CHANGELOG.md" { unreleased(text) } else { text });
        for link in links_in(&prose).filter(|link| !link.contains(':')) {
            checked += 1;
            dead.extend(fault_of_link(&repository, page, link).map(|fault| format!("{page}: {fault}")));
        }
        for name in names_in(&repository, page, &prose) {
            checked += 1;
            if !repository.has(&name, &[folder_of(page)]) {
                dead.push(format!("{page}: there is no {name}"));
            }
        }
        for (of, heading) in headings_named_in(&prose) {
            checked += 1;
            dead.extend(fault_of_heading(&repository, of, heading).map(|fault| format!("{page}: {fault}")));
        }
    }
    assert!(checked > 60, "only {checked} links and names were found");
    assert!(dead.is_empty(), "{} lead nowhere:\n{}", dead.len(), dead.join("\n"));
}

#[test]
fn what_comments_name_is_there() {
    let repository = Repository::read();
    let (mut checked, mut dead) = (0, Vec::new());
    for path in &repository.files {
        let Some((_, mark)) = COMMENTED.iter().find(|(end, _)| path.ends_with(end)) else { continue };
        // A snapshot's or a record's first lines are no comments of ours.
        let folders: Vec<&str> = Path::new(path).ancestors().skip(1).filter_map(Path::to_str).collect();
        for comment in comments_in(&repository.text(path), mark) {
            for name in names_in(&repository, path, &comment) {
                checked += 1;
                if !repository.has(&name, &folders) {
                    dead.push(format!("{path}: there is no {name}"));
                }
            }
            for (of, heading) in headings_named_in(&comment) {
                checked += 1;
                dead.extend(
                    fault_of_heading(&repository, of, heading).map(|fault| format!("{path}: {fault}")),
                );
            }
        }
    }
    assert!(checked > 20, "only {checked} names were found");
    assert!(dead.is_empty(), "{} lead nowhere:\n{}", dead.len(), dead.join("\n"));
}

#[test]
fn what_leads_nowhere_is_found_and_what_is_no_name_is_not() {
    let files = ["a/Cargo.toml", "a/src/d.rs", "a/b.rs", "a/c/mod.rs", "README.md", "fuzz/x.rs", "docs/y.md"];
    let repository = Repository::of(files.map(str::to_owned).into(), "/target/\nout/\n");
    let names = |text: &str| names_in(&repository, "a/b.rs", text);
    let prose = "`a/b.rs`, `a/*.rs`, `a/{b,d}.rs`, `c/`, a/gone.rs and (a/c/mod.rs). `mod.rs` `Cargo.lock` `src/d.rs` `src/e.rs`";
    let found = [
        "a/b.rs",
        "a/*.rs",
        "a/{b,d}.rs",
        "c/",
        "mod.rs",
        "Cargo.lock",
        "src/d.rs",
        "src/e.rs",
        "a/gone.rs",
        "a/c/mod.rs",
    ];
    assert_eq!(names(prose), found);
    let has = |name: &str| repository.has(name, &["a"]);
    assert_eq!(found.map(has), [true, true, false, true, true, false, true, false, false, true]);
    let no_names = "`/simple`, `text/plain`, `HTTP/1.1`, `p0/t1`, `kit::args`, `target/smoke.json`, `a/out/b.rs`, `.rs`, `a/DIR`, \
                    https://example.org/a/b.rs, `path/to/x.json`, and/or";
    assert_eq!(names(no_names), [""; 0]);
    assert_eq!(comments_in("code();\n// a\n// b\nx // c\n", "//"), ["a\nb", ""]);
}

/// A page that people read, and no record.
fn is_page(path: &str) -> bool {
    path.ends_with(".md") && (!path.starts_with("results/") || path == "results/README.md")
}

/// The paths of this repository, with slashes.
struct Repository {
    files: Vec<String>,
    /// Files and folders.
    paths: BTreeSet<String>,
    /// What git ignores: from the root where the first is true, else anywhere.
    ignored: Vec<(bool, String)>,
}

impl Repository {
    fn read() -> Self {
        let mut files = Vec::new();
        collect(&root(), "", &mut files);
        assert!(files.len() > 500, "only {} files were found", files.len());
        files.sort_unstable();
        Self::of(files, &fs::read_to_string(root().join(".gitignore")).unwrap())
    }

    fn of(files: Vec<String>, ignored: &str) -> Self {
        let up = |file: &String| Path::new(file).ancestors().map(slashed).collect::<Vec<_>>();
        let paths = files.iter().flat_map(up).filter(|path| !path.is_empty()).collect();
        let ignored = ignored.lines().map(|line| (line.starts_with('/'), line.trim_matches('/').to_owned()));
        Self { paths, ignored: ignored.collect(), files }
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Whether `name` is a path from the root, from one of `folders` or, as `src/lib.rs`, from a crate's; without a slash,
    /// whether anything is called so.
    fn has(&self, name: &str, folders: &[&str]) -> bool {
        let name = name.trim_end_matches('/');
        alternatives(name).iter().all(|name| {
            if !name.contains('/') {
                return self.paths.iter().any(|path| matches(name, path.rsplit('/').next().unwrap_or(path)));
            }
            let below = |folder: &&str| self.paths.iter().any(|path| is_at(path, folder, name));
            let in_some_crate =
                || self.paths.iter().filter_map(|path| path.strip_suffix("/Cargo.toml")).any(|c| below(&c));
            below(&"") || folders.iter().any(below) || (is_within_a_crate(name) && in_some_crate())
        })
    }

    fn ignores(&self, name: &str) -> bool {
        let parts = || name.trim_end_matches('/').split('/');
        self.ignored.iter().any(|(from_the_root, ignored)| match from_the_root {
            true => name.starts_with(&format!("{ignored}/")) || name == ignored,
            false => parts().any(|part| part == ignored),
        })
    }
}

fn is_within_a_crate(name: &str) -> bool {
    name.starts_with("src/") || name.starts_with("tests/")
}

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn collect(folder: &Path, path: &str, files: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
        if [".git", "target", "node_modules"].contains(&name.as_str()) {
            continue;
        }
        match entry.file_type().unwrap().is_dir() {
            true => collect(&entry.path(), &path, files),
            false => files.push(path),
        }
    }
}

fn slashed(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// `name` as seen from `folder`, without `.` and `..`. `None` where it leads out of the repository.
fn joined(folder: &str, name: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in name.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Whether `path` is what `name` means in `folder`.
fn is_at(path: &str, folder: &str, name: &str) -> bool {
    joined(folder, name).is_some_and(|name| {
        let (mut path, mut name) =
            (path.split('/'), name.split('/').map(str::to_owned).collect::<Vec<_>>().into_iter());
        loop {
            match (path.next(), name.next()) {
                (None, None) => return true,
                (Some(part), Some(pattern)) if matches(&pattern, part) => {}
                _ => return false,
            }
        }
    })
}

/// Whether `pattern`, in which `*` is anything, describes all of `text`.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            (0..=text.len()).any(|at| text.is_char_boundary(at) && matches(rest, &text[at..]))
        }),
    }
}

/// What a name with a list in braces stands for.
fn alternatives(name: &str) -> Vec<String> {
    let Some((start, (list, end))) =
        name.split_once('{').and_then(|(start, rest)| Some((start, rest.split_once('}')?)))
    else {
        return vec![name.to_owned()];
    };
    list.split(',').flat_map(|one| alternatives(&format!("{start}{one}{end}"))).collect()
}

/// The comments of a file, each of successive lines.
fn comments_in(text: &str, mark: &str) -> Vec<String> {
    let mut comments = vec![String::new()];
    for line in text.lines() {
        let last = comments.last_mut().unwrap();
        match line.trim_start().strip_prefix(mark) {
            Some(comment) => {
                let comment = comment.trim_start_matches(['/', '!', '#']).trim();
                last.push_str(if last.is_empty() { "" } else { "\n" });
                last.push_str(comment);
            }
            None if last.is_empty() => {}
            None => comments.push(String::new()),
        }
    }
    comments
}

/// The words of `text` that name a path of this repository; `of` is the file that it stands in.
fn names_in(repository: &Repository, of: &str, text: &str) -> Vec<String> {
    let is_ours = |name: &str| {
        let shown = |c: char| c.is_ascii_alphanumeric() || "_-.*{},/".contains(c);
        let parts = || name.trim_end_matches('/').split('/');
        let is_placeholder = |part: &str| part.len() > 1 && part.chars().all(|c| c.is_ascii_uppercase());
        name.chars().all(shown)
            && !name.starts_with(['/', '-'])
            && !name.starts_with(EXAMPLE)
            && !parts().any(|part| part.is_empty() || is_placeholder(part))
            && !repository.ignores(name)
    };
    let ends_as_ours = |name: &str| {
        let file = name.rsplit('/').next().unwrap_or(name);
        ENDS.iter().any(|end| file.strip_suffix(end).is_some_and(|stem| !stem.is_empty()))
    };
    let is_below_ours = |name: &str| {
        let folders =
            || std::iter::once("").chain(Path::new(of).ancestors().skip(1).filter_map(Path::to_str));
        let first = name.split('/').next().unwrap_or(name);
        name.contains('/')
            && folders()
                .any(|folder| joined(folder, first).is_some_and(|path| repository.paths.contains(&path)))
    };
    let in_backticks = text.split("\n\n").flat_map(|paragraph| paragraph.split('`').skip(1).step_by(2));
    let in_backticks = in_backticks.filter(|name| ends_as_ours(name) || is_below_ours(name));
    let words = text.split_whitespace().map(|word| word.trim_matches(|c: char| "`.,;:()\"'*".contains(c)));
    let outside =
        words.filter(|word| word.contains('/') && ends_as_ours(word) && !text.contains(&format!("`{word}`")));
    in_backticks.chain(outside).filter(|name| is_ours(name)).map(str::to_owned).collect()
}

fn fault_of_heading(repository: &Repository, page: &str, heading: &str) -> Option<String> {
    if !repository.paths.contains(page) {
        return Some(format!("there is no {page}"));
    }
    let heading = heading.split_whitespace().collect::<Vec<_>>().join(" ");
    let is_there = titles_of(&repository.text(page)).contains(&heading);
    (!is_there).then(|| format!("{page} has no \"{heading}\""))
}

fn fault_of_link(repository: &Repository, page: &str, link: &str) -> Option<String> {
    let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
    let to = if path.is_empty() { Some(page.to_owned()) } else { joined(folder_of(page), path) };
    let Some(to) = to.filter(|to| repository.paths.contains(to)) else {
        return Some(format!("{link} leads to no file"));
    };
    let anchor = anchor?;
    let is_there = slugs_of(&repository.text(&to)).contains(anchor);
    (!is_there).then(|| format!("{link} leads to no heading"))
}
