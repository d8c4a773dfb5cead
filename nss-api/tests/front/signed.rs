//! A root and a `com.` that are signed, as the real ones are, and what it means for owners when the signatures are not right.

use nss_wire::RType;

use crate::ds::{A1, A2, DS_A, DS_B, send};
use crate::life::{DAY, now};
use crate::ownership::{NOERROR, given, key, keyed, plain, put_to};
use crate::signer::Signatures;
use crate::support::{Api, Reply};
use crate::tree::Tree;

fn upload(api: &Api, domain: &str, serial: u32, key: Option<&nss_api::key::Key>) -> Reply {
    put_to(api, &format!("/v1/zones/{domain}"), serial, key)
}

fn status(api: &Api, domain: &str) -> serde_json::Value {
    api.call("GET", &format!("/v1/zones/{domain}/status"), &["Accept: application/json"], b"").json()
}

#[test]
fn below_a_signed_parent_all_three_kinds_of_owners_upload_and_the_evidence_names_the_keys() {
    let owner = key();
    let delegations = keyed("keyed", &[&owner]) + &plain("pinned") + &plain("example") + DS_A;
    let Some(tree) = Tree::start_signed(&delegations) else { return };
    let api = tree.api("");
    upload(&api, "keyed.com", 1, Some(&owner)).expect(200, &["published"]);
    upload(&api, "keyed.com", 2, Some(&key())).expect(403, &["not the key of"]);
    let pinned = given(&upload(&api, "pinned.com", 1, None));
    upload(&api, "pinned.com", 2, None).expect(401, &[]);
    upload(&api, "pinned.com", 2, Some(&pinned)).expect(200, &["replaced"]);
    send(&api, A1, None).expect(200, &["the DS records at the parent prove the zone"]);
    // A "no" is proven, too.
    upload(&api, "nobody.com", 1, Some(&owner)).expect(403, &["there is no such name in com."]);
    let asked = tree.api("").call("GET", "/v1/delegation?domain=example.com", &[], b"");
    asked.expect(200, &["for ., . DNSKEY", "for com., com. DNSKEY", "DNSKEY of key"]);
    assert_eq!(tree.round(now() + 2 * DAY), 3);
    for domain in ["keyed.com", "pinned.com", "example.com"] {
        let status = status(&tree.api(""), domain);
        assert_eq!((&status["state"], &status["last_check"]["verdict"]), (&"active".into(), &"delegated".into()));
        assert!(status["last_check"]["evidence"].to_string().contains("DNSKEY of key"), "{status}");
    }
    // The DS records of others prove nothing, and another delegation is seen when it is signed.
    tree.delegate(&(keyed("keyed", &[&owner]) + &plain("pinned") + &plain("example") + DS_B));
    send(&tree.api(""), A2, None).expect(403, &["none of them is of a key"]);
    upload(&tree.api("ownership = \"keyed\"\n"), "pinned.com", 3, Some(&pinned))
        .expect(403, &["name servers name a key"]);
}

#[test]
fn a_parent_whose_signatures_are_not_right_is_not_believed_and_parks_nobody() {
    let owner = key();
    let here = keyed("keyed", &[&owner]) + &plain("pinned") + &plain("example") + DS_A;
    let Some(tree) = Tree::start_signed(&here) else { return };
    let api = tree.api("");
    upload(&api, "keyed.com", 1, Some(&owner)).expect(200, &[]);
    let pinned = given(&upload(&api, "pinned.com", 1, None));
    send(&api, A1, None).expect(200, &[]);
    let elsewhere = "keyed NS ns.example.org.\npinned NS ns.example.org.\nexample NS ns.example.org.\n";
    let mut day = 2;
    for signatures in [Signatures::Expired, Signatures::Wrong] {
        for delegations in [here.as_str(), elsewhere, ""] {
            tree.delegate_with(delegations, signatures);
            let api = tree.api("");
            for refused in [
                upload(&api, "keyed.com", 2, Some(&owner)),
                upload(&api, "pinned.com", 2, Some(&pinned)),
                send(&api, A2, None),
            ] {
                refused.expect(503, &["could not find out", "DNSSEC signatures", "com.", "nothing was changed"]);
                assert!(refused.header("retry-after").is_some());
            }
            day += 10;
            assert_eq!(tree.round(now() + day * DAY), 3, "{signatures:?}");
            for domain in ["keyed.com", "pinned.com", "example.com"] {
                assert_eq!(tree.ours.ask(&format!("www.{domain}"), RType::A).rcode, NOERROR, "{signatures:?} {domain}");
                let status = status(&tree.api(""), domain);
                assert_eq!(
                    (&status["state"], &status["last_check"]["verdict"]),
                    (&"unknown".into(), &"unknown".into())
                );
            }
        }
    }
    tree.delegate(&here);
    let api = tree.api("");
    upload(&api, "keyed.com", 2, Some(&owner)).expect(200, &["replaced"]);
    upload(&api, "pinned.com", 2, Some(&pinned)).expect(200, &["replaced"]);
    send(&api, A2, None).expect(200, &["replaced"]);
}
