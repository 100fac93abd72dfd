-- The whole schema of the warehouse, as the migrations build it (a test proves that the two are the same).
--
-- Keys (zeppelin_pipeline/warehouse/keys.py): an account is a keyed 64-bit hash of its DID; a record key that is a TID is its own
-- 63-bit integer, any other a negative keyed hash; a collection is a fixed small number or a negative keyed hash. They are computed
-- anywhere without a look-up: there are no sequences and no foreign keys.
--
-- On a distributed Postgres: [D] distributed by actor_id and co-located, [S] distributed by the subject's actor and co-located with [D],
-- [R] reference table on every node. actor_id leads every primary key of [D].
--
-- Secondary indexes are not here but in indexes.sql: bulk loads run without them.

-- [R] One row: the secret of the keyed hashes, made when the warehouse is made.
CREATE TABLE warehouse (
    singleton  boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    hash_key   bytea NOT NULL CHECK (octet_length(hash_key) = 32),
    created_at timestamptz NOT NULL DEFAULT now()
);

-- [R] Which migrations have been applied.
CREATE TABLE migration (
    name       text PRIMARY KEY,
    sha256     bytea NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- Dictionaries: content-free, append-only, the same for every loader. A key is made of its text, so that a text is there once, and found
-- by its key; a collision of hashes is a key that is there with another text.
CREATE TABLE actor (  -- [R]
    id  bigint PRIMARY KEY,
    did text NOT NULL
);
CREATE TABLE record_key (  -- [R] record keys that are not TIDs
    id   bigint PRIMARY KEY CHECK (id < 0),
    text text NOT NULL
);
CREATE TABLE collection (  -- [R] unique by name too: a collection that gets a number must not keep its hash
    id   bigint PRIMARY KEY,
    nsid text NOT NULL UNIQUE
);

-- [R] Every PDS host ever named by a witness; parked, never forgotten.
CREATE TABLE pds_host (
    host          text PRIMARY KEY,
    url           text NOT NULL,
    witnesses     text[] NOT NULL,
    state         text NOT NULL CHECK (state IN ('online', 'parked')),
    version       text,
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    last_seen_at  timestamptz,            -- last good describeServer
    last_probe_at timestamptz,
    last_error    text
);

-- [D] What is held of each repository. A row is written only for a rev above it.
--
-- state says what the tables hold of it:
--   synchronized    exactly the records of rev: the MST rebuilt from them has the root data_cid.
--   desynchronized  the records of rev (of none, where rev is null) and on top of them what live commits set that do not follow on it
--                   (ahead_commit, ahead_record): to be fetched again.
--   invalid         nothing: what was fetched was refused (reason; quarantine).
--   absent          nothing: its host does not give it, or the account was deleted.
--   failed          nothing: it could not be fetched (reason); to be tried again.
-- status says whether it is shown: only active is, and null where nobody has said anything yet. takendown, suspended and deactivated
-- accounts are hidden and their rows kept; those of a deleted one are removed, and rev stays, so that what is replayed of it is known.
-- fetched_at is when its host was asked last, told_at when an event told of the status last; the later of both is when the status was
-- observed last: an older observation does not change it, nor does a repository that was fetched before the account was deleted bring it back.
CREATE TABLE repo (
    actor_id   bigint PRIMARY KEY,
    rev        bigint,                    -- a TID
    records    bigint NOT NULL,           -- of rev
    fetched_at timestamptz NOT NULL,      -- 1970: never
    host       text,                      -- null: never fetched, known by live events alone
    shard      text,                      -- null: likewise
    state      text NOT NULL CHECK (state IN ('synchronized', 'desynchronized', 'invalid', 'absent', 'failed')),
    status     text,                      -- active, takendown, suspended, deactivated, deleted, not-found
    reason     text,
    data_cid   bytea,                     -- root of the MST, 32 bytes of SHA-256
    commit     bytea,                     -- the signed commit block, from which did, rev and root can be proven again
    told_at    timestamptz,               -- null: no event did
    no_resync_before timestamptz          -- how much of its credit of fetches is used; null: nothing
);

-- [D] Live commits that do not follow on what is held of their repository: it was not fetched yet, or commits between are missing. Kept
-- until a repository of their rev or a later one is held, or one that they follow on without a gap; and up to a number of commits of one
-- repository: past it all that is remembered is forgotten but the last commit, and no repository below that one is taken any more.
CREATE TABLE ahead_commit (
    actor_id      bigint NOT NULL,
    rev           bigint NOT NULL,
    since         bigint,                 -- the rev before, as the commit's message says
    prev_data_cid bytea,                  -- the root before, as inverting the operations gave it; 32 bytes
    data_cid      bytea NOT NULL,
    is_sync       boolean NOT NULL,       -- a #sync: says where the repository is, without operations
    records       bigint NOT NULL,        -- records that the commit adds, less those that it removes
    commit        bytea NOT NULL,
    is_cut        boolean NOT NULL DEFAULT false, -- what came before it is forgotten
    PRIMARY KEY (actor_id, rev)
);
-- [D] Records that such commits set or deleted, and the last that did: older content of them is not taken. The record itself is in its
-- table; that of a deleted one is in none, and this row is its tombstone.
CREATE TABLE ahead_record (
    actor_id   bigint NOT NULL,
    collection bigint NOT NULL,
    rkey       bigint NOT NULL,
    rev        bigint NOT NULL,
    PRIMARY KEY (actor_id, collection, rkey)
);

-- [D] The account's DID document, as far as it is used, and whether its handle holds.
CREATE TABLE identity (
    actor_id        bigint PRIMARY KEY,
    resolved_at     timestamptz NOT NULL,     -- as of when the document says so
    handle          text,                     -- as claimed; lower case
    pds             text,
    signing_key     text,                     -- multibase
    label_key       text,                     -- multibase
    labeler         text,                     -- URL
    feed_generator  text,                     -- URL
    handle_state    text NOT NULL DEFAULT 'pending' CHECK (handle_state IN ('pending', 'verified', 'invalid')),
    verified_at     timestamptz,              -- when the handle was last seen to name the account
    handle_check_at timestamptz NOT NULL DEFAULT 'epoch',  -- when it is looked at next
    handle_failures smallint NOT NULL DEFAULT 0                -- looks in a row that told nothing
);

-- [D] Accounts whose document is to be resolved anew: an #identity event came. Deleted once that is done.
CREATE TABLE identity_refresh (
    actor_id     bigint PRIMARY KEY,
    did          text NOT NULL,
    requested_at timestamptz NOT NULL,
    next_try_at  timestamptz NOT NULL,
    failures     smallint NOT NULL
);

-- [R] One row: how far the PLC directory's export has been taken in. Committed with the rows that it stands for.
CREATE TABLE plc_export (
    singleton    boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    directory    text NOT NULL,           -- URL
    after_time   timestamptz,             -- of the last operation; null before the first
    after_seq    bigint,                  -- its number, where the directory gives numbers
    plc_window   integer NOT NULL,        -- the window that is open
    page         integer NOT NULL,        -- of its next page
    operations   bigint NOT NULL,         -- in the open window so far
    rejected     bigint NOT NULL,         -- of these, set aside
    caught_up_at timestamptz              -- when the end of the export was last seen
);

-- [D] The operation that stands of each did:plc, verified from its genesis on.
CREATE TABLE plc_head (
    actor_id     bigint PRIMARY KEY,
    created_at   timestamptz NOT NULL,    -- when the directory took it
    key_since    timestamptz NOT NULL,    -- since when its signing key has been the account's
    is_nullified boolean NOT NULL,        -- the directory says that a later one takes it back: it speaks for nobody
    operation    bytea NOT NULL           -- signed DAG-CBOR
);

-- [D] Operations before it that a more powerful key can still take back (72 hours), oldest first.
CREATE TABLE plc_superseded (
    actor_id      bigint NOT NULL,
    position      smallint NOT NULL,
    superseded_at timestamptz NOT NULL,
    signer_rank   smallint NOT NULL,      -- which of its rotation keys signed the one that came after
    created_at    timestamptz NOT NULL,
    key_since     timestamptz NOT NULL,
    is_nullified  boolean NOT NULL,
    operation     bytea NOT NULL,
    PRIMARY KEY (actor_id, position)
);

-- [D] Signing keys that were an account's, by its verified log: imported repositories keep commits that they signed.
CREATE TABLE former_key (
    actor_id    bigint NOT NULL,
    valid_from  timestamptz NOT NULL,
    signing_key text NOT NULL,            -- did:key
    valid_until timestamptz NOT NULL,
    PRIMARY KEY (actor_id, valid_from, signing_key)
);

-- [D] PLC operations that did not verify. The mirror does not speak for their DIDs.
CREATE TABLE plc_rejected (
    actor_id   bigint NOT NULL,
    cid        text NOT NULL,             -- as the directory says
    did        text NOT NULL,
    created_at timestamptz NOT NULL,
    reason     text NOT NULL,
    detail     text,
    operation  text NOT NULL,             -- JSON
    PRIMARY KEY (actor_id, cid)
);

-- [D] Records whose columns determine them exactly have raw null; for all others raw is the original DAG-CBOR. indexed_at is null where it
-- equals the rule for backfilled records: created_at. Lists order by least(created_at, indexed_at).
--
-- Likes and reposts have eight columns: a ninth would make the head of each row 8 bytes longer. Their content
-- (zeppelin_pipeline/warehouse/contents.py) is the 32 bytes of SHA-256 of the subject's CID, and behind it nothing, what there is of `via`,
-- or the original DAG-CBOR.
CREATE TABLE "like" (
    actor_id           bigint NOT NULL,
    rkey               bigint NOT NULL,
    subject_actor      bigint,
    subject_rkey       bigint,
    created_at         timestamptz NOT NULL,
    indexed_at         timestamptz,
    subject_collection smallint,          -- a well-known collection
    content            bytea NOT NULL
);

CREATE TABLE repost (
    actor_id           bigint NOT NULL,
    rkey               bigint NOT NULL,
    subject_actor      bigint,
    subject_rkey       bigint,
    created_at         timestamptz NOT NULL,
    indexed_at         timestamptz,
    subject_collection smallint,
    content            bytea NOT NULL
);

-- The keys in a content of the repost through which the subject was seen: of its account and of its record. Null where there is none.
CREATE FUNCTION via_actor(content bytea) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE octet_length(content) WHEN 80 THEN ('x' || encode(substring(content FROM 33 FOR 8), 'hex'))::bit(64)::bigint END
$$;
CREATE FUNCTION via_rkey(content bytea) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE octet_length(content) WHEN 80 THEN ('x' || encode(substring(content FROM 41 FOR 8), 'hex'))::bit(64)::bigint END
$$;

CREATE TABLE follow (
    actor_id      bigint NOT NULL,
    rkey          bigint NOT NULL,
    subject_actor bigint NOT NULL,
    created_at    timestamptz NOT NULL,
    indexed_at    timestamptz,
    raw           bytea
);

CREATE TABLE block (
    actor_id      bigint NOT NULL,
    rkey          bigint NOT NULL,
    subject_actor bigint NOT NULL,
    created_at    timestamptz NOT NULL,
    indexed_at    timestamptz,
    raw           bytea
);

CREATE TABLE post (
    actor_id           bigint NOT NULL,
    rkey               bigint NOT NULL,
    created_at         timestamptz NOT NULL,
    indexed_at         timestamptz,
    reply_root_actor   bigint,            -- null: not a reply to a post
    reply_root_rkey    bigint,
    reply_parent_actor bigint,
    reply_parent_rkey  bigint,
    quote_actor        bigint,            -- the embedded record, if any
    quote_rkey         bigint,
    quote_collection   smallint,          -- 1 is app.bsky.feed.post: a quote
    embed              smallint NOT NULL, -- bits: 1 images, 2 external, 4 record, 8 video, 16 gallery, 32 other
    raw                bytea NOT NULL,    -- its references packed: zeppelin_pipeline/warehouse/packing.py
    mentions           bigint[]           -- accounts that its text names, null for none
);

CREATE TABLE profile (
    actor_id   bigint NOT NULL,
    rkey       bigint NOT NULL,           -- of `self`
    created_at timestamptz,
    indexed_at timestamptz,
    raw        bytea NOT NULL,
    pack_actor bigint,                    -- these two name the starter pack by which the account joined, if that is in its profile
    pack_rkey  bigint
);

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

-- [D] Every other collection, the declarations of an account, and records that failed validation (with the reason).
CREATE TABLE record (
    actor_id   bigint NOT NULL,
    collection bigint NOT NULL,
    rkey       bigint NOT NULL,
    indexed_at timestamptz NOT NULL,
    reason     text,
    raw        bytea NOT NULL
);

-- [D] Repositories that were fetched and set aside whole, and keys that collided.
CREATE TABLE quarantine (
    actor_id   bigint NOT NULL,
    did        text NOT NULL,
    host       text NOT NULL,
    shard      text NOT NULL,
    scope      text NOT NULL CHECK (scope IN ('repository', 'key')),
    reason     text NOT NULL,
    detail     text,
    records    bigint NOT NULL,           -- record entries set aside with it
    fetched_at timestamptz NOT NULL
);

-- [R] The ledger: a shard's batches are in wholly, with this row, or not at all.
CREATE TABLE load (
    shard       text PRIMARY KEY,
    fingerprint text NOT NULL,
    rows        jsonb NOT NULL,           -- by table
    rejected    jsonb NOT NULL,           -- by reason: invalid records (which are in record) and whole repositories
    entries     bigint NOT NULL,          -- record entries that the shard's repositories have: the sum of rows, and
    quarantined bigint NOT NULL,          -- those of the repositories set aside whole
    loaded_at   timestamptz NOT NULL DEFAULT now(),
    version     integer NOT NULL DEFAULT 0 -- of the extraction that made its rows
);

-- [D] Accounts whose data leaves the lake.
CREATE TABLE lake_removal (
    actor_id   bigint PRIMARY KEY,
    shard      text NOT NULL,
    status     text NOT NULL,             -- as `repo.status` had it
    seen_at    timestamptz NOT NULL,      -- when the account was seen to be so
    removed_at timestamptz                -- null: not yet
);

-- [D] Derived: replies and quotes that break a rule of the thread or of the post that they speak to.
CREATE TABLE violation (
    actor_id     bigint NOT NULL,         -- of the reply or quote
    rkey         bigint NOT NULL,
    ruler        bigint NOT NULL,         -- the account whose thread or post it is
    parent_actor bigint,                  -- of a reply that breaks a threadgate: it does not count there
    parent_rkey  bigint,
    kind         smallint NOT NULL,       -- 1 the threadgate, 2 the postgate, 3 its root is not its parent's
    PRIMARY KEY (actor_id, rkey, kind)
);
CREATE INDEX violation_ruler ON violation (ruler);
CREATE INDEX violation_parent ON violation (parent_actor, parent_rkey) WHERE kind = 1;

-- [R] How far each relay's stream is durable, and who may write it: a consumer that starts raises the epoch, and one whose epoch is
-- not the row's any more writes nothing. seq is null until the first event.
CREATE TABLE stream (
    relay      text NOT NULL,             -- URL
    endpoint   text NOT NULL,             -- NSID
    seq        bigint,                    -- everything up to it is durable
    epoch      bigint NOT NULL,
    events     bigint NOT NULL DEFAULT 0, -- received, in all
    event_at   timestamptz,               -- when the last event was emitted, as it claims
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (relay, endpoint)
);

-- [R] Events that a relay could not give any more, or that could not be read. Repaired when the revs that hosts list were compared with
-- ours, and what differs was queued in resync.
CREATE TABLE stream_gap (
    relay       text NOT NULL,
    endpoint    text NOT NULL,
    after_seq   bigint NOT NULL,          -- the last event before the gap
    before_seq  bigint NOT NULL,          -- the first behind it
    reason      text NOT NULL,
    found_at    timestamptz NOT NULL DEFAULT now(),
    repaired_at timestamptz,
    listed      bigint,                   -- repositories that were compared
    queued      bigint,                   -- of these, that differed
    PRIMARY KEY (relay, endpoint, after_seq, before_seq)
);

-- [R] Events that broke a rule, counted by reason, with the last of them.
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

-- [R] Files of the lake with verified events that wait for the indexes to stand; the row goes in the transaction that applies them.
CREATE TABLE stream_segment (
    relay     text NOT NULL,
    endpoint  text NOT NULL,
    first_seq bigint NOT NULL,
    last_seq  bigint NOT NULL,
    path      text NOT NULL,
    events    bigint NOT NULL,
    PRIMARY KEY (relay, endpoint, first_seq)
);

-- [D] Repositories that are to be fetched again one by one, as live events do not follow on what is held of them.
CREATE TABLE resync (
    actor_id  bigint PRIMARY KEY,
    did       text NOT NULL,
    reason    text NOT NULL,
    queued_at timestamptz NOT NULL DEFAULT now(),
    due_at    timestamptz NOT NULL,
    failures  integer NOT NULL DEFAULT 0,
    failure   text                        -- why it failed last
);
CREATE INDEX resync_due ON resync (least(failures, 1), due_at);

-- [D] Labels, verified, of every labeler: of each account, record or version of one, what a labeler said last. actor_id is the subject's
-- account; collection and rkey are 0 where the label is about the account itself, cid is empty where it is about every version.
-- Negations and expired labels stay, as they outdo what comes late; neither is shown. raw is the label as it was signed, DAG-CBOR.
CREATE TABLE label (
    actor_id   bigint NOT NULL,
    collection bigint NOT NULL,
    rkey       bigint NOT NULL,
    labeler    bigint NOT NULL,           -- account whose key signed it
    value      text NOT NULL,
    cid        bytea NOT NULL,            -- 36 bytes, or none
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    is_negated boolean NOT NULL,
    raw        bytea NOT NULL,
    PRIMARY KEY (actor_id, collection, rkey, labeler, value, cid)
);

-- [D] How each labeler's stream fares. Its cursor is in stream, by `did@url`, so that one that moves begins anew.
CREATE TABLE labeler_state (
    actor_id   bigint PRIMARY KEY,
    did        text NOT NULL,
    url        text NOT NULL,
    rows       bigint NOT NULL DEFAULT 0, -- of label
    failure    text,                      -- why its stream does not flow; null when it does
    failed_at  timestamptz,               -- since when
    looked_at  timestamptz                -- as of when; null: it was never followed
);

-- [D] Labels that were refused, the first of each labeler up to a limit; all are counted in stream_rejected.
CREATE TABLE label_rejected (
    actor_id    bigint NOT NULL,          -- of the labeler
    seq         bigint NOT NULL,
    position    integer NOT NULL,         -- in its message
    reason      text NOT NULL,
    raw         bytea NOT NULL,
    rejected_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (actor_id, seq, position)
);

-- [S] Derived counts. A missing row means zeros, and so does one of zeros.
CREATE TABLE post_counts (
    actor_id bigint NOT NULL,
    rkey     bigint NOT NULL,
    likes    integer NOT NULL,
    reposts  integer NOT NULL,
    replies  integer NOT NULL,
    quotes   integer NOT NULL,
    PRIMARY KEY (actor_id, rkey)
);
CREATE TABLE actor_counts (
    actor_id  bigint PRIMARY KEY,
    followers integer NOT NULL,
    follows   integer NOT NULL,
    posts     integer NOT NULL
);
CREATE TABLE record_counts (
    actor_id   bigint NOT NULL,
    rkey       bigint NOT NULL,
    collection smallint NOT NULL,         -- of records that are no posts
    likes      integer NOT NULL,
    items      integer NOT NULL,          -- accounts on a list, or that joined by a starter pack
    PRIMARY KEY (actor_id, collection, rkey)
);

-- [R] When each key range of each aggregate was last recomputed.
CREATE TABLE aggregate_range (
    aggregate   text NOT NULL,
    key_range   text NOT NULL,
    rows        bigint NOT NULL,
    base_rows   bigint NOT NULL,
    computed_at timestamptz NOT NULL,
    PRIMARY KEY (aggregate, key_range)
);

-- [R] Ranges whose counts rows have changed without their counts: marked in the transaction of the rows, cleared in that of a recomputation
-- which began after it. Rows are only added, one a transaction and range, so that loads do not wait for each other.
CREATE TABLE dirty_range (
    aggregate text NOT NULL,
    key_range text NOT NULL,
    marked_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX dirty_range_key ON dirty_range (aggregate, key_range);

-- [D] Search: 32 bits of each term of a post (zeppelin_pipeline/warehouse/search_terms.py), and the numbers of its day and of its 32 days (see
-- search_periods). Empty until the asset is first materialized.
-- The planner tells by the statistics of terms whether it walks back in time or looks a term up, so they are finer than usual.
CREATE TABLE post_search (
    actor_id bigint NOT NULL,
    rkey     bigint NOT NULL,
    sort_at  timestamptz NOT NULL,        -- least(created_at, indexed_at)
    terms    integer[] NOT NULL,
    PRIMARY KEY (actor_id, rkey)
);
ALTER TABLE post_search ALTER COLUMN terms SET STATISTICS 1000;
CREATE INDEX post_search_latest ON post_search (sort_at);  -- ascending, as posts come: it grows at its end
ALTER TABLE post_search CLUSTER ON post_search_latest;     -- as posts come, too: a page of the newest has few blocks
CREATE INDEX post_search_terms ON post_search USING gin (terms);

-- Among the terms of posts the numbers of the times from the one to the other: of days, counted from 1970 on, or where those are many of periods
-- of 32 days, 2^24 more.
CREATE FUNCTION search_periods(earliest timestamptz, latest timestamptz) RETURNS integer[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_agg(CASE WHEN days.last - days.first < 64 THEN number ELSE number + (1 << 24) END)
    FROM (
        SELECT floor(extract(epoch FROM earliest) / 86400)::integer AS first, floor(extract(epoch FROM latest) / 86400)::integer AS last
    ) AS days,
    LATERAL generate_series(
        CASE WHEN days.last - days.first < 64 THEN days.first ELSE days.first >> 5 END,
        CASE WHEN days.last - days.first < 64 THEN days.last ELSE days.last >> 5 END
    ) AS number
$$;

-- Where windows of time begin, one before the other and the first before a time: the first has likely some more posts with all terms than are
-- wanted, each further one four times as many as the one after it. What is before the last is to be searched whole: likely all of it where those
-- posts are few. By what the planner knows of terms and times.
CREATE FUNCTION search_windows(wanted_terms integer[], before timestamptz, wanted bigint) RETURNS timestamptz[]
LANGUAGE plpgsql VOLATILE AS $$  -- others may not ask the planner
DECLARE
    plan json;
    likely float8;  -- so many posts have the terms
    bounds timestamptz[];  -- between which equal parts of the posts lie
    parts integer;
    part integer;
    place float8;  -- of a time among the parts
    width float8;  -- of a window, in parts
    begins timestamptz[] := '{}';
BEGIN
    EXECUTE 'EXPLAIN (FORMAT JSON) SELECT FROM post_search WHERE terms @> $1' INTO plan USING wanted_terms;
    likely := (plan -> 0 -> 'Plan' ->> 'Plan Rows')::float8;
    IF likely <= greatest(100, 2 * wanted) THEN
        RETURN begins;
    END IF;
    SELECT ARRAY(SELECT least(bound, now()) FROM unnest(histogram_bounds::text::timestamptz[]) AS bound) INTO bounds
    FROM pg_stats
    WHERE schemaname = current_schema() AND tablename = 'post_search' AND attname = 'sort_at';
    parts := cardinality(bounds) - 1;
    IF coalesce(parts, 0) < 1 OR before <= bounds[1] THEN
        RETURN begins;
    END IF;
    part := least(width_bucket(before, bounds), parts);
    place := part - 1 + least(1, extract(epoch FROM least(before, bounds[parts + 1]) - bounds[part])
        / greatest(extract(epoch FROM bounds[part + 1] - bounds[part]), 0.000001));
    width := (wanted + 4 * sqrt(wanted)) / likely * parts;
    WHILE place > width LOOP
        place := place - width;
        part := floor(place)::integer + 1;
        begins := begins || bounds[part] + (place - floor(place)) * (bounds[part + 1] - bounds[part]);
        width := width * 4;
        EXIT WHEN likely < 2000;  -- of so few all that are left are fetched for less than one window more
    END LOOP;
    RETURN begins;
END
$$;

-- The newest posts that have all terms, as many as are wanted, newest first. Each window's query is planned for its terms and times: which index
-- serves depends on them.
CREATE FUNCTION newest_posts(
    wanted_terms integer[], since timestamptz, until timestamptz,
    before_at timestamptz, before_rkey bigint, before_actor bigint, wanted bigint
) RETURNS TABLE (actor_id bigint, rkey bigint, sort_at timestamptz)
LANGUAGE plpgsql VOLATILE ROWS 100 SET max_parallel_workers_per_gather = 0 AS $$  -- they take longer to start than it takes
DECLARE
    tomorrow CONSTANT timestamptz := now() + interval '1 day';
    begins timestamptz[] := search_windows(wanted_terms, least(until, before_at), wanted);
    below timestamptz := until;
    lowest timestamptz;
    periods integer[];
    found_rows bigint;
BEGIN
    IF cardinality(begins) > 0 AND least(until, before_at) > tomorrow THEN
        begins := tomorrow || begins;  -- the times to come have no end: their days are not named
    END IF;
    FOREACH lowest IN ARRAY begins || '-infinity'::timestamptz LOOP
        lowest := greatest(lowest, since);
        periods := CASE WHEN least(below, before_at) < lowest + interval '10 years' AND lowest < tomorrow
            THEN search_periods(lowest, least(below, before_at)) END;
        RETURN QUERY EXECUTE '
            SELECT actor_id, rkey, sort_at
            FROM post_search
            WHERE terms @> $1' || CASE WHEN periods IS NULL THEN '' ELSE ' AND terms && $8' END || '
                AND sort_at >= $2 AND sort_at < $3 AND (sort_at, rkey, actor_id) < ($4, $5, $6)
            ORDER BY sort_at DESC, rkey DESC, actor_id DESC
            LIMIT $7'
        USING wanted_terms, lowest, below, before_at, before_rkey, before_actor, wanted, periods;
        GET DIAGNOSTICS found_rows = ROW_COUNT;
        wanted := wanted - found_rows;
        EXIT WHEN wanted <= 0 OR lowest <= since;
        below := lowest;
    END LOOP;
END
$$;

-- [D] Search: the beginnings of the words of the names of accounts (collection 6, rkey 0), generators (7) and starter packs (13).
CREATE TABLE name_search (
    actor_id   bigint NOT NULL,
    rkey       bigint NOT NULL,
    rank       bigint NOT NULL,           -- followers of an account, likes of a generator, microseconds of a starter pack's time
    collection smallint NOT NULL,
    terms      integer[] NOT NULL,
    PRIMARY KEY (actor_id, collection, rkey)
);
ALTER TABLE name_search ALTER COLUMN terms SET STATISTICS 1000;
CREATE INDEX name_search_rank ON name_search (collection, rank DESC, actor_id DESC, rkey DESC);
CREATE INDEX name_search_terms ON name_search USING gin (terms);

-- Accounts, generators or starter packs whose names have all terms, those of the highest rank first, behind one of them. Planned for its terms:
-- whether the index over terms or the one over ranks serves depends on how common they are.
CREATE FUNCTION ranked_names(
    wanted_collection smallint, wanted_terms integer[], before_rank bigint, before_actor bigint, before_rkey bigint, wanted bigint
) RETURNS TABLE (actor_id bigint, rkey bigint, rank bigint)
LANGUAGE plpgsql VOLATILE ROWS 100 AS $$
BEGIN
    RETURN QUERY EXECUTE '
        SELECT actor_id, rkey, rank
        FROM name_search
        WHERE collection = $1 AND terms @> $2 AND (rank, actor_id, rkey) < ($3, $4, $5)
        ORDER BY rank DESC, actor_id DESC, rkey DESC
        LIMIT $6'
    USING wanted_collection, wanted_terms, before_rank, before_actor, before_rkey, wanted;
END
$$;
