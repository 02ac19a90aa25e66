//! The captures: where packets come from.

use std::fmt;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd};

use caps::{CapSet, Capability, has_cap};
use knock_engine::{Doors, LinkType, Listening, filter};
use nix::net::if_::if_nametoindex;
use pcap::{Active, Capture, Precision};

/// How much of each packet is captured, in bytes: all headers that are looked at, with several VLAN
/// tags and IPv6 extension headers. The kernel's buffer has a place of this size for each packet.
const SNAPLEN: i32 = 512;

/// The size of the kernel's buffer for an interface, in bytes: room for some 28,000 packets, a second
/// of a flood.
const BUFFER_BYTES: i32 = 16 << 20;

/// The most instructions that the kernel takes. libpcap silently filters in user space beyond, where
/// frames have a VLAN tag that the kernel's filter does not see.
const INSTRUCTIONS_MAX: usize = 4096;

/// An interface that is listened on.
pub(crate) struct Interface {
    name: String,
    capture: Capture<Active>,
    link: LinkType,
    /// The filter that is set.
    filter: Option<String>,
}

/// Why an interface cannot be listened on.
#[derive(Debug)]
pub(crate) enum CaptureError {
    /// It is not there.
    Missing(String),
    /// This process lacks the capability that is needed.
    Denied(String),
    /// It has a link type that is not understood.
    LinkType(String, LinkType),
    /// Anything else, as libpcap puts it.
    Pcap(String, pcap::Error),
}

impl fmt::Display for CaptureError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(name) => write!(out, "there is no interface {name}"),
            Self::Denied(name) => write!(
                out,
                "cannot listen on {name} without the capability CAP_NET_RAW: start knockd as root, \
                 or grant it, as with 'setcap cap_net_raw=ep /usr/sbin/knockd', or \
                 'AmbientCapabilities=CAP_NET_RAW' in a unit of systemd"
            ),
            Self::LinkType(name, link) => {
                write!(out, "cannot listen on {name}: its link type, {link}, is not supported")
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
    /// Opens the capture of an interface; `any` is all of them. A name such as `eth0:1` is that of
    /// some addresses of `eth0`, for knockd 0.8 as well: what comes to them comes there.
    ///
    /// # Errors
    /// [`CaptureError`] if it is not there, may not be opened, or cannot be understood.
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

    /// Has the kernel pass only what these doors may let through.
    ///
    /// A filter that is too long for the kernel gives way to a wider one: the engine decides again
    /// about every packet.
    ///
    /// # Errors
    /// [`CaptureError`] if not even every packet can be asked for.
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
        // The last expression is empty, and no kernel refuses that.
        let error = last.unwrap_or(pcap::Error::InvalidString);
        Err(CaptureError::Pcap(self.name.clone(), error))
    }

    /// Sets a filter. Returns whether it is one for the kernel.
    fn set(&mut self, expression: &str) -> Result<bool, pcap::Error> {
        let program = self.capture.compile(expression, true)?;
        if program.get_instructions().len() > INSTRUCTIONS_MAX {
            return Ok(false);
        }
        self.capture.filter(expression, true)?;
        Ok(true)
    }

    /// Hands over what is there, up to a number of packets: the stamp, in nanoseconds since the
    /// epoch, the length on the wire and the captured bytes. Returns how many they were.
    ///
    /// # Errors
    /// [`CaptureError`] if there will be no more.
    pub(crate) fn read(
        &mut self,
        limit: usize,
        mut see: impl FnMut(LinkType, i64, u32, &[u8]),
    ) -> Result<usize, CaptureError> {
        let link = self.link;
        let read = self.capture.dispatch(Some(limit), |packet| {
            // With nanosecond precision, microseconds are nanoseconds.
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

    /// Returns how many packets the kernel has dropped so far, because the buffer was full.
    pub(crate) fn dropped(&mut self) -> u32 {
        self.capture.stats().map_or(0, |stats| stats.dropped)
    }
}

impl AsFd for Interface {
    #[expect(unsafe_code, reason = "the capture, which owns it, is borrowed as long")]
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: an open capture of Linux has a descriptor that is open as long as the capture.
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
        // Filters of the engine are shorter with the libpcap that its tests run with.
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
