//! How many zones may be uploaded, and how much they may take.
//!
//! Uploads come from strangers and stay, so that without a maximum they would fill the memory, and fill it again at every start. What is
//! stored already is served whatever the maximum: only what comes is refused.

use nss_wire::NameBuf;

use super::index::Index;
use super::key;
use crate::control::{Problem, ProblemCode};

/// How much there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    /// Zones.
    pub(crate) zones_max: u64,
    /// Octets of tables and texts.
    pub(crate) size_max: u64,
}

/// How many uploads there are, and how much they take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Uploads {
    /// Zones.
    pub(crate) zones: u64,
    /// Octets of their tables in memory and of their texts on disk. A text counts as much as a table, or comments would fill the disk.
    pub(crate) size: u64,
}

impl Uploads {
    /// One zone of this size.
    pub(super) fn one(size: u64) -> Uploads {
        Uploads { zones: 1, size }
    }

    pub(super) fn plus(self, other: Uploads) -> Uploads {
        Uploads { zones: self.zones + other.zones, size: self.size + other.size }
    }

    /// How much more this is than `other`.
    fn beyond(self, other: Uploads) -> Uploads {
        Uploads { zones: self.zones.saturating_sub(other.zones), size: self.size.saturating_sub(other.size) }
    }
}

impl Room {
    /// How much a zone of this size adds to what is stored and `planned`, in the place of what is stored of the zones `before`.
    ///
    /// # Errors
    ///
    /// There is no room for it. What takes no more than before always has some.
    pub(super) fn add(
        self,
        index: &Index,
        planned: Uploads,
        size: u64,
        before: &[&NameBuf],
    ) -> Result<Uploads, Problem> {
        let before = before.iter().filter_map(|apex| Some(index.zones.get(key(apex.as_name()).as_str())?.uploads()));
        let added = Uploads::one(size).beyond(before.fold(Uploads::default(), Uploads::plus));
        let after = index.totals.uploads.plus(planned).plus(added);
        let full = |detail: String| Err(Problem::new(ProblemCode::StorageFull, detail));
        if added.zones > 0 && after.zones > self.zones_max {
            return full(format!(
                "{} zones are uploaded, and no more may be; delete some, or have the operator raise server.uploads_max",
                index.totals.uploads.zones
            ));
        }
        if added.size > 0 && after.size > self.size_max {
            return full(format!(
                "uploaded zones take {} octets, and with {} more they would take more than {}; delete some or send a smaller zone, or have \
                 the operator raise server.uploads_size_max",
                index.totals.uploads.size, added.size, self.size_max
            ));
        }
        Ok(added)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Version;
    use crate::zones::index::{Hosted, Upload};

    const APEX: &str = "example.com.";

    /// Zones that take 100 octets each.
    fn index(zones: &[&str]) -> Index {
        let mut index = Index::default();
        for &zone in zones {
            let upload = Upload::new(Version { generation: 1, uploaded_at: 1 }, 100, None);
            index.set(zone, Hosted { upload: Some(Box::new(upload)), ..Hosted::default() });
        }
        index
    }

    fn code(added: Result<Uploads, Problem>) -> Result<Uploads, ProblemCode> {
        added.map_err(|problem| problem.code)
    }

    #[test]
    fn a_zone_has_room_to_the_last_octet() {
        let room = Room { zones_max: 3, size_max: 350 };
        let index = index(&["example.net.", "example.org."]);
        let apex: NameBuf = APEX.parse().unwrap();
        let add = |planned, size| code(room.add(&index, planned, size, &[&apex]));
        assert_eq!(add(Uploads::default(), 150), Ok(Uploads::one(150)));
        assert_eq!(add(Uploads::default(), 151), Err(ProblemCode::StorageFull));
        assert_eq!(add(Uploads::one(50), 100), Err(ProblemCode::StorageFull), "there would be four");
        assert_eq!(add(Uploads { zones: 0, size: 51 }, 100), Err(ProblemCode::StorageFull));
    }

    #[test]
    fn what_takes_no_more_than_before_has_room_even_where_there_is_too_much() {
        let room = Room { zones_max: 1, size_max: 50 };
        let index = index(&[APEX, "sub.example.com."]);
        let (apex, sub): (NameBuf, NameBuf) = (APEX.parse().unwrap(), "sub.example.com".parse().unwrap());
        let nothing = Ok(Uploads::default());
        assert_eq!(code(room.add(&index, Uploads::default(), 100, &[&apex])), nothing);
        assert_eq!(code(room.add(&index, Uploads::default(), 101, &[&apex])), Err(ProblemCode::StorageFull));
        assert_eq!(
            code(room.add(&index, Uploads::default(), 200, &[&apex, &sub])),
            nothing,
            "claims that end make room"
        );
    }
}
