//! The figures of one workload as a table in Markdown.

use std::fmt::Write as _;
use std::time::Duration;

use crate::bench::median;

/// What was measured of one server, round by round.
#[derive(Default)]
pub(super) struct Rounds {
    /// Answers in a second.
    pub(super) rates: Vec<f64>,
    /// Microseconds of CPU time for each answer.
    pub(super) costs: Vec<f64>,
}

/// One line.
pub(super) struct Row {
    pub(super) title: String,
    /// NSD and Knot: the better of the two is 1.00.
    pub(super) is_pacemaker: bool,
    pub(super) rate: f64,
    pub(super) cost: f64,
    pub(super) memory: u64,
    pub(super) peak: u64,
    pub(super) start: Duration,
    pub(super) reply_size: f64,
}

impl Rounds {
    pub(super) fn add(&mut self, rate: f64, cost: f64) {
        self.rates.push(rate);
        self.costs.push(cost);
    }

    /// Median rate and median cost.
    pub(super) fn medians(&mut self) -> (f64, f64) {
        (median(&mut self.rates), median(&mut self.costs))
    }
}

/// The table of all servers.
pub(super) fn table(rows: &[Row]) -> String {
    let pace = || rows.iter().filter(|row| row.is_pacemaker);
    let best_rate = pace().map(|row| row.rate).fold(f64::NAN, f64::max);
    let best_cost = pace().map(|row| row.cost).fold(f64::NAN, f64::min);
    let mut text =
        "| server | queries/s | ratio | CPU us per answer | ratio | PSS, MiB | peak, MiB | start, s | reply, octets |
|---|--:|--:|--:|--:|--:|--:|--:|--:|
"
        .to_owned();
    for row in rows {
        let _ = writeln!(
            text,
            "| {} | {:.0} | {:.2} | {:.2} | {:.2} | {:.1} | {:.1} | {:.2} | {:.0} |",
            row.title,
            row.rate,
            row.rate / best_rate,
            row.cost,
            row.cost / best_cost,
            mebibytes(row.memory),
            mebibytes(row.peak),
            row.start.as_secs_f64(),
            row.reply_size
        );
    }
    text
}

/// The shorter table of dnsperf's rounds: title, whether NSD or Knot, rate, cost.
pub(super) fn dnsperf_table(rows: &[(String, bool, (f64, f64))]) -> String {
    let pace = || rows.iter().filter(|(_, is_pacemaker, _)| *is_pacemaker);
    let best_rate = pace().map(|(_, _, (rate, _))| *rate).fold(f64::NAN, f64::max);
    let best_cost = pace().map(|(_, _, (_, cost))| *cost).fold(f64::NAN, f64::min);
    let mut text = "| server | queries/s | ratio | CPU us per answer | ratio |\n|---|--:|--:|--:|--:|\n".to_owned();
    for (title, _, (rate, cost)) in rows {
        let (rate_ratio, cost_ratio) = (rate / best_rate, cost / best_cost);
        let _ = writeln!(text, "| {title} | {rate:.0} | {rate_ratio:.2} | {cost:.2} | {cost_ratio:.2} |");
    }
    text
}

fn mebibytes(octets: u64) -> f64 {
    octets as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_better_of_nsd_and_knot_is_the_measure_in_each_column() {
        let row = |title: &str, is_pacemaker, rate, cost| Row {
            title: title.to_owned(),
            is_pacemaker,
            rate,
            cost,
            memory: 3 << 19,
            peak: 2 << 20,
            start: Duration::from_millis(250),
            reply_size: 45.4,
        };
        let rows = [row("NSD", true, 100.0, 5.0), row("Knot", true, 50.0, 4.0), row("nssd", false, 200.0, 2.0)];
        let text = table(&rows);
        assert!(text.contains("| NSD | 100 | 1.00 | 5.00 | 1.25 |"), "{text}");
        assert!(text.contains("| nssd | 200 | 2.00 | 2.00 | 0.50 | 1.5 | 2.0 | 0.25 | 45 |"), "{text}");
        let rows: Vec<_> = rows.into_iter().map(|row| (row.title, row.is_pacemaker, (row.rate, row.cost))).collect();
        assert!(dnsperf_table(&rows).contains("| Knot | 50 | 0.50 | 4.00 | 1.00 |"));
    }

    #[test]
    fn rounds_give_medians() {
        let mut rounds = Rounds::default();
        for (rate, cost) in [(1.0, 30.0), (3.0, 10.0), (2.0, 20.0)] {
            rounds.add(rate, cost);
        }
        assert_eq!(rounds.medians(), (2.0, 20.0));
    }
}
