//! How far a long work is, as a bar on a terminal.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// A bar at the lower end of standard error, which other output pushes up.
///
/// A library would bring threads, templates and a measure of the terminal into the daemon; a bar that only moves when
/// a file is done is one line.
pub(super) struct Progress {
    total: usize,
    begin: Instant,
    is_shown: bool,
    is_there: bool,
    last_drawn: Option<Instant>,
}

impl Progress {
    /// Of `total` files; without a terminal, on one that knows no escape sequences, and of one file nothing is shown.
    pub(super) fn new(total: usize) -> Progress {
        let is_dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
        let is_shown = total > 1 && io::stderr().is_terminal() && !is_dumb;
        Progress { total, begin: Instant::now(), is_shown, is_there: false, last_drawn: None }
    }

    /// Draws the bar, unless one was drawn a moment ago or all is done.
    pub(super) fn show(&mut self, done: usize) -> io::Result<()> {
        let is_fresh = self.last_drawn.is_some_and(|drawn| drawn.elapsed() < REDRAW_INTERVAL);
        if !self.is_shown || is_fresh || done == self.total {
            return Ok(());
        }
        (self.is_there, self.last_drawn) = (true, Some(Instant::now()));
        let mut terminal = io::stderr().lock();
        write!(terminal, "{ERASE_LINE}{}", bar(done, self.total, self.begin.elapsed()))?;
        terminal.flush()
    }

    /// Takes the bar away, so that something else can be written.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.is_there) { write!(io::stderr(), "{ERASE_LINE}") } else { Ok(()) }
    }
}

/// `[=====>              ] 30 of 120 files, 2 s, 6 s left`; at most 79 columns for up to 99,999,999 files.
fn bar(done: usize, total: usize, elapsed: Duration) -> String {
    let filled = (WIDTH * done / total.max(1)).min(WIDTH);
    let tip = if filled < WIDTH { ">" } else { "" };
    let bar = format!("{}{tip}", "=".repeat(filled));
    let left = match u32::try_from(total.saturating_sub(done)).ok().zip(u32::try_from(done).ok()) {
        Some((left, done)) if done > 0 => format!(", {} left", time(elapsed.saturating_mul(left) / done)),
        _ => String::new(),
    };
    format!("[{bar:WIDTH$}] {done} of {total} files, {}{left}", time(elapsed))
}

/// `7 s`, `2 min 5 s`, `3 h 20 min`.
fn time(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// Columns of the bar itself.
const WIDTH: usize = 20;

/// A bar that is drawn more often than an eye follows costs more than checking small files does.
const REDRAW_INTERVAL: Duration = Duration::from_millis(100);

/// To the start of the line, and erase it (ECMA-48 §8.3.41).
const ERASE_LINE: &str = "\r\x1b[K";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_says_how_many_files_are_done_and_how_long_the_others_will_take() {
        let bar = |done, seconds| bar(done, 120, Duration::from_secs(seconds));
        assert_eq!(bar(0, 0), "[>                   ] 0 of 120 files, 0 s");
        assert_eq!(bar(30, 2), "[=====>              ] 30 of 120 files, 2 s, 6 s left");
        assert_eq!(bar(119, 3600), "[===================>] 119 of 120 files, 1 h 0 min, 30 s left");
        assert_eq!(bar(120, 65), "[====================] 120 of 120 files, 1 min 5 s, 0 s left");
        let longest = super::bar(10_000_000, 99_999_999, Duration::from_secs(99 * 3600 + 59 * 60));
        assert_eq!(longest, "[==>                 ] 10000000 of 99999999 files, 99 h 59 min, 899 h 50 min left");
    }

    #[test]
    fn impossible_numbers_make_a_bar_all_the_same() {
        assert_eq!(bar(3, 0, Duration::MAX).chars().filter(|&c| c == '=').count(), WIDTH);
        assert!(bar(1, usize::MAX, Duration::MAX).starts_with("[>"));
    }
}
