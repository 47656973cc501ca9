-- Jobs and their history, for several hosts. The words and rules are those of migrations/sqlite; the
-- rules of src/job/record.rs stand here a second time, as constraints: a fault in the code must not
-- reach the disk unseen.
--
-- It is run with the search path set to the schema `refleet`, in which everything is created.

-- One order, of one action, for what a manifest lists.
CREATE TABLE batch (
    id         bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    action     text    NOT NULL CHECK (action = 'rebuild'),
    identity   bytea   NOT NULL CHECK (length(identity) = 32), -- digest of action and rows
    provider   text    NOT NULL,                               -- whose API: no spelling of its address
    api_url    text    NOT NULL,                               -- where it was ordered, for people
    number     bigint  NOT NULL CHECK (number >= 1),           -- how often the same was ordered
    manifest   text    NOT NULL,                               -- its name, for people
    path       bytea   NOT NULL,                               -- the file, absolute; `-`: stdin
    sheet      text,                                           -- of the file, a workbook; NULL: it is none
    plan       text,                                           -- digest of the plan that it was ordered by
    options    json,                                           -- of the run that ordered it; NULL: none did
    rows       json    NOT NULL,                               -- of the manifest: what became of them
    created_ms bigint  NOT NULL,
    account    text    CHECK (account <> ''),                  -- whose instances; NULL: not known yet
    account_label text CHECK (account_label IS NULL OR account IS NOT NULL), -- what people call it
    UNIQUE (identity, provider, number)
);

-- Which ledger this is, and in which database it is written: a standby that was promoted has another
-- timeline, a restored dump another system identifier. One row.
CREATE TABLE origin (
    number     smallint PRIMARY KEY DEFAULT 1 CHECK (number = 1),
    -- Drawn once, and the same in every copy: hosts keep on their own disks how far they have seen it.
    ledger     uuid     NOT NULL DEFAULT gen_random_uuid(),
    system_id  bigint   NOT NULL,
    timeline   bigint   NOT NULL,
    adoptions  integer  NOT NULL DEFAULT 0 CHECK (adoptions >= 0),
    -- Somebody has noticed that this is another database: since when, by what, and with which database and
    -- which line of the ledger in mind. Until it is adopted nothing is sent.
    noticed_at timestamptz,
    noticed_why text,
    noticed_system_id bigint,
    noticed_timeline  bigint,
    noticed_adoptions integer,
    noticed_line      bigint,
    CHECK (num_nulls(noticed_at, noticed_why, noticed_system_id, noticed_timeline, noticed_adoptions, noticed_line)
           IN (0, 6))
);

INSERT INTO origin (system_id, timeline)
SELECT system_identifier, ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint
FROM pg_control_system();

