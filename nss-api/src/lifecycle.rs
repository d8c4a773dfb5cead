//! What becomes of a hosted zone whose parent no longer points here.
//!
//! ```text
//!            not delegated        7 days of it, not served        30 days, deleted with its pin
//!  active ───────────────> adrift ──────────────────────> parked ──────────────────────────────> (gone)
//!    ^ <───────────────────── │                             │ ^ │ delegated: the 30 days
//!    │        delegated                                     │ └─┘ begin anew
//!    └──────────────────────────────────────────────────────┘
//!                     an upload, with the proof that every upload takes
//! ```
//!
//! A delegation that names any server of ours is one to us as far as this goes, though a change takes all of them: resolvers are sent here,
//! and would be refused. The pin of a zone that its owner withdrew is kept as long as the parent points here, and seven days more.
//! *Could not find out* moves nothing in either direction. A parked zone is not served again because the parent points here again:
//! the domain may have been sold meanwhile, and its old zone would be somebody else's.
//!
//! This is the decision alone; times come in as seconds since 1970.

use nss_wire::Name;
use nssd::control::{Check, CheckAction, CheckVerdict, jittered};

use crate::config::Lifecycle;

/// What to write down of a check, and what to do with the zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) check: Check,
    pub(crate) action: CheckAction,
}

/// What is kept of a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// Its text, and its pin if it has one.
    Zone,
    /// Its pin: the owner withdrew the zone.
    PinAlone,
}

/// The next step of a zone, of which `before` was written down, now that a check said `verdict`.
pub(crate) fn step(
    apex: Name<'_>,
    kept: Kept,
    before: Option<&Check>,
    verdict: CheckVerdict,
    evidence: Vec<String>,
    now: u64,
    periods: &Lifecycle,
) -> Step {
    let (adrift_since, parked_since) = before.map_or((None, None), |check| (check.adrift_since, check.parked_since));
    let has_passed =
        |since: Option<u64>, days: u32| since.is_some_and(|since| now.saturating_sub(since) >= u64::from(days) * DAY);
    let adrift_since = match verdict {
        CheckVerdict::Delegated | CheckVerdict::Partly => None,
        CheckVerdict::Unknown => adrift_since,
        CheckVerdict::NotDelegated => adrift_since.or(Some(now)),
    };
    let is_not_delegated = verdict == CheckVerdict::NotDelegated;
    let action = match parked_since {
        // Both, for it may have been delegated here for most of that time, and one "no" is not a month of them.
        Some(_)
            if is_not_delegated
                && [parked_since, adrift_since].iter().all(|&since| has_passed(since, periods.parked_days.get())) =>
        {
            CheckAction::Purge
        }
        None if is_not_delegated && has_passed(adrift_since, periods.adrift_days.get()) => match kept {
            Kept::Zone => CheckAction::Park,
            Kept::PinAlone => CheckAction::Purge,
        },
        Some(_) | None => CheckAction::Keep,
    };
    let parked_since = if action == CheckAction::Park { Some(now) } else { parked_since };
    let pause = match verdict {
        CheckVerdict::Delegated | CheckVerdict::Partly | CheckVerdict::NotDelegated => {
            u64::from(periods.recheck_hours.get()) * HOUR
        }
        // The parent has a bad hour; a day later would be late for who is adrift.
        CheckVerdict::Unknown => HOUR.min(u64::from(periods.recheck_hours.get()) * HOUR),
    };
    let next_check_at = now + jittered(pause, &apex.to_lowercase().to_string(), now);
    Step { check: Check { checked_at: now, verdict, adrift_since, parked_since, next_check_at, evidence }, action }
}

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

#[cfg(test)]
mod tests {
    use nss_wire::NameBuf;
    use proptest::prelude::*;

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn next(before: Option<&Check>, verdict: CheckVerdict, now: u64) -> Step {
        let apex: NameBuf = "example.com".parse().unwrap();
        step(apex.as_name(), Kept::Zone, before, verdict, Vec::new(), now, &Lifecycle::default())
    }

