//! The hosts file: which HIT has which names and where it can be reached.
//!
//! One line for each peer:
//!
//! ```text
//! # HIT                                    names          locators
//! 2001:21:aaaa:bbbb:cccc:dddd:eeee:ffff    alice,alice.lan  192.0.2.1 [2001:db8::1]:10500 raw:192.0.2.1
//! ```
//!
//! A locator is an IP address (the configured transport), `address:port` or `[address]:port` (UDP
//! encapsulation to that port) or `raw:address` (HIP and ESP directly over IP). `#` starts a
//! comment. A line without names has `-` in their place when locators follow.

use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    path::Path,
};

use hip_wire::hit::Hit;

use crate::error::NetError;

/// Larger files are refused: a hosts file is written by people.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// Where a peer can be reached, as written in the hosts file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HostLocator {
    /// An address alone: by the configured transport and port.
    Address(IpAddr),
    /// UDP encapsulation to this address and port (RFC 9028).
    Udp(SocketAddr),
    /// HIP (protocol 139) and ESP (protocol 50) directly over IP.
    Raw(IpAddr),
}

impl fmt::Display for HostLocator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Udp(address) => write!(f, "{address}"),
            Self::Raw(address) => write!(f, "raw:{address}"),
        }
    }
}

impl std::str::FromStr for HostLocator {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let locator = if let Some(address) = text.strip_prefix("raw:") {
            address.parse().ok().map(Self::Raw)
        } else if let Ok(address) = text.parse::<IpAddr>() {
            Some(Self::Address(address))
        } else {
            text.parse::<SocketAddr>().ok().map(Self::Udp)
        };
        let locator = locator.ok_or_else(|| {
            format!("\"{text}\" is no locator: expected an IP address, address:port, [address]:port or raw:address")
        })?;
        locator
            .check()
            .map_err(|reason| format!("locator {text} {reason}"))?;
        Ok(locator)
    }
}

impl HostLocator {
    /// The address without transport.
    pub fn ip(&self) -> IpAddr {
        match self {
            Self::Address(address) | Self::Raw(address) => *address,
            Self::Udp(address) => address.ip(),
        }
    }

    fn check(&self) -> Result<(), &'static str> {
        if matches!(self, Self::Udp(address) if address.port() == 0) {
            return Err("has port 0");
        }
        let ip = self.ip();
        if ip.is_unspecified() || ip.is_multicast() {
            return Err("is not the address of one host");
        }
        if matches!(ip, IpAddr::V6(address) if Hit::try_from(address).is_ok()) {
            return Err("is a HIT, not an address on a network");
        }
        Ok(())
    }
}

/// One peer of the hosts file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostEntry {
    /// The peer's identity.
    pub hit: Hit,
    /// Names for people and tools; the first is the one shown.
    pub names: Vec<String>,
    /// Where it can be reached, in order of preference.
    pub locators: Vec<HostLocator>,
}

impl fmt::Display for HostEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.hit)?;
        if self.names.is_empty() && !self.locators.is_empty() {
            f.write_str("  -")?;
        } else if !self.names.is_empty() {
            write!(f, "  {}", self.names.join(","))?;
        }
        for locator in &self.locators {
            write!(f, "  {locator}")?;
        }
        Ok(())
    }
}

/// All peers known by configuration, in file order. `Display` writes a file `parse` reads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostsFile {
    entries: Vec<HostEntry>,
}

