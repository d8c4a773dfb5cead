//! Who signed a zone, and how far they had come: what was stored once of a signed zone is anybody's to copy, and old ever after.

use nss_wire::NameBuf;
use redb::ReadableTable;
use serde::{Deserialize, Serialize};

use crate::zones::is_newer;

/// Who signed a text, if it is signed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signers {
    /// RDATA of the DNSKEY records whose keys sign all of them.
    pub keys: Vec<Box<[u8]>>,
    /// The serial that they signed.
    pub serial: u32,
}

/// RDATA of the DNSKEY record of a key, and the newest serial that it signed.
pub type Signer = (Box<[u8]>, u32);

/// Writes down who signed a zone and with which serial, beside who did before.
pub(super) fn remember(
    table: &mut redb::Table<'_, &[u8], &[u8]>,
    apex: &NameBuf,
    signers: &Signers,
) -> Result<(), redb::Error> {
    if signers.keys.is_empty() {
        return Ok(());
    }
    let key = apex.as_name().to_lowercase();
    let mut before = match table.get(key.as_name().as_wire())? {
        Some(known) => read(known.value()),
        None => Vec::new(),
    };
    let mut all = Vec::new();
    for signer in &signers.keys {
        let known = before.iter().position(|(known, _)| known == signer).map(|at| before.remove(at).1);
        let serial = known.filter(|&known| !is_newer(signers.serial, known)).unwrap_or(signers.serial);
        all.push((signer.clone(), serial));
    }
    all.append(&mut before);
    all.truncate(SIGNERS_MAX);
    let mut octets = Vec::new();
    for (signer, serial) in all {
        octets.extend(serial.to_be_bytes());
        octets.extend((signer.len() as u16).to_be_bytes());
        octets.extend(signer);
    }
    table.insert(key.as_name().as_wire(), octets.as_slice())?;
    Ok(())
}

pub(super) fn read(mut octets: &[u8]) -> Vec<Signer> {
    let mut signers = Vec::new();
    while let Some((serial, rest)) = octets.split_first_chunk::<4>()
        && let Some((size, rest)) = rest.split_first_chunk::<2>()
        && let Some((signer, rest)) = rest.split_at_checked(u16::from_be_bytes(*size).into())
    {
        signers.push((signer.into(), u32::from_be_bytes(*serial)));
        octets = rest;
    }
    signers
}

/// Keys of one zone that are remembered: a roll-over has two, and old ones are forgotten long after their DS record is gone.
const SIGNERS_MAX: usize = 16;
