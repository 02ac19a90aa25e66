//! The programs that guides call.

use std::env;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process;

/// Makes this program another one of the project if it is called by its name.
///
/// For a test, cargo builds programs of the test's own package only. Before `main`, because there the
/// arguments are those of the test harness.
#[ctor::ctor(unsafe)]
fn be_another_program_if_called_so() {
    let name = env::args().next().unwrap_or_default();
    let name = name.rsplit('/').next().unwrap_or_default();
    // The daemon starts itself by names that begin so.
    if name.starts_with("knockd") {
        process::exit(knockd::main().status().into());
    }
    if name == "knock" {
        process::exit(knock::main().status().into());
    }
    if name == "knockctl" {
        process::exit(i32::from(knockctl::main().status()));
    }
    if name == "knock-replay" {
        process::exit(knock_replay::main().status().into());
    }
}

/// What starts and stops the service, because systemd does not run where tests run. It starts the last
/// `ExecStart=` of the unit and its drop-ins, with the variables of `/etc/default/knockd`.
const SYSTEMCTL: &str = r#"#!/bin/sh
unit=/etc/systemd/system/knockd.service
[ -e $unit ] || unit=/usr/lib/systemd/system/knockd.service
listens() { [ "$(wc -l </proc/net/packet)" -gt 1 ]; }
said() { grep -s -c 'listening on' /run/journal; }
start() {
    program=$(cat $unit /etc/systemd/system/knockd.service.d/*.conf 2>/dev/null |
        sed -n 's/^ExecStart=\(..*\)/\1/p' | tail -n 1)
    KNOCKD_OPTS=
    if grep -q '^EnvironmentFile=' $unit && [ -e /etc/default/knockd ]; then . /etc/default/knockd; fi
    said=$(said)
    sh -c "exec $(eval "echo \"$program\"")" </dev/null >>/run/journal 2>&1 &
    echo $! >/run/main
    until listens || ! kill -0 $! 2>/dev/null; do sleep 0.02; done
    # knockd 0.8 does not say when it listens. Packets that come before that may be lost.
    case $program in
    /usr/sbin/*) sleep 1 ;;
    *) until [ "$(said)" -gt "${said:-0}" ] || ! kill -0 $! 2>/dev/null; do sleep 0.02; done ;;
    esac
}
stop() {
    [ -e /run/main ] || return 0
    kill -TERM "$(cat /run/main)" 2>/dev/null
    while listens; do sleep 0.02; done
    rm /run/main
}
case "$*" in
'start knockd' | 'enable --now knockd') start ;;
'stop knockd') stop ;;
'restart knockd') stop && start ;;
'reload knockd')
    size=$(wc -c </run/journal)
    kill -HUP "$(cat /run/main)"
    until [ "$(wc -c </run/journal)" -gt "$size" ]; do sleep 0.02; done
    # The line comes before the process that reads packets has the new configuration, which ends attempts
    # at the doors that change. No line says when it has.
    sleep 1
    ;;
# As with 'Restart=on-failure'.
'kill --signal=KILL knockd')
    kill -KILL "$(cat /run/main)"
    while listens; do sleep 0.02; done
    start
    ;;
'kill --kill-who=main --signal=USR1 knockd') kill -USR1 "$(cat /run/main)" ;;
'is-active knockd') if listens; then echo active; else echo inactive; fi ;;
daemon-reload) ;;
*) echo "systemctl $*?" && exit 1 ;;
esac
"#;

/// Puts programs into two folders: those for all users, and those for root.
pub(crate) fn install(bin: &Path, sbin: &Path) {
    let this = env::current_exe().unwrap();
    symlink(env!("CARGO_BIN_EXE_knock"), bin.join("knock")).unwrap();
    for name in ["knock-replay", "knockctl"] {
        symlink(&this, bin.join(name)).unwrap();
    }
    symlink(&this, sbin.join("knockd")).unwrap();
    for (name, script) in [
        ("systemctl", SYSTEMCTL),
        (
            "journalctl",
            "#!/bin/sh\n# -u knockd -o cat -n NUMBER\nexec tail -n \"$6\" /run/journal\n",
        ),
    ] {
        fs::write(bin.join(name), script).unwrap();
        fs::set_permissions(bin.join(name), Permissions::from_mode(0o755)).unwrap();
    }
}
