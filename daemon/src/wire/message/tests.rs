use knock_config as config;
use knock_engine::{
    CommandStatus, KeyNumber, MarkId, Note, Obstacle, Phase, Protocol, RunId, Seconds, Skip, Stage,
};
use knock_signed::{Refusal, SequenceId};
use proptest::prelude::*;

use super::*;
use crate::wire::COUNTED;

/// Two doors.
fn doors() -> Doors {
    let config = config::parse(b"[a]\nsequence = 1\n[b]\nsequence = 2\n").config.unwrap();
    Doors::new(config.doors.into_iter().map(|door| door.door()).collect()).unwrap()
}

fn clients() -> [IpAddr; 3] {
    ["192.0.2.1", "2001:db8::1", "::192.0.2.1"].map(|address| address.parse().unwrap())
}

/// Every effect that the daemon's engine has, with every kind of address.
fn effects() -> Vec<Effect> {
    let doors = doors();
    let door = doors.with_index(1).unwrap();
    let stage = Stage::new(32).unwrap();
    let knock = Knock { port: Port(65_535), protocol: Protocol::Udp };
    let run = RunId::from_bits(u64::MAX - 7);
    let mark = MarkId::from_bits(u64::MAX - 9);
    let sequence = SequenceId::from_bits(u64::MAX - 11);
    let key = KeyNumber(u16::MAX - 1);
    let mut all = vec![
        Effect::CommandFailed { door, status: CommandStatus(255) },
        Effect::DoorDisabled { door },
        Effect::ReloadRefused,
    ];
    for client in clients() {
        all.extend([
            Effect::StageReached { client, door, stage },
            Effect::SequenceTimedOut { client, door, stage },
            Effect::Opened { client, door },
            Effect::RunCommand { run, client, door, phase: Phase::Start },
            Effect::RunCommand { run, client, door, phase: Phase::Stop },
            Effect::CommandTimedOut { client, door },
            Effect::Admit { client, door, lasts: Seconds::MAX },
            Effect::Closing { client, door },
            Effect::AdmissionEnded { client, door },
            Effect::OpeningSkipped { client, door, why: Skip::AtMax, again: false },
            Effect::OpeningSkipped { client, door, why: Skip::ClientLimit, again: false },
            Effect::OpeningSkipped { client, door, why: Skip::DoorLimit, again: true },
            Effect::OpeningSkipped { client, door, why: Skip::PeriodUsed, again: true },
            Effect::MarkOneTime { mark, client, door, line: u32::MAX, offset: u64::MAX },
            Effect::MarkPeriod { mark, client, door, sequence, period: u32::MAX - 12 },
            Effect::MarkMoment { mark, client, door, key, moment: u64::MAX - 13, closes: false },
            Effect::MarkMoment { mark, client, door, key, moment: 7, closes: true },
            Effect::NotSigned { client, why: Refusal::ClockOff { ahead: -7 }, key: Some(key) },
            Effect::NotSigned { client, why: Refusal::HintUnknown, key: None },
            Effect::OpeningRefused { client, door, why: Obstacle::Limit },
            Effect::OpeningRefused { client, door, why: Obstacle::NotMarked },
            Effect::OpeningSkipped { client, door, why: Skip::Merged, again: false },
            Effect::OpeningSkipped { client, door, why: Skip::AlreadyOpen, again: true },
            Effect::OpeningSkipped { client, door, why: Skip::Cooldown, again: true },
            Effect::VoidedOften { client, door, knock, packets: 5, millis: u32::MAX },
            Effect::Note(Note::Retransmission { client, knock }),
            Effect::Note(Note::OtherFlags { client, door, stage }),
            Effect::Note(Note::SecondTry { client, door, stage, knock }),
            Effect::Note(Note::Voided { client, door, stage, knock }),
            Effect::Note(Note::Evicted { client, door, stage }),
            Effect::Note(Note::SequenceChanged { client, door, stage }),
            Effect::Note(Note::DoorChanged { client, door, stage }),
        ]);
    }
    all
}

fn messages() -> Vec<Message> {
    let [four, six, _] = clients();
    let seen = |source, destination| {
        Message::SeenPacket(SeenPacket {
            source,
            destination,
            source_port: Port(40_000),
            knock: Knock { port: Port(7), protocol: Protocol::Tcp },
            length: 1_500,
        })
    };
    let mut all = vec![
        Message::Listening,
        Message::Ended,
        Message::Stale,
        Message::Alive,
        Message::CaptureFailed(CaptureNumber(u32::MAX)),
        Message::Settled(u32::MAX - 1),
        Message::Attempt(ListedAttempt {
            client: six,
            door: doors().with_index(1).unwrap(),
            stage: Stage::new(31).unwrap(),
            expires_in: u64::MAX - 2,
        }),
        Message::AttemptsEnd(u64::MAX - 3),
        seen(four, six),
        seen(six, four),
        Message::Adopted(vec![]),
        Message::Adopted(vec![3, 0, 65_535]),
        Message::Text(Level::Warning, b"no \xff more".to_vec()),
        Message::Text(Level::Error, vec![]),
    ];
    all.extend(Loss::ALL.map(|loss| Message::Lost(loss, u64::MAX)));
    all.extend(COUNTED.map(|why| Message::Refused(why, u64::MAX)));
    all.extend(effects().into_iter().map(Message::Effect));
    all
}

