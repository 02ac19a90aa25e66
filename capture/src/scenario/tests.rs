use std::fmt::Write as _;
use std::io::Cursor;

use knock_config::diagnostics::{self, Style};
use knock_engine::{LinkType, Packet as Seen, Protocol, Transport, decode};
use proptest::prelude::*;

use super::*;
use crate::Capture;

mod signed;

/// Returns the packets of a scenario: seconds, source, destination, and flags.
fn acted(text: &str) -> String {
    let bytes = capture("test", text.as_bytes(), Signers::default()).unwrap_or_else(|source| {
        panic!("{}", diagnostics::render(std::slice::from_ref(&*source), Style::Plain))
    });
    let mut capture =
        Capture::from_stream("test".to_owned(), Box::new(Cursor::new(bytes))).unwrap();
    let mut out = String::new();
    while let Some(head) = capture.peek().unwrap() {
        assert_eq!(head.link, LinkType::Ethernet);
        let seen = decode(head.link, capture.frame()).unwrap();
        let start = i64::try_from(START.as_nanos()).unwrap();
        let since = head.at.as_nanos().saturating_sub(start);
        writeln!(out, "{}.{:09} {}", since / 1_000_000_000, since % 1_000_000_000, line(&seen))
            .unwrap();
        capture.advance();
    }
    out
}

fn line(packet: &Seen) -> String {
    let Seen { source, destination, .. } = packet;
    let knock = packet.knock();
    let flags = match packet.transport {
        Transport::Tcp(header) => format!(" {:02x}", header.flags.unwrap().0),
        Transport::Udp => String::new(),
    };
    let protocol = if knock.protocol == Protocol::Tcp { "tcp" } else { "udp" };
    format!("{source} > {destination} {protocol} {}{flags}", knock.port.0)
}

fn refused(text: &str) -> String {
    let source = capture("test", text.as_bytes(), Signers::default()).unwrap_err();
    diagnostics::render(std::slice::from_ref(&*source), Style::Plain)
}

#[test]
fn an_error_in_a_repeat_is_reported_once() {
    let errors = |text: &str| -> Vec<String> {
        let source = capture("s", text.as_bytes(), Signers::default()).unwrap_err();
        source.findings.into_iter().map(|finding| finding.wording.message).collect()
    };
    let faulty = errors("repeat 3 every 60s\n  knock me 7000\nend\n");
    assert_eq!(faulty.len(), 1, "{faulty:?}");
    let nested = errors("repeat 2 every 1m\nrepeat 3 every 1s\nend\nend\n");
    assert_eq!(nested, ["there is nothing to repeat"]);
}

#[test]
fn packets_come_at_their_times_whatever_the_order_of_the_lines() {
    let text = "\u{feff}# comment\n\n\
                1.5 10.0.0.5 > 192.0.2.1 tcp 7000 syn # after\n\
                +250ms 10.0.0.5 > 192.0.2.1:8000 tcp fin,psh\r\n\
                10.0.0.5:40001 > 192.0.2.1 tcp 9000 none\n\
                0 2001:db8::5 > [2001:db8::1]:53 udp\n\
                +1m 10.0.0.5 > 192.0.2.1 udp 53\n";
    let expected = "0.000000000 2001:db8::5 > 2001:db8::1 udp 53\n\
                    1.500000000 10.0.0.5 > 192.0.2.1 tcp 7000 02\n\
                    1.750000000 10.0.0.5 > 192.0.2.1 tcp 8000 09\n\
                    1.750000000 10.0.0.5 > 192.0.2.1 tcp 9000 00\n\
                    60.000000000 10.0.0.5 > 192.0.2.1 udp 53\n";
    assert_eq!(acted(text), expected);
}

#[test]
fn a_knock_is_a_packet_for_each_port() {
    let text = "knock 10.0.0.5 7000 8000:udp 9000:tcp:syn,ack\n\
                to 192.0.2.9\n\
                to 2001:db8::9\n\
                +1 knock 10.0.0.5 1 2 every 2s\n\
                knock 2001:db8::5 3\n\
                knock 10.0.0.5 4 to 192.0.2.7\n";
    let expected = "0.000000000 10.0.0.5 > 192.0.2.1 tcp 7000 02\n\
                    0.100000000 10.0.0.5 > 192.0.2.1 udp 8000\n\
                    0.200000000 10.0.0.5 > 192.0.2.1 tcp 9000 12\n\
                    1.200000000 10.0.0.5 > 192.0.2.9 tcp 1 02\n\
                    3.200000000 10.0.0.5 > 192.0.2.9 tcp 2 02\n\
                    3.200000000 2001:db8::5 > 2001:db8::9 tcp 3 02\n\
                    3.200000000 10.0.0.5 > 192.0.2.7 tcp 4 02\n";
    assert_eq!(acted(text), expected);
}

