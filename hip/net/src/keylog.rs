//! The key log: ESP keys in the form Wireshark reads, for debugging one's own traffic.
//!
//! Off by default. `WIRESHARK_CONFIG_DIR=DIR tshark -C hip -X lua_script:DIR/hip_udp.lua -r FILE`
//! then decrypts; ICMPv6 checksums inside show as bad because Wireshark computes them with the
//! outer addresses, which BEET mode does not use.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use hip_core::SaParameters;
use hip_crypto::keymat::EspKeys;
use hip_wire::registry::EspSuite;

use crate::error::NetError;

/// Switches ESP decryption on, and the ICV check off: Wireshark cannot know the high half of
/// 64-bit sequence numbers and would call every ICV wrong.
const PREFERENCES: &str = "\
esp.enable_encryption_decode: TRUE
esp.enable_authentication_check: FALSE
";

/// Wireshark gives UDP port 10500 to HIP alone; this splits it between HIP and ESP.
const DEMULTIPLEXER: &str = "\
-- HIP and ESP on UDP port 10500 (RFC 9028 section 5.1): four zero octets mark HIP.
local udp = DissectorTable.get(\"udp.port\")
local esp = DissectorTable.get(\"ip.proto\")
-- The UDP entry, not IP protocol 139: it knows that a zero checksum is right here.
local hip = udp:get_dissector(10500)
local both = Proto(\"hip_udp\", \"HIP or ESP in UDP\")
function both.dissector(buffer, pinfo, tree)
  if buffer:len() < 4 then return 0 end
  if buffer(0, 4):uint() == 0 then
    return hip:call(buffer, pinfo, tree)
  end
  return esp:try(50, buffer, pinfo, tree)
end
udp:add(10500, both)
";

/// An open key log.
#[derive(Debug)]
pub(crate) struct KeyLog {
    dir: PathBuf,
    file: File,
}

impl KeyLog {
    /// Opens (or makes) the directory, which must be private, and its files.
    pub(crate) fn open(dir: &Path) -> Result<Self, NetError> {
        let step = |error| NetError::system(format!("key log {}", dir.display()), error);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(step)?;
        let meta = std::fs::metadata(dir).map_err(step)?;
        if meta.mode() & 0o077 != 0 {
            return Err(NetError::Config(format!(
                "key log {}: others can look into the directory (mode {:03o}); make it private with: chmod 700 {}",
                dir.display(),
                meta.mode() & 0o777,
                dir.display()
            )));
        }
        for (name, contents) in [("preferences", PREFERENCES), ("hip_udp.lua", DEMULTIPLEXER)] {
            write_once(&dir.join(name), contents).map_err(step)?;
        }
        let file = private()
            .append(true)
            .create(true)
            .open(dir.join("esp_sa"))
            .map_err(step)?;
        Ok(Self {
            dir: dir.to_path_buf(),
            file,
        })
    }

    /// Writes the rows of one SA direction; to be called before it carries traffic.
    pub(crate) fn write(&mut self, sa: &SaParameters) -> io::Result<()> {
        let Some((cipher, authentication)) = wireshark_names(sa.keys.suite) else {
            tracing::warn!(
                suite = sa.keys.suite.name(),
                "Wireshark cannot read this ESP suite"
            );
            return Ok(());
        };
        self.file
            .write_all(rows(sa.spi, cipher, authentication, &sa.keys).as_bytes())
    }

    /// The directory.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }
}

/// One row for IPv4 and one for IPv6: an association may move from one to the other.
fn rows(spi: u32, cipher: &str, authentication: &str, keys: &EspKeys) -> String {
    let (key, mac) = (
        hex(keys.encryption.as_bytes()),
        hex(keys.authentication.as_bytes()),
    );
    ["IPv4", "IPv6"]
        .iter()
        .map(|family| {
            format!(
                "\"{family}\",\"*\",\"*\",\"0x{spi:08x}\",\"{cipher}\",\"{key}\",\"{authentication}\",\"{mac}\"\n"
            )
        })
        .collect()
}

/// What Wireshark 4.0 calls the two halves of a suite; `None` for those it does not know.
fn wireshark_names(suite: EspSuite) -> Option<(&'static str, &'static str)> {
    const HMAC: &str = "HMAC-SHA-256-128 [RFC4868]";
    Some(match suite {
        EspSuite::NullHmacSha256 => ("NULL", HMAC),
        EspSuite::Aes128CbcHmacSha256 | EspSuite::Aes256CbcHmacSha256 => {
            ("AES-CBC [RFC3602]", HMAC)
        }
        EspSuite::AesGcm8 => ("AES-GCM with 8 octet ICV [RFC4106]", "NULL"),
        EspSuite::AesGcm16 => ("AES-GCM with 16 octet ICV [RFC4106]", "NULL"),
        EspSuite::AesCcm8 | EspSuite::AesCcm16 | EspSuite::AesCmac96 | EspSuite::AesGmac => {
            return None;
        }
    })
}

fn hex(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return String::new();
    }
    bytes
        .iter()
        .fold("0x".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

/// A file the user may have changed is left alone.
fn write_once(path: &Path, contents: &str) -> io::Result<()> {
    match private().write(true).create_new(true).open(path) {
        Ok(mut file) => file.write_all(contents.as_bytes()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use hip_crypto::secret::Secret;

    use super::*;

    fn sa(suite: EspSuite, encryption: &[u8], authentication: &[u8]) -> SaParameters {
        let any = "0.0.0.0:0".parse().expect("address");
        SaParameters {
            local: hip_wire::hit::Hit::NULL,
            peer: hip_wire::hit::Hit::NULL,
            spi: 0x1234,
            keys: EspKeys {
                suite,
                encryption: Secret::copy_of(encryption),
                authentication: Secret::copy_of(authentication),
            },
            path: hip_core::Path {
                transport: hip_core::Transport::Raw,
                local: any,
                remote: any,
            },
        }
    }

    #[test]
    fn rows_are_private_eight_fields_and_appended() {
        let dir = tempfile::tempdir().expect("tempdir");
        let dir = dir.path().join("keys");
        for _ in 0..2 {
            let mut log = KeyLog::open(&dir).expect("open");
            log.write(&sa(EspSuite::AesGcm16, &[0xab; 20], &[]))
                .expect("write");
            log.write(&sa(EspSuite::Aes128CbcHmacSha256, &[1; 16], &[2; 32]))
                .expect("write");
            log.write(&sa(EspSuite::AesCcm16, &[1; 19], &[]))
                .expect("write");
        }
        let text = fs::read_to_string(dir.join("esp_sa")).expect("read");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 8);
        let gcm = format!(
            "\"IPv4\",\"*\",\"*\",\"0x00001234\",\"AES-GCM with 16 octet ICV [RFC4106]\",\"0x{}\",\"NULL\",\"\"",
            "ab".repeat(20)
        );
        assert_eq!(lines[0], gcm);
        assert!(lines.iter().all(|line| line.split(',').count() == 8));
        for name in ["esp_sa", "preferences", "hip_udp.lua"] {
            let mode = fs::metadata(dir.join(name))
                .expect("file")
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }

    #[test]
    fn a_directory_others_can_look_into_is_refused() {
        let dir = tempfile::tempdir().expect("tempdir");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
        let text = KeyLog::open(dir.path()).expect_err("refused").to_string();
        assert!(text.contains("chmod 700"), "{text}");
        assert!(!dir.path().join("esp_sa").exists());
    }
}
