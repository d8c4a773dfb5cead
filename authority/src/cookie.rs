//! DNS cookies (RFC 7873) in the interoperable form of RFC 9018.
//!
//! ```text
//! client cookie (8) | version 1 (1) | reserved (3) | timestamp (4) | SipHash-2-4 (8)
//! ```

use core::net::IpAddr;
use std::fmt;
use std::hash::Hasher;

use siphasher::sip::SipHasher24;

/// The keys of server cookies, shared by all servers behind one address (RFC 9018 §3).
#[derive(Clone, PartialEq, Eq)]
pub struct CookieSecrets {
    /// Never empty: the first makes cookies, each of them recognizes its own.
    all: Box<[[u8; 16]]>,
}

/// Secrets that count at the same time: a roll-over needs two (RFC 9018 §5), a late one behind another one a third, and a
/// forged cookie costs a hash for each of them.
pub const SECRETS_MAX: usize = 4;

impl CookieSecrets {
    /// The first makes cookies; those of the others count as well, for as long as a secret is being rolled (RFC 9018 §5).
    ///
    /// `None` if there is no secret, or more than [`SECRETS_MAX`].
    pub fn new(secrets: &[[u8; 16]]) -> Option<CookieSecrets> {
        (1..=SECRETS_MAX).contains(&secrets.len()).then(|| CookieSecrets { all: secrets.into() })
    }

    fn current(&self) -> &[u8; 16] {
        &self.all[0]
    }
}

impl fmt::Debug for CookieSecrets {
    /// Keeps the secrets out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CookieSecrets(…)")
    }
}

/// What a COOKIE option was worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// A client cookie alone.
    New,
    /// With a server cookie that this or a kindred server made for this address.
    Valid,
    /// With a server cookie that is somebody else's, too old or of the future.
    Invalid,
}

/// Octets of client and server cookie together.
pub(crate) const COOKIE_SIZE: usize = 24;

/// Judges a COOKIE option and makes the one to answer with; `None` if its size is wrong (RFC 7873 §5.2.2).
pub(crate) fn exchange(
    option: &[u8],
    address: IpAddr,
    secrets: &CookieSecrets,
    now: u32,
) -> Option<(Standing, [u8; COOKIE_SIZE])> {
    let (client, server) = option.split_first_chunk::<8>()?;
    if !(server.is_empty() || (8..=32).contains(&server.len())) {
        return None;
    }
    let standing = match server.first_chunk::<16>() {
        _ if server.is_empty() => Standing::New,
        Some(cookie) if server.len() == 16 && is_valid(client, cookie, address, secrets, now) => Standing::Valid,
        _ => Standing::Invalid,
    };
    let mut answer = [0; COOKIE_SIZE];
    answer[..8].copy_from_slice(client);
    answer[8..].copy_from_slice(&server_cookie(client, address, secrets.current(), [VERSION, 0, 0, 0], now));
    Some((standing, answer))
}

fn is_valid(client: &[u8; 8], cookie: &[u8; 16], address: IpAddr, secrets: &CookieSecrets, now: u32) -> bool {
    let &[version, r, r2, r3, t, t2, t3, t4, ..] = cookie;
    let time = u32::from_be_bytes([t, t2, t3, t4]);
    // Serial number arithmetic, so that the year 2106 is a day like any other (RFC 9018 §4.3).
    let age = now.wrapping_sub(time) as i32;
    if version != VERSION || !(-FUTURE_MAX..=AGE_MAX).contains(&age) {
        return false;
    }
    // The reserved octets are hashed as they came (RFC 9018 §4.2).
    let made_with = |secret: &[u8; 16]| server_cookie(client, address, secret, [version, r, r2, r3], time) == *cookie;
    secrets.all.iter().any(made_with)
}

fn server_cookie(client: &[u8; 8], address: IpAddr, secret: &[u8; 16], head: [u8; 4], time: u32) -> [u8; 16] {
    let mut cookie = [0; 16];
    cookie[..4].copy_from_slice(&head);
    cookie[4..8].copy_from_slice(&time.to_be_bytes());
    let mut hasher = SipHasher24::new_with_key(secret);
    hasher.write(client);
    hasher.write(&cookie[..8]);
    match address {
        IpAddr::V4(address) => hasher.write(&address.octets()),
        IpAddr::V6(address) => hasher.write(&address.octets()),
    }
    // The octets of the hash stand in the order in which SipHash's authors write them, which is little-endian.
    cookie[8..].copy_from_slice(&hasher.finish().to_le_bytes());
    cookie
}

const VERSION: u8 = 1;
/// Seconds for which a cookie counts (RFC 9018 §4.3).
const AGE_MAX: i32 = 3600;
/// Seconds that another server's clock may be ahead (RFC 9018 §4.3).
const FUTURE_MAX: i32 = 300;

#[cfg(test)]
mod tests {
    use super::*;

    fn octets<const N: usize>(hex: &str) -> [u8; N] {
        std::array::from_fn(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap())
    }

    fn secrets(hex: &str) -> CookieSecrets {
        CookieSecrets::new(&[octets(hex)]).unwrap()
    }

