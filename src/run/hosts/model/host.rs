//! What a host does: its lease, its form, its disk, and how it fails.

use super::database::{line, see};
use super::rules::{FLIGHT, LEASE, SETTLED, SILENCE};
use super::search::{Push as _, Steps};
use super::setting::{Assumption, Mutation, Setting};
use super::world::{Form, Held, Host, Intent, JOBS, NOBODY, Renewal, Said, Wire, Worker, World};
use crate::job::{Evidence, Executed, InstanceStatus, LedgerEntry, State};

const NAMES: [&str; 2] = ["A", "B"];

pub fn steps(setting: &Setting, world: &World, steps: &mut Steps) {
    for index in 0..2 {
        fails(setting, world, index, steps);
        let host = &world.hosts[index];
        if !host.up || host.asleep {
            continue;
        }
        notices(setting, world, index, steps);
        takes_the_lease(setting, world, index, steps);
        renews(setting, world, index, steps);
        begins(setting, world, index, steps);
        submits(setting, world, index, steps);
        writes(setting, world, index, steps);
        if host.held.is_some_and(|held| !held.lost) && host.linked {
            watches(setting, world, index, steps);
        }
    }
}

fn fails(setting: &Setting, world: &World, index: usize, steps: &mut Steps) {
    let (name, host) = (NAMES[index], &world.hosts[index]);
    let bounds = &setting.bounds;
    let mut fault = |what, change: &dyn Fn(&mut Host)| {
        steps.push_step(world, name, what, |w| {
            w.faults -= 1;
            change(&mut w.hosts[index]);
            true
        });
    };
    if world.faults > 0 && host.up {
        fault("crashes", &stop);
        if host.linked {
            fault("is cut off from the database", &|host| host.linked = false);
        }
        if bounds.sleep && !host.asleep {
            fault("falls asleep", &|host| host.asleep = true);
        }
    }
    let mut mends = |can: bool, what, change: &dyn Fn(&mut Host)| {
        if can {
            steps.push_step(world, name, what, |w| {
                change(&mut w.hosts[index]);
                true
            });
        }
    };
    mends(!host.up, "starts", &|host| host.up = true);
    mends(!host.linked, "reaches the database again", &|host| {
        host.linked = true;
    });
    mends(host.asleep, "wakes", &|host| host.asleep = false);
}

/// Its process ends, and with it what it held in memory.
pub fn stop(host: &mut Host) {
    *host = Host {
        up: false,
        asleep: false,
        held: None,
        renewal: Renewal::None,
        worker: Worker::Idle,
        ..*host
    };
}

/// It finds that the database is not the one that it was. All leases in it end.
fn notices(setting: &Setting, world: &World, index: usize, steps: &mut Steps) {
    let host = &world.hosts[index];
    if !host.linked || world.db.noticed.is_some() || setting.knows(&world.db, host.mark) {
        return;
    }
    steps.push_step(
        world,
        NAMES[index],
        "notices that the database is another one",
        |w| {
            w.db.noticed = Some(setting.quiet());
            if !setting.breaks(Mutation::NoticeKeepsLeases) {
                w.db.epoch += 1;
                w.db.holder = NOBODY;
                w.db.left = 0;
            }
            true
        },
    );
}

fn takes_the_lease(setting: &Setting, world: &World, index: usize, steps: &mut Steps) {
    let (host, db) = (&world.hosts[index], &world.db);
    let is_in_use = host.held.is_some_and(|held| !held.lost);
    // The hosts are alike: the first to work is A.
    let is_mirrored = world.tenured == 0 && index == 1;
    if is_in_use || !host.linked || is_mirrored || world.tenured == setting.bounds.tenures {
        return;
    }
    if db.holder != NOBODY && db.left > 0 || !setting.knows(db, host.mark) {
        return;
    }
    steps.push_step(world, NAMES[index], "acquires the lease", |w| {
        let tenure = acquire(setting, w, index);
        w.hosts[index].held = Some(Held {
            tenure,
            age: 0,
            lost: false,
        });
        true
    });
    if world.faults > 0 {
        steps.push_step(
            world,
            NAMES[index],
            "acquires the lease, and is not told",
            |w| {
                w.faults -= 1;
                acquire(setting, w, index);
                true
            },
        );
    }
}

