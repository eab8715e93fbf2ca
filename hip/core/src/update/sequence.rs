//! Update IDs: which UPDATEs of the peer are new, which of ours are unacknowledged.

/// How far beyond the next expected Update ID a SEQ may be.
const WINDOW: u32 = 32;

/// What a received SEQ is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SeqKind {
    /// Not seen yet: process and acknowledge.
    New,
    /// Processed before: acknowledge again, do not process.
    Repeated,
    /// Outside of the window: drop.
    Outside,
}

/// The Update IDs of the peer (RFC 7401 §6.12).
///
/// `next` is one above the highest ID processed; bit n of `seen` tells
/// whether `next - 1 - n` was.
// 7401-6.12-01, 7401-6.12-05
#[derive(Debug, Clone, Default)]
pub(crate) struct PeerUpdates {
    next: u32,
    seen: u64,
}

impl PeerUpdates {
    /// Classifies an Update ID without recording it; the caller verifies the packet first.
    // 7401-6.12-02: circular comparison
    pub(crate) fn classify(&self, id: u32) -> SeqKind {
        let ahead = id.wrapping_sub(self.next);
        if ahead < WINDOW {
            return SeqKind::New;
        }
        let behind = self.next.wrapping_sub(1).wrapping_sub(id);
        match behind {
            0..u64::BITS if self.seen >> behind & 1 == 1 => SeqKind::Repeated,
            // An ID that was overtaken, not lost.
            0..WINDOW if self.was_possible(behind) => SeqKind::New,
            _ => SeqKind::Outside,
        }
    }

    /// Records a processed Update ID.
    // 7401-6.12.1-10
    pub(crate) fn record(&mut self, id: u32) {
        let ahead = id.wrapping_sub(self.next);
        if ahead < WINDOW {
            self.seen = self.seen.checked_shl(ahead + 1).unwrap_or(0) | 1;
            self.next = id.wrapping_add(1);
        } else {
            let behind = self.next.wrapping_sub(1).wrapping_sub(id);
            self.seen |= 1u64.checked_shl(behind).unwrap_or(0);
        }
    }

    /// IDs before the first one of the association (0) never existed: nothing
    /// is behind while nothing was processed.
    fn was_possible(&self, behind: u32) -> bool {
        self.seen != 0 && (self.seen >> behind) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 7401-6.12-01
    #[test]
    fn the_first_update_id_is_zero() {
        let mut updates = PeerUpdates::default();
        assert_eq!(updates.classify(0), SeqKind::New);
        updates.record(0);
        assert_eq!(updates.classify(0), SeqKind::Repeated);
        assert_eq!(updates.classify(1), SeqKind::New);
    }

    /// 7401-6.12.1-01
    #[test]
    fn ids_beyond_the_window_and_before_the_first_are_refused() {
        let mut updates = PeerUpdates::default();
        assert_eq!(updates.classify(WINDOW - 1), SeqKind::New);
        assert_eq!(updates.classify(WINDOW), SeqKind::Outside);
        assert_eq!(updates.classify(u32::MAX), SeqKind::Outside);
        updates.record(0);
        assert_eq!(updates.classify(u32::MAX), SeqKind::Outside);
    }

    /// 7401-6.12-05
    #[test]
    fn an_overtaken_update_is_new_once() {
        let mut updates = PeerUpdates::default();
        updates.record(0);
        updates.record(3);
        assert_eq!(updates.classify(1), SeqKind::New);
        updates.record(1);
        assert_eq!(updates.classify(1), SeqKind::Repeated);
        assert_eq!(updates.classify(2), SeqKind::New);
        assert_eq!(updates.classify(3), SeqKind::Repeated);
    }

    /// 7401-6.12-02
    #[test]
    fn update_ids_wrap_around() {
        let mut updates = PeerUpdates {
            next: u32::MAX,
            seen: u64::MAX,
        };
        assert_eq!(updates.classify(u32::MAX), SeqKind::New);
        updates.record(u32::MAX);
        assert_eq!(updates.classify(0), SeqKind::New);
        updates.record(0);
        assert_eq!(updates.classify(u32::MAX), SeqKind::Repeated);
        assert_eq!(updates.classify(1), SeqKind::New);
    }

    #[test]
    fn agrees_with_a_set_of_everything_seen() {
        use std::collections::BTreeSet;

        let mut updates = PeerUpdates::default();
        let mut naive = BTreeSet::new();
        let mut state = 1u32;
        let mut base = 0u32;
        for _ in 0..10_000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let id = base.saturating_sub(8) + (state >> 27);
            match updates.classify(id) {
                SeqKind::New => {
                    assert!(naive.insert(id), "{id} was seen");
                    updates.record(id);
                    base = base.max(id);
                }
                SeqKind::Repeated => assert!(naive.contains(&id), "{id} was not seen"),
                SeqKind::Outside => {
                    assert!(id + 64 <= base || id >= base + WINDOW, "{id} of {base}");
                }
            }
        }
    }
}
