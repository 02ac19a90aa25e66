//! `knock-replay init`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use knock_tests::generators;
use proptest::prelude::*;
use tempfile::TempDir;

use crate::common::{CaseRunner, Outcome, finish};
use crate::signed;

#[test]
fn a_folder_of_tests_is_made_that_pass_at_once() {
    let desk = CaseRunner::new();
    let outcome = desk.run("init --config knockd.conf");
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    let mut all = format!("$ init\n{}{}", outcome.stdout, outcome.stderr);
    for path in files(&desk.path("knocks")) {
        let name = path.strip_prefix(desk.directory()).unwrap().display().to_string();
        let text = match fs::read_link(&path) {
            Ok(target) => format!("-> {}\n", target.display()),
            Err(_) => fs::read_to_string(&path).unwrap(),
        };
        all.extend(["==> ", &name, "\n", &text]);
    }
    insta::assert_snapshot!(all);
    let tests = desk.run("test knocks");
    assert_eq!(tests.status, Some(0), "{}", tests.stdout);
    assert!(tests.stdout.ends_with("\n8 tests: 8 passed, 0 failed\n"), "{}", tests.stdout);
}

#[test]
fn a_change_of_the_configuration_fails_the_tests() {
    let desk = CaseRunner::new();
    assert_eq!(desk.run("init --config knockd.conf").status, Some(0));
    let config = fs::read_to_string(desk.path("knockd.conf")).unwrap();
    for (from, to) in [
        ("7000,8000,9000", "7000,8000,9001"),
        ("7000,8000,9000", "7000,8000"),
        ("open %IP%", "open all"),
        ("close %IP%", "open %IP%"),
        ("cmd_timeout = 10", "cmd_timeout = 20"),
        ("tcpflags = syn", "tcpflags = fin"),
        ("seq_timeout = 5", "seq_timeout = 6"),
        ("25:udp", "25"),
        ("[mail]", "[post]"),
        ("[ssh]", "[ssh]\ntarget = 192.0.2.9"),
    ] {
        desk.write("knockd.conf", config.replace(from, to));
        let outcome = desk.run("test knocks -q");
        assert!(matches!(outcome.status, Some(1 | 2)), "{to}: {outcome:?}");
    }
    desk.write("knockd.conf", config);
    assert_eq!(desk.run("test knocks -q").status, Some(0));
}

#[test]
fn init_makes_tests_for_doors_that_signed_packets_open() {
    let desk = signed::server();
    let config = format!("{}[mail]\n    Signed = dave\n    Command = mail %IP%\n", signed::CONFIG);
    desk.write("knockd.conf", &config);
    signed::write_key(&desk, "alice.2027", &format!("key = {}\ndoors = web\n", signed::ALICE_2));
    let outcome = desk.run("init --config knockd.conf");
    let mut all = format!("{:?}\n{}{}", outcome.status, outcome.stdout, outcome.stderr);
    for path in outcome.stdout.lines() {
        for kind in ["scenario", "assert"] {
            let text = fs::read_to_string(desk.path(&format!("{path}.{kind}"))).unwrap();
            all.extend(["==> ", path, ".", kind, "\n", &text]);
        }
    }
    insta::assert_snapshot!(all);
    assert_eq!(desk.run("test knocks").status, Some(0));
    // They notice what they are for.
    for (from, to) in [("Signed = alice", "Signed = bob"), ("open %IP%", "open all")] {
        desk.write("knockd.conf", config.replace(from, to));
        assert_eq!(desk.run("test knocks -q").status, Some(1), "{to}");
    }
}

#[test]
fn nothing_is_overwritten() {
    let desk = CaseRunner::new();
    fs::create_dir_all(desk.path("knocks/mail")).unwrap();
    desk.write("knocks/mail/opens.assert", "mine\n");
    let outcome = desk.run("init --config knockd.conf");
    let told = "knock-replay: error: knocks/mail/opens.assert: there already, and nothing is \
                overwritten; name another folder\n";
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), ""));
    assert_eq!(outcome.stderr, told);
    assert_eq!(files(&desk.path("knocks")).len(), 1);
    assert_eq!(desk.run("init other -c knockd.conf").status, Some(0));
    let again = desk.run("init other -c knockd.conf");
    assert_eq!(again.status, Some(2));
    assert!(again.stderr.contains("other/ssh/opens.scenario, and 15 more: "), "{}", again.stderr);
    assert_eq!(desk.run("test other -q").status, Some(0));
}

