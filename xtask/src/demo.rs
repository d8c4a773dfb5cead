//! `cargo xtask demo`: the whole service on loopback, shown by using it.

use std::process::Command;

use nss_wire::{NameBuf, RType};

use crate::client::{Client, Query, Transport};
use crate::differential::Answer;
use crate::failure::{Context, Failure, Outcome};
use crate::http::{Response, post};
use crate::tree::{Delegation, NAME_SERVERS, To, Tree};
use crate::workspace::{Daemons, Profile, output};

/// What a small company has.
const ZONE: &str = include_str!("demo/example.com.zone");

/// Uploads a zone with every check switched on, asks for it, and says how to go on.
pub(crate) fn run(once: bool) -> Outcome {
    println!("building nssd and nss-api");
    let daemons = Daemons::build(Profile::Dev)?;
    let (key, label) = make_key(&daemons)?;
    let delegations =
        [("example.com", To::Us), ("keyed.com", To::UsWithLabel(label)), ("elsewhere.com", To::Elsewhere)];
    let delegations = delegations.map(|(domain, to)| Delegation { domain: domain.to_owned(), to });
    let tree = Tree::start(&daemons, &delegations)?;
    println!("running on loopback, state in {}:", tree.folder.path().display());
    println!("  root zone {}, com. and gg. {} (nssd), hosted zones {} (nssd)", tree.root, tree.tld, tree.dns);
    println!("  uploads http://{} (nss-api)\n", tree.http);

    println!("1. a domain that its parent delegates to somebody else:");
    let response = upload(&tree, "elsewhere.com", None, &ZONE.replace("example.com", "elsewhere.com"))?;
    expect(&response, 403, "elsewhere.com")?;

    println!("2. a zone file with a mistake:");
    let response = upload(&tree, "example.com", None, &ZONE.replacen("192.0.2.80", "192.0.2.800", 1))?;
    expect(&response, 400, "^")?;

    println!("3. a zone file without NS records:");
    let lines = ZONE.lines().filter(|line| !line.contains(" NS ")).collect::<Vec<_>>().join("\n");
    let response = upload(&tree, "example.com", None, &lines)?;
    expect(&response, 400, "no NS records")?;

    println!(
        "4. the right one, {} lines; com. delegates example.com to {}:",
        ZONE.lines().count(),
        NAME_SERVERS.join(", ")
    );
    let response = upload(&tree, "example.com", None, ZONE)?;
    expect(&response, 200, "nss1_")?;
    let pinned = response.body.lines().map(str::trim).find(|line| line.starts_with("nss1_")).map(str::to_owned);
    let pinned = pinned.ok_or_else(|| Failure::new("the response shows no key"))?;

    println!(
        "5. a change, by somebody who does not have the key that was made for it, who has another one, and who has it:"
    );
    let next = changed(ZONE)?;
    let response = upload(&tree, "example.com", None, &next)?;
    expect(&response, 401, "changed with its key only")?;
    let response = upload(&tree, "example.com", Some(&key), &next)?;
    expect(&response, 403, "not the key of example.com")?;
    let response = upload(&tree, "example.com", Some(&pinned), &next)?;
    expect(&response, 200, "example.com: replaced, now serial 2026112202")?;

    println!(
        "6. a domain whose owner has entered the label of a key at the registrar, without the key, with another one, and with it:"
    );
    let zone = ZONE.replace("example.com", "keyed.com");
    let response = upload(&tree, "keyed.com", None, &zone)?;
    expect(&response, 401, "changed with its key only")?;
    let response = upload(&tree, "keyed.com", Some(&pinned), &zone)?;
    expect(&response, 403, "not the key of keyed.com")?;
    let response = upload(&tree, "keyed.com", Some(&key), &zone)?;
    expect(&response, 200, "keyed.com: published with serial 2026112201")?;
    let response = upload(&tree, "keyed.com", Some(&key), &changed(&zone)?)?;
    expect(&response, 200, "keyed.com: replaced, now serial 2026112202")?;

    println!("7. asked for over UDP and TCP:");
    let mut client = Client::new(tree.dns)?;
    for (name, rtype, wanted) in [
        ("example.com", RType::A, "192.0.2.80"),
        ("www.example.com", RType::AAAA, "2001:db8::80"),
        ("example.com", RType::MX, "mail.example.com."),
        ("www.keyed.com", RType::A, "192.0.2.80"),
        ("anything.apps.example.com", RType::A, "192.0.2.81"),
        ("new.example.com", RType::A, "192.0.2.83"),
        ("new.keyed.com", RType::A, "192.0.2.83"),
    ] {
        for transport in [Transport::Udp, Transport::Tcp] {
            ask(&mut client, name, rtype, transport, wanted)?;
        }
    }

    let file = tree.folder.path().join("example.com.zone");
    std::fs::write(&file, &next).context(file.display())?;
    let (http, dns, port) = (tree.http, tree.dns.ip(), tree.dns.port());
    println!("\ngo on by hand:");
    println!("  KEY={pinned}");
    println!(
        "  curl -H \"Authorization: Bearer $KEY\" --data-binary @{} 'http://{http}/v1/zone?domain=example.com'",
        file.display()
    );
    println!("  curl http://{http}/v1/zones/example.com");
    println!("  dig @{dns} -p {port} www.example.com A");
    println!("  dig @{dns} -p {port} +tcp example.com MX");
    if once {
        return Ok(());
    }
    println!("\nrunning until Ctrl-C");
    loop {
        // The thread that waits for signals ends the program.
        std::thread::park();
    }
}

