//! The zone of a registry, made up: what the readers and the checkers of zone files are measured with.

/// The apex of the zone.
pub(super) const ORIGIN: &str = "example.";

/// The zone of [`ORIGIN`] as a registry writes it: two name servers for each delegation, with addresses where they stand
/// below it, and some DS records; the lines in no order at all.
pub(super) fn zone(delegations: u32) -> Vec<u8> {
    let mut random = Random(0x005e_ed0f_7a1e);
    let (mut lines, mut ends) = (String::new(), vec![0]);
    for _ in 0..delegations {
        let size = 5 + random.below(14);
        let label: String = (0..size).map(|_| char::from(b'a' + random.below(26) as u8)).collect();
        let owner = format!("{label}.example.");
        let has_glue = random.below(100) < 30;
        let host = random.below(5000);
        let mut push = |line: String| {
            lines.push_str(&line);
            ends.push(lines.len());
        };
        for server in 1..=2 {
            if !has_glue {
                push(format!("{owner}\t3600\tIN\tNS\tns{server}.hosting{host}.test.\n"));
                continue;
            }
            push(format!("{owner}\t3600\tIN\tNS\tns{server}.{owner}\n"));
            let [a, b, c, d] = (random.next() as u32).to_be_bytes();
            push(format!("ns{server}.{owner}\t3600\tIN\tA\t{a}.{b}.{c}.{d}\n"));
            if random.below(2) == 0 {
                let (a, b) = (random.below(65_536), random.below(65_536));
                push(format!("ns{server}.{owner}\t3600\tIN\tAAAA\t2001:db8:{a:x}::{b:x}\n"));
            }
        }
        if random.below(10) == 0 {
            let digest: String = (0..4).map(|_| format!("{:016X}", random.next())).collect();
            push(format!("{owner}\t3600\tIN\tDS\t{} 13 2 {digest}\n", random.below(65_536)));
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
        let text = zone(300);
        assert!(text == zone(300) && text != zone(301));
        assert!(text.starts_with(ORIGIN.as_bytes()));
        let owners = text.split(|&octet| octet == b'\n').filter(|line| line.windows(4).any(|it| it == b"\tNS\t"));
        assert_eq!(owners.count(), 2 * 300 + 2);
    }
}
