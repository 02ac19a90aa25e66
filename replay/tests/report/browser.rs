//! The page in Chromium: what is seen, and what can be done with it.

use std::time::{Duration, Instant};

use knock_tests::require::{Need, require};
use serde_json::json;

use crate::chromium::Chromium;
use crate::common::{CONFIG, CROWD, CaseRunner, THREE, VPN, report};

/// How light and dark a text must be beside what is behind it: WCAG 2, level AA.
const CONTRAST: &str = include_str!("contrast.js");

/// Starts a browser for a test, if the machine has one.
fn browser(test: &str) -> Option<Chromium> {
    require(test, &["chromium"], Need::Programs).then(Chromium::start)
}

/// Where a row stands on the page.
const FIRST_ROW: &str = ".row.pair";

#[test]
fn three_clients_are_seen_with_all_that_they_did() {
    let Some(mut chromium) = browser("three_clients_are_seen_with_all_that_they_did") else {
        return;
    };
    let page = CaseRunner::with(CONFIG, THREE);
    chromium.look(1280, 900, "light");
    chromium.open(&page.page(), "");
    let headline =
        "3 openings at 2 doors, for 2 clients. 2 clients came near at a door and did not get in.";
    assert_eq!(chromium.text("#headline"), headline);
    assert_eq!(chromium.count("#openings tbody tr"), 2);
    let nearest = "192.0.2.77 at openSSH: the third knock came too late, by 1.4 s; seq_timeout = 7 would have been enough";
    assert_eq!(chromium.text("#causes li"), nearest);
    let top = "document.getElementById('chart').getBoundingClientRect().top";
    assert!(
        chromium.value(top).as_f64().unwrap() < 600.0,
        "the timeline begins on the first screen"
    );
    let legend = "document.querySelector('#legend').open";
    assert_eq!(chromium.value(legend), false, "the legend is folded");
    assert_eq!((chromium.count(".row.group"), chromium.count(".row.pair")), (3, 6));
    assert_eq!(chromium.count(".row.opened .lease"), 3);
    assert_eq!(chromium.count(".lease-after"), 1, "one door is open when the capture ends");
    assert_eq!(chromium.count(".lease.for-ever"), 1);
    for (kind, marks) in [("void", 3), ("late", 1), ("timeout", 3), ("closed", 2)] {
        let seen = chromium.count(&format!(".lane .mark.{kind}"));
        assert!(seen >= marks - 1, "{seen} marks of {kind}");
    }
    let attempts =
        ["opened", "timeout", "void"].map(|end| chromium.count(&format!(".attempt.{end}")));
    assert_eq!(attempts, [3, 4, 2], "each attempt is a line of its end");
    assert_eq!(chromium.count("#alerts .alert"), 0);
    chromium.picture("three-light");
    chromium.look(1280, 900, "dark");
    chromium.picture("three-dark");
    assert_eq!(chromium.complaints, [""; 0]);
}

#[test]
fn a_link_leads_to_an_event() {
    let Some(mut chromium) = browser("a_link_leads_to_an_event") else { return };
    let page = CaseRunner::with(CONFIG, THREE);
    chromium.look(1280, 900, "light");
    chromium.open(&page.page(), "client=192.0.2.77&door=openSSH&event=3");
    assert_eq!(chromium.text("#details h3"), "192.0.2.77 at openSSH");
    let says = "expired 1.4 s before: knock 3 came 6.4 s after the first (would have needed seq_timeout 7)";
    assert_eq!(chromium.text("#details .box .says"), says);
    assert_eq!(chromium.count(".event.selected"), 1);
    let facts = chromium.text("#details .box dl");
    for fact in ["2026-03-01 12:00:08.400000 UTC", "8.400 s", "packet6", "9000/tcp", "SYN"] {
        assert!(facts.contains(fact), "{fact} in {facts}");
    }
    chromium.picture("event-light");
    chromium.click("#details .box a.place");
    assert_eq!(chromium.text(".line.found .text"), "    seq_timeout = 5");
    chromium.until(
        "(() => { const box = document.querySelector('.line.found').getBoundingClientRect(); \
                    return box.top >= 0 && box.bottom <= innerHeight; })()",
    );
    // The pointer over a mark tells of its packet, and a click selects it.
    chromium.point(".row.chosen .event:last-of-type .hit");
    chromium.until("!document.getElementById('tip').hidden");
    let tip = chromium.text("#tip");
    assert!(tip.starts_with("192.0.2.77 at openSSH") && tip.contains("packet 22"), "{tip}");
    chromium.picture("tip-light");
    chromium.click(".row.opened .event .hit");
    chromium.until("document.querySelector('#details h3').textContent === '10.0.0.5 at openSSH'");
    chromium.until("location.hash.startsWith('#client=10.0.0.5&door=openSSH&event=')");
    // Who walks through the events with keys stays where they are.
    chromium.click("#details .events li:nth-child(2) button");
    assert_eq!(chromium.value("document.activeElement.matches('.events [aria-current]')"), true);
    assert_eq!(chromium.complaints, [""; 0]);
}

