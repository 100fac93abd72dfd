-- Records of any collection, by their keys.

-- name: get_records
-- Records of the collections of which views are made beside posts: generators, gates, lists, starter packs, labelers; with their counts.
-- The tables of kinds alone are read, by the numbers of their collections.
WITH wanted AS (
    SELECT * FROM unnest(%(actors)s::bigint[], %(collections)s::bigint[], %(rkeys)s::bigint[]) AS w (actor_id, collection, rkey)
),
found AS (
    SELECT wanted.*, least(created_at, indexed_at) AS sort_at, raw
    FROM wanted JOIN generator USING (actor_id, rkey) WHERE wanted.collection = 7 AND 7 = ANY(%(kinds)s::integer[])
    UNION ALL
    SELECT wanted.*, least(created_at, indexed_at) AS sort_at, raw
    FROM wanted JOIN threadgate USING (actor_id, rkey) WHERE wanted.collection = 8 AND 8 = ANY(%(kinds)s::integer[])
    UNION ALL
    SELECT wanted.*, least(created_at, indexed_at) AS sort_at, raw
    FROM wanted JOIN postgate USING (actor_id, rkey) WHERE wanted.collection = 9 AND 9 = ANY(%(kinds)s::integer[])
    UNION ALL
    SELECT wanted.*, least(created_at, indexed_at) AS sort_at, raw
    FROM wanted JOIN list USING (actor_id, rkey) WHERE wanted.collection = 10 AND 10 = ANY(%(kinds)s::integer[])
    UNION ALL
    SELECT wanted.*, least(created_at, indexed_at) AS sort_at, raw
    FROM wanted JOIN starter_pack USING (actor_id, rkey) WHERE wanted.collection = 13 AND 13 = ANY(%(kinds)s::integer[])
    UNION ALL
    SELECT wanted.*, least(created_at, indexed_at) AS sort_at, raw
    FROM wanted JOIN labeler USING (actor_id, rkey) WHERE wanted.collection = 15 AND 15 = ANY(%(kinds)s::integer[])
)
SELECT
    found.*,
    actor.did,
    record_key.text AS rkey_text,
    coalesce(record_counts.likes, 0) AS likes,
    coalesce(record_counts.items, 0) AS items,
    (
        SELECT count(*)::integer FROM profile
        WHERE 13 = ANY(%(kinds)s::integer[])
            AND found.collection = 13
            AND profile.pack_actor = found.actor_id
            AND profile.pack_rkey = found.rkey
            AND profile.created_at > now() - interval '7 days'
    ) AS joined_lately
FROM found
JOIN actor ON actor.id = found.actor_id
LEFT JOIN record_key ON record_key.id = found.rkey AND found.rkey < 0
LEFT JOIN record_counts
    ON record_counts.actor_id = found.actor_id
    AND record_counts.collection = found.collection
    AND record_counts.rkey = found.rkey;

-- name: get_dids
-- The DIDs of accounts, known or only mentioned.
SELECT id AS actor_id, did FROM actor WHERE id = ANY(%(actors)s::bigint[]);

-- name: get_raw_record
-- A record's bytes from the tables that keep them always; an invalid one of any collection is in record. Those of posts alone are stored packed.
SELECT raw, true AS is_packed FROM post
WHERE %(collection)s::bigint = 1 AND actor_id = %(actor)s AND rkey = %(rkey)s
UNION ALL
SELECT raw, false FROM profile
WHERE %(collection)s::bigint = 6 AND actor_id = %(actor)s AND rkey = %(rkey)s
UNION ALL
SELECT raw, false FROM generator
WHERE %(collection)s::bigint = 7 AND actor_id = %(actor)s AND rkey = %(rkey)s
UNION ALL
SELECT raw, false FROM threadgate
WHERE %(collection)s::bigint = 8 AND actor_id = %(actor)s AND rkey = %(rkey)s
UNION ALL
SELECT raw, false FROM postgate
WHERE %(collection)s::bigint = 9 AND actor_id = %(actor)s AND rkey = %(rkey)s
UNION ALL
SELECT raw, false FROM list
WHERE %(collection)s::bigint = 10 AND actor_id = %(actor)s AND rkey = %(rkey)s
UNION ALL
SELECT raw, false FROM starter_pack
WHERE %(collection)s::bigint = 13 AND actor_id = %(actor)s AND rkey = %(rkey)s
UNION ALL
SELECT raw, false FROM verification
WHERE %(collection)s::bigint = 14 AND actor_id = %(actor)s AND rkey = %(rkey)s
UNION ALL
SELECT raw, false FROM labeler
WHERE %(collection)s::bigint = 15 AND actor_id = %(actor)s AND rkey = %(rkey)s
UNION ALL
SELECT raw, false FROM record
WHERE actor_id = %(actor)s AND collection = %(collection)s::bigint AND rkey = %(rkey)s
LIMIT 1;

-- name: get_column_record
-- A like (2), repost (3), follow (4), block (5), list item (11) or list block (12): its bytes, or the columns that determine them;
-- of likes and reposts their content tells which.
-- A list item's list, which is its account's own, stands as the subject's record key.
SELECT
    stored.*,
    subject.did AS subject_did,
    subject_key.text AS subject_rkey_text,
    via.did AS via_did,
    via_key.text AS via_rkey_text
FROM (
    SELECT
        created_at, subject_actor, subject_collection, subject_rkey, content,
        via_actor(content) AS via_actor, via_rkey(content) AS via_rkey, NULL::bytea AS raw
    FROM "like"
    WHERE %(collection)s::bigint = 2 AND actor_id = %(actor)s AND rkey = %(rkey)s
    UNION ALL
    SELECT
        created_at, subject_actor, subject_collection, subject_rkey, content, via_actor(content), via_rkey(content), NULL
    FROM repost
    WHERE %(collection)s::bigint = 3 AND actor_id = %(actor)s AND rkey = %(rkey)s
    UNION ALL
    SELECT created_at, subject_actor, NULL, NULL, NULL, NULL, NULL, raw
    FROM follow
    WHERE %(collection)s::bigint = 4 AND actor_id = %(actor)s AND rkey = %(rkey)s
    UNION ALL
    SELECT created_at, subject_actor, NULL, NULL, NULL, NULL, NULL, raw
    FROM block
    WHERE %(collection)s::bigint = 5 AND actor_id = %(actor)s AND rkey = %(rkey)s
    UNION ALL
    SELECT created_at, subject_actor, NULL, list_rkey, NULL, NULL, NULL, raw
    FROM list_item
    WHERE %(collection)s::bigint = 11 AND actor_id = %(actor)s AND rkey = %(rkey)s
    UNION ALL
    SELECT created_at, subject_actor, NULL, subject_rkey, NULL, NULL, NULL, raw
    FROM list_block
    WHERE %(collection)s::bigint = 12 AND actor_id = %(actor)s AND rkey = %(rkey)s
) AS stored
LEFT JOIN actor AS subject ON subject.id = stored.subject_actor
LEFT JOIN actor AS via ON via.id = stored.via_actor
LEFT JOIN record_key AS subject_key ON subject_key.id = stored.subject_rkey AND stored.subject_rkey < 0
LEFT JOIN record_key AS via_key ON via_key.id = stored.via_rkey AND stored.via_rkey < 0;
