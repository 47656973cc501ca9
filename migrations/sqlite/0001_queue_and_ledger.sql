-- Jobs and their history. The rules of src/job/record.rs stand here a second time, as
-- constraints: a fault in the code must not reach the disk unseen.
--
-- The words of a column are compared one by one: for IN with three or more of them SQLite builds
-- a table anew for each row that it checks, which cost more than all the rest of an insertion.

-- 'refl': tells a refleet database from any other SQLite file.
PRAGMA application_id = 1919247980;

-- One order, of one action, for what a manifest lists.
CREATE TABLE batch (
    id         INTEGER PRIMARY KEY,
    action     TEXT    NOT NULL CHECK (action = 'rebuild'),
    identity   BLOB    NOT NULL CHECK (length(identity) = 32), -- digest of action and rows
    provider   TEXT    NOT NULL,                               -- whose API: no spelling of its address
    api_url    TEXT    NOT NULL,                               -- where it was ordered, for people
    number     INTEGER NOT NULL CHECK (number >= 1),           -- how often the same was ordered
    manifest   TEXT    NOT NULL,                               -- its name, for people
    path       BLOB    NOT NULL,                               -- the file, absolute; `-`: stdin
    sheet      TEXT,                                           -- of the file, a workbook; NULL: it is none
    plan       TEXT,                                           -- digest of the plan that it was ordered by
    options    TEXT    CHECK (json_valid(options)),               -- of the run that ordered it; NULL: none did
    rows       TEXT    NOT NULL CHECK (json_valid(rows)),      -- of the manifest: what became of them
    created_ms INTEGER NOT NULL,
    epoch      INTEGER NOT NULL DEFAULT 0 CHECK (epoch >= 0),  -- how often a run has taken it over
    account    TEXT    CHECK (account <> ''),                  -- whose instances; NULL: not known yet
    account_label TEXT CHECK (account_label IS NULL OR account IS NOT NULL), -- what people call it
    UNIQUE (identity, provider, number)
) STRICT;

-- What was sent under one account goes on under no other.
CREATE TRIGGER batch_keeps_its_account BEFORE UPDATE OF account ON batch
WHEN OLD.account IS NOT NULL AND NEW.account IS NOT OLD.account
BEGIN SELECT RAISE(ABORT, 'a batch keeps its account'); END;

-- One process that worked on a batch.
CREATE TABLE run (
    id         INTEGER PRIMARY KEY,
    batch_id   INTEGER NOT NULL REFERENCES batch (id),
    started_ms INTEGER NOT NULL,
    ended_ms   INTEGER,
    exit_code  INTEGER,
    -- Why it ended before its batch, for people.
    halted     TEXT,
    pid        INTEGER NOT NULL,
    host       TEXT    NOT NULL,
    version    TEXT    NOT NULL,
    options    TEXT    NOT NULL CHECK (json_valid(options)),
    CHECK ((ended_ms IS NULL) = (exit_code IS NULL)),
    CHECK (halted IS NULL OR ended_ms IS NOT NULL)
) STRICT;

CREATE INDEX run_of_batch ON run (batch_id);

