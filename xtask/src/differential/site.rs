//! Zone files in a folder, signed, ready for the servers.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::hosted::{Hosted, ZoneData};
use super::programs::Programs;
use super::zones::Zone;
use crate::failure::{Context, Outcome};
use crate::process::Folder;
use crate::servers::Zones;

/// The files of some zones and what they hold.
pub(crate) struct Site {
    pub(crate) folder: Folder,
    pub(crate) files: Zones,
    pub(crate) hosted: Hosted,
    /// Places of the zones that their signer refused; they stand there unsigned.
    pub(crate) refused: Vec<usize>,
}

impl Site {
    /// Writes and signs the zones.
    pub(crate) fn new(zones: &[Zone], programs: &dyn Programs) -> Outcome<Site> {
        let folder = Folder::new("differential")?;
        let files =
            Zones { folder: folder.folder("zones")?, names: zones.iter().map(|zone| zone.name.clone()).collect() };
        let keys = folder.folder("keys")?;
        let (next, hosted, refused) = (AtomicUsize::new(0), Mutex::new(Hosted::default()), Mutex::new(Vec::new()));
        let work = || -> Outcome {
            while let index = next.fetch_add(1, Ordering::Relaxed)
                && let Some(zone) = zones.get(index)
            {
                let path = files.folder.join(format!("{}.zone", zone.name));
                let (data, is_refused) = write(zone, &path, &keys, programs)?;
                hosted.lock().expect("no worker panics").add(&zone.apex, data);
                if is_refused {
                    refused.lock().expect("no worker panics").push(index);
                }
            }
            Ok(())
        };
        // Most of the time goes into starting programs.
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| -> Outcome {
            let started: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
            started.into_iter().try_for_each(|worker| worker.join().expect("a worker does not panic"))
        })?;
        let hosted = hosted.into_inner().expect("no worker panicked");
        Ok(Site { folder, files, hosted, refused: refused.into_inner().expect("no worker panicked") })
    }
}

/// Writes a zone file, signed if it is to be; what it holds then, and whether the signer refused the zone.
///
/// ldns-signzone 1.8 writes quotes and semicolons in names bare, so that no server reads all of the zone: that is a
/// refusal too.
fn write(zone: &Zone, path: &Path, keys: &Path, programs: &dyn Programs) -> Outcome<(ZoneData, bool)> {
    let text = zone.text();
    std::fs::write(path, &text).context(path.display())?;
    let data = ZoneData::read(&zone.apex, text.as_bytes())?;
    let Some(signing) = &zone.signing else { return Ok((data, false)) };
    if programs.sign(&zone.name, signing, path, keys)? {
        let signed = std::fs::read(path).context(path.display())?;
        if let Ok(signed) = ZoneData::read(&zone.apex, &signed)
            && signed.has_all_of(&data)
        {
            return Ok((signed, false));
        }
        std::fs::write(path, &text).context(path.display())?;
    }
    Ok((data, true))
}
