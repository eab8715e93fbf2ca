//! Helpers of the unit tests.

use hip_wire::hit::Hit;

pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .bytes()
        .filter(|c| !c.is_ascii_whitespace())
        .map(|c| char::from(c).to_digit(16).expect("hex digit") as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

pub(crate) fn hit(text: &str) -> Hit {
    text.parse().expect("HIT")
}

/// Gives the same octets again and again.
pub(crate) struct FixedRng {
    octets: Vec<u8>,
    used: usize,
}

impl FixedRng {
    pub(crate) fn new(octets: &[u8]) -> Self {
        Self {
            octets: octets.to_vec(),
            used: 0,
        }
    }
}

impl crate::rng::Rng for FixedRng {
    fn fill(&mut self, out: &mut [u8]) {
        for octet in out {
            *octet = self.octets[self.used % self.octets.len()];
            self.used += 1;
        }
    }
}
