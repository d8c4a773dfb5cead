//! Who is a domain delegated to?
//!
//! `cargo run --example delegation -- example.com [ROOT-HINT …]` walks from the public root, or from the hints given.

use nss_registrar_check::{AddressPolicy, Checker, Config, Outcome};
use nss_wire::NameBuf;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let domain: NameBuf = arguments.next().ok_or("which domain? e.g. example.com")?.parse()?;
    let mut config = Config::default();
    let hints = arguments.map(|hint| hint.parse()).collect::<Result<Vec<_>, _>>()?;
    if !hints.is_empty() {
        // A root of one's own may stand in a private network, and is not signed by IANA.
        let trust_anchors = Vec::new();
        config = Config { root_hints: hints, trust_anchors, addresses: AddressPolicy::AnyUnicast, ..config };
    }

    let findings = Checker::new(config).findings(domain.as_name()).await;
    print!("{}", findings.evidence);
    match &findings.outcome {
        Outcome::Delegation(delegation) => println!("delegated: {delegation}"),
        Outcome::NotDelegated(reason) => println!("not delegated: {reason}"),
        Outcome::Unknown(reason) => println!("could not find out: {reason}"),
    }
    Ok(())
}
