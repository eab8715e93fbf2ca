//! cSHAKE128 and KMAC128 (NIST SP 800-185), for HIT suite 5.

use cshake::{
    CShake128,
    digest::{ExtendableOutput, Update, XofReader},
};

/// Octets that Keccak takes in at once in the 128-bit variants.
const RATE: u64 = 168;

/// Fills `out` with cSHAKE128 of the concatenated parts (empty function name).
pub(crate) fn cshake128(parts: &[&[u8]], customization: &[u8], out: &mut [u8]) {
    let mut state = CShake128::new_with_function_name(&[], customization);
    for part in parts {
        state.update(part);
    }
    state.finalize_xof().read(out);
}

/// Fills `out` with KMAC128 of the concatenated parts; the length of `out` is part of the MAC.
pub(crate) fn kmac128(key: &[u8], parts: &[&[u8]], customization: &[u8], out: &mut [u8]) {
    let mut state = CShake128::new_with_function_name(b"KMAC", customization);
    absorb_key(&mut state, key);
    for part in parts {
        state.update(part);
    }
    let (octets, used) = minimal_octets(bits(out.len()));
    state.update(octets.get(8 - used..).unwrap_or_default());
    state.update(&[encoded_length(used)]);
    state.finalize_xof().read(out);
}

/// bytepad(encode_string(key), 168)
fn absorb_key(state: &mut CShake128, key: &[u8]) {
    let mut taken = 0;
    let mut absorb = |octets: &[u8]| {
        state.update(octets);
        taken += bits(octets.len()) / 8;
    };
    absorb_left_encoded(&mut absorb, RATE);
    absorb_left_encoded(&mut absorb, bits(key.len()));
    absorb(key);
    while taken % RATE != 0 {
        state.update(&[0]);
        taken += 1;
    }
}

fn absorb_left_encoded(absorb: &mut impl FnMut(&[u8]), number: u64) {
    let (octets, used) = minimal_octets(number);
    absorb(&[encoded_length(used)]);
    absorb(octets.get(8 - used..).unwrap_or_default());
}

/// Big-endian octets, and how many of them (at least one, from the right) are needed.
fn minimal_octets(number: u64) -> ([u8; 8], usize) {
    let octets = number.to_be_bytes();
    let zeros = octets.iter().take(7).take_while(|octet| **octet == 0);
    let used = 8 - zeros.count();
    (octets, used)
}

fn encoded_length(used: usize) -> u8 {
    u8::try_from(used).unwrap_or_default()
}

fn bits(octets: usize) -> u64 {
    u64::try_from(octets).unwrap_or_default().wrapping_mul(8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::hex;

    /// SP 800-185 sample 2 of cSHAKE.
    #[test]
    fn cshake128_gives_the_published_sample() {
        let data: Vec<u8> = (0..200).collect();
        let mut out = [0; 32];
        cshake128(&[&data[..70], &data[70..]], b"Email Signature", &mut out);
        let want = "c5221d50e4f822d96a2e8881a961420f294b7b24fe3d2094baed2c6524cc166b";
        assert_eq!(out.to_vec(), hex(want));
    }

    /// SP 800-185 samples 1 to 3 of KMAC.
    #[test]
    fn kmac128_gives_the_published_samples() {
        let key: Vec<u8> = (0x40..0x60).collect();
        let long: Vec<u8> = (0..200).collect();
        let samples: [(&[u8], &[u8], &str); 3] = [
            (
                &[0, 1, 2, 3],
                b"",
                "e5780b0d3ea6f7d3a429c5706aa43a00fadbd7d49628839e3187243f456ee14e",
            ),
            (
                &[0, 1, 2, 3],
                b"My Tagged Application",
                "3b1fba963cd8b0b59e8c1a6d71888b7143651af8ba0a7070c0979e2811324aa5",
            ),
            (
                &long,
                b"My Tagged Application",
                "1f5b4e6cca02209e0dcb5ca635b89a15e271ecc760071dfd805faa38f9729230",
            ),
        ];
        for (data, customization, want) in samples {
            let mut out = [0; 32];
            kmac128(&key, &[data], customization, &mut out);
            assert_eq!(out.to_vec(), hex(want));
        }
    }
}
