//! What the store holds, served again.

use bytes::Bytes;
use nss_wire::NameBuf;

use super::index::{Checked, Hosted, Origin, Tombstone, Upload};
use super::{Zones, key, threads};
use crate::control::ZONE_TEXT_SIZE_MAX;
use crate::store::{StoreError, Version};

impl Zones {
    /// Builds and serves all stored zones.
    pub(super) fn load(&self) -> Result<(), StoreError> {
        for (apex, pending) in self.store.pending()? {
            match pending {
                Some(pending) => drop(self.index_mut().pending.insert(key(apex.as_name()).into(), pending)),
                None => tracing::error!(zone = %apex, "a stored claim can't be read, and its zone is not served"),
            }
        }
        let mut after: Option<NameBuf> = None;
        loop {
            let page = self.store.page(after.as_ref().map(NameBuf::as_name), LOAD_PAGE_SIZE, LOAD_PAGE_OCTETS)?;
            let Some((last, ..)) = page.last() else { break };
            after = Some(last.clone());
            std::thread::scope(|scope| {
                for part in page.chunks(page.len().div_ceil(threads())) {
                    scope.spawn(move || {
                        for (apex, text, version) in part {
                            self.load_one(apex, text, *version);
                        }
                    });
                }
            });
        }
        for apex in self.store.pins_alone()? {
            let checked = self.store.check(apex.as_name())?.map(|check| Checked::from(&check));
            // When it was withdrawn is known until the daemon ends: then it is time for a check.
            let tombstone = Tombstone { since: 0, checked };
            self.index_mut().bury(&key(apex.as_name()), tombstone);
        }
        Ok(())
    }

    fn load_one(&self, apex: &NameBuf, text: &Bytes, version: Version) {
        let hosted = self.restored(apex, text, version);
        self.index_mut().set(key(apex.as_name()), hosted);
    }

    /// Serves a stored text, or says why not.
    pub(super) fn restored(&self, apex: &NameBuf, text: &Bytes, version: Version) -> Hosted {
        let upload = |checked| Upload::new(version, text.len(), checked);
        let checked = match self.store.standing(apex.as_name()) {
            Ok(check) => check.map(|check| Checked::from(&check)),
            // It may be parked, or a claim whose time is over.
            Err(error) => {
                let reason = error.to_string();
                tracing::error!(zone = %apex, %reason, "whether a stored zone is to be served can't be read, and it is not");
                return Hosted { upload: Some(Box::new(upload(None).broken(&reason))), ..Hosted::default() };
            }
        };
        let upload = upload(checked);
        if checked.is_some_and(|checked| checked.is_parked) {
            return Hosted { upload: Some(Box::new(upload)), ..Hosted::default() };
        }
        match self.check(apex, text, None, None) {
            Ok(accepted) => {
                let served = self.publish(accepted, Origin::Upload);
                Hosted { served: Some(served), upload: Some(Box::new(upload)), file: None }
            }
            Err(rejected) => {
                let reason = rejected.summary();
                tracing::error!(zone = %apex, %reason, "a stored zone no longer builds and is not served");
                Hosted { upload: Some(Box::new(upload.broken(&reason))), ..Hosted::default() }
            }
        }
    }
}

/// Zones that are read from the store at once at the start.
const LOAD_PAGE_SIZE: usize = 256;

/// Octets of the texts that are read from the store at once at the start, one text more or less: as much as the largest has.
const LOAD_PAGE_OCTETS: usize = ZONE_TEXT_SIZE_MAX;