    #[test]
    fn a_zone_that_moved_away_is_served_a_week_kept_a_month_and_then_gone() {
        let mut now = NOW;
        let mut check = None::<Check>;
        let mut actions = Vec::new();
        while actions.last().is_none_or(|&(action, _)| action != CheckAction::Purge) {
            let step = next(check.as_ref(), CheckVerdict::NotDelegated, now);
            if step.action != CheckAction::Keep {
                actions.push((step.action, (now - NOW) / DAY));
            }
            now = step.check.next_check_at;
            check = Some(step.check);
        }
        let [(first, parked), (second, purged)] = actions[..] else { panic!("{actions:?}") };
        assert_eq!((first, second), (CheckAction::Park, CheckAction::Purge));
        assert!((7..=8).contains(&parked) && (30..=31).contains(&(purged - parked)), "{actions:?}");
    }

    #[test]
    fn what_comes_back_in_time_is_active_again_and_what_is_parked_waits_for_an_upload() {
        let adrift = next(None, CheckVerdict::NotDelegated, NOW).check;
        assert_eq!(adrift.adrift_since, Some(NOW));
        let back = next(Some(&adrift), CheckVerdict::Delegated, NOW + 6 * DAY);
        assert_eq!((back.check.adrift_since, back.action), (None, CheckAction::Keep));
        let again = next(Some(&back.check), CheckVerdict::NotDelegated, NOW + 8 * DAY);
        assert_eq!((again.check.adrift_since, again.action), (Some(NOW + 8 * DAY), CheckAction::Keep));

        let parked = next(Some(&adrift), CheckVerdict::NotDelegated, NOW + 7 * DAY);
        assert_eq!((parked.action, parked.check.parked_since), (CheckAction::Park, Some(NOW + 7 * DAY)));
        for later in [8, 60] {
            let step = next(Some(&parked.check), CheckVerdict::Delegated, NOW + later * DAY);
            assert_eq!((step.action, step.check.parked_since), (CheckAction::Keep, Some(NOW + 7 * DAY)));
        }
    }

    #[test]
    fn one_no_after_months_of_delegation_does_not_purge_a_parked_zone() {
        let adrift = next(None, CheckVerdict::NotDelegated, NOW).check;
        let parked = next(Some(&adrift), CheckVerdict::NotDelegated, NOW + 7 * DAY);
        assert_eq!(parked.action, CheckAction::Park);
        let back = next(Some(&parked.check), CheckVerdict::Delegated, NOW + 8 * DAY).check;
        assert_eq!((back.adrift_since, back.parked_since), (None, Some(NOW + 7 * DAY)));
        let away = next(Some(&back), CheckVerdict::NotDelegated, NOW + 60 * DAY);
        assert_eq!((away.action, away.check.adrift_since), (CheckAction::Keep, Some(NOW + 60 * DAY)));
        let action = |days| next(Some(&away.check), CheckVerdict::NotDelegated, NOW + days * DAY).action;
        assert_eq!((action(89), action(90)), (CheckAction::Keep, CheckAction::Purge));
    }

    #[test]
    fn whom_resolvers_are_still_sent_to_is_never_parked() {
        let mut check = next(None, CheckVerdict::Partly, NOW).check;
        for days in 1..400 {
            let step = next(Some(&check), CheckVerdict::Partly, NOW + days * DAY);
            assert_eq!((step.action, step.check.adrift_since), (CheckAction::Keep, None));
            check = step.check;
        }
        let adrift = next(Some(&check), CheckVerdict::NotDelegated, NOW + 400 * DAY).check;
        let partly = next(Some(&adrift), CheckVerdict::Partly, NOW + 408 * DAY);
        assert_eq!((partly.action, partly.check.adrift_since), (CheckAction::Keep, None));
    }

