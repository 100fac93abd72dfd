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
