//! Who may change a zone: what the parent's NS set says of keys, which key was presented, which one is pinned.
//!
//! ```text
//! the parent names            a key is           and so
//! <label>.ns1.… of ours       in that label      may change the zone; the key is pinned in place of another one
//!                             none, or another   401, 403
//! ns1.… of ours alone         pinned already     the same key may change the zone; none 401, another one 403
//!                             not pinned yet     the caller's key is pinned, or one made for the caller
//!
//! DS records, and no label    in nobody's pin    a zone that these prove, with a newer serial, goes in without any key; what was pinned
//!                             or another's       is not any more, and no key is: what is copied and sent by somebody is still its owner's
//! ```
//!
//! Nothing here asks anybody anything, so that every row can be tested; who asks the parent and the store is
//! [`Gate`](crate::upload::Gate).

use std::collections::BTreeSet;

use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};
use nss_registrar_check::{Delegation, DsRecords, Ours, Unknown};
use nss_wire::{Name, NameBuf};
use nssd::check::{Signed, Unproved};
use nssd::control::{DsSet, Pin, PinChange};

use crate::config::Ownership;
use crate::domain::Domain;
use crate::front::Proof;
use crate::key::{Key, Label};
use crate::new_key::keyed_name;
use crate::problem::Problem;

/// What the parent's NS set has of our name servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entered {
    /// Keys whose labels stand directly in front of names of ours.
    pub(crate) labels: BTreeSet<Label>,
    /// Names below ours that are no key's: a mistyped label, a label in another place.
    pub(crate) odd: Vec<NameBuf>,
    /// For each of our name servers the name that stands for it, with a label or without; the plain name when none does.
    names: Vec<NameBuf>,
}

impl Entered {
    /// Nothing of `ours` is there.
    pub(crate) fn none(ours: &[NameBuf]) -> Entered {
        Entered { labels: BTreeSet::new(), odd: Vec::new(), names: ours.to_vec() }
    }

    /// Looks for `ours` in a delegation.
    pub(crate) fn read(delegation: &Delegation, ours: &[NameBuf]) -> Entered {
        let mut entered = Entered::none(ours);
        for server in &delegation.name_servers {
            let name = server.name.as_name();
            // One of our names may stand below another one: the nearest is meant.
            let above = (0..ours.len()).filter(|&at| name.is_at_or_below(ours[at].as_name()));
            let Some(at) = above.max_by_key(|&at| ours[at].as_name().label_count()) else { continue };
            match label_before(name, ours[at].as_name()) {
                _ if name == ours[at].as_name() => {}
                Some(label) => {
                    entered.labels.insert(label);
                    if !delegation.has(ours[at].as_name()) {
                        entered.names[at] = server.name.clone();
                    }
                }
                None => entered.odd.push(server.name.clone()),
            }
        }
        entered
    }

    /// What a delegation has to name to be one to us.
    pub(crate) fn required(&self) -> Ours {
        Ours::all(&self.names)
    }
}

/// The key's label directly in front of `server`; nothing further down counts, and nothing in front of other names.
pub(crate) fn label_before(name: Name<'_>, server: Name<'_>) -> Option<Label> {
    (name.parent()? == server).then_some(())?;
    Label::from_octets(name.labels().next()?)
}

/// Why somebody may change a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grant {
    /// Anybody may: the operator said so.
    Open,
    /// The parent names this key.
    Keyed(Pin),
    /// It is the key that is pinned.
    Pinned(Pin),
    /// No key is pinned yet.
    First,
    /// The parent's DS records prove the zone, which no key has to.
    Ds,
    /// The parent does not delegate the zone here, and the key claims it.
    Pending(Pin),
}

/// What the DS records at the parent say about an uploaded zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DsWord {
    /// There are none, or nobody looked because the zone is not signed, or there is no zone.
    Nothing,
    /// They prove it.
    Proved(DsSet),
    /// They do not.
    Unproved(Unproved),
    /// Which there are could not be found out.
    Unknown(Box<Unknown>),
}

impl DsWord {
    /// That of a delegation about a zone whose signatures show what they do.
    pub(crate) fn of(delegation: &Delegation, signed: Option<&Signed>) -> DsWord {
        let Some(signed) = signed else { return DsWord::Nothing };
        match &delegation.ds {
            DsRecords::Present(records) => match signed.prove(records.iter().map(Vec::as_slice)) {
                Ok(()) => DsWord::Proved(DsSet::new(records.iter().map(Vec::as_slice))),
                Err(unproved) => DsWord::Unproved(unproved),
            },
            DsRecords::Unknown(reason) => DsWord::Unknown(Box::new(reason.clone())),
            // The enum is open: what is neither is no DS record.
            DsRecords::Absent | DsRecords::Unasked | _ => DsWord::Nothing,
        }
    }
}

