//! What a process costs: its memory, its time on the CPU, its descriptors.

use std::fs::read_to_string;
use std::time::Duration;

use super::memory::anonymous_bytes;

/// What a process had used up to a moment, and what it holds then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub(crate) cpu: Duration,
    pub(crate) anonymous_bytes: u64,
    pub(crate) descriptors: usize,
}

impl Cost {
    pub(crate) fn of(process: u32) -> Self {
        let descriptors = std::fs::read_dir(format!("/proc/{process}/fd")).expect("the process runs").count();
        Self { cpu: cpu_time(process), anonymous_bytes: anonymous_bytes(process), descriptors }
    }
}

/// What a process has used of the CPU, itself and the system for it: fields 14 and 15 of proc_pid_stat(5), which are in
/// hundredths of a second.
pub(crate) fn cpu_time(process: u32) -> Duration {
    let text = read_to_string(format!("/proc/{process}/stat")).expect("the process runs");
    let (_, fields) = text.rsplit_once(')').expect("the name is in brackets");
    let fields = fields.split_whitespace().skip(11).take(2);
    let ticks: u64 = fields.map(|field| field.parse::<u64>().expect("a number")).sum();
    Duration::from_millis(10 * ticks)
}
