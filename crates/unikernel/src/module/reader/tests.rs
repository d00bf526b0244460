use alloc::{collections::BTreeMap, string::String, vec::Vec};

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::*;

/// A value of every kind that serde knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Everything {
    small: (bool, u8, i8, char),
    numbers: (u16, u32, u64, u128, i16, i32, i64, i128),
    fractions: (f32, f64),
    text: String,
    maybe: Option<Option<u16>>,
    list: Vec<Choice>,
    array: [u8; 5],
    map: BTreeMap<u16, String>,
    unit: (),
    nothing: Nothing,
    wrapped: Wrapped,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Nothing;
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Wrapped(u32);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Choice {
    Unit,
    New(i64),
    Pair(u8, String),
    Named { a: u32, b: Vec<u8> },
}

fn choice() -> impl Strategy<Value = Choice> {
    prop_oneof![
        Just(Choice::Unit),
        any::<i64>().prop_map(Choice::New),
        any::<(u8, String)>().prop_map(|(a, b)| Choice::Pair(a, b)),
        any::<(u32, Vec<u8>)>().prop_map(|(a, b)| Choice::Named { a, b }),
    ]
}

fn everything() -> impl Strategy<Value = Everything> {
    let numbers = (any::<(bool, u8, i8, char)>(), any::<(u16, u32, u64, u128, i16, i32, i64, i128)>());
    let rest = any::<(String, Option<Option<u16>>, [u8; 5], BTreeMap<u16, String>, u32)>();
    (numbers, any::<(i16, i16)>(), rest, prop::collection::vec(choice(), 0..6)).prop_map(
        |((small, numbers), (a, b), (text, maybe, array, map, wrapped), list)| Everything {
            small,
            numbers,
            fractions: (a.into(), b.into()),
            text,
            maybe,
            list,
            array,
            map,
            unit: (),
            nothing: Nothing,
            wrapped: Wrapped(wrapped),
        },
    )
}

/// What postcard makes of it, if nothing is left.
fn by_postcard(octets: &[u8]) -> Result<Everything, Error> {
    match postcard::take_from_bytes(octets) {
        Ok((value, [])) => Ok(value),
        _ => Err(Error),
    }
}

proptest! {
    #[test]
    fn it_reads_what_postcard_wrote(value in everything()) {
        let octets = postcard::to_allocvec(&value).expect("it encodes");
        prop_assert_eq!(from_octets(&octets), Ok(value));
    }

    #[test]
    fn of_what_is_damaged_it_says_what_postcard_says(value in everything(), at in any::<prop::sample::Index>(), to: u8, cut: bool) {
        let mut octets = postcard::to_allocvec(&value).expect("it encodes");
        let at = at.index(octets.len());
        if cut { octets.truncate(at) } else { octets[at] = to }
        prop_assert_eq!(from_octets(&octets), by_postcard(&octets));
    }
}

#[test]
fn a_list_of_more_than_there_is_ends() {
    let mut octets = [0xff; 10];
    octets[9] = 1;
    assert_eq!(from_octets::<Vec<u64>>(&octets), Err(Error));
    assert_eq!(from_octets::<Vec<()>>(&[3]), Ok(alloc::vec![(); 3]));
}
