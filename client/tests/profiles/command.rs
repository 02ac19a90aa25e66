//! Profiles, as users of the program see them.

use std::process::Command;

use knock_tests::require::{Need, require};

use crate::case_runner::{CaseRunner, schema};

const PROFILES: &str = "\
Host home
    HostName 127.0.0.1
    Knocks 7000 8000:udp 9000
    Delay 10
    Source 127.0.0.9

Host work
    HostName 127.0.0.2
    Door openSSH

Host vault
    HostName 127.0.0.3
    OneTimeSequences vault.sequences
    Then 22

Host nothing

Host *
    Config knockd.conf
    Source 127.0.0.8
";

const CONF: &str = "\
[openSSH]
    sequence = 7,8:udp
    tcpflags = fin,!syn
    target = 127.0.0.7
    command = open %IP%

[openHTTP]
    sequence = 9

[twice]
    sequence = 1
[twice]
    sequence = 2
";

#[test]
fn a_host_that_is_nearly_a_profile_gets_one_error_with_the_name_of_the_profile() {
    let desk = desk();
    for arguments in ["--dry-run hoem", "--dry-run hoem 7000", "--dry-run --then 22 hoem 7000:udp"]
    {
        let outcome = desk.run(arguments);
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), ""), "{arguments}");
        assert_eq!(outcome.stderr.matches("error").count(), 1, "{}", outcome.stderr);
        assert!(outcome.stderr.contains("`home`?\n"), "{}", outcome.stderr);
    }
}

#[test]
fn a_name_is_enough_to_knock() {
    let desk = desk();
    assert_eq!(
        desk.plan("home"),
        [
            "knock at 127.0.0.1 from 127.0.0.9:",
            "0 ms  7000:tcp",
            "10 ms  8000:udp",
            "20 ms  9000:tcp"
        ]
    );
}

#[test]
fn what_the_command_line_says_beats_the_profile() {
    let desk = desk();
    assert_eq!(
        desk.plan("-u -d 5 --source 127.0.0.6 home"),
        [
            "knock at 127.0.0.1 from 127.0.0.6:",
            "0 ms  7000:udp",
            "5 ms  8000:udp",
            "10 ms  9000:udp"
        ]
    );
    assert_eq!(desk.plan("home 1"), ["knock at 127.0.0.1 from 127.0.0.9:", "0 ms  1:tcp"]);
    let door = desk.plan("home -c knockd.conf --door openHTTP");
    assert_eq!(door, ["knock at 127.0.0.1 from 127.0.0.9:", "0 ms  9:tcp"]);
}

#[test]
fn a_door_of_the_configuration_of_the_server_is_knocked_at_with_its_flags() {
    let desk = desk();
    desk.write("config/knock/knockd.conf", CONF);
    let hits = ["0 ms  7:tcp:fin", "100 ms  8:udp"];
    assert_eq!(desk.plan("work")[1..], hits);
    let plan = desk.plan("-F none --source 127.0.0.8 -c knockd.conf --door openSSH 127.0.0.5");
    assert_eq!(plan[0], "knock at 127.0.0.5 from 127.0.0.8:");
    assert_eq!(plan[1..], hits);
}

#[test]
fn without_a_host_the_target_of_the_door_is_knocked_at() {
    let desk = desk();
    let plan = desk.plan("-c knockd.conf --door openSSH");
    assert_eq!(plan[0], "knock at 127.0.0.7 from 127.0.0.8:");
    let outcome = desk.run("--dry-run -c knockd.conf --door openHTTP");
    assert_eq!(outcome.status, Some(2));
    insta::assert_snapshot!(outcome.stderr, @r"
    knock: error: no host is given, and the door has no target
      help: name the host to knock at
    ");
}

#[test]
fn a_missing_door_is_reported_with_those_that_exist() {
    let desk = desk();
    let errors = ["--door openSHH h", "--door x h", "h", "--door twice h"].map(|arguments| {
        let outcome = desk.run(&format!("-c knockd.conf {arguments}"));
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), ""), "{arguments}");
        outcome.stderr
    });
    insta::assert_snapshot!(errors.concat());
}

#[test]
fn all_errors_of_a_configuration_are_reported() {
    let desk = desk();
    desk.write("knockd.conf", "[a]\nsequence = 70000\n[b]\none_time_sequences = missing\n");
    let outcome = desk.run("-c knockd.conf --door b h");
    assert_eq!(outcome.status, Some(2));
    insta::assert_snapshot!(outcome.stderr);
    desk.write("knockd.conf", "[a]\nsequence = 7\n[b]\none_time_sequences = missing\n");
    assert!(
        desk.run("-c knockd.conf --door b h").stderr.starts_with("error: cannot read `missing`")
    );
    assert_eq!(desk.plan("-c knockd.conf --door a 127.0.0.5")[1], "0 ms  7:tcp");
}

