//! Stored values on disk: what was acknowledged survives `kill -9`.
//!
//! One redb table from record key to record bytes. Every [`Store::apply`] is one transaction
//! that is on the disk when it returns. A damaged file is moved aside, never deleted: the node
//! starts empty and gets its data back from the replicas.

use std::fmt;
use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use redb::{
    CommitError, Database, DatabaseError, Durability, ReadableDatabase, ReadableTable,
    StorageError, TableDefinition, TableError, TransactionError,
};
use reload_core::{NodeId, StoreChange, StoredRecord};

#[cfg(test)]
mod tests;

const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records-1");

/// Node-IDs of peers linked to before, by rank; the most recently met first.
const PEERS: TableDefinition<'_, u32, &[u8; 16]> = TableDefinition::new("peers-1");

/// Why the store failed; prints as one line.
#[derive(Debug)]
pub struct StoreError {
    path: PathBuf,
    reason: String,
}

impl StoreError {
    fn new(path: &Path, reason: impl fmt::Display) -> Self {
        Self {
            path: path.to_owned(),
            reason: reason.to_string(),
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "overlay database {}: {}",
            self.path.display(),
            self.reason
        )
    }
}

impl std::error::Error for StoreError {}

/// A damaged database was found and put here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedAside {
    /// The database.
    pub path: PathBuf,
    /// Where the damaged file is now.
    pub kept_as: PathBuf,
    /// What was wrong.
    pub reason: String,
}

impl fmt::Display for MovedAside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "overlay database {} is damaged ({}); it is kept as {}, the node starts empty and \
             fetches its values from the replicas",
            self.path.display(),
            self.reason,
            self.kept_as.display()
        )
    }
}

/// The open database.
#[derive(Debug)]
pub struct Store {
    database: Database,
    path: PathBuf,
}

enum OpenFailure {
    Damaged(String),
    Other(String),
}

impl Store {
    /// Opens the database, makes it when there is none, and puts a damaged one aside.
    pub fn open(path: &Path) -> Result<(Self, Option<MovedAside>), StoreError> {
        let reason = match Self::open_checked(path) {
            Ok(store) => return Ok((store, None)),
            Err(OpenFailure::Other(reason)) => return Err(StoreError::new(path, reason)),
            Err(OpenFailure::Damaged(reason)) => reason,
        };
        let kept_as = move_aside(path).map_err(|e| {
            StoreError::new(
                path,
                format!("is damaged ({reason}) and cannot be moved aside: {e}"),
            )
        })?;
        match Self::open_checked(path) {
            Ok(store) => Ok((
                store,
                Some(MovedAside {
                    path: path.to_owned(),
                    kept_as,
                    reason,
                }),
            )),
            Err(OpenFailure::Damaged(reason) | OpenFailure::Other(reason)) => {
                Err(StoreError::new(path, reason))
            }
        }
    }

    /// Every record.
    pub fn load(&self) -> Result<Vec<StoredRecord>, StoreError> {
        let read = || -> Result<Vec<StoredRecord>, redb::Error> {
            let table = self.database.begin_read()?.open_table(RECORDS)?;
            table
                .iter()?
                .map(|entry| {
                    let (key, bytes) = entry?;
                    Ok(StoredRecord {
                        key: key.value().to_vec(),
                        bytes: bytes.value().to_vec(),
                    })
                })
                .collect()
        };
        read().map_err(|e| StoreError::new(&self.path, e))
    }

    /// Makes all the changes durable, or none of them.
    pub fn apply(&self, changes: &[StoreChange]) -> Result<(), StoreError> {
        let write = || -> Result<(), redb::Error> {
            let mut transaction = self.database.begin_write()?;
            transaction.set_durability(Durability::Immediate)?;
            {
                let mut table = transaction.open_table(RECORDS)?;
                for change in changes {
                    match change {
                        StoreChange::Put(record) => {
                            table.insert(record.key.as_slice(), record.bytes.as_slice())?;
                        }
                        StoreChange::Delete { key } => {
                            table.remove(key.as_slice())?;
                        }
                    }
                }
            }
            transaction.commit()?;
            Ok(())
        };
        write().map_err(|e| StoreError::new(&self.path, e))
    }

