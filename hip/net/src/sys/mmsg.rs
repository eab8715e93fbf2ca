//! `recvmmsg` and `sendmmsg` with the control messages a HIP host needs: the local address, the
//! traffic class, the hop limit, and segmentation offload in both directions.
//!
//! Headers are built for each call on the stack, so the batches hold plain bytes only.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6},
    os::fd::{AsRawFd, BorrowedFd},
};

/// Most messages of one system call.
const BATCH: usize = 32;
/// Room for every control message asked for, with a margin.
const CONTROL: usize = 256;
/// Size of `sockaddr_in6`, the larger of the two.
const NAME: usize = size_of::<libc::sockaddr_in6>();

/// What came with a received datagram.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Envelope {
    /// Who sent it.
    pub(crate) source: SocketAddr,
    /// The local address it was sent to.
    pub(crate) destination: Option<IpAddr>,
    /// Size of each datagram in the buffer when the kernel joined several (UDP_GRO).
    pub(crate) segment: Option<usize>,
    /// Traffic class of the outer header.
    pub(crate) traffic_class: u8,
    /// Hop limit of the outer header.
    pub(crate) hop_limit: u8,
}

/// One datagram to send, or a run of equal ones when `segment` is set (UDP_SEGMENT).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outgoing<'a> {
    /// Where to.
    pub(crate) destination: SocketAddr,
    /// From which local address; `None` leaves the choice to the routing table.
    pub(crate) source: Option<IpAddr>,
    /// The octets.
    pub(crate) bytes: &'a [u8],
    /// Size of each datagram in `bytes`; the last may be shorter.
    pub(crate) segment: Option<u16>,
    /// Traffic class and hop limit of the outer header; `None`: the socket's.
    pub(crate) header: Option<(u8, u8)>,
}

#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Control([u8; CONTROL]);

#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Name([u8; NAME]);

/// Buffers for one `recvmmsg`, and what the last one brought.
pub(crate) struct ReceiveBatch {
    buffers: Vec<Vec<u8>>,
    names: [Name; BATCH],
    controls: [Control; BATCH],
    received: Vec<(usize, Option<Envelope>)>,
}

impl ReceiveBatch {
    /// `count` buffers (at most 32) of `size` octets.
    pub(crate) fn new(count: usize, size: usize) -> Self {
        Self {
            buffers: vec![vec![0; size]; count.min(BATCH)],
            names: [Name([0; NAME]); BATCH],
            controls: [Control([0; CONTROL]); BATCH],
            received: Vec::with_capacity(count),
        }
    }

    /// Takes what waits on the socket, without blocking. `WouldBlock` when there is nothing.
    pub(crate) fn receive(&mut self, fd: BorrowedFd<'_>) -> io::Result<usize> {
        self.received.clear();
        // SAFETY: `iovec` and `mmsghdr` are C structures of integers and pointers, for which all
        // zeros is a valid value.
        let (mut vectors, mut headers): ([libc::iovec; BATCH], [libc::mmsghdr; BATCH]) =
            unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
        let parts = self
            .buffers
            .iter_mut()
            .zip(&mut self.names)
            .zip(&mut self.controls);
        for (((buffer, name), control), (vector, header)) in
            parts.zip(vectors.iter_mut().zip(&mut headers))
        {
            vector.iov_base = buffer.as_mut_ptr().cast();
            vector.iov_len = buffer.len();
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_name = name.0.as_mut_ptr().cast();
            header.msg_hdr.msg_namelen = NAME as libc::socklen_t;
            header.msg_hdr.msg_control = control.0.as_mut_ptr().cast();
            header.msg_hdr.msg_controllen = CONTROL as _;
        }
        // SAFETY: the first `buffers.len()` (at most BATCH) headers point at buffers, names and
        // control areas of `self`, each with its true length, all exclusively borrowed until the
        // call returns; the kernel keeps no pointer. A null timeout is allowed.
        let count = unsafe {
            libc::recvmmsg(
                fd.as_raw_fd(),
                headers.as_mut_ptr(),
                self.buffers.len() as libc::c_uint,
                libc::MSG_DONTWAIT as _,
                std::ptr::null_mut(),
            )
        };
        let count = super::check(count)? as usize;
        for (index, header) in headers.iter().take(count).enumerate() {
            let message = &header.msg_hdr;
            let damaged = message.msg_flags & (libc::MSG_TRUNC | libc::MSG_CTRUNC) != 0;
            let control = &self.controls[index].0[..message.msg_controllen.min(CONTROL)];
            let name = &self.names[index].0[..(message.msg_namelen as usize).min(NAME)];
            let envelope = if damaged {
                None
            } else {
                envelope(name, control)
            };
            let len = (header.msg_len as usize).min(self.buffers[index].len());
            self.received.push((len, envelope));
        }
        Ok(count)
    }

