//! The changes of the store, and how each is made.

use bytes::Bytes;
use nss_wire::NameBuf;
use redb::{Database, ReadableTable};
use serde::Serialize;

use super::signers::{self, Signers};
use super::{CHECKS, GENERATION, PENDING, PIN_TIMES, PINS, SIGNERS, STATE, StoredClaim, TEXTS, VERSIONS, Version};
use crate::control::{Check, Pending, Pin};

/// One change of the store.
#[derive(Clone, Debug)]
pub enum Write {
    /// Adds or replaces a text.
    Put {
        /// The apex.
        apex: NameBuf,
        /// The zone's text.
        text: Bytes,
        /// What is known of it.
        version: Version,
        /// What the zone's pin becomes; `None` leaves it.
        pin: Option<Pin>,
        /// The claim that it is served by before its parent delegates it; `None` ends one.
        pending: Option<Pending>,
        /// Who signed it, to be remembered with the newest serial of each; of a claim once it is more than that.
        signers: Signers,
    },
    /// Deletes a text and its claim. The zone's pin stays: else anybody could take the name who is faster than its owner.
    Delete {
        /// The apex.
        apex: NameBuf,
        /// The change.
        generation: u64,
        /// What the zone's pin becomes; `None` leaves it.
        pin: Option<Pin>,
    },
    /// Writes down what a check at the parent found.
    Check {
        /// The apex.
        apex: NameBuf,
        /// What was found.
        check: Check,
    },
    /// Forgets what a check at the parent found.
    ForgetCheck {
        /// The apex.
        apex: NameBuf,
    },
    /// Writes down who signed a zone, and nothing else.
    Remember {
        /// The apex.
        apex: NameBuf,
        /// Who signed it.
        signers: Signers,
    },
    /// Deletes a text and all that is kept beside it, the pin too.
    Purge {
        /// The apex.
        apex: NameBuf,
        /// The change.
        generation: u64,
    },
    /// Changes the pin of a zone and nothing else.
    SetPin {
        /// The apex.
        apex: NameBuf,
        /// What it becomes.
        pin: Pin,
    },
    /// Deletes the text of a claimed zone, because another key claims the name as well.
    Contest {
        /// The apex.
        apex: NameBuf,
        /// What is kept of the claims.
        pending: Pending,
        /// The change.
        generation: u64,
    },
    /// Makes a claimed zone one like all others, pinned to the key that claimed it.
    Activate {
        /// The apex.
        apex: NameBuf,
        /// The pin.
        pin: Pin,
        /// What the check found that made it one.
        check: Check,
    },
}

