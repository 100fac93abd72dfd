-- Labels of all labelers, verified; how each labeler's stream fares, and what of it was refused.

CREATE TABLE label (
    actor_id   bigint NOT NULL,
    collection bigint NOT NULL,
    rkey       bigint NOT NULL,
    labeler    bigint NOT NULL,
    value      text NOT NULL,
    cid        bytea NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    is_negated boolean NOT NULL,
    raw        bytea NOT NULL,
    PRIMARY KEY (actor_id, collection, rkey, labeler, value, cid)
);

CREATE TABLE labeler_state (
    actor_id   bigint PRIMARY KEY,
    did        text NOT NULL,
    url        text NOT NULL,
    rows       bigint NOT NULL DEFAULT 0,
    failure    text,
    failed_at  timestamptz
);

CREATE TABLE label_rejected (
    actor_id    bigint NOT NULL,
    seq         bigint NOT NULL,
    position    integer NOT NULL,
    reason      text NOT NULL,
    raw         bytea NOT NULL,
    rejected_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (actor_id, seq, position)
);
