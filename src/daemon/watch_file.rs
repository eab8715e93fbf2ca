//! Notices that the hosts file was changed, by watching its directory with inotify.

use std::path::{Path, PathBuf};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

/// Calls `changed` after each change of the file, from a thread of its own that lasts as long
/// as the process. Without it `SIGHUP` and `hipctl hosts reload` still work.
pub(super) fn watch(path: PathBuf, changed: impl Fn() + Send + 'static) {
    let run = move || {
        if let Err(error) = watch_directory(&path, changed) {
            tracing::debug!("{}: changes are not noticed: {error}", path.display());
        }
    };
    let thread = std::thread::Builder::new()
        .name("hipd-hosts".to_owned())
        .spawn(run);
    if let Err(error) = thread {
        tracing::warn!("changes of the hosts file are not noticed: {error}");
    }
}

fn watch_directory(path: &Path, changed: impl Fn()) -> nix::Result<()> {
    let name = path.file_name();
    let dir = path.parent().unwrap_or_else(|| Path::new("."));
    let inotify = Inotify::init(InitFlags::IN_CLOEXEC)?;
    // A file replaced by rename is "moved to"; one written in place is "close write".
    let changes =
        AddWatchFlags::IN_CLOSE_WRITE | AddWatchFlags::IN_MOVED_TO | AddWatchFlags::IN_DELETE;
    inotify.add_watch(dir, changes)?;
    loop {
        match inotify.read_events() {
            Ok(events) if events.iter().any(|event| event.name.as_deref() == name) => changed(),
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(error) => return Err(error),
        }
    }
}
