use knock_config as config;
use knock_engine::{CommandStatus, Note, Phase, Protocol, RunId, Skip, Stage};
use proptest::prelude::*;

use super::*;

/// Two doors.
fn doors() -> Doors {
    let config = config::parse(b"[a]\nsequence = 1\n[b]\nsequence = 2\n").config.unwrap();
    Doors::new(config.doors.into_iter().map(|door| door.door).collect()).unwrap()
}

fn clients() -> [IpAddr; 3] {
    ["192.0.2.1", "2001:db8::1", "::192.0.2.1"].map(|address| address.parse().unwrap())
}

/// Every kind of effect that the daemon's engine has, with every kind of address.
fn effects() -> Vec<Effect> {
    let doors = doors();
    let door = doors.with_index(1).unwrap();
    let stage = Stage::new(32).unwrap();
    let knock = Knock { port: Port(65_535), protocol: Protocol::Udp };
    let run = RunId::from_bits(u64::MAX - 7);
    let mut all = vec![
        Effect::CommandFailed { door, status: CommandStatus(255) },
        Effect::MarkOneTime { door, line: u32::MAX, offset: u64::MAX },
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
            Effect::OpeningRefused { client, door },
            Effect::OpeningSkipped { client, door, why: Skip::Merged, again: false },
            Effect::OpeningSkipped { client, door, why: Skip::AlreadyOpen, again: true },
            Effect::OpeningSkipped { client, door, why: Skip::Cooldown, again: true },
            Effect::Note(Note::Retransmission { client, knock }),
            Effect::Note(Note::OtherFlags { client, door, stage }),
            Effect::Note(Note::Voided { client, door, stage, knock }),
            Effect::Note(Note::Evicted { client, door, stage }),
            Effect::Note(Note::SequenceChanged { client, door, stage }),
            Effect::Note(Note::DoorChanged { client, door, stage }),
        ]);
    }
    all
}

fn reports() -> Vec<Report> {
    let [four, six, _] = clients();
    let sighting = |source, destination| {
        Report::Sighting(Sighting {
            source,
            destination,
            source_port: Port(40_000),
            knock: Knock { port: Port(7), protocol: Protocol::Tcp },
            length: 1_500,
        })
    };
    let mut all = vec![
        Report::Listening,
        Report::Ended,
        Report::Stale,
        sighting(four, six),
        sighting(six, four),
        Report::Adopted(vec![]),
        Report::Adopted(vec![3, 0, 65_535]),
        Report::Words(Gravity::Warning, b"no \xff more".to_vec()),
        Report::Words(Gravity::Error, vec![]),
    ];
    all.extend(Loss::ALL.map(|loss| Report::Lost(loss, u64::MAX)));
    all.extend(effects().into_iter().map(Report::Effect));
    all
}

fn bytes(reports: &[Report]) -> Vec<u8> {
    let mut out = VecDeque::new();
    for report in reports {
        report.write(&mut out);
    }
    out.into()
}

#[test]
fn every_report_arrives_as_it_was_sent_in_whatever_pieces() {
    let bytes = bytes(&reports());
    for piece in [1, RECORD_BYTES + 1, bytes.len()] {
        let mut reader = ReportReader::default();
        let mut arrived = Vec::new();
        for piece in bytes.chunks(piece) {
            reader.push(piece);
            while let Some(report) = reader.next(&doors()).unwrap() {
                arrived.push(report);
            }
        }
        assert_eq!(arrived, reports());
    }
}

#[test]
fn long_words_are_cut() {
    let sent = bytes(&[Report::Words(Gravity::Error, vec![b'x'; WORDS_MAX + 1])]);
    let mut reader = ReportReader::default();
    reader.push(&sent);
    let cut = Report::Words(Gravity::Error, vec![b'x'; WORDS_MAX]);
    assert_eq!(reader.next(&doors()), Ok(Some(cut)));
    assert_eq!(reader.next(&doors()), Ok(None));
}

#[test]
fn a_report_of_what_cannot_be_is_none() {
    let sound = fields_of(&effects()[4]);
    assert_eq!(sound.kind, kind::STAGE_REACHED);
    let mut run = fields_of(&effects()[7]);
    assert_eq!(run.kind, kind::RUN_COMMAND);
    run.small = 2;
    let unsound = [
        Fields { kind: 0, ..sound },
        Fields { kind: 255, ..sound },
        Fields { door: 2, ..sound },
        Fields { small: 33, ..sound },
        Fields { client: None, ..sound },
        Fields { kind: kind::SIGHTING, destination: None, ..sound },
        Fields { kind: kind::LOST, small: 5, ..sound },
        Fields { kind: kind::WORDS, length: 513, ..sound },
        Fields { kind: kind::ADOPTED, length: 65_536, ..sound },
        run,
    ];
    for fields in unsound {
        let mut reader = ReportReader::default();
        reader.push(&fields.bytes());
        assert_eq!(reader.next(&doors()), Err(NotAReport), "{fields:?}");
    }
    let mut odd = bytes(&[Report::Adopted(vec![1])]);
    odd.push(0);
    odd[15] = 3;
    let mut reader = ReportReader::default();
    reader.push(&odd);
    assert_eq!(reader.next(&doors()), Err(NotAReport));
}

proptest! {
    /// Whatever a broken sniffer sends is refused or is a report about a door that exists.
    #[test]
    fn no_bytes_make_the_reader_panic_or_name_a_door_that_is_not_there(
        sent in proptest::collection::vec(any::<u8>(), 0..400),
        kind in prop_oneof![1..7_u8, 16..26_u8, 32..38_u8],
    ) {
        let doors = doors();
        let mut reader = ReportReader::default();
        let mut sent = sent;
        if let Some(first) = sent.first_mut() {
            *first = kind;
        }
        reader.push(&sent);
        while let Ok(Some(report)) = reader.next(&doors) {
            if let Report::Effect(effect) = report {
                let mut line = Vec::new();
                knock_engine::transcript::write(&effect, &doors, &mut line);
                prop_assert!(!line.is_empty());
            }
        }
    }
}
