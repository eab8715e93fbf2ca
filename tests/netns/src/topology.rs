//! The networks that the stories are told on. Addresses are from the documentation prefixes.

use std::net::IpAddr;

use crate::process::LabError;
use crate::{Lab, Namespace};

/// A host with one interface `eth0`.
#[derive(Debug)]
pub struct Host {
    /// Where it lives.
    pub namespace: Namespace,
    /// Its IPv4 address on `eth0`.
    pub v4: IpAddr,
    /// Its IPv6 address on `eth0`.
    pub v6: IpAddr,
}

/// Two hosts on one veth pair.
#[derive(Debug)]
pub struct Pair {
    /// 192.0.2.1, 2001:db8::1
    pub a: Host,
    /// 192.0.2.2, 2001:db8::2
    pub b: Host,
}

/// Two hosts, each on a network of its own, with a router between them.
#[derive(Debug)]
pub struct TwoNetworks {
    /// 192.0.2.10, 2001:db8:1::10
    pub a: Host,
    /// 198.51.100.10, 2001:db8:2::10
    pub b: Host,
    /// Interfaces `net-a`, `net-b` and the spare network `net-c` (203.0.113.0/24), which `a` can move to.
    pub router: Namespace,
}

/// Hosts 192.0.2.1, 192.0.2.2, … on one bridge.
#[derive(Debug)]
pub struct Star {
    /// The hosts, in order of their addresses.
    pub hosts: Vec<Host>,
    /// Holds the bridge `br0`.
    pub switch: Namespace,
}

fn address(text: &str) -> Result<IpAddr, LabError> {
    text.parse()
        .map_err(|e| LabError::new(format!("{text}: {e}")))
}

fn host(namespace: Namespace, v4: &str, v4_len: u8, v6: &str) -> Result<Host, LabError> {
    namespace.address("eth0", &format!("{v4}/{v4_len}"))?;
    namespace.address("eth0", &format!("{v6}/64"))?;
    Ok(Host {
        namespace,
        v4: address(v4)?,
        v6: address(v6)?,
    })
}

/// Builds a [`Pair`].
pub fn pair(lab: &Lab) -> Result<Pair, LabError> {
    let (a, b) = (lab.namespace("a")?, lab.namespace("b")?);
    a.link("eth0", &b, "eth0")?;
    Ok(Pair {
        a: host(a, "192.0.2.1", 24, "2001:db8::1")?,
        b: host(b, "192.0.2.2", 24, "2001:db8::2")?,
    })
}

/// Builds [`TwoNetworks`].
pub fn two_networks(lab: &Lab) -> Result<TwoNetworks, LabError> {
    let (a, b, router) = (
        lab.namespace("a")?,
        lab.namespace("b")?,
        lab.namespace("router")?,
    );
    a.link("eth0", &router, "net-a")?;
    b.link("eth0", &router, "net-b")?;
    a.link("eth1", &router, "net-c")?;
    for (interface, v4, v6) in [
        ("net-a", "192.0.2.1/24", "2001:db8:1::1/64"),
        ("net-b", "198.51.100.1/24", "2001:db8:2::1/64"),
        ("net-c", "203.0.113.1/24", "2001:db8:3::1/64"),
    ] {
        router.address(interface, v4)?;
        router.address(interface, v6)?;
    }
    router.forward()?;
    let a = host(a, "192.0.2.10", 24, "2001:db8:1::10")?;
    let b = host(b, "198.51.100.10", 24, "2001:db8:2::10")?;
    for (host, v4, v6) in [
        (&a, "192.0.2.1", "2001:db8:1::1"),
        (&b, "198.51.100.1", "2001:db8:2::1"),
    ] {
        host.namespace.ip(&format!("route add default via {v4}"))?;
        host.namespace
            .ip(&format!("-6 route add default via {v6}"))?;
    }
    Ok(TwoNetworks { a, b, router })
}

impl TwoNetworks {
    /// Moves `a` from its network to the spare one: new interface, new addresses, the old ones gone.
    /// Returns the new IPv4 address.
    pub fn move_a(&self) -> Result<IpAddr, LabError> {
        let a = &self.a.namespace;
        a.ip("address flush dev eth0")?;
        a.ip("link set eth0 down")?;
        a.address("eth1", "203.0.113.10/24")?;
        a.address("eth1", "2001:db8:3::10/64")?;
        a.ip("route replace default via 203.0.113.1")?;
        a.ip("-6 route replace default via 2001:db8:3::1")?;
        address("203.0.113.10")
    }
}

/// Builds a [`Star`] of `size` hosts (1 to 250).
pub fn star(lab: &Lab, size: usize) -> Result<Star, LabError> {
    let switch = lab.namespace("switch")?;
    switch.ip("link add br0 type bridge forward_delay 0 stp_state 0")?;
    switch.ip("link set br0 up")?;
    let mut hosts = Vec::with_capacity(size);
    for number in 1..=size {
        let namespace = lab.namespace(&format!("h{number}"))?;
        let port = format!("port{number}");
        namespace.link("eth0", &switch, &port)?;
        switch.ip(&format!("link set {port} master br0"))?;
        hosts.push(host(
            namespace,
            &format!("192.0.2.{number}"),
            24,
            &format!("2001:db8::{number:x}"),
        )?);
    }
    Ok(Star { hosts, switch })
}
