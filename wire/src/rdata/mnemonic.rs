//! Numbers within RDATA that have mnemonics of their own.

/// A registry of numbers and their mnemonics.
#[derive(Debug, PartialEq, Eq)]
pub struct Mnemonics {
    /// What is registered, in words for an error message: `DNSSEC algorithm`.
    pub what: &'static str,
    /// Whether text is written with the mnemonic; the number is understood more widely where it is not.
    pub is_printed: bool,
    /// Number and mnemonic, in upper case, ascending.
    pub entries: &'static [(u16, &'static str)],
}

impl Mnemonics {
    /// The number of a mnemonic in any letter case.
    pub fn number(&self, mnemonic: &[u8]) -> Option<u16> {
        let is_it = |entry: &&(u16, &str)| entry.1.as_bytes().eq_ignore_ascii_case(mnemonic);
        self.entries.iter().find(is_it).map(|entry| entry.0)
    }

    /// The mnemonic of a number.
    pub fn mnemonic(&self, number: u16) -> Option<&'static str> {
        self.entries.iter().find(|entry| entry.0 == number).map(|entry| entry.1)
    }
}

/// DNSSEC algorithm numbers (IANA registry "DNS Security Algorithm Numbers").
pub static ALGORITHM: Mnemonics = Mnemonics {
    what: "DNSSEC algorithm",
    is_printed: false,
    entries: &[
        (0, "DELETE"),
        (1, "RSAMD5"),
        (2, "DH"),
        (3, "DSA"),
        (5, "RSASHA1"),
        (6, "DSA-NSEC3-SHA1"),
        (7, "RSASHA1-NSEC3-SHA1"),
        (8, "RSASHA256"),
        (10, "RSASHA512"),
        (12, "ECC-GOST"),
        (13, "ECDSAP256SHA256"),
        (14, "ECDSAP384SHA384"),
        (15, "ED25519"),
        (16, "ED448"),
        (17, "SM2SM3"),
        (18, "MLDSA44"),
        (23, "ECC-GOST12"),
        (252, "INDIRECT"),
        (253, "PRIVATEDNS"),
        (254, "PRIVATEOID"),
    ],
};

/// Digest algorithms of DS records (IANA registry "DNSSEC Delegation Signer (DS) Resource Record (RR) Type Digest Algorithms").
pub static DIGEST: Mnemonics = Mnemonics {
    what: "digest type",
    is_printed: false,
    entries: &[
        (1, "SHA-1"),
        (2, "SHA-256"),
        (3, "GOST R 34.11-94"),
        (4, "SHA-384"),
        (5, "GOST R 34.11-2012"),
        (6, "SM3"),
    ],
};

/// Certificate types of CERT records (RFC 4398 §2.1).
pub static CERTIFICATE: Mnemonics = Mnemonics {
    what: "certificate type",
    is_printed: false,
    entries: &[
        (1, "PKIX"),
        (2, "SPKI"),
        (3, "PGP"),
        (4, "IPKIX"),
        (5, "ISPKI"),
        (6, "IPGP"),
        (7, "ACPKIX"),
        (8, "IACPKIX"),
        (253, "URI"),
        (254, "OID"),
    ],
};

/// Schemes of DSYNC records (RFC 9859 §6.2).
pub static SCHEME: Mnemonics = Mnemonics { what: "scheme", is_printed: true, entries: &[(1, "NOTIFY")] };

/// IP protocols that WKS records name (RFC 1010; the two that were ever used).
pub static PROTOCOL: Mnemonics =
    Mnemonics { what: "IP protocol", is_printed: false, entries: &[(6, "TCP"), (17, "UDP")] };

/// Services that WKS records name, by port: those of RFC 1010 that are still known.
pub static SERVICE: Mnemonics = Mnemonics {
    what: "service",
    is_printed: false,
    entries: &[
        (7, "ECHO"),
        (9, "DISCARD"),
        (13, "DAYTIME"),
        (20, "FTP-DATA"),
        (21, "FTP"),
        (23, "TELNET"),
        (25, "SMTP"),
        (37, "TIME"),
        (42, "NAMESERVER"),
        (43, "NICNAME"),
        (53, "DOMAIN"),
        (69, "TFTP"),
        (79, "FINGER"),
        (80, "HTTP"),
        (109, "POP2"),
        (110, "POP3"),
        (111, "SUNRPC"),
        (119, "NNTP"),
        (123, "NTP"),
        (143, "IMAP"),
        (161, "SNMP"),
        (443, "HTTPS"),
    ],
};
