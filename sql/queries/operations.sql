-- Operations of live commits (zeppelin_pipeline/warehouse/operations.py). In braces: what differs from table to table.

-- name: publish_actors_of_batch
-- Accounts that a batch names, in one order for all writers.
INSERT INTO actor (id, did)
SELECT id, did FROM unnest(%(ids)s::bigint[], %(texts)s::text[]) AS new (id, did) ORDER BY id
ON CONFLICT DO NOTHING;

-- name: collided_actors_of_batch
-- DIDs whose key another DID holds.
SELECT new.did, a.did FROM unnest(%(ids)s::bigint[], %(texts)s::text[]) AS new (id, did) JOIN actor a USING (id)
WHERE a.did <> new.did;

-- name: publish_record_keys_of_batch
-- Record keys that are not TIDs.
INSERT INTO record_key (id, text)
SELECT id, text FROM unnest(%(ids)s::bigint[], %(texts)s::text[]) AS new (id, text) ORDER BY id
ON CONFLICT DO NOTHING;

-- name: collided_record_keys_of_batch
-- Record keys whose key another record key holds.
SELECT new.text, k.text FROM unnest(%(ids)s::bigint[], %(texts)s::text[]) AS new (id, text) JOIN record_key k USING (id)
WHERE k.text <> new.text;

-- name: publish_collections_of_batch
-- Collections that are not well-known.
INSERT INTO collection (id, nsid)
SELECT id, nsid FROM unnest(%(ids)s::bigint[], %(texts)s::text[]) AS new (id, nsid) ORDER BY id
ON CONFLICT DO NOTHING;

-- name: collided_collections_of_batch
-- Collections whose key another collection holds.
SELECT new.nsid, c.nsid FROM unnest(%(ids)s::bigint[], %(texts)s::text[]) AS new (id, nsid) JOIN collection c USING (id)
WHERE c.nsid <> new.nsid;

-- name: lock_repositories
-- Those of which something is known, in one order for all writers.
SELECT FROM repo WHERE actor_id = ANY(%(actors)s::bigint[]) ORDER BY actor_id FOR UPDATE;

-- name: claim_live_repositories
-- Lock the repositories, in one order for all writers; those of which nothing is known get a row.
INSERT INTO repo AS held (actor_id, records, fetched_at, told_at, state, status)
SELECT actor_id, 0, 'epoch', timestamptz 'epoch' + seen_micros * interval '1 microsecond', 'desynchronized', 'active'
FROM unnest(%(actors)s::bigint[], %(seen_micros)s::bigint[]) AS live (actor_id, seen_micros) ORDER BY actor_id
ON CONFLICT (actor_id) DO UPDATE SET shard = held.shard WHERE false;

-- name: live_repositories
-- What is held of them, and the last live commit that is ahead of it.
SELECT actor_id, rev, data_cid, records, (SELECT max(a.rev) FROM ahead_commit a WHERE a.actor_id = r.actor_id)
FROM repo r WHERE actor_id = ANY(%(actors)s::bigint[]);

-- name: delete_touched
-- Records of one collection that a batch sets or deletes, as they were; gives what counts are made of.
DELETE FROM {table} t USING unnest(%(actors)s::bigint[], %(rkeys)s::bigint[]) AS u (actor_id, rkey)
WHERE t.actor_id = u.actor_id AND t.rkey = u.rkey
RETURNING {counted};

-- name: delete_touched_whole
-- The same of those that were kept whole.
DELETE FROM record t USING unnest(%(actors)s::bigint[], %(collections)s::bigint[], %(rkeys)s::bigint[]) AS u (actor_id, collection, rkey)
WHERE t.actor_id = u.actor_id AND t.collection = u.collection AND t.rkey = u.rkey;

-- name: write_live_repositories
-- Repositories that live commits followed on without a gap.
UPDATE repo r SET (rev, data_cid, records, commit, state, reason) = (u.rev, u.data_cid, u.records, u.commit, 'synchronized', NULL)
FROM unnest(%(actors)s::bigint[], %(revs)s::bigint[], %(data_cids)s::bytea[], %(records)s::bigint[], %(commits)s::bytea[])
    AS u (actor_id, rev, data_cid, records, commit)
WHERE r.actor_id = u.actor_id;

-- name: insert_ahead_commits
-- Commits that follow on nothing that is held.
INSERT INTO ahead_commit (actor_id, rev, since, prev_data_cid, data_cid, is_sync, records, commit)
SELECT * FROM unnest(
    %(actors)s::bigint[], %(revs)s::bigint[], %(sinces)s::bigint[], %(prev_data_cids)s::bytea[], %(data_cids)s::bytea[],
    %(is_syncs)s::boolean[], %(records)s::bigint[], %(commits)s::bytea[]
);

-- name: upsert_ahead_records
-- Records that these set or deleted.
INSERT INTO ahead_record (actor_id, collection, rkey, rev)
SELECT * FROM unnest(%(actors)s::bigint[], %(collections)s::bigint[], %(rkeys)s::bigint[], %(revs)s::bigint[])
ON CONFLICT (actor_id, collection, rkey) DO UPDATE SET rev = excluded.rev;

