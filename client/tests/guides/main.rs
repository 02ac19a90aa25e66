//! The guides, followed word for word: every file is written, every command is run, and prints what the
//! guide says.

#![cfg(test)]

mod derived;
mod journey;
mod programs;
mod readme;
mod signed;
mod wrong;

use journey::Journey;

#[test]
fn get_started() {
    let programs = ["iptables", "ip6tables", "systemd-analyze"];
    Journey::follow("get-started.md", &programs, |_| {});
}

#[test]
fn why_not_open() {
    Journey::follow(
        "why-not-open.md",
        &["iptables", "tail", "cut", "grep"],
        Journey::install_service,
    );
}

#[test]
fn move_from_knockd_08() {
    let programs = ["/usr/sbin/knockd", "iptables", "systemctl"];
    Journey::follow("move-from-knockd-0.8.md", &programs, |journey| {
        // The package's.
        journey.set_up("server", "test -e /usr/lib/systemd/system/knockd.service");
    });
}

#[test]
fn empezar() {
    let programs = ["iptables", "systemd-analyze", "grep", "chmod"];
    Journey::follow("es/empezar.md", &programs, |journey| {
        // Where localhost has an address of IPv6 as well, that one is not to be preferred.
        journey.set_up("server", "echo 1 > /proc/sys/net/ipv6/conf/lo/disable_ipv6");
    });
}

#[test]
fn recipes() {
    let programs = ["iptables", "ip6tables", "nft", "tail", "chmod"];
    Journey::follow("recipes.md", &programs, Journey::install_service);
}

#[test]
fn firewall() {
    let programs = ["nft", "bash", "timeout"];
    Journey::follow("firewall.md", &programs, Journey::install_service);
}

#[test]
fn fleet() {
    Journey::follow("fleet.md", &["cmp", "grep", "tail", "head", "sha256sum"], |_| {});
}

#[test]
fn derived_sequences() {
    let programs = ["iptables", "python3", "base64", "head"];
    Journey::follow("derived-sequences.md", &programs, |_| {});
}

#[test]
fn signed_knocks() {
    Journey::follow("signed-knocks.md", &["nft", "stat", "tail", "grep"], |_| {});
}

#[test]
fn operate() {
    let programs = ["iptables", "tail", "sed", "chmod", "grep"];
    Journey::follow("operate.md", &programs, Journey::install_service);
}
