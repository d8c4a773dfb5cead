//! The secrets of DNS cookies (RFC 9018), and the file in which the operator rolls them.
//!
//! ```text
//! # one secret a line, 32 hexadecimal digits
//! 445536bcd2513298075a5d379663c962        makes cookies
//! dd3bdf9344b678b185a6f5cb60fca715        counts as well: the one before, or the one to come
//! ```
//!
//! A reload reads the file again. The workers see by a number, once a batch, that there is something new to take over.

use std::fmt;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::{Mutex, MutexGuard};

use nss_authority::CookieSecrets;
use nss_authority::cookie::SECRETS_MAX;

use crate::config::ServerConfig;

/// The secrets that are in force, for all who answer.
pub(crate) struct SharedSecrets {
    /// Where they are from; `None` if they were drawn at random.
    file: Option<PathBuf>,
    /// `None` if there are no cookies.
    in_force: Mutex<Option<CookieSecrets>>,
    /// Grows with each change of them.
    version: AtomicU64,
}

/// Which secrets somebody has taken over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SecretsVersion(u64);

impl SharedSecrets {
    /// The secrets that the configuration asks for; `random` is the one when it names no file.
    ///
    /// # Errors
    ///
    /// A file that can't be read, is open to everyone, or holds something else than secrets.
    pub(crate) fn read(config: &ServerConfig, random: [u8; 16]) -> Result<SharedSecrets, CookieSecretsError> {
        let file = config.cookie_secret_file.clone().filter(|_| config.cookies);
        let secrets = match &file {
            Some(path) => Some(read(path)?),
            None if config.cookies => CookieSecrets::new(&[random]),
            None => None,
        };
        Ok(SharedSecrets { file, in_force: Mutex::new(secrets), version: AtomicU64::new(1) })
    }

    /// Reads the file again, if there is one.
    ///
    /// # Errors
    ///
    /// As [`SharedSecrets::read`]; then the secrets before stay in force.
    pub(crate) fn read_again(&self) -> Result<(), CookieSecretsError> {
        let Some(path) = &self.file else { return Ok(()) };
        let new = Some(read(path)?);
        let mut in_force = self.lock();
        if *in_force != new {
            *in_force = new;
            self.version.fetch_add(1, Release);
            tracing::info!(file = %path.display(), "the cookie secrets have changed");
        }
        Ok(())
    }

    /// Brings `secrets` up to date; without a lock when they are, as `version` tells.
    pub(crate) fn update(&self, secrets: &mut Option<CookieSecrets>, version: &mut SecretsVersion) {
        if self.version.load(Acquire) == version.0 {
            return;
        }
        let in_force = self.lock();
        secrets.clone_from(&in_force);
        *version = SecretsVersion(self.version.load(Acquire));
    }

    fn lock(&self) -> MutexGuard<'_, Option<CookieSecrets>> {
        self.in_force.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl fmt::Debug for SharedSecrets {
    /// Keeps the secrets out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedSecrets").field("file", &self.file).finish_non_exhaustive()
    }
}

/// Why there are no secrets to make cookies with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CookieSecretsError {
    /// The file that is to be changed.
    pub path: PathBuf,
    /// What is wrong with it; never the secrets themselves, for messages go to logs.
    pub reason: String,
}

impl fmt::Display for CookieSecretsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.path.display(), self.reason)
    }
}

impl std::error::Error for CookieSecretsError {}

fn read(path: &Path) -> Result<CookieSecrets, CookieSecretsError> {
    let fail = |reason| CookieSecretsError { path: path.to_owned(), reason };
    let cannot = |error: io::Error| fail(format!("cannot be read: {error}"));
    let file = std::fs::File::open(path).map_err(cannot)?;
    let mode = file.metadata().map_err(cannot)?.permissions().mode();
    if mode & OTHERS > 0 {
        let reason = format!(
            "is open to every user of this machine (mode {:04o}), who could forge cookies with it: run chmod o= on it \
             and draw new secrets",
            mode & 0o7777
        );
        return Err(fail(reason));
    }
    let mut text = String::new();
    file.take(FILE_SIZE_MAX + 1).read_to_string(&mut text).map_err(cannot)?;
    if text.len() as u64 > FILE_SIZE_MAX {
        return Err(fail(format!("is larger than {} KiB", FILE_SIZE_MAX >> 10)));
    }
    parse(&text).map_err(fail)
}

/// Reads the text of a file; an error says what is wrong in which line.
fn parse(text: &str) -> Result<CookieSecrets, String> {
    let mut secrets: Vec<[u8; 16]> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let digits = line.split('#').next().unwrap_or_default().trim();
        if digits.is_empty() {
            continue;
        }
        let secret = secret(digits).ok_or_else(|| {
            format!("line {number}: a cookie secret is written as 32 hexadecimal digits (RFC 9018 §4.4)")
        })?;
        if secrets.contains(&secret) {
            return Err(format!("line {number}: this secret stands there twice; remove one of them"));
        }
        if secrets.len() == SECRETS_MAX {
            return Err(format!(
                "line {number}: more than {SECRETS_MAX} secrets; remove those that are not used any more"
            ));
        }
        secrets.push(secret);
    }
    CookieSecrets::new(&secrets).ok_or_else(|| {
        "holds no secret; write 32 hexadecimal digits into its first line, as `openssl rand -hex 16` draws them"
            .to_owned()
    })
}