    #[test]
    fn periods_are_as_they_are_configured() {
        let apex: NameBuf = "example.com".parse().unwrap();
        let [recheck_hours, adrift_days, parked_days] = [6, 2, 3].map(|n| std::num::NonZeroU32::new(n).unwrap());
        let periods = Lifecycle { recheck_hours, adrift_days, parked_days, ..Lifecycle::default() };
        let mut check = None::<Check>;
        let mut actions = Vec::new();
        for hours in (0..).step_by(6) {
            let now = NOW + hours * HOUR;
            let step =
                step(apex.as_name(), Kept::Zone, check.as_ref(), CheckVerdict::NotDelegated, Vec::new(), now, &periods);
            let pause = step.check.next_check_at - now;
            assert!((6 * HOUR * 9 / 10..=6 * HOUR * 11 / 10 + 1).contains(&pause), "{pause}");
            if step.action != CheckAction::Keep {
                actions.push((step.action, hours / 24));
            }
            if step.action == CheckAction::Purge {
                break;
            }
            check = Some(step.check);
        }
        assert_eq!(actions, [(CheckAction::Park, 2), (CheckAction::Purge, 5)]);
    }

    #[test]
    fn a_pin_alone_is_kept_while_the_parent_points_here_and_a_week_more() {
        let apex: NameBuf = "example.com".parse().unwrap();
        let next = |before: Option<&Check>, verdict, now| {
            step(apex.as_name(), Kept::PinAlone, before, verdict, Vec::new(), now, &Lifecycle::default())
        };
        let mut check = next(None, CheckVerdict::Delegated, NOW).check;
        for (days, verdict) in
            [(100, CheckVerdict::Delegated), (200, CheckVerdict::NotDelegated), (206, CheckVerdict::NotDelegated)]
        {
            let step = next(Some(&check), verdict, NOW + days * DAY);
            assert_eq!(step.action, CheckAction::Keep, "{days}");
            check = step.check;
        }
        assert_eq!(next(Some(&check), CheckVerdict::Unknown, NOW + 300 * DAY).action, CheckAction::Keep);
        assert_eq!(next(Some(&check), CheckVerdict::NotDelegated, NOW + 207 * DAY).action, CheckAction::Purge);
    }

    #[test]
    fn what_could_not_be_found_out_moves_nothing_and_is_asked_again_soon() {
        let adrift = next(None, CheckVerdict::NotDelegated, NOW).check;
        let parked = next(Some(&adrift), CheckVerdict::NotDelegated, NOW + 7 * DAY).check;
        for before in [None, Some(&adrift), Some(&parked)] {
            let step = next(before, CheckVerdict::Unknown, NOW + 365 * DAY);
            assert_eq!(step.action, CheckAction::Keep);
            assert_eq!(step.check.adrift_since, before.and_then(|check| check.adrift_since));
            assert_eq!(step.check.parked_since, before.and_then(|check| check.parked_since));
            assert!(step.check.next_check_at - (NOW + 365 * DAY) <= 2 * HOUR);
        }
    }

    proptest! {
        #[test]
        fn checks_are_a_day_apart_more_or_less(n in 0..1_000_000_u64, now in NOW..NOW * 2) {
            let apex: NameBuf = format!("d{n}.example").parse().unwrap();
            let step = step(apex.as_name(), Kept::Zone, None, CheckVerdict::Delegated, Vec::new(), now, &Lifecycle::default());
            let pause = step.check.next_check_at - now;
            prop_assert!((DAY * 9 / 10..=DAY * 11 / 10 + 1).contains(&pause), "{}", pause);
        }
    }

    #[test]
    fn zones_that_were_uploaded_at_one_moment_are_checked_all_over_the_day_after_some_weeks() {
        let hours = |n: u64| {
            let apex: NameBuf = format!("d{n}.example").parse().unwrap();
            (0..60).fold(NOW, |now, _| now + jittered(DAY, &apex.to_string(), now)) / HOUR % 24
        };
        let mut counts = [0_u32; 24];
        (0..2400).for_each(|n| counts[hours(n) as usize] += 1);
        assert!(counts.iter().all(|count| (50..200).contains(count)), "{counts:?}");
    }
}