    /// What the last [`receive`](Self::receive) brought: `None` for a message that did not fit.
    pub(crate) fn messages(&mut self) -> impl Iterator<Item = Option<(Envelope, &mut [u8])>> {
        self.received
            .iter()
            .zip(&mut self.buffers)
            .map(|((len, envelope), buffer)| {
                envelope.map(|envelope| (envelope, &mut buffer[..*len]))
            })
    }
}

fn envelope(name: &[u8], control: &[u8]) -> Option<Envelope> {
    let mut envelope = Envelope {
        source: read_name(name)?,
        destination: None,
        segment: None,
        traffic_class: 0,
        hop_limit: 64,
    };
    for (level, kind, data) in control_messages(control) {
        match (level, kind) {
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                // struct in_pktinfo: index, local address, address in the header.
                let address: [u8; 4] = data.get(8..12)?.try_into().ok()?;
                envelope.destination = Some(Ipv4Addr::from(address).into());
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                let address: [u8; 16] = data.get(..16)?.try_into().ok()?;
                envelope.destination = Some(Ipv6Addr::from(address).into());
            }
            (libc::IPPROTO_IP, libc::IP_TOS) => envelope.traffic_class = *data.first()?,
            (libc::IPPROTO_IP, libc::IP_TTL) | (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) => {
                envelope.hop_limit = int(data)? as u8;
            }
            (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) => envelope.traffic_class = int(data)? as u8,
            (libc::SOL_UDP, libc::UDP_GRO) => {
                envelope.segment = usize::try_from(int(data)?).ok().filter(|size| *size > 0);
            }
            _ => {}
        }
    }
    Some(envelope)
}

fn int(data: &[u8]) -> Option<i32> {
    Some(i32::from_ne_bytes(data.get(..4)?.try_into().ok()?))
}