-- One instance in one batch. The id is batch and line in one number: unique by itself, and its
-- order is the manifest's.
CREATE TABLE job (
    id              INTEGER PRIMARY KEY CHECK (id = batch_id * 4294967296 + line),
    batch_id        INTEGER NOT NULL REFERENCES batch (id),
    line            INTEGER NOT NULL CHECK (line BETWEEN 1 AND 4294967295),
    service_id      INTEGER NOT NULL CHECK (service_id > 0),
    -- What is ordered. Which of these an action needs, src/queue/sqlite/order.rs knows.
    image           TEXT    CHECK (length(image) = 36),
    zone            TEXT,
    access          TEXT    CHECK (access = 'password' OR access = 'ssh_key' OR access = 'image'),
    ssh_key         TEXT    CHECK ((ssh_key IS NOT NULL) = (access IS 'ssh_key')),
    expected        TEXT    CHECK (expected IS NULL OR json_valid(expected)), -- what must stand there; NULL: anything
    group_name      TEXT    CHECK (group_name <> ''), -- of which only so many may be down at once
    ssh_port        INTEGER CHECK (ssh_port BETWEEN 1 AND 65535), -- where it answers SSH; NULL: nobody has said
    note            TEXT,

    state           TEXT    NOT NULL DEFAULT 'queued',
    attempt         INTEGER NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    retries         INTEGER NOT NULL DEFAULT 0 CHECK (retries >= 0),
    executed_before TEXT    NOT NULL DEFAULT 'no' CHECK (
                        executed_before = 'no' OR executed_before = 'maybe' OR executed_before = 'yes'),
    executed_now    TEXT    NOT NULL DEFAULT 'no' CHECK (
                        executed_now = 'no' OR executed_now = 'maybe' OR executed_now = 'yes'),
    executed        TEXT    GENERATED ALWAYS AS (CASE
                        WHEN 'yes' IN (executed_before, executed_now) THEN 'yes'
                        WHEN 'maybe' IN (executed_before, executed_now) THEN 'maybe'
                        ELSE 'no' END) VIRTUAL,
    evidence        TEXT    CHECK (evidence = 'observed' OR evidence = 'image' OR evidence = 'host_key' OR
                        evidence = 'accepted' OR evidence = 'operator'),
    held            INTEGER NOT NULL DEFAULT 0 CHECK (held IN (0, 1)),
    by_word         INTEGER NOT NULL DEFAULT 0 CHECK (by_word = 0 OR by_word = 1 AND completed_ms IS NOT NULL),
    accepted        INTEGER NOT NULL DEFAULT 0 CHECK (accepted IN (0, 1)),
    rebuilding_seen INTEGER NOT NULL DEFAULT 0 CHECK (rebuilding_seen IN (0, 1)),
    not_before_ms   INTEGER NOT NULL DEFAULT 0,
    intent_ms       INTEGER,
    submitted_ms    INTEGER,
    completed_ms    INTEGER,
    error_kind      TEXT,
    error           TEXT,
    baseline        TEXT    CHECK (baseline IS NULL OR json_valid(baseline)), -- what stood there before the last intent
    target          TEXT,                                 -- name that the image will have
    host_key        TEXT    CHECK (host_key IS NULL OR json_valid(host_key)), -- shown since the last intent
    -- What follows its success (`--on-done`), and how far that has come; NULL: nothing.
    hook            TEXT    CHECK (hook = 'pending' OR hook = 'started' OR hook = 'done' OR
                        hook = 'failed' OR hook = 'forgotten'),
    hook_course     TEXT    CHECK (hook_course IS NULL OR hook_course ->> '$.state' IS hook),

    -- What each state demands; there is no other state.
    CHECK (CASE state
        WHEN 'queued'     THEN completed_ms IS NULL AND evidence IS NULL AND held = 0
        WHEN 'submitting' THEN completed_ms IS NULL AND evidence IS NULL AND held = 0
                               AND attempt >= 1 AND executed_now = 'maybe'
        WHEN 'in_progress' THEN completed_ms IS NULL AND evidence IS NULL AND held = 0
                               AND attempt >= 1 AND executed_now = 'yes'
        WHEN 'in_doubt'   THEN completed_ms IS NULL AND evidence IS NULL
                               AND attempt >= 1 AND executed_now <> 'no'
        WHEN 'done'       THEN completed_ms IS NOT NULL AND evidence IS NOT NULL AND held = 0
                               AND executed_now = 'yes'
        WHEN 'failed'     THEN completed_ms IS NOT NULL AND evidence IS NULL AND held = 0
        WHEN 'cancelled'  THEN completed_ms IS NOT NULL AND evidence IS NULL AND held = 0
        ELSE 0 END),
    CHECK (hook IS NULL OR state = 'done'),
    CHECK ((hook IS NULL) = (hook_course IS NULL)),
    CHECK ((attempt = 0) = (intent_ms IS NULL)),
    CHECK ((error_kind IS NULL) = (error IS NULL))
) STRICT;

-- One job per service and batch. Led by the service: `show` and the look for others' jobs use it.
CREATE UNIQUE INDEX job_of_service ON job (service_id, batch_id);
-- One live job per service, over all batches. Live is what has not completed.
CREATE UNIQUE INDEX job_live ON job (service_id) WHERE completed_ms IS NULL;
-- What may start, in the order in which it does; the manifest's order (the id) among equals.
CREATE INDEX job_claimable ON job (batch_id, not_before_ms) WHERE state = 'queued';
-- What counts against the failure budget.
CREATE INDEX job_failed ON job (batch_id) WHERE state = 'failed';
-- How long the latest of an image took.
CREATE INDEX job_took ON job (image, completed_ms) WHERE evidence = 'observed' OR evidence = 'image';
-- Members of groups.
CREATE INDEX job_grouped ON job (batch_id, group_name) WHERE group_name IS NOT NULL;
-- Of those: the ones that may be down.
CREATE INDEX job_grouped_down ON job (batch_id) WHERE group_name IS NOT NULL AND attempt > 0
    AND state <> 'done' AND state <> 'cancelled';
