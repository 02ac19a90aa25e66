use super::*;
use crate::lint::{self, Circumstances};
use crate::warnings::{Code, Level, Levels};

/// The codes of the warnings of a check, with their lines, and whether each is denied.
fn found(text: &str, levels: Levels) -> Vec<(Code, u32, bool)> {
    let with = Circumstances { levels, ..Circumstances::default() };
    let kept = lint::check(text.as_bytes(), &with).parsed.diagnostics;
    let codes = kept.kept().iter().map(|one| {
        let line = one.span.map_or(0, |span| span.line);
        (one.fault.code().unwrap(), line, one.is_denied)
    });
    codes.collect()
}

fn warned(text: &str) -> Vec<(Code, u32)> {
    found(text, Levels::default()).into_iter().map(|(code, line, _)| (code, line)).collect()
}

const DOOR: &str = "[d]\nseq_timeout = 5\ntcpflags = syn\ncommand = /open %IP%\n";

#[test]
fn a_warning_is_allowed_about_the_next_line_that_has_text() {
    let sequence = "sequence = 18044,7326\n";
    assert_eq!(warned(&format!("{DOOR}{sequence}")), [(Code::FewKnocks, 5)]);
    for comment in [
        "# knock: allow few-knocks\n",
        "  #knock:allow few-knocks\n\n",
        "# Knock: Allow service-port,few-knocks\n# wakes the server\n \t\n",
        "#\tknock:\tallow\tservice-port , few-knocks -- as few-knock is the way of this client\r\n",
        "# knock: allow service-port\n# knock: allow few-knocks\n",
    ] {
        assert_eq!(warned(&format!("{DOOR}{comment}{sequence}")), [], "{comment}");
    }
    for elsewhere in [
        format!("# knock: allow few-knocks\n{DOOR}{sequence}"),
        format!(
            "{DOOR}# knock: allow few-knocks\ncmd_timeout = 3\nstop_command = /close %IP%\n{sequence}"
        ),
        format!("{DOOR}{sequence}# knock: allow few-knocks\n"),
        format!("{DOOR}# knock: few-knocks\n{sequence}"),
        format!("{DOOR}# allow few-knocks\n{sequence}"),
    ] {
        let codes: Vec<Code> = warned(&elsewhere).into_iter().map(|(code, _)| code).collect();
        assert_eq!(codes, [Code::FewKnocks], "{elsewhere}");
    }
}

#[test]
fn a_warning_of_the_parser_is_allowed_at_every_start_too() {
    let text = "# knock: allow no-command\n[d]\nsequence = 1,2,3\n# knock: allow overridden-directive\n\
                seq_timeout = 5\nseq_timeout = 6\n";
    assert_eq!(faults(text), []);
    assert_eq!(faults(text.replace("# knock", "# ")).len(), 2);
}

#[test]
fn a_warning_about_the_text_as_a_whole_is_allowed_anywhere() {
    assert_eq!(warned("[options]\n# knock: allow no-doors\nusesyslog\n"), []);
    assert_eq!(warned("[options]\n# knock: allow no-doors"), []);
    assert_eq!(warned("[options]\n# knock: allow no-command"), [(Code::NoDoors, 0)]);
    let (_, diagnostics) = crate::parse_one_time(b"# knock: allow no-sequence-left\n#1,2,3\n");
    assert_eq!(diagnostics.warnings(), 0);
}

#[test]
fn a_warning_that_is_denied_by_its_name_is_not_allowed_by_a_comment() {
    let text = format!("{DOOR}# knock: allow few-knocks\nsequence = 18044,7326\n");
    assert_eq!(found(&text, Levels::default().deny_warnings()), []);
    let denied = Levels::default().with(Code::FewKnocks, Level::Deny);
    assert_eq!(found(&text, denied), [(Code::FewKnocks, 6, true)]);
}

#[test]
fn an_error_cannot_be_allowed() {
    assert_eq!(error_places("[d]\n# knock: allow few-knocks\nsequence = x\n"), [(3, 12)]);
}

#[test]
fn a_code_that_does_not_exist_gets_the_nearest() {
    let (Fault::Warning(warning), line, column) = &faults("# knock: allow few-knock,no-doors")[0]
    else {
        panic!("a warning")
    };
    assert_eq!((warning.code(), *line, *column), (Code::UnknownAllow, 1, 16));
    assert_eq!(warning.wording().help.unwrap(), "did you mean `few-knocks`?");
    let told = |text: &str| {
        faults(text).into_iter().map(|(_, line, column)| (line, column)).collect::<Vec<_>>()
    };
    assert_eq!(
        told("# knock: allow\n# knock: alow x\n# knock: allow no-doors"),
        [(1, 10), (2, 10)]
    );
    assert_eq!(told("# knock: 7000, 8000\n# knock:\n#knock\n# knock: allow no-doors"), []);
}
