//! Uploads a zone file to a running nssd: `put_zone SOCKET APEX FILE`.

use std::process::ExitCode;

use nss_wire::NameBuf;
use nssd::control::{Client, ClientError, PutOptions};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [socket, apex, file] = arguments.as_slice() else {
        eprintln!("usage: put_zone SOCKET APEX FILE");
        return ExitCode::from(2);
    };
    let apex: NameBuf = apex.parse().expect("the second argument is a domain name");
    let text = std::fs::read(file).expect("the third argument is a file that can be read");
    match Client::new(socket).put_zone(apex.as_name(), text.into(), &PutOptions::default()).await {
        Ok(zone) => {
            println!("{} is served with serial {}", zone.zone, zone.serial);
            ExitCode::SUCCESS
        }
        Err(ClientError::Refused(problem)) => {
            eprintln!("refused: {problem}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
