//! nssd over TLS, asked by kdig, which is built on GnuTLS: handshakes, padding, and a zone transfer.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::client::free_port;
use crate::failure::{Context, Failure, Outcome};
use crate::packages::require;
use crate::process::{Folder, Process};
use crate::workspace::Daemons;

/// The slowest machine starts a server with one zone in this time.
const START_TIME: Duration = Duration::from_secs(20);

/// Records of the zone, the SOA record once.
const RECORDS: usize = 5003;

/// What is asked with which options, and the words that the output has to have.
const CASES: &[(&[&str], &[&str])] = &[
    (
        &["+tls-hostname=ns1.example.net", "www.example.com", "A"],
        &["TLS session (TLS1.3)", "status: NOERROR", "192.0.2.2"],
    ),
    (&["+tls-hostname=ns1.example.net", "+padding", "www.example.com", "A"], &["PADDING: ", "Received 468 B"]),
    (&["+tls-hostname=ns1.example.net", "no.example.com", "A"], &["status: NXDOMAIN"]),
    (
        &["+tls-hostname=ns1.example.net", "+keepopen", "www.example.com", "A", "ns.example.com", "A"],
        &["192.0.2.1", "192.0.2.2"],
    ),
    (&["+tls-hostname=other.example.net", "www.example.com", "A"], &["handshake failed"]),
];

/// Asks, and fails with the whole output of kdig when it does not say what it has to.
pub(super) fn run(daemons: &Daemons) -> Outcome {
    let folder = Folder::new("tls")?;
    let (address, mut process) = start(&folder, &daemons.nssd)?;
    process.wait_until(START_TIME, || std::net::TcpStream::connect(address).is_ok())?;
    for (options, wanted) in CASES {
        let output = kdig(address, folder.path(), options)?;
        if let Some(missing) = wanted.iter().find(|words| !output.contains(**words)) {
            let options = options.join(" ");
            return Err(Failure::new(format!("`kdig {options}` does not say \"{missing}\" but\n{output}")));
        }
    }
    let output = kdig(address, folder.path(), &["+tls-hostname=ns1.example.net", "example.com", "AXFR"])?;
    let wanted = format!("{} records)", RECORDS + 1);
    if !output.contains(&wanted) {
        let end: Vec<&str> = output.lines().rev().take(5).collect();
        return Err(Failure::new(format!("kdig transfers a zone over TLS without \"{wanted}\": {end:?}")));
    }
    println!("kdig over TLS: {} questions and a zone transfer as they have to be", CASES.len());
    Ok(())
}

fn start(folder: &Folder, nssd: &Path) -> Outcome<(SocketAddr, Process)> {
    let made =
        rcgen::generate_simple_self_signed(["ns1.example.net".to_owned()]).context("cannot make a certificate")?;
    let loopback = [127, 0, 0, 1].into();
    let address = SocketAddr::new(loopback, free_port(&[loopback])?);
    let hosts: String = (0..RECORDS - 4).map(|i| format!("h{i} A 10.0.{}.{}\n", i / 256, i % 256)).collect();
    let config = format!(
        "[server]
listen = [\"127.0.0.1:0\"]
state_directory = \"state\"
control_socket = \"control.sock\"

[tls]
listen = [\"{address}\"]
certificate = \"cert.pem\"
key = \"key.pem\"

[transfer]
allow = [\"127.0.0.1\"]

[[zone]]
name = \"example.com\"
file = \"example.com.zone\"
"
    );
    for (name, text) in [
        ("cert.pem", made.cert.pem()),
        ("key.pem", made.signing_key.serialize_pem()),
        (
            "example.com.zone",
            format!("$TTL 300\n@ SOA ns host 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\nwww A 192.0.2.2\n{hosts}"),
        ),
        ("nssd.toml", config),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, text).context(path.display())?;
    }
    let mut command = Command::new(nssd);
    command.args(["serve", "--config"]).arg(folder.path().join("nssd.toml"));
    let process = Process::start("nssd", &mut command, &folder.path().join("log"))?;
    Ok((address, process))
}

/// All that kdig says, however it ends.
fn kdig(server: SocketAddr, folder: &Path, options: &[&str]) -> Outcome<String> {
    let mut command = Command::new(require("kdig")?);
    command.arg(format!("@{}", server.ip())).args(["-p", &server.port().to_string()]);
    command.arg(format!("+tls-ca={}", folder.join("cert.pem").display())).args(options);
    let output = command.output().context("cannot start kdig")?;
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Ok(format!("{stdout}{stderr}"))
}
