//! The top of the page, which needs no script.

use std::fs;

use crate::common::{CONFIG, CaseRunner, THREE, VPN, data, got_in, report, text};

/// [`CONFIG`] with a door that the firewall opens.
fn with_vpn() -> String {
    CONFIG.replace("UseSyslog", "UseSyslog\n    Firewall = nft") + VPN
}

/// The text of the list of those who did not get in.
fn did_not(html: &str) -> String {
    text(html, "id=\"causes\">", "</ul>")
}

#[test]
fn who_got_in_is_named_with_when_how_often_and_until_when() {
    let scenario = format!("{THREE}31 knock 10.0.0.5 4000:udp 5000:udp every 0.2s\n");
    let desk = CaseRunner::with(&with_vpn(), &scenario);
    let html = fs::read_to_string(desk.page()).unwrap();
    assert_eq!(
        got_in(&html),
        [
            "10.0.0.5 vpn 2026-03-01 12:00:31 open at the end until 2026-03-01 12:01:01",
            "10.0.0.5 openSSH 2026-03-01 12:00:00 2 times, last 2026-03-01 12:00:28 open at the end \
             until 2026-03-01 12:00:48",
            "203.0.113.9 mail 2026-03-01 12:00:17 stays open no stop command",
        ]
    );
    let headline = text(&html, "id=\"headline\">", "</p>");
    assert_eq!(
        headline,
        "4 openings at 3 doors, for 2 clients. 2 clients came near at a door and did not get in."
    );
}

#[test]
fn a_door_that_closed_before_the_capture_ended_says_when() {
    let scenario = "start 2026-03-01T12:00:00Z\n0 knock 10.0.0.5 7000 8000 9000\n\
                    0 knock 10.0.0.6 4000:udp 5000:udp\n60 10.0.0.9 > 192.0.2.1 tcp 7000\n";
    let html = fs::read_to_string(CaseRunner::with(&with_vpn(), scenario).page()).unwrap();
    assert_eq!(
        got_in(&html),
        [
            "10.0.0.5 openSSH 2026-03-01 12:00:00 closed 2026-03-01 12:00:20",
            "10.0.0.6 vpn 2026-03-01 12:00:00 closed 2026-03-01 12:00:30",
        ]
    );
}

#[test]
fn an_admission_is_a_bar_that_another_opening_makes_longer() {
    let scenario = "0 knock 10.0.0.6 4000:udp 5000:udp\n20 knock 10.0.0.6 4000:udp 5000:udp\n\
                    100 knock 10.0.0.6 4000:udp 5000:udp\n";
    let data = data(&CaseRunner::with(&with_vpn(), scenario).page());
    let leases = data["pairs"][0]["leases"].as_array().unwrap();
    let row = |lease: &serde_json::Value| {
        let end =
            data["verdicts"][usize::try_from(lease[2].as_u64().unwrap()).unwrap()][0].as_str();
        let second = |at: &serde_json::Value| at.as_i64().unwrap() / 1_000_000_000;
        (second(&lease[0]), second(&lease[1]), end.unwrap().to_owned())
    };
    let leases: Vec<_> = leases.iter().map(row).collect();
    let end = || "admission-ended".to_owned();
    assert_eq!(leases, [(0, 50, end()), (100, 130, end())]);
}

#[test]
fn those_who_did_not_get_in_are_grouped_by_cause_with_links_to_the_groups() {
    let scenario = "\
0    knock 10.0.1.0-10.0.1.49 7000 8000 apart 1s
5.4  knock 10.0.1.0-10.0.1.49 9000 apart 1s
100  knock 10.0.2.0-10.0.2.29 7000 9000 8000 every 0.1s apart 1s
200  knock 10.0.3.1 7000
";
    let config = CONFIG.split("[backup]").next().unwrap();
    let desk = CaseRunner::with(config, scenario);
    let html = fs::read_to_string(desk.page()).unwrap();
    assert_eq!(
        did_not(&html),
        "50 clients at openSSH : the third knock came too late, by 0.4 s; seq_timeout = 6 would have \
         been enough 30 clients at openSSH : wrong order: another knock came instead of the second \
         knock 10.0.3.1 at openSSH : the second knock did not come in time"
    );
    let data = data(&desk.page());
    let links: Vec<usize> = html
        .split("href=\"#cause=")
        .skip(1)
        .map(|rest| rest.split_once('"').unwrap().0.parse().unwrap())
        .collect();
    let sizes: Vec<_> =
        links.iter().map(|&link| data["groups"][link]["pairs"].as_u64().unwrap()).collect();
    assert_eq!(sizes, [50, 30, 1]);
    for (link, clients) in links.iter().zip(sizes) {
        let pairs = data["pairs"].as_array().unwrap().iter();
        let members = pairs.filter(|pair| pair["group"] == *link).count();
        assert_eq!(u64::try_from(members).unwrap(), clients);
    }
}

#[test]
fn one_knock_of_three_does_not_look_as_near_as_two() {
    let scenario = "0 knock 10.0.0.1 7000\n0 knock 10.0.0.2 7000 8000\n";
    let html = fs::read_to_string(CaseRunner::with(CONFIG, scenario).page()).unwrap();
    let (_, list) = html.split_once("id=\"causes\">").unwrap();
    let (list, _) = list.split_once("</ul>").unwrap();
    let made: Vec<_> = list
        .split("<li>")
        .skip(1)
        .map(|one| one.split("</li>").next().unwrap())
        .map(|one| (one.matches("<i class=\"made\">").count(), one.matches("<i").count()))
        .collect();
    assert_eq!(made, [(2, 3), (1, 3)]);
}

#[test]
fn what_turns_the_direction_of_text_is_shown_with_escapes() {
    // In names and commands it is an error.
    let config = "# a\u{202e}b\n[ssh]\nsequence = 7000,8000\ncommand = echo\n";
    let desk = CaseRunner::with(config, "");
    desk.write("c\u{2066}d", "0 knock 10.0.0.5 7000 8000\n");
    let page = desk.path("report.html");
    let [capture, config] =
        ["c\u{2066}d", "knockd.conf"].map(|name| desk.path(name).into_os_string());
    report(&[capture, "-c".into(), config], &page);
    let html = fs::read_to_string(&page).unwrap();
    assert!(!html.contains(['\u{202e}', '\u{2066}']));
    assert!(html.contains("c\\u&#123;2066}d</title>"));
    assert_eq!(data(&page)["config"]["lines"][0], "# a\\u{202e}b");
}

#[test]
fn a_packet_of_1970_does_not_squeeze_the_others() {
    let scenario = "start 2026-03-01T12:00:01Z\n0 knock 10.0.0.5 7000 8000 9000 every 0.5s\n";
    let desk = CaseRunner::with(CONFIG, scenario);
    desk.write("stray", "start 1970-01-01T00:00:01Z\n0 knock 10.0.0.7 7000\n");
    let page = desk.path("report.html");
    let [stray, knocks, config] =
        ["stray", "knocks.scenario", "knockd.conf"].map(|name| desk.path(name).into_os_string());
    report(&[stray, knocks, "-c".into(), config], &page);
    let data = data(&page);
    assert_eq!(data["start"], "1772366401000000000");
    assert_eq!(data["end"], 1_000_000_000);
    assert_eq!(data["whole"][0], -1_772_366_400_000_000_000_i64);
    let alerts = text(&fs::read_to_string(page).unwrap(), "id=\"alerts\">", "</div>");
    assert_eq!(
        alerts,
        "wrong clock?: there are packets of 1970-01-01 00:00:01 UTC, long before all others; the \
         timeline leaves them out unless you zoom out"
    );
}
