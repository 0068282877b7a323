//! Messages as bytes: little-endian words, without the zeros that the last one ends with.

use bbans_core::{Error, Result};

/// Bytes that a message takes in a block of this version of the container.
pub fn message_len(version: u8, words: &[u32]) -> u64 {
    let zeros = words.last().map_or(0, |last| last.leading_zeros() / 8);
    let cut = if version == 1 { 0 } else { u64::from(zeros) };
    4 * words.len() as u64 - cut
}

/// The bytes of a message. Its last word, the upper half of a head, is not 0.
pub(super) fn to_bytes(words: &[u32]) -> Vec<u8> {
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let len = bytes
        .iter()
        .rposition(|&byte| byte != 0)
        .map_or(0, |i| i + 1);
    bytes.truncate(len);
    bytes
}

/// The words of a message.
///
/// # Errors
/// [`bbans_core::ErrorKind::Corruption`] if no message has these bytes.
pub(super) fn to_words(bytes: &[u8]) -> Result<Vec<u32>> {
    if bytes.len() <= 4 || bytes.last() == Some(&0) {
        return Err(Error::corruption(format!(
            "a message of {} bytes that ends with {:?}; expected more than 4, the last of them not 0",
            bytes.len(),
            bytes.last()
        )));
    }
    let word = |bytes: &[u8]| {
        let mut word = [0; 4];
        word[..bytes.len()].copy_from_slice(bytes);
        u32::from_le_bytes(word)
    };
    Ok(bytes.chunks(4).map(word).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn messages_come_back(mut words in prop::collection::vec(any::<u32>(), 1..20), last in 1u32..) {
            words.push(last >> (last % 32).min(last.ilog2()));
            let bytes = to_bytes(&words);
            prop_assert!(bytes.len() > 4 * (words.len() - 1) && bytes.len() <= 4 * words.len());
            prop_assert_eq!(bytes.len() as u64, message_len(2, &words));
            prop_assert_eq!(to_words(&bytes).unwrap(), words);
            let mut other = bytes;
            other.push(0);
            prop_assert!(to_words(&other).is_err());
        }
    }

    #[test]
    fn less_than_a_head_is_no_message() {
        assert!(to_words(&[]).is_err() && to_words(&[1, 2, 3, 4]).is_err());
    }
}