/// Makes all of `writes` durable, or none of them.
pub(super) fn write(database: &Database, writes: &[Write], now: u64) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    // Two-phase, and with the free pages noted down, so that the start after a crash does not have to walk the
    // whole file.
    transaction.set_quick_repair(true);
    {
        let mut texts = transaction.open_table(TEXTS)?;
        let mut versions = transaction.open_table(VERSIONS)?;
        let mut pins = Pins { keys: transaction.open_table(PINS)?, times: transaction.open_table(PIN_TIMES)?, now };
        let mut checks = transaction.open_table(CHECKS)?;
        let mut claims = transaction.open_table(PENDING)?;
        let mut signed = transaction.open_table(SIGNERS)?;
        let mut state = transaction.open_table(STATE)?;
        for write in writes {
            let generation = match write {
                Write::SetPin { apex, pin } => {
                    pins.set(apex, Some(*pin))?;
                    continue;
                }
                Write::Check { apex, check } => {
                    let key = apex.as_name().to_lowercase();
                    checks.insert(key.as_name().as_wire(), json(check).as_slice())?;
                    continue;
                }
                Write::ForgetCheck { apex } => {
                    let key = apex.as_name().to_lowercase();
                    checks.remove(key.as_name().as_wire())?;
                    continue;
                }
                Write::Remember { apex, signers } => {
                    signers::remember(&mut signed, apex, signers)?;
                    continue;
                }
                Write::Activate { apex, pin, check } => {
                    pins.set(apex, Some(*pin))?;
                    let key = apex.as_name().to_lowercase();
                    checks.insert(key.as_name().as_wire(), json(check).as_slice())?;
                    if let Some(claim) = end_claim(&mut claims, apex)? {
                        signers::remember(&mut signed, apex, &claim.signers)?;
                    }
                    continue;
                }
                Write::Contest { apex, pending, generation } => {
                    let key = apex.as_name().to_lowercase();
                    texts.remove(key.as_name().as_wire())?;
                    versions.remove(key.as_name().as_wire())?;
                    checks.remove(key.as_name().as_wire())?;
                    let claim = StoredClaim { pending: pending.clone(), signers: Signers::default() };
                    claims.insert(key.as_name().as_wire(), json(&claim).as_slice())?;
                    *generation
                }
                Write::Purge { apex, generation } => {
                    let key = apex.as_name().to_lowercase();
                    texts.remove(key.as_name().as_wire())?;
                    versions.remove(key.as_name().as_wire())?;
                    checks.remove(key.as_name().as_wire())?;
                    pins.keys.remove(key.as_name().as_wire())?;
                    pins.times.remove(key.as_name().as_wire())?;
                    claims.remove(key.as_name().as_wire())?;
                    signed.remove(key.as_name().as_wire())?;
                    *generation
                }
                Write::Put { apex, text, version, pin, pending, signers } => {
                    pins.set(apex, *pin)?;
                    let key = apex.as_name().to_lowercase();
                    // Who uploads has just shown that the zone is delegated here, or what it waits for.
                    checks.remove(key.as_name().as_wire())?;
                    match pending {
                        // A claim proves nothing, and so must not stand in the way of what is proved.
                        Some(pending) => {
                            let claim = StoredClaim { pending: pending.clone(), signers: signers.clone() };
                            claims.insert(key.as_name().as_wire(), json(&claim).as_slice())?;
                        }
                        None => {
                            // Of the claim of the key that has now shown itself to be right, what was signed is as old as any other.
                            let claim = end_claim(&mut claims, apex)?.filter(|claim| Some(claim.pending.pin) == *pin);
                            for signers in claim.iter().map(|claim| &claim.signers).chain([signers]) {
                                signers::remember(&mut signed, apex, signers)?;
                            }
                        }
                    }
                    texts.insert(key.as_name().as_wire(), text.as_ref())?;
                    versions.insert(key.as_name().as_wire(), (version.generation, version.uploaded_at))?;
                    version.generation
                }
                Write::Delete { apex, generation, pin } => {
                    pins.set(apex, *pin)?;
                    let key = apex.as_name().to_lowercase();
                    checks.remove(key.as_name().as_wire())?;
                    texts.remove(key.as_name().as_wire())?;
                    versions.remove(key.as_name().as_wire())?;
                    claims.remove(key.as_name().as_wire())?;
                    // Without a pin nothing would ever forget them.
                    if pins.keys.get(key.as_name().as_wire())?.is_none() {
                        signed.remove(key.as_name().as_wire())?;
                    }
                    *generation
                }
            };
            state.insert(GENERATION, generation)?;
        }
    }
    transaction.commit()?;
    Ok(())
}

/// Deletes a claim; returns what it was, if there was one.
fn end_claim(
    claims: &mut redb::Table<'_, &'static [u8], &'static [u8]>,
    apex: &NameBuf,
) -> Result<Option<StoredClaim>, redb::Error> {
    let key = apex.as_name().to_lowercase();
    let claim = claims.remove(key.as_name().as_wire())?;
    Ok(claim.and_then(|claim| serde_json::from_slice(claim.value()).ok()))
}

/// The tables of pins in a commit.
struct Pins<'t> {
    keys: redb::Table<'t, &'static [u8], &'static [u8; 32]>,
    times: redb::Table<'t, &'static [u8], u64>,
    now: u64,
}

impl Pins<'_> {
    /// Pins a zone to a key, from now on even if it is the one before: who sets it has just proved to be the owner without it.
    fn set(&mut self, apex: &NameBuf, pin: Option<Pin>) -> Result<(), redb::Error> {
        let Some(pin) = pin else { return Ok(()) };
        let apex = apex.as_name().to_lowercase();
        self.keys.insert(apex.as_name().as_wire(), pin.as_octets())?;
        self.times.insert(apex.as_name().as_wire(), self.now)?;
        Ok(())
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("the control types have string keys only")
}
