//! What the documentation says about profiles is true.

use knock_engine::DoorName;
use knock_tests::manual::{Part, prose};

use crate::case_runner::CaseRunner;
use knock::Hit;
use knock::profile::{Base, Knocks, Profiles, parse};
use knock_config::diagnostics::{Style, render};

const EXAMPLE: &str = include_str!("../../../docs/examples/knock-config");

#[test]
fn the_example_is_read_without_a_warning_and_means_what_it_says() {
    let profiles = read(EXAMPLE);
    assert_eq!(profiles.hosts(), ["home", "office", "office-v6", "vault"]);
    let home = profiles.settings("home").request("home");
    assert_eq!(
        home.hits.iter().map(Hit::to_string).collect::<Vec<_>>(),
        ["7000:tcp", "8000:udp", "9000:tcp"]
    );
    let office = profiles.settings("office-v6");
    assert_eq!(office.knocks, Some(Knocks::Door(DoorName::new(b"openSSH"))));
    assert_eq!(office.request("office-v6").family, Some(knock::Family::V6));
    assert_eq!(profiles.settings("vault").wait, Some(std::time::Duration::from_secs(10)));
    assert_eq!(profiles.settings("lab-1").host("lab-1"), "192.0.2.10");
    assert_eq!(profiles.settings("lab-9").host("lab-9"), "lab-9");
    assert_eq!(profiles.settings("lab-9").retry, Some(2));
}

#[test]
fn the_example_can_be_listed() {
    let desk = CaseRunner::new(EXAMPLE);
    desk.write("config/knock/office-knockd.conf", "[openSSH]\nsequence = 1,2\n");
    std::fs::create_dir_all(desk.path("home/.config/knock")).unwrap();
    desk.write("home/.config/knock/vault.sequences", "1\n2\n3\n4\n");
    let outcome = desk.run("--list");
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
    insta::assert_snapshot!(outcome.stdout);
}

#[test]
fn the_manual_names_every_keyword_with_a_value_and_its_example_is_read() {
    let prose = prose("knock");
    let mut keywords = Vec::new();
    for part in &prose.section("PROFILES").parts {
        match part {
            Part::Text(_) => {}
            Part::Tagged(tag, _) => {
                keywords.push(tag.plain().split(' ').next().unwrap().to_owned());
            }
            Part::Verbatim(text) => assert_eq!(read(text).hosts(), ["home"]),
        }
    }
    // An unknown keyword would give another error.
    for keyword in &keywords {
        let report = report(&format!("{keyword}\n"));
        assert!(report.starts_with(&format!("error: no value after `{keyword}`\n")), "{report}");
    }
    assert_eq!(keywords.len(), 14);
}

fn read(text: &str) -> Profiles {
    assert_eq!(report(text), "");
    parse("config".to_owned(), text.as_bytes(), &base()).profiles.unwrap()
}

fn report(text: &str) -> String {
    render(&[parse("config".to_owned(), text.as_bytes(), &base()).source], Style::Plain)
}

fn base() -> Base {
    Base { folder: "/etc/knock".into(), home: Some("/home/ada".into()) }
}
