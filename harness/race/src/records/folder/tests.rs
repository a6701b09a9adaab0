use super::*;

#[test]
fn a_folder_that_holds_something_is_never_overwritten_unless_it_is_a_run() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("a");
    Folder::create(&path, false).unwrap();
    fs::write(path.join("precious"), "").unwrap();
    assert!(matches!(Folder::create(&path, false), Err(FolderError::Taken(_))));
    assert!(matches!(Folder::create(&path, true), Err(FolderError::Foreign(_))));
    fs::write(path.join(RUN), "{}").unwrap();
    Folder::create(&path, true).unwrap();
    assert!(path.join("precious").exists() && !path.join(RUN).exists());
}

#[test]
fn a_run_is_replaced_whole_with_what_its_end_left_unfinished() {
    let parent = tempfile::tempdir().unwrap();
    for name in FILES {
        fs::write(parent.path().join(name), "x").unwrap();
        fs::write(parent.path().join(name).with_extension(UNFINISHED), "x").unwrap();
    }
    Folder::create(parent.path(), true).unwrap();
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
}

#[test]
fn a_second_run_of_a_day_gets_a_folder_of_its_own() {
    let parent = tempfile::tempdir().unwrap();
    let mut names = Vec::new();
    for _ in 0..3 {
        let folder = Folder::create_dated(parent.path(), "2026-11-21", "host").unwrap();
        fs::write(folder.path().join("x"), "").unwrap();
        names.push(folder.path().file_name().unwrap().to_str().unwrap().to_owned());
    }
    assert_eq!(names, ["2026-11-21-host", "2026-11-21-host-2", "2026-11-21-host-3"]);
}
