//! Which domains may be hosted: a name as people type it becomes A-labels, and some names are refused whoever asks.
//!
//! What is allowed is what somebody can have delegated to them. The rules, each with its reason:
//!
//! - IDNs are mapped as UTS 46 says (non-transitional), so that `bücher.example` and `xn--bcher-kva.example` are one
//!   domain here as they are at the registry.
//! - Letters, digits and hyphens only (RFC 1123 §2.1) up to and including the label that a registry registers. Labels
//!   to the left of it may also hold underscores: `_acme-challenge.example.com` is delegated by people every day.
//! - Public suffixes of the ICANN section of the list are refused: they belong to registries, not to their customers.
//!   Entries of its *private* section (`github.io`) are allowed: for the DNS they are ordinary registered domains whose
//!   owners asked for separate cookies, and the delegation check decides about them as about any other.
//! - Special-use names are refused (RFC 6761 and its registry). `example.`, `example.com`, `example.net` and
//!   `example.org` are not: authoritative servers should treat them like all others (RFC 6761 §6.5 point 5).
//! - The names of our own name servers, and the domains around them, are the operator's: a zone uploaded for one of
//!   them would take over every hosted domain.

use std::borrow::Cow;
use std::fmt;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use nss_wire::{Name, NameBuf};
use psl::{Psl, Type};

/// The octets of a domain as it was sent at most, escapes decoded: 253 characters as the longest name has, at most four
/// octets of UTF-8 each.
pub const DOMAIN_SIZE_MAX: usize = 1012;

/// A domain that could be hosted here: valid, in A-labels, neither a public suffix nor special.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Domain {
    /// Lower case, without the final dot.
    text: String,
    name: NameBuf,
    is_registered: bool,
}

impl Domain {
    /// Reads a domain as people write it: any letter case, Unicode or A-labels, with or without the final dot.
    ///
    /// # Errors
    ///
    /// Text that is no domain name, and names that nobody may host here.
    pub fn parse(text: &str) -> Result<Domain, DomainError> {
        if text.is_empty() {
            return Err(DomainError::Empty);
        }
        if text.len() > DOMAIN_SIZE_MAX {
            return Err(DomainError::TooLong);
        }
        if let Some(found) = text.chars().find(|&c| c == '\u{fffd}' || c.is_control() || c.is_whitespace()) {
            return Err(DomainError::Character(found));
        }
        let text = to_a_labels(text)?;
        let name: NameBuf = text.parse().map_err(|_| DomainError::NotAName)?;
        let labels = name.as_name().label_count();
        if text.rsplit('.').next().is_some_and(|last| last.bytes().all(|octet| octet.is_ascii_digit())) {
            return Err(DomainError::Address);
        }
        if let Some(&(special, reference)) = SPECIAL_USE.iter().find(|(special, _)| is_at_or_below(&text, special)) {
            return Err(DomainError::SpecialUse { special, reference });
        }
        if labels < 2 {
            return Err(DomainError::OneLabel);
        }
        let suffix = psl::List.find(text.rsplit('.').map(str::as_bytes));
        let suffix_text = text.get(text.len().saturating_sub(suffix.len)..).unwrap_or_default();
        let suffix_labels = suffix_text.split('.').count();
        // The list's private section holds ordinary registered domains: there the suffix itself is what was registered.
        let registered_labels = match suffix.typ {
            Some(Type::Private) => suffix_labels,
            Some(Type::Icann) | None if suffix_labels >= labels => return Err(DomainError::PublicSuffix),
            Some(Type::Icann) | None => suffix_labels + 1,
        };
        if text.rsplit('.').take(registered_labels).any(|label| label.contains('_')) {
            return Err(DomainError::Underscore);
        }
        Ok(Domain { text, name, is_registered: labels == registered_labels })
    }

    /// The domain in A-labels, lower case, without the final dot.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is what a registry registers, as far as the list of public suffixes knows, and not a name below that.
    pub fn is_registered(&self) -> bool {
        self.is_registered
    }

