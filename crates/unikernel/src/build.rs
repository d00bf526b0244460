//! Of which build a node is: a fingerprint of the sources that node and host share (`build.rs` of this crate). What a node
//! is told has no other version than these: a field that one side does not know makes nonsense of all that follows.

/// The fingerprint.
pub const BUILD: &[u8; LENGTH] = match env!("CHAFF_BUILD").as_bytes().first_chunk() {
    Some(build) => build,
    None => panic!("the fingerprint has sixteen digits"),
};

/// Octets of the fingerprint.
pub const LENGTH: usize = 16;

/// What stands in an image before its fingerprint.
const BEFORE: &[u8; 17] = b"chaff-node build ";

/// How an image says of which build it is.
pub const MARK: [u8; BEFORE.len() + LENGTH] = mark();

/// Whether an image is of the build that this program is of.
#[must_use]
pub fn is_of_this_build(image: &[u8]) -> bool {
    image.windows(MARK.len()).any(|octets| octets == MARK)
}

#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn mark() -> [u8; BEFORE.len() + LENGTH] {
    let mut mark = [0; BEFORE.len() + LENGTH];
    let (before, build) = mark.split_at_mut(BEFORE.len());
    before.copy_from_slice(BEFORE);
    build.copy_from_slice(BUILD);
    mark
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    #[test]
    fn an_image_of_another_build_is_known() {
        let mut image = Vec::from([0; 100]);
        assert!(!is_of_this_build(&image));
        image.extend(MARK);
        image.extend([0; 100]);
        assert!(is_of_this_build(&image));
        image[100 + MARK.len() - 1] ^= 1;
        assert!(!is_of_this_build(&image));
    }
}
