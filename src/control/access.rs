//! Who may use the control socket: file mode for the kernel, peer credentials for certainty.

use std::io;
use std::path::Path;

use nix::unistd::{Gid, Group, Uid, User, chown, getgrouplist};
use tokio::net::UnixStream;

use crate::api::{ApiError, ErrorCode};

/// The users admitted: root, the user hipd runs as, and the members of one group.
#[derive(Debug, Clone)]
pub struct AccessPolicy {
    users: Vec<Uid>,
    group: Option<Gid>,
}

impl AccessPolicy {
    /// Root and the user of this process, and the members of the group if one is named.
    pub fn new(group: Option<&str>) -> Result<Self, ApiError> {
        let group = match group {
            None => None,
            Some(name) => Some(look_up(name)?),
        };
        Ok(Self {
            users: vec![Uid::from_raw(0), Uid::effective()],
            group,
        })
    }

    /// Exactly these users.
    pub fn only(users: &[u32]) -> Self {
        Self {
            users: users.iter().copied().map(Uid::from_raw).collect(),
            group: None,
        }
    }

    /// May this user in this primary group speak?
    pub fn admits(&self, uid: u32, gid: u32) -> bool {
        let uid = Uid::from_raw(uid);
        if self.users.contains(&uid) {
            return true;
        }
        let Some(group) = self.group else {
            return false;
        };
        group.as_raw() == gid || supplementary(uid, gid).contains(&group)
    }

    pub(super) fn check(&self, stream: &UnixStream) -> Result<(), ApiError> {
        let denied = |who: String| {
            ApiError::new(ErrorCode::Denied, format!("{who} may not control hipd"))
                .hint("use sudo, or name a group of yours as control.group in hipd.toml")
        };
        match stream.peer_cred() {
            Ok(cred) if self.admits(cred.uid(), cred.gid()) => Ok(()),
            Ok(cred) => Err(denied(format!("user {}", cred.uid()))),
            Err(e) => Err(denied(format!("a client without credentials ({e})"))),
        }
    }

    pub(super) fn apply_to(&self, path: &Path) -> io::Result<()> {
        if let Some(group) = self.group {
            chown(path, None, Some(group)).map_err(io::Error::from)?;
        }
        super::set_mode(path, if self.group.is_some() { 0o660 } else { 0o600 })
    }
}

fn look_up(name: &str) -> Result<Gid, ApiError> {
    let problem = match Group::from_name(name) {
        Ok(Some(group)) => return Ok(group.gid),
        Ok(None) => "there is no such group".to_owned(),
        Err(e) => format!("group look-up: {e}"),
    };
    Err(ApiError::new(
        ErrorCode::System,
        format!("control.group \"{name}\": {problem}"),
    )
    .hint(format!("make it with: groupadd --system {name}")))
}

fn supplementary(uid: Uid, gid: u32) -> Vec<Gid> {
    let Ok(Some(user)) = User::from_uid(uid) else {
        return Vec::new();
    };
    let Ok(name) = std::ffi::CString::new(user.name) else {
        return Vec::new();
    };
    getgrouplist(&name, Gid::from_raw(gid)).unwrap_or_default()
}