#[test]
fn what_cannot_be_made_as_a_whole_leaves_nothing() {
    let desk = CaseRunner::new();
    fs::create_dir(desk.path("old")).unwrap();
    for folder in ["new/knocks", "old"] {
        let mut command = desk.program("sh");
        // A file may have a block of 512 bytes at most, which one of the tests needs more than.
        let config = "echo '[long]' >>long.conf; echo \"command = $(printf %0700d 0)\" >>long.conf; \
                      echo 'sequence = 1,2' >>long.conf";
        let line = format!(
            "trap '' XFSZ; {config}; ulimit -f 1; exec {} init {folder} -c long.conf",
            env!("CARGO_BIN_EXE_knock-replay")
        );
        desk.write("long.conf", fs::read(desk.path("knockd.conf")).unwrap());
        let outcome = finish(command.args(["-c", &line]));
        assert_eq!(outcome.status, Some(4), "{outcome:?}");
        assert!(outcome.stderr.contains("File too large"), "{}", outcome.stderr);
        assert!(!desk.path("new").exists());
        assert_eq!(files(&desk.path("old")).len(), 0);
        assert!(desk.path("old").exists());
    }
}

#[test]
fn only_the_owner_can_read_the_files() {
    let desk = CaseRunner::new();
    assert_eq!(desk.run("init a/b/knocks -c knockd.conf").status, Some(0));
    let mode = |name: &str| fs::metadata(desk.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("a/b/knocks"), 0o700);
    assert_eq!(mode("a/b/knocks/ssh/opens.scenario"), 0o600);
    assert_eq!(
        fs::read_link(desk.path("a/b/knocks/knockd.conf")).unwrap(),
        Path::new("../../../knockd.conf")
    );
}

#[test]
fn the_configuration_is_referred_to_wherever_it_is() {
    let desk = CaseRunner::new();
    fs::create_dir(desk.path("etc")).unwrap();
    fs::rename(desk.path("knockd.conf"), desk.path("etc/server.conf")).unwrap();
    let absolute = desk.path("etc/server.conf").display().to_string();
    for (folder, config, target) in [
        ("one", "etc/server.conf", "../etc/server.conf"),
        ("./etc/two", "./etc/../etc/server.conf", "../server.conf"),
        ("three", &absolute, &absolute),
    ] {
        let outcome = desk.run(&format!("init {folder} -c {config}"));
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
        let link = fs::read_link(desk.path(folder).join("knockd.conf")).unwrap();
        assert_eq!(link, Path::new(target));
        assert_eq!(desk.run(&format!("test {folder} -q")).status, Some(0));
    }
    // A configuration that lies in the folder is found without a link.
    fs::rename(desk.path("etc/server.conf"), desk.path("etc/knockd.conf")).unwrap();
    assert_eq!(desk.run("init etc -c etc/knockd.conf").status, Some(0));
    assert!(desk.path("etc/knockd.conf").symlink_metadata().unwrap().is_file());
    assert_eq!(desk.run("test etc/ssh -c etc/knockd.conf -q").status, Some(0));
}

#[test]
fn a_file_that_cannot_be_made_is_reported() {
    let desk = CaseRunner::new();
    desk.write("used.txt", "#1,2,3\n");
    desk.write(
        "knockd.conf",
        "[used up]\none_time_sequences = used.txt\ncommand = x\n\
         [alone]\nsequence = 4000\ncommand = y\n\
         [mirror]\nsequence = 1,2,1\ncommand = z\n\
         [late]\nsequence = 5000,5001\nseq_timeout = 9000000\ncommand =\n\
         [late]\nsequence = 5002,5003\ncommand =\n",
    );
    let outcome = desk.run("init -c knockd.conf");
    assert_eq!(outcome.status, Some(1));
    insta::assert_snapshot!(format!("{}{}", outcome.stdout, outcome.stderr));
    let tests = desk.run("test knocks");
    assert_eq!(tests.status, Some(0), "{}", tests.stdout);
    let config = "[used up]\none_time_sequences = used.txt\ncommand = x\n";
    desk.write("knockd.conf", config);
    let outcome = desk.run("init other -c knockd.conf");
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(1), ""));
    assert!(outcome.stderr.ends_with("error: there is no door that anything opens\n"));
    assert!(!desk.path("other").exists());
}

