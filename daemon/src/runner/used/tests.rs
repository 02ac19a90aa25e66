use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::TempDir;

use super::*;

const START: Moment = Moment(1_000);
const SSH: SequenceId = SequenceId::from_bits(7);

fn at(period: u32) -> PeriodOfDoor {
    PeriodOfDoor { sequence: SSH, period }
}

fn client(last: u8) -> IpAddr {
    [192, 0, 2, last].into()
}

fn read(folder: &Path) -> (Used, Vec<String>) {
    Used::read(Places::new(Some(folder), None), 100_000, &Doors::new(vec![]).unwrap(), START)
}

fn text(folder: &Path) -> String {
    fs::read_to_string(folder.join("used")).unwrap()
}

#[test]
fn what_was_used_is_used_after_a_restart() {
    let folder = TempDir::new().unwrap();
    let (mut used, warnings) = read(folder.path());
    assert_eq!((used.periods(), warnings), (vec![], vec![]));
    assert!(!folder.path().join("used").exists());
    used.add_period(at(5), client(1)).unwrap();
    used.add_period(at(5), "2001:db8::1".parse().unwrap()).unwrap();
    used.add_period(at(9), client(1)).unwrap();
    let before = used.periods();
    assert_eq!(before.len(), 3);
    // As if the process was killed.
    std::mem::forget(used);
    let (mut used, warnings) = read(folder.path());
    assert_eq!((used.periods(), warnings), (before, vec![]));
    used.add_period(at(10), client(2)).unwrap();
    let all = used.periods();
    assert_eq!(all[0], (at(5), None), "{all:?}");
    assert_eq!(all.len(), 3);
    drop(used);
    assert_eq!(read(folder.path()).0.periods(), all);
}

#[test]
fn the_file_stays_small() {
    let folder = TempDir::new().unwrap();
    let (mut used, _) = read(folder.path());
    for period in 0..2_500 {
        used.add_period(at(period), client(1)).unwrap();
    }
    assert!(text(folder.path()).lines().count() < 1_100);
    let all = used.periods();
    drop(used);
    assert_eq!(read(folder.path()).0.periods(), all);
}

#[test]
fn what_a_power_cut_has_torn_is_left_out_and_said() {
    let folder = TempDir::new().unwrap();
    let (mut used, _) = read(folder.path());
    used.add_period(at(5), client(1)).unwrap();
    used.add_period(at(5), client(12)).unwrap();
    drop(used);
    let whole = text(folder.path());
    fs::write(folder.path().join("used"), whole.trim_end().strip_suffix('2').unwrap()).unwrap();
    let (used, warnings) = read(folder.path());
    assert_eq!(used.periods(), [(at(5), Some(client(1)))]);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("line 4 "), "{warnings:?}");
}

#[test]
fn a_file_that_others_can_write_is_not_believed() {
    let folder = TempDir::new().unwrap();
    let (mut used, _) = read(folder.path());
    used.add_period(at(5), client(1)).unwrap();
    drop(used);
    let path = folder.path().join("used");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    let (used, warnings) = read(folder.path());
    assert_eq!(used.periods(), []);
    assert!(warnings[0].contains("another user may have written it"), "{warnings:?}");
}

#[test]
fn a_file_that_somebody_removes_is_written_again() {
    let folder = TempDir::new().unwrap();
    let (mut used, _) = read(folder.path());
    used.add_period(at(5), client(1)).unwrap();
    fs::remove_file(folder.path().join("used")).unwrap();
    used.add_period(at(5), client(2)).unwrap();
    let all = used.periods();
    drop(used);
    assert_eq!(read(folder.path()).0.periods(), all);
}

#[test]
fn a_second_daemon_has_a_file_of_its_own_and_a_third_reads_both() {
    let folder = TempDir::new().unwrap();
    let ((mut one, _), (mut other, _)) = (read(folder.path()), read(folder.path()));
    one.add_period(at(5), client(1)).unwrap();
    other.add_period(at(5), client(2)).unwrap();
    assert!(folder.path().join("used.2").exists());
    let (third, _) = read(folder.path());
    assert_eq!(third.periods(), [(at(5), Some(client(1))), (at(5), Some(client(2)))]);
}

#[test]
fn a_use_that_cannot_be_written_is_a_use_all_the_same() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let (mut used, _) = read(&file);
    let why = used.add_period(at(5), client(1)).unwrap_err();
    assert!(why.starts_with("cannot write "), "{why}");
    assert_eq!(used.periods(), [(at(5), Some(client(1)))]);
    fs::remove_file(&file).unwrap();
    used.add_period(at(5), client(2)).unwrap();
    let all = used.periods();
    drop(used);
    assert_eq!(read(&file).0.periods(), all);
}

#[test]
fn there_are_no_more_uses_than_the_limit() {
    let folder = TempDir::new().unwrap();
    let (mut used, _) = read(folder.path());
    used.limit = 2;
    for number in [1, 2] {
        used.add_period(at(5), client(number)).unwrap();
    }
    assert_eq!(used.add_period(at(5), client(3)).unwrap_err(), "too many sequences were used");
}

/// Uses a moment of a key, in a daemon that began at `start`.
fn use_moment(folder: &Path, start: u64, moment: u64) -> Result<(), NotUsed> {
    let none = Doors::new(vec![]).unwrap();
    let places = Places::new(Some(folder), None);
    let (mut used, _) = Used::read(places, 100_000, &none, Moment(start));
    used.add_moment(KeyId([7; 8]), Moment(moment), &none)
}

#[test]
fn a_moment_is_used_once_over_restarts_and_none_counts_from_before_the_file() {
    let folder = TempDir::new().unwrap();
    let never = Err(NotUsed::Never("a packet with its moment was used before".to_owned()));
    assert_eq!(use_moment(folder.path(), 1_000, 1_000), never);
    assert_eq!(use_moment(folder.path(), 1_000, 1_001), Ok(()));
    assert_eq!(use_moment(folder.path(), 2_000, 1_001), never);
    assert_eq!(use_moment(folder.path(), 2_000, 999), never);
    assert_eq!(use_moment(folder.path(), 2_000, 1_002), Ok(()));
    let (used, warnings) = read(folder.path());
    let used = used.moments();
    assert_eq!((used.floor, warnings), (Moment(1_000), vec![]));
    let key = KeyId([7; 8]);
    assert_eq!(used.used, [(key, Moment(1_001)), (key, Moment(1_002))]);
    fs::remove_file(folder.path().join("used")).unwrap();
    assert_eq!(use_moment(folder.path(), 3_000, 1_003), never);
    assert_eq!(use_moment(folder.path(), 3_000, 3_001), Ok(()));
    // A clock that was wrong at the first start shuts nobody out for ever.
    let (used, _) = read(folder.path());
    assert_eq!(used.moments().floor, START);
}

#[test]
fn nothing_from_before_the_start_counts_where_the_file_is_damaged() {
    let folder = TempDir::new().unwrap();
    assert_eq!(use_moment(folder.path(), 1_000, 1_001), Ok(()));
    let whole = text(folder.path());
    fs::write(folder.path().join("used"), format!("{whole}moment 0707")).unwrap();
    assert!(use_moment(folder.path(), 2_000, 1_002).is_err());
    assert_eq!(use_moment(folder.path(), 2_000, 2_001), Ok(()));
}
