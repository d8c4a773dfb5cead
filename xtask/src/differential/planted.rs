//! Four servers in this process that answer by the same code, one of them with a mistake: for tests of the comparison.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use nss_authority::{Catalog, HashSeed, Outcome as Answered, Peer, Policy, Transport};
use nss_wire::message::MESSAGE_SIZE_MAX;
use nss_wire::{Class, NameBuf, RType};

use super::programs::{Host, Programs};
use super::zones::Signing;
use crate::client::free_port;
use crate::failure::{Context, Outcome};
use crate::process::Folder;
use crate::servers::{Kind, Zones};

/// Servers of which the last one may be wrong; nobody signs.
pub(crate) struct Planted {
    pub(crate) wrong: Wrong,
}

/// What the last server does wrong.
#[derive(Clone, Copy)]
pub(crate) enum Wrong {
    Nobody,
    /// It has no records of a type.
    LosesType(RType),
    SetsAuthenticData,
}

impl Programs for Planted {
    fn sign(&self, _: &str, _: &Signing, _: &Path, _: &Path) -> Outcome<bool> {
        Ok(false)
    }

    fn launch(&self, kind: Kind, zones: &Zones, _: &Folder) -> Outcome<Box<dyn Host>> {
        let wrong = if kind == Kind::Nssd { self.wrong } else { Wrong::Nobody };
        Ok(Box::new(Server::start(zones, wrong)?))
    }
}

struct Server {
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    fn start(zones: &Zones, wrong: Wrong) -> Outcome<Server> {
        let catalog = Arc::new(Catalog::new(HashSeed::new(7)));
        for name in &zones.names {
            let path = zones.folder.join(format!("{name}.zone"));
            let text = std::fs::read(&path).context(path.display())?;
            let apex: NameBuf = name.parse().expect("the name of a zone");
            let mut builder = catalog.zone_builder(apex.as_name(), Class::IN);
            let options = nss_zonefile::Options::for_zone(apex.as_name());
            for (record, position) in nss_zonefile::read(&text, &options).expect("a zone file") {
                if !matches!(wrong, Wrong::LosesType(lost) if lost == record.rtype) {
                    builder.add(record.as_record(), position.line);
                }
            }
            // What is no zone is answered for as if it were not there.
            if let Ok((zone, _)) = builder.build() {
                catalog.publish(zone);
            }
        }
        let loopback = IpAddr::from([127, 0, 0, 1]);
        let address = SocketAddr::new(loopback, free_port(&[loopback])?);
        let (udp, tcp) = (UdpSocket::bind(address).context(address)?, TcpListener::bind(address).context(address)?);
        let is_over = Arc::new(AtomicBool::new(false));
        let (over, answerer) = (is_over.clone(), Answerer { catalog, wrong });
        let (over_tcp, answerer_tcp) = (is_over.clone(), answerer.clone());
        let threads = vec![
            std::thread::spawn(move || {
                let mut request = [0; 65535];
                while let Ok((length, from)) = udp.recv_from(&mut request)
                    && !over.load(Ordering::Relaxed)
                {
                    if let Some(reply) = answerer.answer(&request[..length], Transport::Udp) {
                        let _ = udp.send_to(&reply, from);
                    }
                }
            }),
            std::thread::spawn(move || {
                while let Ok((stream, _)) = tcp.accept()
                    && !over_tcp.load(Ordering::Relaxed)
                {
                    let _ = stream.set_nodelay(true);
                    let answerer = answerer_tcp.clone();
                    // Ends with the client's connection.
                    std::thread::spawn(move || answerer.serve(stream));
                }
            }),
        ];
        Ok(Server { address, is_over, threads })
    }
}

impl Host for Server {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn stop(self: Box<Self>) -> Outcome {
        self.is_over.store(true, Ordering::Relaxed);
        // One more of each wakes both threads.
        let socket = UdpSocket::bind("127.0.0.1:0").context("cannot bind a UDP socket")?;
        socket.send_to(&[0], self.address).context(self.address)?;
        TcpStream::connect(self.address).context(self.address)?;
        self.threads.into_iter().for_each(|thread| thread.join().expect("a server does not panic"));
        Ok(())
    }
}

#[derive(Clone)]
struct Answerer {
    catalog: Arc<Catalog>,
    wrong: Wrong,
}

impl Answerer {
    fn answer(&self, request: &[u8], transport: Transport) -> Option<Vec<u8>> {
        let peer = Peer { transport, address: IpAddr::from([127, 0, 0, 1]) };
        let mut reply = vec![0; MESSAGE_SIZE_MAX];
        let Answered::Reply(answered) = self.catalog.view().respond(request, &peer, &Policy::default(), &mut reply)
        else {
            return None;
        };
        reply.truncate(answered.len);
        if let Wrong::SetsAuthenticData = self.wrong {
            reply[3] |= 0x20;
        }
        Some(reply)
    }

    fn serve(&self, mut stream: TcpStream) {
        let mut length = [0; 2];
        while stream.read_exact(&mut length).is_ok() {
            let mut request = vec![0; u16::from_be_bytes(length).into()];
            if stream.read_exact(&mut request).is_err() {
                return;
            }
            let Some(reply) = self.answer(&request, Transport::Tcp) else { return };
            let framed = [&(reply.len() as u16).to_be_bytes()[..], &reply].concat();
            if stream.write_all(&framed).is_err() {
                return;
            }
        }
    }
}