#[test]
fn the_tests_of_a_door_come_from_a_client_that_it_hears() {
    let desk = CaseRunner::new();
    let doors = [
        "[office]\nallow = 2001:db8:5::/48\nsequence = 1000,1001\ncommand = a %IP%\n",
        "[others]\ndeny = 198.51.100.0/24\nsequence = 2000,2001\ncommand = b %IP%\n",
        "[nobody]\ndeny = 0.0.0.0/0,::/0\nsequence = 3000,3001\ncommand = c %IP%\n",
    ];
    desk.write("knockd.conf", doors.concat());
    let outcome = desk.run("init knocks -c knockd.conf");
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    let why = "not made: door `nobody`: no client was found that allow and deny let knock\n";
    assert!(outcome.stderr.contains(why), "{outcome:?}");
    let runs =
        |door: &str| fs::read_to_string(desk.path(&format!("knocks/{door}/opens.assert"))).unwrap();
    assert!(runs("office").contains("runs \"a 2001:db8:5::1\""), "{}", runs("office"));
    assert!(runs("others").contains("runs \"b 203.0.113.7\""), "{}", runs("others"));
    let tests = desk.run("test knocks");
    assert_eq!(tests.status, Some(0), "{tests:?}");
}

#[test]
fn a_name_of_a_door_leads_out_of_no_folder() {
    let desk = CaseRunner::new();
    let names = ["..", "../../x", "a/b", ".hidden", "A B", "a b", "any", "a$[31m", "\"'\\"];
    let long = "x".repeat(3000);
    let doors = names.iter().copied().chain([long.as_str()]).zip(1..).map(|(name, number)| {
        format!("[{name}]\nsequence = {number}000,{number}001\ncommand = echo \"%IP%\" '\\n'\n")
    });
    desk.write("knockd.conf", doors.collect::<String>());
    let outcome = desk.run("init folder/knocks -c knockd.conf");
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    let mut folders: Vec<String> = fs::read_dir(desk.path("folder/knocks"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    folders.sort();
    let expected =
        ["A-B-2", "a--31m", "a-b", "a-b-3", "any", "door", "door-2", "hidden", "knockd.conf", "x"];
    assert_eq!(folders.len(), 11, "{folders:?}");
    assert_eq!(folders[..10], expected);
    assert_eq!(fs::read_dir(desk.path("folder")).unwrap().count(), 1);
    let tests = desk.run("test folder");
    assert_eq!(tests.status, Some(0), "{}", tests.stdout);
    assert!(tests.stdout.ends_with("\n40 tests: 40 passed, 0 failed\n"), "{}", tests.stdout);
}

#[test]
fn knocks_that_would_take_longer_than_they_may_come_faster() {
    let desk = CaseRunner::new();
    let ports: Vec<String> = (1..=32).map(|port| (port * 100).to_string()).collect();
    let config = format!("[d]\nsequence = {}\nseq_timeout = 1\ncommand =\n", ports.join(","));
    desk.write("knockd.conf", config);
    assert_eq!(desk.run("init -c knockd.conf").status, Some(0));
    assert_eq!(desk.run("test knocks --only opens -q").status, Some(0));
}

#[test]
fn what_no_tests_can_be_made_for_is_refused() {
    let desk = CaseRunner::new();
    desk.write("faulty.conf", "[ssh]\nsequence = 70000\ncommand =\n");
    desk.write("empty.conf", "[options]\n");
    desk.pipe("pipe.conf");
    let mut told = String::new();
    for config in ["faulty.conf", "empty.conf", "missing.conf", ".", "/dev/null"] {
        let outcome = desk.run(&format!("init -c {config}"));
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), ""), "{config}");
        told.extend(["$ init -c ", config, "\n", &outcome.stderr, "\n"]);
    }
    let outcome = desk.run("init");
    assert_eq!(outcome.status, Some(2));
    told.extend(["$ init\n", &outcome.stderr]);
    insta::assert_snapshot!(told);
    assert!(!desk.path("knocks").exists());
    let outcome = desk.run("init /proc/knocks -c knockd.conf");
    assert_eq!(outcome.status, Some(4), "{outcome:?}");
}

