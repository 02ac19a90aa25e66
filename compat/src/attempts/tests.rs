use std::net::{Ipv4Addr, Ipv6Addr};

use knock_engine::{Door, DoorName, DoorSequence, Doors};

use super::*;

/// What [`Attempts`] must be like: one list, oldest first, which is walked for everything.
#[derive(Default)]
struct OneList {
    list: Vec<(Serial, Attempt)>,
    suspects: Vec<Serial>,
}

impl OneList {
    fn by_expiry(&self) -> Vec<(Timestamp, u64, Serial)> {
        let expiry = |(serial, one): &(Serial, Attempt)| (one.expires, one.timer, *serial);
        let mut all: Vec<_> = self.list.iter().map(expiry).collect();
        all.sort_unstable();
        all
    }

    fn suspects(&mut self, now: Timestamp) -> Vec<Serial> {
        let marked = std::mem::take(&mut self.suspects);
        let is_suspect =
            |(serial, one): &&(Serial, Attempt)| marked.contains(serial) || one.expires <= now;
        self.list.iter().filter(is_suspect).map(|(serial, _)| *serial).collect()
    }

    fn get_mut(&mut self, serial: Serial) -> Option<&mut Attempt> {
        self.list.iter_mut().find(|(other, _)| *other == serial).map(|(_, attempt)| attempt)
    }
}

/// In whatever order they are added, set again and removed.
#[test]
fn attempts_are_those_of_one_list() {
    let (doors, clients) = (doors(), clients());
    let (mut attempts, mut plain) = (Attempts::default(), OneList::default());
    let mut random = Random(1);
    let mut gone = Vec::new();
    for number in 0..6_000_u64 {
        let any = pick(&mut random, &plain.list).map(|(serial, _)| serial);
        match (random.below(16), any) {
            (0..=5, _) | (_, None) => {
                let client = pick(&mut random, &clients).unwrap();
                let door = pick(&mut random, &doors).unwrap();
                let attempt = attempt(client, door, number, time(&mut random));
                plain.list.push((attempts.add(number, attempt), attempt));
            }
            (6 | 7, Some(serial)) => {
                attempts.remove(serial);
                plain.list.retain(|(other, _)| *other != serial);
                gone.push(serial);
            }
            (8 | 9, Some(serial)) => {
                let expires = time(&mut random);
                attempts.restart(serial, expires, number);
                let attempt = plain.get_mut(serial).unwrap();
                (attempt.expires, attempt.timer) = (expires, number);
            }
            (10, Some(serial)) => {
                attempts.fail(serial);
                plain.get_mut(serial).unwrap().stage = None;
                plain.suspects.push(serial);
            }
            (11, Some(_)) => {
                let door = pick(&mut random, &doors).unwrap();
                attempts.suspect_all_at(door);
                let at_door = plain.list.iter().filter(|(_, one)| one.door == door);
                plain.suspects.extend(at_door.map(|(serial, _)| *serial));
            }
            (12, Some(_)) => {
                let now = time(&mut random);
                let are_any = attempts.are_any_suspects(now);
                let mut suspects = attempts.suspects(now);
                assert_eq!(are_any, !suspects.is_empty());
                // Some that were marked may be gone.
                suspects.retain(|serial| attempts.get(*serial).is_some());
                assert_eq!(suspects, plain.suspects(now));
            }
            (13, Some(_)) if random.below(20) == 0 => {
                attempts.expire_at_whole_seconds();
                plain.list.iter_mut().for_each(|(_, one)| one.expires = one.expires.whole_second());
            }
            (14, Some(_)) if random.below(20) == 0 => {
                attempts.retain(|one| one.stage.is_some());
                plain.list.retain(|(_, one)| one.stage.is_some());
            }
            (15, Some(_)) if random.below(100) == 0 => {
                attempts.forget_all();
                plain = OneList::default();
            }
            _ => {
                // One that is gone changes nothing, though its place may be another's.
                let Some(serial) = pick(&mut random, &gone) else { continue };
                assert!(attempts.get(serial).is_none());
                attempts.remove(serial);
                attempts.restart(serial, Timestamp::EPOCH, number);
                attempts.fail(serial);
            }
        }
        assert_are_alike(&attempts, &plain);
        let client = pick(&mut random, &clients).unwrap();
        assert_are_alike_of(client, &attempts, &plain);
        let door = pick(&mut random, &doors).unwrap();
        assert_are_alike_at(door, &attempts, &plain);
    }
}