/// Why somebody may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denial {
    /// The parent names keys, and none was presented.
    LabelNeedsKey,
    /// The parent names keys, and not this one.
    OtherLabel,
    /// A key is pinned, and none was presented.
    PinNeedsKey,
    /// Another key is pinned.
    OtherPin,
    /// No key is pinned, and only what DS records prove goes in.
    DsNeeded,
    /// This server wants the parent to name a key, and it names none.
    NoLabel,
}

/// Decides by the rule of this server, the labels at the parent, the key presented, the pin stored and whether DS records prove the zone.
pub(crate) fn decide(
    rule: Ownership,
    labels: &BTreeSet<Label>,
    key: Option<&Key>,
    pin: Option<Pin>,
    apex: Name<'_>,
    is_proved: bool,
) -> Result<Grant, Denial> {
    let is_keyed = !labels.is_empty();
    match (rule, key) {
        (Ownership::Open, _) => Ok(Grant::Open),
        (Ownership::Pinned | Ownership::Keyed, None) if is_keyed => Err(Denial::LabelNeedsKey),
        (Ownership::Pinned | Ownership::Keyed, Some(key)) if is_keyed => match labels.contains(&key.label()) {
            true => Ok(Grant::Keyed(key.pin(apex))),
            false => Err(Denial::OtherLabel),
        },
        (Ownership::Keyed, _) if is_proved => Ok(Grant::Ds),
        (Ownership::Keyed, _) => Err(Denial::NoLabel),
        (Ownership::Pinned, key) => match (pin, key.map(|key| key.pin(apex))) {
            (Some(pinned), Some(presented)) if pinned == presented => Ok(Grant::Pinned(pinned)),
            // Who sends a key with the first upload wants it pinned.
            (None, Some(_)) => Ok(Grant::First),
            (_, _) if is_proved => Ok(Grant::Ds),
            (None, None) => Ok(Grant::First),
            (Some(pinned), _) if pinned == Pin::NOBODY => Err(Denial::DsNeeded),
            (Some(_), None) => Err(Denial::PinNeedsKey),
            (Some(_), Some(_)) => Err(Denial::OtherPin),
        },
    }
}

/// Whose quota a change counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quota {
    /// The domain's, before it is made.
    Domain,
    /// The domain's, once it is known that there was something to change.
    DomainAfterwards,
    /// The network's alone, which was counted before anything else.
    Network,
}

impl Grant {
    /// Whose quota a change by this counts for.
    pub(crate) fn quota(self) -> Quota {
        match self {
            Grant::Open | Grant::Keyed(_) | Grant::Pinned(_) | Grant::First => Quota::Domain,
            // Anybody has copies of a signed zone: only what is newer counts, and that is known afterwards.
            Grant::Ds => Quota::DomainAfterwards,
            // Who claims a name has not shown to be its owner.
            Grant::Pending(_) => Quota::Network,
        }
    }

    /// Whether the key that comes with the upload is pinned, or one that is made for it.
    pub(crate) fn pins_first_key(self) -> bool {
        self == Grant::First
    }

    /// Whether the zone is served before its delegation.
    pub(crate) fn is_claim(self) -> bool {
        matches!(self, Grant::Pending(_))
    }

    /// How it is called in an answer.
    pub(crate) fn proof(self) -> Proof {
        match self {
            Grant::Open => Proof::Open,
            Grant::Keyed(_) => Proof::Keyed,
            Grant::Pinned(_) => Proof::Pinned,
            Grant::First => Proof::First,
            Grant::Ds => Proof::Ds,
            Grant::Pending(_) => Proof::Pending,
        }
    }

    /// What goes into the commit with the zone; `first` is the key that is pinned when none is.
    pub(crate) fn pin_change(self, first: Option<Pin>) -> PinChange {
        match self {
            Grant::Open => PinChange::default(),
            // Whatever was pinned: what stands at the registrar goes before it, and stays pinned when it no longer does.
            Grant::Keyed(pin) => PinChange { expected: None, set: Some(pin) },
            Grant::Pinned(pin) => PinChange { expected: Some(Some(pin)), set: None },
            Grant::First => PinChange { expected: Some(None), set: first },
            // The records are the owner's whoever has sent them, and so the key that came with them may be anybody's.
            Grant::Ds => PinChange { expected: None, set: Some(Pin::NOBODY) },
            // A claim pins nothing; whether it may stand is nssd's to say, which knows all zones.
            Grant::Pending(_) => PinChange::default(),
        }
    }
}

