//! What the processes of a measurement have used of the cores.

use std::fs;
use std::io;

/// The kernel counts in hundredths of a second, whatever its own clock is.
const TICKS_PER_S: f64 = 100.0;

/// A process and the one that it came of, with the processor time of it and of the children that it has
/// waited for.
struct Process {
    parent: u32,
    ticks: f64,
}

/// Seconds of processor time that these processes have used.
pub fn seconds(pids: &[u32]) -> f64 {
    let processes = pids.iter().filter_map(|&pid| process(pid).ok());
    processes.map(|process| process.ticks).sum::<f64>() / TICKS_PER_S
}

/// The parent of `pid` and all of its children: a server that has a process for each connection.
pub fn family(pid: u32) -> io::Result<Vec<u32>> {
    let parent = process(pid)?.parent;
    let pids = fs::read_dir("/proc")?.flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_child = |pid: &u32| process(*pid).is_ok_and(|process| process.parent == parent);
    Ok(std::iter::once(parent)
        .chain(pids.filter(is_child))
        .collect())
}

fn process(pid: u32) -> io::Result<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // Its name, in brackets, may hold blanks.
    let (_, rest) = stat.rsplit_once(')').ok_or(io::ErrorKind::InvalidData)?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let field = |nth: usize| fields.get(nth).copied().unwrap_or_default();
    let ticks = (11..15).filter_map(|nth| field(nth).parse::<f64>().ok());
    Ok(Process {
        parent: field(1).parse().map_err(io::Error::other)?,
        ticks: ticks.sum(),
    })
}