#[test]
fn local_addresses_are_knocked_at_and_named() {
    let desk = CaseRunner::new();
    let outcome = desk.run("init -c knockd.conf --local 2001:db8::9 --local 192.0.2.9");
    assert_eq!(outcome.status, Some(0));
    let read = |name: &str| fs::read_to_string(desk.path(name)).unwrap();
    let scenario = read("knocks/ssh/opens.scenario");
    assert!(
        scenario.ends_with("0 knock 2001:db8:1::7 7000 8000 9000 to 2001:db8::9\n"),
        "{scenario}"
    );
    let assertions = read("knocks/ssh/opens.assert");
    assert!(
        assertions.contains("\nlocal 2001:db8::9\nlocal 192.0.2.9\nmust open ssh "),
        "{assertions}"
    );
    assert_eq!(desk.run("test knocks -q").status, Some(0));
}

/// Every configuration of `testdata` that is sound.
#[test]
fn the_tests_of_every_sound_configuration_pass() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata").canonicalize().unwrap();
    let (mut sound, mut tests) = (0, 0);
    for config in
        files(&root).iter().filter(|path| path.extension().is_some_and(|end| end == "conf"))
    {
        let folder = config.parent().unwrap();
        let target = TempDir::new().unwrap();
        let made = in_folder(folder, &["init", path(&target), "-c", config.to_str().unwrap()]);
        if made.status == Some(2) {
            continue;
        }
        assert!(matches!(made.status, Some(0 | 1)), "{}: {made:?}", config.display());
        assert_eq!(
            made.status == Some(1),
            made.stderr.contains("not made: "),
            "{}: {made:?}",
            config.display()
        );
        if made.stdout.is_empty() {
            continue;
        }
        let outcome = in_folder(folder, &["test", path(&target), "-q"]);
        assert_eq!(
            (outcome.status, outcome.stdout.as_str()),
            (Some(0), ""),
            "{}",
            config.display()
        );
        sound += 1;
        tests += made.stdout.lines().count();
    }
    assert!(sound > 100 && tests > 500, "{sound} configurations, {tests} tests");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_tests_of_any_configuration_pass(setting in generators::setting(), style in generators::style()) {
        let folder = TempDir::new().unwrap();
        let conf = generators::conf(&setting.doors, &style);
        fs::write(folder.path().join("knockd.conf"), &conf.text).unwrap();
        for (name, text) in &conf.sequence_files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let local = setting.local.iter().flatten();
        let local: Vec<String> = local.map(|address| format!("--local={address}")).collect();
        let mut arguments = vec!["init", "knocks", "-c", "knockd.conf"];
        arguments.extend(local.iter().map(String::as_str));
        let made = in_folder(folder.path(), &arguments);
        prop_assert!(matches!(made.status, Some(0 | 1)), "{made:?}");
        if !made.stdout.is_empty() {
            let outcome = in_folder(folder.path(), &["test", "knocks", "-q"]);
            prop_assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), ""));
        }
        // Every door that has a sequence and hears a client has a test that opens it.
        let opens = made.stdout.lines().filter(|line| line.ends_with("/opens")).count();
        let without = made.stderr.lines().filter(|line| {
            ["nothing opens it", "no client was found"].iter().any(|why| line.contains(why))
        });
        let without = without.count();
        prop_assert_eq!(opens + without, setting.doors.len(), "{:?}", made);
    }
}

fn in_folder(folder: &Path, arguments: &[&str]) -> Outcome {
    let mut command = Command::new(env!("CARGO_BIN_EXE_knock-replay"));
    finish(command.current_dir(folder).args(arguments))
}

fn path(folder: &TempDir) -> &str {
    folder.path().to_str().unwrap()
}

/// Returns all files in a folder, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> = entries
        .flat_map(|path| {
            let is_folder = path.symlink_metadata().unwrap().is_dir();
            if is_folder { files(&path) } else { vec![path] }
        })
        .collect();
    found.sort();
    found
}
