//! The captures, from which packets are read.

use std::fmt;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd};

use caps::{CapSet, Capability, has_cap};
use knock_engine::{Doors, LinkType, Listening, filter};
use nix::net::if_::if_nametoindex;
use pcap::{Active, Capture, Precision};

/// How much of each packet is captured, in bytes: enough for all headers that matter, with several VLAN
/// tags and IPv6 extension headers. Each packet takes this much of the kernel's buffer.
const SNAPLEN: i32 = 512;

/// The size of the kernel's buffer for an interface, in bytes: room for about 28,000 packets, a second
/// of a flood.
const BUFFER_BYTES: i32 = 16 << 20;

/// The longest filter that the kernel takes, in instructions. libpcap silently runs a longer one in user
/// space, where it would see VLAN tags in frames, unlike a kernel filter.
const INSTRUCTIONS_MAX: usize = 4096;

/// An interface with an open capture.
pub(crate) struct Interface {
    name: String,
    capture: Capture<Active>,
    link: LinkType,
    /// The present filter.
    filter: Option<String>,
}

/// Why an interface cannot be listened on.
#[derive(Debug)]
pub(crate) enum CaptureError {
    /// It does not exist.
    Missing(String),
    /// This process lacks `CAP_NET_RAW`.
    Denied(String),
    /// Its link type is not supported.
    LinkType(String, LinkType),
    /// Any other error, in libpcap's words.
    Pcap(String, pcap::Error),
}

impl fmt::Display for CaptureError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(name) => write!(
                out,
                "cannot listen on {name}: there is no such interface; 'ip link' lists those that exist"
            ),
            Self::Denied(name) => write!(
                out,
                "cannot listen on {name} without the capability CAP_NET_RAW: start knockd as root, \
                 or grant the capability, with 'setcap cap_net_raw=ep /usr/sbin/knockd' or with \
                 'AmbientCapabilities=CAP_NET_RAW' in the systemd unit"
            ),
            Self::LinkType(name, link) => {
                write!(out, "cannot listen on {name}: its link type {link} is not supported")
            }
            Self::Pcap(name, pcap::Error::PcapError(cause)) => {
                // libpcap begins some of its messages with the name.
                let cause = cause.strip_prefix(&format!("{name}: ")).unwrap_or(cause);
                write!(out, "cannot listen on {name}: {cause}")
            }
            Self::Pcap(name, error) => write!(out, "cannot listen on {name}: {error}"),
        }
    }
}

