//! What is told in a page.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;

use knock_config::text::printable;
use knock_replay::Exit;
use knock_tests::cases::{self, Case};
use proptest::prelude::*;
use serde_json::Value;
use tempfile::TempDir;

use crate::common::{self, CONFIG, CROWD, CaseRunner, THREE, block, data};

/// How often something was told of a client at a door.
type Told = BTreeMap<(String, String, String), u64>;

/// What a transcript says: every line about a client at a door, counted.
fn told_by_transcript(transcript: &str) -> Told {
    let mut told = Told::new();
    for line in transcript.lines() {
        let ending = ["OPEN SESAME", "command timeout"].into_iter().find(|end| line.ends_with(end));
        let timeout = line.rfind(": sequence timeout (stage ");
        let stage = line.rfind(": Stage ");
        let (head, what) = match (ending, timeout, stage) {
            (Some(ending), ..) => (line.strip_suffix(ending).unwrap(), ending),
            (None, Some(at), _) => (&line[..at + 2], "sequence timeout"),
            (None, None, Some(at)) => (&line[..at + 2], &line[at + 2..]),
            (None, None, None) => continue,
        };
        let (client, door) = head.split_once(": ").unwrap();
        let door = door.strip_suffix(": ").unwrap();
        *told.entry((client.to_owned(), door.to_owned(), what.to_owned())).or_default() += 1;
    }
    told
}

/// What the events of a page say of the same.
fn told_by_page(data: &Value) -> Told {
    let mut told = Told::new();
    for pair in data["pairs"].as_array().unwrap() {
        assert_eq!(pair["left_out"], 0, "nothing is left out of so little");
        let door = &data["doors"][index(&pair["door"])]["name"];
        for event in pair["events"].as_array().unwrap() {
            let text = data["texts"][index(&event[2])].as_str().unwrap();
            let what = match data["verdicts"][index(&event[1])][0].as_str().unwrap() {
                "opened" => "OPEN SESAME",
                "command-timeout" => "command timeout",
                "sequence-timeout" => "sequence timeout",
                "stage" => text.split_once(" of ").unwrap().0,
                _ => continue,
            };
            let [client, door] =
                [&pair["client"], door].map(|name| name.as_str().unwrap().to_owned());
            *told.entry((client, door, what.to_owned())).or_default() += 1;
        }
    }
    told
}

fn index(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap()).unwrap()
}

/// The arguments of a case that a report takes, too; `None` if it is about something else.
fn command(case: &Case) -> Option<Vec<OsString>> {
    let others = ["--rules", "--time", "-v", "--verbose", "--client", "--read", "-r"];
    let mut arguments: Vec<OsString> = case.captures.iter().map(OsString::from).collect();
    arguments.extend(["-c".into(), case.conf.clone().into_os_string()]);
    for argument in &case.args {
        if others.iter().any(|other| argument.starts_with(other)) {
            return None;
        }
        arguments.push(argument.into());
    }
    Some(arguments)
}

#[test]
fn what_happened_is_what_the_transcript_says() {
    let desk = TempDir::new().unwrap();
    let page = desk.path().join("report.html");
    let (mut pages, mut openings) = (0, 0);
    for case in cases::explained().into_iter().chain(cases::all()) {
        let Some(command) = command(&case) else { continue };
        let (exit, transcript, _) = common::run(&command);
        if exit != Exit::Done || transcript.lines().count() > 90 {
            continue;
        }
        common::report(&command, &page);
        let data = data(&page);
        assert_eq!(told_by_page(&data), told_by_transcript(&transcript), "{}", case.name);
        let opened: u64 = pairs(&data).map(|pair| pair["openings"].as_u64().unwrap()).sum();
        assert_eq!(data["counts"]["opened"], opened, "{}", case.name);
        (pages, openings) = (pages + 1, openings + opened);
    }
    assert!(pages >= 60 && openings >= 60, "only {pages} pages with {openings} openings");
}

fn pairs(data: &Value) -> impl Iterator<Item = &Value> {
    data["pairs"].as_array().unwrap().iter()
}

