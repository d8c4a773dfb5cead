//! Child processes and their folders, which end with this program however it ends.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::Pid;

use crate::failure::{Context, Failure, Outcome};

/// What has to go when a signal ends this program.
struct Live {
    processes: Vec<u32>,
    folders: Vec<PathBuf>,
}

static LIVE: Mutex<Live> = Mutex::new(Live { processes: Vec::new(), folders: Vec::new() });

fn live() -> std::sync::MutexGuard<'static, Live> {
    LIVE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The time a child gets to stop by itself: the slowest peer writes its state within a second.
const STOP_TIME: Duration = Duration::from_secs(5);

/// How often something is looked at again that does not report by itself.
const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// From now on SIGINT and SIGTERM end all children, remove their folders and then this program.
///
/// Must be called before the first thread starts, which would otherwise get the signals.
pub(crate) fn clean_up_on_signals() -> Outcome {
    let signals = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM]);
    signals.thread_block().context("cannot block signals")?;
    std::thread::spawn(move || {
        let signal = signals.wait();
        let live = live();
        for process in &live.processes {
            let _ = kill(pid(*process), Signal::SIGKILL);
        }
        for folder in &live.folders {
            let _ = std::fs::remove_dir_all(folder);
        }
        // Shells report 128 and the signal for a program that one ended.
        std::process::exit(signal.map_or(1, |signal| 128 + signal as i32));
    });
    Ok(())
}

fn pid(process: u32) -> Pid {
    Pid::from_raw(i32::try_from(process).expect("Linux counts processes to 2^22"))
}

/// A temporary folder that is removed with everything in it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// An empty folder that only this user can read.
    pub(crate) fn new(purpose: &str) -> Outcome<Folder> {
        let made = tempfile::Builder::new().prefix(&format!("nss-{purpose}-")).tempdir();
        let path = made.context("cannot make a temporary folder")?.keep();
        live().folders.push(path.clone());
        Ok(Folder(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Makes a folder in it.
    pub(crate) fn folder(&self, name: &str) -> Outcome<PathBuf> {
        let path = self.0.join(name);
        std::fs::create_dir_all(&path).context(path.display())?;
        Ok(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        live().folders.retain(|folder| *folder != self.0);
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A child that is killed when this is dropped.
pub(crate) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a daemon in the foreground; both of its output streams go to the file `log`.
    pub(crate) fn start(name: &str, command: &mut Command, log: &Path) -> Outcome<Process> {
        let file = File::create(log).context(log.display())?;
        let copy = file.try_clone().context(log.display())?;
        let child = command.stdin(Stdio::null()).stdout(file).stderr(copy).spawn();
        let child = child.context(format_args!("cannot start {name}"))?;
        live().processes.push(child.id());
        Ok(Process { name: name.to_owned(), child, log: log.to_owned() })
    }

    /// Asks `ready` again and again until it says yes.
    ///
    /// # Errors
    /// The process ended, or `limit` is over; with the last lines of its log.
    pub(crate) fn wait_until(&mut self, limit: Duration, mut ready: impl FnMut() -> bool) -> Outcome {
        let start = Instant::now();
        loop {
            if ready() {
                return Ok(());
            }
            let ended = self.child.try_wait().context(&self.name)?;
            if ended.is_none() && start.elapsed() < limit {
                std::thread::sleep(POLL_INTERVAL);
                continue;
            }
            let what = match ended {
                Some(status) => format!("ended with {status}"),
                None => format!("is not ready after {} s", limit.as_secs()),
            };
            return Err(Failure::new(format!("{} {what}; its log ends with:\n{}", self.name, self.log_tail())));
        }
    }

    /// The last lines of what it wrote.
    pub(crate) fn log_tail(&self) -> String {
        let text = std::fs::read(&self.log).map(|text| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end with SIGTERM and waits; how it ended, or none if it had to be killed.
    pub(crate) fn stop(mut self) -> Outcome<Option<ExitStatus>> {
        kill(pid(self.child.id()), Signal::SIGTERM).context(&self.name)?;
        let start = Instant::now();
        while start.elapsed() < STOP_TIME {
            if let Some(status) = self.child.try_wait().context(&self.name)? {
                return Ok(Some(status));
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        Ok(None)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        live().processes.retain(|process| *process != self.child.id());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_process_is_gone_and_so_is_its_folder() {
        let folder = Folder::new("test").unwrap();
        let path = folder.path().to_owned();
        let process = Process::start("sleep", Command::new("sleep").arg("60"), &path.join("log")).unwrap();
        let id = process.id();
        assert!(kill(pid(id), None).is_ok());
        drop(process);
        assert!(kill(pid(id), None).is_err());
        drop(folder);
        assert!(!path.exists());
    }

    #[test]
    fn a_process_that_ends_before_it_is_ready_says_why() {
        let folder = Folder::new("test").unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo no such zone; exit 3"]);
        let mut process = Process::start("peer", &mut command, &folder.path().join("log")).unwrap();
        let error = process.wait_until(Duration::from_secs(60), || false).unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.contains("no such zone"), "{error}");
    }
}