    /// Peers linked to before, the most recently met first: the way back in when every
    /// configured bootstrap peer is away, or none is configured.
    pub fn known_peers(&self) -> Result<Vec<NodeId>, StoreError> {
        let read = || -> Result<Vec<NodeId>, redb::Error> {
            let table = self.database.begin_read()?.open_table(PEERS)?;
            table
                .iter()?
                .map(|entry| Ok(NodeId::from_bytes(*entry?.1.value())))
                .collect()
        };
        read().map_err(|e| StoreError::new(&self.path, e))
    }

    /// Replaces the list of [`known_peers`](Self::known_peers).
    pub fn remember_peers(&self, peers: &[NodeId]) -> Result<(), StoreError> {
        let write = || -> Result<(), redb::Error> {
            let transaction = self.database.begin_write()?;
            {
                let mut table = transaction.open_table(PEERS)?;
                table.retain(|_, _| false)?;
                for (rank, peer) in (0..).zip(peers) {
                    table.insert(rank, peer.as_bytes())?;
                }
            }
            transaction.commit()?;
            Ok(())
        };
        write().map_err(|e| StoreError::new(&self.path, e))
    }

    fn open_checked(path: &Path) -> Result<Self, OpenFailure> {
        if let Some(parent) = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
        {
            std::fs::create_dir_all(parent)
                .map_err(|e| OpenFailure::Other(format!("cannot make its directory: {e}")))?;
        }
        // redb checks what it reads, but a page it misjudges ends in a panic of its own.
        catch_unwind(AssertUnwindSafe(|| Self::open_and_verify(path)))
            .unwrap_or_else(|_| Err(OpenFailure::Damaged("it cannot be interpreted".to_owned())))
    }

    fn open_and_verify(path: &Path) -> Result<Self, OpenFailure> {
        let mut database = Database::create(path).map_err(|e| match e {
            DatabaseError::DatabaseAlreadyOpen => OpenFailure::Other(
                "is in use by another process; give this hipd its own overlay.data".to_owned(),
            ),
            DatabaseError::Storage(error) => damaged_or_not(&error),
            DatabaseError::UpgradeRequired(version) => {
                OpenFailure::Other(format!("has the old format {version} of redb"))
            }
            other => OpenFailure::Damaged(other.to_string()),
        })?;
        database.check_integrity().map_err(|e| match e {
            DatabaseError::Storage(error) => damaged_or_not(&error),
            other => OpenFailure::Damaged(other.to_string()),
        })?;
        let store = Self {
            database,
            path: path.to_owned(),
        };
        store.make_tables()?;
        Ok(store)
    }

    fn make_tables(&self) -> Result<(), OpenFailure> {
        let transaction = self.database.begin_write().map_err(|e| match e {
            TransactionError::Storage(error) => damaged_or_not(&error),
            other => OpenFailure::Other(other.to_string()),
        })?;
        transaction
            .open_table(RECORDS)
            .map(drop)
            .and_then(|()| transaction.open_table(PEERS).map(drop))
            .map_err(|e| match e {
                TableError::Storage(error) => damaged_or_not(&error),
                other => OpenFailure::Damaged(other.to_string()),
            })?;
        transaction.commit().map_err(|e| match e {
            CommitError::Storage(error) => damaged_or_not(&error),
            other => OpenFailure::Other(other.to_string()),
        })
    }
}

/// Only contents that make no sense are damage; a full disk or a missing permission is not.
fn damaged_or_not(error: &StorageError) -> OpenFailure {
    match error {
        StorageError::Corrupted(reason) => OpenFailure::Damaged(reason.clone()),
        StorageError::Io(e)
            if matches!(
                e.kind(),
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
            ) =>
        {
            OpenFailure::Damaged(e.to_string())
        }
        other => OpenFailure::Other(other.to_string()),
    }
}

/// Renames to the first free `<name>.damaged-N`.
fn move_aside(path: &Path) -> io::Result<PathBuf> {
    for number in 1..1000 {
        let mut kept_as = path.to_owned();
        kept_as
            .as_mut_os_string()
            .push(format!(".damaged-{number}"));
        // A hard link fails if the name is taken, a rename would replace it.
        match std::fs::hard_link(path, &kept_as) {
            Ok(()) => {
                std::fs::remove_file(path)?;
                if let Some(parent) = path.parent() {
                    File::open(parent)?.sync_all()?;
                }
                return Ok(kept_as);
            }
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e),
        }
    }
    Err(io::Error::other("there are 1000 damaged ones already"))
}