#[test]
fn every_client_of_a_crowd_is_there() {
    let desk = CaseRunner::with(CONFIG, CROWD);
    let data = data(&desk.page());
    assert_eq!(told_by_page(&data), told_by_transcript(&desk.transcript()));
    let mut clients: Vec<&str> =
        pairs(&data).map(|pair| pair["client"].as_str().unwrap()).collect();
    clients.dedup();
    clients.sort_unstable();
    clients.dedup();
    assert_eq!(clients.len(), 3000);
}

#[test]
fn a_page_is_the_same_whenever_it_is_written() {
    let desk = CaseRunner::with(CONFIG, THREE);
    let [first, second] = [(), ()].map(|()| fs::read(desk.page()).unwrap());
    assert_eq!(first, second);
}

#[test]
fn doors_are_open_until_they_close_and_without_a_stop_command_for_ever() {
    let desk = CaseRunner::with(CONFIG, THREE);
    let data = data(&desk.page());
    let leases = |client: &str, door: u64| {
        let pair = pairs(&data).find(|pair| pair["client"] == client && pair["door"] == door);
        let row = |lease: &Value| (lease[0].as_u64().unwrap(), lease[1].as_u64());
        pair.unwrap()["leases"].as_array().unwrap().iter().map(row).collect::<Vec<_>>()
    };
    let ms = 1_000_000;
    let closing = [(800 * ms, Some(20_800 * ms)), (28_100 * ms, Some(48_100 * ms))];
    assert_eq!(leases("10.0.0.5", 0), closing);
    assert!(closing[1].1 > data["end"].as_u64(), "it is open when the capture ends");
    assert_eq!(leases("203.0.113.9", 1), [(17_000 * ms, None)]);
}

#[test]
fn a_one_time_sequence_is_shown_only_if_it_was_used() {
    let config = "[door]\none_time_sequences = FILE\nseq_timeout = 5\ncommand = open %IP%\n";
    let desk = CaseRunner::with("", "0 knock 10.0.0.5 1111 2222\n10 knock 10.0.0.5 3333 4445\n");
    desk.write("once", "1111,2222\n3333,4444\n5555,6666\n");
    desk.write("knockd.conf", &config.replace("FILE", desk.path("once").to_str().unwrap()));
    let data = data(&desk.page());
    let lines = data["lines"].as_array().unwrap().iter();
    let texts: Vec<(u64, &str)> = lines
        .filter(|line| line["in_config"] == false)
        .map(|line| (line["line"].as_u64().unwrap(), line["text"].as_str().unwrap()))
        .collect();
    let texts: BTreeMap<u64, &str> = texts.into_iter().collect();
    assert_eq!(texts, BTreeMap::from([(1, "1111,2222"), (2, "")]));
    let html = fs::read_to_string(desk.page()).unwrap();
    assert!(html.contains("1111,2222") && html.contains("\"1111/tcp\""));
    // Neither the knock that came nor the one that was missing: both still open the door.
    assert!(html.contains("sequence timeout at stage 1 of 2: no (hidden)/tcp came in time"));
    for secret in ["3333", "4444", "4445", "5555"] {
        assert!(!html.contains(secret), "{secret}");
    }
}