impl Interface {
    /// Opens a capture on an interface; `any` means all. A name such as `eth0:1` is an alias for some
    /// addresses of `eth0`, whose packets arrive on `eth0`; knockd 0.8 does the same.
    ///
    /// # Errors
    /// [`CaptureError`] if the interface does not exist, cannot be opened, or is not supported.
    pub(crate) fn open(name: &str) -> Result<Self, CaptureError> {
        let device = name.split_once(':').map_or(name, |(device, _)| device);
        if device != "any" && if_nametoindex(device).is_err() {
            return Err(CaptureError::Missing(name.to_owned()));
        }
        if !has_cap(None, CapSet::Effective, Capability::CAP_NET_RAW).unwrap_or(true) {
            return Err(CaptureError::Denied(name.to_owned()));
        }
        let failed = |error| CaptureError::Pcap(name.to_owned(), error);
        let capture = Capture::from_device(device)
            .map_err(failed)?
            .promisc(false)
            .immediate_mode(true)
            .snaplen(SNAPLEN)
            .buffer_size(BUFFER_BYTES)
            .precision(Precision::Nano)
            .open()
            .and_then(Capture::setnonblock)
            .map_err(failed)?;
        let number = u16::try_from(capture.get_datalink().0).unwrap_or(u16::MAX);
        let link = LinkType::from_number(number);
        if !link.is_supported() {
            return Err(CaptureError::LinkType(name.to_owned(), link));
        }
        Ok(Self { name: name.to_owned(), capture, link, filter: None })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn link(&self) -> LinkType {
        self.link
    }

    pub(crate) const fn snaplen() -> u32 {
        SNAPLEN.unsigned_abs()
    }

    /// Has the kernel pass only packets that these doors may let through.
    ///
    /// If a filter is too long for the kernel, a wider one takes its place; the engine checks every
    /// packet again anyway.
    ///
    /// # Errors
    /// [`CaptureError`] if no filter at all can be set.
    pub(crate) fn listen_for(
        &mut self,
        doors: &Doors,
        listening: &Listening,
    ) -> Result<(), CaptureError> {
        let mut last = None;
        for expression in filter::expressions(doors, listening, self.link) {
            if self.filter.as_ref() == Some(&expression) {
                return Ok(());
            }
            match self.set(&expression) {
                Ok(true) => {
                    self.filter = Some(expression);
                    return Ok(());
                }
                Ok(false) => {}
                Err(error) => last = Some(error),
            }
        }
        // The last expression is empty, which every kernel accepts.
        let error = last.unwrap_or(pcap::Error::InvalidString);
        Err(CaptureError::Pcap(self.name.clone(), error))
    }

    /// Sets a filter. Returns `false` if it is too long for the kernel.
    fn set(&mut self, expression: &str) -> Result<bool, pcap::Error> {
        let program = self.capture.compile(expression, true)?;
        if program.get_instructions().len() > INSTRUCTIONS_MAX {
            return Ok(false);
        }
        self.capture.filter(expression, true)?;
        Ok(true)
    }

    /// Reads up to `limit` packets, without waiting. `see` gets the link type, the stamp in nanoseconds
    /// since the epoch, the length on the wire and the captured bytes. Returns how many were read.
    ///
    /// # Errors
    /// [`CaptureError`] if nothing can be read from the interface any more.
    pub(crate) fn read(
        &mut self,
        limit: usize,
        mut see: impl FnMut(LinkType, i64, u32, &[u8]),
    ) -> Result<usize, CaptureError> {
        let link = self.link;
        let read = self.capture.dispatch(Some(limit), |packet| {
            // With nanosecond precision, the field of microseconds has nanoseconds.
            let (seconds, nanos) = (packet.header.ts.tv_sec, packet.header.ts.tv_usec);
            let stamp = seconds.saturating_mul(1_000_000_000).saturating_add(nanos);
            see(link, stamp, packet.header.len, packet.data);
        });
        match read {
            Ok(count) => Ok(count),
            Err(pcap::Error::TimeoutExpired) => Ok(0),
            Err(error) => Err(CaptureError::Pcap(self.name.clone(), error)),
        }
    }

    /// Returns how many packets the kernel has dropped since the start, because its buffer was full.
    pub(crate) fn dropped(&mut self) -> u32 {
        self.capture.stats().map_or(0, |stats| stats.dropped)
    }
}

impl AsFd for Interface {
    #[expect(unsafe_code, reason = "the capture, which owns the descriptor, stays borrowed")]
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: on Linux, the descriptor of a capture is open as long as the capture.
        unsafe { BorrowedFd::borrow_raw(self.capture.as_raw_fd()) }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use knock_tests::require::{Need, require};
    use nix::sched::{CloneFlags, unshare};

    use super::*;

    #[test]
    fn a_filter_that_is_too_long_for_the_kernel_is_not_set() {
        let name = "a_filter_that_is_too_long_for_the_kernel_is_not_set";
        if !require(name, &[], Need::Namespaces) {
            return;
        }
        // The engine's filters are shorter than that, with the libpcap of these tests.
        let sum = |bytes: usize| {
            let bytes = (0..bytes).map(|byte| format!("link[{}]", byte % 500));
            bytes.collect::<Vec<_>>().join(" + ") + " = 1"
        };
        let on_a_network_of_its_own = thread::spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            let mut interface = Interface::open("any").unwrap();
            let length = |text: &str| {
                let all = Interface::open("any").unwrap().capture;
                all.compile(text, true).unwrap().get_instructions().len()
            };
            let (most, too_many) = (sum(800), sum(1000));
            assert!(length(&most) <= 4096 && length(&too_many) > 4096);
            assert!(interface.set(&most).unwrap());
            assert!(!interface.set(&too_many).unwrap());
        });
        on_a_network_of_its_own.join().unwrap();
    }
}
