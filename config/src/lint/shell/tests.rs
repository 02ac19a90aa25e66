use super::*;
use crate::lex::Text;

fn line(text: &[u8]) -> Piece<'_> {
    Text::new(text).lines().next().unwrap().trimmed()
}

/// The commands of a line, each as its words with `|` between them, and whether that is all.
fn commands(text: &str) -> (Vec<String>, bool) {
    let script = Script::new(line(text.as_bytes()));
    let words = |command: &Simple<'_>| {
        let words =
            command.words.iter().map(|(word, _)| String::from_utf8_lossy(word).into_owned());
        words.collect::<Vec<_>>().join("|")
    };
    (script.commands.iter().map(words).collect(), script.is_whole)
}

#[test]
fn a_line_is_taken_apart_as_the_shell_does() {
    for (text, expected) in [
        ("a b c", &["a|b|c"][..]),
        ("a b; c && d || e | f & g", &["a|b", "c", "d", "e", "f", "g"]),
        ("a b # c; d", &["a|b"]),
        ("a 'b; c' \"d # e\" f\\;g h#i", &["a|b; c|d # e|f;g|h#i"]),
        ("a > /dev/null 2>&1 < b; c >>d", &["a", "c"]),
        ("X=1 Y=2 a b", &["a|b"]),
        ("! a; ( b; { c; } )", &["a", "b", "c"]),
        ("if a; then b; elif c; then d; else e; fi", &["a", "b", "c", "d", "e"]),
        ("while a; do b; done; for x in 1 2; do c; done", &["a", "b", "c"]),
        ("case %IP% in 10.*) a;; *) b;; esac", &["a", "b"]),
        (
            "nft add element f web { %IP% timeout 5s }",
            &["nft|add|element|f|web|{|%IP%|timeout|5s|}"],
        ),
        ("sudo -n a b; exec c; nohup d &", &["a|b", "c", "d"]),
        ("/usr/bin/sudo -u root -E A=1 a -b; doas -n -u root a", &["a|-b", "a"]),
        (
            "env -i A=1 a b=c; timeout -k 5 10 a; timeout --foreground 3s sudo a",
            &["a|b=c", "a", "a"],
        ),
        ("nice -n 5 a; nice -5 a; ionice -c 3 a; setsid -f a", &["a", "a", "a", "a"]),
        ("flock -w 5 /run/lock a -w 1; busybox a; command -- a", &["a|-w|1", "a", "a"]),
        ("ip netns exec blue a b; ip netns add c", &["a|b", "ip|netns|add|c"]),
        ("command -v a; env A=1; sudo -l; nice", &["command|-v|a", "env|A=1", "sudo|-l", "nice"]),
        ("a \u{e9}\u{a0}b\u{2013}c", &["a|\u{e9}\u{a0}b\u{2013}c"]),
    ] {
        let expected: Vec<String> = expected.iter().map(ToString::to_string).collect();
        assert_eq!(commands(text), (expected, true), "{text}");
    }
}

#[test]
fn the_line_of_another_shell_is_taken_apart_too() {
    let (found, is_whole) = commands("sh -c 'a %IP%; b'; c");
    assert_eq!(
        (found, is_whole),
        (vec!["sh|-c|a %IP%; b".into(), "a|%IP%".into(), "b".into(), "c".into()], true)
    );
    let script = Script::new(line(b"bash -c \"a  bc\""));
    let at = script.commands[1].arguments()[0].1;
    assert_eq!((at.bytes(), at.span().column), (&b"bc"[..], 13));
    for line in ["sh -ec 'a'", "/bin/bash -e -x -c 'a'", "busybox ash -lc 'a'", "sudo sh -c 'a'"] {
        let (found, is_whole) = commands(line);
        assert_eq!((found.last().map(String::as_str), is_whole), (Some("a"), true), "{line}");
    }
    for unknown in
        ["sh script", "sh -c \"a $b\"", "sh -c \"sh -c a\"", "bash -x -c a", "sh -e script 'a'"]
    {
        assert!(!commands(unknown).1, "{unknown}");
    }
}

#[test]
fn what_is_not_known_is_said() {
    for text in
        ["a $(b)", "a `b`", "a \"$(b)\"", "f() { a; }; f", "eval a", ". a", "a 'b", "a | | b"]
    {
        assert!(!commands(text).1, "{text}");
    }
    for text in ["a '$(b)'", "a \\$b", "a $b", "a '`'"] {
        assert!(commands(text).1, "{text}");
    }
}

#[test]
fn words_that_the_shell_replaces_are_not_fixed() {
    let is_fixed = |text: &str| Script::new(line(text.as_bytes())).commands[0].is_fixed();
    for text in ["a b", "a '$b*'", "a \"b*?\"", "a \\$b", "a b~", "a {b,c}"] {
        assert!(is_fixed(text), "{text}");
    }
    for text in ["a $b", "a \"$b\"", "a b*", "a b?", "a ~b", "a `b`"] {
        assert!(!is_fixed(text), "{text}");
    }
}

#[test]
fn words_are_found_whatever_bytes_are_before_them() {
    let script = Script::new(line(b"a \xff\xe2\x80\x93\xa0 'b c'  d"));
    let words: Vec<&[u8]> =
        script.commands[0].arguments().iter().map(|(_, at)| at.bytes()).collect();
    assert_eq!(words, [&b"\xff\xe2\x80\x93\xa0"[..], b"'b c'", b"d"]);
}

/// The parser calls itself for each level, and takes minutes for a thousand substitutions.
#[test]
fn a_line_that_nests_deeply_is_not_parsed() {
    for (open, close) in [
        ("$(", ")"),
        ("(", ")"),
        ("`", "`"),
        ("{ ", ";}"),
        ("if ", ""),
        ("! ", ""),
        ("time ", ""),
        ("\"$(", ")\""),
        ("${a:-", "}"),
        ("$((", "))"),
        ("<(", ")"),
        ("a=(", ")"),
        ("f() ", ""),
        ("case a in b) ", ""),
        ("while ", ""),
        ("coproc ", ""),
        ("[[ ( ", ""),
        ("[[ ! ", ""),
        ("a[", "]"),
        ("$[", "]"),
        ("\"", ""),
        ("<<a ", ""),
        ("$'", "'"),
    ] {
        let depth = 4000 / (open.len() + close.len());
        let text = format!("{}x{}", open.repeat(depth), close.repeat(depth));
        let _ = commands(&text);
    }
    let (found, is_whole) = commands(&format!("{}x{}", "( ".repeat(31), " )".repeat(31)));
    assert_eq!((found, is_whole), (vec!["x".into()], true));
    assert_eq!(commands(&format!("{}x{}", "( ".repeat(33), " )".repeat(33))), (vec![], false));
}

#[test]
fn a_line_with_many_substitutions_is_not_parsed() {
    let nested = |depth: usize| format!("a {}b{}", "$(".repeat(depth), ")".repeat(depth));
    assert_eq!(commands(&nested(3)).0.len(), 1);
    assert_eq!(commands(&nested(4)), (vec![], false));
    assert_eq!(commands(&format!("a {}", "`b` ".repeat(4))), (vec![], false));
}
