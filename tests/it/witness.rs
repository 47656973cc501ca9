//! The second witness: what the instances' own host keys settle, and what nobody may be misled by. The real
//! binary, and SSH ports that are as real as the simulator's others.
//!
//! | file | what it is about |
//! |---|---|
//! | `doubts` | doubts of which the account's list says nothing: how the executed ones end, and the others |
//! | `traps` | ports and keys that deceive: nothing is decided wrongly |
//! | `ports` | where a run looks and where it does not, and what it says there |

mod doubts;
mod ports;
mod traps;

use std::time::Duration;

use refleet::simulator::{Call, FaultKind, Oddities, Script};

use crate::rig::{Ended, Pace, Rig};

const DONE: i32 = 0;
const DOUBT: i32 = 3;
/// What each of the images is called; the orders are for the second one.
const OLD: &str = "CentOS-7";
const NEW: &str = "AlmaLinux-8";
/// The answers to these submissions are lost: the first was executed, the second was not.
const LOST: [FaultKind; 2] = [FaultKind::ResetAfter, FaultKind::ResetBefore];

/// Where the account's list is of no help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blind {
    /// The instances get the image that they have, and are back before anybody looks.
    SameImage,
    /// They get the image that they have, and the list shows of no rebuild that it goes on.
    HiddenStatus,
    /// As the first; it is the only job of its order.
    OnlyJob,
    /// As the first; the process is killed before the answers, and another one takes over.
    Killed,
    /// The list goes on showing what was before the first submission.
    Frozen,
}

impl Blind {
    const ALL: [Self; 5] = [
        Self::SameImage,
        Self::HiddenStatus,
        Self::OnlyJob,
        Self::Killed,
        Self::Frozen,
    ];

    /// `count` instances that answer by SSH, on an account with such a list and with these oddities.
    fn rig(self, count: usize, odd: &[&str]) -> Rig {
        let never_shown = matches!(self, Self::HiddenStatus | Self::Frozen);
        let words = never_shown.then_some("never-shown");
        let mut rig = Rig::brisk(count, |config| {
            config.ssh_port = Some(0);
            config.odd = Oddities::parse(words.into_iter().chain(odd.iter().copied())).unwrap();
            if !never_shown {
                config.rebuild_duration = Duration::ZERO;
            }
            let image = if self == Self::Frozen { OLD } else { NEW };
            for instance in &mut config.instances {
                image.clone_into(&mut instance.image);
            }
        });
        rig.pace = Pace::brisk()
            .with("--workers", count.to_string())
            .with("--poll-interval", "100ms")
            .with("--timeout", "2s")
            .with("--rebuild-timeout", "20s");
        rig
    }

    /// The answers to all submissions are lost; those of `executed` instances were executed.
    fn lose_answers(self, rig: &Rig, executed: impl Fn(usize) -> bool) {
        let hang = [FaultKind::TimeoutAfter, FaultKind::TimeoutBefore];
        let kinds = if self == Self::Killed { hang } else { LOST };
        for (nth, service) in rig.services.iter().enumerate() {
            let kind = kinds[usize::from(!executed(nth))];
            rig.simulator.script(Script {
                elid: Some(*service),
                ..Script::next(Call::Submission, kind)
            });
        }
    }

    /// Runs to the end; where a process is to be killed, another one begins, and is killed when all
    /// submissions have arrived.
    fn run(self, rig: &Rig) -> Ended {
        if self == Self::Killed {
            let mut running = rig.start(&["--timeout", "50s"]);
            let all = rig.services.len() as u64;
            let ended = running.wait_until(|| rig.submissions() >= all);
            assert_eq!(ended, None, "{}", running.said());
            running.kill();
            rig.check().unwrap();
        }
        rig.run(&[])
    }
}