#[test]
fn a_line_of_the_configuration_shows_what_it_decided() {
    let Some(mut chromium) = browser("a_line_of_the_configuration_shows_what_it_decided") else {
        return;
    };
    let page = CaseRunner::with(CONFIG, THREE);
    chromium.look(1280, 900, "light");
    chromium.open(&page.page(), "");
    assert_eq!(chromium.text("#line-6 .hits"), "4", "three timeouts and a knock that was late");
    chromium.click("#line-6 .hits");
    chromium.until("!document.getElementById('line-filter').hidden");
    assert!(chromium.text("#line-filter").starts_with("Only what line 6 decided: seq_timeout = 5"));
    assert_eq!(chromium.count(FIRST_ROW), 2);
    assert!(chromium.count(".event.dim") > 0);
    chromium.picture("line-light");
    chromium.click("#line-filter button");
    chromium.until("document.getElementById('line-filter').hidden");
    assert_eq!(chromium.count(FIRST_ROW), 6);
    assert_eq!(chromium.complaints, [""; 0]);
}

#[test]
fn everything_can_be_done_with_keys() {
    let Some(mut chromium) = browser("everything_can_be_done_with_keys") else { return };
    let page = CaseRunner::with(CONFIG, THREE);
    chromium.look(1280, 900, "light");
    chromium.open(&page.page(), "");
    chromium.value("document.getElementById('list').focus()");
    chromium.key("ArrowDown");
    let active = "document.getElementById(document.getElementById('list').getAttribute('aria-activedescendant'))";
    assert_eq!(chromium.value(&format!("{active}.getAttribute('aria-expanded')")), "true");
    chromium.key("ArrowLeft");
    assert_eq!(chromium.count(FIRST_ROW), 3, "the group is closed");
    chromium.key("ArrowRight");
    chromium.key("ArrowDown");
    chromium.key("ArrowDown");
    assert_eq!(chromium.text("#details h3"), "192.0.2.77 at openSSH");
    for _ in 0..3 {
        chromium.key("ArrowRight");
    }
    assert_eq!(
        chromium.text("#details .box .says"),
        "sequence timeout at stage 2 of 3: no 9000/tcp came in time"
    );
    let said = " sequence timeout at stage 2 of 3: no 9000/tcp came in time";
    assert_eq!(chromium.text("#said"), said, "a screen reader is told");
    let length = "shownTime().to - shownTime().from";
    let before = chromium.value(length).as_f64().unwrap();
    chromium.key("+");
    let after = chromium.value(length).as_f64().unwrap();
    assert!((after - before / 2.0).abs() < before / 100.0, "{after} is half of {before}");
    chromium.key("0");
    assert_eq!(chromium.value(length).as_f64().unwrap().to_bits(), before.to_bits());
    chromium.key("f");
    assert!(chromium.value(length).as_f64().unwrap() < before);
    chromium.key("Enter");
    assert_eq!(chromium.value("document.activeElement.id"), "details");
    chromium.picture("keys-light");
    assert_eq!(chromium.complaints, [""; 0]);
}

