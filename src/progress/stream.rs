//! The thread that writes events for scripts, and the file that they are appended to.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{Duration, Instant};

use super::ndjson;
use super::shared::{Letter, Shared};
use crate::event::Event;
use crate::time;

/// Events that come within this time are written together.
const STREAM_PACE: Duration = Duration::from_millis(20);

/// From one remark on how far the run is to the next, if anything has changed.
const REMARKS: Duration = Duration::from_secs(5);

/// The thread of the event stream.
pub fn write(shared: &Shared, mut out: impl Write) {
    let Some(mailbox) = &shared.stream else {
        return;
    };
    let mut earliest = Instant::now();
    let mut remark_due = earliest + REMARKS;
    let mut remarked = None;
    let mut remark = |text: &mut Vec<u8>| {
        let pace = shared.tally().pace(shared.started.elapsed());
        if let Some(pace) = pace.filter(|_| pace != remarked) {
            remarked = Some(pace);
            ndjson::write_pace(text, time::now_ms(), pace);
        }
    };
    loop {
        let batch = mailbox.take(earliest, Some(remark_due));
        let now = Instant::now();
        earliest = now + STREAM_PACE;
        let mut text = Vec::new();
        for letter in &batch.letters {
            match letter {
                Letter::Event { at_ms, event } => {
                    if matches!(**event, Event::RunEnded { .. }) {
                        // Whoever reads how far it is would be left with what it was before.
                        remark(&mut text);
                    }
                    ndjson::write_event(&mut text, *at_ms, event);
                }
                Letter::Note(_) => {} // for people
            }
        }
        if batch.lost > 0 {
            ndjson::write_gap(&mut text, time::now_ms(), batch.lost);
        }
        if now >= remark_due {
            remark_due = now + REMARKS;
            remark(&mut text);
        }
        let written = out.write_all(&text).and_then(|()| out.flush());
        if let Err(error) = &written {
            // Half a line may have been written: a reader could make nothing of what followed it.
            mailbox.close();
            shared.screen.post(Letter::Note(format!(
                "warning: the run goes on without --events, which cannot be written: {error}"
            )));
        }
        if written.is_err() || batch.closed {
            mailbox.done();
            return;
        }
    }
}

/// Opens `path` for appending, created for its owner only, at the beginning of a line.
///
/// A named pipe that is opened for writing alone waits for a reader, for ever if none comes, and no
/// signal ends that. Opened for both it waits for nobody: a reader that comes late finds what fits
/// into the pipe, and the rest is dropped as for any reader that does not keep up.
pub fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    options.read(is_pipe(path)).mode(0o600);
    let mut file = options.open(path)?;
    if ends_in_mid_line(path).unwrap_or(false) {
        file.write_all(b"\n")?;
    }
    Ok(file)
}

fn is_pipe(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|metadata| metadata.file_type().is_fifo())
}

/// A process that was killed may have left half a line.
fn ends_in_mid_line(path: &Path) -> io::Result<bool> {
    let metadata = path.metadata()?;
    if !metadata.is_file() || metadata.len() == 0 {
        return Ok(false);
    }
    let mut file = File::open(path)?;
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_appended_at_a_line_of_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events");
        open(&path).unwrap().write_all(b"{}\n{\"v\":1,\"a").unwrap();
        open(&path).unwrap().write_all(b"{}\n").unwrap();
        open(&path).unwrap().write_all(b"{}\n").unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "{}\n{\"v\":1,\"a\n{}\n{}\n");
    }

    // A run that waited here would never begin, and no signal would end it.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_named_pipe_without_a_reader_is_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, 0o600.into()).unwrap();
        let (opened, waits) = std::sync::mpsc::channel();
        let ours = path.clone();
        // On a thread of its own: an `open` that waits cannot be cancelled.
        std::thread::spawn(move || {
            let mut file = open(&ours).unwrap();
            file.write_all(b"{}\n").unwrap();
            opened.send(file).unwrap();
        });
        let _file = waits.recv_timeout(Duration::from_secs(10)).unwrap();
        let mut late = File::open(&path).unwrap();
        let mut line = [0; 3];
        late.read_exact(&mut line).unwrap();
        assert_eq!(line, *b"{}\n");
    }

    #[test]
    fn the_file_is_created_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events");
        open(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}
