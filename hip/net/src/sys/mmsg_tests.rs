use std::{net::UdpSocket, os::fd::AsFd};

use super::*;

fn receiver(address: &str) -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind(address).expect("bind");
    let (level, info) = if address.starts_with('[') {
        (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO)
    } else {
        (libc::IPPROTO_IP, libc::IP_PKTINFO)
    };
    super::super::set_option(socket.as_fd(), level, info, 1).expect("pktinfo");
    let address = socket.local_addr().expect("address");
    (socket, address)
}

fn wait_readable(socket: &UdpSocket) {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    let mut fds = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
    assert!(
        poll(&mut fds, PollTimeout::from(5000u16)).expect("poll") > 0,
        "nothing came"
    );
}

#[test]
fn a_batch_arrives_in_order_with_both_addresses() {
    for bind in ["127.0.0.1:0", "[::1]:0"] {
        let (socket, to) = receiver(bind);
        let sender = UdpSocket::bind(bind).expect("bind");
        let texts: Vec<Vec<u8>> = (1..=40u8).map(|n| vec![n; usize::from(n)]).collect();
        let messages: Vec<Outgoing<'_>> = texts
            .iter()
            .map(|bytes| Outgoing {
                destination: to,
                source: Some(to.ip()),
                bytes,
                segment: None,
                header: Some((0, 64)),
            })
            .collect();
        assert_eq!(send_many(sender.as_fd(), &messages).expect("sent"), BATCH);
        assert_eq!(
            send_many(sender.as_fd(), &messages[BATCH..]).expect("sent"),
            40 - BATCH
        );
        let mut batch = ReceiveBatch::new(32, 2048);
        let mut got = Vec::new();
        while got.len() < texts.len() {
            wait_readable(&socket);
            batch.receive(socket.as_fd()).expect("received");
            for (envelope, bytes) in batch.messages().map(|message| message.expect("whole")) {
                assert_eq!(envelope.source, sender.local_addr().expect("address"));
                assert_eq!(envelope.destination, Some(to.ip()));
                got.push(bytes.to_vec());
            }
        }
        assert_eq!(got, texts);
        let error = batch.receive(socket.as_fd()).expect_err("empty");
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }
}

#[test]
fn one_segmented_send_arrives_as_separate_datagrams_or_one_joined_run() {
    let (socket, to) = receiver("127.0.0.1:0");
    super::super::set_option(socket.as_fd(), libc::SOL_UDP, libc::UDP_GRO, 1).expect("gro");
    let sender = UdpSocket::bind("127.0.0.1:0").expect("bind");
    let bytes: Vec<u8> = (0..2500u32).map(|n| n as u8).collect();
    let run = Outgoing {
        destination: to,
        source: None,
        bytes: &bytes,
        segment: Some(1000),
        header: None,
    };
    assert_eq!(send_many(sender.as_fd(), &[run]).expect("sent"), 1);
    let mut batch = ReceiveBatch::new(4, 65536);
    let mut sizes = Vec::new();
    let mut joined = Vec::new();
    while joined.len() < bytes.len() {
        wait_readable(&socket);
        batch.receive(socket.as_fd()).expect("received");
        for (envelope, bytes) in batch.messages().map(|message| message.expect("whole")) {
            let segment = envelope.segment.unwrap_or(bytes.len());
            sizes.extend(bytes.chunks(segment).map(<[u8]>::len));
            joined.extend_from_slice(bytes);
        }
    }
    assert_eq!(sizes, [1000, 1000, 500]);
    assert_eq!(joined, bytes);
}

#[test]
fn a_datagram_that_does_not_fit_is_reported_and_not_delivered_short() {
    let (socket, to) = receiver("127.0.0.1:0");
    let sender = UdpSocket::bind("127.0.0.1:0").expect("bind");
    sender.send_to(&[1; 600], to).expect("sent");
    sender.send_to(&[2; 500], to).expect("sent");
    let mut batch = ReceiveBatch::new(2, 500);
    let mut whole = Vec::new();
    while whole.len() < 2 {
        wait_readable(&socket);
        batch.receive(socket.as_fd()).expect("received");
        whole.extend(
            batch
                .messages()
                .map(|message| message.map(|(_, bytes)| bytes.len())),
        );
    }
    assert_eq!(whole, [None, Some(500)]);
}
