//! Every difference between a peer and us that was looked into, and the text that allows or decides it.

use super::query::*;
use super::reply::{Aspect, Reply};
use crate::servers::Kind;

/// A difference.
pub(super) struct Case<'a> {
    pub(super) query: &'a Query,
    pub(super) peer: Kind,
    pub(super) theirs: Option<&'a Reply>,
    pub(super) ours: Option<&'a Reply>,
    pub(super) aspect: Aspect,
}

/// Why a difference is no mistake of ours.
pub(super) struct Explanation {
    pub(super) name: &'static str,
    /// The text that decides.
    pub(super) reference: &'static str,
    pub(super) applies: fn(&Case<'_>) -> bool,
}

/// All that were looked into, the narrow ones before the wide ones.
pub(super) const EXPLANATIONS: &[Explanation] = &[
    Explanation {
        name: "BADCOOKIE until there is a good cookie",
        reference: "RFC 7873 §5.2.3, §5.2.4 let a server choose; ours answers, and limits the rate",
        applies: |case| case.aspect == Aspect::Rcode && case.theirs(BADCOOKIE) && !case.query.has_cookie,
    },
    Explanation {
        name: "an opcode that is not implemented",
        reference: "RFC 1035 §4.1.1, RFC 8906 §3.1.4: NOTIMP; ours reads nothing else of such a message first",
        applies: |case| case.query.opcode > 0 && case.ours(NOTIMP),
    },
    Explanation {
        name: "a version before its options",
        reference: "RFC 6891 §6.1.3: BADVERS, whatever stands in the options of another version",
        applies: |case| case.aspect == Aspect::Rcode && case.ours(BADVERS) && case.theirs(FORMERR),
    },
    Explanation {
        name: "what stands beside FORMERR and BADVERS",
        reference: "RFC 6891 §7 wants an OPT record; no text says what of the header and of other options to copy",
        applies: |case| {
            let is_beside = match case.aspect {
                Aspect::Silence | Aspect::Rcode | Aspect::Answer => false,
                Aspect::Flag(_) | Aspect::Question | Aspect::Edns | Aspect::Option(_) => true,
            };
            is_beside && (case.ours(FORMERR) || case.ours(BADVERS))
        },
    },
    Explanation {
        name: "names and types of class CH",
        reference: "RFC 4892 §2 asks for TXT of id.server alone; BIND has zones there, and limits how often it is asked",
        applies: |case| match case.aspect {
            Aspect::Silence => case.peer == Kind::Bind && case.query.qclass == CH,
            Aspect::Rcode | Aspect::Answer => {
                let is_known_to_all =
                    case.query.qtype == TXT && ["id.server.", "version.bind."].contains(&case.query.qname);
                case.query.qclass == CH && !is_known_to_all
            }
            Aspect::Flag(bit) => case.query.qclass == CH && bit == AA,
            Aspect::Question | Aspect::Edns | Aspect::Option(_) => false,
        },
    },
    Explanation {
        name: "a class of nobody's zone",
        reference: "RFC 1035 §4.1.1 leaves the code open; REFUSED as NSD and Knot say it",
        applies: |case| {
            let is_open = match case.aspect {
                Aspect::Rcode => case.peer == Kind::Bind,
                Aspect::Question => case.peer == Kind::Nsd,
                Aspect::Silence | Aspect::Flag(_) | Aspect::Answer | Aspect::Edns | Aspect::Option(_) => false,
            };
            is_open && case.query.qclass != IN && case.ours(REFUSED)
        },
    },
    Explanation {
        name: "one RRset for ANY",
        reference: "RFC 8482 §4.1",
        applies: |case| case.aspect == Aspect::Answer && case.query.qtype == ANY,
    },
    Explanation {
        name: "CD is clear",
        reference: "RFC 4035 §3.1.6",
        applies: |case| case.aspect == Aspect::Flag(CD) && case.peer == Kind::Bind,
    },
    Explanation {
        name: "extended errors",
        reference: "RFC 8914 §3: whoever has something to say may",
        applies: |case| {
            let is_foreign = case.query.qclass != IN || case.theirs_lacks(EXTENDED_ERROR);
            case.aspect == Aspect::Option(EXTENDED_ERROR) && is_foreign && (case.ours(REFUSED) || case.ours(NOTIMP))
        },
    },
    Explanation {
        name: "versions of zones",
        reference: "RFC 9660 is younger than these peers",
        applies: |case| case.aspect == Aspect::Option(ZONEVERSION) && case.theirs_lacks(ZONEVERSION),
    },
    Explanation {
        name: "idle timeouts",
        reference: "RFC 7828 §3.3.2: those who have one in mind may tell it",
        applies: |case| case.aspect == Aspect::Option(KEEPALIVE) && case.theirs_lacks(KEEPALIVE),
    },
];

impl Case<'_> {
    fn theirs(&self, rcode: u16) -> bool {
        self.theirs.is_some_and(|theirs| theirs.rcode == rcode)
    }

    fn ours(&self, rcode: u16) -> bool {
        self.ours.is_some_and(|ours| ours.rcode == rcode)
    }

    fn theirs_lacks(&self, code: u16) -> bool {
        self.theirs.is_some_and(|theirs| !theirs.options.contains_key(&code))
    }
}