#[test]
fn the_tools_and_the_pointer_do_what_they_say() {
    let Some(mut chromium) = browser("the_tools_and_the_pointer_do_what_they_say") else { return };
    let page = CaseRunner::with(CONFIG, THREE);
    chromium.look(1280, 900, "light");
    chromium.open(&page.page(), "");
    chromium.choose("#group", "client");
    assert_eq!(chromium.text(".row.group .name"), "10.0.0.5");
    chromium.choose("#group", "none");
    chromium.choose("#sort", "openings");
    assert_eq!(chromium.text(".row.pair .client"), "10.0.0.5");
    chromium.choose("#sort", "near");
    assert_eq!(chromium.text(".row.pair .what"), "stage 2 of 3");
    chromium.click("#outcomes input[value=near]");
    assert_eq!(chromium.count(FIRST_ROW), 3);
    chromium.click("#outcomes input[value=near]");
    chromium.choose("#theme", "dark");
    assert_eq!(chromium.value("document.documentElement.dataset.theme"), "dark");
    chromium.choose("#clock", "relative");
    assert!(chromium.text("#axis").starts_with("0 s10 s"), "{}", chromium.text("#axis"));
    // The wheel zooms where the pointer is, and a drag moves the time.
    let times = "[shownTime().from, shownTime().to]";
    let range = |chromium: &mut Chromium| {
        let times = chromium.value(times);
        (times[0].as_f64().unwrap(), times[1].as_f64().unwrap())
    };
    let all = range(&mut chromium);
    let (x, y) = chromium.point(".row.pair .lane");
    chromium.mouse("mouseWheel", (x, y), &json!({ "deltaX": 0, "deltaY": -100, "modifiers": 2 }));
    chromium.until(&format!("shownTime().from > {}", all.0));
    let near = range(&mut chromium);
    assert!(near.1 < all.1, "{near:?} is a part of {all:?}");
    let left = &json!({ "button": "left", "buttons": 1, "clickCount": 1 });
    chromium.mouse("mousePressed", (x, y + 4.0), left);
    chromium.mouse("mouseMoved", (x - 100.0, y + 4.0), left);
    chromium.mouse("mouseReleased", (x - 100.0, y + 4.0), left);
    let later = range(&mut chromium);
    assert!(later.0 > near.0 && later.1 > near.1, "{later:?} is later than {near:?}");
    assert!(((later.1 - later.0) - (near.1 - near.0)).abs() < 10.0, "and as long");
    assert_eq!(
        chromium.text("#details h3, #details p"),
        "Select a row or an event to see what happened, and why.",
        "a drag is no click"
    );
    chromium.click("[data-do=in]");
    chromium.click("[data-do=in]");
    let rows = chromium.count(FIRST_ROW);
    chromium.click("#within");
    assert!(chromium.count(FIRST_ROW) < rows, "rows without events are hidden");
    chromium.until("location.hash.includes('within=1') && location.hash.includes('from=')");
    chromium.click("[data-do=all]");
    assert_eq!(range(&mut chromium), all);
    assert_eq!(chromium.complaints, [""; 0]);
}