impl Denial {
    /// What the caller is told, and what an owner has to do next.
    pub(crate) fn problem(
        self,
        domain: &Domain,
        delegation: &Delegation,
        entered: &Entered,
        key: Option<&Key>,
        name_servers: &[NameBuf],
        ds: &DsWord,
    ) -> Problem {
        let labels: String = entered.labels.iter().map(|label| format!("  {label}\n")).collect();
        let presented = key.map(|key| key.label().to_string()).unwrap_or_default();
        let (status, code, detail) = match self {
            Denial::LabelNeedsKey => (
                StatusCode::UNAUTHORIZED,
                "key-missing",
                format!(
                    "{domain} is changed with its key only; nothing was changed\n{delegation}\n{SEND_IT}, the key with \
                     this label:\n{labels}{LOST}"
                ),
            ),
            Denial::OtherLabel => (
                StatusCode::FORBIDDEN,
                "key-wrong",
                format!(
                    "this is not the key of {domain}; nothing was changed\n{delegation}\nthe label of this key is \
                     {presented}; the one with this label is needed:\n{labels}{LOST}"
                ),
            ),
            Denial::PinNeedsKey => (
                StatusCode::UNAUTHORIZED,
                "key-missing",
                format!(
                    "{domain} is changed with its key only, which its first upload pinned; nothing was changed\n{SEND_IT}\n\
                     {LOST_OR_SQUATTED}"
                ),
            ),
            Denial::OtherPin => (
                StatusCode::FORBIDDEN,
                "key-wrong",
                format!(
                    "this is not the key of {domain}, whose first upload pinned another one; nothing was changed\n\
                     {LOST_OR_SQUATTED}"
                ),
            ),
            Denial::DsNeeded => (
                StatusCode::FORBIDDEN,
                "not-proved",
                format!(
                    "{domain} is changed with a zone that its parent's DS records prove, for no key is pinned to it; nothing was \
                     changed\n{delegation}\nsign the zone with the key that has a DS record there, with a newer serial, and send it\nor enter \
                     our name servers with the label of a key at the registrar (POST /v1/keys), which goes before it"
                ),
            ),
            Denial::NoLabel => {
                let names: String = match key {
                    Some(key) => {
                        name_servers.iter().map(|name| format!("  {}\n", keyed_name(key.label(), name))).collect()
                    }
                    None => "  make a key with POST /v1/keys, which shows them\n".to_owned(),
                };
                (
                    StatusCode::FORBIDDEN,
                    "not-keyed",
                    format!(
                        "this server takes the zones of domains whose name servers name a key; nothing was changed\n\
                         {delegation}\nat the domain's registrar, enter these name servers in their place:\n{names}"
                    ),
                )
            }
        };
        let mut detail = detail.trim_end().to_owned();
        match ds {
            DsWord::Unproved(reason) if entered.labels.is_empty() => {
                detail.push_str(&format!("\nthe DS records at the parent do not prove this zone: {reason}"));
            }
            // Labels go before DS records.
            DsWord::Nothing | DsWord::Proved(_) | DsWord::Unproved(_) | DsWord::Unknown(_) => {}
        }
        let problem = Problem::new(status, code, detail);
        match status {
            StatusCode::UNAUTHORIZED => problem.authenticate(),
            _ => problem,
        }
    }
}

/// The key in `Authorization: Bearer` (RFC 6750 §2.1), if there is one.
///
/// # Errors
///
/// 400 for several, 401 for another scheme and for what is no key; the text never repeats it.
pub(crate) fn presented_key(headers: &HeaderMap) -> Result<Option<Key>, Problem> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        let detail = "there are several Authorization header fields; send one, as in Authorization: Bearer nss1_…";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "bad-key", detail));
    }
    let bad = |detail: String| Problem::new(StatusCode::UNAUTHORIZED, "bad-key", detail).authenticate();
    let text = value.to_str().unwrap_or_default().trim();
    let (scheme, key) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(bad("keys are sent as Authorization: Bearer nss1_…; nothing was changed".into()));
    }
    match key.trim().parse() {
        Ok(key) => Ok(Some(key)),
        Err(error) => Err(bad(format!("{error}; nothing was changed"))),
    }
}

const SEND_IT: &str = "send it in the header field Authorization: Bearer nss1_…";

const LOST: &str = "who has lost it makes another one with POST /v1/keys and enters its names at the registrar";

