//! The file that holds the host identity: made once, mode 0600, never overwritten.
//!
//! A damaged file or one that others may read is refused with one clear line: making a new key in
//! its place would silently change the host's name.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{ErrorKind, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::Path,
};

use hip_crypto::{
    identity::{HostIdentity, KeyAlgorithm},
    keyfile,
};

use crate::{error::NetError, rng::OsRng};

/// No key of ours comes near this; a larger file is not a key.
const MAX_KEY_FILE: u64 = 64 * 1024;

/// Reads the identity in `path`, or makes one of `algorithm` when there is no file.
///
/// Returns the identity and whether it was made now. An existing file keeps its algorithm,
/// whatever `algorithm` says.
pub fn load_or_create(
    path: &Path,
    algorithm: KeyAlgorithm,
) -> Result<(HostIdentity, bool), NetError> {
    match File::open(path) {
        Ok(file) => load_open(path, file).map(|identity| (identity, false)),
        Err(error) if error.kind() == ErrorKind::NotFound => create(path, algorithm),
        Err(error) => Err(refuse(path, error)),
    }
}

/// Reads the identity in `path`; an error when there is none.
pub fn load(path: &Path) -> Result<HostIdentity, NetError> {
    let file = File::open(path).map_err(|error| refuse(path, error))?;
    load_open(path, file)
}

fn load_open(path: &Path, file: File) -> Result<HostIdentity, NetError> {
    // The checks are on the open file, so the file that was checked is the one that is read.
    let meta = file.metadata().map_err(|error| refuse(path, error))?;
    if !meta.is_file() {
        return Err(refuse(path, "is not a regular file"));
    }
    if meta.mode() & 0o077 != 0 {
        return Err(refuse(
            path,
            format!(
                "can be read by others (mode {:03o}); make it private with: chmod 600 {}",
                meta.mode() & 0o777,
                path.display()
            ),
        ));
    }
    let user = nix::unistd::geteuid().as_raw();
    if meta.uid() != user && meta.uid() != 0 {
        return Err(refuse(
            path,
            format!(
                "belongs to user {}, not to this user ({user}) or root",
                meta.uid()
            ),
        ));
    }
    if meta.len() > MAX_KEY_FILE {
        return Err(refuse(
            path,
            format!("is {} bytes long, no key is", meta.len()),
        ));
    }
    let mut pem = String::new();
    file.take(MAX_KEY_FILE)
        .read_to_string(&mut pem)
        .map_err(|error| refuse(path, error))?;
    keyfile::decode_pem(&pem).map_err(|error| {
        refuse(
            path,
            format!("is damaged ({error}); restore it, or move it away to get a new identity"),
        )
    })
}

fn create(path: &Path, algorithm: KeyAlgorithm) -> Result<(HostIdentity, bool), NetError> {
    let identity = HostIdentity::generate(algorithm, &mut OsRng::new()?)
        .map_err(|error| refuse(path, error))?;
    let pem = keyfile::encode_pem(&identity).map_err(|error| refuse(path, error))?;
    if let Some(parent) = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(parent)
            .map_err(|error| refuse(path, error))?;
    }
    match write_new(path, pem.as_bytes()) {
        Ok(()) => Ok((identity, true)),
        // Another process was faster: its key is the host's identity.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            load(path).map(|identity| (identity, false))
        }
        Err(error) => Err(refuse(path, error)),
    }
}

/// Writes a complete file under a name of its own, then links it to `path`: a crash leaves no
/// half-written key, and an existing file is never replaced (`link` fails with `EEXIST`).
fn write_new(path: &Path, contents: &[u8]) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.new", std::process::id()));
    let temporary = path.with_file_name(name);
    let result = write_private(&temporary, contents)
        .and_then(|()| std::fs::hard_link(&temporary, path))
        .and_then(|()| sync_directory(path));
    let _ = std::fs::remove_file(&temporary);
    result
}

fn write_private(path: &Path, contents: &[u8]) -> std::io::Result<()> {
    // A left-over of a killed process with our process id is nobody's.
    let _ = std::fs::remove_file(path);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(contents)?;
    file.sync_all()
}

fn sync_directory(path: &Path) -> std::io::Result<()> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

fn refuse(path: &Path, reason: impl ToString) -> NetError {
    NetError::KeyFile {
        path: path.to_path_buf(),
        reason: reason.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("metadata").permissions().mode() & 0o777
    }

    fn one_line(error: &NetError) -> String {
        let text = error.to_string();
        assert!(!text.contains('\n'), "more than one line: {text}");
        text
    }

    #[test]
    fn a_missing_key_is_made_once_private_and_the_same_ever_after() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("deep/er/host.pem");
        let (made, new) = load_or_create(&path, KeyAlgorithm::EcdsaP256).expect("made");
        assert!(new);
        assert_eq!(mode(&path), 0o600);
        let bytes = fs::read(&path).expect("file");
        let (again, new) = load_or_create(&path, KeyAlgorithm::EcdsaP384).expect("read");
        assert!(!new);
        assert_eq!(made.hit(), again.hit());
        assert_eq!(bytes, fs::read(&path).expect("file"));
        assert_eq!(
            fs::read_dir(path.parent().expect("dir"))
                .expect("dir")
                .count(),
            1
        );
    }

    #[test]
    fn a_key_that_others_may_read_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("host.pem");
        load_or_create(&path, KeyAlgorithm::EcdsaP256).expect("made");
        let bytes = fs::read(&path).expect("file");
        for open_mode in [0o640, 0o604, 0o644, 0o620] {
            fs::set_permissions(&path, fs::Permissions::from_mode(open_mode)).expect("chmod");
            let error = load_or_create(&path, KeyAlgorithm::EcdsaP256).expect_err("refused");
            assert!(one_line(&error).contains("chmod 600"), "{error}");
            assert_eq!(mode(&path), open_mode);
            assert_eq!(bytes, fs::read(&path).expect("file"));
        }
    }

    #[test]
    fn a_damaged_key_is_refused_with_one_line_and_never_overwritten() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("host.pem");
        load_or_create(&path, KeyAlgorithm::EcdsaP256).expect("made");
        let good = fs::read(&path).expect("file");
        let damaged: [Vec<u8>; 5] = [
            Vec::new(),
            b"garbage\n".to_vec(),
            good[..good.len() / 2].to_vec(),
            vec![0xff; 300],
            vec![b'A'; 100_000],
        ];
        for bytes in damaged {
            fs::write(&path, &bytes).expect("write");
            let error = load_or_create(&path, KeyAlgorithm::EcdsaP256).expect_err("refused");
            assert!(one_line(&error).contains("host.pem"), "{error}");
            assert_eq!(bytes, fs::read(&path).expect("file"), "overwritten");
        }
    }

    #[test]
    fn a_directory_in_the_place_of_the_key_is_refused() {
        let dir = tempfile::tempdir().expect("tempdir");
        let error = load_or_create(dir.path(), KeyAlgorithm::EcdsaP256).expect_err("refused");
        assert!(one_line(&error).contains("regular file"), "{error}");
    }

    #[test]
    fn a_key_made_by_another_process_meanwhile_wins() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("host.pem");
        let (other, _) = load_or_create(&path, KeyAlgorithm::EcdsaP256).expect("made");
        // What load_or_create does after it saw no file.
        let (identity, new) = create(&path, KeyAlgorithm::EcdsaP256).expect("read");
        assert!(!new);
        assert_eq!(identity.hit(), other.hit());
    }
}
