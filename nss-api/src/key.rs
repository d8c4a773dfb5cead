//! Zone keys: what an owner keeps, what stands at the registrar of it, and what is stored of it.
//!
//! ```text
//! key    nss1_ + base32 of 160 random bits + checksum     the owner's, shown once, stored nowhere
//! label  k-    + base32 of 160 bits of SHA-256(key)       public: in front of our name servers' names at the parent
//! pin    SHA-256(a name for this use, the apex, the key)  stored with the zone
//! ```
//!
//! Base32 is that of RFC 4648 §6 in lower case, which letter case and the DNS do not change. The label is made of the
//! key's text, so that a shell can make it, too: `printf %s "$KEY" | openssl dgst -sha256 -binary | base32 | cut -c1-32`.
//! Nobody can get from a label or a pin to the key, nor tell which label belongs to which pin.

use std::fmt;
use std::hint::black_box;
use std::str::FromStr;

use nss_wire::Name;
use nssd::control::Pin;
use rand::TryRng;
use rand::rngs::SysRng;
use serde::Serialize;
use sha2::{Digest, Sha256};

/// What proves that a change of a zone comes from its owner: whoever has it may change the zone.
///
/// Neither `Debug` nor anything else shows it but [`Key::reveal`], and its memory is overwritten when it is dropped.
#[derive(Clone)]
pub struct Key {
    /// In lower case, checksum included.
    text: [u8; KEY_SIZE],
}

impl Key {
    /// Makes a key of the system's randomness.
    ///
    /// # Errors
    ///
    /// A system that has none, in words for the log.
    pub fn generate() -> Result<Key, String> {
        let mut secret = [0; SECRET_SIZE];
        SysRng.try_fill_bytes(&mut secret).map_err(|error| format!("the system gives no random numbers: {error}"))?;
        let key = Key::from_secret(&secret);
        wipe(&mut secret);
        Ok(key)
    }

    fn from_secret(secret: &[u8; SECRET_SIZE]) -> Key {
        let mut text = [0; KEY_SIZE];
        let (prefix, rest) = text.split_at_mut(PREFIX.len());
        let (digits, sum) = rest.split_at_mut(DIGITS);
        prefix.copy_from_slice(PREFIX.as_bytes());
        digits.copy_from_slice(&base32(secret));
        sum.copy_from_slice(&checksum(digits));
        Key { text }
    }

    /// The key itself, for its owner's eyes: never for a log, a file of ours or a message to anybody else.
    pub fn reveal(&self) -> &str {
        std::str::from_utf8(&self.text).unwrap_or_default()
    }

    /// What stands at the registrar, in front of the names of our name servers.
    pub fn label(&self) -> Label {
        let hash: [u8; 32] = Sha256::digest(self.text).into();
        let (half, _) = hash.split_at(SECRET_SIZE);
        let half: &[u8; SECRET_SIZE] = half.try_into().expect("a hash is longer than its part");
        let mut text = [0; LABEL_SIZE];
        let (prefix, digits) = text.split_at_mut(LABEL_PREFIX.len());
        prefix.copy_from_slice(LABEL_PREFIX);
        digits.copy_from_slice(&base32(half));
        Label { text }
    }

    /// What is stored of the key with the zone at `apex`; the same key gives each zone another pin.
    pub fn pin(&self, apex: Name<'_>) -> Pin {
        let apex = apex.to_lowercase();
        let mut hash = Sha256::new();
        // A name ends at its root label, so that no other apex and key give the same octets.
        hash.update(PIN_USE);
        hash.update(apex.as_name().as_wire());
        hash.update(self.text);
        Pin::from(<[u8; 32]>::from(hash.finalize()))
    }
}

impl FromStr for Key {
    type Err = KeyError;

    /// Reads a key in any letter case, without spaces around it.
    fn from_str(text: &str) -> Result<Key, KeyError> {
        let octets = text.as_bytes();
        let has_prefix = octets.get(..PREFIX.len()).is_some_and(|found| found.eq_ignore_ascii_case(PREFIX.as_bytes()));
        if !has_prefix {
            return Err(KeyError::Prefix);
        }
        if let Some(odd) = text.chars().skip(PREFIX.len()).find(|c| !c.is_ascii() || digit(*c as u8).is_none()) {
            return Err(KeyError::Character(odd));
        }
        let mut key = Key { text: octets.try_into().map_err(|_| KeyError::Length(octets.len()))? };
        key.text.make_ascii_lowercase();
        let (digits, sum) = key.text[PREFIX.len()..].split_at(DIGITS);
        if checksum(digits) != *sum {
            return Err(KeyError::Checksum);
        }
        Ok(key)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(hidden)")
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        wipe(&mut self.text);
    }
}

/// Writes a key into the answer to whom it was made for.
#[expect(clippy::ref_option, reason = "serde calls it so")]
pub(crate) fn reveal<S: serde::Serializer>(key: &Option<Key>, serializer: S) -> Result<S::Ok, S::Error> {
    key.as_ref().map(Key::reveal).serialize(serializer)
}