#[test]
fn what_a_page_cannot_hold_is_counted() {
    let desk = CaseRunner::with(CONFIG, "repeat 300 every 6s\n 0 knock 10.0.0.5 7000 8001\nend\n");
    let data = data(&desk.page());
    let pair = pairs(&data).next().unwrap();
    let events = u64::try_from(pair["events"].as_array().unwrap().len()).unwrap();
    // Stage, wrong port, timeout.
    assert_eq!((events, pair["left_out"].as_u64().unwrap()), (100, 800));
    assert_eq!(data["counts"]["left_out_events"], 800);
    assert_eq!(pair["attempt_count"], 300);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever stands in a configuration and is the name of a capture is data, and nothing else.
    #[test]
    fn nothing_becomes_a_part_of_the_page(
        name in hostile("[^\\[\\]\\p{Cc}]"),
        command in hostile("\\P{Cc}"),
        comment in hostile("\\P{Cc}"),
        file in hostile("[^/\\p{Cc}]"),
    ) {
        let (name, command) = (allowed(&name), allowed(&command));
        let config =
            format!("# {comment}\n[{name}]\nsequence = 7000,8000\ncommand = run {command}\n");
        let desk = CaseRunner::with(&config, KNOCKS);
        let capture = desk.path(&file.replace('/', "\u{2215}"));
        fs::rename(desk.path("knocks.scenario"), &capture).unwrap();
        let page = desk.path("report.html");
        let config = desk.path("knockd.conf").into_os_string();
        common::report(&[capture.clone().into_os_string(), "-c".into(), config], &page);
        let html = fs::read_to_string(&page).unwrap();
        for harmful in ["</script", "<!--", "<script", "<", ">", "&", "\u{2028}", "\u{2029}"] {
            prop_assert!(!block(&html).contains(harmful), "{}", harmful);
        }
        // What is neither data nor text is the same whatever both are.
        let empty = CaseRunner::with("[d]\nsequence = 7000,8000\ncommand = x\n", KNOCKS);
        let other = fs::read_to_string(empty.page()).unwrap();
        prop_assert_eq!(
            markup(&html, &[&capture.display().to_string(), &desk.path("").display().to_string(), &name]),
            markup(&other, &[&empty.path("knocks.scenario").display().to_string(), &empty.path("").display().to_string(), "d"])
        );
        let data = data(&page);
        prop_assert_eq!(data["captures"][0].as_str().unwrap(), seen(capture.to_str().unwrap()));
        let first = data["config"]["lines"][0].as_str().unwrap();
        prop_assert_eq!(first, seen(&format!("# {comment}")));
        let header = data["config"]["lines"][1].as_str().unwrap();
        prop_assert_eq!(header, seen(&format!("[{name}]")));
        prop_assert_eq!(data["doors"][0]["name"].as_str().unwrap(), seen(&name));
        prop_assert_eq!(data["counts"]["opened"].as_u64(), Some(1));
    }
}

const KNOCKS: &str = "0 knock 10.0.0.5 7000 8000\n";

/// Returns a text as a page has it: what cannot be seen, or turns the text around it, is an escape.
fn seen(text: &str) -> String {
    printable(text.as_bytes())
}

/// Returns a text without what is an error in names and commands.
fn allowed(text: &str) -> String {
    text.replace(knock_guard::is_unprintable, "")
}

/// Returns a page without its data and without these texts, each as it is in HTML or in an address.
fn markup(html: &str, texts: &[&str]) -> String {
    let mut markup = html.replace(block(html), "");
    for text in texts {
        let seen = seen(text);
        let in_html = seen.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let in_html = in_html.replace('"', "&quot;").replace('\'', "&#39;").replace('{', "&#123;");
        let in_address: String = seen
            .bytes()
            .map(|byte| match byte {
                b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => char::from(byte).to_string(),
                b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'(' | b')' => {
                    char::from(byte).to_string()
                }
                _ => format!("%{byte:02X}"),
            })
            .collect();
        // A short name is in other words, too.
        for (before, after) in [
            ("class=\"door\">", "</td>"),
            ("door=", "\">"),
            (": ", "</title>"),
            (">", ", replayed"),
            ("against ", "knockd.conf"),
        ] {
            for form in [&in_html, &in_address] {
                markup =
                    markup.replace(&format!("{before}{form}{after}"), &format!("{before}{after}"));
            }
        }
    }
    markup
}

/// Characters of a class, or what means something in HTML and JavaScript, mixed.
fn hostile(class: &str) -> impl Strategy<Value = String> + use<> {
    let character = proptest::string::string_regex(class).unwrap();
    let words = [
        "</script>",
        "<!--",
        "<script>alert(1)",
        "&lt;",
        "\u{2028}",
        "\"'`",
        "\\u003c",
        "${1}",
        "\u{202e}",
        "{{data}}",
    ];
    let word = proptest::sample::select(words.map(str::to_owned).to_vec());
    let piece = prop_oneof![3 => character, 1 => word];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| format!("x{}x", pieces.concat()))
}