#[test]
fn the_sequence_of_a_door_may_be_in_a_file_of_its_own() {
    let desk = desk();
    let config = "[openSSH]\nsequence_file = a.sequence\n[b]\nsequence_file = missing\n";
    desk.write("knockd.conf", config);
    desk.write("config/knock/knockd.conf", config);
    desk.write("a.sequence", "# mine\n7000,8000:udp\n");
    for arguments in ["-c knockd.conf --door openSSH 127.0.0.5", "work"] {
        let plan = desk.plan(arguments);
        let knocks: Vec<&str> = plan
            .iter()
            .filter_map(|line| line.split_once("ms  "))
            .map(|(_, knock)| knock)
            .collect();
        assert_eq!(knocks, ["7000:tcp", "8000:udp"], "{plan:?}");
        // The configuration has no secret then.
        desk.permit("knockd.conf", 0o644);
        desk.permit("config/knock/knockd.conf", 0o644);
        assert_eq!(desk.run(&format!("--dry-run {arguments}")).stderr, "");
        desk.permit("a.sequence", 0o640);
        let refused = desk.run(&format!("--dry-run {arguments}"));
        assert_eq!(refused.status, Some(2), "{refused:?}");
        let message = "cannot read `a.sequence`: it has a sequence, and other users may read it (mode 0640)\n";
        assert!(refused.stderr.contains(message), "{refused:?}");
        assert!(!refused.stderr.contains("7000"), "{refused:?}");
        desk.permit("a.sequence", 0o600);
    }
}

#[test]
fn hosts_are_listed_without_their_secrets_by_default() {
    let desk = desk();
    desk.write("config/knock/knockd.conf", CONF);
    desk.write("config/knock/vault.sequences", " 1,2\n#3,4\n 5,6:udp\n");
    let outcome = desk.run("--list");
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
    insta::assert_snapshot!(outcome.stdout, @r"
    home     127.0.0.1  3 knocks
    work     127.0.0.2  2 knocks, door openSSH of DIR/config/knock/knockd.conf
    vault    127.0.0.3  2 knocks, DIR/config/knock/vault.sequences, 2 sequences left, then 22/tcp
    nothing  nothing    no knocks
    ");
    insta::assert_snapshot!(desk.run("--list -v").stdout, @r"
    home     127.0.0.1  3 knocks: 7000:tcp 8000:udp 9000:tcp
    work     127.0.0.2  2 knocks, door openSSH of DIR/config/knock/knockd.conf: 7:tcp:fin 8:udp
    vault    127.0.0.3  2 knocks, DIR/config/knock/vault.sequences, 2 sequences left, then 22/tcp: 1:tcp 2:tcp
    nothing  nothing    no knocks
    ");
    let printed = desk.run("--list --json").stdout;
    assert_eq!(schema().objects(&printed).len(), 4);
    insta::assert_snapshot!(printed);
}

#[test]
fn hosts_whose_knocks_cannot_be_found_are_listed_with_a_reason() {
    let outcome = desk().run("--list");
    assert_eq!(outcome.status, Some(2));
    insta::assert_snapshot!(format!("{}\n{}", outcome.stdout, outcome.stderr));
}

#[test]
fn an_unknown_name_is_reported_with_a_similar_one() {
    let desk = desk();
    let errors = ["hoem", "elsewhere", "nothing"].map(|host| {
        let outcome = desk.run(host);
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), ""), "{host}");
        outcome.stderr
    });
    insta::assert_snapshot!(errors.concat());
}

#[test]
fn profiles_may_be_missing_unless_the_user_names_them() {
    let desk = desk();
    let knock = "--dry-run --source 127.0.0.8 127.0.0.1 7";
    std::fs::remove_file(desk.path("config/knock/config")).unwrap();
    assert_eq!(desk.run(knock).status, Some(0));
    insta::assert_snapshot!(desk.run("home").stderr, @r"
    knock: error: no knocks are given, and there are no profiles in DIR/config/knock/config
      help: add ports after the host, as in `knock myserver.example.com 7000 8000 9000`, or a door of a knockd.conf with `--config` and `--door`
    ");
    let outcome = desk.run("--list");
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), ""));
    assert_eq!(outcome.stderr, "knock: note: there are no profiles in DIR/config/knock/config\n");
    let outcome = desk.run(&format!("-F missing {knock}"));
    assert_eq!(outcome.status, Some(2));
    assert!(outcome.stderr.contains("cannot read `missing`: there is no such file"));
    desk.write("other", "Host x\n  HostName 127.0.0.4\n  Knocks 5\n");
    let plan = desk.plan("-F other x --source 127.0.0.8");
    assert_eq!(plan, ["knock at 127.0.0.4 from 127.0.0.8:", "0 ms  5:tcp"]);
}