/// Why a text is no key; never repeats more of it than one character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// It does not begin as keys do.
    Prefix,
    /// A character that no key has.
    Character(char),
    /// So many characters, too few or too many.
    Length(usize),
    /// It looks like a key, but some characters of it are wrong.
    Checksum,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyError::Prefix => write!(f, "a key begins with {PREFIX}; this text does not"),
            KeyError::Character(c @ ('0' | '1' | '8' | '9')) => {
                write!(f, "the key has a {c}, which keys do not have; was it typed for o, l, b or g?")
            }
            KeyError::Character(c) if c.is_whitespace() => {
                f.write_str("the key has a space or a line end within; send it in one piece")
            }
            KeyError::Character(c) => {
                write!(f, "the key has the character {}; keys have a to z and 2 to 7 only", c.escape_debug())
            }
            KeyError::Length(found) => write!(f, "the key has {found} characters and should have {KEY_SIZE}"),
            KeyError::Checksum => f.write_str(
                "the key's last characters do not fit the others: some of it is mistyped; copy the whole key again",
            ),
        }
    }
}

impl std::error::Error for KeyError {}

/// The public half of a key: a label for the DNS, from which nobody gets back to the key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Label {
    /// In lower case.
    text: [u8; LABEL_SIZE],
}

impl Label {
    /// Reads a label of a name; `None` when no key has this label.
    pub fn from_octets(octets: &[u8]) -> Option<Label> {
        let mut text: [u8; LABEL_SIZE] = octets.try_into().ok()?;
        text.make_ascii_lowercase();
        let digits = text.strip_prefix(LABEL_PREFIX)?;
        digits.iter().all(|&octet| digit(octet).is_some()).then_some(Label { text })
    }

    /// The label as it stands in a name.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.text).unwrap_or_default()
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What every key begins with, so that people and secret scanners know one when they see it.
const PREFIX: &str = "nss1_";

/// What every label begins with: a label of base32 alone could be somebody's host.
const LABEL_PREFIX: &[u8] = b"k-";

/// Octets of randomness: nobody guesses one of 2^160.
const SECRET_SIZE: usize = 20;

/// Base32 digits of the randomness, which fill them to the last bit.
const DIGITS: usize = SECRET_SIZE * 8 / 5;

/// Digits of the checksum: of a million mistyped keys one is not noticed here, and then fits no zone.
const CHECKSUM_DIGITS: usize = 4;

/// Characters of a key.
pub const KEY_SIZE: usize = PREFIX.len() + DIGITS + CHECKSUM_DIGITS;

/// Octets of a label; the DNS allows 63 (RFC 1035 §2.3.4).
pub(crate) const LABEL_SIZE: usize = LABEL_PREFIX.len() + DIGITS;

/// Keeps hashes for one use apart from those for all others.
const PIN_USE: &[u8] = b"nss-api: key pinned to a zone, 1\0";
const CHECKSUM_USE: &[u8] = b"nss-api: checksum of a key, 1\0";

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// 160 bits in base32 (RFC 4648 §6): 5 octets are 8 digits, with nothing left over.
fn base32(octets: &[u8; SECRET_SIZE]) -> [u8; DIGITS] {
    let mut digits = [0; DIGITS];
    for (five, eight) in octets.chunks_exact(5).zip(digits.chunks_exact_mut(8)) {
        let bits = five.iter().fold(0_u64, |bits, &octet| bits << 8 | u64::from(octet));
        for (place, digit) in eight.iter_mut().rev().enumerate() {
            *digit = ALPHABET[(bits >> (5 * place) & 31) as usize];
        }
    }
    digits
}

/// The value of a digit in either letter case.
fn digit(octet: u8) -> Option<u8> {
    match octet.to_ascii_lowercase() {
        letter @ b'a'..=b'z' => Some(letter - b'a'),
        number @ b'2'..=b'7' => Some(number - b'2' + 26),
        _ => None,
    }
}

/// The first 20 bits of a hash of the digits.
fn checksum(digits: &[u8]) -> [u8; CHECKSUM_DIGITS] {
    let hash = Sha256::new().chain_update(CHECKSUM_USE).chain_update(digits).finalize();
    let bits = hash.iter().take(3).fold(0_u32, |bits, &octet| bits << 8 | u32::from(octet)) >> 4;
    [15, 10, 5, 0].map(|place| ALPHABET[(bits >> place & 31) as usize])
}

/// Overwrites what was secret. `black_box` keeps the compiler from leaving out a write that nobody reads; without
/// unsafe code it is the best there is, and copies that the compiler made on the way stay.
fn wipe(octets: &mut [u8]) {
    octets.fill(0);
    black_box(octets);
}

#[cfg(test)]
mod tests {
    use nss_wire::NameBuf;
    use proptest::prelude::*;

    use super::*;

    /// 20 zero octets; label and checksum as other programs compute them (sha256sum, base32).
    const ZERO: &str = "nss1_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaumtx";