    #[test]
    fn rfc_9018_appendix_a_1_learning_a_cookie() {
        let secrets = secrets("e5e973e5a6b2a43f48e7dc849e37bfcf");
        let address = "198.51.100.100".parse().unwrap();
        let client: [u8; 8] = octets("2464c4abcf10c957");
        let (standing, answer) = exchange(&client, address, &secrets, 1_559_731_985).unwrap();
        assert_eq!(standing, Standing::New);
        assert_eq!(answer, octets("2464c4abcf10c957010000005cf79f111f8130c3eee29480"));
    }

    #[test]
    fn rfc_9018_appendix_a_2_a_cookie_comes_back() {
        let secrets = secrets("e5e973e5a6b2a43f48e7dc849e37bfcf");
        let address = "198.51.100.100".parse().unwrap();
        let option: [u8; 24] = octets("2464c4abcf10c957010000005cf79f111f8130c3eee29480");
        let (standing, answer) = exchange(&option, address, &secrets, 1_559_734_385).unwrap();
        assert_eq!(standing, Standing::Valid);
        assert_eq!(answer, octets("2464c4abcf10c957010000005cf7a871d4a564a1442aca77"));
    }

    #[test]
    fn rfc_9018_appendix_a_3_reserved_octets_are_hashed_as_they_came() {
        let secrets = secrets("e5e973e5a6b2a43f48e7dc849e37bfcf");
        let address = "203.0.113.203".parse().unwrap();
        let option: [u8; 24] = octets("fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5");
        let made_at = 0x5cf7_8f71;
        assert_eq!(exchange(&option, address, &secrets, made_at + 60).unwrap().0, Standing::Valid);
        // The example's own time is nearly two hours later, when the cookie no longer counts (§4.3).
        let (standing, answer) = exchange(&option, address, &secrets, 1_559_734_700).unwrap();
        assert_eq!(standing, Standing::Invalid);
        assert_eq!(answer, octets("fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e"));
    }

    #[test]
    fn rfc_9018_appendix_a_4_a_cookie_over_ipv6_from_the_previous_secret() {
        let secrets = [octets("445536bcd2513298075a5d379663c962"), octets("dd3bdf9344b678b185a6f5cb60fca715")];
        let secrets = CookieSecrets::new(&secrets).unwrap();
        let address = "2001:db8:220:1:59de:d0f4:8769:82b8".parse().unwrap();
        let option: [u8; 24] = octets("22681ab97d52c298010000005cf7c57926556bd0934c72f8");
        let (standing, answer) = exchange(&option, address, &secrets, 1_559_741_961).unwrap();
        assert_eq!(standing, Standing::Valid);
        assert_eq!(answer, octets("22681ab97d52c298010000005cf7c609a6bb79d16625507a"));
    }

    #[test]
    fn rfc_9018_section_4_3_a_cookie_ends_after_an_hour_and_is_bound_to_its_address() {
        let secrets = secrets("e5e973e5a6b2a43f48e7dc849e37bfcf");
        let (here, there) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let now = 20;
        let (_, cookie) = exchange(&[7; 8], here, &secrets, now).unwrap();
        let standing = |address, now: u32| exchange(&cookie, address, &secrets, now).unwrap().0;
        assert_eq!(standing(here, now + 3600), Standing::Valid);
        assert_eq!(standing(here, now + 3601), Standing::Invalid);
        assert_eq!(standing(here, now.wrapping_sub(300)), Standing::Valid);
        assert_eq!(standing(here, now.wrapping_sub(301)), Standing::Invalid);
        assert_eq!(standing(there, now), Standing::Invalid);
    }

    #[test]
    fn rfc_9018_section_5_a_secret_is_rolled_without_a_cookie_being_lost() {
        let (address, now) = ("192.0.2.1".parse().unwrap(), 1_700_000_000);
        let stage = |secrets: &[[u8; 16]]| CookieSecrets::new(secrets).unwrap();
        // The new secret is recognized everywhere before the first server uses it, and the old one until its cookies are over.
        let (before, staged, rolled, after) =
            (stage(&[[1; 16]]), stage(&[[1; 16], [2; 16]]), stage(&[[2; 16], [1; 16]]), stage(&[[2; 16]]));
        for (makes, takes, standing) in [
            (&before, &staged, Standing::Valid),
            (&staged, &before, Standing::Valid),
            (&staged, &rolled, Standing::Valid),
            (&rolled, &staged, Standing::Valid),
            (&rolled, &after, Standing::Valid),
            (&before, &after, Standing::Invalid),
            (&after, &before, Standing::Invalid),
        ] {
            let (_, cookie) = exchange(&[7; 8], address, makes, now).unwrap();
            assert_eq!(exchange(&cookie, address, takes, now).unwrap().0, standing);
        }
        assert!(CookieSecrets::new(&[]).is_none() && CookieSecrets::new(&[[0; 16]; SECRETS_MAX + 1]).is_none());
        assert!(CookieSecrets::new(&[[0; 16]; SECRETS_MAX]).is_some());
    }

    #[test]
    fn rfc_7873_section_5_2_2_other_sizes_are_malformed() {
        let secrets = secrets("e5e973e5a6b2a43f48e7dc849e37bfcf");
        let address = "192.0.2.1".parse().unwrap();
        for size in 0..=48 {
            let is_well_formed = size == 8 || (16..=40).contains(&size);
            assert_eq!(exchange(&vec![1; size], address, &secrets, 0).is_some(), is_well_formed, "{size}");
        }
    }
}