/// As with `su` and `sudo`, which may leave the home of another user.
#[test]
fn unreachable_profiles_count_as_missing() {
    let name = "unreachable_profiles_count_as_missing";
    if !require(name, &["setpriv"], Need::Root) {
        return;
    }
    let desk = desk();
    desk.copy_program();
    desk.permit("", 0o755);
    let run = || {
        let mut command = Command::new("setpriv");
        desk.set(&mut command);
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "./program"]);
        desk.finish(command.args("--dry-run --source 127.0.0.8 127.0.0.1 7".split(' ')))
    };
    desk.permit("config", 0o700);
    let outcome = run();
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
    // Profiles that can be reached must be readable.
    for folder in ["config", "config/knock"] {
        desk.permit(folder, 0o755);
    }
    let outcome = run();
    assert_eq!(outcome.status, Some(2));
    assert!(outcome.stderr.contains("knock/config`: permission denied"), "{}", outcome.stderr);
}

#[test]
fn a_relative_folder_of_configurations_is_ignored() {
    let desk = desk();
    let run = |folder: &std::path::Path| {
        desk.finish(desk.command("--dry-run home").env("XDG_CONFIG_HOME", folder)).status
    };
    assert_eq!(run(&desk.path("config")), Some(0));
    assert_eq!(run("config".as_ref()), Some(2));
}

#[test]
fn the_home_of_the_user_is_where_profiles_are_usually() {
    let desk = desk();
    std::fs::create_dir_all(desk.path("home/.config/knock")).unwrap();
    desk.write(
        "home/.config/knock/config",
        "Host x\n  HostName 127.0.0.4\n  Door d\n  Config ~/c\n",
    );
    desk.write("home/c", "[d]\nsequence=77\n");
    let mut command = desk.command("--dry-run --source 127.0.0.8 x");
    let outcome = desk.finish(command.env_remove("XDG_CONFIG_HOME"));
    assert_eq!(outcome.stdout, "knock at 127.0.0.4 from 127.0.0.8:\n        0 ms  77:tcp\n");
}

#[test]
fn all_errors_of_profiles_are_reported_before_anything_is_sent() {
    let desk = desk();
    desk.write("config/knock/config", "Host home\n  Koncks 7000\n  Delay fast\n");
    let outcome = desk.run("home");
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), ""));
    insta::assert_snapshot!(outcome.stderr);
    let outcome = desk.run("home --json");
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(2), ""));
    let printed = schema().object(&outcome.stdout);
    let message = printed["message"].as_str().unwrap();
    assert!(message.starts_with("error: unknown keyword `Koncks`"), "{printed}");
    desk.write("config/knock/config", "Host home\n  HostName 127.0.0.1\n  Knocks 1\n  Knocks 2\n");
    let outcome = desk.run("home --dry-run --source 127.0.0.8");
    assert_eq!(outcome.status, Some(0));
    assert!(outcome.stderr.starts_with("warning: `Knocks` is set twice"), "{}", outcome.stderr);
    assert_eq!(desk.run("-q home --dry-run --source 127.0.0.8").stderr, "");
    let printed = schema().objects(&desk.run("--json home --dry-run --source 127.0.0.8").stdout);
    assert_eq!(printed[0]["event"], "warning", "{printed:?}");
}

#[test]
fn waiting_needs_a_port() {
    let desk = desk();
    desk.write("config/knock/vault.sequences", "1,2\n2\n3\n4\n");
    assert_eq!(
        desk.plan("vault --wait 1 --retry 2").last().unwrap(),
        "then wait up to 1 s until 22/tcp is open, and knock up to 2 times more if it is not"
    );
    let plan = desk.plan("vault --then none");
    assert_eq!(plan.last().unwrap(), "100 ms  2:tcp", "{plan:?}");
    let outcome = desk.run("home --retry 2");
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), ""));
    insta::assert_snapshot!(outcome.stderr);
}

#[test]
fn files_that_others_can_read_give_a_warning_and_are_used() {
    let desk = desk();
    desk.write("config/knock/knockd.conf", CONF);
    desk.permit("config/knock/config", 0o644);
    desk.permit("config/knock/knockd.conf", 0o666);
    let outcome = desk.run("--dry-run work");
    assert_eq!(outcome.status, Some(0));
    insta::assert_snapshot!(outcome.stderr);
    assert_eq!(desk.run("--dry-run -q work").stderr, "");
    let json = desk.run("--dry-run --json work");
    let printed = schema().objects(&json.stdout);
    let warnings: Vec<_> = printed.iter().filter(|object| object["event"] == "warning").collect();
    assert_eq!(warnings.len(), 2, "{printed:?}");
    assert!(warnings.iter().all(|warning| warning["help"].is_string()), "{warnings:?}");
    assert!(warnings.iter().any(|warning| warning["note"].is_string()), "{warnings:?}");
}

fn desk() -> CaseRunner {
    let desk = CaseRunner::new(PROFILES);
    desk.write("knockd.conf", CONF);
    desk
}