    /// The domain as a DNS name.
    pub fn name(&self) -> Name<'_> {
        self.name.as_name()
    }

    /// The first of `name_servers` that stands at, above or below this domain, which therefore belongs to the operator.
    pub fn conflicts_with<'s>(&self, name_servers: &'s [NameBuf]) -> Option<&'s NameBuf> {
        name_servers.iter().find(|server| {
            let server = server.as_name();
            server.is_at_or_below(self.name()) || self.name().is_below(server)
        })
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why a text is not a domain that may be hosted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DomainError {
    /// No text at all.
    Empty,
    /// Longer than a domain name can be.
    TooLong,
    /// A character that no domain has, such as a space.
    Character(char),
    /// Not a domain name: an empty label, a forbidden character, a broken A-label, or too long.
    NotAName,
    /// Digits where a top-level domain should stand, as in an IP address.
    Address,
    /// One label: a top-level domain or a bare host name.
    OneLabel,
    /// An underscore in the part that is registered.
    Underscore,
    /// A public suffix, under which others register.
    PublicSuffix,
    /// At or below a special-use name.
    SpecialUse {
        /// The name of the registry's entry.
        special: &'static str,
        /// The document that makes it special.
        reference: &'static str,
    },
}

impl fmt::Display for DomainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DomainError::Empty => f.write_str("the domain is empty; write it as in domain=example.com"),
            DomainError::TooLong => {
                f.write_str("the domain is too long: a name has at most 253 characters in A-labels")
            }
            DomainError::Character(c) => write!(f, "the domain contains the character U+{:04X}", u32::from(*c)),
            DomainError::NotAName => f.write_str(
                "this is not a domain name: labels have 1 to 63 letters, digits and hyphens, no hyphen at either end, \
                 and are parted by single dots (IDNs as UTS 46 says)",
            ),
            DomainError::Address => {
                f.write_str("this looks like an IP address; a domain such as example.com is needed")
            }
            DomainError::OneLabel => f.write_str("a domain has at least two labels, as in example.com"),
            DomainError::Underscore => {
                f.write_str("underscores may stand only to the left of the registered domain (RFC 1123 §2.1)")
            }
            DomainError::PublicSuffix => {
                f.write_str("this is a public suffix, under which others register; name the registered domain itself")
            }
            DomainError::SpecialUse { special, reference } => {
                write!(f, "names at or below {special} are not delegated to anybody ({reference})")
            }
        }
    }
}

impl std::error::Error for DomainError {}

/// Everything of ASCII but letters, digits, hyphen, dot and underscore; the place of underscores is checked afterwards.
const DENIED: AsciiDenyList = AsciiDenyList::new(true, "!\"#$%&'()*+,/:;<=>?@[\\]^`{|}~");

fn to_a_labels(text: &str) -> Result<String, DomainError> {
    // Hyphens in the third and fourth place are left alone: real domains have them, and registries judge them.
    let to_ascii = |text: &str| {
        Uts46::new()
            .to_ascii(text.as_bytes(), DENIED, Hyphens::CheckFirstLast, DnsLength::VerifyAllowRootDot)
            .map(Cow::into_owned)
            .map_err(|_| DomainError::NotAName)
    };
    let mut text = to_ascii(text)?;
    if text.ends_with('.') {
        text.pop();
    }
    // An A-label and its U-label give each other (RFC 5890 §2.3.2.1); what decodes to "xn--…" again does not.
    if text.contains("xn--") {
        let (unicode, _) = Uts46::new().to_unicode(text.as_bytes(), DENIED, Hyphens::CheckFirstLast);
        if to_ascii(&unicode)? != text {
            return Err(DomainError::NotAName);
        }
    }
    // UTS 46 lets an underscore through because `DENIED` does; what is left must be plain.
    let plain = |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || matches!(octet, b'-' | b'_' | b'.');
    if text.is_empty() || !text.bytes().all(plain) {
        return Err(DomainError::NotAName);
    }
    Ok(text)
}

