//! Clients whose attempts are voided again and again.

use super::*;

/// Voids an attempt of a client, whose first knock is at this second. Returns the hints.
fn void(engine: &mut Engine, client: &str, second: f64) -> Vec<String> {
    let mut hints = Vec::new();
    for (after, port) in [(0.0, 1), (0.25, 3)] {
        engine.handle(seconds(second + after), Event::Packet(syn(client, port)));
        while let Some(timed) = engine.poll_effect() {
            if let Effect::VoidedOften { .. } = timed.effect {
                let mut text = Vec::new();
                assert_eq!(
                    transcript::write(&timed.effect, engine.doors(), &mut text),
                    Channel::Message
                );
                hints.push(String::from_utf8(text).unwrap());
            }
        }
    }
    hints
}

fn engine() -> Engine {
    let doors = Doors::new(vec![door("d", "1,2"), door("e", "1,2"), door("f", "5,3")]).unwrap();
    Engine::new(doors, Listening::everywhere(), &Limits::default())
}

#[test]
fn the_fifth_void_in_ten_seconds_is_reported_once() {
    let mut engine = engine();
    let mut hints = Vec::new();
    for second in 0..20 {
        hints.extend(void(&mut engine, A, f64::from(second)));
    }
    // A packet that voids several attempts counts once.
    let hint = "192.0.2.10: e: voided 5 times in 4.0 s by packets from the client's address, the last to \
                3/tcp: forged?";
    assert_eq!(hints, [hint, hint]);
}

#[test]
fn a_client_that_mistakes_its_knocks_now_and_then_is_not_reported() {
    let mut engine = engine();
    for try_ in 0..40 {
        assert!(void(&mut engine, A, f64::from(try_) * 2.6).is_empty());
    }
    assert_eq!(engine.counts().voided, 80);
}

/// Whoever forges many addresses must not fill the log.
#[test]
fn ten_clients_at_most_are_reported_in_ten_seconds() {
    let mut engine = engine();
    let client = |number: u8| format!("192.0.2.{number}");
    let mut hints = 0;
    for second in 0..9 {
        for number in 0..100 {
            hints +=
                void(&mut engine, &client(number), f64::from(second) + 0.001 * f64::from(number))
                    .len();
        }
    }
    assert_eq!(hints, 10);
    let mut later = 0;
    for second in 20..29 {
        later += void(&mut engine, &client(7), f64::from(second)).len();
    }
    assert_eq!(later, 1);
}