#[test]
fn many_clients_do_the_same_one_after_the_other() {
    let text = "0 knock 10.0.0.254-10.0.1.0 1 2 every 1s apart 300ms\n\
                +1 10.1.0.9/31 > 192.0.2.1 udp 5 apart 1\n";
    let expected = "0.000000000 10.0.0.254 > 192.0.2.1 tcp 1 02\n\
                    0.300000000 10.0.0.255 > 192.0.2.1 tcp 1 02\n\
                    0.600000000 10.0.1.0 > 192.0.2.1 tcp 1 02\n\
                    1.000000000 10.0.0.254 > 192.0.2.1 tcp 2 02\n\
                    1.300000000 10.0.0.255 > 192.0.2.1 tcp 2 02\n\
                    1.600000000 10.0.1.0 > 192.0.2.1 tcp 2 02\n\
                    2.600000000 10.1.0.8 > 192.0.2.1 udp 5\n\
                    3.600000000 10.1.0.9 > 192.0.2.1 udp 5\n";
    assert_eq!(acted(text), expected);
}

#[test]
fn repeated_lines_have_the_times_of_their_round() {
    let text = "1 10.0.0.5 > 192.0.2.1 udp 1\n\
                +1 repeat 2 every 10s\n\
                \t0.5 10.0.0.5 > 192.0.2.1 udp 2\n\
                \trepeat 2 every 1s\n\
                \t\t10.0.0.5 > 192.0.2.1 udp 3\n\
                \tend\n\
                end\n\
                +1 10.0.0.5 > 192.0.2.1 udp 4 repeat 2 every 100ms\n";
    let expected = "1.000000000 10.0.0.5 > 192.0.2.1 udp 1\n\
                    2.500000000 10.0.0.5 > 192.0.2.1 udp 2\n\
                    2.500000000 10.0.0.5 > 192.0.2.1 udp 3\n\
                    3.500000000 10.0.0.5 > 192.0.2.1 udp 3\n\
                    12.500000000 10.0.0.5 > 192.0.2.1 udp 2\n\
                    12.500000000 10.0.0.5 > 192.0.2.1 udp 3\n\
                    13.500000000 10.0.0.5 > 192.0.2.1 udp 3\n\
                    14.500000000 10.0.0.5 > 192.0.2.1 udp 4\n\
                    14.600000000 10.0.0.5 > 192.0.2.1 udp 4\n";
    assert_eq!(acted(text), expected);
}

#[test]
fn only_a_packet_that_is_sent_again_is_the_same_packet() {
    let frames = |text: &str| {
        let bytes = capture("test", text.as_bytes(), Signers::default()).unwrap();
        let mut capture =
            Capture::from_stream(String::new(), Box::new(Cursor::new(bytes))).unwrap();
        let mut frames = Vec::new();
        while capture.peek().unwrap().is_some() {
            frames.push(capture.frame().to_vec());
            capture.advance();
        }
        frames
    };
    let again = frames("0 10.0.0.5 > 192.0.2.1 tcp 7000 again 2 every 1s");
    assert!(again.len() == 3 && again[0] == again[1] && again[1] == again[2]);
    let fresh = frames("0 10.0.0.5 > 192.0.2.1 tcp 7000 repeat 3 every 1s");
    assert!(fresh.len() == 3 && fresh[0] != fresh[1] && fresh[1] != fresh[2]);
    // The port and the sequence number, but not the addresses.
    assert_eq!(fresh[0][26..34], fresh[1][26..34]);
    assert_ne!(fresh[0][34..36], fresh[1][34..36]);
    assert_ne!(fresh[0][38..42], fresh[1][38..42]);
    assert_eq!(frames("10.0.0.5:77 > 192.0.2.1 udp 1")[0][34..36], [0, 77]);
}

#[test]
fn the_start_is_what_the_scenario_says() {
    let bytes = capture(
        "test",
        b"start 2026-03-01T13:00:00.5+01:00\n1 knock 10.0.0.5 1\n",
        Signers::default(),
    )
    .unwrap();
    let mut capture = Capture::from_stream(String::new(), Box::new(Cursor::new(bytes))).unwrap();
    let at = capture.peek().unwrap().unwrap().at;
    assert_eq!(at.as_nanos(), 1_772_366_401_500_000_000);
}

#[test]
fn every_error_is_reported_with_its_place() {
    let text = "0,5 10.0.0.5 > 192.0.2.1 tcp 7000
0 10.0.0.5 192.0.2.1 tcp 7000
1 10.0.0.5 > 192.0.2.1 tpc 7000
1 10.0.0.5 > host tcp 7000
1 10.0.0.5 > 192.0.2.1:0 tcp
1 10.0.0.5 > 192.0.2.1 tcp 65536
2 10.0.0.5 > 2001:db8::1 udp 53
3 10.0.0.5 > 192.0.2.1 udp 53 syn
4 10.0.0.5 > 192.0.2.1 tcp 7000 syb
4 10.0.0.5 > 192.0.2.1 tcp 7000 syn agian 3
4 10.0.0.5 > 192.0.2.1 tcp 7000 again 0 every 1s
4 10.0.0.5 > 192.0.2.1 tcp 7000 again 2 all 1s
5
99999999999s knock 10.0.0.5 1
knok 10.0.0.5 7000
knock me 7000
knock 10.0.0.9-10.0.0.5 7000
knock 10.0.0.0/33 7000
knock 10.0.0.5 evry 5 7000
knock 10.0.0.5 7000 every soon
knock 10.0.0.5 7000 to 2001:db8::1
knock 10.0.0.5 every 1s
to
to 192.0.2.1 please
repeat 3 evry 5
repeat 3 every 5
end
end
end
start yesterday
repeat 3 every 5
";
    insta::assert_snapshot!(refused(text));
}