/// Compares plain names in lower case, where a dot always parts labels.
fn is_at_or_below(name: &str, ancestor: &str) -> bool {
    name.strip_suffix(ancestor).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The IANA registry "Special-Use Domain Names" without the example names, `internal`, and the reverse zones of addresses
/// that every network has for itself.
const SPECIAL_USE: &[(&str, &str)] = &[
    ("alt", "RFC 9476 §3"),
    ("internal", "reserved by ICANN for private use"),
    ("invalid", "RFC 6761 §6.4"),
    ("local", "RFC 6762 §3"),
    ("localhost", "RFC 6761 §6.3"),
    ("onion", "RFC 7686 §2"),
    ("test", "RFC 6761 §6.2"),
    ("6tisch.arpa", "RFC 9031 §9"),
    ("eap.arpa", "RFC 9965"),
    ("eap-noob.arpa", "RFC 9140 §5.2"),
    ("home.arpa", "RFC 8375 §4"),
    ("ipv4only.arpa", "RFC 8880 §7"),
    ("resolver.arpa", "RFC 9462 §8"),
    ("service.arpa", "RFC 9665 §10"),
    ("0.in-addr.arpa", "RFC 6303 §4.2"),
    ("10.in-addr.arpa", "RFC 6761 §6.1"),
    ("127.in-addr.arpa", "RFC 6303 §4.2"),
    ("254.169.in-addr.arpa", "RFC 6303 §4.2"),
    ("168.192.in-addr.arpa", "RFC 6761 §6.1"),
    ("16.172.in-addr.arpa", "RFC 6761 §6.1"),
    ("17.172.in-addr.arpa", "RFC 6761 §6.1"),
    ("18.172.in-addr.arpa", "RFC 6761 §6.1"),
    ("19.172.in-addr.arpa", "RFC 6761 §6.1"),
    ("20.172.in-addr.arpa", "RFC 6761 §6.1"),
    ("21.172.in-addr.arpa", "RFC 6761 §6.1"),
    ("22.172.in-addr.arpa", "RFC 6761 §6.1"),
    ("23.172.in-addr.arpa", "RFC 6761 §6.1"),
    ("24.172.in-addr.arpa", "RFC 6761 §6.1"),
    ("25.172.in-addr.arpa", "RFC 6761 §6.1"),
    ("26.172.in-addr.arpa", "RFC 6761 §6.1"),
    ("27.172.in-addr.arpa", "RFC 6761 §6.1"),
    ("28.172.in-addr.arpa", "RFC 6761 §6.1"),
    ("29.172.in-addr.arpa", "RFC 6761 §6.1"),
    ("30.172.in-addr.arpa", "RFC 6761 §6.1"),
    ("31.172.in-addr.arpa", "RFC 6761 §6.1"),
    ("170.0.0.192.in-addr.arpa", "RFC 8880 §7"),
    ("171.0.0.192.in-addr.arpa", "RFC 8880 §7"),
    ("255.255.255.255.in-addr.arpa", "RFC 6303 §4.2"),
    ("d.f.ip6.arpa", "RFC 6303 §4.4"),
    ("8.e.f.ip6.arpa", "RFC 6303 §4.5"),
    ("9.e.f.ip6.arpa", "RFC 6303 §4.5"),
    ("a.e.f.ip6.arpa", "RFC 6303 §4.5"),
    ("b.e.f.ip6.arpa", "RFC 6303 §4.5"),
    ("0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa", "RFC 6303 §4.3"),
    ("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa", "RFC 6303 §4.3"),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn accepted(text: &str, a_labels: &str) {
        let domain = Domain::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(domain.as_str(), a_labels);
        assert_eq!(domain.name().to_string(), format!("{a_labels}."));
    }

    fn refused(text: &str, why: DomainError) {
        assert_eq!(Domain::parse(text), Err(why), "{text}");
    }

    #[test]
    fn one_domain_is_one_domain_however_it_is_typed() {
        for text in ["example.com", "EXAMPLE.com", "example.com.", "example\u{3002}com", "ｅｘａｍｐｌｅ.com"] {
            accepted(text, "example.com");
        }
        for text in ["bücher.example", "BÜCHER.example", "bu\u{308}cher.example", "xn--bcher-kva.EXAMPLE"] {
            accepted(text, "xn--bcher-kva.example");
        }
        // Non-transitional: the sharp s stays itself, as registries have it since IDNA2008.
        accepted("straße.example", "xn--strae-oqa.example");
    }

    #[test]
    fn what_a_registry_registers_is_told_from_what_stands_below() {
        for (text, is_registered) in [
            ("example.com", true),
            ("www.example.com", false),
            ("example.co.uk", true),
            ("github.io", true),
            ("user.github.io", false),
            ("b.example", true),
            ("a.b.example", false),
        ] {
            assert_eq!(Domain::parse(text).unwrap().is_registered(), is_registered, "{text}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in ["a..example", ".example.com", "-a.example", "a-.example", "a b.example", "a/b.example", "a.b/"] {
            assert!(Domain::parse(text).is_err(), "{text}");
        }
        refused("xn--.example", DomainError::NotAName);
        refused("xn--zzzzzzzz999999.example", DomainError::NotAName);
        // Decodes to a label that begins with "xn--" itself.
        refused("xn--xn---xn-5pth.example", DomainError::NotAName);
        refused("*.example.com", DomainError::NotAName);
        refused("a\\.b.example", DomainError::NotAName);
        refused("", DomainError::Empty);
        refused(".", DomainError::NotAName);
        refused("exa\0mple.com", DomainError::Character('\0'));
        refused("exa mple.com", DomainError::Character(' '));
        refused(&"a".repeat(DOMAIN_SIZE_MAX + 1), DomainError::TooLong);
        refused("192.0.2.1", DomainError::Address);
        refused("[2001:db8::1]", DomainError::NotAName);
    }

    #[test]
    fn labels_end_at_63_characters_and_names_at_253() {
        accepted(&format!("{}.example", "a".repeat(63)), &format!("{}.example", "a".repeat(63)));
        refused(&format!("{}.example", "a".repeat(64)), DomainError::NotAName);
        let longest = [63, 63, 63, 53].map(|n| "a".repeat(n)).join(".") + ".example";
        assert_eq!(longest.len(), 253);
        accepted(&longest.replacen('a', "b", 1), &longest.replacen('a', "b", 1));
        refused(&format!("a{longest}"), DomainError::NotAName);
    }

    #[test]
    fn public_suffixes_belong_to_registries_and_private_entries_to_their_owners() {
        refused("com", DomainError::OneLabel);
        refused("co.uk", DomainError::PublicSuffix);
        refused("CO.UK.", DomainError::PublicSuffix);
        refused("公司.cn", DomainError::PublicSuffix);
        refused("in-addr.arpa", DomainError::PublicSuffix);
        accepted("example.co.uk", "example.co.uk");
        accepted("github.io", "github.io");
        accepted("2.0.192.in-addr.arpa", "2.0.192.in-addr.arpa");
    }

    #[test]
    fn special_use_names_are_refused_and_example_names_are_not() {
        for text in ["test", "shop.test", "a.localhost", "a.INVALID", "x.onion", "a.local", "a.alt", "a.internal"] {
            assert!(matches!(Domain::parse(text), Err(DomainError::SpecialUse { .. })), "{text}");
        }
        for text in ["home.arpa", "1.10.in-addr.arpa", "168.192.in-addr.arpa", "20.172.in-addr.arpa", "d.f.ip6.arpa"] {
            assert!(matches!(Domain::parse(text), Err(DomainError::SpecialUse { .. })), "{text}");
        }
        for text in
            ["example.com", "example.net", "example.org", "shop.example", "latest.example", "15.172.in-addr.arpa"]
        {
            accepted(text, text);
        }
    }

    #[test]
    fn underscores_stand_only_left_of_what_is_registered() {
        accepted("_acme-challenge.example.com", "_acme-challenge.example.com");
        accepted("_dmarc._x.shop.example.co.uk", "_dmarc._x.shop.example.co.uk");
        refused("ex_ample.com", DomainError::Underscore);
        refused("www.ex_ample.co.uk", DomainError::Underscore);
        refused("a.exa_mple", DomainError::Underscore);
    }

    #[test]
    fn the_domains_around_our_name_servers_are_the_operators() {
        let ours: Vec<NameBuf> = vec!["ns1.dns.example.net".parse().unwrap()];
        let conflict = |text: &str| Domain::parse(text).unwrap().conflicts_with(&ours).is_some();
        for text in ["ns1.dns.example.net", "dns.example.net", "EXAMPLE.net", "k-1.ns1.dns.example.net"] {
            assert!(conflict(text), "{text}");
        }
        for text in ["www.example.net", "ns2.dns.example.net", "ns1.dns.example.com"] {
            assert!(!conflict(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_and_what_is_read_stays_itself(text in "(?s).{0,80}") {
            if let Ok(domain) = Domain::parse(&text) {
                prop_assert_eq!(Domain::parse(domain.as_str()), Ok(domain.clone()));
                prop_assert_eq!(domain.name().to_string(), format!("{domain}."));
            }
        }

        #[test]
        fn names_of_letters_digits_and_hyphens_are_read_as_they_are(text in "[a-z]([a-z0-9]{0,20})(\\.[a-z][a-z0-9]{1,10}){0,3}\\.example") {
            let domain = Domain::parse(&text).unwrap();
            prop_assert_eq!(domain.as_str(), &text);
        }
    }
}
