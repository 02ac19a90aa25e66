//! `--dry-run` prints the plan and sends nothing.

use crate::{output, schema};

#[test]
fn a_plan_says_when_what_leaves_for_where() {
    let plan = output("--dry-run 127.0.0.1 7000 8000:udp 9000:tcp:fin,psh");
    assert_eq!(
        plan,
        "\
knock at 127.0.0.1 from 127.0.0.1:
        0 ms  7000:tcp
      100 ms  8000:udp
      200 ms  9000:tcp:fin,psh
"
    );
}

#[test]
fn a_plan_says_what_is_waited_for() {
    let plan = output("--dry-run -d 1.5s --interface lo --then 22 --retry 2 127.0.0.1 7000 8000");
    assert_eq!(
        plan,
        "\
knock at 127.0.0.1 from 127.0.0.1 through lo:
        0 ms  7000:tcp
       1.5 s  8000:tcp
then wait up to 5 s until 22/tcp is open, and knock up to 2 times more if it is not
"
    );
}

#[test]
fn a_plan_is_an_object_too() {
    let plan = output("--json --dry-run --then 22 --wait 500ms 127.0.0.1 7000 8000:udp 9:tcp:none");
    schema().check(&serde_json::from_str(&plan).unwrap());
    assert_eq!(
        plan,
        concat!(
            r#"{"version":1,"event":"plan","host":"127.0.0.1","address":"127.0.0.1","#,
            r#""source":"127.0.0.1","delay_ms":100.0,"knocks":["#,
            r#"{"port":7000,"protocol":"tcp","flags":["syn"]},{"port":8000,"protocol":"udp"},"#,
            r#"{"port":9,"protocol":"tcp","flags":[]}],"#,
            r#""then":{"port":22,"wait_s":0.5,"retry":0}}"#,
            "\n"
        )
    );
}

#[test]
fn an_ipv4_address_that_is_written_as_ipv6_is_one_of_ipv4() {
    for options in ["", "-4", "--source 127.0.0.1", "--source ::ffff:127.0.0.1"] {
        let plan = output(&format!("--dry-run {options} ::ffff:127.0.0.2 7000"));
        let head = plan.lines().next().unwrap();
        let host = "knock at 127.0.0.2 (::ffff:127.0.0.2) from ";
        assert!(head.starts_with(host) && head.ends_with(" 127.0.0.1:"), "{options}: {plan}");
    }
}
