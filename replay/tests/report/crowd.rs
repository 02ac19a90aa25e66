//! Pages of more clients than have room.

use std::fs;

use serde_json::Value;

use crate::common::{CONFIG, CaseRunner, data, got_in, text};

/// One door that closes.
fn config() -> &'static str {
    CONFIG.split("[mail]").next().unwrap()
}

fn headline(html: &str) -> String {
    text(html, "id=\"headline\">", "</p>")
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

#[test]
fn of_65536_clients_all_are_counted_and_the_graph_says_which_have_no_row() {
    let scenario = "\
start 2026-03-01T06:00:00Z
0     knock 10.0.0.0-10.0.223.255 7000 8000 9000 every 0.3s apart 1s
1000  knock 10.0.224.0-10.0.239.255 7000 8000 apart 3s
3000  knock 10.0.240.0-10.0.255.255 7000 9000 every 0.2s apart 7s
";
    let desk = CaseRunner::with(config(), scenario);
    let page = desk.page();
    let html = fs::read_to_string(&page).unwrap();
    assert_eq!(
        headline(&html),
        "57,344 openings at 1 door, for 57,344 clients. 8,192 clients came near at a door and did not \
         get in."
    );
    assert!(html.len() < 20_000_000, "{} bytes", html.len());
    let data = data(&page);
    assert_eq!(number(&data["counts"]["clients"]), 65_536);
    assert_eq!(data["openings"].as_array().unwrap().len(), 57_344);
    let mut rows = vec![0; data["groups"].as_array().unwrap().len()];
    for pair in data["pairs"].as_array().unwrap() {
        rows[usize::try_from(number(&pair["group"])).unwrap()] += 1;
    }
    let mut groups = Vec::new();
    for (group, rows) in data["groups"].as_array().unwrap().iter().zip(rows) {
        let rest = group["rest"].as_object().unwrap();
        let unlisted: u64 = rest.values().map(number).sum();
        assert_eq!(rows + unlisted, number(&group["pairs"]), "{group}");
        assert!(rows > 1000, "every group has rows");
        groups.push((group["outcome"].as_str().unwrap(), number(&group["pairs"])));
        if group["outcome"] == "opened" {
            assert!(rest.contains_key("239"), "the bars end where the axis ends");
        }
    }
    assert_eq!(groups, [("opened", 57_344), ("near", 4096), ("near", 4096)]);
    let cut = text(&html, "id=\"cut\">", "</p>");
    assert!(cut.starts_with("20,000 of 65,536 clients at doors have a row"), "{cut}");
}

#[test]
fn a_flood_of_forged_knocks_does_not_crowd_out_who_got_in() {
    let scenario = "\
0     knock 10.0.0.0-10.4.255.255 7000 apart 0.01s
4000  knock 192.0.2.7 7000 8000 9000 every 0.1s
";
    let desk = CaseRunner::with(config(), scenario);
    let page = desk.page();
    let html = fs::read_to_string(&page).unwrap();
    assert!(got_in(&html)[0].starts_with("192.0.2.7 openSSH "), "{:?}", got_in(&html));
    let headline = headline(&html);
    assert_eq!(
        headline,
        "1 opening at 1 door, for 1 client. At least 262,144 clients came near at a door and did not \
         get in."
    );
    let alerts = text(&html, "id=\"alerts\">", "</div>");
    assert!(alerts.contains("packets of further clients at doors than 262,144"), "{alerts}");
    assert!(html.len() < 20_000_000, "{} bytes", html.len());
}
