-- The mirror of the PLC directory (zeppelin_pipeline/identity/plc_mirror.py, plc_follow.py).

-- name: plc_lock
-- One follower of the export at a time; the next one waits.
SELECT pg_advisory_lock(hashtextextended('plc export', 0));

-- name: plc_unlock
-- The follower has ended.
SELECT pg_advisory_unlock(hashtextextended('plc export', 0));

-- name: plc_progress
-- How far the export has been taken in.
SELECT directory, after_time, after_seq, plc_window, page, operations, rejected, caught_up_at FROM plc_export;

-- name: plc_advance
-- The export has been taken in so far; in the transaction of the page's rows.
INSERT INTO plc_export AS held
    (directory, after_time, after_seq, plc_window, page, operations, rejected, caught_up_at)
VALUES (%(directory)s, %(after_time)s, %(after_seq)s, %(window)s, %(page)s, %(operations)s, %(rejected)s, %(caught_up_at)s)
ON CONFLICT (singleton) DO UPDATE SET
    (directory, after_time, after_seq, plc_window, page, operations, rejected, caught_up_at) =
    (excluded.directory, excluded.after_time, excluded.after_seq, excluded.plc_window, excluded.page,
     excluded.operations, excluded.rejected, coalesce(excluded.caught_up_at, held.caught_up_at));

-- name: plc_heads
-- The operations that stand of some accounts.
SELECT actor_id, created_at, key_since, is_nullified, operation FROM plc_head WHERE actor_id = ANY(%(actors)s::bigint[]);

-- name: plc_superseded_operations
-- Those before them that can still be taken back.
SELECT actor_id, superseded_at, signer_rank, created_at, key_since, is_nullified, operation FROM plc_superseded
WHERE actor_id = ANY(%(actors)s::bigint[]) ORDER BY actor_id, position;

-- name: former_keys
-- Signing keys that were those of some accounts.
SELECT actor_id, signing_key, valid_from, valid_until FROM former_key
WHERE actor_id = ANY(%(actors)s::bigint[]) ORDER BY actor_id, valid_from;

-- name: plc_store_heads
-- The operations that stand now.
INSERT INTO plc_head (actor_id, created_at, key_since, is_nullified, operation)
SELECT * FROM unnest(%(actors)s::bigint[], %(created_at)s::timestamptz[], %(key_since)s::timestamptz[],
    %(is_nullified)s::boolean[], %(operations)s::bytea[]) AS given (actor_id, created_at, key_since, is_nullified, operation)
ORDER BY actor_id
ON CONFLICT (actor_id) DO UPDATE SET (created_at, key_since, is_nullified, operation) =
    (excluded.created_at, excluded.key_since, excluded.is_nullified, excluded.operation);

-- name: plc_forget_superseded
-- What some accounts' logs remembered, before it is told anew.
DELETE FROM plc_superseded WHERE actor_id = ANY(%(actors)s::bigint[]);

-- name: plc_store_superseded
-- What their logs remember now.
INSERT INTO plc_superseded
    (actor_id, position, superseded_at, signer_rank, created_at, key_since, is_nullified, operation)
SELECT * FROM unnest(%(actors)s::bigint[], %(positions)s::smallint[], %(superseded_at)s::timestamptz[],
    %(signer_ranks)s::smallint[], %(created_at)s::timestamptz[], %(key_since)s::timestamptz[],
    %(is_nullified)s::boolean[], %(operations)s::bytea[]);

-- name: plc_forget_old
-- What no key can take back any more, of accounts that have been silent since.
DELETE FROM plc_superseded WHERE superseded_at < %(before)s;

-- name: forget_former_keys
-- The former keys of some accounts, before they are told anew.
DELETE FROM former_key WHERE actor_id = ANY(%(actors)s::bigint[]);

-- name: store_former_keys
-- The former keys of some accounts.
INSERT INTO former_key (actor_id, signing_key, valid_from, valid_until)
SELECT * FROM unnest(%(actors)s::bigint[], %(signing_keys)s::text[], %(valid_from)s::timestamptz[],
    %(valid_until)s::timestamptz[])
ON CONFLICT DO NOTHING;

-- name: plc_store_rejected
-- Operations that did not verify.
INSERT INTO plc_rejected (actor_id, cid, did, created_at, reason, detail, operation)
SELECT * FROM unnest(%(actors)s::bigint[], %(cids)s::text[], %(dids)s::text[], %(created_at)s::timestamptz[],
    %(reasons)s::text[], %(details)s::text[], %(operations)s::text[])
ON CONFLICT DO NOTHING;

-- name: plc_known_rejected
-- Which operations of some accounts were set aside already.
SELECT actor_id, cid FROM plc_rejected WHERE actor_id = ANY(%(actors)s::bigint[]);

-- name: plc_summary
-- How much is mirrored.
SELECT (SELECT count(*) FROM plc_head) AS dids, (SELECT count(*) FROM plc_rejected) AS rejected;

-- name: former_keys_of_time
-- The signing keys that were an account's at a time, and are not now.
SELECT DISTINCT signing_key FROM former_key
WHERE actor_id = %(actor)s AND valid_from <= %(since)s AND valid_until > %(since)s
ORDER BY signing_key LIMIT %(limit)s;

-- name: mirrored_operation
-- The operation that speaks for an account; none for one of which an operation was set aside, or is about to be taken back.
SELECT operation, created_at FROM plc_head
WHERE actor_id = %(actor)s AND NOT is_nullified
    AND NOT EXISTS (SELECT FROM plc_rejected WHERE plc_rejected.actor_id = plc_head.actor_id);

-- name: plc_caught_up
-- As of when the mirror is.
SELECT caught_up_at FROM plc_export;
