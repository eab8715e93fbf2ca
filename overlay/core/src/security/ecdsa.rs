//! ECDSA signatures between HIP's form (r then s, fixed length) and TLS's (DER).

/// Tag of a DER SEQUENCE.
const SEQUENCE: u8 = 0x30;
/// Tag of a DER INTEGER.
const INTEGER: u8 = 0x02;

/// DER Ecdsa-Sig-Value of a signature in HIP's form.
pub(super) fn to_der(raw: &[u8]) -> Vec<u8> {
    let (r, s) = raw.split_at(raw.len() / 2);
    let mut content = integer(r);
    content.extend(integer(s));
    let mut der = vec![SEQUENCE];
    push_length(&mut der, content.len());
    der.extend(content);
    der
}

/// HIP's form of a DER signature made by the key `hi` (curve and uncompressed point); `None`
/// when it is not the one DER encoding of two numbers that fit.
pub(super) fn from_der(der: &[u8], hi: &[u8]) -> Option<Vec<u8>> {
    // HI: curve (2), 0x04, x, y.
    let size = hi.len().checked_sub(3)? / 2;
    let (tag, content, rest) = element(der)?;
    let (r_tag, r, after_r) = element(content)?;
    let (s_tag, s, after_s) = element(after_r)?;
    if (tag, r_tag, s_tag) != (SEQUENCE, INTEGER, INTEGER)
        || !rest.is_empty()
        || !after_s.is_empty()
    {
        return None;
    }
    let mut raw = fixed(r, size)?;
    raw.extend(fixed(s, size)?);
    // Strict: only the canonical encoding is a signature, else it could be altered in transit.
    (to_der(&raw) == der).then_some(raw)
}

fn integer(number: &[u8]) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let digits = number.get(zeros..).unwrap_or_default();
    let pad = digits.first().is_none_or(|byte| byte & 0x80 != 0);
    let mut der = vec![INTEGER];
    push_length(&mut der, digits.len() + usize::from(pad));
    der.extend(pad.then_some(0));
    der.extend_from_slice(digits);
    der
}

fn fixed(digits: &[u8], size: usize) -> Option<Vec<u8>> {
    let zeros = digits.iter().take_while(|byte| **byte == 0).count();
    let digits = digits.get(zeros..)?;
    let mut number = vec![0; size.checked_sub(digits.len())?];
    number.extend_from_slice(digits);
    Some(number)
}

/// Lengths here are below 256: two numbers of at most 66 octets.
fn push_length(der: &mut Vec<u8>, length: usize) {
    if length >= 0x80 {
        der.push(0x81);
    }
    der.push(u8::try_from(length).unwrap_or(u8::MAX));
}

fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0x81 => rest.split_first()?,
        _ => (length, rest),
    };
    let (content, rest) = rest.split_at_checked(usize::from(*length))?;
    Some((*tag, content, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{from_der, to_der};

    proptest! {
        #[test]
        fn a_signature_survives_the_way_to_der_and_back(
            raw in prop_oneof![
                proptest::collection::vec(any::<u8>(), 64),
                proptest::collection::vec(any::<u8>(), 96),
                proptest::collection::vec(any::<u8>(), 132),
            ]
        ) {
            let hi = vec![0; raw.len() + 3];
            prop_assert_eq!(from_der(&to_der(&raw), &hi), Some(raw));
        }

        #[test]
        fn any_octets_are_a_canonical_signature_or_none(
            der in proptest::collection::vec(any::<u8>(), 0..80)
        ) {
            if let Some(raw) = from_der(&der, &[0; 67]) {
                prop_assert_eq!(to_der(&raw), der);
            }
        }
    }

    #[test]
    fn a_padded_integer_is_not_canonical() {
        let der = to_der(&[1; 64]);
        assert!(from_der(&der, &[0; 67]).is_some());
        // One leading zero more than needed in r.
        let mut padded = vec![0x30, der[1] + 1, 0x02, der[3] + 1, 0x00];
        padded.extend_from_slice(&der[4..]);
        assert_eq!(from_der(&padded, &[0; 67]), None);
    }
}
