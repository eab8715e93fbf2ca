//! Stored values as the shell persists them.

/// One stored value with all that is needed to serve it again after a restart. Opaque to the
/// shell: `key` identifies the place, `bytes` the contents (see [`StoreChange`]).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredRecord {
    /// Resource-ID, Kind and selector; the same place always has the same key.
    pub key: Vec<u8>,
    /// The rest.
    pub bytes: Vec<u8>,
}

/// A change of the persistent store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StoreChange {
    /// Insert or replace.
    Put(StoredRecord),
    /// Remove, if present.
    Delete {
        /// The record's key.
        key: Vec<u8>,
    },
}
