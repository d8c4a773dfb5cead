//! What was found out about a setup, one line each, as operators and programs read it.

use std::fmt::Write;

use serde::Serialize;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be.
    Ok,
    /// It works, and would be better otherwise.
    Advice,
    /// It could not be found out.
    Unknown,
    /// Owners or resolvers are let down by it.
    Wrong,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How much it matters.
    pub level: Level,
    /// A name, an address, or a part of the setup.
    pub about: String,
    /// What was found.
    pub says: String,
    /// What to do about it.
    #[serde(rename = "do", skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Finding {
    pub(super) fn ok(about: &(impl ToString + ?Sized), says: impl Into<String>) -> Finding {
        Finding { level: Level::Ok, about: about.to_string(), says: says.into(), remedy: None }
    }

    pub(super) fn advice(
        about: &(impl ToString + ?Sized),
        says: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Finding {
        Finding { level: Level::Advice, remedy: Some(remedy.into()), ..Finding::ok(about, says) }
    }

    pub(super) fn unknown(
        about: &(impl ToString + ?Sized),
        says: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Finding {
        Finding { level: Level::Unknown, remedy: Some(remedy.into()), ..Finding::ok(about, says) }
    }

    pub(super) fn wrong(
        about: &(impl ToString + ?Sized),
        says: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Finding {
        Finding { level: Level::Wrong, remedy: Some(remedy.into()), ..Finding::ok(about, says) }
    }
}

/// Everything that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// In the order in which it was looked at.
    pub findings: Vec<Finding>,
}

impl Report {
    /// The worst of all; what could not be found out hides nothing that is wrong, and is no "right".
    pub fn level(&self) -> Level {
        let has = |level| self.findings.iter().any(|finding| finding.level == level);
        let mut levels = [Level::Wrong, Level::Unknown, Level::Advice].into_iter();
        levels.find(|&level| has(level)).unwrap_or(Level::Ok)
    }

    /// One line for each finding, and one at the end.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for Finding { level, about, says, remedy } in &self.findings {
            let word = match level {
                Level::Ok => "ok",
                Level::Advice => "advice",
                Level::Unknown => "unknown",
                Level::Wrong => "wrong",
            };
            let remedy = remedy.as_ref().map(|remedy| format!("; {remedy}")).unwrap_or_default();
            let _ = writeln!(text, "{word:<8}{about}: {says}{remedy}");
        }
        let count = |level| self.findings.iter().filter(|finding| finding.level == level).count();
        let (wrong, unknown, advice) = (count(Level::Wrong), count(Level::Unknown), count(Level::Advice));
        let end = match self.level() {
            Level::Ok => "everything is right".to_owned(),
            Level::Advice => format!("nothing is wrong; {advice} could be better"),
            Level::Unknown => format!("{unknown} could not be found out; {advice} could be better"),
            Level::Wrong => {
                format!("{wrong} wrong; {unknown} could not be found out; {advice} could be better")
            }
        };
        text.push_str(&end);
        text.push('\n');
        text
    }

    /// A JSON object with `verdict` and `findings`.
    pub fn json(&self) -> String {
        #[derive(Serialize)]
        struct Object<'r> {
            verdict: Level,
            findings: &'r [Finding],
        }
        let object = Object { verdict: self.level(), findings: &self.findings };
        let mut text = serde_json::to_string_pretty(&object).expect("names and sentences make JSON");
        text.push('\n');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_as_good_as_its_worst_finding() {
        let all = [
            Finding::ok("a", "is there"),
            Finding::advice("b", "is alone", "add another"),
            Finding::unknown("c", "is silent", "try again"),
            Finding::wrong("d", "is gone", "start it"),
        ];
        for (count, level) in
            [(0, Level::Ok), (1, Level::Ok), (2, Level::Advice), (3, Level::Unknown), (4, Level::Wrong)]
        {
            assert_eq!(Report { findings: all[..count].to_vec() }.level(), level);
        }
        let report = Report { findings: all.to_vec() };
        let text = report.text();
        assert!(text.contains("ok      a: is there\n") && text.contains("wrong   d: is gone; start it\n"), "{text}");
        assert!(text.ends_with("1 wrong; 1 could not be found out; 1 could be better\n"), "{text}");
        let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
        assert_eq!((&json["verdict"], &json["findings"][3]["do"]), (&"wrong".into(), &"start it".into()));
        assert!(json["findings"][0].get("do").is_none());
    }
}
