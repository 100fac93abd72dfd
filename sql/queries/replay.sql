-- Records that were set aside, validated again.

-- name: set_aside_records
-- A page of the records that are kept with a reason, in order of their keys, with all that reading them again needs.
SELECT r.actor_id, r.collection, r.rkey, a.did, c.nsid, k.text, r.reason, r.indexed_at, r.raw, p.shard
FROM record r JOIN actor a ON a.id = r.actor_id JOIN collection c ON c.id = r.collection JOIN repo p ON p.actor_id = r.actor_id
    LEFT JOIN record_key k ON k.id = r.rkey
WHERE r.reason IS NOT NULL AND (%(reason)s::text IS NULL OR r.reason = %(reason)s) AND (%(shard)s::text IS NULL OR p.shard = %(shard)s)
    AND (r.actor_id, r.collection, r.rkey) > (%(actor)s, %(collection)s, %(rkey)s)
ORDER BY r.actor_id, r.collection, r.rkey LIMIT %(limit)s;

-- name: take_set_aside
-- Remove those that are still as they were read; gives their keys. Others were written meanwhile, by somebody who knew better.
DELETE FROM record r USING unnest(%(actors)s::bigint[], %(collections)s::bigint[], %(rkeys)s::bigint[], %(digests)s::bytea[])
    AS t (actor_id, collection, rkey, digest)
WHERE r.actor_id = t.actor_id AND r.collection = t.collection AND r.rkey = t.rkey AND r.reason IS NOT NULL AND sha256(r.raw) = t.digest
RETURNING r.actor_id, r.collection, r.rkey;

-- name: rename_reasons
-- Records whose reason is another now, or none: a record of a collection that is kept whole.
UPDATE record r SET reason = t.reason
FROM unnest(%(actors)s::bigint[], %(collections)s::bigint[], %(rkeys)s::bigint[], %(reasons)s::text[]) AS t (actor_id, collection, rkey, reason)
WHERE r.actor_id = t.actor_id AND r.collection = t.collection AND r.rkey = t.rkey AND r.reason IS NOT NULL;

-- name: lock_ledger_entry
-- What the ledger says of a shard, until the transaction ends.
SELECT rows, rejected FROM load WHERE shard = %(shard)s FOR UPDATE;

-- name: correct_ledger_entry
-- What it says after a replay.
UPDATE load SET rows = %(rows)s, rejected = %(rejected)s WHERE shard = %(shard)s;

-- name: set_aside_repositories
-- Repositories that were set aside whole, by shard, for reasons that a verification may judge anew.
SELECT shard, did, reason FROM quarantine
WHERE scope = 'repository' AND (%(reason)s::text IS NULL OR reason = %(reason)s) AND (%(shard)s::text IS NULL OR shard = %(shard)s)
ORDER BY shard, did;
