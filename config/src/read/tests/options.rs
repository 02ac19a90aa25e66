//! Options that have a form, and those that knockd 0.8 does not know.

use super::*;

#[test]
fn options_are_absent_or_have_their_defaults() {
    let options = config("[options]\n[d]\nSequence=1").options;
    assert_eq!(options, Options::default());
    assert_eq!((options.log_time(), options.interfaces()), (LogTime::Minutes, &[][..]));
    assert_eq!((options.user, options.command_limit), (None, None));
}

#[test]
fn options_that_knockd_08_does_not_know_are_read_like_the_others() {
    let options = config(
        "[options]\nUSER = a\nuser = _knockd\t\nLogTime = minutes\n logtime=ISO\nCommandLimit=9\n\
         commandlimit = 002147483647\nLeaseFile = /run/a b\nStateDir = /s\nOnStateError = OPEN\n\
         OnStop = Keep\nControlSocket = /run/c",
    )
    .options;
    assert_eq!(options.log_time(), LogTime::Iso);
    assert_eq!(options.on_state_error(), crate::OnStateError::Open);
    assert_eq!(options.on_stop(), crate::OnStop::Keep);
    assert_eq!(options.state_dir.unwrap().value.as_bytes(), b"/s");
    assert_eq!(options.user.unwrap().value.as_bytes(), b"_knockd");
    assert_eq!(options.command_limit.unwrap().value, Seconds::MAX);
    assert_eq!(options.lease_file.unwrap().value.as_bytes(), b"/run/a b");
    assert_eq!(options.control_socket.unwrap().value.as_bytes(), b"/run/c");
    for line in
        ["User=a", "LogTime=iso", "CommandLimit=1", "LeaseFile=l", "StateDir=s", "ControlSocket=s"]
    {
        let text = format!("[d]\nSequence=1\nCommand=\n{line}");
        assert_eq!(error_places(text), [(4, 1)], "{line}");
    }
}

#[test]
fn options_can_be_read_though_the_rest_cannot() {
    let text = "x\n[d]\nSequence=0\n[options\nLeaseFile = /l\nnonsense\nLogTime = no\nStateDir = /s\n[e]\n\
                StateDir = /no\n";
    assert!(parse(text.as_bytes()).config.is_none());
    let options = crate::parse_options(text.as_bytes());
    assert_eq!(options.lease_file.unwrap().value.as_bytes(), b"/l");
    assert_eq!(options.state_dir.unwrap().value.as_bytes(), b"/s");
    assert_eq!(options.log_time, None);
}

#[test]
fn interfaces_are_separated_by_commas_and_the_last_line_counts() {
    let read = |value: &str| {
        let options = config(format!("[options]\nInterface=lo,ppp0\nInterface={value}")).options;
        String::from_utf8(interfaces(&options).join(&b" "[..])).unwrap()
    };
    assert_eq!(read("eth0"), "eth0");
    assert_eq!(read(" \teth1 ,eth0,\t eth0:1\t"), "eth1 eth0 eth0:1");
    assert_eq!(read("any"), "any");
    assert_eq!(read("any ,any"), "any");
    assert_eq!(read("b#,a,b#,a"), "b# a");
}

#[test]
fn every_bad_interface_is_reported_and_spoils_the_line() {
    let options = "[options]\nInterface=";
    let places = |value: &str| error_places(format!("{options}{value}\n[d]\nSequence=1"));
    assert_eq!(places(""), [(2, 11)]);
    assert_eq!(places(" ,, eth0,"), [(2, 12), (2, 13), (2, 20)]);
    assert_eq!(places("a b,c/d, sixteen-bytes-xx"), [(2, 11), (2, 15), (2, 35)]);
    assert_eq!(places("eth0,any,eth1"), [(2, 16)]);
    assert_eq!(places("eth0 # lan"), [(2, 16)]);
    assert_eq!(places("# lan"), [(2, 11)]);
    assert_eq!(places("eth0,any,, # lan"), [(2, 16), (2, 20), (2, 21), (2, 22)]);
}

#[test]
fn an_interface_named_twice_on_a_line_gets_a_warning() {
    let name = Excerpt::new(b"eth0");
    let lint = Fault::Warning(Warning::DuplicateInterface { name });
    let found = faults("[options]\nInterface = eth0,lo, eth0 ,eth0\n[d]\nSequence=1\nCommand=");
    assert_eq!(found, [(lint.clone(), 2, 22), (lint, 2, 28)]);
}

#[test]
fn a_user_is_one_name_and_neither_a_number_nor_a_comment() {
    let places = |value: &str| error_places(format!("[options]\nUser={value}\n[d]\nSequence=1"));
    for name in ["knockd", "a#b", "DOMAIN\\knockd", &"x".repeat(32)] {
        assert_eq!(places(name), [], "{name}");
    }
    for value in ["", "1000", "-a", "a:b", "a b", "a/b"] {
        assert_eq!(places(value), [(2, 6)], "{value}");
    }
    assert_eq!(places(&"x".repeat(33)), [(2, 38)]);
    assert_eq!(places("knockd # x"), [(2, 13)]);
    assert_eq!(places("# x"), [(2, 6)]);
}

#[test]
fn a_limit_for_commands_is_at_least_a_second() {
    for (value, column) in [("0", 14), ("000", 14), ("2147483648", 14), ("5s", 14), ("5 # x", 16)] {
        let text = format!("[options]\nCommandLimit={value}\n[d]\nSequence=1");
        assert_eq!(error_places(text), [(2, column)], "{value}");
    }
}
