//! The zone of a registry, made up: what the readers and the checkers of zone files are measured with.

use std::collections::HashSet;

/// The apex of the zone.
pub(super) const ORIGIN: &str = "example.";

/// What comes in random order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shuffled {
    /// Names; the records of each stand together, as registries write them.
    Names,
    /// Lines, so that the records of a name stand anywhere.
    Lines,
}

/// The zone of [`ORIGIN`]: two name servers for each delegation, with addresses where they stand below it, and some DS
/// records.
pub(super) fn zone(delegations: u32, shuffled: Shuffled) -> Vec<u8> {
    let mut random = Random(0x005e_ed0f_7a1e);
    let (mut lines, mut ends) = (String::new(), vec![0]);
    let mut taken = HashSet::new();
    for _ in 0..delegations {
        for line in delegation(&mut random, &mut taken) {
            lines.push_str(&line);
            if shuffled == Shuffled::Lines {
                ends.push(lines.len());
            }
        }
        if shuffled == Shuffled::Names {
            ends.push(lines.len());
        }
    }
    let mut order: Vec<usize> = (0..ends.len() - 1).collect();
    for i in (1..order.len()).rev() {
        order.swap(i, random.below(i as u64 + 1) as usize);
    }
    let mut text = APEX.as_bytes().to_vec();
    text.reserve(lines.len());
    for at in order {
        text.extend_from_slice(&lines.as_bytes()[ends[at]..ends[at + 1]]);
    }
    text
}

/// The lines of one delegation, whose label is not taken yet; those of its addresses last.
fn delegation(random: &mut Random, taken: &mut HashSet<String>) -> Vec<String> {
    let label = loop {
        let size = 5 + random.below(14);
        let label: String = (0..size).map(|_| char::from(b'a' + random.below(26) as u8)).collect();
        if taken.insert(label.clone()) {
            break label;
        }
    };
    let owner = format!("{label}.example.");
    let has_glue = random.below(100) < 30;
    let host = random.below(5000);
    let (mut lines, mut glue) = (Vec::new(), Vec::new());
    for server in 1..=2 {
        if !has_glue {
            lines.push(format!("{owner}\t3600\tIN\tNS\tns{server}.hosting{host}.test.\n"));
            continue;
        }
        lines.push(format!("{owner}\t3600\tIN\tNS\tns{server}.{owner}\n"));
        let [a, b, c, d] = (random.next() as u32).to_be_bytes();
        glue.push(format!("ns{server}.{owner}\t3600\tIN\tA\t{a}.{b}.{c}.{d}\n"));
        if random.below(2) == 0 {
            let (a, b) = (random.below(65_536), random.below(65_536));
            glue.push(format!("ns{server}.{owner}\t3600\tIN\tAAAA\t2001:db8:{a:x}::{b:x}\n"));
        }
    }
    if random.below(10) == 0 {
        let digest: String = (0..4).map(|_| format!("{:016X}", random.next())).collect();
        lines.push(format!("{owner}\t3600\tIN\tDS\t{} 13 2 {digest}\n", random.below(65_536)));
    }
    lines.append(&mut glue);
    lines
}

/// What checkers want of an apex.
const APEX: &str = "example.\t3600\tIN\tSOA\ta.nic.example. hostmaster.nic.example. 1 1800 900 604800 3600
example.\t3600\tIN\tNS\ta.nic.example.
example.\t3600\tIN\tNS\tb.nic.example.
a.nic.example.\t3600\tIN\tA\t192.0.2.1
b.nic.example.\t3600\tIN\tA\t192.0.2.2
";

/// Random numbers (splitmix64) that are the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_zone_is_the_same_in_every_run() {
        for shuffled in [Shuffled::Names, Shuffled::Lines] {
            let text = zone(300, shuffled);
            assert!(text == zone(300, shuffled) && text != zone(301, shuffled));
            assert!(text.starts_with(ORIGIN.as_bytes()));
            let owners = text.split(|&octet| octet == b'\n').filter(|line| line.windows(4).any(|it| it == b"\tNS\t"));
            assert_eq!(owners.count(), 2 * 300 + 2);
        }
    }

    #[test]
    fn both_orders_have_the_same_lines() {
        let [names, lines] = [Shuffled::Names, Shuffled::Lines].map(|shuffled| {
            let text = String::from_utf8(zone(300, shuffled)).unwrap();
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        });
        let sorted = |lines: &[String]| {
            let mut lines = lines.to_vec();
            lines.sort();
            lines
        };
        assert!(names != lines && sorted(&names) == sorted(&lines));
    }
}
