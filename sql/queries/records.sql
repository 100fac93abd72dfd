-- Records of any collection, by their keys.

-- name: get_records
-- Valid records of the collections that have no table of their own.
SELECT
    record.actor_id,
    record.collection,
    record.rkey,
    actor.did,
    record_key.text AS rkey_text,
    record.indexed_at,
    record.raw
FROM unnest(%(actors)s::bigint[], %(collections)s::bigint[], %(rkeys)s::bigint[]) AS wanted (actor_id, collection, rkey)
JOIN record
    ON record.actor_id = wanted.actor_id AND record.collection = wanted.collection AND record.rkey = wanted.rkey
JOIN actor ON actor.id = wanted.actor_id
LEFT JOIN record_key ON record_key.id = wanted.rkey AND wanted.rkey < 0
WHERE record.reason IS NULL;

-- name: get_dids
-- The DIDs of accounts, known or only mentioned.
SELECT id AS actor_id, did FROM actor WHERE id = ANY(%(actors)s::bigint[]);

-- name: get_raw_record
-- A record's bytes from the tables that keep them always.
SELECT raw FROM post
WHERE %(collection)s::bigint = 1 AND actor_id = %(actor)s AND rkey = %(rkey)s
UNION ALL
SELECT raw FROM profile
WHERE %(collection)s::bigint = 6 AND actor_id = %(actor)s AND rkey = %(rkey)s
UNION ALL
SELECT raw FROM record
WHERE actor_id = %(actor)s AND collection = %(collection)s::bigint AND rkey = %(rkey)s
LIMIT 1;

-- name: get_column_record
-- A like (2), repost (3), follow (4) or block (5): its bytes, or the columns that determine them.
SELECT
    stored.*,
    subject.did AS subject_did,
    subject_key.text AS subject_rkey_text,
    via.did AS via_did,
    via_key.text AS via_rkey_text
FROM (
    SELECT
        created_at, subject_actor, subject_collection, subject_rkey, subject_cid, via_actor, via_rkey, via_cid, raw
    FROM "like"
    WHERE %(collection)s::bigint = 2 AND actor_id = %(actor)s AND rkey = %(rkey)s
    UNION ALL
    SELECT
        created_at, subject_actor, subject_collection, subject_rkey, subject_cid, via_actor, via_rkey, via_cid, raw
    FROM repost
    WHERE %(collection)s::bigint = 3 AND actor_id = %(actor)s AND rkey = %(rkey)s
    UNION ALL
    SELECT created_at, subject_actor, NULL, NULL, NULL, NULL, NULL, NULL, raw
    FROM follow
    WHERE %(collection)s::bigint = 4 AND actor_id = %(actor)s AND rkey = %(rkey)s
    UNION ALL
    SELECT created_at, subject_actor, NULL, NULL, NULL, NULL, NULL, NULL, raw
    FROM block
    WHERE %(collection)s::bigint = 5 AND actor_id = %(actor)s AND rkey = %(rkey)s
) AS stored
LEFT JOIN actor AS subject ON subject.id = stored.subject_actor
LEFT JOIN actor AS via ON via.id = stored.via_actor
LEFT JOIN record_key AS subject_key ON subject_key.id = stored.subject_rkey AND stored.subject_rkey < 0
LEFT JOIN record_key AS via_key ON via_key.id = stored.via_rkey AND stored.via_rkey < 0;