-- An operator's word that this database is the ledger's from now on, append-only.
CREATE TABLE adoption (
    adoptions integer  PRIMARY KEY,
    at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    operator  text     NOT NULL CHECK (operator <> ''),
    reason    text     NOT NULL CHECK (reason <> ''),
    system_id bigint   NOT NULL,
    timeline  bigint   NOT NULL
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '%', TG_ARGV[0]; END $$;

-- What was sent under one account goes on under no other.
CREATE TRIGGER batch_keeps_its_account BEFORE UPDATE OF account ON batch FOR EACH ROW
WHEN (OLD.account IS NOT NULL AND NEW.account IS DISTINCT FROM OLD.account)
EXECUTE FUNCTION refuse_change('a batch keeps its account');

-- One process that worked on a batch.
CREATE TABLE run (
    id         bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    batch_id   bigint  NOT NULL REFERENCES batch (id),
    started_ms bigint  NOT NULL,
    ended_ms   bigint,
    exit_code  smallint,
    -- Why it ended before its batch, for people.
    halted     text,
    pid        bigint  NOT NULL,
    host       text    NOT NULL,
    version    text    NOT NULL,
    options    json    NOT NULL,
    -- The stretch for which it holds the lease. A database that was restored counts the same epochs once
    -- more, so each stretch has an id of its own.
    tenure     uuid    NOT NULL DEFAULT gen_random_uuid(),
    epoch      bigint,
    since      timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- By what the machine's kernel knows the process: its boot and namespaces, and when it started. NULL:
    -- the system does not say.
    kernel     text,
    started    bigint,
    CHECK ((ended_ms IS NULL) = (exit_code IS NULL)),
    CHECK (halted IS NULL OR ended_ms IS NOT NULL)
);

CREATE INDEX run_of_batch ON run (batch_id, id);
-- Those of which nobody has heard that they ended.
CREATE INDEX run_open ON run (kernel) WHERE ended_ms IS NULL;

-- Who works on an account's instances (provider and account), or on a batch of which nobody knows yet
-- whose they are (account '', and the batch's id). All times are this server's.
CREATE TABLE lease (
    provider    text   NOT NULL,
    account     text   NOT NULL,
    batch_id    bigint NOT NULL CHECK ((batch_id = 0) = (account <> '')),
    epoch       bigint NOT NULL CHECK (epoch >= 1), -- how often it was acquired
    holder      uuid   NOT NULL,                    -- the process
    host        text   NOT NULL,
    pid         bigint NOT NULL,
    version     text   NOT NULL,
    run_id      bigint NOT NULL REFERENCES run (id),
    acquired_at timestamptz NOT NULL,
    renewed_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    released_at timestamptz,
    PRIMARY KEY (provider, account, batch_id)
) WITH (fillfactor = 50);

CREATE INDEX lease_of_run ON lease (run_id);

-- What services leave alone, on every host: an account for a while, or an order until something has
-- happened to it.
CREATE TABLE rest (
    provider text   NOT NULL,
    account  text   NOT NULL,
    batch_id bigint NOT NULL CHECK ((batch_id = 0) = (seen IS NULL)), -- 0: the whole account
    since    timestamptz NOT NULL,
    until    timestamptz CHECK (until IS NOT NULL OR batch_id <> 0),
    seen     text,                                 -- how the order stood then
    why      text   NOT NULL CHECK (why <> ''),    -- for people
    PRIMARY KEY (provider, account, batch_id)
);

-- One instance in one batch. The id is batch and line in one number: unique by itself, and its
-- order is the manifest's.
CREATE TABLE job (
    id              bigint  PRIMARY KEY CHECK (id = batch_id * 4294967296 + line),
    batch_id        bigint  NOT NULL REFERENCES batch (id),
    line            bigint  NOT NULL CHECK (line BETWEEN 1 AND 4294967295),
    service_id      bigint  NOT NULL CHECK (service_id > 0),
    -- What is ordered. Which of these an action needs, src/queue/stored/order.rs knows.
    image           text    CHECK (length(image) = 36),
    zone            text,
    access          text    CHECK (access IN ('password', 'ssh_key', 'image')),
    ssh_key         text    CHECK ((ssh_key IS NOT NULL) = (access IS NOT DISTINCT FROM 'ssh_key')),
    expected        json,                                 -- what must stand there; NULL: anything
    group_name      text    CHECK (group_name <> ''),     -- of which only so many may be down at once
    ssh_port        integer CHECK (ssh_port BETWEEN 1 AND 65535), -- where it answers SSH; NULL: nobody has said
    note            text,

    state           text    NOT NULL DEFAULT 'queued',
    attempt         integer NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    retries         integer NOT NULL DEFAULT 0 CHECK (retries >= 0),
    executed_before text    NOT NULL DEFAULT 'no' CHECK (executed_before IN ('no', 'maybe', 'yes')),
    executed_now    text    NOT NULL DEFAULT 'no' CHECK (executed_now IN ('no', 'maybe', 'yes')),
    executed        text    GENERATED ALWAYS AS (CASE
                        WHEN 'yes' IN (executed_before, executed_now) THEN 'yes'
                        WHEN 'maybe' IN (executed_before, executed_now) THEN 'maybe'
                        ELSE 'no' END) STORED,
    evidence        text     CHECK (evidence IN ('observed', 'image', 'host_key', 'accepted', 'operator')),
    held            smallint NOT NULL DEFAULT 0 CHECK (held IN (0, 1)),
    by_word         smallint NOT NULL DEFAULT 0 CHECK (by_word = 0 OR by_word = 1 AND completed_ms IS NOT NULL),
    accepted        smallint NOT NULL DEFAULT 0 CHECK (accepted IN (0, 1)),
    rebuilding_seen smallint NOT NULL DEFAULT 0 CHECK (rebuilding_seen IN (0, 1)),
    not_before_ms   bigint  NOT NULL DEFAULT 0,
    intent_ms       bigint,
    submitted_ms    bigint,
    completed_ms    bigint,
    error_kind      text,
    error           text,
    baseline        json,                                 -- what stood there before the last intent
    target          text,                                 -- name that the image will have
    host_key        json,                                 -- shown since the last intent
    -- What follows its success (`--on-done`), and how far that has come; NULL: nothing.
    hook            text    CHECK (hook IN ('pending', 'started', 'done', 'failed', 'forgotten')),
    hook_course     json    CHECK (hook_course ->> 'state' = hook),

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
        ELSE false END),
    CHECK (hook IS NULL OR state = 'done'),
    CHECK ((hook IS NULL) = (hook_course IS NULL)),
    CHECK ((attempt = 0) = (intent_ms IS NULL)),
    CHECK ((error_kind IS NULL) = (error IS NULL))
);

-- One job per service and batch. Led by the service: `show` and the look for others' jobs use it.
CREATE UNIQUE INDEX job_of_service ON job (service_id, batch_id);
-- One live job per service, over all batches. Live is what has not completed.
CREATE UNIQUE INDEX job_live ON job (service_id) WHERE completed_ms IS NULL;
-- What may start, in the order in which it does; the manifest's order (the id) among equals.
CREATE INDEX job_claimable ON job (batch_id, not_before_ms, id) WHERE state = 'queued';
-- What counts against the failure budget.
CREATE INDEX job_failed ON job (batch_id, id) WHERE state = 'failed';
-- How long the latest of an image took. An absent image is found as the empty one.
CREATE INDEX job_took ON job (coalesce(image, ''), completed_ms) WHERE evidence IN ('observed', 'image');
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
-- Batches whose hooks somebody has left.
CREATE INDEX job_hook_waits ON job (batch_id) WHERE hook = 'pending';
-- What a run takes over from the one before it.
CREATE INDEX job_unsettled ON job (batch_id, state) WHERE state <> 'queued' AND completed_ms IS NULL;

-- Passwords live here and nowhere else, until their job is done, and its hook, or cancelled.
CREATE TABLE secret (
    job_id   bigint PRIMARY KEY REFERENCES job (id),
    password text NOT NULL
);

-- The history, append-only. Folding a job's entries gives its state.
CREATE TABLE ledger (
    seq     bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id  bigint  NOT NULL REFERENCES job (id),
    run_id  bigint  REFERENCES run (id), -- NULL: an operator's command, or a hook's course
    attempt integer NOT NULL,
    kind    text    NOT NULL,
    at_ms   bigint  NOT NULL,
    body    json    NOT NULL
);

CREATE INDEX ledger_of_job ON ledger (job_id, seq);
-- What operators have said of the job itself, which is little.
CREATE INDEX ledger_by_word ON ledger (job_id) WHERE run_id IS NULL AND kind <> 'hook';
-- Each submission has one intent of its own.
CREATE UNIQUE INDEX ledger_intent ON ledger (job_id, attempt) WHERE kind = 'intent';

-- What operators said of a batch as a whole, append-only: the ledger's part that speaks of no job.
-- `pause` and `go` are the batch's, `set` and `drain` those of the run that was at work.
CREATE TABLE control (
    seq      bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    batch_id bigint  NOT NULL REFERENCES batch (id),
    run_id   bigint  REFERENCES run (id),
    kind     text    NOT NULL CHECK (CASE kind
                 WHEN 'pause' THEN run_id IS NULL
                 WHEN 'go'    THEN run_id IS NULL
                 WHEN 'release' THEN run_id IS NULL
                 WHEN 'set'   THEN run_id IS NOT NULL
                 WHEN 'drain' THEN run_id IS NOT NULL
                 ELSE false END),
    at_ms    bigint  NOT NULL,
    operator text    NOT NULL CHECK (operator <> ''), -- the user who typed it
    reason   text    CHECK (reason <> ''),
    body     json    NOT NULL
);

CREATE INDEX control_of_batch ON control (batch_id, seq);

-- An operator's word that a host is down, or its kernel's that the process of a run has ended, append-only.
CREATE TABLE fence (
    id       bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    host     text    NOT NULL CHECK (host <> ''),
    run_id   bigint  REFERENCES run (id), -- NULL: all of the host
    at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    operator text    NOT NULL CHECK (operator <> ''),
    reason   text    NOT NULL CHECK (reason <> '')
);

CREATE INDEX fence_of_host ON fence (host, at);

-- What a process that has lost its lease still had to say of a submission, append-only: it moves no job
-- by itself.
CREATE TABLE testimony (
    id         bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id     bigint  NOT NULL REFERENCES job (id),
    attempt    integer NOT NULL CHECK (attempt >= 1),
    epoch      bigint  NOT NULL,
    run_id     bigint  NOT NULL REFERENCES run (id),
    holder     uuid    NOT NULL,
    host       text    NOT NULL,
    said_at_ms bigint  NOT NULL, -- by that host's clock
    entry      json    NOT NULL,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX testimony_of_job ON testimony (job_id, attempt);

-- What was made of it: the entry of the ledger that follows from it, or none.
CREATE TABLE testimony_heard (
    testimony_id bigint PRIMARY KEY REFERENCES testimony (id),
    seq          bigint REFERENCES ledger (seq),
    at           timestamptz NOT NULL DEFAULT clock_timestamp()
);

DO $$
DECLARE kept text;
BEGIN
    FOREACH kept IN ARRAY ARRAY['ledger', 'control', 'fence', 'testimony', 'testimony_heard', 'adoption'] LOOP
        EXECUTE format(
            'CREATE TRIGGER %I BEFORE UPDATE OR DELETE OR TRUNCATE ON %I FOR EACH STATEMENT
             EXECUTE FUNCTION refuse_change(''the ledger is append-only'')',
            kept || '_is_append_only', kept);
    END LOOP;
END $$;

-- Jobs per batch and state, and when that last changed, kept in the transaction that moves them:
-- `status` reads no million rows. 'held' counts the held ones among those in doubt. Runs and operators
-- count in rows of their own, so that neither waits for the other; their sum is what counts.
CREATE TABLE tally (
    batch_id bigint   NOT NULL REFERENCES batch (id),
    state    text     NOT NULL CHECK (state IN
                 ('queued', 'submitting', 'in_progress', 'in_doubt', 'held', 'done', 'failed', 'cancelled')),
    writer   smallint NOT NULL CHECK (writer IN (0, 1)), -- 0: loads and operators, 1: runs
    jobs     bigint   NOT NULL,
    moved_ms bigint   NOT NULL DEFAULT 0,
    PRIMARY KEY (batch_id, state, writer)
) WITH (fillfactor = 20);

-- The newest batch as `refleet report` shows it: psql -c 'select * from refleet.results'
CREATE VIEW results AS
SELECT line, service_id, image, state, executed, evidence, attempt AS attempts,
       to_char(timestamp 'epoch' + submitted_ms * interval '1 millisecond', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
           AS submitted_at,
       to_char(timestamp 'epoch' + completed_ms * interval '1 millisecond', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
           AS completed_at,
       error_kind, error, note,
       baseline ->> 'name' AS name, baseline ->> 'ip' AS ip, target AS image_name,
       CASE WHEN evidence IN ('observed', 'image') AND submitted_ms <= completed_ms
            THEN completed_ms - submitted_ms END AS took_ms,
       ssh_port, host_key ->> 'key' AS host_key,
       hook
FROM job
WHERE batch_id = (SELECT max(id) FROM batch)
ORDER BY id;
