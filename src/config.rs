//! The configuration file as types: every key optional, every default written beside its key.
//!
//! One table (the `configuration!` call below) gives the types, the defaults, the sample
//! file, the list of known keys for the nearest-name hint, and `hipctl config show`.

mod check;
mod values;

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use check::ConfigError;
pub use values::{
    DhGroupName, EspSuiteName, HitText, IdentityAlgorithm, LsiPrefix, OverlayTransport,
    TransportName,
};

/// Where the configuration lives when `--config` does not say otherwise.
pub const DEFAULT_PATH: &str = "/etc/hip/hipd.toml";

/// One key of the configuration file, as listed in the sample and in error hints.
#[derive(Debug, Clone, Copy)]
pub struct KeyInfo {
    /// Table the key stands in; empty for the top level.
    pub section: &'static str,
    /// The key itself.
    pub key: &'static str,
    /// Its explanation, one entry a line.
    pub doc: &'static [&'static str],
}

impl KeyInfo {
    /// `section.key`, or only `key` at the top level.
    pub fn path(&self) -> String {
        if self.section.is_empty() {
            self.key.to_owned()
        } else {
            format!("{}.{}", self.section, self.key)
        }
    }
}

macro_rules! configuration {
    (
        { $( $(#[doc = $top_doc:literal])* $top_key:ident : $top_type:ty = $top_default:expr; )* }
        $( $(#[doc = $section_doc:literal])* [$section:ident: $name:ident] {
            $( $(#[doc = $doc:literal])* $key:ident : $type:ty = $default:expr; )*
        } )*
    ) => {
        /// The whole configuration; `Config::default()` is what an absent file means.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Config {
            $( $(#[doc = $top_doc])* pub $top_key: $top_type, )*
            $( $(#[doc = $section_doc])* pub $section: $name, )*
        }

        impl Default for Config {
            fn default() -> Self {
                Self {
                    $( $top_key: $top_default, )*
                    $( $section: $name::default(), )*
                }
            }
        }

        $(
            $(#[doc = $section_doc])*
            #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
            #[serde(default, deny_unknown_fields)]
            pub struct $name {
                $( $(#[doc = $doc])* pub $key: $type, )*
            }

            impl Default for $name {
                fn default() -> Self {
                    Self { $( $key: $default, )* }
                }
            }
        )*

        /// Every table of the file with its explanation.
        pub const SECTIONS: &[(&str, &[&str])] = &[
            $( (stringify!($section), &[$($section_doc),*]), )*
        ];

        /// Every key of the file, in the order of the sample.
        pub const KEYS: &[KeyInfo] = &[
            $( KeyInfo { section: "", key: stringify!($top_key), doc: &[$($top_doc),*] }, )*
            $( $( KeyInfo {
                section: stringify!($section),
                key: stringify!($key),
                doc: &[$($doc),*],
            }, )* )*
        ];
    };
}

configuration! {
    {
        /// What must survive a restart: identity, overlay data. Created with mode 0700.
        state_dir: PathBuf = PathBuf::from("/var/lib/hip");
        /// What need not: the control socket.
        run_dir: PathBuf = PathBuf::from("/run/hip");
        /// Known peers: `HIT name[,name..] [locator ..]`. Read again on change; an absent file is an empty one.
        hosts_file: PathBuf = PathBuf::from("/etc/hip/hosts");
    }
    /// Who this host is.
    [identity: IdentityConfig] {
        /// Private key, PKCS#8 PEM, mode 0600; made once, never overwritten. Unset: state_dir/identity.pem.
        key_file: Option<PathBuf> = None;
        /// Kind of key made when there is none: ecdsa-p256, ecdsa-p384, rsa-2048, rsa-3072 or ed25519.
        algorithm: IdentityAlgorithm = IdentityAlgorithm::EcdsaP256;
    }
    /// Sockets and the hip0 interface.
    [network: NetworkConfig] {
        /// UDP port for HIP and ESP (RFC 9028, RFC 5770).
        udp_port: u16 = 10500;
        /// Local addresses to answer on; empty means all.
        listen: Vec<IpAddr> = Vec::new();
        /// Also speak HIP and ESP directly over IP (protocols 139 and 50); needs CAP_NET_RAW.
        raw: bool = true;
        /// How to reach a locator of the hosts file that names no port: udp or raw.
        transport: TransportName = TransportName::Udp;
        /// Name of the TUN interface.
        tun_name: String = String::from("hip0");
        /// MTU of the TUN interface, 1280 to 9000; unset: what fits into a 1500-octet path.
        mtu: Option<u16> = None;
        /// IPv4 range for local-scope identifiers (LSIs); this host gets the first address.
        lsi_prefix: LsiPrefix = LsiPrefix::DEFAULT;
    }
    /// The protocol (RFC 7401, RFC 7402).
    [hip: HipConfig] {
        /// Seconds without data after which an association is closed (UAL).
        ual_seconds: u64 = 900;
        /// Puzzle difficulty K a peer has to solve before this host keeps state, 0 to 20.
        puzzle_difficulty: u8 = 10;
        /// Diffie-Hellman groups, best first: p256, p384, p521.
        dh_groups: Vec<DhGroupName> = vec![DhGroupName::P256, DhGroupName::P384];
        /// ESP suites, best first: aes128-gcm16, aes128-cbc-sha256, aes256-cbc-sha256, null-sha256 (no secrecy).
        esp_suites: Vec<EspSuiteName> = vec![EspSuiteName::Aes128Gcm16, EspSuiteName::Aes128CbcSha256, EspSuiteName::Aes256CbcSha256];
    }
    /// The socket of hipctl.
    [control: ControlConfig] {
        /// Unset: run_dir/hipd.sock.
        socket: Option<PathBuf> = None;
        /// Members of this group may use hipctl besides root; unset: root only.
        group: Option<String> = None;
    }
    /// RELOAD (RFC 6940) between hosts addressed by HIT.
    [overlay: OverlayConfig] {
        /// Take part in an overlay.
        enabled: bool = false;
        /// Name of the overlay; nodes of another name are refused.
        name: String = String::from("hip.overlay");
        /// How nodes reach each other: hit (TCP to a HIT through hip0).
        transport: OverlayTransport = OverlayTransport::Hit;
        /// HITs of nodes to join by; empty starts a new overlay.
        bootstrap: Vec<HitText> = Vec::new();
        /// TCP port on the HIT.
        port: u16 = 6084;
        /// Database of stored values. Unset: state_dir/overlay.redb.
        data: Option<PathBuf> = None;
    }
    /// Session keys for Wireshark. Whoever reads this directory reads all traffic.
    [keylog: KeylogConfig] {
        /// Directory for the esp_sa file; unset: no keys are written.
        dir: Option<PathBuf> = None;
    }
    /// What hipd tells the journal.
    [log: LogConfig] {
        /// error, warn, info, debug or trace, or a filter such as info,hip_net=debug.
        level: String = String::from("info");
    }
}

impl Config {
    /// Reads and checks a file. `explicit` says the user named it: then it must exist.
    pub fn load(path: &Path, explicit: bool) -> Result<Self, ConfigError> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&text, path),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && !explicit => Ok(Self::default()),
            Err(e) => Err(ConfigError::unreadable(path, &e)),
        }
    }

    /// Parses and checks the text of a file; `path` only appears in messages.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        check::parse(text, path)
    }

    /// The private key file in effect.
    pub fn key_file(&self) -> PathBuf {
        self.identity
            .key_file
            .clone()
            .unwrap_or_else(|| self.state_dir.join("identity.pem"))
    }

    /// The control socket in effect.
    pub fn socket(&self) -> PathBuf {
        self.control
            .socket
            .clone()
            .unwrap_or_else(|| self.run_dir.join("hipd.sock"))
    }

    /// The overlay database in effect.
    pub fn overlay_data(&self) -> PathBuf {
        self.overlay
            .data
            .clone()
            .unwrap_or_else(|| self.state_dir.join("overlay.redb"))
    }

    /// The sample file: every key with its explanation and default, commented out.
    pub fn sample() -> String {
        let defaults = toml::Value::try_from(Self::default()).ok();
        let mut text = String::from(
            "# hipd.toml: every key is optional, the values shown are the defaults.\n\
             # Check a change with: hipd --check-config\n\n",
        );
        let mut section = "";
        for info in KEYS {
            if info.section != section {
                section = info.section;
                text.push('\n');
                for (_, doc) in SECTIONS.iter().filter(|(name, _)| *name == section) {
                    doc.iter()
                        .for_each(|line| text.push_str(&format!("#{line}\n")));
                }
                text.push_str(&format!("[{section}]\n"));
            }
            info.doc
                .iter()
                .for_each(|line| text.push_str(&format!("#{line}\n")));
            let value = defaults.as_ref().and_then(|table| {
                let table = if section.is_empty() {
                    Some(table)
                } else {
                    table.get(section)
                };
                table?.get(info.key).cloned()
            });
            match value {
                Some(value) => text.push_str(&format!("# {} = {value}\n", info.key)),
                None => text.push_str(&format!("# {} =\n", info.key)),
            }
        }
        text
    }
}