#[test]
fn a_crowd_stays_quick_and_clear() {
    let Some(mut chromium) = browser("a_crowd_stays_quick_and_clear") else { return };
    let desk = CaseRunner::with(CONFIG, CROWD);
    let page = desk.page();
    chromium.look(1280, 900, "light");
    let start = Instant::now();
    chromium.open(&page, "");
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    assert_eq!((chromium.count(".row.group"), chromium.count(FIRST_ROW)), (5, 0));
    chromium.value("document.getElementById('timeline').scrollIntoView({ behavior: 'instant' })");
    chromium.picture("crowd-light");
    chromium.click("[data-do=unfold]");
    let drawn = chromium.count(".row");
    assert!((10..80).contains(&drawn), "{drawn} rows are drawn");
    chromium.value("document.getElementById('list').scrollTop = 40000");
    chromium.until("document.querySelector('.row.pair') && parseFloat(document.querySelector('.row').style.top) > 30000");
    chromium.look(1280, 900, "dark");
    chromium.picture("crowd-rows-dark");
    // A search says what it found, a group by network parts it.
    chromium.value("document.getElementById('search').focus()");
    chromium.call("Input.insertText", &json!({ "text": "2001:db8:5:: openssh" }));
    chromium.until("location.hash.includes('q=2001')");
    assert!(
        chromium.text("#shown").starts_with("100 clients, 100 rows"),
        "{}",
        chromium.text("#shown")
    );
    chromium.open(&page, "group=network&show=near");
    assert_eq!(chromium.text(".row.group .name"), "10.2.0.0/24");
    chromium.picture("crowd-networks-dark");
    // A whole address is one client, not all that begin like it.
    chromium.open(&page, "show=opened&q=10.1.0.1");
    assert!(chromium.text("#shown").starts_with("1 client, 1 row,"));
    // Each row by its own clock: what they did is one below the other.
    chromium.open(&page, "group=none&show=near&clock=own&q=openssh");
    chromium.value("document.getElementById('timeline').scrollIntoView({ behavior: 'instant' })");
    let places = "new Set([...document.querySelectorAll('.row .event')].map((one) => one.getAttribute('transform'))).size";
    assert_eq!(chromium.value(places), 2);
    let cut = "[...document.querySelectorAll('.row .client')].filter((one) => one.scrollWidth > one.clientWidth).length";
    assert_eq!(chromium.value(cut), 0, "addresses can be read");
    chromium.picture("crowd-own-clock-dark");
    let zooms = "(() => { const start = performance.now(); \
                 for (let at = 0; at < 20; at += 1) { zoom(0.8); drawTimeline(); } \
                 return (performance.now() - start) / 20; })()";
    chromium.open(&page, "");
    let took = chromium.value(zooms).as_f64().unwrap();
    assert!(took < 250.0, "a zoom takes {took} ms");
    assert_eq!(chromium.complaints, [""; 0]);
}

#[test]
fn every_text_can_be_read_in_light_and_dark_wide_and_narrow() {
    let test = "every_text_can_be_read_in_light_and_dark_wide_and_narrow";
    let Some(mut chromium) = browser(test) else { return };
    let page = CaseRunner::with(CONFIG, THREE);
    for scheme in ["light", "dark"] {
        for width in [1280, 480] {
            chromium.look(width, 900, scheme);
            chromium.open(&page.page(), "client=192.0.2.77&door=openSSH&event=3&line=6");
            let faint = chromium.value(CONTRAST);
            assert_eq!(faint, json!([]), "{scheme}, {width} pixels");
            let spare = "document.documentElement.scrollWidth - innerWidth";
            assert_eq!(chromium.value(spare), 0, "nothing is off the side");
            chromium.picture(&format!("contrast-{scheme}-{width}"));
        }
    }
    // Whatever the system says, the page can be told.
    let back = "getComputedStyle(document.documentElement).backgroundColor";
    let dark = chromium.value(back);
    chromium.open(&page.page(), "theme=light");
    assert_ne!(chromium.value(back), dark);
    assert_eq!(chromium.complaints, [""; 0]);
}