/// Also where the lists grow by much at once.
#[test]
fn many_attempts_are_found_and_forgotten() {
    let mut attempts = Attempts::default();
    let mut random = Random(1);
    let door = doors()[0];
    let client = |number: u64| IpAddr::V4(Ipv4Addr::from_bits(number.try_into().unwrap()));
    for round in 0..2 {
        for number in 0..70_000 {
            let attempt = attempt(client(number), door, number, time(&mut random));
            attempts.add(number + round * 70_000, attempt);
        }
        assert_eq!(attempts.len(), 70_000);
        assert!((0..70_000).all(|number| attempts.of(client(number)).count() == 1));
        attempts.forget_all();
        assert_eq!(attempts.len(), 0);
        assert!((0..70_000).all(|number| attempts.of(client(number)).count() == 0));
    }
}

fn assert_are_alike(attempts: &Attempts, plain: &OneList) {
    assert_eq!(attempts.len(), plain.list.len());
    assert_eq!(attempts.oldest(), plain.list.first().map(|(serial, _)| *serial));
    assert!(attempts.all().into_iter().eq(plain.list.iter().map(|(serial, _)| *serial)));
    let by_expiry = plain.by_expiry();
    assert_eq!(attempts.earliest(), by_expiry.first().copied());
    let expires = by_expiry.iter().map(|(expires, ..)| *expires);
    assert!(attempts.by_expiry().map(|one| one.expires).eq(expires));
    for (serial, one) in &plain.list {
        let attempt = attempts.get(*serial).unwrap();
        assert_eq!((attempt.client, attempt.stage), (one.client, one.stage));
    }
}

fn assert_are_alike_of(client: IpAddr, attempts: &Attempts, plain: &OneList) {
    let of_client = attempts.of(client).map(|(serial, _)| serial);
    let expected = plain.list.iter().filter(|(_, one)| one.client == client);
    assert!(of_client.eq(expected.map(|(serial, _)| *serial)));
    assert_eq!(attempts.are_there(client), attempts.of(client).next().is_some());
}

fn assert_are_alike_at(door: DoorId, attempts: &Attempts, plain: &OneList) {
    let mut expected = plain.by_expiry();
    expected.retain(|(.., serial)| attempts.get(*serial).unwrap().door == door);
    assert!(attempts.at_by_expiry(door).into_iter().eq(expected.iter().map(|one| one.2)));
}

/// Scattered numbers, the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33).checked_rem(end).unwrap()
    }
}

fn pick<T: Copy>(random: &mut Random, all: &[T]) -> Option<T> {
    let place = random.below(u64::try_from(all.len()).unwrap().max(1));
    all.get(usize::try_from(place).unwrap()).copied()
}

/// Few, so that many are alike, and some in the same second.
fn time(random: &mut Random) -> Timestamp {
    Timestamp::from_nanos(i64::try_from(random.below(12)).unwrap().saturating_mul(300_000_000))
}

fn attempt(client: IpAddr, door: DoorId, timer: u64, expires: Timestamp) -> Attempt {
    let (period, stage) = (PeriodMark::NONE, Some(Stage::FIRST));
    Attempt { client, door, period, stage, expires, timer, counted: None }
}

fn doors() -> [DoorId; 2] {
    let door = |name: &[u8]| Door::new(DoorName::new(name), DoorSequence::None);
    let doors = Doors::new(vec![door(b"one"), door(b"other")]).unwrap();
    [0, 1].map(|index| doors.with_index(index).unwrap())
}

/// Of both families; also one that has the same bits in both.
fn clients() -> [IpAddr; 6] {
    let v4 = |bits: u32| IpAddr::V4(Ipv4Addr::from_bits(bits));
    let v6 = |bits: u128| IpAddr::V6(Ipv6Addr::from_bits(bits));
    [v4(1), v4(2), v4(3), v6(1), v6(1 << 100), v6(0xffff_0000_0001)]
}