fn acquire(setting: &Setting, world: &mut World, index: usize) -> u8 {
    let tenure = world.tenured;
    world.tenured += 1;
    world.db.epoch += 1;
    world.tenures[usize::from(tenure)] = (u8::try_from(index).unwrap(), world.db.epoch);
    world.db.holder = tenure;
    world.db.left = LEASE;
    for number in 0..JOBS {
        let job = world.db.jobs[number];
        if let Some(entry) = setting.left_behind(world, job) {
            assert!(world.db.jobs[number].write(&entry));
            line(setting, world);
        }
    }
    see(setting, world, index);
    tenure
}

fn renews(setting: &Setting, world: &World, index: usize, steps: &mut Steps) {
    let (name, host) = (NAMES[index], &world.hosts[index]);
    let Some(held) = host.held.filter(|held| !held.lost) else {
        return;
    };
    let is_at_the_old = !host.linked && !setting.assumes(Assumption::OldPrimaryIsDown);
    if is_at_the_old && world.db.identity > 0 {
        steps.push_step(world, name, "renews its lease at the old primary", |w| {
            w.hosts[index].held = Some(Held { age: 0, ..held });
            held.age > 0
        });
    }
    if !host.linked {
        return;
    }
    if !setting.bounds.slow_renewals {
        steps.push_step(world, name, "renews its lease", |w| {
            let is_news = held.age > 0 || !grant_is_new(w, held);
            grant(setting, w, index, held);
            if let Some(held) = w.hosts[index].held.as_mut().filter(|held| !held.lost) {
                held.age = setting.renewed(*held, 0);
            }
            is_news
        });
        return;
    }
    match host.renewal {
        Renewal::None if held.age > 0 => steps.push_step(world, name, "begins a renewal", |w| {
            w.hosts[index].renewal = Renewal::Asked { age: 0 };
            true
        }),
        Renewal::None => {}
        Renewal::Asked { age } => steps.push_step(world, "database", "grants a renewal", |w| {
            w.hosts[index].renewal = Renewal::Granted { age };
            grant(setting, w, index, held);
            true
        }),
        Renewal::Granted { age } => {
            steps.push_step(world, name, "hears that its lease was renewed", |w| {
                w.hosts[index].renewal = Renewal::None;
                w.hosts[index].held = Some(Held {
                    age: setting.renewed(held, age),
                    ..held
                });
                true
            });
            if world.faults > 0 {
                steps.push_step(world, "network", "loses the answer to a renewal", |w| {
                    w.faults -= 1;
                    w.hosts[index].renewal = Renewal::None;
                    true
                });
            }
        }
    }
}

fn grant_is_new(world: &World, held: Held) -> bool {
    world.db.holder == held.tenure && world.db.left == LEASE
}

/// The database renews a lease, or its holder learns that it has none.
fn grant(setting: &Setting, world: &mut World, index: usize, held: Held) {
    let is_known = setting.knows(&world.db, world.hosts[index].mark);
    if is_known && setting.is_held(world, held.tenure) {
        world.db.left = LEASE;
        see(setting, world, index);
    } else {
        lose(world, index);
    }
}

fn lose(world: &mut World, index: usize) {
    let host = &mut world.hosts[index];
    host.renewal = Renewal::None;
    if let Some(held) = &mut host.held {
        held.lost = true;
        held.age = 0;
    }
}

/// An intent goes out to the database.
fn begins(setting: &Setting, world: &World, index: usize, steps: &mut Steps) {
    let host = &world.hosts[index];
    let is_idle = host.worker == Worker::Idle && host.linked;
    let Some(held) = host.held.filter(|_| is_idle && setting.trusts(host.held)) else {
        return;
    };
    if world.formed == setting.bounds.forms || world.db.holder != held.tenure {
        return;
    }
    for (number, job) in world.db.jobs.iter().enumerate() {
        // A run does not begin what it knows to be kept back; what changes meanwhile, the commit sees.
        let is_kept = world.db.paused || !setting.is_free(world, number);
        if job.state != State::Queued || is_kept || !setting.knows(&world.db, host.mark) {
            continue;
        }
        steps.push_step(world, NAMES[index], "begins an intent", |w| {
            let form = w.formed;
            w.formed += 1;
            *w.form(form) = Form {
                job: u8::try_from(number).unwrap(),
                order: job.order,
                attempt: job.attempt + 1,
                tenure: held.tenure,
                intent: Intent::OnItsWay,
                wire: Wire::Unsent,
                told: None,
            };
            w.hosts[index].worker = Worker::Committing { form, age: 0 };
            true
        });
    }
}

/// A worker, and the steps that it may take.
struct Hand<'a> {
    world: &'a World,
    index: usize,
    steps: &'a mut Steps,
}

