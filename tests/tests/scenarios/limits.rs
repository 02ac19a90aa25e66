//! Limits.

use super::*;

fn client(number: u8) -> String {
    ["192.0.2.", &number.to_string()].concat()
}

#[test]
fn at_the_limit_the_least_progress_makes_room_oldest_first() {
    let door = || vec![door("d", "1,2,3")];
    let mut play = Play::with_limit(door(), 3);
    for number in 1..=3 {
        play.event(seconds(f64::from(number)), Event::Packet(syn(&client(number), 1)));
    }
    // Client 1 is further than 2 and 3, so 2 goes, then 3.
    play.event(seconds(3.1), Event::Packet(syn(&client(1), 2)));
    play.event(seconds(3.2), Event::Packet(syn(&client(4), 1)));
    play.event(seconds(3.3), Event::Packet(syn(&client(5), 1)));
    assert_eq!(
        play.notes,
        [
            "192.0.2.2: d: dropped at stage 1: evicted for another attempt at the limit",
            "192.0.2.3: d: dropped at stage 1: evicted for another attempt at the limit",
        ]
    );
    assert_eq!(play.engine.live_attempts(), 3);
    assert_eq!(play.engine.counts().evicted, 2);
    play.event(seconds(3.4), Event::Packet(syn(&client(1), 3)));
    assert_eq!(play.lines.last().map(String::as_str), Some("192.0.2.1: d: OPEN SESAME"));
}

#[test]
fn at_the_limit_the_opening_next_to_be_forgotten_goes_first() {
    let mut play = Play::with_limit(vec![door("d", "1")], 2);
    for number in 1..=3 {
        let packet = syn(&client(number), 1).number(7);
        play.event(seconds(f64::from(number) / 10.0), Event::Packet(packet));
    }
    assert_eq!(play.engine.counts().forgotten_knocks, 1);
    let play = play.packets(&[(1.0, syn(&client(1), 1).number(7))]);
    assert_eq!(play.engine.counts().opened, 4);
    let play = play.packets(&[(1.1, syn(&client(3), 1).number(7))]);
    assert_eq!(play.engine.counts().opened, 4);
}

#[test]
fn at_the_limit_a_packet_that_opens_two_doors_is_remembered_for_the_longer_timeout() {
    let short = Door { seq_timeout: Seconds::new(2).unwrap(), ..door("short", "1") };
    let packets = [(0.0, syn(A, 1).number(7)), (4.0, syn(A, 1).number(7))];
    let play = Play::with_limit(vec![door("long", "1"), short], 1).packets(&packets);
    assert_eq!(play.engine.counts().opened, 2);
    assert_eq!(play.engine.counts().forgotten_knocks, 0);
}

#[test]
fn at_the_limit_of_leases_a_door_with_a_command_stays_shut() {
    let doors = vec![door("d", "1").runs("s", "t"), door("quiet", "2")];
    let mut play = Play::with_limit(doors, 2);
    for number in 1..=3 {
        play.event(seconds(f64::from(number)), Event::Packet(syn(&client(number), 1)));
    }
    assert_eq!(play.engine.counts().opened, 2);
    assert_eq!(play.engine.counts().refused, 1);
    assert_eq!(
        play.messages,
        ["192.0.2.3: d: not opened: busy, too many commands and open doors are pending"]
    );
    play.event(seconds(4.0), Event::Packet(syn(A, 2)));
    assert_eq!(play.engine.counts().opened, 3);
    // The first lease is over, so there is a free place again.
    play.event(seconds(11.0), Event::Packet(syn(A, 1)));
    assert_eq!(play.engine.counts().opened, 4);
}