/// A key and its label, made as an owner makes them at home.
pub(crate) fn make_key(daemons: &Daemons) -> Outcome<(String, String)> {
    let made = output(Command::new(&daemons.nss_api).args(["key", "new"]))?;
    let text = String::from_utf8_lossy(&made).into_owned();
    let word = |first| text.lines().find_map(|line| line.strip_prefix(first)).map(|word| word.trim().to_owned());
    match (word("key "), word("label ")) {
        (Some(key), Some(label)) => Ok((key, label)),
        _ => Err(Failure::new("nss-api key new shows no key")),
    }
}

/// The zone a day later: a newer serial, and a name more.
fn changed(zone: &str) -> Outcome<String> {
    let next = zone.replacen("2026112201", "2026112202", 1) + "new A 192.0.2.83\n";
    match zone.contains("2026112201") {
        true => Ok(next),
        false => Err(Failure::new("the zone file of the demo has another serial")),
    }
}

fn upload(tree: &Tree, domain: &str, key: Option<&str>, zone: &str) -> Outcome<Response> {
    let target = format!("/v1/zone?domain={domain}");
    println!("   POST {target}{}", if key.is_some() { " with a key" } else { "" });
    let response = post(tree.http, &target, key, zone.as_bytes())?;
    let lines: Vec<&str> = response.body.lines().collect();
    println!("   {} {}", response.status, lines.join("\n       "));
    Ok(response)
}

fn expect(response: &Response, status: u16, word: &str) -> Outcome {
    if response.status == status && response.body.contains(word) {
        return Ok(());
    }
    Err(Failure::new(format!("the response should have been {status} with `{word}`, but was {}", response.status)))
}

fn ask(client: &mut Client, name: &str, rtype: RType, transport: Transport, wanted: &str) -> Outcome {
    let qname: NameBuf = name.parse().context(name)?;
    let query = Query { transport, ..Query::new(qname.as_name(), rtype) };
    let reply = client.ask(&query).ok_or_else(|| Failure::new(format!("no reply to {name} {rtype}")))?;
    let answer = Answer::read(&query.to_wire(), &reply).map_err(Failure::new)?;
    let transport = match transport {
        Transport::Udp => "UDP",
        Transport::Tcp => "TCP",
    };
    for rr in &answer.answer {
        println!("   {transport}  {rr}");
    }
    if answer.authoritative && answer.answer.iter().any(|rr| rr.to_string().ends_with(wanted)) {
        return Ok(());
    }
    Err(Failure::new(format!("{name} {rtype} over {transport} should have been answered with {wanted}")))
}