    fn refused(text: &str) -> KeyError {
        text.parse::<Key>().expect_err(text)
    }

    #[test]
    fn a_key_is_made_of_randomness_and_read_back_in_any_letter_case() {
        let (key, other) = (Key::generate().unwrap(), Key::generate().unwrap());
        assert_eq!(key.reveal().len(), KEY_SIZE);
        assert!(key.reveal().starts_with("nss1_") && key.reveal() != other.reveal());
        assert_eq!(key.reveal().parse::<Key>().unwrap().reveal(), key.reveal());
        assert_eq!(key.reveal().to_uppercase().parse::<Key>().unwrap().label(), key.label());
        assert_ne!(key.label(), other.label());
    }

    #[test]
    fn keys_labels_and_checksums_are_what_other_programs_make_of_them() {
        let key = Key::from_secret(&[0; SECRET_SIZE]);
        assert_eq!(key.reveal(), ZERO);
        assert_eq!(key.label().as_str(), "k-oh774k6if4qbyp6cyfbehh7spgrt3r73");
        let key = Key::from_secret(b"\x00\x44\x32\x14\xc7\x42\x54\xb6\x35\xcf\x84\x65\x3a\x56\xd7\xc6\x75\xbe\x77\xdf");
        assert!(key.reveal().starts_with("nss1_abcdefghijklmnopqrstuvwxyz234567"), "every digit at its place");
    }

    #[test]
    fn a_text_that_is_no_key_is_told_what_is_wrong_with_it() {
        assert_eq!(refused(""), KeyError::Prefix);
        assert_eq!(refused("secret"), KeyError::Prefix);
        assert_eq!(refused("nss2_aaaa"), KeyError::Prefix);
        assert_eq!(refused(&ZERO[..KEY_SIZE - 1]), KeyError::Length(KEY_SIZE - 1));
        assert_eq!(refused(&format!("{ZERO}a")), KeyError::Length(KEY_SIZE + 1));
        assert_eq!(refused(&ZERO.replacen("aa", "a1", 1)), KeyError::Character('1'));
        assert_eq!(refused(&ZERO.replacen("aa", "a ", 1)), KeyError::Character(' '));
        assert_eq!(refused(&ZERO.replacen("aa", "ä", 1)), KeyError::Character('ä'));
        assert!(KeyError::Character('0').to_string().contains("typed for o"));
        assert!(KeyError::Checksum.to_string().contains("mistyped"));
    }

    #[test]
    fn one_wrong_character_is_noticed_wherever_it_stands() {
        for at in PREFIX.len()..KEY_SIZE {
            for wrong in ALPHABET.iter().filter(|&&octet| octet != ZERO.as_bytes()[at]) {
                let mut text = ZERO.as_bytes().to_vec();
                text[at] = *wrong;
                assert_eq!(refused(std::str::from_utf8(&text).unwrap()), KeyError::Checksum, "{at}");
            }
        }
    }

    #[test]
    fn neither_a_debug_line_nor_an_error_shows_a_key() {
        let key = Key::generate().unwrap();
        let (digits, _) = key.reveal()[PREFIX.len()..].split_at(8);
        let shown = format!("{key:?} {:?} {:#?}", Some(&key), vec![key.clone()]);
        assert!(!shown.contains(digits), "{shown}");
        let broken = key.reveal().replacen("nss1_", "nss1_22", 1);
        let error = refused(&broken);
        assert!(!format!("{error} {error:?}").contains(digits));
    }

    #[test]
    fn a_pin_is_of_one_key_and_one_zone() {
        let (key, other) = (Key::from_secret(&[1; SECRET_SIZE]), Key::from_secret(&[2; SECRET_SIZE]));
        let [a, b, upper] = ["example.com", "example.org", "EXAMPLE.com"].map(|text| text.parse::<NameBuf>().unwrap());
        assert_eq!(key.pin(a.as_name()), key.pin(upper.as_name()));
        assert_ne!(key.pin(a.as_name()), key.pin(b.as_name()));
        assert_ne!(key.pin(a.as_name()), other.pin(a.as_name()));
    }

    #[test]
    fn only_a_whole_label_of_the_right_form_is_one() {
        let label = Key::from_secret(&[3; SECRET_SIZE]).label();
        let text = label.as_str();
        assert_eq!(Label::from_octets(text.as_bytes()), Some(label));
        assert_eq!(Label::from_octets(text.to_uppercase().as_bytes()), Some(label));
        for other in [&text[1..], &text[..33], &format!("{text}a"), &text.replace("k-", "k_"), "k-", "", "www"] {
            assert_eq!(Label::from_octets(other.as_bytes()), None, "{other}");
        }
        // No digit of base32.
        assert_eq!(Label::from_octets(format!("k-{}", "1".repeat(32)).as_bytes()), None);
        assert_eq!(Label::from_octets(&[0xe1; LABEL_SIZE]), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(?s).{0,60}") {
            let _ = text.parse::<Key>().map(|key| key.label());
        }
    }
}