impl HostsFile {
    /// Reads a hosts file. A file that does not exist has no peers.
    pub fn load(path: &Path) -> Result<Self, NetError> {
        let refuse = |reason: String| NetError::Hosts {
            path: path.to_path_buf(),
            line: 0,
            reason,
        };
        match std::fs::metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => return Err(refuse(error.to_string())),
            Ok(meta) if meta.len() > MAX_FILE => return Err(refuse("is too large".into())),
            Ok(_) => {}
        }
        let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
        Self::parse(&text).map_err(|(line, reason)| NetError::Hosts {
            path: path.to_path_buf(),
            line,
            reason,
        })
    }

    /// Reads the text of a hosts file. The error is a line number from 1 and a reason.
    pub fn parse(text: &str) -> Result<Self, (usize, String)> {
        let mut hosts = Self::default();
        let mut first_use = BTreeMap::new();
        for (line, content) in text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
        {
            let content = content.split('#').next().unwrap_or_default();
            let Some(entry) = parse_line(content).map_err(|reason| (line, reason))? else {
                continue;
            };
            for name in &entry.names {
                if let Some((other, hit)) = first_use.insert(name.clone(), (line, entry.hit))
                    && hit != entry.hit
                {
                    return Err((
                        line,
                        format!("name {name} belongs to another HIT in line {other}"),
                    ));
                }
            }
            hosts.insert(entry);
        }
        Ok(hosts)
    }

    /// Adds a peer; a peer that is there gets the names and locators it does not have yet.
    pub fn insert(&mut self, entry: HostEntry) {
        let Some(known) = self.entries.iter_mut().find(|known| known.hit == entry.hit) else {
            self.entries.push(entry);
            return;
        };
        for name in entry.names {
            if !known.names.contains(&name) {
                known.names.push(name);
            }
        }
        for locator in entry.locators {
            if !known.locators.contains(&locator) {
                known.locators.push(locator);
            }
        }
    }

    /// Removes a peer; returns whether it was there.
    pub fn remove(&mut self, hit: Hit) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.hit != hit);
        self.entries.len() != before
    }

    /// The peers in file order.
    pub fn entries(&self) -> &[HostEntry] {
        &self.entries
    }

    /// The peer with this HIT.
    pub fn by_hit(&self, hit: Hit) -> Option<&HostEntry> {
        self.entries.iter().find(|entry| entry.hit == hit)
    }

    /// The peer with this name (ASCII case does not matter) or, for text that is a HIT, that HIT.
    pub fn resolve(&self, name: &str) -> Option<Hit> {
        let named = self.entries.iter().find(|entry| {
            entry
                .names
                .iter()
                .any(|known| known.eq_ignore_ascii_case(name))
        });
        named
            .map(|entry| entry.hit)
            .or_else(|| parse_hit(name).ok())
    }
}

impl fmt::Display for HostsFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for entry in &self.entries {
            writeln!(f, "{entry}")?;
        }
        Ok(())
    }
}

fn parse_line(content: &str) -> Result<Option<HostEntry>, String> {
    let mut words = content.split_whitespace();
    let Some(hit) = words.next() else {
        return Ok(None);
    };
    let mut entry = HostEntry {
        hit: parse_hit(hit)?,
        names: Vec::new(),
        locators: Vec::new(),
    };
    for name in words
        .next()
        .unwrap_or("-")
        .split(',')
        .filter(|name| *name != "-")
    {
        check_name(name)?;
        if !entry.names.iter().any(|known| known == name) {
            entry.names.push(name.to_owned());
        }
    }
    for word in words {
        let locator = word.parse()?;
        if !entry.locators.contains(&locator) {
            entry.locators.push(locator);
        }
    }
    Ok(Some(entry))
}

fn parse_hit(text: &str) -> Result<Hit, String> {
    let address: Ipv6Addr = text.parse().map_err(|_| {
        format!("\"{text}\" is not a HIT: expected an IPv6 address in 2001:20::/28")
    })?;
    Hit::try_from(address).map_err(|_| format!("{text} is not a HIT: it is outside 2001:20::/28"))
}

/// Letters, digits, `-`, `_` and `.`, not an IP address: what can stand in a command line and in
/// /etc/hosts without quoting.
fn check_name(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > 253 || !name.chars().all(plain) {
        return Err(format!(
            "\"{name}\" is no name: use letters, digits, - _ and . (and no space after a comma)"
        ));
    }
    if name.starts_with('-') || name.parse::<IpAddr>().is_ok() {
        return Err(format!(
            "\"{name}\" stands where the name is expected: HIT, names, then locators (- for no name)"
        ));
    }
    Ok(())
}

#[cfg(test)]
#[path = "hosts_tests.rs"]
mod tests;
