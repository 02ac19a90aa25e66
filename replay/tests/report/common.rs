//! Pages to look at.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use knock_replay::{Exit, Streams};
use serde_json::Value;
use tempfile::TempDir;

/// Three doors: one that closes, one that does not, one whose sequence begins with the knocks of another.
pub(crate) const CONFIG: &str = "\
[options]
    UseSyslog

[openSSH]
    sequence = 7000,8000,9000
    seq_timeout = 5
    tcpflags = syn
    start_command = /sbin/iptables -A INPUT -s %IP% -p tcp --dport 22 -j ACCEPT
    cmd_timeout = 20
    stop_command = /sbin/iptables -D INPUT -s %IP% -p tcp --dport 22 -j ACCEPT

[mail]
    sequence = 2500:udp,1100:tcp,1430:tcp
    seq_timeout = 15
    tcpflags = syn
    command = /usr/local/bin/open-mail %IP%

[backup]
    sequence = 9000,8000,7000,6000
    seq_timeout = 10
    command = /usr/local/bin/backup %IP%
";

/// A door that opens ports by the firewall, for [`CONFIG`].
pub(crate) const VPN: &str = "\
[vpn]
    sequence = 4000:udp,5000:udp
    seq_timeout = 5
    open = udp/51820
    open_for = 30s
";

/// Three clients: one that opens, one that is late, wrong and mistyped, one that is refused one door.
pub(crate) const THREE: &str = "\
start 2026-03-01T12:00:00Z
0    knock 10.0.0.5 7000 8000 9000 every 0.4s
2    knock 192.0.2.77 7000 8000
8.4  192.0.2.77 > 192.0.2.1 tcp 9000
12   knock 192.0.2.77 7000 8000 8000 every 0.5s
15   knock 203.0.113.9 2500:udp 1100 1430 every 1s
20   203.0.113.9 > 192.0.2.1 tcp 8000
21   203.0.113.9 > 192.0.2.1 tcp 7000 syn,ack
26   10.0.0.5 > 192.0.2.1 tcp 7000 syn again 2 every 0.3s
27.2 10.0.0.5 > 192.0.2.1 tcp 8000
28.1 10.0.0.5 > 192.0.2.1 tcp 9000
30   knock 192.0.2.77 7000 8001 9000 every 0.5s
";

/// 3,000 clients, IPv4 and IPv6, at all doors, in half a day.
pub(crate) const CROWD: &str = "\
start 2026-03-01T06:00:00Z
0    knock 10.1.0.0-10.1.7.207 7000 8000 9000 every 0.3s apart 20s
100  knock 10.2.0.0-10.2.1.243 7000 8000 apart 50s
60   knock 198.51.100.0-198.51.100.199 2500:udp 1100 1430 every 0.5s apart 170s
500  knock 203.0.113.0-203.0.113.199 8000 9000 apart 61s
900  knock 2001:db8:5::1-2001:db8:5::64 7000 8000 9000 apart 200s
";

/// A folder with a configuration and a scenario.
pub(crate) struct CaseRunner(TempDir);

impl CaseRunner {
    pub(crate) fn with(config: &str, scenario: &str) -> Self {
        let desk = Self(TempDir::new().unwrap());
        desk.write("knockd.conf", config);
        desk.write("knocks.scenario", scenario);
        desk
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Replays, and returns what is printed.
    pub(crate) fn transcript(&self) -> String {
        let (exit, output, errors) = run(&self.command());
        assert_eq!(exit, Exit::Done, "{errors}");
        output
    }

    /// Replays into a page.
    pub(crate) fn page(&self) -> PathBuf {
        let page = self.path("report.html");
        report(&self.command(), &page);
        page
    }

    fn command(&self) -> Vec<OsString> {
        let [config, scenario] =
            ["knockd.conf", "knocks.scenario"].map(|name| self.path(name).into_os_string());
        vec![scenario, "-c".into(), config]
    }
}

/// Writes a page.
pub(crate) fn report(command: &[OsString], page: &Path) {
    let more = ["-q".into(), "--output".into(), page.as_os_str().to_owned()];
    let (exit, output, errors) = run(&[&["report".into()], command, &more].concat());
    assert_eq!((exit, output.as_str(), errors.as_str()), (Exit::Done, "", ""));
}

/// Runs the program in this process.
pub(crate) fn run(arguments: &[OsString]) -> (Exit, String, String) {
    let (mut output, mut errors) = (Vec::new(), Vec::new());
    let args = [OsString::from("knock-replay")].into_iter().chain(arguments.iter().cloned());
    let exit = knock_replay::run(args, &mut Streams::plain(&mut output, &mut errors));
    let [output, errors] = [output, errors].map(|bytes| String::from_utf8(bytes).unwrap());
    (exit, output, errors)
}

/// Returns the data of a page as it stands there.
pub(crate) fn block(html: &str) -> &str {
    let (_, rest) = html.split_once("<script type=\"application/json\" id=\"data\">").unwrap();
    rest.split_once("</script>").unwrap().0
}

/// Returns the data of a page.
pub(crate) fn data(page: &Path) -> Value {
    serde_json::from_str(block(&fs::read_to_string(page).unwrap())).unwrap()
}

/// Returns the text of a part of a page, from one mark to the next, without tags and with single blanks.
pub(crate) fn text(html: &str, from: &str, to: &str) -> String {
    let (_, rest) = html.split_once(from).unwrap();
    let (part, _) = rest.split_once(to).unwrap();
    let mut text = String::new();
    for piece in part.split('<') {
        text.push(' ');
        text.push_str(piece.split_once('>').map_or(piece, |(_, text)| text));
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns the rows of the table of those who got in, as text.
pub(crate) fn got_in(html: &str) -> Vec<String> {
    let (_, rest) = html.split_once("<table id=\"openings\">").unwrap();
    let (table, _) = rest.split_once("</table>").unwrap();
    let rows = table.split("<tr><td").skip(1);
    rows.map(|row| text(&format!("{row}</end>"), ">", "</end>")).collect()
}
