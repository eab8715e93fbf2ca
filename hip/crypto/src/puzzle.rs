//! The puzzle of R1: make the Initiator spend work before the Responder does
//! (RFC 7401 sections 4.1.2 and 6.3).

use hip_wire::hit::Hit;

use crate::{
    error::CryptoError,
    hash::{HashValue, Rhash},
};

/// Proof that #J solves the puzzle. Only [`check`] makes one.
#[derive(Debug)]
#[must_use = "the proof is an argument of what it permits"]
pub struct PuzzleSolved(());

/// Checks a solution with one hash.
///
/// `k` and `i` are the Responder's own values, never those of the SOLUTION; `i` and `j` have
/// [`Rhash::len`] octets.
// 7401-4.1.1-02: one RHASH run; 7401-6.3-05: any #J with enough zero bits is a solution
pub fn check(
    rhash: Rhash,
    k: u8,
    i: &[u8],
    hit_i: Hit,
    hit_r: Hit,
    j: &[u8],
) -> Result<PuzzleSolved, CryptoError> {
    if i.len() != rhash.len() || j.len() != rhash.len() {
        return Err(CryptoError::BadPuzzleSolution);
    }
    // 7401-6.3-01, 7401-6.3-02: #I, Initiator HIT, Responder HIT, #J
    let digest = rhash.digest(&[i, hit_i.as_bytes(), hit_r.as_bytes(), j]);
    if trailing_zero_bits(&digest) >= u32::from(k) {
        Ok(PuzzleSolved(()))
    } else {
        Err(CryptoError::BadPuzzleSolution)
    }
}

/// Tries at most `max_tries` values of #J from `start_j` on; `None` when none of them solves it.
///
/// `start_j` has [`Rhash::len`] octets and should be random. To go on later keep a [`Solver`].
pub fn solve(
    rhash: Rhash,
    k: u8,
    i: &[u8],
    hit_i: Hit,
    hit_r: Hit,
    start_j: &[u8],
    max_tries: u64,
) -> Option<Vec<u8>> {
    Solver::new(rhash, k, i, hit_i, hit_r, start_j)?.solve(max_tries)
}

/// The search for #J, done in portions so that the caller stays responsive.
#[derive(Debug, Clone)]
pub struct Solver {
    rhash: Rhash,
    k: u8,
    hit_i: Hit,
    hit_r: Hit,
    i: Vec<u8>,
    j: Vec<u8>,
    tries: u64,
}

impl Solver {
    /// Starts at `start_j`; `None` when `i` or `start_j` has not [`Rhash::len`] octets.
    pub fn new(
        rhash: Rhash,
        k: u8,
        i: &[u8],
        hit_i: Hit,
        hit_r: Hit,
        start_j: &[u8],
    ) -> Option<Self> {
        (i.len() == rhash.len() && start_j.len() == rhash.len()).then(|| Self {
            rhash,
            k,
            hit_i,
            hit_r,
            i: i.to_vec(),
            j: start_j.to_vec(),
            tries: 0,
        })
    }

    /// Tries at most `max_tries` further values; a found #J is returned.
    pub fn solve(&mut self, max_tries: u64) -> Option<Vec<u8>> {
        for _ in 0..max_tries {
            self.tries = self.tries.saturating_add(1);
            if check(self.rhash, self.k, &self.i, self.hit_i, self.hit_r, &self.j).is_ok() {
                return Some(self.j.clone());
            }
            increment(&mut self.j);
        }
        None
    }

    /// How many values were tried.
    pub fn tries(&self) -> u64 {
        self.tries
    }
}

/// The number of low-order zero bits of the digest, read as a big-endian integer.
// 7401-4.1.2-01: the low-order #K bits are zero
fn trailing_zero_bits(digest: &HashValue) -> u32 {
    let mut bits = 0;
    for octet in digest.as_ref().iter().rev() {
        bits += octet.trailing_zeros();
        if *octet != 0 {
            break;
        }
    }
    bits
}

fn increment(number: &mut [u8]) {
    for octet in number.iter_mut().rev() {
        *octet = octet.wrapping_add(1);
        if *octet != 0 {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{hex, hit};

    fn i() -> Vec<u8> {
        (0..32).collect()
    }

    /// Digest section 6 of the requirement notes. 7401-6.3-01 7401-6.3-02 7401-4.1.2-01
    #[test]
    fn the_known_puzzle_has_its_known_smallest_solution() {
        let (hit_i, hit_r) = (hit("2001:21::1"), hit("2001:21::2"));
        let j = solve(Rhash::Sha256, 10, &i(), hit_i, hit_r, &[0; 32], 1 << 20).expect("solved");
        let mut want = vec![0; 30];
        want.extend([0x04, 0x67]);
        assert_eq!(j, want);
        let digest = Rhash::Sha256.digest(&[&i(), hit_i.as_bytes(), hit_r.as_bytes(), &j]);
        let want = "186c1f05813c68ba8a54f38d1fcc76394b5d1943243fdb0b735529c9b9c59c00";
        assert_eq!(digest.as_ref(), hex(want));
        assert!(check(Rhash::Sha256, 10, &i(), hit_i, hit_r, &j).is_ok());
        assert!(check(Rhash::Sha256, 11, &i(), hit_i, hit_r, &j).is_err());
        assert!(check(Rhash::Sha256, 10, &i(), hit_r, hit_i, &j).is_err());
    }

    /// 7401-4.1.1-02
    #[test]
    fn every_rhash_solves_and_checks_and_difficulty_zero_takes_anything() {
        let (hit_i, hit_r) = (hit("2001:22::1"), hit("2001:22::2"));
        for rhash in [Rhash::Sha256, Rhash::Sha384, Rhash::Sha1, Rhash::Cshake128] {
            let i = vec![9; rhash.len()];
            let start = vec![0xff; rhash.len()];
            let j = solve(rhash, 8, &i, hit_i, hit_r, &start, 1 << 16).expect("solved");
            assert!(check(rhash, 8, &i, hit_i, hit_r, &j).is_ok());
            assert!(check(rhash, 0, &i, hit_i, hit_r, &start).is_ok());
            let short = &j[1..];
            assert_eq!(
                check(rhash, 0, &i, hit_i, hit_r, short).map(drop),
                Err(CryptoError::BadPuzzleSolution)
            );
        }
    }

    #[test]
    fn a_search_in_portions_finds_what_one_search_finds() {
        let (hit_i, hit_r) = (hit("2001:21::1"), hit("2001:21::2"));
        let mut solver =
            Solver::new(Rhash::Sha256, 10, &i(), hit_i, hit_r, &[0; 32]).expect("lengths");
        let found = std::iter::from_fn(|| Some(solver.solve(100)))
            .flatten()
            .next();
        assert_eq!(found.expect("solved")[30..], [0x04, 0x67]);
        assert_eq!(solver.tries(), 0x468);
    }

    #[test]
    fn an_impossible_difficulty_ends_after_the_given_number_of_tries() {
        let (hit_i, hit_r) = (hit("2001:21::1"), hit("2001:21::2"));
        assert_eq!(
            solve(Rhash::Sha256, 255, &i(), hit_i, hit_r, &[0; 32], 1000),
            None
        );
    }
}
