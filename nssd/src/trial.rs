//! Whether to try again, batch after batch, what pays for some traffic and costs a little for all.

/// Tries as long as it pays, and now and then otherwise.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Trial {
    pause: u8,
}

/// Batches without a try after one that did not pay: it costs a sixteenth then, and traffic that has changed is seen within a millisecond
/// of a busy server.
const PAUSE: u8 = 15;

impl Trial {
    /// Whether to try with this batch; if so, [`Trial::learn`] is to be told what came of it.
    pub(crate) fn is_due(&mut self) -> bool {
        let is_due = self.pause == 0;
        self.pause = self.pause.saturating_sub(1);
        is_due
    }

    /// Takes note of a try.
    pub(crate) fn learn(&mut self, has_paid: bool) {
        self.pause = if has_paid { 0 } else { PAUSE };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pays_is_tried_each_time_and_what_does_not_now_and_then() {
        let mut trial = Trial::default();
        let tries = |trial: &mut Trial, pays: bool| {
            let tried = (0..160).filter(|_| {
                trial.is_due() && {
                    trial.learn(pays);
                    true
                }
            });
            tried.count()
        };
        assert_eq!(tries(&mut trial, true), 160);
        assert_eq!(tries(&mut trial, false), 10);
        assert!(tries(&mut trial, true) >= 160 - usize::from(PAUSE));
    }
}