impl Hand<'_> {
    fn goes_to(&mut self, worker: Worker, what: &'static str, change: impl FnOnce(&mut World)) {
        let index = self.index;
        self.steps.push_step(self.world, NAMES[index], what, |w| {
            change(w);
            w.hosts[index].worker = worker;
            true
        });
    }

    fn knows(&mut self, form: u8, said: Said, what: &'static str, change: impl FnOnce(&mut World)) {
        self.goes_to(Worker::Knows { form, said }, what, change);
    }
}

/// From the intent to the end of the call.
fn submits(setting: &Setting, world: &World, index: usize, steps: &mut Steps) {
    let held = world.hosts[index].held;
    let mut hand = Hand {
        world,
        index,
        steps,
    };
    match world.hosts[index].worker {
        Worker::Committing { form, age } => hears_of_the_intent(setting, &mut hand, form, age),
        Worker::Ready { form, age } => {
            let known = world.forms[usize::from(form)];
            let is_looked_at = !setting.breaks(Mutation::LookAtTheCommit);
            if is_looked_at && !setting.permits(held, known, age) {
                hand.knows(form, Said::NotSent, "may not send", |_| {});
            } else {
                hand.goes_to(Worker::Looked { form, since: 0 }, "may send", |w| {
                    w.allowed = w.allowed.max(Some(known.tenure));
                });
            }
        }
        Worker::Looked { form, since } => {
            if since >= SILENCE && setting.closes_silent() {
                hand.knows(form, Said::Unknown, "finds the connection closed", |w| {
                    w.form(form).wire = Wire::Gone;
                });
            } else {
                hand.goes_to(Worker::Sent { form }, "hands the form to the wire", |w| {
                    w.form(form).wire = Wire::Flying { age: 0 };
                });
            }
        }
        Worker::Sent { form } => {
            let wire = world.forms[usize::from(form)].wire;
            if wire == Wire::Executed {
                hand.knows(form, Said::Accepted, "hears that it was accepted", |_| {});
            }
            if world.faults > 0 || wire == Wire::Gone {
                hand.knows(form, Said::Unknown, "hears no answer", |w| {
                    w.faults = w.faults.saturating_sub(1);
                });
            }
        }
        Worker::Idle | Worker::Knows { .. } => {}
    }
}

fn hears_of_the_intent(setting: &Setting, hand: &mut Hand<'_>, form: u8, age: u8) {
    let (world, index) = (hand.world, hand.index);
    let host = &world.hosts[index];
    let known = world.forms[usize::from(form)];
    match known.intent {
        Intent::Committed if host.linked => {
            let is_looked_at = setting.breaks(Mutation::LookAtTheCommit);
            if is_looked_at && !setting.permits(host.held, known, age) {
                hand.knows(form, Said::NotSent, "sees a permit that has ended", |_| {});
            } else {
                let ready = Worker::Ready { form, age };
                hand.goes_to(ready, "hears that the intent is committed", |w| {
                    see(setting, w, index);
                });
            }
        }
        Intent::Lost if host.linked => {
            hand.goes_to(Worker::Idle, "hears that the intent is refused", |_| {});
        }
        // The commit was not answered: nothing is sent, whatever has become of it, and the run ends.
        Intent::OnItsWay | Intent::Committed | Intent::Lost if world.faults > 0 => {
            let goes_on = setting.breaks(Mutation::RunGoesOnAfterALostCommit);
            hand.knows(form, Said::NotSent, "hears nothing of the intent", |w| {
                w.faults -= 1;
                if !goes_on {
                    lose(w, index);
                }
            });
        }
        Intent::OnItsWay | Intent::Committed | Intent::Lost => {}
    }
}

