//! A state of the model, small enough to keep a million of them.

use super::setting::{Assumption, Setting};
use crate::job::{Executed, State};

/// Tenures of a history, and forms.
pub const TENURES: usize = 4;
pub const FORMS: usize = 3;
pub const JOBS: usize = 2;
/// Lines of a ledger.
pub const LINES: usize = 16;
/// No tenure.
pub const NOBODY: u8 = u8::MAX;

/// A lease as its holder knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Held {
    pub tenure: u8,
    /// Ticks since its last successful renewal began.
    pub age: u8,
    pub lost: bool,
}

/// A renewal on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Renewal {
    None,
    Asked { age: u8 },
    Granted { age: u8 },
}

/// What a sender says of its form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Said {
    NotSent,
    Accepted,
    Unknown,
}

/// What a host does with a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Worker {
    Idle,
    /// The intent is on its way to the database, or its answer is.
    Committing {
        form: u8,
        age: u8,
    },
    /// The intent is committed.
    Ready {
        form: u8,
        age: u8,
    },
    /// The permit allowed it so many ticks ago.
    Looked {
        form: u8,
        since: u8,
    },
    Sent {
        form: u8,
    },
    /// The outcome is known and not written.
    Knows {
        form: u8,
        said: Said,
    },
}

impl Worker {
    pub fn form(self) -> Option<u8> {
        match self {
            Self::Idle => None,
            Self::Committing { form, .. }
            | Self::Ready { form, .. }
            | Self::Looked { form, .. }
            | Self::Sent { form }
            | Self::Knows { form, .. } => Some(form),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Host {
    /// Its process lives.
    pub up: bool,
    /// It reaches the database.
    pub linked: bool,
    pub asleep: bool,
    pub held: Option<Held>,
    pub renewal: Renewal,
    pub worker: Worker,
    /// On its disk: an outcome that could not be written.
    pub spool: Option<(u8, Said)>,
    /// On its disk: how often the ledger had been adopted, how many lines it had, and what the last says.
    pub mark: (u8, u8, u8),
}

/// The intent of a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Intent {
    OnItsWay,
    Committed,
    /// The database has refused it, or it was lost on the way, or with a database.
    Lost,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wire {
    Unsent,
    Flying { age: u8 },
    Executed,
    Gone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Form {
    pub job: u8,
    /// Which order of that instance.
    pub order: u8,
    pub attempt: u8,
    pub tenure: u8,
    pub intent: Intent,
    pub wire: Wire,
    /// What the database has heard of it.
    pub told: Option<Said>,
}

/// A job as the database has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Job {
    /// How often the instance was ordered before.
    pub order: u8,
    pub state: State,
    pub attempt: u8,
    pub before: Executed,
    pub now: Executed,
    pub accepted: bool,
    /// Its failure says `orphaned`.
    pub orphaned: bool,
    /// The tenure of the present attempt.
    pub sender: u8,
    /// Ticks since it was sent, or since it was noticed that nobody knows.
    pub age: u8,
}

/// What an earlier order of an instance has left, and may still take effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Left {
    pub attempt: u8,
    pub sender: u8,
    pub orphaned: bool,
    pub age: u8,
}

/// What PostgreSQL holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Db {
    /// Its system identifier and timeline, as one number, and those of the batch.
    pub identity: u8,
    pub batch: u8,
    pub adoptions: u8,
    pub epoch: u8,
    pub holder: u8,
    /// Ticks until the lease ends.
    pub left: u8,
    pub jobs: [Job; JOBS],
    pub left_by_order: [Option<Left>; JOBS],
    /// Of each tenure: ticks since its sender was fenced.
    pub fenced: [Option<u8>; TENURES],
    /// A late word that nobody has heard.
    pub testimony: Option<(u8, Said)>,
    pub paused: bool,
    /// Somebody has noticed that it is another one, and `adopt` is taken in so many ticks.
    pub noticed: Option<u8>,
    /// What each line says: how many copies were left when it was written tells it from one of another history.
    pub lines: [u8; LINES],
    pub length: u8,
}

/// What must never be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Broken {
    /// An instance was wiped twice, and no word of the operator stands between the two.
    WipedTwice,
    /// A form was executed after a younger one of its instance was handed over.
    Overtaken,
    /// Two hosts may send at the same moment.
    TwoSenders,
    /// A form of an older tenure was executed after a younger one was allowed to send.
    LateForm,
    /// A form was executed long after a pause.
    AfterThePause,
    /// A wipe is recorded as none.
    Forgotten,
    /// A job that nobody works on, and that waits for nobody.
    Lost,
    /// A doubt whose sender has said what happened.
    Unheard,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct World {
    pub hosts: [Host; 2],
    pub db: Db,
    /// A standby or a dump: how the database was at some time.
    pub copy: Option<Db>,
    pub forms: [Form; FORMS],
    pub formed: u8,
    /// The host of each tenure, and its epoch.
    pub tenures: [(u8, u8); TENURES],
    pub tenured: u8,
    /// What is left of the bounds.
    pub faults: u8,
    pub copies: u8,
    /// Ticks by which the database's clock may still run ahead.
    pub skew: u8,
    // What only the promises look at.
    pub wiped: [bool; JOBS],
    /// The operator has spoken since the last wipe.
    pub spoken: [bool; JOBS],
    /// The youngest tenure that was allowed to send.
    pub allowed: Option<u8>,
    pub since_pause: Option<u8>,
    pub broken: Option<Broken>,
}

impl World {
    /// Nothing has happened.
    pub fn new(setting: &Setting) -> Self {
        let bounds = &setting.bounds;
        let host = Host {
            up: true,
            linked: true,
            asleep: false,
            held: None,
            renewal: Renewal::None,
            worker: Worker::Idle,
            spool: None,
            mark: (0, 0, NOBODY),
        };
        let form = Form {
            job: 0,
            order: 0,
            attempt: 0,
            tenure: NOBODY,
            intent: Intent::Lost,
            wire: Wire::Unsent,
            told: None,
        };
        let is_early = !setting.assumes(Assumption::ClocksRunAlike);
        Self {
            hosts: [host; 2],
            db: Db::new(bounds.jobs),
            copy: None,
            forms: [form; FORMS],
            formed: 0,
            tenures: [(NOBODY, 0); TENURES],
            tenured: 0,
            faults: bounds.faults,
            copies: bounds.copies,
            skew: if is_early { 4 } else { bounds.skew },
            wiped: [false; JOBS],
            spoken: [false; JOBS],
            allowed: None,
            since_pause: None,
            broken: None,
        }
    }

