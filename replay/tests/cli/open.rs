//! Doors with `Open`, in a replay.

use crate::common::CaseRunner;

const CONFIG: &str = "[options]\nFirewall = nft\n[SSH]\nSequence = 7000,8000,9000\nOpen = tcp/22,udp/53\n\
                      Open_For = 10s\nOpen_Max = 25s\n";

/// Four openings, after 0, 8, 16 and 21 seconds; the last one comes at the maximum.
fn scenario() -> String {
    let knocks = |second: u32| {
        let knock = move |(tenth, port): (u32, u32)| {
            format!("{second}.{tenth} 10.0.0.5 > 10.0.0.1:{port} tcp\n")
        };
        (0..).zip([7000, 8000, 9000]).map(knock)
    };
    let end = "90 10.0.0.5 > 10.0.0.1:7000 tcp\n".to_owned();
    [0, 8, 16, 21].into_iter().flat_map(knocks).chain([end]).collect()
}

fn desk() -> CaseRunner {
    let desk = CaseRunner::new();
    desk.write("knockd.conf", CONFIG);
    desk.write("scenario.txt", scenario());
    desk
}

#[test]
fn admissions_are_renewed_up_to_the_maximum_and_end() {
    let outcome = desk().run("scenario.txt -c knockd.conf");
    let lines: Vec<&str> =
        outcome.stdout.lines().filter(|line| line.starts_with("SSH: ")).collect();
    let expected = [
        "SSH: admit 10.0.0.5 to tcp/22,udp/53 for 10 s",
        "SSH: admit 10.0.0.5 to tcp/22,udp/53 for 10 s",
        "SSH: admit 10.0.0.5 to tcp/22,udp/53 for 9 s",
        "SSH: 10.0.0.5: admission ended",
    ];
    assert_eq!(lines, expected, "{}{}", outcome.stdout, outcome.stderr);
    let ignored = "already admitted for as long as Open_Max allows, ignored";
    assert!(outcome.stderr.contains(ignored), "{}", outcome.stderr);
}

#[test]
fn assertions_about_admissions_hold_or_say_what_was_admitted() {
    let desk = desk();
    let holds = "admits 10.0.0.5\nadmits 10.0.0.0/8 to tcp/22 for 10s\nadmits 10.0.0.5 to \
                 udp/53,tcp/22\nadmits 10.0.0.5 for 9s\ncloses SSH for 10.0.0.5\n";
    desk.write("a.assert", holds);
    let run = || desk.run("scenario.txt -c knockd.conf --assert a.assert");
    let outcome = run();
    assert_eq!(outcome.status, Some(0), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("5 assertions passed"), "{}", outcome.stderr);
    desk.write(
        "a.assert",
        "admits 10.0.0.5 to tcp/22-23\nadmits 10.0.0.6\nadmits 10.0.0.5 for 1h\n",
    );
    let outcome = run();
    assert_eq!(outcome.status, Some(1));
    for text in [
        "10.0.0.5 is not admitted to tcp/22-23",
        "10.0.0.6 is not admitted",
        "10.0.0.5 is not admitted for 3600 s",
        "door `SSH` admit 10.0.0.5 to tcp/22,udp/53 for 10 s",
    ] {
        assert!(outcome.stdout.contains(text), "{text}: {}", outcome.stdout);
    }
    desk.write("a.assert", "admits 10.0.0.5 to 22\n");
    let outcome = run();
    assert!(outcome.stderr.contains("`22` is not a list of ports"), "{}", outcome.stderr);
}

#[test]
fn explain_diff_and_objects_show_admissions() {
    let desk = desk();
    let explained = desk.run("explain scenario.txt -c knockd.conf").stdout;
    for text in ["admit to tcp/22,udp/53 for 10 s", "admission ended"] {
        assert!(explained.contains(text), "{text}: {explained}");
    }
    desk.write("new.conf", CONFIG.replace("tcp/22,udp/53", "tcp/2222"));
    let diff = desk.run("diff scenario.txt -c knockd.conf --new new.conf").stdout;
    assert!(diff.contains("admit to tcp/2222 for 10 s"), "{diff}");
    let objects = desk.run("scenario.txt -c knockd.conf --format json").stdout;
    for event in ["\"admitted\"", "\"admission-ended\""] {
        assert!(objects.contains(event), "{event}: {objects}");
    }
    let rules = desk.run("diff scenario.txt -c knockd.conf --rules").stderr;
    assert!(rules.contains("knockd 0.8 opens no ports itself"), "{rules}");
}