/// An outcome goes to the ledger, or to the disk and from there to the ledger.
fn writes(setting: &Setting, world: &World, index: usize, steps: &mut Steps) {
    let (name, host) = (NAMES[index], &world.hosts[index]);
    if let Worker::Knows { form, said } = host.worker {
        let known = world.forms[usize::from(form)];
        let is_open = known.intent != Intent::OnItsWay;
        if host.linked
            && is_open
            && setting.is_held(world, known.tenure)
            && setting.knows(&world.db, host.mark)
        {
            steps.push_step(world, name, "writes the outcome", |w| {
                let job = &mut w.db.jobs[usize::from(known.job)];
                let is_there = job.state == State::Submitting
                    && job.order == known.order
                    && job.attempt == known.attempt
                    && job.sender == known.tenure;
                if is_there && job.write(&said.entry()) {
                    // It is dated with the moment at which it was sent.
                    job.age = match known.wire {
                        Wire::Unsent => 0,
                        Wire::Flying { age } => age,
                        Wire::Executed | Wire::Gone => SETTLED,
                    };
                    line(setting, w);
                    see(setting, w, index);
                } else if known.intent == Intent::Committed && host.spool.is_none() {
                    w.hosts[index].spool = Some((form, said));
                }
                w.hosts[index].worker = Worker::Idle;
                true
            });
        } else if host.spool.is_none() {
            steps.push_step(world, name, "spools the outcome", |w| {
                let is_lost = host.linked && is_open;
                w.hosts[index].spool = Some((form, said));
                w.hosts[index].worker = Worker::Idle;
                if is_lost && host.held.is_some_and(|held| held.tenure == known.tenure) {
                    lose(w, index);
                }
                true
            });
        }
    }
    if let Some((form, said)) = host
        .spool
        .filter(|_| host.linked && world.db.testimony.is_none())
    {
        steps.push_step(world, name, "delivers a late word", |w| {
            w.hosts[index].spool = None;
            w.db.testimony = Some((form, said));
            true
        });
    }
    ended(setting, world, index, steps);
}

/// The kernel of a machine says that a process which it ran has ended, to whoever starts there.
fn ended(setting: &Setting, world: &World, index: usize, steps: &mut Steps) {
    let host = &world.hosts[index];
    if !host.linked {
        return;
    }
    let jobs = world.db.jobs.iter().filter(|job| job.orphaned);
    let left = world.db.left_by_order.iter().flatten();
    let left = left.filter(|left| left.orphaned).map(|left| left.sender);
    for tenure in jobs.map(|job| job.sender).chain(left) {
        if tenure == NOBODY {
            continue;
        }
        let lives = host.held.is_some_and(|held| held.tenure == tenure)
            || host
                .worker
                .form()
                .is_some_and(|form| world.forms[usize::from(form)].tenure == tenure);
        let is_said = world.db.fenced[usize::from(tenure)].is_some();
        let is_believed = !lives || !setting.assumes(Assumption::KernelKnowsItsProcesses);
        if world.host_of(tenure) == index && is_believed && !is_said {
            steps.push_step(world, NAMES[index], "says that a process has ended", |w| {
                w.db.fenced[usize::from(tenure)] = Some(0);
                true
            });
        }
    }
}

/// The holder reads the list, and writes what that proves.
fn watches(setting: &Setting, world: &World, index: usize, steps: &mut Steps) {
    let name = NAMES[index];
    let Some(held) = world.hosts[index].held else {
        return;
    };
    if !setting.is_held(world, held.tenure) || !setting.knows(&world.db, world.hosts[index].mark) {
        return;
    }
    for (number, job) in world.db.jobs.iter().enumerate() {
        let mut write = |what, entry: LedgerEntry| {
            steps.push_step(world, name, what, |w| {
                let is_written = w.db.jobs[number].write(&entry);
                if is_written {
                    line(setting, w);
                    see(setting, w, index);
                }
                is_written
            });
        };
        let present = world.forms().iter().find(|form| form.is_of(number, *job));
        if job.state == State::InProgress {
            write("sees it complete", completed());
        }
        if !job.is_in_doubt() {
            continue;
        }
        if present.is_some_and(|form| form.wire == Wire::Executed) {
            write("sees the rebuild", sighted());
        } else if job.now == Executed::Maybe && is_disproved(setting, world, held, job.age, number)
        {
            write(
                "sees nothing, and believes that",
                LedgerEntry::Disproved { not_before_ms: 0 },
            );
        }
    }
}

/// That nothing is seen counts: its sender watches, or the fence of its sender lies long enough back.
fn is_disproved(setting: &Setting, world: &World, held: Held, age: u8, number: usize) -> bool {
    let job = world.db.jobs[number];
    if job.orphaned {
        setting.breaks(Mutation::SilenceWithoutFence) || setting.is_over(world, job)
    } else {
        job.sender == held.tenure && age > FLIGHT
    }
}

fn sighted() -> LedgerEntry {
    LedgerEntry::Sighted {
        status: InstanceStatus::Rebuilding,
        image: None,
    }
}

fn completed() -> LedgerEntry {
    LedgerEntry::Completed {
        evidence: Evidence::Observed,
        status: InstanceStatus::Active,
        image: None,
        remark: None,
        hook: false,
    }
}
