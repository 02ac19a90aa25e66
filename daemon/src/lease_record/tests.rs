//! What is written is read again, and what was changed is not.

use proptest::prelude::*;

use super::text::{encode, header, parse, snapshot};
use super::*;

fn place() -> Place {
    Place::new("0a0b-0c", 4_026_531_840)
}

fn lease(number: u64, last: u8) -> StoredLease {
    StoredLease {
        number,
        door_name: b"a b%".to_vec(),
        client: [192, 0, 2, last].into(),
        stop: format!("iptables -D INPUT -s 192.0.2.{last} -j ACCEPT").into_bytes(),
        closes_after: Some(Duration::from_mins(10)),
        place: place(),
        group: None,
        due: None,
        is_closing: false,
    }
}

fn due() -> Due {
    Due { place: place(), since_boot: Duration::from_secs(9), wall: Duration::from_secs(1_700_000) }
}

/// A file with three doors that are open, one that is closed, and every kind of record.
fn file() -> Vec<u8> {
    let running = StoredLease {
        group: Some(Group { leader: 77, started: 12_345 }),
        closes_after: None,
        client: "2001:db8::1".parse().unwrap(),
        ..lease(12, 2)
    };
    let mut text = snapshot([&lease(11, 1), &running]);
    for record in [
        Record::Open(lease(13, 3)),
        Record::Runs(13, Group { leader: 78, started: 12_346 }),
        Record::Open(lease(14, 4)),
        Record::Due(13, due()),
        Record::Closing(13),
        Record::Closed(14),
    ] {
        encode(&record, &mut text);
    }
    text
}

#[test]
fn the_file_is_text() {
    let text = String::from_utf8(file()).unwrap();
    insta::assert_snapshot!(text);
}

#[test]
fn the_last_record_about_a_lease_counts() {
    let records = parse(&file());
    assert_eq!((records.damaged, records.is_ours), (0, true));
    assert_eq!(records.open.keys().copied().collect::<Vec<_>>(), [11, 12, 13]);
    assert_eq!(records.open[&11], lease(11, 1));
    assert_eq!(records.open[&12].group, Some(Group { leader: 77, started: 12_345 }));
    assert_eq!(
        records.open[&13],
        StoredLease { due: Some(due()), is_closing: true, ..lease(13, 3) }
    );
}

#[test]
fn whichever_byte_is_changed_no_altered_lease_is_read() {
    let text = file();
    let whole = parse(&text);
    // Every state that a lease has had.
    let mut known: Vec<StoredLease> = Vec::new();
    for length in 0..=text.len() {
        known.extend(parse(&text[..length]).open.into_values());
    }
    known.dedup();
    let commands: Vec<_> =
        known.iter().map(|one| (one.number, one.client, one.stop.clone())).collect();
    let mut tries = 0;
    for at in 0..text.len() {
        for value in (0..=u8::MAX).filter(|value| *value != text[at]) {
            let mut changed = text.clone();
            changed[at] = value;
            let records = parse(&changed);
            assert!(records.damaged > 0, "byte {at} as {value} is not noticed");
            assert!(records.is_ours);
            for (number, lease) in &records.open {
                let command = (*number, lease.client, lease.stop.clone());
                assert!(commands.contains(&command), "byte {at} as {value}: {lease:?}");
            }
            // No more than the lease whose record was hit is missing; a newline is between two.
            let missing = whole.open.keys().filter(|number| !records.open.contains_key(number));
            let hit = if text[at] == b'\n' { 2 } else { 1 };
            assert!(missing.count() <= hit, "byte {at} as {value}");
            tries += 1;
        }
    }
    assert_eq!(tries, text.len() * 255);
}

#[test]
fn of_a_file_that_was_cut_the_whole_records_are_read() {
    let text = file();
    for length in 1..text.len() {
        let records = parse(&text[..length]);
        let is_between = text[length - 1] == b'\n';
        assert_eq!(records.damaged, usize::from(!is_between), "{length}");
        let lines = text[..length].split(|byte| *byte == b'\n').count() - 1;
        assert_eq!(records.open.contains_key(&11), lines >= 2, "{length}");
    }
    let zeros = [&text[..], &[0; 4096]].concat();
    let records = parse(&zeros);
    assert_eq!((records.damaged, records.open.len()), (1, 3));
}

#[test]
fn a_record_of_another_version_is_not_used() {
    let other = [b"knockd leases 2\n".as_slice(), &file()[header().len()..]].concat();
    // These records are of version 1, whatever the first line says.
    assert_eq!((parse(&other).damaged, parse(&other).open.len()), (1, 3));
    let text = b"open 0 192.0.2.1 a rm -rf /\n";
    assert_eq!((parse(text).is_ours, parse(text).damaged, parse(text).open.len()), (false, 1, 0));
    assert_eq!(parse(b""), Records { is_ours: true, ..Records::default() });
}

#[test]
fn the_wall_clock_counts_after_a_boot_and_no_clock_prolongs() {
    let max = Duration::from_mins(1);
    let at = |boot: &str, since_boot, wall| Due {
        place: Place::new(boot, 1),
        since_boot: Duration::from_secs(since_boot),
        wall: Duration::from_secs(wall),
    };
    let due = at("a", 100, 1000).after(Duration::from_secs(10));
    let left = |now: Due| due.time_left(&now, max).as_secs();
    assert_eq!(left(at("a", 90, 5000)), 20);
    assert_eq!(left(at("a", 111, 0)), 0);
    assert_eq!(left(at("a", 1, 0)), 60);
    assert_eq!(left(at("b", 0, 990)), 20);
    assert_eq!(left(at("b", 0, 2000)), 0);
    assert_eq!(left(at("b", 200, 0)), 60);
}

proptest! {
    #[test]
    fn every_lease_is_read_as_it_was_written(
        number: u64,
        door_name in prop::collection::vec(any::<u8>(), 0..20),
        client: IpAddr,
        stop in prop::collection::vec(any::<u8>().prop_filter("no newline", |b| *b != b'\n'), 0..50),
        closes_after in prop::option::of(0_u64..u64::MAX),
        group in prop::option::of((any::<i32>(), any::<u64>())),
        due in prop::option::of((any::<u64>(), any::<u64>())),
        is_closing: bool,
    ) {
        let due = due.map(|(since_boot, wall)| Due {
            place: place(),
            since_boot: Duration::from_millis(since_boot),
            wall: Duration::from_millis(wall),
        });
        let group = group.filter(|_| due.is_none());
        let lease = StoredLease {
            number, door_name, client, stop, due, is_closing,
            closes_after: closes_after.map(Duration::from_millis),
            place: place(),
            group: group.map(|(leader, started)| Group { leader, started }),
        };
        let records = parse(&snapshot([&lease]));
        prop_assert_eq!(records.damaged, 0);
        prop_assert_eq!(records.open.into_values().collect::<Vec<_>>(), [lease]);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&text);
    }
}