fn bytes(messages: &[Message]) -> Vec<u8> {
    let mut out = VecDeque::new();
    for message in messages {
        message.write(&mut out);
    }
    out.into()
}

#[test]
fn every_message_is_parsed_as_it_was_written_in_pieces_of_any_size() {
    let bytes = bytes(&messages());
    for piece in [1, RECORD_BYTES + 1, bytes.len()] {
        let mut reader = MessageReader::default();
        let mut arrived = Vec::new();
        for piece in bytes.chunks(piece) {
            reader.push(piece);
            while let Some(message) = reader.next(&doors()).unwrap() {
                arrived.push(message);
            }
        }
        assert_eq!(arrived, messages());
    }
}

#[test]
fn a_long_text_is_cut() {
    let sent = bytes(&[Message::Text(Level::Error, vec![b'x'; TEXT_MAX + 1])]);
    let mut reader = MessageReader::default();
    reader.push(&sent);
    let cut = Message::Text(Level::Error, vec![b'x'; TEXT_MAX]);
    assert_eq!(reader.next(&doors()), Ok(Some(cut)));
    assert_eq!(reader.next(&doors()), Ok(None));
}

#[test]
fn a_message_that_no_working_sniffer_sends_is_invalid() {
    let of = |kind| {
        let mut all = effects().into_iter().map(|effect| fields_of(&effect));
        all.find(|fields| fields.kind == kind).unwrap()
    };
    let valid = of(kind::STAGE_REACHED);
    let unsound = [
        Fields { kind: 0, ..valid },
        Fields { kind: 255, ..valid },
        Fields { door: 2, ..valid },
        Fields { small: 33, ..valid },
        Fields { client: None, ..valid },
        Fields { kind: kind::ATTEMPT, client: None, ..valid },
        Fields { kind: kind::ATTEMPT, door: 2, ..valid },
        Fields { kind: kind::SEEN_PACKET, destination: None, ..valid },
        Fields { kind: kind::LOST, small: 6, ..valid },
        Fields { kind: kind::TEXT, length: 513, ..valid },
        Fields { kind: kind::ADOPTED, length: 65_536, ..valid },
        Fields { small: 2, ..of(kind::RUN_COMMAND) },
        Fields { small: 2, ..of(kind::OPENING_REFUSED) },
        Fields { client: None, ..of(kind::MARK_ONE_TIME) },
        Fields { length: u32::MAX, ..of(kind::ADMIT) },
        Fields { client: None, ..of(kind::ADMISSION_ENDED) },
    ];
    for fields in unsound {
        let mut reader = MessageReader::default();
        reader.push(&fields.bytes());
        assert_eq!(reader.next(&doors()), Err(InvalidMessage), "{fields:?}");
    }
    let mut odd = bytes(&[Message::Adopted(vec![1])]);
    odd.push(0);
    odd[15] = 3;
    let mut reader = MessageReader::default();
    reader.push(&odd);
    assert_eq!(reader.next(&doors()), Err(InvalidMessage));
}

proptest! {
    /// Whatever a broken sniffer sends is invalid, or a message about a door that exists.
    #[test]
    fn no_bytes_make_the_reader_panic_or_name_a_door_that_does_not_exist(
        sent in proptest::collection::vec(any::<u8>(), 0..400),
        kind in prop_oneof![1..11_u8, 16..26_u8, 32..38_u8],
    ) {
        let doors = doors();
        let mut reader = MessageReader::default();
        let mut sent = sent;
        if let Some(first) = sent.first_mut() {
            *first = kind;
        }
        reader.push(&sent);
        while let Ok(Some(message)) = reader.next(&doors) {
            if let Message::Effect(effect) = message {
                let mut line = Vec::new();
                knock_engine::transcript::write(&effect, &doors, &mut line);
                prop_assert!(!line.is_empty());
            }
        }
    }
}

#[test]
fn room_for_a_burst_of_messages_is_not_kept() {
    let mut reader = MessageReader::default();
    for _ in 0..2 {
        for _ in 0..20_000 {
            reader.push(&bytes(&[Message::Alive]));
        }
        let all = std::iter::from_fn(|| reader.next(&doors()).unwrap());
        assert_eq!(all.count(), 20_000);
        let room = reader.bytes.capacity();
        assert!(room <= 2 * ROOM_MAX, "{room}");
    }
}
