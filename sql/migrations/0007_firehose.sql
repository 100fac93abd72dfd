-- The firehose: how far each stream is durable, what was lost or refused of it, events that wait for the indexes, and repositories that
-- are to be fetched again.

CREATE TABLE stream (
    relay      text NOT NULL,
    endpoint   text NOT NULL,
    seq        bigint,
    epoch      bigint NOT NULL,
    events     bigint NOT NULL DEFAULT 0,
    event_at   timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (relay, endpoint)
);

CREATE TABLE stream_gap (
    relay       text NOT NULL,
    endpoint    text NOT NULL,
    after_seq   bigint NOT NULL,
    before_seq  bigint NOT NULL,
    reason      text NOT NULL,
    found_at    timestamptz NOT NULL DEFAULT now(),
    repaired_at timestamptz,
    listed      bigint,
    queued      bigint,
    PRIMARY KEY (relay, endpoint, after_seq, before_seq)
);

CREATE TABLE stream_rejected (
    relay    text NOT NULL,
    endpoint text NOT NULL,
    reason   text NOT NULL,
    events   bigint NOT NULL,
    last_did text,
    last_seq bigint,
    detail   text,
    last_at  timestamptz NOT NULL,
    PRIMARY KEY (relay, endpoint, reason)
);

CREATE TABLE stream_segment (
    relay     text NOT NULL,
    endpoint  text NOT NULL,
    first_seq bigint NOT NULL,
    last_seq  bigint NOT NULL,
    path      text NOT NULL,
    events    bigint NOT NULL,
    PRIMARY KEY (relay, endpoint, first_seq)
);

CREATE TABLE resync (
    actor_id  bigint PRIMARY KEY,
    did       text NOT NULL,
    reason    text NOT NULL,
    queued_at timestamptz NOT NULL DEFAULT now(),
    due_at    timestamptz NOT NULL,
    failures  integer NOT NULL DEFAULT 0,
    failure   text
);
CREATE INDEX resync_due ON resync (due_at);
