//! servers/README.md names every contestant and every row.

use std::{collections::BTreeSet, fs, path::Path};

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

#[test]
fn every_folder_and_every_row_stands_in_the_table_of_servers() {
    let page = fs::read_to_string(root().join("servers/README.md")).unwrap();
    let lines: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with('|'))
        .map(|line| line.split('|').map(str::trim).collect())
        .skip(2)
        .collect();
    let column =
        |index: usize| -> BTreeSet<String> { lines.iter().map(|cells| cells[index].to_owned()).collect() };
    let registry: toml::Table =
        fs::read_to_string(root().join("harness/servers.toml")).unwrap().parse().unwrap();
    let rows: BTreeSet<String> = registry["row"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(column(1), rows);
    let folders: BTreeSet<String> = fs::read_dir(root().join("servers"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir() && entry.file_name() != "shared")
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    assert_eq!(column(2), folders);
    // A row is compared with another one, or with all.
    let strangers: Vec<String> =
        column(5).into_iter().filter(|name| name != "every row" && !rows.contains(name)).collect();
    assert!(strangers.is_empty(), "{strangers:?}");
}
