//! The store on a real file system.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::lease;
use crate::lease_record::{Record, StoredLease, parse, snapshot};
use crate::places::Places;
use crate::runner::lease_store::{Event, Found, LeaseStore};

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn places(&self) -> Places {
        Places::new(Some(self.0.path()), None)
    }

    fn open(&self) -> (LeaseStore, Found) {
        LeaseStore::open(self.places()).unwrap()
    }

    fn write(&self, name: &str, text: &[u8], mode: u32) {
        fs::write(self.path(name), text).unwrap();
        fs::set_permissions(self.path(name), Permissions::from_mode(mode)).unwrap();
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn numbers(left: &[StoredLease]) -> Vec<u64> {
    left.iter().map(|lease| lease.number).collect()
}

/// Waits for an event.
fn next(store: &mut LeaseStore) -> Event {
    let begin = Instant::now();
    loop {
        if let Ok(event) = store.events.try_recv() {
            return event;
        }
        assert!(begin.elapsed() < Duration::from_mins(1), "no event came");
        thread::sleep(Duration::from_millis(1));
    }
}

fn in_file(path: &Path) -> Vec<u64> {
    fs::read(path).map(|text| parse(&text).open.into_keys().collect()).unwrap_or_default()
}

fn wait_for_file(path: &Path, expected: &[u64]) {
    let begin = Instant::now();
    while in_file(path) != expected {
        assert!(begin.elapsed() < Duration::from_mins(1), "{:?}", in_file(path));
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn what_was_not_closed_is_left_for_the_next_store() {
    let folder = Folder::new();
    let (mut store, found) = folder.open();
    assert_eq!((found.left.len(), found.warnings.len(), found.failure), (0, 0, None));
    store.write(Record::Open(lease(1)));
    assert_eq!(next(&mut store), Event::Written(vec![1]));
    store.write(Record::Open(lease(2)));
    assert_eq!(next(&mut store), Event::Written(vec![2]));
    store.write(Record::Closed(1));
    drop(store);
    assert_eq!(fs::metadata(folder.path("leases")).unwrap().mode() & 0o777, 0o600);
    let (store, found) = folder.open();
    assert_eq!(numbers(&found.left), [2]);
    store.write(Record::Closed(2));
    drop(store);
    assert_eq!(folder.names(), Vec::<String>::new());
}

#[test]
fn the_folder_is_created_for_its_owner_only() {
    let folder = Folder::new();
    let inner = folder.path("a/b");
    let (mut store, _) = LeaseStore::open(Places::new(Some(&inner), None)).unwrap();
    store.write(Record::Open(lease(1)));
    assert_eq!(next(&mut store), Event::Written(vec![1]));
    assert_eq!(fs::metadata(&inner).unwrap().mode() & 0o777, 0o700);
    drop(store);
    assert_eq!(in_file(&inner.join("leases")), [1]);
}

#[test]
fn a_file_that_others_remove_replace_or_cut_is_written_again() {
    let folder = Folder::new();
    let path = folder.path("leases");
    let (mut store, _) = folder.open();
    store.write(Record::Open(lease(1)));
    assert_eq!(next(&mut store), Event::Written(vec![1]));
    let changes: [fn(&Path); 5] = [
        |path| fs::remove_file(path).unwrap(),
        |path| fs::write(path, "").unwrap(),
        |path| {
            let other = path.with_extension("other");
            fs::write(&other, "other").unwrap();
            fs::rename(other, path).unwrap();
        },
        |path| fs::set_permissions(path, Permissions::from_mode(0o666)).unwrap(),
        |path| fs::remove_dir_all(path.parent().unwrap()).unwrap(),
    ];
    for change in changes {
        change(&path);
        let Event::Warning(text) = next(&mut store) else { panic!() };
        let expected = format!(
            "knockd: warning: {} was changed or removed by another program; it has been written again",
            path.display()
        );
        assert_eq!(text, expected);
        assert_eq!(in_file(&path), [1]);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }
    // Also by the next opening, without waiting.
    fs::remove_file(&path).unwrap();
    store.write(Record::Open(lease(2)));
    assert!(matches!(next(&mut store), Event::Warning(_)));
    assert_eq!(in_file(&path), [1, 2]);
    drop(store);
}

#[test]
fn two_daemons_keep_their_leases_apart_and_the_next_one_finds_both() {
    let folder = Folder::new();
    let (mut first, _) = folder.open();
    let (mut second, found) = folder.open();
    assert_eq!((found.left.len(), found.failure), (0, None));
    first.write(Record::Open(lease(1)));
    second.write(Record::Open(lease(2)));
    assert_eq!(next(&mut first), Event::Written(vec![1]));
    assert_eq!(next(&mut second), Event::Written(vec![2]));
    drop(first);
    let (third, found) = folder.open();
    assert_eq!(numbers(&found.left), [1]);
    drop(second);
    drop(third);
    let (fourth, found) = folder.open();
    assert_eq!(numbers(&found.left), [1, 2]);
    assert_eq!(folder.names(), ["leases"]);
    assert_eq!(in_file(&folder.path("leases")), [1, 2]);
    drop(fourth);
}

#[test]
fn a_damaged_file_is_set_aside_and_its_whole_records_count() {
    let folder = Folder::new();
    let mut text = snapshot([&lease(1), &lease(2)]);
    let length = text.len();
    text[length - 3] ^= 1;
    folder.write("leases", &text, 0o600);
    for aside in ["leases.damaged", "leases.damaged.2"] {
        let (store, found) = folder.open();
        assert_eq!(numbers(&found.left), [1]);
        let path = folder.path("leases").display().to_string();
        let expected = format!(
            "{path} is damaged: 1 of its lines cannot be read; set aside as {}; the 1 door that can be \
             read will be closed; look in it for doors that are still open, and close them by hand",
            folder.path(aside).display()
        );
        assert_eq!(found.warnings, [expected]);
        assert_eq!(fs::read(folder.path(aside)).unwrap(), text);
        assert_eq!(in_file(&folder.path("leases")), [1]);
        drop(store);
        folder.write("leases", &text, 0o600);
    }
}

#[test]
fn no_more_than_nine_damaged_files_are_kept() {
    let folder = Folder::new();
    for _ in 0..12 {
        folder.write("leases", b"knockd leases 1\nx\n", 0o600);
        let (store, found) = folder.open();
        assert_eq!(found.warnings.len(), 1);
        drop(store);
    }
    assert_eq!(folder.names().len(), 9);
}

#[test]
fn a_file_that_another_user_may_have_written_is_set_aside_and_not_used() {
    let folder = Folder::new();
    folder.write("leases", &snapshot([&lease(1)]), 0o620);
    let (store, found) = folder.open();
    assert_eq!((found.left.len(), found.failure), (0, None));
    assert!(found.warnings[0].starts_with("will not run the stop commands in "));
    assert_eq!(folder.names(), ["leases", "leases.untrusted"]);
    drop(store);
}

#[test]
fn a_file_of_another_program_is_left_as_it_is_if_the_directive_names_it() {
    let folder = Folder::new();
    folder.write("passwd", b"root:x:0:0\n", 0o600);
    let places = Places::new(None, Some(&folder.path("passwd")));
    let (mut store, found) = LeaseStore::open(places).unwrap();
    assert!(found.warnings[0].contains("has no open doors but something else"));
    store.write(Record::Open(lease(1)));
    assert_eq!(next(&mut store), Event::Written(vec![1]));
    assert_eq!(folder.names(), ["passwd", "passwd.2"]);
    assert_eq!(fs::read(folder.path("passwd")).unwrap(), b"root:x:0:0\n");
    drop(store);
}

#[test]
fn links_folders_and_devices_are_not_used() {
    let folder = Folder::new();
    folder.write("other", &snapshot([&lease(1)]), 0o600);
    symlink(folder.path("other"), folder.path("leases")).unwrap();
    fs::create_dir(folder.path("leases.2")).unwrap();
    let (store, found) = folder.open();
    assert_eq!((found.left.len(), found.warnings.len(), found.failure), (0, 2, None));
    assert_eq!(folder.names(), ["leases", "leases.2", "leases.3", "other"]);
    drop(store);
    let (store, found) = LeaseStore::open(Places::new(None, Some(Path::new("/dev/null")))).unwrap();
    assert!(found.warnings[0].contains("not a regular file"), "{:?}", found.warnings);
    drop(store);
}

#[test]
fn where_no_file_can_be_used_the_reason_is_said_and_not_that_there_are_too_many_daemons() {
    let folder = Folder::new();
    for slot in 1..=16 {
        let name = if slot == 1 { "leases".to_owned() } else { format!("leases.{slot}") };
        symlink(folder.path("other"), folder.path(&name)).unwrap();
    }
    let (store, found) = folder.open();
    let why = found.failure.unwrap();
    assert!(why.starts_with("cannot use ") && why.contains("it is a symbolic link"), "{why}");
    drop(store);
}

#[test]
fn a_store_without_a_file_begins_one_as_soon_as_it_can() {
    let folder = Folder::new();
    folder.write("no-folder", b"", 0o600);
    let inner = folder.path("no-folder/state");
    let (mut store, found) = LeaseStore::open(Places::new(Some(&inner), None)).unwrap();
    let path = inner.join("leases").display().to_string();
    let why = format!("cannot write {path}: part of the path is not a directory");
    assert_eq!(found.failure.unwrap(), why);
    store.write(Record::Open(lease(1)));
    let Event::NotWritten(numbers, again) = next(&mut store) else { panic!() };
    assert_eq!((numbers, again), (vec![1], why));
    fs::remove_file(folder.path("no-folder")).unwrap();
    let again = format!("knockd: open doors are remembered in {path} again");
    assert_eq!(next(&mut store), Event::Warning(again));
    assert_eq!(in_file(&inner.join("leases")), [1]);
    drop(store);
}

#[test]
fn leases_move_to_another_place() {
    let folder = Folder::new();
    let (mut store, _) = folder.open();
    store.write(Record::Open(lease(1)));
    assert_eq!(next(&mut store), Event::Written(vec![1]));
    store.move_to(Places::new(Some(&folder.path("new")), None));
    wait_for_file(&folder.path("new/leases"), &[1]);
    store.write(Record::Open(lease(2)));
    assert_eq!(next(&mut store), Event::Written(vec![2]));
    assert_eq!(folder.names(), ["new"]);
    // A place that cannot be used is not better than the old one.
    fs::write(folder.path("file"), "").unwrap();
    store.move_to(Places::new(Some(&folder.path("file/x")), None));
    assert!(matches!(next(&mut store), Event::Warning(_)));
    drop(store);
    assert_eq!(in_file(&folder.path("new/leases")), [1, 2]);
}

#[test]
fn doors_that_were_closed_do_not_make_the_file_grow() {
    let folder = Folder::new();
    let (mut store, _) = folder.open();
    store.write(Record::Open(lease(1)));
    assert_eq!(next(&mut store), Event::Written(vec![1]));
    let mut longest = 0;
    for number in 2..3_000 {
        store.write(Record::Open(lease(number)));
        store.write(Record::Closed(number));
        let _ = next(&mut store);
        longest = longest.max(fs::metadata(folder.path("leases")).unwrap().len());
    }
    assert!((10_000..200_000).contains(&longest), "{longest}");
    drop(store);
    assert_eq!(in_file(&folder.path("leases")), [1]);
}
