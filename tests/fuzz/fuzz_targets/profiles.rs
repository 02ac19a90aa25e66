//! Reads a file of profiles: its text.

#![no_main]

use std::path::Path;
use std::time::Duration;

use knock::profile::{Base, Knocks, Parsed, Profiles, Settings, parse};
use knock::{Awaited, Hit, MAX_HITS};
use knock_fuzz::check_source;
use libfuzzer_sys::fuzz_target;

/// The most hosts of a text to look up.
const HOSTS_MAX: usize = 8;

fuzz_target!(|text: &[u8]| {
    let Parsed { profiles, source } = read(text);
    let errors = source.errors();
    assert_eq!(profiles.is_some(), errors == 0);
    assert_eq!(source.text, text);
    check_source(source);
    let commented = read(&[text, b"\n# comment"].concat());
    assert_eq!(commented.profiles, profiles);
    assert_eq!(commented.source.errors(), errors);
    if let Some(profiles) = profiles {
        check_profiles(text, &profiles);
    }
});

fn read(text: &[u8]) -> Parsed {
    let base = Base { folder: "/folder".into(), home: Some("/home/ada".into()) };
    parse("config".to_owned(), text, &base)
}

fn check_profiles(text: &[u8], profiles: &Profiles) {
    // The limit of profiles may leave no place for another.
    let more = read(&[text, b"\nHost *\nDelay 77\n"].concat()).profiles;
    let mut hosts = profiles.hosts();
    assert!(hosts.iter().all(|host| !host.is_empty()), "{hosts:?}");
    hosts.truncate(HOSTS_MAX);
    hosts.push("unknown.example".to_owned());
    for host in &hosts {
        let settings = profiles.settings(host);
        check_settings(host, &settings);
        if let Some(more) = &more {
            let delay = settings.delay.or(Some(Duration::from_millis(77)));
            assert_eq!(more.settings(host), Settings { delay, ..settings });
        }
    }
}

fn check_settings(host: &str, settings: &Settings) {
    assert!(!settings.host(host).is_empty());
    match &settings.knocks {
        Some(Knocks::Here(hits)) => check_hits(hits),
        Some(Knocks::Door(name)) => assert!(!name.as_bytes().is_empty()),
        Some(Knocks::OneTime(path)) => check_path(path),
        None => {}
    }
    settings.config.as_deref().into_iter().for_each(check_path);
    assert!(settings.wait.is_none_or(|wait| !wait.is_zero()));
    let port = settings.then.and_then(Awaited::port);
    assert!(port.is_none_or(|port| port.0 != 0));
    let request = settings.request(host);
    assert_eq!((request.delay, request.then), (settings.delay, settings.then));
}

fn check_hits(hits: &[Hit]) {
    assert!((1..=MAX_HITS).contains(&hits.len()), "{}", hits.len());
    for hit in hits {
        assert_ne!(hit.knock.port.0, 0);
        assert_eq!(hit.to_string().parse::<Hit>().as_ref(), Ok(hit));
    }
}

fn check_path(path: &Path) {
    assert!(path.is_absolute(), "{}", path.display());
}
