//! A relay between a front and the control socket of our name server, which holds back what a test wants held back.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::support::PATIENCE;

/// What becomes of the name server's answer to an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Passed,
    /// The connection ends in its stead, as if the name server had died after its commit.
    Lost,
    /// It is another one.
    Replaced(&'static str),
}

/// Takes calls on a socket of its own until the test ends.
pub(crate) struct Relay {
    directory: TempDir,
}

impl Relay {
    /// Hands calls on to `upstream`; `treat` is called before each upload is.
    pub(crate) fn start(upstream: PathBuf, treat: impl Fn() -> Answer + Clone + Send + 'static) -> Relay {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("control.sock")).unwrap();
        std::thread::spawn(move || {
            // Nobody waits for it: it ends with the process, as its callers do.
            for caller in listener.incoming() {
                let (upstream, treat) = (upstream.clone(), treat.clone());
                std::thread::spawn(move || serve(caller.unwrap(), &upstream, treat));
            }
        });
        Relay { directory }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("control.sock")
    }
}

/// One call after the other, until somebody hangs up.
fn serve(mut caller: UnixStream, upstream: &Path, treat: impl Fn() -> Answer) -> Option<()> {
    let mut requests = BufReader::new(caller.try_clone().ok()?);
    let mut upstream = UnixStream::connect(upstream).ok()?;
    upstream.set_read_timeout(Some(PATIENCE)).ok()?;
    let mut answers = BufReader::new(upstream.try_clone().ok()?);
    loop {
        let request = message(&mut requests)?;
        let treated = if request.starts_with(b"PUT /v1/zones/") { treat() } else { Answer::Passed };
        upstream.write_all(&request).ok()?;
        let answer = message(&mut answers)?;
        match treated {
            Answer::Passed => caller.write_all(&answer).ok()?,
            Answer::Lost => return None,
            Answer::Replaced(answer) => caller.write_all(answer.as_bytes()).ok()?,
        }
    }
}

/// One message of HTTP/1.1 whose body has a length, or none.
fn message(from: &mut impl BufRead) -> Option<Vec<u8>> {
    let (mut octets, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        if from.read_line(&mut line).ok()? == 0 {
            return None;
        }
        octets.extend(line.as_bytes());
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line == "\r\n" {
            break;
        }
    }
    from.take(length).read_to_end(&mut octets).ok()?;
    Some(octets)
}
