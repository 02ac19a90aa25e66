//! Lines in logs and on terminals.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::common::CONFIG;
use crate::{both, can_run, end, listen, rest};

#[test]
fn a_log_file_of_knockd_08_has_empty_lines_and_cut_ones_and_is_for_everybody() {
    let name = "a_log_file_of_knockd_08_has_empty_lines_and_cut_ones_and_is_for_everybody";
    if !can_run(name, &[]) {
        return;
    }
    let filler = "x".repeat(1500);
    let config = format!(
        "[options]\nlogfile = DIR/log\n[door]\nsequence = 7000:udp\ncommand = true {filler}\n"
    );
    let [theirs, ours] = both(&config, |machine, program| {
        let live = machine.start(&format!("umask 022; exec {program} -v -i lo -c DIR/knockd.conf"));
        assert_eq!(live.line(), "listening on lo...");
        rest(machine);
        machine.knock(&[7000]);
        machine.wait_for_text("log", "running command");
        let _ = end(live, &rest(machine));
        let mode = fs::metadata(machine.folder.path("log")).unwrap().permissions().mode() & 0o777;
        let log = machine.folder.read("log");
        let longest = log.lines().map(str::len).max().unwrap_or_default();
        (mode, log.lines().any(str::is_empty), longest)
    });
    // The stamp has 19 bytes.
    assert_eq!((theirs.0, theirs.2), (0o644, 19 + 1023));
    assert_eq!(ours, (0o640, false, 19 + "door: running command: true ".len() + 1500));
    // A text of 1,023 bytes has lost the newline at its end, too; others have not.
    let [theirs, ours] = both(&config.replace(&filler, ""), |machine, program| {
        let (live, process) = listen(machine, program, "");
        machine.knock(&[7000]);
        machine.wait_for_text("log", "running command");
        let _ = end(live, &process);
        machine.folder.read("log").lines().any(str::is_empty)
    });
    assert_eq!((theirs, ours), (true, false));
}

#[test]
fn in_the_foreground_knockd_08_says_nothing_without_verbose() {
    if !can_run("in_the_foreground_knockd_08_says_nothing_without_verbose", &[]) {
        return;
    }
    let config = format!("[options]\nlogfile = DIR/log\n{CONFIG}");
    let [theirs, ours] = both(&config, |machine, program| {
        let live = machine.start(&format!("exec {program} -i lo -c DIR/knockd.conf"));
        machine.wait_for_text("log", "starting up");
        rest(machine);
        machine.knock(&[7000, 8000]);
        machine.wait_for_lines("opened", 1);
        let outcome = end(live, &rest(machine));
        (outcome.stdout, outcome.stderr)
    });
    assert_eq!(theirs, (String::new(), String::new()));
    assert_eq!(ours.0, "");
    assert!(ours.1.contains("\n127.0.0.1: door: OPEN SESAME\ndoor: running command: "), "{ours:?}");
}

#[test]
fn debug_has_the_wrong_month_and_no_reasons_under_knockd_08() {
    let name = "debug_has_the_wrong_month_and_no_reasons_under_knockd_08";
    if !can_run(name, &["date"]) {
        return;
    }
    let [theirs, ours] = both(CONFIG, |machine, program| {
        let month = machine.run("date +%m").stdout.trim().parse::<u32>().unwrap();
        let (daemon, _) = listen(machine, program, "-D");
        // The knock of the other door breaks the first attempt at this one.
        machine.knock(&[7000, 7001, 7000, 8000]);
        let mut lines = Vec::new();
        loop {
            let line = daemon.line();
            if line.ends_with("OPEN SESAME") || lines.len() > 20 {
                break;
            }
            lines.push(line);
        }
        let shown = lines.iter().find(|line| line.contains(": udp: ")).unwrap();
        let shown: u32 = shown.split('-').nth(1).unwrap().parse().unwrap();
        let has_reason = lines.iter().any(|line| line.contains("is not the next knock"));
        (shown + 1 == month, shown == month, has_reason)
    });
    assert_eq!(theirs, (true, false, false));
    assert_eq!(ours, (false, true, true));
}
