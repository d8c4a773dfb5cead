//! Who signs and who serves: the programs that are installed, or something else in their place.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::sign::sign;
use super::zones::Signing;
use crate::failure::{Failure, Outcome};
use crate::process::Folder;
use crate::servers::{Kind, Server, Zones};

/// Signers and servers.
pub(crate) trait Programs: Sync {
    /// Puts the signed zone in the place of the zone file at `path`; says whether the zone could be signed.
    fn sign(&self, zone: &str, signing: &Signing, path: &Path, keys: &Path) -> Outcome<bool>;

    /// Starts a server of a kind and waits until it answers.
    fn launch(&self, kind: Kind, zones: &Zones, folder: &Folder) -> Outcome<Box<dyn Host>>;
}

/// A server that answers on an address until it is stopped.
pub(crate) trait Host: Send {
    fn address(&self) -> SocketAddr;

    /// Ends it; an error if it did not end as it should.
    fn stop(self: Box<Self>) -> Outcome;
}

/// The real ones.
pub(crate) struct Installed {
    /// The daemon's program.
    pub(crate) nssd: PathBuf,
}

impl Programs for Installed {
    fn sign(&self, zone: &str, signing: &Signing, path: &Path, keys: &Path) -> Outcome<bool> {
        sign(zone, signing, path, keys)
    }

    fn launch(&self, kind: Kind, zones: &Zones, folder: &Folder) -> Outcome<Box<dyn Host>> {
        Ok(Box::new(Server::start(kind, zones, folder, &self.nssd)?))
    }
}

impl Host for Server {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn stop(self: Box<Self>) -> Outcome {
        let log = self.process.log_tail();
        // The peers are killed when they are dropped; nssd must end cleanly.
        if self.kind == Kind::Nssd && self.process.stop()?.is_none_or(|status| !status.success()) {
            return Err(Failure::new(format!("nssd did not stop cleanly on SIGTERM; its log ends with:\n{log}")));
        }
        Ok(())
    }
}
