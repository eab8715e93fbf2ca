//! Anti-replay: which sequence numbers were seen, and the 32 bits that are not sent.

/// Octets of memory per SA: 1 KiB. Packets of a batch may arrive in any order
/// among several workers, so the window is far wider than the RFC's 64.
// 4303-3.4.3-08
const WORDS: usize = 128;

/// Sequence numbers below the highest one that are still told apart. One word
/// less than the bitmap, because a word is cleared whole before it is reused.
pub const WINDOW: u64 = (WORDS as u64 - 1) * 64;

/// Why a sequence number is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Seen before.
    Replayed,
    /// Left of the window, or a number that never was sent (0).
    TooOld,
}

/// The receive window of one SA: the highest 64-bit sequence number with a
/// good ICV, and a bitmap of those below it (RFC 4303 §3.4.3, Appendix A2).
#[derive(Debug, Clone)]
pub struct ReplayWindow {
    top: u64,
    words: [u64; WORDS],
}

impl Default for ReplayWindow {
    fn default() -> Self {
        // 4303-3.4.3-03: the counter starts at 0
        Self {
            top: 0,
            words: [0; WORDS],
        }
    }
}

impl ReplayWindow {
    /// The highest sequence number accepted.
    pub fn top(&self) -> u64 {
        self.top
    }

    /// The full sequence number of a packet that shows `low`
    /// (RFC 4303 Appendix A2.2), or nothing if that would lie before the first
    /// packet or behind the last possible one.
    // 7402-3.3.6-03, 4303-2.2.1-03: 64 bits counted, 32 sent
    pub fn infer(&self, low: u32) -> Option<u64> {
        const HALF: u64 = 1 << 32;
        let (top_high, top_low) = (self.top & !(HALF - 1), self.top & (HALF - 1));
        let low = u64::from(low);
        if top_low >= WINDOW - 1 {
            // 4303-A2-02: the window lies inside one half
            let bottom = top_low - (WINDOW - 1);
            if low >= bottom {
                Some(top_high | low)
            } else {
                top_high.checked_add(HALF).map(|h| h | low)
            }
        } else {
            // 4303-A2-03: it reaches back over the boundary
            let bottom = (HALF + top_low) - (WINDOW - 1);
            if low >= bottom {
                // 4303-A2-04: nothing came before the first half
                top_high.checked_sub(HALF).map(|h| h | low)
            } else {
                Some(top_high | low)
            }
        }
    }

    /// Whether a packet with this number may still be accepted. Changes nothing:
    /// the number comes from a packet that proved nothing yet.
    pub fn check(&self, sequence: u64) -> Result<(), Refused> {
        // 4303-3.4.3-07: left of the window, inside it, or right of it
        if sequence == 0 {
            return Err(Refused::TooOld);
        }
        let Some(age) = self.top.checked_sub(sequence) else {
            return Ok(());
        };
        if age >= WINDOW {
            return Err(Refused::TooOld);
        }
        let (word, bit) = position(sequence);
        match self.words.get(word) {
            // 4303-3.4.3-04
            Some(seen) if seen & bit != 0 => Err(Refused::Replayed),
            _ => Ok(()),
        }
    }

    /// Marks the number as seen and moves the window. Only for a packet whose
    /// ICV is good and whose number passed [`check`](Self::check).
    pub fn commit(&mut self, sequence: u64) {
        // 4303-3.4.3-06, 4303-A2-06
        if sequence > self.top {
            let (old, new) = (self.top / 64, sequence / 64);
            if new - old >= WORDS as u64 {
                self.words.fill(0);
            } else {
                for block in old + 1..=new {
                    if let Some(word) = self.words.get_mut(index(block)) {
                        *word = 0;
                    }
                }
            }
            self.top = sequence;
        }
        let (word, bit) = position(sequence);
        if let Some(seen) = self.words.get_mut(word) {
            *seen |= bit;
        }
    }
}

/// The word of a block of 64 numbers.
const fn index(block: u64) -> usize {
    const MASK: u64 = WORDS as u64 - 1;
    (block & MASK) as usize
}

/// Word and bit of a sequence number.
const fn position(sequence: u64) -> (usize, u64) {
    (index(sequence / 64), 1 << (sequence % 64))
}

#[cfg(test)]
mod tests;
