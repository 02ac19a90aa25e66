//! What the guide says, `docs/firewall.md`.

use std::fs;
use std::path::Path;

use knock_firewall::{Refusal, Ruleset};
use knock_tests::live::Namespace;

use crate::common::{can_run, connect, nft, ports, run};

fn guide() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/firewall.md");
    fs::read_to_string(path).unwrap()
}

/// Returns the text between two lines of backticks that begins so.
fn fence(beginning: &str) -> String {
    let guide = guide();
    let fences: Vec<&str> = guide.split("\n```\n").skip(1).step_by(2).collect();
    let mut found = fences.iter().filter(|fence| fence.starts_with(beginning));
    let text = format!("{}\n", found.next().unwrap());
    assert!(found.next().is_none(), "{beginning} is there twice");
    text
}

#[test]
fn the_table_is_as_the_guide_shows_it() {
    if !can_run("the_table_is_as_the_guide_shows_it", &[]) {
        return;
    }
    let place = Namespace::new();
    let ruleset = Ruleset::guard(&ports("tcp/22"), Refusal::Drop);
    connect(&place, &ruleset).start().unwrap();
    let shown = fence("table inet knockd");
    assert_eq!(run(&place, "nft list table inet knockd"), shown);
    // As it is loaded before knockd starts.
    nft(&place, "flush ruleset");
    nft(&place, &ruleset.nft_text());
    assert_eq!(run(&place, "nft list table inet knockd"), shown);
    nft(&place, &ruleset.nft_text());
    assert_eq!(run(&place, "nft list table inet knockd"), shown);
}

/// Without a daemon that could do it; what the package adds to the script is left out.
#[test]
fn the_removal_of_the_package_opens_guarded_ports_and_leaves_other_tables() {
    let name = "the_removal_of_the_package_opens_guarded_ports_and_leaves_other_tables";
    if !can_run(name, &[]) {
        return;
    }
    let place = Namespace::new();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/debian/knockd/prerm");
    let script = fs::read_to_string(path).unwrap();
    let ours = script.split("#DEBHELPER#").next().unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), ours).unwrap();
    let prerm = |action: &str| {
        run(&place, &format!("sh {} {action}", file.path().display()));
        run(&place, "nft list tables")
    };
    connect(&place, &Ruleset::guard(&ports("tcp/22"), Refusal::Drop)).start().unwrap();
    nft(&place, "add table inet filter");
    assert!(prerm("upgrade").contains("table inet knockd\n"));
    assert_eq!(prerm("remove"), "table inet filter\n");
    assert_eq!(prerm("remove"), "table inet filter\n");
    nft(&place, "add table inet knockd\nadd chain inet knockd mine");
    assert!(prerm("remove").contains("table inet knockd\n"), "it is somebody else's");
}

#[test]
fn the_ruleset_of_an_administrator_in_the_guide_uses_the_sets() {
    if !can_run("the_ruleset_of_an_administrator_in_the_guide_uses_the_sets", &[]) {
        return;
    }
    let place = Namespace::new();
    let ruleset = Ruleset::admit("inet filter".parse().unwrap(), &ports("tcp/22"));
    assert_eq!(ruleset.nft_text(), fence("table inet filter"));
    let guide = guide();
    let (_, file) = guide.split_once("`/etc/nftables.conf`:\n\n").unwrap();
    let file = file.lines().take_while(|line| line.is_empty() || line.starts_with("    "));
    nft(&place, &file.collect::<Vec<&str>>().join("\n"));
    let mut firewall = connect(&place, &ruleset);
    firewall.start().unwrap();
    assert_eq!(firewall.sets().len(), 2);
    for set in firewall.sets() {
        assert_eq!(firewall.users(set).unwrap(), ["input"]);
    }
}