#[test]
fn nothing_from_outside_is_taken_for_html() {
    let Some(mut chromium) = browser("nothing_from_outside_is_taken_for_html") else { return };
    let name = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">";
    let config = format!(
        "# <!-- <script>\n[{name}]\nsequence = 7000,8000\ncommand = echo '{name}' %IP%\n\
         [plain]\nsequence = 9000\ncommand = <b>%IP%</b>\n"
    );
    let desk = CaseRunner::with(&config, "0 knock 10.0.0.5 7000 8000 9000\n");
    chromium.look(1280, 900, "light");
    chromium.open(&desk.page(), "");
    assert_eq!(chromium.text("#openings tr:last-child .door"), name);
    chromium.click(FIRST_ROW);
    chromium.until("document.querySelector('#details h3') !== null");
    assert_eq!(chromium.text("#details h3"), format!("10.0.0.5 at {name}"));
    assert!(chromium.text("#details").contains("running command: echo '</script>"));
    assert_eq!(chromium.count("script"), 2);
    assert_eq!(chromium.count("main img, main b"), 0);
    assert!(chromium.value("document.title").as_str().unwrap().starts_with("knock-replay: "));
    chromium.picture("hostile-light");
    // And were it taken for HTML after all, the policy of the page would stop it.
    assert_eq!(chromium.complaints, [""; 0]);
    let inject = "(() => { const one = document.createElement('script'); \
                  one.textContent = 'document.title = \"owned\"'; document.body.append(one); \
                  return document.title; })()";
    assert_ne!(chromium.value(inject), "owned");
    assert!(chromium.complaints.iter().any(|one| one.contains("Content Security Policy")));
}

#[test]
fn a_page_without_knocks_says_so() {
    let Some(mut chromium) = browser("a_page_without_knocks_says_so") else { return };
    let desk = CaseRunner::with(CONFIG, "0 10.0.0.5 > 192.0.2.1 tcp 22\n");
    chromium.look(1280, 900, "light");
    chromium.open(&desk.page(), "");
    assert_eq!(chromium.text("#headline"), "No door opened.");
    assert_eq!(chromium.text(".nothing"), "No client knocked at any door.");
    assert!(chromium.text("#alerts").trim().starts_with("warning: no packet was for any door"));
    assert_eq!(chromium.text("#idle-doors"), "No client knocked at openSSH, mail, backup.");
    chromium.picture("nobody-light");
    assert_eq!(chromium.complaints, [""; 0]);
}

#[test]
fn without_javascript_the_page_says_the_same_of_who_got_in_and_who_did_not() {
    let test = "without_javascript_the_page_says_the_same_of_who_got_in_and_who_did_not";
    let Some(mut chromium) = browser(test) else { return };
    let config = CONFIG.replace("UseSyslog", "UseSyslog\n    Firewall = nft") + VPN;
    let scenario = format!(
        "{THREE}31 knock 10.0.0.5 4000:udp 5000:udp every 0.2s\n\
         0.1 knock 10.0.9.1-10.0.9.20 7000 8000 9000 apart 1s\n"
    );
    let page = CaseRunner::with(&config, &scenario);
    chromium.look(1280, 900, "light");
    chromium.call("Emulation.setScriptExecutionDisabled", &json!({ "value": true }));
    chromium.open(&page.page(), "");
    let table = "document.querySelector('#openings tbody').innerHTML.replace(/\\s+/g, ' ')";
    let without = chromium.value(table);
    assert_eq!(chromium.count("#openings tbody tr"), 23);
    let shown = "getComputedStyle(document.getElementById('timeline')).display";
    assert_eq!(chromium.value(shown), "none", "what only the script draws is no empty frame");
    chromium.picture("no-script");
    chromium.call("Emulation.setScriptExecutionDisabled", &json!({ "value": false }));
    chromium.open(&page.page(), "");
    chromium.value("drawOpenings()");
    assert_eq!(
        chromium.value(table).as_str().unwrap().replace(' ', ""),
        without.as_str().unwrap().replace(' ', "")
    );
    // And the table can be searched.
    chromium.value("document.getElementById('openings-search').focus()");
    chromium.call("Input.insertText", &json!({ "text": "10.0.9.7" }));
    chromium.until("document.querySelectorAll('#openings tbody tr').length === 1");
    chromium.call("Input.insertText", &json!({ "text": "77" }));
    chromium.until("document.querySelectorAll('#openings tbody tr').length === 0");
    assert_eq!(chromium.text("#openings-rest"), "Nobody of this name got in.");
    assert_eq!(chromium.complaints, [""; 0]);
}

