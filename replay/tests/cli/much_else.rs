//! Captures with much else in them: whatever is passed over, and whatever threads read, the results are the
//! same as when one packet after another is read.

use crate::common::CaseRunner;
use crate::common::capture_builder::{Packet, gzip, pcap, syn};

/// Some knocks among many other packets, half of them of the client that knocks. Time goes back for a while,
/// once so far ahead of it that an attempt has timed out.
fn packets(shift: u64, rounds: u64) -> Vec<Packet> {
    let others = |begin: u64| {
        (0..400).map(move |number| {
            let packet = syn(begin + number, 22_000).udp();
            if number % 2 == 1 { packet.from("10.0.0.6") } else { packet }
        })
    };
    let mut packets = Vec::new();
    for round in 0..rounds {
        let begin = shift + round * 20_000;
        let [first, second, third] =
            [syn(begin, 7000), syn(begin + 900, 8000), syn(begin + 2_000, 9000)];
        packets.extend(
            others(begin)
                .chain([first, second.again(begin + 800).arp(), second])
                .chain(others(begin + 1_000)),
        );
        let ahead = if round % 8 == 3 { 6_000 } else { 1_500 };
        packets.extend(others(begin + ahead).chain(others(begin + 500)).chain([third]));
    }
    packets
}

/// A file is walked at many places at once, and a stream is not.
#[test]
fn a_file_and_a_stream_are_the_same() {
    let capture = pcap(&packets(0, 40));
    let stream = CaseRunner::with(Vec::new()).run_with_input("- -c knockd.conf -v", &*capture);
    let file = CaseRunner::with(capture).run("knocks.pcap -c knockd.conf -v");
    assert_eq!(file, stream);
    assert_eq!(file.stdout.matches("ssh: OPEN SESAME").count(), 35);
    assert!(
        file.stderr.contains("64160 packets read, 120 admitted, 40 undecodable"),
        "{}",
        file.stderr
    );
}

/// What is compressed is not walked, and so little of it is not read by threads.
#[test]
fn plain_and_compressed_captures_are_the_same_for_every_command() {
    let desk = CaseRunner::new();
    for (name, shift) in [("one", 0), ("two", 10_000), ("three", 777)] {
        let capture = pcap(&packets(shift, 12));
        assert!(capture.len() > 1 << 20);
        let compressed = gzip(&capture);
        assert!(compressed.len() < 1 << 18, "{}", compressed.len());
        // Names are as long: texts are in columns.
        desk.write(&format!("plain-{name}.pcap"), capture);
        desk.write(&format!("small-{name}.pcap"), compressed);
    }
    desk.write("new.conf", crate::common::CONFIG.replace("9000", "9001"));
    desk.write("some.assert", "must open ssh from 10.0.0.5\nmust not open ssh from 10.0.0.6\n");
    desk.write("other.assert", "must open ssh from 10.0.0.6\nmust open any from 10.0.0.7\n");
    for captures in ["plain-one.pcap", "plain-one.pcap plain-two.pcap plain-three.pcap"] {
        for (words, options) in [
            ("", "-v"),
            ("", "--format json"),
            ("", "--assert some.assert --assert other.assert"),
            ("explain", "--client 10.0.0.5"),
            ("explain", "--client 10.0.0.7 --format json"),
            ("diff", "--new new.conf"),
        ] {
            let plain = format!("{words} {captures} -c knockd.conf {options}");
            let compressed = plain.replace("plain-", "small-");
            let (plain, compressed) = (desk.run(&plain), desk.run(&compressed));
            let text = |text: &str| text.replace("small-", "plain-");
            assert!(plain.status.is_some_and(|status| status < 2), "{words} {options}: {plain:?}");
            assert_eq!(plain.status, compressed.status, "{words} {options}");
            assert_eq!(plain.stdout, text(&compressed.stdout), "{words} {options}");
            assert_eq!(plain.stderr, text(&compressed.stderr), "{words} {options}");
        }
    }
}