const LOST_OR_SQUATTED: &str = "who has lost it, or finds that somebody else was first, makes another one with POST /v1/keys \
                                and enters its names at the registrar in place of the present ones: they go before a pin";

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use nss_registrar_check::{DsRecords, Evidence, Findings, NameServer, Outcome, Security, Verdict};

    use super::*;

    const OURS: [&str; 2] = ["ns1.dns.example.net", "ns2.dns.example.net"];

    fn names(texts: &[&str]) -> Vec<NameBuf> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn delegation(to: &[String]) -> Delegation {
        let server = |name: &String| NameServer { name: name.parse().unwrap(), addresses: Vec::new() };
        Delegation {
            zone: "example.com".parse().unwrap(),
            parent: "com".parse().unwrap(),
            name_servers: to.iter().map(server).collect(),
            ds: DsRecords::Unasked,
            security: Security::Unchecked,
        }
    }

    fn entered(to: &[String]) -> Entered {
        Entered::read(&delegation(to), &names(&OURS))
    }

    fn is_delegated(to: &[String]) -> bool {
        let outcome = Outcome::Delegation(delegation(to));
        let findings = Findings { domain: "example.com".parse().unwrap(), outcome, evidence: Evidence::default() };
        matches!(findings.judge(&entered(to).required()), Verdict::Delegated { .. })
    }

    fn keyed(label: &str) -> Vec<String> {
        OURS.iter().map(|server| format!("{label}.{server}")).collect()
    }

    #[test]
    fn a_label_counts_directly_in_front_of_our_names_only_in_any_letter_case() {
        let label = Key::generate().unwrap().label();
        let text = label.to_string();
        for to in
            [keyed(&text), keyed(&text.to_uppercase()), vec![format!("{text}.NS1.dns.EXAMPLE.net."), OURS[1].into()]]
        {
            assert!(is_delegated(&to) && entered(&to).labels == BTreeSet::from([label]), "{to:?}");
        }
        for to in [
            vec![format!("{text}.ns1.dns.example.org"), format!("{text}.ns2.dns.example.org")],
            vec![format!("{text}.dns.example.net"), format!("{text}.example.net")],
            keyed(&format!("www.{text}")),
            keyed(&format!("{text}.www")),
            keyed(&text[..33]),
            keyed(&format!("{text}a")),
            keyed(&text.replacen("k-", "l-", 1)),
            keyed(&text.replacen('-', "_", 1)),
            keyed("www"),
        ] {
            assert!(!is_delegated(&to) && entered(&to).labels.is_empty(), "{to:?}");
        }
        assert_eq!(entered(&keyed("k-mistyped")).odd.len(), 2);
        assert!(entered(&[format!("{text}.ns1.dns.example.org")]).odd.is_empty(), "not ours");
    }

    #[test]
    fn one_of_our_names_may_stand_below_another_one() {
        let label = Key::generate().unwrap().label();
        let ours = names(&["dns.example.net", "b.dns.example.net"]);
        let to = [format!("{label}.dns.example.net"), format!("{label}.b.dns.example.net")];
        let found = Entered::read(&delegation(&to), &ours);
        assert_eq!((found.labels, found.odd), (BTreeSet::from([label]), Vec::new()));
        let plain = Entered::read(&delegation(&["dns.example.net".into(), "b.dns.example.net".into()]), &ours);
        assert_eq!(plain, Entered::none(&ours));
    }

    #[test]
    fn each_of_our_servers_has_to_be_there_under_any_of_its_names() {
        let [a, b] = [(); 2].map(|()| Key::generate().unwrap().label());
        let [one, two] = OURS;
        assert!(is_delegated(&[format!("{a}.{one}"), format!("{b}.{two}")]));
        assert_eq!(entered(&[format!("{a}.{one}"), format!("{b}.{two}")]).labels, BTreeSet::from([a, b]));
        assert!(is_delegated(&[format!("{a}.{one}"), two.to_owned()]));
        assert!(is_delegated(&[format!("{a}.{one}"), one.to_owned(), two.to_owned(), "ns.example.org".to_owned()]));
        assert!(!is_delegated(&[format!("{a}.{one}"), format!("{b}.{one}")]));
    }

    #[test]
    fn every_row_of_the_table_decides_as_it_says() {
        let apex: NameBuf = "example.com".parse().unwrap();
        let [mine, other] = [(); 2].map(|()| Key::generate().unwrap());
        let (my_pin, other_pin) = (mine.pin(apex.as_name()), other.pin(apex.as_name()));
        let none = BTreeSet::new();
        let (my_label, both) = (BTreeSet::from([mine.label()]), BTreeSet::from([mine.label(), other.label()]));
        let decide = |rule, labels, key, pin| decide(rule, labels, key, pin, apex.as_name(), false);
        for rule in [Ownership::Pinned, Ownership::Keyed] {
            for pin in [None, Some(my_pin), Some(other_pin)] {
                assert_eq!(decide(rule, &my_label, Some(&mine), pin), Ok(Grant::Keyed(my_pin)));
                assert_eq!(decide(rule, &both, Some(&other), pin), Ok(Grant::Keyed(other_pin)));
                assert_eq!(decide(rule, &my_label, None, pin), Err(Denial::LabelNeedsKey));
                assert_eq!(decide(rule, &my_label, Some(&other), pin), Err(Denial::OtherLabel));
            }
        }
        let proved = |rule, labels, key, pin| super::decide(rule, labels, key, pin, apex.as_name(), true);
        for rule in [Ownership::Pinned, Ownership::Keyed] {
            for (labels, key, pin) in
                [(&none, None, None), (&none, None, Some(my_pin)), (&none, Some(&other), Some(my_pin))]
            {
                assert_eq!(proved(rule, labels, key, pin), Ok(Grant::Ds));
            }
            assert_eq!(proved(rule, &none, Some(&mine), Some(Pin::NOBODY)), Ok(Grant::Ds));
            // What stands at the registrar goes before DS records.
            assert_eq!(proved(rule, &my_label, None, None), Err(Denial::LabelNeedsKey));
            assert_eq!(proved(rule, &my_label, Some(&other), None), Err(Denial::OtherLabel));
            assert_eq!(proved(rule, &my_label, Some(&mine), Some(other_pin)), Ok(Grant::Keyed(my_pin)));
        }
        assert_eq!(proved(Ownership::Pinned, &none, Some(&mine), Some(my_pin)), Ok(Grant::Pinned(my_pin)));
        assert_eq!(proved(Ownership::Pinned, &none, Some(&mine), None), Ok(Grant::First));
        assert_eq!(proved(Ownership::Open, &none, None, Some(my_pin)), Ok(Grant::Open));
        let rule = Ownership::Pinned;
        for key in [None, Some(&mine)] {
            assert_eq!(decide(rule, &none, key, Some(Pin::NOBODY)), Err(Denial::DsNeeded));
        }
        assert_eq!(decide(rule, &none, None, None), Ok(Grant::First));
        assert_eq!(decide(rule, &none, Some(&mine), None), Ok(Grant::First));
        assert_eq!(decide(rule, &none, Some(&mine), Some(my_pin)), Ok(Grant::Pinned(my_pin)));
        assert_eq!(decide(rule, &none, Some(&other), Some(my_pin)), Err(Denial::OtherPin));
        assert_eq!(decide(rule, &none, None, Some(my_pin)), Err(Denial::PinNeedsKey));
        for key in [None, Some(&mine)] {
            assert_eq!(decide(Ownership::Keyed, &none, key, Some(my_pin)), Err(Denial::NoLabel));
            assert_eq!(decide(Ownership::Open, &my_label, key, Some(other_pin)), Ok(Grant::Open));
        }
    }

    #[test]
    fn a_key_comes_as_a_bearer_token_or_is_told_what_is_wrong_with_it() {
        let key = Key::generate().unwrap();
        let read = |fields: &[String]| {
            let mut headers = HeaderMap::new();
            for field in fields {
                headers.append(AUTHORIZATION, HeaderValue::from_str(field).unwrap());
            }
            presented_key(&headers).map(|key| key.map(|key| key.label()))
        };
        assert_eq!(read(&[]).unwrap(), None);
        for field in ["Bearer", "bearer", "BEARER "] {
            assert_eq!(read(&[format!("{field} {}", key.reveal())]).unwrap(), Some(key.label()));
        }
        let digits = &key.reveal()[5..];
        for field in
            [format!("Basic {digits}"), key.reveal().to_owned(), format!("Bearer {digits}"), "Bearer".to_owned()]
        {
            let refused = read(&[field]).unwrap_err();
            assert_eq!((refused.status(), refused.code()), (StatusCode::UNAUTHORIZED, "bad-key"));
            assert!(!refused.detail().contains(digits), "{}", refused.detail());
        }
        let twice = format!("Bearer {}", key.reveal());
        assert_eq!(read(&[twice.clone(), twice]).unwrap_err().status(), StatusCode::BAD_REQUEST);
    }
}
