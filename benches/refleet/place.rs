//! A folder on the disk to be measured, and the programs that work in it.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Of every row.
pub const IMAGE: &str = "18d0ee2e-4d57-4f40-9b56-03c1773b5831";
/// Of every row.
pub const PASSWORD: &str = "Mypassword1";
/// The session.
pub const TOKEN: &str = "3f0c9a7be1d24455a9c8";

/// The service of the row at `index`.
pub fn service(index: usize) -> usize {
    5_000_000 + index
}

/// A folder that vanishes with it.
pub struct Place {
    folder: tempfile::TempDir,
}

/// What became of a program.
#[derive(Debug, Clone, Copy)]
pub struct Ended {
    /// From its start to its end.
    pub elapsed: Duration,
    /// The most memory it held, in bytes; 0 where the system does not tell.
    pub peak_bytes: u64,
}

/// `REFLEET_BENCH_DIR`, else the target folder.
pub fn parent() -> io::Result<PathBuf> {
    let parent = std::env::var_os("REFLEET_BENCH_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
    fs::create_dir_all(&parent)?;
    Ok(parent)
}

/// What a host keeps on its own disk, beside its queue. A cluster of an earlier bench may have had the same
/// address.
pub fn forget_state() -> io::Result<()> {
    match fs::remove_dir_all(state()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn state() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-state")
}

impl Place {
    pub fn new() -> io::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("refleet-bench-")
            .tempdir_in(parent()?)?;
        Ok(Self { folder })
    }

    /// A file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a manifest of `rows` rows, if it is not there yet.
    pub fn manifest(&self, rows: usize) -> io::Result<PathBuf> {
        self.manifest_of(0, rows)
    }

    /// The same, of the rows from `first` on.
    pub fn manifest_of(&self, first: usize, rows: usize) -> io::Result<PathBuf> {
        let path = self.path(&format!("fleet-{first}-{rows}.csv"));
        if path.exists() {
            return Ok(path);
        }
        let mut out = BufWriter::new(File::create(&path)?);
        writeln!(out, "service_id,image,zone,password,ssh_key,note")?;
        for index in first..first + rows {
            writeln!(
                out,
                "{},{IMAGE},pub,{PASSWORD},,rack {}",
                service(index),
                index % 40
            )?;
        }
        out.into_inner()?.sync_all()?;
        Ok(path)
    }

    /// Queues `rows` rows in a database of its own.
    pub fn loaded(&self, name: &str, rows: usize, url: &str) -> io::Result<PathBuf> {
        let database = self.path(name);
        remove(&database)?;
        let manifest = self.manifest(rows)?;
        ended(refleet(&database, url).arg("load").arg(manifest))?;
        Ok(database)
    }
}

/// Removes a database and what stands beside it.
pub fn remove(database: &Path) -> io::Result<()> {
    for suffix in ["", "-wal", "-shm", ".lock", "-lock"] {
        let mut name = database.as_os_str().to_owned();
        name.push(suffix);
        match fs::remove_file(name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// refleet itself, quietly.
pub fn refleet(database: &Path, url: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_refleet"));
    command
        .env_clear()
        .env("ZOMRO_AUTH", TOKEN)
        .env("XDG_STATE_HOME", state())
        .arg("--quiet")
        .arg("--db")
        .arg(database)
        .args(["--api-url", url])
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}

/// The run of every dispatch.
pub fn run(database: &Path, url: &str, workers: usize) -> Command {
    let mut command = refleet(database, url);
    command
        .args([
            "run",
            "--yes",
            "--stale",
            "--no-wait",
            "--rate",
            "0",
            "--max-failures",
            "100%",
        ])
        .arg("--workers")
        .arg(workers.to_string());
    command
}

/// Runs `command` to its end.
pub fn ended(command: &mut Command) -> io::Result<Ended> {
    let began = Instant::now();
    let mut child = command.spawn()?;
    let memory = Memory::watch(&child);
    let status = child.wait()?;
    let elapsed = began.elapsed();
    if !status.success() {
        return Err(io::Error::other(format!(
            "{} ended with {status}",
            command.get_program().display()
        )));
    }
    Ok(Ended {
        elapsed,
        peak_bytes: memory.peak(),
    })
}

/// Asks `child` to stop, and waits until it has.
pub fn stop(mut child: Child) -> io::Result<()> {
    Command::new("kill")
        .arg("-TERM")
        .arg(child.id().to_string())
        .status()?;
    child.wait()?;
    Ok(())
}

/// Watches the peak of a process's memory: the kernel keeps it, so that looking at times will do.
pub struct Memory {
    peak: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
}

impl Memory {
    /// Of `child`.
    pub fn watch(child: &Child) -> Self {
        let status = format!("/proc/{}/status", child.id());
        let memory = Self {
            peak: Arc::default(),
            over: Arc::default(),
        };
        let (peak, over) = (Arc::clone(&memory.peak), Arc::clone(&memory.over));
        std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let Ok(status) = fs::read_to_string(&status) else {
                    return;
                };
                let kib = status.lines().find_map(|line| {
                    line.strip_prefix("VmHWM:")?
                        .trim()
                        .strip_suffix(" kB")?
                        .parse()
                        .ok()
                });
                peak.fetch_max(kib.unwrap_or(0_u64) * 1024, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        memory
    }

    /// The peak so far.
    pub fn peak(&self) -> u64 {
        self.over.store(true, Ordering::Relaxed);
        self.peak.load(Ordering::Relaxed)
    }
}
