//! What is handed over is printed, in its order, and no more waits than the limit.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;

const BATCH: usize = Outgoing::<usize>::BATCH;

/// More than wait at a time, and a batch that is not full.
const MANY: usize = BATCH * (BATCHES + 10) + 7;

#[test]
fn all_is_printed_in_its_order() {
    let print = |to_print: ToPrint<usize>| {
        let mut printed = Vec::new();
        let Ok(()) = to_print.each(|Batch { effects, start, flush }| {
            assert_eq!(*start, Timestamp::from_nanos(5));
            printed.append(effects);
            // Only what is left at the end is waited for.
            assert_eq!(*flush, printed.len() == MANY);
            Ok::<_, Infallible>(())
        });
        printed
    };
    let ((), printed) = printing(false, print, |mut outgoing| {
        for one in 0..MANY {
            outgoing.begin(Timestamp::from_nanos(if one == 0 { 5 } else { 6 }));
            outgoing.take(one).unwrap();
            outgoing.complete().unwrap();
        }
        outgoing.end().unwrap();
    });
    assert_eq!(printed, (0..MANY).collect::<Vec<_>>());
}

#[test]
fn what_is_live_is_printed_before_the_next_packet() {
    let printed = AtomicUsize::new(0);
    let print = |to_print: ToPrint<usize>| {
        to_print.each(|Batch { effects, flush, .. }| {
            assert!(*flush);
            printed.fetch_add(effects.len(), Ordering::SeqCst);
            Ok::<_, Infallible>(())
        })
    };
    let ((), Ok(())) = printing(true, print, |mut outgoing| {
        for one in 0..100 {
            outgoing.take(one).unwrap();
            outgoing.complete().unwrap();
            assert_eq!(printed.load(Ordering::SeqCst), one + 1);
        }
        outgoing.end().unwrap();
    });
}

#[test]
fn a_printer_that_is_slow_makes_the_engine_wait() {
    let taken = AtomicUsize::new(0);
    let print = |to_print: ToPrint<usize>| {
        let mut printed = 0;
        to_print.each(|Batch { effects, .. }| {
            if printed == 0 {
                while taken.load(Ordering::SeqCst) < BATCH * BATCHES {
                    std::thread::yield_now();
                }
                // Without a limit, all would be taken now.
                std::thread::sleep(Duration::from_millis(100));
            }
            let waiting = taken.load(Ordering::SeqCst) - printed;
            // This one, those that wait, and the one that has no room.
            assert!(waiting <= BATCH * (BATCHES + 2), "{waiting} wait");
            printed += effects.len();
            Ok::<_, Infallible>(())
        })
    };
    let ((), Ok(())) = printing(false, print, |mut outgoing| {
        for one in 0..MANY {
            taken.fetch_add(1, Ordering::SeqCst);
            outgoing.take(one).unwrap();
        }
        outgoing.end().unwrap();
    });
}

#[test]
fn an_engine_notices_that_nobody_prints_any_more() {
    for live in [false, true] {
        let print = |to_print: ToPrint<usize>| to_print.each(|_| Err("closed"));
        let (taken, written) = printing(live, print, |mut outgoing| {
            let gone =
                |one: &usize| outgoing.take(*one).and_then(|()| outgoing.complete()).is_err();
            // Many more than could wait.
            let taken = (0..10 * MANY).find(gone);
            assert!(outgoing.take(0).and_then(|()| outgoing.end()).is_err());
            taken
        });
        assert_eq!(written, Err("closed"));
        let most = if live { 0 } else { BATCH * (BATCHES + 2) };
        assert!(taken.is_some_and(|taken| taken <= most), "{taken:?}");
    }
}

#[test]
fn a_panic_while_printing_ends_the_replay_with_its_message() {
    for live in [false, true] {
        let print = |to_print: ToPrint<usize>| {
            to_print.each(|batch| match batch.effects.first() {
                Some(_) => panic!("of the printer"),
                None => Ok::<_, Infallible>(()),
            })
        };
        let run = || {
            printing(live, print, |mut outgoing| {
                (0..10 * MANY)
                    .find(|one| outgoing.take(*one).and_then(|()| outgoing.complete()).is_err())
            })
        };
        let panic = std::panic::catch_unwind(run).unwrap_err();
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"of the printer"));
    }
}

/// The last packets before a pause are all that there may ever be.
#[test]
fn what_is_left_is_printed_at_the_end_once() {
    for live in [false, true] {
        for number in [0, 1, BATCH - 1, BATCH, BATCH + 1, 3 * BATCH] {
            let print = |to_print: ToPrint<usize>| {
                let mut printed = Vec::new();
                let Ok(()) = to_print.each(|Batch { effects, .. }| {
                    // It is emptied for the printer, which only reads.
                    printed.extend(effects.iter().copied());
                    Ok::<_, Infallible>(())
                });
                printed
            };
            let ((), printed) = printing(live, print, |mut outgoing| {
                (0..number).for_each(|one| outgoing.take(one).unwrap());
                outgoing.end().unwrap();
            });
            assert_eq!(printed, (0..number).collect::<Vec<_>>(), "{live}");
        }
    }
}

/// Where there are threads.
fn printing<T: Send, P: Send, R>(
    live: bool,
    print: impl FnOnce(ToPrint<T>) -> P + Send,
    play: impl FnOnce(Outgoing<T>) -> R,
) -> (R, P) {
    super::printing(live, print, play).unwrap()
}