#[test]
fn a_character_that_is_not_what_it_looks_like_is_named() {
    for (text, title, help) in [
        (
            "\u{a0}0.5 10.0.0.5 > 192.0.2.1 tcp 7000",
            "U+00A0 no-break space",
            "write a blank instead",
        ),
        ("knock\u{200b} 10.0.0.5 7000", "U+200B zero-width space", "remove it"),
        ("knock 10.0.0.5 7000\u{2009}8000", "U+2009 wide or narrow space", "write a blank instead"),
        ("knock 10.0.0.1\u{2013}10.0.0.9 7000", "U+2013 en dash", "write `-` instead"),
    ] {
        let error = refused(text);
        assert!(error.contains(&format!("^ {title} in this\n")), "{text}: {error}");
        assert!(error.contains(&format!("= help: {help}\n")), "{text}: {error}");
    }
}

#[test]
fn the_start_comes_once_and_first() {
    let text = "start 2026-03-01T12:00:00Z\nstart 2026-03-01T12:00:00Z\nknock 10.0.0.5 1\n\
                start 2026-03-01T12:00:00Z\n";
    insta::assert_snapshot!(refused(text));
}

#[test]
fn a_scenario_without_packets_is_refused() {
    for text in ["", "# nothing\n", "to 192.0.2.1"] {
        assert!(refused(text).contains("there is no packet in this scenario"), "{text}");
    }
}

#[test]
fn a_scenario_has_limits() {
    for text in [
        "knock 10.0.0.0/8 1",
        "knock ::/0 1 2",
        "repeat 1000000 every 1ms\nknock 10.0.0.5 1 2\nend",
        "10.0.0.5 > 192.0.2.1 udp 1 repeat 1000000 every 1ms again 1 every 1s",
    ] {
        assert!(refused(text).contains("a scenario can have 1000000 packets at most"), "{text}");
    }
    for text in [
        "24h repeat 101 every 24h\nknock 10.0.0.5 1\nend",
        "10.0.0.5 > 192.0.2.1 udp 1 again 1000000 every 24h",
    ] {
        let error = refused(text);
        assert!(
            error.contains("later than 100 days") || error.contains("1000000 packets"),
            "{error}"
        );
    }
    let deep = "repeat 1 every 1\n".repeat(40_000) + "knock 10.0.0.5 1\n" + &"end\n".repeat(40_000);
    assert!(refused(&deep).contains("`repeat` is nested more than 8 deep"));
    let long = "#".repeat(MAX_BYTES) + "\n";
    assert!(refused(&long).contains("this scenario is larger than 1 MiB"));
    assert_eq!(acted("knock 10.0.0.0/13 1").lines().count(), 1 << 19);
}

#[test]
fn another_text_has_no_error_for_each_of_its_lines() {
    let error = refused(&"root:x:0:0:root:/root:/bin/bash\n".repeat(50));
    assert_eq!(error.matches("is not a time, an address or a known word").count(), 3, "{error}");
}

#[test]
fn a_scenario_is_known_by_its_first_bytes() {
    for text in [
        "0 1",
        "# x",
        "+1",
        "kn",
        "\u{feff}to ",
        "\n\n fe80::1 > ",
        "::1 > ",
        ".5 1",
        "Knoc",
        "GET ",
        "    ",
        "\u{feff} ",
        "[::1",
        "[200",
        "- 0 ",
        "> kn",
        "\u{2013}0",
        "\u{a0}0",
        "$ kn",
    ] {
        assert!(begins_like_one(text.as_bytes()), "{text}");
    }
    for text in ["", "\u{feff}", "[opt", "[ssh]\n", "  [s", "<htm", "{\"a"] {
        assert!(!begins_like_one(text.as_bytes()), "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = capture("test", &text, Signers::default());
    }

    #[test]
    fn no_words_make_the_reader_panic(
        words in prop::collection::vec(prop::sample::select(vec![
            "knock", "repeat", "end", "to", "start", "\n", "\n", "10.0.0.5", "10.0.0.5-10.0.0.9",
            ">", "192.0.2.1", "::1", "tcp", "udp", "7000", "53:udp", "every", "apart", "again", "3",
            "1s", "+2", "0.5", "syn", "#", "2026-03-01T12:00:00Z", "999999", "24h", "signed",
            "alice", "door", "SSH", "skew", "+40s", "-99999h", "from", "admit", "server", "key", "by",
        ]), 0..40),
    ) {
        let text = words.join(" ");
        if let Err(source) = capture("test", text.as_bytes(), Signers::default()) {
            prop_assert!(source.errors() > 0);
            for finding in &source.findings {
                let span = finding.span.unwrap();
                prop_assert!(span.line_start.saturating_add(span.end) <= text.len());
            }
        }
    }
}
