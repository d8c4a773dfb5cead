//! What stands in the owner of an NSEC3 record (RFC 5155).

use crate::Name;

/// Octets of an NSEC3 hash: SHA-1 is the only algorithm there is (RFC 5155 §11).
pub const HASH_SIZE: usize = 20;

/// The hash that the first label of an NSEC3 record's owner says, 32 characters of base32hex in any letter case (RFC 5155 §3);
/// `None` for any other label.
pub fn hash_of_owner(owner: Name<'_>) -> Option<[u8; HASH_SIZE]> {
    let label = owner.labels().next().filter(|label| label.len() == 32)?;
    let mut hash = [0; HASH_SIZE];
    for (five, characters) in hash.chunks_exact_mut(5).zip(label.chunks_exact(8)) {
        let mut bits = 0u64;
        for character in characters {
            let digit = match character.to_ascii_lowercase() {
                digit @ b'0'..=b'9' => digit - b'0',
                letter @ b'a'..=b'v' => letter - b'a' + 10,
                _ => return None,
            };
            bits = bits << 5 | u64::from(digit);
        }
        five.copy_from_slice(&bits.to_be_bytes()[3..]);
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NameBuf;

    #[test]
    fn the_first_label_is_the_hash_in_any_letter_case() {
        let hash = |text: &str| hash_of_owner(text.parse::<NameBuf>().unwrap().as_name());
        let mut last = [0; HASH_SIZE];
        last[HASH_SIZE - 1] = 31;
        assert_eq!(hash("0000000000000000000000000000000v.example."), Some(last));
        assert_eq!(hash("VVVVVVVVVVVVVVVVvvvvvvvvvvvvvvvv."), Some([0xff; HASH_SIZE]));
        for text in ["0000000000000000000000000000000w.example.", "0000000000000000000000000000000.example.", "."] {
            assert_eq!(hash(text), None, "{text}");
        }
    }
}
