//! A process and its children as /proc shows them: time, memory, cores. NSD answers in a child of a child.

use std::fs;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use crate::failure::{Context, Failure, Outcome};

/// A server's processes, by the first of them.
#[derive(Clone, Copy)]
pub(in crate::bench) struct Family(pub(in crate::bench) u32);

impl Family {
    /// All of them, the first one first.
    fn members(self) -> Vec<u32> {
        let mut members = vec![self.0];
        let mut next = 0;
        while let Some(&process) = members.get(next) {
            for thread in threads(process) {
                let children = fs::read_to_string(format!("/proc/{process}/task/{thread}/children"));
                let children = children.unwrap_or_default();
                members.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
            }
            next += 1;
        }
        members
    }

    /// CPU time of all threads, in microseconds.
    pub(in crate::bench) fn cpu_time_us(self) -> Outcome<f64> {
        let mut nanoseconds = 0.0;
        for process in self.members() {
            for thread in threads(process) {
                // A thread may end between the listing and the look at it.
                let Ok(text) = fs::read_to_string(format!("/proc/{process}/task/{thread}/schedstat")) else { continue };
                nanoseconds += text.split(' ').next().and_then(|n| n.parse::<f64>().ok()).unwrap_or_default();
            }
        }
        if nanoseconds == 0.0 {
            return Err(Failure::new(format!("process {} has no time in /proc: the kernel lacks SCHED_INFO", self.0)));
        }
        Ok(nanoseconds / 1000.0)
    }

    /// CPU time of the first process's threads of this name, in microseconds.
    pub(in crate::bench) fn cpu_time_of_us(self, name: &str) -> f64 {
        let is_named = |thread: &u32| {
            let comm = fs::read_to_string(format!("/proc/{}/task/{thread}/comm", self.0));
            comm.is_ok_and(|comm| comm.trim_end() == name)
        };
        let times = threads(self.0).into_iter().filter(is_named).map(|thread| {
            let text = fs::read_to_string(format!("/proc/{}/task/{thread}/schedstat", self.0)).unwrap_or_default();
            text.split(' ').next().and_then(|n| n.parse::<f64>().ok()).unwrap_or_default() / 1000.0
        });
        times.sum()
    }

    /// Memory of all together, a page that several share counted once, in octets.
    pub(in crate::bench) fn proportional_memory(self) -> Outcome<u64> {
        self.members().into_iter().map(|process| field(process, "smaps_rollup", "Pss:")).sum()
    }

    /// The most memory there was so far, in octets: that of the largest process, which loads the zones, or of all
    /// together now. The kernel keeps no record of the sum.
    pub(in crate::bench) fn peak_memory(self) -> Outcome<u64> {
        let mut peak = self.proportional_memory()?;
        for process in self.members() {
            peak = peak.max(field(process, "status", "VmHWM:")?);
        }
        Ok(peak)
    }

    /// Keeps all threads that there are on one core.
    pub(in crate::bench) fn pin(self, core: usize) -> Outcome {
        for process in self.members() {
            for thread in threads(process) {
                pin(i32::try_from(thread).context("a thread's number")?, core)?;
            }
        }
        Ok(())
    }
}

/// The cores of a measurement: all servers share one, the load has another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::bench) struct Cores {
    pub(in crate::bench) servers: usize,
    pub(in crate::bench) load: usize,
}

impl Cores {
    /// The first two that this process may use.
    pub(in crate::bench) fn of_this_machine() -> Outcome<Cores> {
        let allowed = sched_getaffinity(Pid::from_raw(0)).context("cannot read the allowed cores")?;
        let mut cores = (0..CpuSet::count()).filter(|core| allowed.is_set(*core).unwrap_or(false));
        match (cores.next(), cores.next()) {
            (Some(servers), Some(load)) => Ok(Cores { servers, load }),
            _ => Err(Failure::new("servers and load need a core each, and this process may use one only")),
        }
    }
}

/// Keeps the calling thread on one core.
pub(in crate::bench) fn pin_this_thread(core: usize) -> Outcome {
    pin(0, core)
}

fn pin(thread: i32, core: usize) -> Outcome {
    let mut set = CpuSet::new();
    let pinned = set.set(core).and_then(|()| sched_setaffinity(Pid::from_raw(thread), &set));
    match pinned {
        // It ended meanwhile.
        Err(nix::errno::Errno::ESRCH) => Ok(()),
        pinned => pinned.context(format_args!("cannot keep a thread on core {core}")),
    }
}

fn threads(process: u32) -> Vec<u32> {
    let Ok(folder) = fs::read_dir(format!("/proc/{process}/task")) else { return Vec::new() };
    folder.filter_map(|thread| thread.ok()?.file_name().to_str()?.parse().ok()).collect()
}

/// A size from a file of /proc, which counts in KiB.
fn field(process: u32, file: &str, label: &str) -> Outcome<u64> {
    let path = format!("/proc/{process}/{file}");
    let text = fs::read_to_string(&path).context(&path)?;
    size(&text, label).ok_or_else(|| Failure::new(format!("{path} has no `{label}`")))
}

fn size(text: &str, label: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(label))?;
    rest.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::process::{Folder, Process};

    #[test]
    fn our_own_cpu_time_grows() {
        let family = Family(std::process::id());
        let before = family.cpu_time_us().unwrap();
        let mut sum = 0u64;
        // Other tests' threads end meanwhile and take their time with them, so any change will do.
        while family.cpu_time_us().unwrap() == before {
            sum = sum.wrapping_add(1);
        }
        assert!(family.members().contains(&family.0) && sum < u64::MAX);
    }

    #[test]
    fn a_family_has_children_memory_and_a_core() {
        let folder = Folder::new("test").unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 60 & wait"]);
        let mut process = Process::start("sh", &mut command, &folder.path().join("log")).unwrap();
        let family = Family(process.id());
        process.wait_until(std::time::Duration::from_secs(20), || family.members().len() == 2).unwrap();
        let (peak, memory) = (family.peak_memory().unwrap(), family.proportional_memory().unwrap());
        assert!(memory > 0 && peak > memory / 2, "{peak} {memory}");
        family.pin(Cores::of_this_machine().map_or(0, |cores| cores.load)).unwrap();
    }

    #[test]
    fn sizes_are_read_in_kib() {
        let text = "Rss:                1760 kB\nPss:                 306 kB\nPss_Dirty:           112 kB\n";
        assert_eq!(size(text, "Pss:"), Some(306 * 1024));
        assert_eq!(size(text, "VmHWM:"), None);
    }
}
