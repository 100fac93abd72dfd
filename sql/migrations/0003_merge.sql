-- Merges and live operations: repositories that are known by live events alone or have missed some, what of their records is ahead of
-- what is held, and key ranges whose counts are to be computed anew.

ALTER TABLE repo
    ALTER COLUMN host DROP NOT NULL,
    ALTER COLUMN shard DROP NOT NULL,
    DROP CONSTRAINT repo_state_check,
    ADD CONSTRAINT repo_state_check CHECK (state IN ('synchronized', 'desynchronized', 'invalid', 'absent', 'failed'));

CREATE TABLE ahead_commit (
    actor_id      bigint NOT NULL,
    rev           bigint NOT NULL,
    since         bigint,
    prev_data_cid bytea,
    data_cid      bytea NOT NULL,
    is_sync       boolean NOT NULL,
    records       bigint NOT NULL,
    commit        bytea NOT NULL,
    PRIMARY KEY (actor_id, rev)
);

CREATE TABLE ahead_record (
    actor_id   bigint NOT NULL,
    collection bigint NOT NULL,
    rkey       bigint NOT NULL,
    rev        bigint NOT NULL,
    PRIMARY KEY (actor_id, collection, rkey)
);

CREATE TABLE dirty_range (
    aggregate text NOT NULL,
    key_range text NOT NULL,
    marked_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX dirty_range_key ON dirty_range (aggregate, key_range);
