//! What a search assumes, which rule it breaks, and how far it goes.

/// What the protocol needs of the world, and can't see to itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assumption {
    /// A form that was looked at, and not handed over for longer than the third of the lease that is not
    /// trusted, meets a connection that its server has closed. What is promised of an instance needs it only
    /// after an adoption, and then only for a silence of as long as that has waited.
    SilentConnectionsAreClosed,
    /// The API executes a form soon after it was handed over, or never.
    ExecutedSoonOrNever,
    /// The clocks of a host and of the database differ by less than a third over a lease.
    ClocksRunAlike,
    /// A host's clock goes on whatever holds the host: no hypervisor stops it for longer than that third.
    ClocksAreNeverHeld,
    /// A host that the operator calls down is down, and sends nothing more.
    FencedIsDown,
    /// A process that its machine's kernel does not have any more has ended: the boot and the namespaces that
    /// it was known by name one kernel, so that no machine was copied while it ran.
    KernelKnowsItsProcesses,
    /// A commit that was acknowledged is lost only with a new timeline or another system identifier, or by
    /// an older copy of the disk that is put back: that takes longer than any host trusts its lease, and
    /// who works next has seen a line of the ledger that is lost.
    LossIsSeen,
    /// After a promotion the old primary is down: it renews no lease.
    OldPrimaryIsDown,
}

impl Assumption {
    pub const ALL: [Self; 8] = [
        Self::SilentConnectionsAreClosed,
        Self::ExecutedSoonOrNever,
        Self::ClocksRunAlike,
        Self::ClocksAreNeverHeld,
        Self::FencedIsDown,
        Self::KernelKnowsItsProcesses,
        Self::LossIsSeen,
        Self::OldPrimaryIsDown,
    ];
}

/// A rule that is broken, to see that it is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutation {
    /// A lease is trusted for six fifths of its length.
    TrustedTooLong,
    /// A lease is trusted from the answer to its renewal on.
    TrustedFromTheAnswer,
    /// Trust is counted by a clock that stands while the machine sleeps.
    ClockThatSleeps,
    /// Nobody looks at the permit.
    NoLook,
    /// The permit is looked at when the intent is committed.
    LookAtTheCommit,
    /// An intent may be of any age.
    IntentOfAnyAge,
    /// Whoever wants to writes.
    NoGuard,
    /// A write is guarded by the number of the epoch alone.
    GuardByNumber,
    /// A take-over leaves what was being submitted as it is.
    NothingIsOrphaned,
    /// A take-over puts what was being submitted back in the queue.
    OrphansAreQueued,
    /// Silence frees an orphan without a fence.
    SilenceWithoutFence,
    /// `resolve --as requeue` of an orphan needs no fence.
    RequeueWithoutFence,
    /// `retry` of an orphan that was called failed needs no fence.
    RetryWithoutFence,
    /// A new order is sent whatever an earlier one has left.
    OrderGoesAround,
    /// A word sends again before `--settle` has passed.
    WordBeforeSettle,
    /// A run begins something else after a commit that was not answered.
    RunGoesOnAfterALostCommit,
    /// After a fence nothing is waited for.
    FenceWithoutWait,
    /// A fence counts for a tenure that began after it.
    FenceForEver,
    /// Nobody hears a late word.
    TestimonyIgnored,
    /// A late word is heard as one of the present attempt.
    TestimonyOfAnyAttempt,
    /// The database is not asked who it is.
    NoIdentity,
    /// No host keeps how far it has seen the ledger.
    NoMark,
    /// What was seen before an adoption counts after it.
    MarkOutlivesAdoption,
    /// Before `adopt` nothing is waited for.
    AdoptWithoutWait,
    /// Who notices another database leaves its leases as they are.
    NoticeKeepsLeases,
}

/// How far a search goes.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a kind of event that may be left out"
)]
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub jobs: usize,
    /// Acquisitions of the lease.
    pub tenures: u8,
    /// Submissions, of all jobs together.
    pub forms: u8,
    /// Crashes, cuts, lost answers.
    pub faults: u8,
    /// The operator speaks.
    pub words: bool,
    /// Promotions and restorations, and that the ledger is followed line by line.
    pub copies: u8,
    /// A standby lags, or a dump is made, at any moment, and not only while the first intent is on its way.
    pub copies_at_any_time: bool,
    /// A renewal begins, is granted and is answered, each at its time.
    pub slow_renewals: bool,
    /// Machines sleep.
    pub sleep: bool,
    /// Ticks by which the database's clock may run ahead; without [`Assumption::ClocksRunAlike`] it is
    /// more.
    pub skew: u8,
    /// The operator may pause.
    pub pause: bool,
    /// No connection is ever closed, and a form that is late breaks no promise by that alone: what is
    /// promised of instances holds without [`Assumption::SilentConnectionsAreClosed`].
    pub late_forms: bool,
}

/// One host after the other, one instance, and an operator. No connection is ever closed.
pub const TAKE_OVER: Bounds = Bounds {
    jobs: 1,
    tenures: 2,
    forms: 2,
    faults: 1,
    words: true,
    copies: 0,
    copies_at_any_time: false,
    slow_renewals: false,
    sleep: false,
    skew: 0,
    pause: false,
    late_forms: true,
};

/// Two instances, so that the second host has work while the first is frozen.
pub const TWO_JOBS: Bounds = Bounds {
    jobs: 2,
    faults: 0,
    words: false,
    late_forms: false,
    ..TAKE_OVER
};

/// Nothing but the lease.
pub const RENEWALS: Bounds = Bounds {
    forms: 0,
    words: false,
    slow_renewals: true,
    sleep: true,
    skew: 1,
    ..TAKE_OVER
};

/// A standby is promoted, or an older copy is put back.
pub const COPIES: Bounds = Bounds {
    faults: 0,
    words: false,
    copies: 1,
    late_forms: false,
    ..TAKE_OVER
};

/// The operator pauses.
pub const PAUSE: Bounds = Bounds {
    forms: 1,
    faults: 0,
    words: false,
    pause: true,
    late_forms: false,
    ..TAKE_OVER
};

/// A search.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    pub bounds: Bounds,
    pub without: Option<Assumption>,
    pub mutation: Option<Mutation>,
}

impl Setting {
    pub fn assumes(&self, assumption: Assumption) -> bool {
        self.without != Some(assumption)
    }

    /// A connection on which nothing was sent for so long is closed.
    pub fn closes_silent(&self) -> bool {
        !self.bounds.late_forms && self.assumes(Assumption::SilentConnectionsAreClosed)
    }

    pub fn breaks(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }
}