    /// The host of a tenure.
    pub fn host_of(&self, tenure: u8) -> usize {
        usize::from(self.tenures[usize::from(tenure)].0)
    }

    pub fn form(&mut self, form: u8) -> &mut Form {
        &mut self.forms[usize::from(form)]
    }

    pub fn forms(&self) -> &[Form] {
        &self.forms[..usize::from(self.formed)]
    }
}

impl Job {
    /// Nothing was sent for it.
    pub fn queued() -> Self {
        Self {
            order: 0,
            state: State::Queued,
            attempt: 0,
            before: Executed::No,
            now: Executed::No,
            accepted: false,
            orphaned: false,
            sender: NOBODY,
            age: 0,
        }
    }
}

impl Form {
    /// It is the present attempt of a job.
    pub fn is_of(self, number: usize, job: Job) -> bool {
        self.intent == Intent::Committed
            && usize::from(self.job) == number
            && self.order == job.order
            && self.attempt == job.attempt
            && self.tenure == job.sender
    }
}

impl Db {
    fn new(jobs: usize) -> Self {
        let job = |index| Job {
            state: if index < jobs {
                State::Queued
            } else {
                State::Done
            },
            ..Job::queued()
        };
        Self {
            identity: 0,
            batch: 0,
            adoptions: 0,
            epoch: 0,
            holder: NOBODY,
            left: 0,
            jobs: std::array::from_fn(job),
            left_by_order: [None; JOBS],
            fenced: [None; TENURES],
            testimony: None,
            paused: false,
            noticed: None,
            lines: [NOBODY; LINES],
            length: 0,
        }
    }
}