/// Sends as many of `messages` as one `sendmmsg` takes, blocking while the socket's buffer is
/// full. Returns how many went; an error is that of the first message.
pub(crate) fn send_many(fd: BorrowedFd<'_>, messages: &[Outgoing<'_>]) -> io::Result<usize> {
    let mut names = [(Name([0; NAME]), 0); BATCH];
    let mut controls = [(Control([0; CONTROL]), 0); BATCH];
    // SAFETY: `iovec` and `mmsghdr` are C structures of integers and pointers, for which all
    // zeros is a valid value.
    let (mut vectors, mut headers): ([libc::iovec; BATCH], [libc::mmsghdr; BATCH]) =
        unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
    let count = messages.len().min(BATCH);
    let parts = names
        .iter_mut()
        .zip(&mut controls)
        .zip(vectors.iter_mut().zip(&mut headers));
    for (message, ((name, control), (vector, header))) in messages.iter().zip(parts) {
        name.1 = write_name(&message.destination, &mut name.0.0);
        control.1 = write_control(message, &mut control.0.0);
        vector.iov_base = message.bytes.as_ptr().cast_mut().cast();
        vector.iov_len = message.bytes.len();
        header.msg_hdr.msg_iov = vector;
        header.msg_hdr.msg_iovlen = 1;
        header.msg_hdr.msg_name = name.0.0.as_mut_ptr().cast();
        header.msg_hdr.msg_namelen = name.1 as libc::socklen_t;
        if control.1 > 0 {
            header.msg_hdr.msg_control = control.0.0.as_mut_ptr().cast();
            header.msg_hdr.msg_controllen = control.1 as _;
        }
    }
    loop {
        // SAFETY: the first `count` headers point at names and control areas on this stack frame
        // and at the callers' octets, which the kernel only reads, all with their true lengths and
        // alive until the call returns.
        let sent = unsafe {
            libc::sendmmsg(
                fd.as_raw_fd(),
                headers.as_mut_ptr(),
                count as libc::c_uint,
                0,
            )
        };
        match super::check(sent) {
            Ok(sent) => return Ok(sent as usize),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn write_control(message: &Outgoing<'_>, out: &mut [u8; CONTROL]) -> usize {
    let mut used = 0;
    let v4 = message.destination.is_ipv4();
    match message.source {
        Some(IpAddr::V4(source)) if v4 && !source.is_unspecified() => {
            let mut info = [0; 12];
            info[4..8].copy_from_slice(&source.octets());
            push_control(out, &mut used, libc::IPPROTO_IP, libc::IP_PKTINFO, &info);
        }
        Some(IpAddr::V6(source)) if !v4 && !source.is_unspecified() => {
            let mut info = [0; 20];
            info[..16].copy_from_slice(&source.octets());
            push_control(
                out,
                &mut used,
                libc::IPPROTO_IPV6,
                libc::IPV6_PKTINFO,
                &info,
            );
        }
        _ => {}
    }
    if let Some((traffic_class, hop_limit)) = message.header {
        let (class, hops) = (i32::from(traffic_class), i32::from(hop_limit.max(1)));
        let (level, class_type, hops_type) = if v4 {
            (libc::IPPROTO_IP, libc::IP_TOS, libc::IP_TTL)
        } else {
            (libc::IPPROTO_IPV6, libc::IPV6_TCLASS, libc::IPV6_HOPLIMIT)
        };
        push_control(out, &mut used, level, class_type, &class.to_ne_bytes());
        push_control(out, &mut used, level, hops_type, &hops.to_ne_bytes());
    }
    if let Some(segment) = message.segment {
        push_control(
            out,
            &mut used,
            libc::SOL_UDP,
            libc::UDP_SEGMENT,
            &segment.to_ne_bytes(),
        );
    }
    used
}

const CONTROL_HEADER: usize = size_of::<libc::cmsghdr>();
const WORD: usize = size_of::<usize>();

/// Appends one control message: `struct cmsghdr` (length, level, type), then the data.
fn push_control(out: &mut [u8; CONTROL], used: &mut usize, level: i32, kind: i32, data: &[u8]) {
    let len = CONTROL_HEADER + data.len();
    let here = &mut out[*used..*used + len];
    here[..WORD].copy_from_slice(&len.to_ne_bytes());
    here[WORD..WORD + 4].copy_from_slice(&level.to_ne_bytes());
    here[WORD + 4..WORD + 8].copy_from_slice(&kind.to_ne_bytes());
    here[CONTROL_HEADER..].copy_from_slice(data);
    *used += len.next_multiple_of(WORD);
}

/// The control messages in what the kernel wrote.
fn control_messages(mut control: &[u8]) -> impl Iterator<Item = (i32, i32, &[u8])> {
    std::iter::from_fn(move || {
        let len = usize::from_ne_bytes(control.get(..WORD)?.try_into().ok()?);
        let level = int(control.get(WORD..)?)?;
        let kind = int(control.get(WORD + 4..)?)?;
        let data = control.get(CONTROL_HEADER..len)?;
        control = control
            .get(len.next_multiple_of(WORD)..)
            .unwrap_or_default();
        Some((level, kind, data))
    })
}

/// Writes `sockaddr_in` or `sockaddr_in6`; returns its length.
fn write_name(address: &SocketAddr, out: &mut [u8; NAME]) -> usize {
    out[2..4].copy_from_slice(&address.port().to_be_bytes());
    match address {
        SocketAddr::V4(address) => {
            out[..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
            out[4..8].copy_from_slice(&address.ip().octets());
            size_of::<libc::sockaddr_in>()
        }
        SocketAddr::V6(address) => {
            out[..2].copy_from_slice(&(libc::AF_INET6 as u16).to_ne_bytes());
            out[8..24].copy_from_slice(&address.ip().octets());
            out[24..28].copy_from_slice(&address.scope_id().to_ne_bytes());
            NAME
        }
    }
}

fn read_name(name: &[u8]) -> Option<SocketAddr> {
    let family = u16::from_ne_bytes(name.get(..2)?.try_into().ok()?);
    let port = u16::from_be_bytes(name.get(2..4)?.try_into().ok()?);
    match i32::from(family) {
        libc::AF_INET => {
            let address: [u8; 4] = name.get(4..8)?.try_into().ok()?;
            Some((Ipv4Addr::from(address), port).into())
        }
        libc::AF_INET6 => {
            let address: [u8; 16] = name.get(8..24)?.try_into().ok()?;
            let scope = u32::from_ne_bytes(name.get(24..28)?.try_into().ok()?);
            Some(SocketAddrV6::new(address.into(), port, 0, scope).into())
        }
        _ => None,
    }
}

#[cfg(test)]
#[path = "mmsg_tests.rs"]
mod tests;