-- name: cut_ahead
-- Of these repositories, those with too many commits ahead keep the last alone, as a mark.
WITH overfull AS (
    SELECT actor_id, (SELECT max(a.rev) FROM ahead_commit a WHERE a.actor_id = given.actor_id) AS rev
    FROM unnest(%(actors)s::bigint[]) AS given (actor_id)
    WHERE (SELECT count(*) FROM (SELECT FROM ahead_commit a WHERE a.actor_id = given.actor_id LIMIT %(most)s + 1) AS counted) > %(most)s
), forgotten_records AS (
    DELETE FROM ahead_record a USING overfull o WHERE a.actor_id = o.actor_id
), forgotten_commits AS (
    DELETE FROM ahead_commit a USING overfull o WHERE a.actor_id = o.actor_id AND a.rev < o.rev
)
UPDATE ahead_commit a SET is_cut = true FROM overfull o WHERE a.actor_id = o.actor_id AND a.rev = o.rev;

-- name: add_post_deltas
-- What likes, reposts, replies and quotes that came or went change, in one order for all writers. An account that likes (or reposts) a
-- post twice counts once: `net` is how many such records of the account came, less those that went.
INSERT INTO post_counts AS held (actor_id, rkey, likes, reposts, replies, quotes)
SELECT actor_id, rkey, sum(likes), sum(reposts), sum(replies), sum(quotes) FROM (
    SELECT p.subject_actor, p.subject_rkey, (now.n > 0)::int - (now.n - p.net > 0)::int, 0, 0, 0
    FROM unnest(%(like_subject_actor)s::bigint[], %(like_subject_rkey)s::bigint[], %(like_actor_id)s::bigint[], %(like_net)s::bigint[])
        AS p (subject_actor, subject_rkey, actor_id, net)
    CROSS JOIN LATERAL (
        SELECT count(*) AS n FROM "like" t
        WHERE t.subject_actor = p.subject_actor AND t.subject_rkey = p.subject_rkey AND t.actor_id = p.actor_id
            AND t.subject_collection = 1
    ) AS now
    UNION ALL
    SELECT p.subject_actor, p.subject_rkey, 0, (now.n > 0)::int - (now.n - p.net > 0)::int, 0, 0
    FROM unnest(%(repost_subject_actor)s::bigint[], %(repost_subject_rkey)s::bigint[], %(repost_actor_id)s::bigint[], %(repost_net)s::bigint[])
        AS p (subject_actor, subject_rkey, actor_id, net)
    CROSS JOIN LATERAL (
        SELECT count(*) AS n FROM repost t
        WHERE t.subject_actor = p.subject_actor AND t.subject_rkey = p.subject_rkey AND t.actor_id = p.actor_id
            AND t.subject_collection = 1
    ) AS now
    UNION ALL
    SELECT actor_id, rkey, 0, 0, net, 0
    FROM unnest(%(reply_parent_actor)s::bigint[], %(reply_parent_rkey)s::bigint[], %(replies)s::bigint[]) AS p (actor_id, rkey, net)
    UNION ALL
    SELECT actor_id, rkey, 0, 0, 0, net
    FROM unnest(%(quote_actor)s::bigint[], %(quote_rkey)s::bigint[], %(quotes)s::bigint[]) AS p (actor_id, rkey, net)
) AS delta (actor_id, rkey, likes, reposts, replies, quotes)
GROUP BY 1, 2 HAVING (sum(likes), sum(reposts), sum(replies), sum(quotes)) <> (0, 0, 0, 0)
ORDER BY 1, 2
ON CONFLICT (actor_id, rkey) DO UPDATE SET
    (likes, reposts, replies, quotes) =
    (held.likes + excluded.likes, held.reposts + excluded.reposts,
    held.replies + excluded.replies, held.quotes + excluded.quotes);

-- name: add_actor_deltas
-- The same of follows and posts; an account that follows another twice is one follower.
INSERT INTO actor_counts AS held (actor_id, followers, follows, posts)
WITH pair AS MATERIALIZED (
    SELECT p.actor_id, p.subject_actor, (now.n > 0)::int - (now.n - p.net > 0)::int AS delta
    FROM unnest(%(followers)s::bigint[], %(subjects)s::bigint[], %(follow_nets)s::bigint[]) AS p (actor_id, subject_actor, net)
    CROSS JOIN LATERAL (
        SELECT count(*) AS n FROM follow t WHERE t.subject_actor = p.subject_actor AND t.actor_id = p.actor_id
    ) AS now
)
SELECT actor_id, sum(followers), sum(follows), sum(posts) FROM (
    SELECT subject_actor, delta, 0, 0 FROM pair
    UNION ALL
    SELECT actor_id, 0, delta, 0 FROM pair
    UNION ALL
    SELECT actor_id, 0, 0, net FROM unnest(%(authors)s::bigint[], %(posts)s::bigint[]) AS p (actor_id, net)
) AS delta (actor_id, followers, follows, posts)
GROUP BY 1 HAVING (sum(followers), sum(follows), sum(posts)) <> (0, 0, 0)
ORDER BY 1
ON CONFLICT (actor_id) DO UPDATE SET
    (followers, follows, posts) =
    (held.followers + excluded.followers, held.follows + excluded.follows, held.posts + excluded.posts);

-- name: quarantine_live
-- Commits that need a text whose key another text holds: set aside, and their repositories are no longer whole.
INSERT INTO quarantine (actor_id, did, host, shard, scope, reason, detail, records, fetched_at)
SELECT actor_id, did, '', 'live', 'key', 'key-collision', detail, records, timestamptz 'epoch' + seen_micros * interval '1 microsecond'
FROM unnest(%(actors)s::bigint[], %(dids)s::text[], %(details)s::text[], %(records)s::bigint[], %(seen_micros)s::bigint[])
    AS aside (actor_id, did, detail, records, seen_micros)
WHERE NOT EXISTS (
    SELECT FROM quarantine q WHERE q.actor_id = aside.actor_id AND q.did = aside.did AND q.shard = 'live' AND q.detail = aside.detail
);
