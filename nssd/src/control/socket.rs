//! The control socket: where it is, who may use it, and its connections.

use std::convert::Infallible;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::service::{Daemon, Service, forbidden, problem_response};
use crate::server::stopped;

/// A bound control socket; dropping it removes the path.
#[derive(Debug)]
pub(crate) struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
    access: Access,
}

/// Who may use the socket, besides root and the daemon's own user.
#[derive(Clone, Debug)]
struct Access {
    own_uid: u32,
    /// Group of the socket file.
    gid: u32,
    uids: Vec<u32>,
}

impl ControlSocket {
    /// Binds `path` with mode 0660, and gives it to `group` when there is one.
    ///
    /// A socket that nobody listens on any more, left behind by a daemon that was killed, is replaced.
    pub(crate) fn bind(path: &Path, group: Option<&str>, uids: &[u32]) -> io::Result<ControlSocket> {
        if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
            fs::create_dir_all(directory)?;
        }
        remove_if_dead(path)?;
        // Between bind and chmod the file has the mode that the umask allows, and a client could slip in: so it is
        // bound under a name that nobody looks at, and moved when all is set.
        let mut hidden = path.as_os_str().to_owned();
        hidden.push(format!(".{}", std::process::id()));
        let hidden = PathBuf::from(hidden);
        let _ = fs::remove_file(&hidden);
        let listener = UnixListener::bind(&hidden)?;
        let set_up = || {
            if let Some(group) = group {
                std::os::unix::fs::chown(&hidden, None, Some(gid_of(group)?))?;
            }
            fs::set_permissions(&hidden, fs::Permissions::from_mode(0o660))?;
            fs::rename(&hidden, path)?;
            fs::metadata(path)
        };
        let gid = match set_up() {
            Ok(metadata) => metadata.gid(),
            Err(error) => {
                let _ = fs::remove_file(&hidden);
                return Err(error);
            }
        };
        let access = Access { own_uid: nix::unistd::geteuid().as_raw(), gid, uids: uids.to_vec() };
        Ok(ControlSocket { listener, path: path.to_owned(), access })
    }

    /// Serves calls until `stop` says true, and then lets those that have begun come to their end.
    pub(crate) async fn serve(self, daemon: Arc<impl Daemon>, mut stop: watch::Receiver<bool>) {
        let service = Arc::new(Service::new(daemon));
        let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut connections = JoinSet::new();
        loop {
            // At the limit callers wait in the backlog instead of being turned away.
            let Ok(slot) = slots.clone().acquire_owned().await else { break };
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = stopped(&mut stop) => break,
            };
            while connections.try_join_next().is_some() {}
            match accepted {
                Ok((stream, _)) => {
                    let (service, access, stop) = (service.clone(), self.access.clone(), stop.clone());
                    connections.spawn(async move {
                        serve_connection(stream, service, access, stop).await;
                        drop(slot);
                    });
                }
                Err(error) => {
                    // No file descriptors left, most likely; that passes when connections end.
                    tracing::warn!(%error, "cannot accept on the control socket");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        let drained = async { while connections.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(DRAIN_TIME_MAX, drained).await;
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl Access {
    /// Whether the peer may use the socket, as the kernel tells its ids.
    async fn allows(&self, stream: &UnixStream) -> io::Result<bool> {
        let peer = stream.peer_cred()?;
        let (uid, gid, own_gid) = (peer.uid(), peer.gid(), self.gid);
        if self.allows_ids(uid, gid) {
            return Ok(true);
        }
        // The kernel tells only one group of a peer; the others stand in the system's user database.
        let member = tokio::task::spawn_blocking(move || is_member(uid, own_gid)).await;
        Ok(member.unwrap_or(false))
    }

    fn allows_ids(&self, uid: u32, gid: u32) -> bool {
        uid == 0 || uid == self.own_uid || gid == self.gid || self.uids.contains(&uid)
    }
}

async fn serve_connection(
    stream: UnixStream,
    service: Arc<Service<impl Daemon>>,
    access: Access,
    mut stop: watch::Receiver<bool>,
) {
    let allowed = match access.allows(&stream).await {
        Ok(allowed) => allowed,
        Err(error) => {
            tracing::warn!(%error, "a peer of the control socket has no credentials");
            false
        }
    };
    let handler = service_fn(move |request| {
        let service = service.clone();
        async move {
            let response = if allowed { service.answer(request).await } else { Err(forbidden()) };
            Ok::<_, Infallible>(response.unwrap_or_else(|problem| problem_response(&problem)))
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME_MAX)
        .max_buf_size(HEADER_SIZE_MAX)
        .half_close(true)
        .serve_connection(TokioIo::new(stream), handler);
    let mut connection = std::pin::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection to the control socket broke");
    }
}

fn remove_if_dead(path: &Path) -> io::Result<()> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !metadata.file_type().is_socket() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file of this name that is no socket"));
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => {
            Err(io::Error::new(io::ErrorKind::AddrInUse, "another process listens on it; is nssd running already?"))
        }
        Err(_) => fs::remove_file(path),
    }
}

fn gid_of(group: &str) -> io::Result<u32> {
    if let Ok(gid) = group.parse() {
        return Ok(gid);
    }
    match nix::unistd::Group::from_name(group)? {
        Some(group) => Ok(group.gid.as_raw()),
        None => Err(io::Error::new(io::ErrorKind::NotFound, format!("there is no group \"{group}\""))),
    }
}

#[cfg(not(target_vendor = "apple"))]
fn is_member(uid: u32, gid: u32) -> bool {
    let Ok(Some(user)) = nix::unistd::User::from_uid(uid.into()) else { return false };
    let Ok(name) = std::ffi::CString::new(user.name) else { return false };
    nix::unistd::getgrouplist(&name, user.gid).is_ok_and(|groups| groups.contains(&gid.into()))
}

#[cfg(target_vendor = "apple")]
fn is_member(_: u32, _: u32) -> bool {
    false
}

/// Connections at the same time: `nss-api` has one per upload in progress, and keeps up to 64 for the next ones.
const CONNECTIONS_MAX: usize = 256;

/// Time to wait when the system has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Time that calls have to come to their end when the daemon stops.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(5);

/// Time for the head of a request, and between two requests.
const HEADER_TIME_MAX: Duration = Duration::from_secs(10);

/// Octets of the head of a request: a name of 255 octets, all escaped and percent-encoded, and some headers.
const HEADER_SIZE_MAX: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_for_root_its_owner_its_group_and_who_is_listed() {
        let access = Access { own_uid: 100, gid: 200, uids: vec![101] };
        for (uid, gid, allowed) in
            [(0, 0, true), (100, 1, true), (5, 200, true), (101, 1, true), (102, 201, false), (200, 100, false)]
        {
            assert_eq!(access.allows_ids(uid, gid), allowed, "{uid} {gid}");
        }
        assert!(!is_member(u32::MAX - 7, 200), "a user that nobody knows is in no group");
    }

    #[tokio::test]
    async fn a_socket_left_behind_is_replaced_and_one_in_use_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("control.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let socket = ControlSocket::bind(&path, None, &[]).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        let error = ControlSocket::bind(&path, None, &[]).unwrap_err();
        assert!(error.to_string().contains("is nssd running already?"), "{error}");
        drop(socket);
        assert!(!path.exists());
        fs::write(&path, "").unwrap();
        assert_eq!(ControlSocket::bind(&path, None, &[]).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }
}