#[test]
fn on_paper_no_name_is_under_a_mark_and_nothing_is_off_the_side() {
    let test = "on_paper_no_name_is_under_a_mark_and_nothing_is_off_the_side";
    let Some(mut chromium) = browser(test) else { return };
    let page = CaseRunner::with(CONFIG, THREE);
    for screen in [1280, 480] {
        chromium.look(screen, 900, "light");
        chromium.open(&page.page(), "");
        chromium.value("dispatchEvent(new Event('beforeprint'))");
        chromium.call("Emulation.setEmulatedMedia", &json!({ "media": "print" }));
        // As wide as a page of A4 without its margins.
        let size = json!({ "width": 718, "height": 1000, "deviceScaleFactor": 1, "mobile": false });
        chromium.call("Emulation.setDeviceMetricsOverride", &size);
        chromium.value("dispatchEvent(new Event('beforeprint'))");
        let bad = "[...document.querySelectorAll('.row')].map((row) => { \
             const name = row.querySelector('.label').getBoundingClientRect(); \
             const lane = row.querySelector('.lane').getBoundingClientRect(); \
             return [name.right, lane.left, lane.right, row.getBoundingClientRect().height]; }) \
             .filter(([name, left, right, height]) => name > left + 1 || right > 718 || height < 34)";
        assert_eq!(chromium.value(bad), json!([]), "{screen}");
        assert_eq!(chromium.count(FIRST_ROW), 6);
        chromium.value("dispatchEvent(new Event('afterprint'))");
        chromium.picture(&format!("paper-{screen}"));
        chromium.call("Emulation.setEmulatedMedia", &json!({ "media": "" }));
    }
    assert_eq!(chromium.complaints, [""; 0]);
}

#[test]
fn a_cause_leads_to_the_clients_that_failed_of_it() {
    let Some(mut chromium) = browser("a_cause_leads_to_the_clients_that_failed_of_it") else {
        return;
    };
    let page = CaseRunner::with(CONFIG, THREE);
    chromium.look(1280, 900, "light");
    chromium.open(&page.page(), "theme=dark");
    chromium.click("#causes li:nth-child(2) a");
    chromium.until("!document.getElementById('cause-filter').hidden");
    let filter = chromium.text("#cause-filter");
    assert!(
        filter.starts_with("Only openSSH: the second knock did not come in time (1 client)"),
        "{filter}"
    );
    assert_eq!(chromium.count(FIRST_ROW), 1);
    assert_eq!(chromium.text(".row.pair .client"), "203.0.113.9");
    assert_eq!(chromium.value("document.documentElement.dataset.theme"), "dark");
    let made = ".row.pair .pips .made";
    assert_eq!(chromium.count(made), 1);
    chromium.click("#cause-filter button");
    chromium.until("document.getElementById('cause-filter').hidden");
    assert_eq!(chromium.count(FIRST_ROW), 6);
    assert_eq!(chromium.count(made), 2 + 1 + 1, "two of three look nearer than one");
    assert_eq!(chromium.complaints, [""; 0]);
}

#[test]
fn a_stray_packet_of_1970_is_out_of_sight_until_one_zooms_out() {
    let Some(mut chromium) = browser("a_stray_packet_of_1970_is_out_of_sight_until_one_zooms_out")
    else {
        return;
    };
    let desk = CaseRunner::with(CONFIG, THREE);
    desk.write("stray", "start 1970-01-01T00:00:01Z\n0 knock 10.0.0.7 7000\n");
    let page = desk.path("report.html");
    let [stray, knocks, config] =
        ["stray", "knocks.scenario", "knockd.conf"].map(|name| desk.path(name).into_os_string());
    report(&[stray, knocks, "-c".into(), config], &page);
    chromium.look(1280, 900, "light");
    chromium.open(&page, "");
    assert!(chromium.text("#range").starts_with("2026-03-01 12:00:00 UTC, "));
    for _ in 0..40 {
        chromium.value("act('out')");
    }
    let dates = chromium.text("#axis");
    assert!(dates.contains("1970"), "{dates}");
    assert_eq!(chromium.complaints, [""; 0]);
}
