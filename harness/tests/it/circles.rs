//! No circle of files inside a crate: what a file uses, through `use` or a path, must not lead back to it.
//!
//! A file is a module here. What a parent re-exports from a child counts as its use of the child; tests inside a file do not
//! count, nor does a parent's declaration that a child exists.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use cargo_metadata::MetadataCommand;
use syn::{
    Item, ItemMod, ItemUse, UseTree,
    visit::{self, Visit},
};

/// A module's place below its crate's root: empty for the root itself.
type Module = Vec<String>;

/// Who uses whom.
type Uses = BTreeMap<Module, BTreeSet<Module>>;

#[test]
fn no_files_of_a_crate_use_each_other_in_a_circle() {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let metadata = MetadataCommand::new().manifest_path(manifest).no_deps().exec().unwrap();
    let mut circles = Vec::new();
    let mut files = 0;
    for package in &metadata.packages {
        let uses = uses_of(package.manifest_path.parent().unwrap().join("src").as_std_path());
        files += uses.len();
        circles.extend(circle_in(&uses).map(|circle| format!("{}: {circle}", package.name)));
    }
    assert!(files > 300, "only {files} files were read");
    assert!(circles.is_empty(), "files use each other in a circle:\n{}", circles.join("\n"));
}

#[test]
fn a_circle_is_found_and_shown() {
    let uses = |sources: &[(&str, &str)]| {
        let modules: BTreeSet<Module> = sources.iter().map(|(path, _)| module_of(Path::new(path))).collect();
        let read = |(path, text): &(&str, &str)| {
            let module = module_of(Path::new(path));
            let used = used_by(&module, &syn::parse_file(text).unwrap(), &modules);
            (module, used)
        };
        circle_in(&sources.iter().map(read).collect())
    };
    assert_eq!(
        uses(&[("lib.rs", "mod a; mod b;"), ("a.rs", "use crate::b::X;"), ("b.rs", "pub struct X;")]),
        None
    );
    let two = [("lib.rs", ""), ("a.rs", "use super::{b::X as Y, c};"), ("b.rs", "fn f() { crate::a::g() }")];
    assert_eq!(uses(&two).as_deref(), Some("a -> b -> a"));
    let parent = [("a/mod.rs", "mod b; pub use b::X;"), ("a/b.rs", "use super::Y; pub struct X;")];
    assert_eq!(uses(&parent).as_deref(), Some("a -> a::b -> a"));
    let tested = [("a.rs", "use crate::b::X;"), ("b.rs", "#[cfg(test)] mod tests { use crate::a::Z; }")];
    assert_eq!(uses(&tested), None);
}

/// What each file below `folder` uses of the others.
fn uses_of(folder: &Path) -> Uses {
    let mut files = Vec::new();
    collect(folder, &mut files);
    let named: BTreeMap<Module, &PathBuf> =
        files.iter().map(|file| (module_of(file.strip_prefix(folder).unwrap()), file)).collect();
    let modules: BTreeSet<Module> = named.keys().cloned().collect();
    let read = |(module, file): (Module, &PathBuf)| {
        let text = fs::read_to_string(file).unwrap();
        let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let used = used_by(&module, &parsed, &modules);
        (module, used)
    };
    named.into_iter().map(read).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn module_of(file: &Path) -> Module {
    let mut module: Module =
        file.with_extension("").iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        module.pop();
    }
    module
}

fn used_by(module: &Module, file: &syn::File, modules: &BTreeSet<Module>) -> BTreeSet<Module> {
    let mut paths = Paths { found: Vec::new() };
    paths.visit_file(file);
    let led_to = paths.found.iter().filter_map(|path| resolve(module, path, modules));
    led_to.filter(|used| used != module).collect()
}

/// The file that `path`, as `module` writes it, leads to.
fn resolve(module: &Module, path: &[String], modules: &BTreeSet<Module>) -> Option<Module> {
    let (first, rest) = path.split_first()?;
    let mut full = match first.as_str() {
        "crate" => Vec::new(),
        "self" => module.clone(),
        "super" => module[..module.len().checked_sub(1)?].to_vec(),
        child => {
            let child = [module.as_slice(), &[child.to_owned()]].concat();
            modules.contains(&child).then_some(child)?
        }
    };
    for part in rest {
        match part.as_str() {
            "super" => drop(full.pop()),
            part => full.push(part.to_owned()),
        }
    }
    // The last parts name what is in the file.
    while !modules.contains(&full) {
        full.pop()?;
    }
    Some(full)
}

/// The paths that a file writes outside its tests.
struct Paths {
    found: Vec<Vec<String>>,
}

impl Paths {
    fn expand(&mut self, prefix: &[String], tree: &UseTree) {
        let with = |name: &syn::Ident| [prefix, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.expand(&with(&path.ident), &path.tree),
            UseTree::Name(name) => self.found.push(with(&name.ident)),
            UseTree::Rename(rename) => self.found.push(with(&rename.ident)),
            UseTree::Glob(_) => self.found.push(prefix.to_vec()),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.expand(prefix, tree)),
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.expand(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            self.found.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        }
        visit::visit_path(self, path);
    }

    fn visit_item(&mut self, item: &'ast Item) {
        // A module inside a file is the file's: its tests, as a rule, whose `super` is the file.
        if !matches!(item, Item::Mod(ItemMod { content: Some(_), .. })) {
            visit::visit_item(self, item);
        }
    }
}

/// The first circle, as `a -> b -> a`.
fn circle_in(uses: &Uses) -> Option<String> {
    let mut done = BTreeSet::new();
    uses.keys().find_map(|from| walk(from, uses, &mut Vec::new(), &mut done))
}

fn walk<'a>(
    at: &'a Module,
    uses: &'a Uses,
    way: &mut Vec<&'a Module>,
    done: &mut BTreeSet<&'a Module>,
) -> Option<String> {
    if let Some(from) = way.iter().position(|passed| *passed == at) {
        let shown = |module: &Module| if module.is_empty() { "lib".to_owned() } else { module.join("::") };
        let circle: Vec<String> = way[from..].iter().chain([&at]).map(|module| shown(module)).collect();
        return Some(circle.join(" -> "));
    }
    if done.contains(at) {
        return None;
    }
    way.push(at);
    let found = uses.get(at).into_iter().flatten().find_map(|next| walk(next, uses, way, done));
    way.pop();
    done.insert(at);
    found
}
