//! The store on a disk that fails at every step, and on the real one.

mod disk;
mod folder;
mod power_cut;

use std::time::Duration;

use crate::lease_record::{Place, StoredLease};

fn lease(number: u64) -> StoredLease {
    StoredLease {
        number,
        door_name: b"door".to_vec(),
        client: [192, 0, 2, 7].into(),
        stop: format!("close {number}").into_bytes(),
        closes_after: Some(Duration::from_mins(1)),
        place: Place::new("boot", 1),
        group: None,
        due: None,
        is_closing: false,
    }
}