-- Submissions that may still take effect, though nobody waits for them: their services are kept from others.
CREATE INDEX job_stray ON job (service_id)
    WHERE executed_now = 'maybe' AND state <> 'submitting' OR evidence = 'operator';
-- Hooks that have not ended well.
CREATE INDEX job_hooked ON job (batch_id, hook) WHERE hook <> 'done';
-- What a run takes over from the one before it.
CREATE INDEX job_unsettled ON job (batch_id, state) WHERE state <> 'queued' AND completed_ms IS NULL;

-- Passwords live here and nowhere else, until their job is done, and its hook, or cancelled.
CREATE TABLE secret (
    job_id   INTEGER PRIMARY KEY REFERENCES job (id),
    password TEXT NOT NULL
) STRICT;

-- The history, append-only. Folding a job's entries gives its state.
CREATE TABLE ledger (
    seq     INTEGER PRIMARY KEY,
    job_id  INTEGER NOT NULL REFERENCES job (id),
    run_id  INTEGER REFERENCES run (id), -- NULL: an operator's command, or a hook's course
    attempt INTEGER NOT NULL,
    kind    TEXT    NOT NULL,
    at_ms   INTEGER NOT NULL,
    body    TEXT    NOT NULL CHECK (json_valid(body))
) STRICT;

CREATE INDEX ledger_of_job ON ledger (job_id);
-- What operators have said of the job itself, which is little.
CREATE INDEX ledger_by_word ON ledger (job_id) WHERE run_id IS NULL AND kind <> 'hook';
-- Each submission has one intent of its own.
CREATE UNIQUE INDEX ledger_intent ON ledger (job_id, attempt) WHERE kind = 'intent';

CREATE TRIGGER ledger_is_never_changed BEFORE UPDATE ON ledger
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER ledger_is_never_deleted BEFORE DELETE ON ledger
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

-- What operators said of a batch as a whole, append-only: the ledger's part that speaks of no job.
-- `pause` and `go` are the batch's, `set` and `drain` those of the run that was at work.
CREATE TABLE control (
    seq      INTEGER PRIMARY KEY,
    batch_id INTEGER NOT NULL REFERENCES batch (id),
    run_id   INTEGER REFERENCES run (id),
    kind     TEXT    NOT NULL CHECK (CASE kind
                 WHEN 'pause' THEN run_id IS NULL
                 WHEN 'go'    THEN run_id IS NULL
                 WHEN 'release' THEN run_id IS NULL
                 WHEN 'set'   THEN run_id IS NOT NULL
                 WHEN 'drain' THEN run_id IS NOT NULL
                 ELSE 0 END),
    at_ms    INTEGER NOT NULL,
    operator TEXT    NOT NULL CHECK (operator <> ''), -- the user who typed it
    reason   TEXT    CHECK (reason <> ''),
    body     TEXT    NOT NULL CHECK (json_valid(body))
) STRICT;

CREATE INDEX control_of_batch ON control (batch_id, kind);

CREATE TRIGGER control_is_never_changed BEFORE UPDATE ON control
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER control_is_never_deleted BEFORE DELETE ON control
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

-- Jobs per batch and state, and when that last changed, kept in the transaction that moves them:
-- `status` reads no million rows. 'held' counts the held ones among those in doubt.
CREATE TABLE tally (
    batch_id INTEGER NOT NULL REFERENCES batch (id),
    state    TEXT    NOT NULL CHECK (state IN
                 ('queued', 'submitting', 'in_progress', 'in_doubt', 'held', 'done', 'failed', 'cancelled')),
    jobs     INTEGER NOT NULL CHECK (jobs >= 0),
    moved_ms INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (batch_id, state)
) STRICT, WITHOUT ROWID;

-- The newest batch as `refleet report` shows it: sqlite3 refleet.db 'select * from results'
CREATE VIEW results AS
SELECT line, service_id, image, state, executed, evidence, attempt AS attempts,
       strftime('%Y-%m-%dT%H:%M:%S', submitted_ms / 1000, 'unixepoch')
           || printf('.%03dZ', submitted_ms % 1000) AS submitted_at,
       strftime('%Y-%m-%dT%H:%M:%S', completed_ms / 1000, 'unixepoch')
           || printf('.%03dZ', completed_ms % 1000) AS completed_at,
       error_kind, error, note,
       baseline ->> '$.name' AS name, baseline ->> '$.ip' AS ip, target AS image_name,
       iif((evidence = 'observed' OR evidence = 'image') AND submitted_ms <= completed_ms,
           completed_ms - submitted_ms, NULL) AS took_ms,
       ssh_port, host_key ->> '$.key' AS host_key,
       hook
FROM job
WHERE batch_id = (SELECT max(id) FROM batch)
ORDER BY id;
