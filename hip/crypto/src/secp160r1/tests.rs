//! The curve against SEC's own examples, and against plain affine arithmetic.

use proptest::prelude::*;

use super::*;
use crate::test_support::hex;

fn scalar(text: &str) -> Scalar {
    scalar_of(&hex(text)).expect("scalar")
}

fn affine(point: &Point) -> Option<Vec<u8>> {
    point.coordinates().map(|octets| octets.to_vec())
}

/// GEC 2 (test vectors for SEC 1), section 2: two key pairs on secp160r1, and their shared secret.
/// 7401-5.2.7-04 7401-5.2.9-10
#[test]
fn the_published_key_pairs_and_their_secret_come_out() {
    let u = scalar("00aa374ffc3ce144e6b073307972cb6d57b2a4e982");
    let v = scalar("0045fb58a92a17ad4b15101c66e74f277e2b460866");
    let public_u =
        hex("51b4496fecc406ed0e75a24a3c03206251419dc0c28dcb4b73a514b468d793894f381ccc1756aa6c");
    let public_v =
        hex("49b41e0e9c0369c2328739d90f63d56707c6e5bc26e008b567015ed96d232a03111c3edc0e9c8f83");
    assert_eq!(affine(&Point::GENERATOR.times(&u)), Some(public_u.clone()));
    assert_eq!(affine(&Point::GENERATOR.times(&v)), Some(public_v.clone()));
    let shared = hex("ca7c0f8c3ffa87a96e1b74ac8e6af594347bb40a");
    for (point, number) in [(public_u, v), (public_v, u)] {
        let point = Point::from_coordinates(&point).expect("point");
        let product = affine(&point.times(&number)).expect("no infinity");
        assert_eq!(product[..20], shared);
    }
}

#[test]
fn the_addition_holds_for_equal_opposite_and_infinite_points() {
    let g = Point::GENERATOR;
    let last = scalar("0100000000000000000001f4c8f927aed3ca752256");
    let opposite = g.times(&last);
    assert_eq!(affine(&g.plus(&opposite)), None);
    assert_eq!(affine(&Point::IDENTITY), None);
    assert_eq!(affine(&Point::IDENTITY.plus(&Point::IDENTITY)), None);
    assert_eq!(affine(&Point::IDENTITY.plus(&g)), affine(&g));
    assert_eq!(affine(&opposite.plus(&Point::IDENTITY)), affine(&opposite));
    let two = scalar("000000000000000000000000000000000000000002");
    assert_eq!(affine(&g.plus(&g)), affine(&g.times(&two)));
    assert_eq!(affine(&Point::IDENTITY.times(&last)), None);
}

#[test]
fn scalars_and_coordinates_out_of_range_are_refused() {
    let refused = |text| scalar_of(&hex(text)).is_none();
    assert!(refused("000000000000000000000000000000000000000000"));
    assert!(refused("0100000000000000000001f4c8f927aed3ca752257"));
    assert!(refused("0100000000000000000001f4c8f927aed3ca752258"));
    assert!(refused("ffffffffffffffffffffffffffffffffffffffffff"));
    assert!(refused("01"));
    assert!(!refused("000000000000000000000000000000000000000001"));
    assert!(!refused("0100000000000000000001f4c8f927aed3ca752256"));
    for text in [
        "ffffffffffffffffffffffffffffffff7fffffff",
        "ffffffffffffffffffffffffffffffff80000000",
        "ffffffffffffffffffffffffffffffffffffffff",
    ] {
        assert!(coordinate(&hex(text)).is_none());
    }
    assert!(coordinate(&hex("ffffffffffffffffffffffffffffffff7ffffffe")).is_some());
}

/// Points with x of 0 and 4, and the same with the prime added to x, which still fits 160 bits.
#[test]
fn coordinates_that_are_not_reduced_are_refused() {
    for (y, x, great) in [
        (
            "06ff0d69a36f70625c65ca05ec3067db8868399e",
            "0000000000000000000000000000000000000000",
            "ffffffffffffffffffffffffffffffff7fffffff",
        ),
        (
            "79ef54d27ee1d74f3f2401e3c0ee01b5697661c3",
            "0000000000000000000000000000000000000004",
            "ffffffffffffffffffffffffffffffff80000003",
        ),
    ] {
        let point = |x| Point::from_coordinates(&hex(&format!("{x}{y}")));
        assert_eq!(
            affine(&point(x).expect("point")),
            Some(hex(&format!("{x}{y}")))
        );
        assert!(point(great).is_none());
    }
}

/// Textbook addition of different points, dividing by the difference of x.
fn textbook(one: (Field, Field), other: (Field, Field)) -> (Field, Field) {
    let inverse = (other.0 - one.0).invert().expect("different x");
    let slope = (other.1 - one.1) * inverse;
    let x = slope.square() - one.0 - other.0;
    (x, slope * (one.0 - x) - one.1)
}

fn pair(point: &Point) -> (Field, Field) {
    let octets = point.coordinates().expect("no infinity");
    let (x, y) = octets.split_at(FIELD_LEN);
    (coordinate(x).expect("x"), coordinate(y).expect("y"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn multiplication_is_linear_and_addition_that_of_the_textbook(a: [u8; 20], b: [u8; 20]) {
        let (a, b) = (short_scalar(&a), short_scalar(&b));
        let one = Point::GENERATOR.times(&a);
        let other = Point::GENERATOR.times(&b);
        let sum = one.plus(&other);
        prop_assert_eq!(affine(&sum), affine(&Point::GENERATOR.times(&(a + b))));
        prop_assert_eq!(affine(&one.times(&b)), affine(&other.times(&a)));
        prop_assume!(one.coordinates().is_some() && other.coordinates().is_some());
        prop_assume!(pair(&one).0 != pair(&other).0);
        let (x, y) = textbook(pair(&one), pair(&other));
        prop_assert!(pair(&sum) == (x, y));
        prop_assert!(Point::from_coordinates(&sum.coordinates().expect("point")).is_some());
    }
}