fn secret(digits: &str) -> Option<[u8; 16]> {
    let is_hexadecimal = digits.len() == 32 && digits.bytes().all(|octet| octet.is_ascii_hexdigit());
    is_hexadecimal.then(|| u128::from_str_radix(digits, 16).ok().map(u128::to_be_bytes)).flatten()
}

/// The bits of a file's mode for those who are neither its owner nor of its group.
const OTHERS: u32 = 0o007;

/// Octets of a file of secrets at most: a few lines, and as many comments as anybody writes.
const FILE_SIZE_MAX: u64 = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "445536bcd2513298075a5d379663c962";
    const B: &str = "DD3BDF9344B678B185A6F5CB60FCA715";

    #[test]
    fn secrets_stand_one_a_line_with_comments_and_blank_lines_between() {
        let (a, b) = (secret(A).unwrap(), secret(B).unwrap());
        assert_eq!(a[..3], [0x44, 0x55, 0x36]);
        let text = format!("# cookies\n\n  {A}  # since May\r\n#{A}\n{B}");
        assert_eq!(parse(&text), Ok(CookieSecrets::new(&[a, b]).unwrap()));
        assert_ne!(parse(&text), Ok(CookieSecrets::new(&[b, a]).unwrap()), "the order matters");
    }

    #[test]
    fn what_is_no_secret_is_refused_with_its_line_and_kept_out_of_the_message() {
        let many: String = (0..5).map(|i| format!("{i:032x}\n")).collect();
        for (text, place, advice) in [
            (format!("{A}\n{}", &A[1..]), "line 2: ", "32 hexadecimal digits"),
            (format!("{A}0"), "line 1: ", "32 hexadecimal digits"),
            (format!("\n{}", A.replace('4', "g")), "line 2: ", "32 hexadecimal digits"),
            (format!("+{}", &A[1..]), "line 1: ", "32 hexadecimal digits"),
            (format!("{A} {B}"), "line 1: ", "32 hexadecimal digits"),
            (format!("{A}\n{B}\n{A}"), "line 3: ", "twice"),
            (many, "line 5: ", "more than 4 secrets"),
            ("# nothing\n\n".to_owned(), "", "holds no secret"),
        ] {
            let error = parse(&text).unwrap_err();
            assert!(error.starts_with(place) && error.contains(advice), "{error}");
            assert!(!error.contains(&A[1..]), "{error}");
        }
    }

    #[test]
    fn who_has_the_secrets_already_takes_no_lock_and_who_has_not_gets_them() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secrets");
        let write = |text: &str| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        };
        write(A);
        let config = ServerConfig { cookie_secret_file: Some(path.clone()), ..ServerConfig::default() };
        let shared = SharedSecrets::read(&config, [0; 16]).unwrap();
        let (mut secrets, mut version) = (None, SecretsVersion::default());
        shared.update(&mut secrets, &mut version);
        assert_eq!(secrets, CookieSecrets::new(&[secret(A).unwrap()]));
        // The same text changes nothing.
        let before = version;
        shared.read_again().unwrap();
        let locked = shared.lock();
        shared.update(&mut secrets, &mut version);
        drop(locked);
        assert_eq!(version, before);
        write(B);
        shared.read_again().unwrap();
        shared.update(&mut secrets, &mut version);
        assert_eq!(secrets, CookieSecrets::new(&[secret(B).unwrap()]));

        // Open to everyone, and gone.
        for mode in [0o644, 0o601, 0o602] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let error = shared.read_again().unwrap_err().to_string();
            assert!(error.contains(&format!("mode {mode:04o}")) && error.contains("chmod o="), "{error}");
        }
        std::fs::remove_file(&path).unwrap();
        assert!(shared.read_again().unwrap_err().to_string().contains("cannot be read: "));
        shared.update(&mut secrets, &mut version);
        assert_eq!(secrets, CookieSecrets::new(&[secret(B).unwrap()]));
    }

    #[test]
    fn without_a_file_the_secret_is_random_and_without_cookies_there_is_none() {
        let read = |cookies| {
            let config = ServerConfig { cookies, ..ServerConfig::default() };
            let shared = SharedSecrets::read(&config, [9; 16]).unwrap();
            let (mut secrets, mut version) = (None, SecretsVersion::default());
            shared.update(&mut secrets, &mut version);
            shared.read_again().unwrap();
            secrets
        };
        assert_eq!((read(true), read(false)), (CookieSecrets::new(&[[9; 16]]), None));
    }
}
