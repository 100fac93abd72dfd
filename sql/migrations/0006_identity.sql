-- Who accounts are: more of their documents, whether their handles hold, the mirror of the PLC directory.

ALTER TABLE identity
    ADD COLUMN label_key text,
    ADD COLUMN labeler text,
    ADD COLUMN feed_generator text,
    ADD COLUMN handle_state text NOT NULL DEFAULT 'pending' CHECK (handle_state IN ('pending', 'verified', 'invalid')),
    ADD COLUMN verified_at timestamptz,
    ADD COLUMN handle_check_at timestamptz NOT NULL DEFAULT 'epoch',
    ADD COLUMN handle_failures smallint NOT NULL DEFAULT 0;

CREATE TABLE identity_refresh (
    actor_id     bigint PRIMARY KEY,
    did          text NOT NULL,
    requested_at timestamptz NOT NULL,
    next_try_at  timestamptz NOT NULL,
    failures     smallint NOT NULL
);

CREATE TABLE plc_export (
    singleton    boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    directory    text NOT NULL,
    after_time   timestamptz,
    after_seq    bigint,
    plc_window   integer NOT NULL,
    page         integer NOT NULL,
    operations   bigint NOT NULL,
    rejected     bigint NOT NULL,
    caught_up_at timestamptz
);

CREATE TABLE plc_head (
    actor_id     bigint PRIMARY KEY,
    created_at   timestamptz NOT NULL,
    key_since    timestamptz NOT NULL,
    is_nullified boolean NOT NULL,
    operation    bytea NOT NULL
);

CREATE TABLE plc_superseded (
    actor_id      bigint NOT NULL,
    position      smallint NOT NULL,
    superseded_at timestamptz NOT NULL,
    signer_rank   smallint NOT NULL,
    created_at    timestamptz NOT NULL,
    key_since     timestamptz NOT NULL,
    is_nullified  boolean NOT NULL,
    operation     bytea NOT NULL,
    PRIMARY KEY (actor_id, position)
);

CREATE TABLE former_key (
    actor_id    bigint NOT NULL,
    valid_from  timestamptz NOT NULL,
    signing_key text NOT NULL,
    valid_until timestamptz NOT NULL,
    PRIMARY KEY (actor_id, valid_from, signing_key)
);

CREATE TABLE plc_rejected (
    actor_id   bigint NOT NULL,
    cid        text NOT NULL,
    did        text NOT NULL,
    created_at timestamptz NOT NULL,
    reason     text NOT NULL,
    detail     text,
    operation  text NOT NULL,
    PRIMARY KEY (actor_id, cid)
);
