//! What servers are measured with: zones and queries, drawn the same way in each run.

mod delegations;
mod seed;
pub(in crate::bench) mod signed;
mod zones;

use std::path::Path;

use clap::ValueEnum;
use nss_wire::NameBuf;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use self::signed::Denial;
use super::pool::Pool;
use crate::client::Edns;
use crate::failure::{Context, Outcome};
use crate::servers::Zones;

/// Each stands for a kind of service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Workload {
    /// One small zone, one name
    Seed,
    /// Hosting: 100,000 zones of 8 records
    Zones,
    /// A registry: one zone of a million delegations
    Delegations,
    /// DNSSEC: 100,000 names, P-256, NSEC3
    Signed,
    /// The same with NSEC
    Nsec,
}

impl Workload {
    pub(super) const ALL: [Workload; 5] =
        [Workload::Seed, Workload::Zones, Workload::Delegations, Workload::Signed, Workload::Nsec];

    /// As it is called in tables and on the command line.
    pub(super) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// Draws zones and queries.
    pub(super) fn draw(self, size: Size) -> Drawn {
        let mut rng = StdRng::seed_from_u64(RANDOM_SEED);
        match self {
            Workload::Seed => seed::draw(),
            Workload::Zones => zones::draw(&mut rng, size),
            Workload::Delegations => delegations::draw(&mut rng, size),
            Workload::Signed => signed::draw(&mut rng, size, Denial::Nsec3),
            Workload::Nsec => signed::draw(&mut rng, size, Denial::Nsec),
        }
    }

    /// Writes the zone files into `folder`, signed if it is that.
    pub(super) fn write(self, drawn: &Drawn, folder: &Path) -> Outcome<Zones> {
        let mut names = Vec::with_capacity(drawn.zones.len());
        for zone in &drawn.zones {
            let path = folder.join(format!("{}.zone", zone.name));
            match self {
                Workload::Seed | Workload::Zones | Workload::Delegations => {
                    std::fs::write(&path, &zone.text).context(path.display())?;
                }
                Workload::Signed => signed::write(zone, &path, Denial::Nsec3)?,
                Workload::Nsec => signed::write(zone, &path, Denial::Nsec)?,
            }
            names.push(zone.name.clone());
        }
        Ok(Zones { folder: folder.to_owned(), names })
    }
}

/// How much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Size {
    /// What the figures are made of
    Full,
    /// A few hundred names and short rounds, to see that all of it works
    Small,
}

impl Size {
    /// What is for the full size, or for the small one.
    pub(in crate::bench) fn pick(self, full: usize, small: usize) -> usize {
        match self {
            Size::Full => full,
            Size::Small => small,
        }
    }

    /// Queries that are drawn. A round of two seconds hardly comes to the end of them.
    fn queries(self) -> usize {
        self.pick(500_000, 2_000)
    }
}

/// Zones and the queries about them.
pub(super) struct Drawn {
    /// One sentence for the reader of the table.
    pub(super) title: String,
    pub(super) zones: Vec<ZoneText>,
    pub(super) pool: Pool,
}

/// A zone before it is written.
pub(in crate::bench) struct ZoneText {
    /// Without the final dot.
    pub(in crate::bench) name: String,
    pub(in crate::bench) text: String,
}

/// What resolvers say about themselves; of DNSSEC they want to know where it is measured.
fn edns(dnssec_ok: bool) -> Option<Edns> {
    Some(Edns { payload_size: 1232, version: 0, dnssec_ok })
}

/// A label that no other `index` gets: letters, then the number.
fn label(rng: &mut StdRng, index: usize) -> String {
    let mut label: String = (0..rng.random_range(3..10)).map(|_| char::from(rng.random_range(b'a'..=b'z'))).collect();
    label.push_str(&index.to_string());
    label
}

fn name(text: &str) -> NameBuf {
    text.parse().expect("drawn names are short and made of letters and digits")
}

