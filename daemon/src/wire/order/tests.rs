use knock_signed::Key;

use super::*;

fn used(period: u32) -> PeriodOfDoor {
    PeriodOfDoor { sequence: SequenceId::from_bits(0x0123_4567_89ab_cdef), period }
}

fn moments() -> UsedMoments {
    let used = vec![(KeyId([7; 8]), Moment(u64::MAX)), (KeyId([7; 8]), Moment(1))];
    UsedMoments { floor: Moment(u64::MAX - 1), used }
}

fn files() -> Files {
    let name = FileName::new(b"/etc/knockd/\xff").unwrap();
    Files {
        configuration: b"[d]\n".to_vec(),
        one_time: BTreeMap::from([(name.clone(), b" 1,2\n".to_vec())]),
        sequences: BTreeMap::from([(name.clone(), b"3,4\n".to_vec())]),
        keys: BTreeMap::from([(name, SequenceKey::from_bytes(&[7; 32]))]),
        packet_keys: vec![
            UserKey {
                user: KeyOwner::new(b"alice"),
                key: Key::take(&mut [8; 32]).for_packets(),
                doors: vec![DoorName::new(b"SSH"), DoorName::new(b"\xff")],
                until: Some(Timestamp::from_nanos(-7)),
            },
            UserKey {
                user: KeyOwner::new(b"bob"),
                key: Key::take(&mut [9; 32]).for_packets(),
                doors: vec![],
                until: None,
            },
        ],
        ..Files::default()
    }
}

fn bytes_of(order: &Order) -> Vec<u8> {
    order.bytes().as_slice().to_vec()
}

fn orders() -> Vec<Order> {
    let task = Task {
        addresses: vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()],
        ipv4_only: true,
        every_line: false,
        debug: true,
        records: true,
        record_max: NonZeroU64::new(1_000_000),
        max_attempts: NonZeroU32::new(7).unwrap(),
        becomes: Some(User { user: 65_534, group: 65_533 }),
        files: files(),
        used: vec![
            (used(1), Some("192.0.2.1".parse().unwrap())),
            (used(u32::MAX), Some("2001:db8::1".parse().unwrap())),
            (used(7), None),
        ],
        moments: moments(),
    };
    let run = RunId::from_bits(0x0123_4567_89ab_cdef);
    vec![
        Order::Begin(Box::new(Task { becomes: None, record_max: None, ..task.clone() })),
        Order::Begin(Box::new(task)),
        Order::CommandEnded { run, status: CommandStatus(255) },
        Order::Marked { mark: MarkId::from_bits(u64::MAX - 3), is_marked: true },
        Order::Marked { mark: MarkId::from_bits(1), is_marked: false },
        Order::AdmissionLost { door: 65_535, client: "2001:db8::1".parse().unwrap() },
        Order::Capture(NewCapture {
            number: CaptureNumber(0),
            name: b"any".to_vec(),
            framing: Framing::Cooked,
            blocks: 64,
        }),
        Order::Capture(NewCapture {
            number: CaptureNumber(u32::MAX),
            name: b"\xffth0".to_vec(),
            framing: Framing::Ethernet,
            blocks: 512,
        }),
        Order::EndCapture(CaptureNumber(7)),
        Order::Settle(u32::MAX - 1),
        Order::AreYouThere,
        Order::ListAttempts,
        Order::Addresses(vec![]),
        Order::Addresses(vec!["::1.2.3.4".parse().unwrap(), "1.2.3.4".parse().unwrap()]),
        Order::Reload { marks: u64::MAX - 1, every_line: true, files: files(), moments: moments() },
        Order::Reload {
            marks: 0,
            every_line: false,
            files: files(),
            moments: UsedMoments { used: vec![], ..moments() },
        },
    ]
}

#[test]
fn every_order_is_parsed_as_it_was_written_in_pieces_of_any_size() {
    let bytes: Vec<u8> = orders().iter().flat_map(bytes_of).collect();
    for piece in [1, 7, bytes.len()] {
        let mut reader = OrderReader::default();
        let mut arrived = Vec::new();
        for piece in bytes.chunks(piece) {
            reader.push(piece);
            while let Some(order) = reader.next().unwrap() {
                arrived.push(order);
            }
        }
        assert_eq!(arrived, orders());
    }
}

#[test]
fn an_order_that_is_shorter_or_longer_than_its_content_is_invalid() {
    for order in orders() {
        let bytes = bytes_of(&order);
        for length in 0..bytes.len() - HEADER_BYTES {
            let mut cut = bytes.clone();
            cut.truncate(HEADER_BYTES + length);
            cut[1..HEADER_BYTES].copy_from_slice(&u32::try_from(length).unwrap().to_be_bytes());
            let mut reader = OrderReader::default();
            reader.push(&cut);
            assert_eq!(reader.next(), Err(InvalidOrder), "{order:?} cut to {length}");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        let length = u32::try_from(longer.len() - HEADER_BYTES).unwrap();
        longer[1..HEADER_BYTES].copy_from_slice(&length.to_be_bytes());
        let mut reader = OrderReader::default();
        reader.push(&longer);
        assert_eq!(reader.next(), Err(InvalidOrder), "{order:?} with a byte more");
    }
}
