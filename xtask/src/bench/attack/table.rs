//! What an attack did, server by server, as a table in Markdown.

use std::fmt::Write as _;
use std::time::Duration;

use crate::bench::percentile;

/// What an attacker and a server exchanged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Traffic {
    /// Packets of a flood, or connections that were opened.
    pub(super) sent: u64,
    pub(super) octets_sent: u64,
    /// Messages that came back.
    pub(super) replies: u64,
    pub(super) octets_received: u64,
}

/// What a polite client saw.
#[derive(Clone, Debug, Default)]
pub(super) struct Service {
    pub(super) asked: u64,
    /// From the question to its answer, in milliseconds; each question has one that was answered in time, and rightly.
    pub(super) latencies_ms: Vec<f64>,
}

/// One line.
pub(super) struct Row {
    pub(super) title: String,
    /// None if the server has nothing that could be attacked so.
    pub(super) outcome: Option<Figures>,
}

/// What an attack did to one server.
pub(super) struct Figures {
    pub(super) time: Duration,
    pub(super) traffic: Traffic,
    pub(super) service: Service,
    /// Time of a core that the server took, in seconds.
    pub(super) cpu: f64,
    /// Octets of memory before the attack, and at most during it.
    pub(super) memory: u64,
    pub(super) memory_peak: u64,
    /// Octets of the reply to a single such query, by the octets of the query.
    pub(super) amplification: Option<f64>,
}

impl Service {
    /// Percent of the questions that were answered in time.
    pub(super) fn share(&self) -> f64 {
        self.latencies_ms.len() as f64 * 100.0 / self.asked as f64
    }
}

impl Figures {
    /// Octets of memory that came during the attack.
    pub(super) fn growth(&self) -> u64 {
        self.memory_peak.saturating_sub(self.memory)
    }
}

/// The table of one attack; `unit` is what the attacker sends.
pub(super) fn table(unit: &str, rows: &mut [Row]) -> String {
    let mut text = format!(
        "| server | {unit}/s | polite client answered, % | p50, ms | p99, ms | CPU of a core, % | replies/s | octets out per octet in | \
         of a single query | PSS, MiB | growth, MiB |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|
"
    );
    for Row { title, outcome } in rows {
        let Some(figures) = outcome else {
            let _ = writeln!(text, "| {title} |{}", " - |".repeat(10));
            continue;
        };
        let seconds = figures.time.as_secs_f64();
        let (traffic, growth) = (figures.traffic, figures.growth());
        let share = figures.service.share();
        let latencies = &mut figures.service.latencies_ms;
        let _ = writeln!(
            text,
            "| {title} | {:.0} | {share:.1} | {} | {} | {:.0} | {:.0} | {} | {} | {:.1} | {:.1} |",
            traffic.sent as f64 / seconds,
            told(percentile(latencies, 50)),
            told(percentile(latencies, 99)),
            figures.cpu * 100.0 / seconds,
            traffic.replies as f64 / seconds,
            told(traffic.octets_received as f64 / traffic.octets_sent as f64),
            told(figures.amplification.unwrap_or(f64::NAN)),
            mebibytes(figures.memory),
            mebibytes(growth),
        );
    }
    text
}

/// A figure, or a dash where there is none.
fn told(figure: f64) -> String {
    if figure.is_finite() { format!("{figure:.2}") } else { "-".to_owned() }
}

pub(super) fn mebibytes(octets: u64) -> f64 {
    octets as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_shares_rates_and_growth() {
        let figures = Figures {
            time: Duration::from_secs(2),
            traffic: Traffic { sent: 2000, octets_sent: 100, replies: 10, octets_received: 250 },
            service: Service { asked: 4, latencies_ms: vec![1.0, 3.0, 2.0] },
            cpu: 1.0,
            memory: 1 << 20,
            memory_peak: 3 << 20,
            amplification: None,
        };
        let mut rows =
            [Row { title: "NSD".to_owned(), outcome: Some(figures) }, Row { title: "Knot".to_owned(), outcome: None }];
        let text = table("packets", &mut rows);
        assert!(text.contains("| NSD | 1000 | 75.0 | 2.00 | 3.00 | 50 | 5 | 2.50 | - | 1.0 | 2.0 |"), "{text}");
        assert!(text.contains("| Knot | - | - | - | - | - | - | - | - | - | - |"), "{text}");
    }

    #[test]
    fn who_was_never_answered_has_no_latency() {
        let service = Service { asked: 5, latencies_ms: Vec::new() };
        assert_eq!(service.share(), 0.0);
        assert_eq!(told(percentile(&mut [], 50)), "-");
    }
}