/// With it, each run draws the same.
const RANDOM_SEED: u64 = 1035;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use nss_wire::RType;
    use nss_zonefile::{Options, read};

    use super::super::pool::Expected;
    use super::*;

    fn records(zone: &ZoneText) -> Vec<RType> {
        let apex = name(&zone.name);
        let records = read(zone.text.as_bytes(), &Options::for_zone(apex.as_name())).unwrap();
        records.iter().map(|(record, _)| record.rtype).collect()
    }

    /// Hundredths of the queries that must bring each kind of reply.
    fn shares(pool: &Pool) -> BTreeMap<&'static str, usize> {
        let mut shares: BTreeMap<&'static str, usize> = BTreeMap::new();
        for query in pool.iter() {
            let kind = match query.expected {
                Expected::Records(_) => "records",
                Expected::NoData => "no data",
                Expected::NxDomain => "no name",
                Expected::Referral => "referral",
                Expected::Refused => "refused",
            };
            *shares.entry(kind).or_default() += 1;
        }
        let total = pool.len();
        shares.into_iter().map(|(kind, count)| (kind, (count * 100 + total / 2) / total)).collect()
    }

    #[test]
    fn each_run_draws_the_same() {
        for workload in Workload::ALL {
            let (one, two) = (workload.draw(Size::Small), workload.draw(Size::Small));
            assert!(one.zones.iter().zip(&two.zones).all(|(a, b)| a.name == b.name && a.text == b.text));
            assert!(one.pool.len() == two.pool.len());
            assert!(one.pool.iter().zip(two.pool.iter()).all(|(a, b)| a.packet == b.packet));
        }
    }

    #[test]
    fn the_seed_asks_one_question() {
        let drawn = Workload::Seed.draw(Size::Small);
        assert_eq!((drawn.zones.len(), drawn.pool.len()), (1, 1));
        assert_eq!(records(&drawn.zones[0]).len(), 6);
    }

    #[test]
    fn hosted_zones_have_eight_records_and_are_mostly_hit() {
        let drawn = Workload::Zones.draw(Size::Small);
        assert_eq!(drawn.zones.len(), 300);
        assert!(drawn.zones.iter().all(|zone| records(zone).len() == 8));
        let shares = shares(&drawn.pool);
        for (kind, share) in [("records", 80), ("no name", 10), ("no data", 5), ("refused", 5)] {
            assert!(shares[kind].abs_diff(share) <= 2, "{shares:?}");
        }
    }

    #[test]
    fn a_registry_delegates_to_two_servers_each_and_mostly_refers() {
        let drawn = Workload::Delegations.draw(Size::Small);
        let records = records(&drawn.zones[0]);
        let count = |rtype: RType| records.iter().filter(|record| **record == rtype).count();
        assert_eq!(count(RType::NS), 2 * 2_000 + 2);
        for (rtype, expected) in [(RType::A, 600), (RType::AAAA, 150), (RType::DS, 200)] {
            assert!(count(rtype).abs_diff(expected) < 80, "{rtype}: {}", count(rtype));
        }
        let shares = shares(&drawn.pool);
        for (kind, share) in [("referral", 65), ("records", 15), ("no name", 20)] {
            assert!(shares[kind].abs_diff(share) <= 2, "{shares:?}");
        }
    }

    #[test]
    fn a_signed_zone_is_asked_with_do_and_mostly_hit() {
        let drawn = Workload::Signed.draw(Size::Small);
        let shares = shares(&drawn.pool);
        for (kind, share) in [("records", 70), ("no name", 25), ("no data", 5)] {
            assert!(shares[kind].abs_diff(share) <= 2, "{shares:?}");
        }
        assert!(drawn.pool.iter().all(|query| query.packet.ends_with(&[0x80, 0, 0, 0])));
    }

    #[test]
    fn labels_differ_by_their_numbers() {
        let mut rng = StdRng::seed_from_u64(1);
        let labels: std::collections::BTreeSet<String> = (0..1000).map(|index| label(&mut rng, index)).collect();
        assert_eq!(labels.len(), 1000);
    }
}
