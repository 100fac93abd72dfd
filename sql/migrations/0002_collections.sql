-- Tables for the collections whose records were kept whole in record so far. Those that are there stay there, complete, until a newer
-- rev of their repository is loaded.

-- [D] What accounts make for others. Where a URI names no record of the collection that the columns speak of, they are null.
CREATE TABLE list (
    actor_id   bigint NOT NULL,
    rkey       bigint NOT NULL,
    created_at timestamptz NOT NULL,
    indexed_at timestamptz,
    purpose    smallint NOT NULL,         -- 1 moderation, 2 curation, 3 reference, 0 any other
    raw        bytea NOT NULL
);

CREATE TABLE list_item (                  -- of a list of the same account; items of others' lists are in record, with the reason
    actor_id      bigint NOT NULL,
    rkey          bigint NOT NULL,
    list_rkey     bigint,
    subject_actor bigint NOT NULL,
    created_at    timestamptz NOT NULL,
    indexed_at    timestamptz,
    raw           bytea
);

CREATE TABLE list_block (
    actor_id      bigint NOT NULL,
    rkey          bigint NOT NULL,
    subject_actor bigint,                 -- with subject_rkey: the list
    subject_rkey  bigint,
    created_at    timestamptz NOT NULL,
    indexed_at    timestamptz,
    raw           bytea
);

CREATE TABLE starter_pack (
    actor_id   bigint NOT NULL,
    rkey       bigint NOT NULL,
    list_actor bigint,
    list_rkey  bigint,
    created_at timestamptz NOT NULL,
    indexed_at timestamptz,
    raw        bytea NOT NULL
);

CREATE TABLE verification (
    actor_id      bigint NOT NULL,
    rkey          bigint NOT NULL,
    subject_actor bigint NOT NULL,
    created_at    timestamptz NOT NULL,
    indexed_at    timestamptz,
    raw           bytea NOT NULL
);

CREATE TABLE generator (
    actor_id      bigint NOT NULL,
    rkey          bigint NOT NULL,
    service_actor bigint NOT NULL,
    created_at    timestamptz NOT NULL,
    indexed_at    timestamptz,
    raw           bytea NOT NULL
);

CREATE TABLE labeler (
    actor_id   bigint NOT NULL,
    rkey       bigint NOT NULL,           -- of `self`
    created_at timestamptz NOT NULL,
    indexed_at timestamptz,
    raw        bytea NOT NULL
);

-- [D] Gates of posts: their rkey is the post's, so a gate and its post are found by the same key. Those that stand elsewhere are in
-- record, with the reason. Two arrays of one length are pairs.
CREATE TABLE threadgate (
    actor_id      bigint NOT NULL,
    rkey          bigint NOT NULL,
    created_at    timestamptz NOT NULL,
    indexed_at    timestamptz,
    allow         smallint,               -- null: anyone may reply; 0 nobody; bits: 1 mentioned, 2 followed by the author,
                                          -- 4 followers, 8 members of lists, 16 a rule that is not known
    list_actors   bigint[],
    list_rkeys    bigint[],
    hidden_actors bigint[],               -- replies that the author hid
    hidden_rkeys  bigint[],
    raw           bytea NOT NULL
);

CREATE TABLE postgate (
    actor_id              bigint NOT NULL,
    rkey                  bigint NOT NULL,
    created_at            timestamptz NOT NULL,
    indexed_at            timestamptz,
    is_embedding_disabled boolean NOT NULL,
    detached_actors       bigint[],       -- quotes that the author detached from
    detached_rkeys        bigint[],
    raw                   bytea NOT NULL
);
