//! Somebody at a desk, who says something now and then.

use std::time::{Duration, Instant};

use super::History;
use crate::rig::{Cluster, Running};

/// When he says what.
pub struct Desk {
    /// Words that are still to come.
    left: u32,
    next_at: Instant,
    /// The pause is lifted then.
    go_at: Option<Instant>,
    /// How often he looks at what is held when all else has ended.
    pub looks: u32,
}

impl Desk {
    pub fn new(random: &mut fastrand::Rng, now: Instant) -> Self {
        Self {
            left: random.u32(0..=6),
            next_at: now + Duration::from_millis(random.u64(0..=800)),
            go_at: None,
            looks: random.choice([0, 10]).unwrap_or_default(),
        }
    }

    /// He has nothing more to say.
    pub fn is_silent(&self) -> bool {
        self.left == 0 && self.go_at.is_none()
    }
}

/// A doubt that only somebody's word settles, and who had sent it.
struct Doubt {
    service: i64,
    host: String,
    pid: u32,
}

impl History {
    /// The next word, if it is time for one.
    pub(super) fn say(&mut self, cluster: &Cluster) -> Result<(), String> {
        let now = Instant::now();
        if self.desk.go_at.is_some_and(|then| now >= then) {
            self.desk.go_at = None;
            self.word(&["go", "--reason", "looked at it"], &[0])?;
        }
        if self.desk.left == 0 || now < self.desk.next_at {
            return Ok(());
        }
        self.desk.left -= 1;
        self.desk.next_at = now + Duration::from_millis(self.random.u64(50..=600));
        match self.random.u32(..8) {
            0 => {
                self.word(&["pause", "--reason", "a freeze"], &[0])?;
                let lasts = self.random.u64(50..=1000);
                self.desk.go_at = Some(Instant::now() + Duration::from_millis(lasts));
            }
            1 => {
                let nth = self.random.usize(..self.rig.services.len());
                let service = self.rig.services[nth].to_string();
                self.word(&["cancel", &service], &[0, 2])?;
            }
            2 => self.word(&["retry", "--failed"], &[0])?,
            3 => self.word(&["adopt", "--reason", "I think so"], &[2])?,
            _ => self.settle(cluster)?,
        }
        Ok(())
    }

    fn word(&mut self, args: &[&str], codes: &[i32]) -> Result<(), String> {
        self.figures.words += 1;
        let ended = self.rig.call(args);
        let at = self.began.elapsed();
        let _ = std::fmt::Write::write_fmt(
            &mut self.told,
            format_args!("{at:.3?} desk: {args:?} ended with {}\n", ended.code),
        );
        if codes.contains(&ended.code) {
            Ok(())
        } else {
            Err(format!("{args:?}: {ended}"))
        }
    }

    /// Settles what is held, as somebody would who looks at the instance and knows his machines.
    pub(super) fn settle(&mut self, cluster: &Cluster) -> Result<(), String> {
        let held = "SELECT job.service_id, run.host, run.pid FROM refleet.job
             JOIN refleet.ledger ON ledger.job_id = job.id AND ledger.attempt = job.attempt
                 AND ledger.kind = 'intent'
             JOIN refleet.run ON run.id = ledger.run_id WHERE job.held = 1";
        let held = self.rig.ask(cluster, held);
        for Doubt { service, host, pid } in held.lines().filter_map(doubt) {
            let record = self.rig.simulator.record();
            let truth = &record.services[&service];
            let service = service.to_string();
            if truth.wiped == 1 && truth.completed == 1 {
                let done = [
                    "resolve",
                    &service,
                    "--as",
                    "done",
                    "--reason",
                    "looked at it",
                ];
                self.word(&done, &[0, 2])?;
                continue;
            }
            let pids = self.hosts.iter().filter_map(|host| host.process.as_ref());
            let is_alive = pids.map(Running::pid).any(|own| own == pid);
            if truth.executed > 0 || is_alive {
                continue;
            }
            // Refused where another process on that machine works by now, or where it has ended by itself.
            self.word(
                &["hosts", "fence", &host, "--reason", "it is dead"],
                &[0, 2],
            )?;
            let again = [
                "resolve",
                &service,
                "--as",
                "requeue",
                "--reason",
                "not wiped",
            ];
            self.word(&again, &[0, 2])?;
            self.figures.requeued += 1;
        }
        Ok(())
    }
}

fn doubt(line: &str) -> Option<Doubt> {
    let mut cells = line.split('|');
    Some(Doubt {
        service: cells.next()?.trim().parse().ok()?,
        host: cells.next()?.trim().to_owned(),
        pid: cells.next()?.trim().parse().ok()?,
    })
}
