//! Together with ssh, as the manual page says.

use knock_tests::manual::prose;
use knock_tests::process::Live;

use crate::scene::{KNOCK, Scene};
use crate::then::keep_door;

/// The blocks of a section of the manual page, in order.
fn blocks<const COUNT: usize>(section: &str) -> [String; COUNT] {
    let prose = prose("knock");
    let blocks = prose.section(section).verbatim().into_iter().map(str::to_owned);
    blocks.collect::<Vec<_>>().try_into().unwrap()
}

/// Something that greets as an SSH server does, and a door before it.
fn scene(name: &str) -> Option<(Scene, Live)> {
    let scene = Scene::new(name, &["knockd", "iptables", "ip6tables", "ssh"])?;
    let door = keep_door(&scene, "DROP");
    scene.greeter("SSH-2.0-behind_the_door\r\n");
    Some((scene, door))
}

/// Runs ssh with a configuration, until it says what it was greeted with.
fn assert_greeted(scene: &Scene, config: &str) {
    let path = scene.path("config");
    std::fs::write(&path, config.replace("knock ", &format!("{KNOCK} "))).unwrap();
    let options = "-v -o BatchMode=yes -o ConnectTimeout=20 -o StrictHostKeyChecking=no";
    let line = format!("exec ssh -F {path} {options} home true");
    let ssh = Live::start(&mut scene.cable.client.command(&line));
    while !ssh.error_line().contains(GREETED) {}
}

const GREETED: &str = "remote software version behind_the_door";

#[test]
fn a_line_of_match_exec_knocks_before_ssh_connects() {
    let name = "a_line_of_match_exec_knocks_before_ssh_connects";
    let Some((scene, _live)) = scene(name) else { return };
    let [match_exec, _, _, _, _] = blocks("WITH SSH");
    assert_greeted(&scene, &match_exec);
}

#[test]
fn a_proxy_command_knocks_and_then_connects() {
    let name = "a_proxy_command_knocks_and_then_connects";
    let Some((scene, _live)) = scene(name) else { return };
    let [_, proxy_command, _, _, _] = blocks("WITH SSH");
    assert_greeted(&scene, &proxy_command);
}

#[test]
fn with_a_profile_the_name_is_enough() {
    let Some((scene, _live)) = scene("with_a_profile_the_name_is_enough") else { return };
    let [_, _, profile, home_and_ssh, match_home] = blocks("WITH SSH");
    std::fs::create_dir(scene.path("knock")).unwrap();
    std::fs::write(scene.path("knock/config"), profile).unwrap();
    let profiles = format!("XDG_CONFIG_HOME={}", scene.path("").trim_end_matches('/'));
    // The door is shut, or this shows nothing.
    let connect = "nc -w 1 192.0.2.1 22 </dev/null";
    assert_eq!(scene.client(connect).status, Some(1));
    let (knock, ssh) = home_and_ssh.split_once(" && ").unwrap();
    assert_eq!((knock, ssh), ("knock home", "ssh home"));
    let outcome = scene.client(&format!("export {profiles}; {knock} && {connect}"));
    assert!(outcome.stdout.contains("SSH-2.0-behind_the_door"), "{outcome:?}");
    scene.server("iptables -D INPUT 1");
    assert_eq!(scene.client(connect).status, Some(1));
    let config = match_home.replace("knock -q", &format!("{profiles} knock -q"));
    assert_greeted(&scene, &config);
}

#[test]
fn the_shell_runs_ssh_only_if_the_door_has_opened() {
    let name = "the_shell_runs_ssh_only_if_the_door_has_opened";
    let Some((scene, _live)) = scene(name) else { return };
    let connect = "&& nc -w 20 192.0.2.1 22 </dev/null";
    let outcome =
        scene.client(&format!("knock --then 22 --wait 0.5 192.0.2.1 7000 9000 {connect}"));
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(4), ""));
    let [_, and_ssh] = blocks("DID IT OPEN?");
    let (knock, _) = and_ssh.split_once(" && ").unwrap();
    let outcome = scene.client(&format!("{knock} {connect}"));
    assert!(outcome.stdout.contains("SSH-2.0-behind_the_door"), "{outcome:?}");
}
