-- Which accounts' data leaves the lake, and how long that takes. Hidden or gone accounts have one of the statuses named here;
-- others that are not `active` (throttled, desynchronized) are only not up to date.

-- name: note_removals
-- Accounts that are hidden or gone. One that was asked for again since its data was removed may have left something anew.
INSERT INTO lake_removal AS held (actor_id, shard, status, seen_at)
SELECT actor_id, shard, status, greatest(fetched_at, told_at) FROM repo
WHERE status IN ('deleted', 'deactivated', 'takendown', 'suspended', 'not-found') AND shard IS NOT NULL
ON CONFLICT (actor_id) DO UPDATE SET (shard, status, seen_at, removed_at) = (excluded.shard, excluded.status, excluded.seen_at, NULL)
WHERE held.removed_at < excluded.seen_at;

-- name: forget_removals
-- Accounts that are back.
DELETE FROM lake_removal USING repo WHERE lake_removal.actor_id = repo.actor_id AND repo.status = 'active';

-- name: shards_with_removals
-- Shards in which something is left to be removed.
SELECT DISTINCT shard FROM lake_removal WHERE removed_at IS NULL ORDER BY shard;

-- name: removals_of_shard
-- The accounts of a shard whose data is to be removed, with their statuses.
SELECT a.did, r.status FROM lake_removal r JOIN actor a ON a.id = r.actor_id
WHERE r.shard = %(shard)s AND r.removed_at IS NULL ORDER BY a.did;

-- name: mark_removed
-- These accounts' data is in the lake no more.
UPDATE lake_removal SET removed_at = %(now)s WHERE actor_id = ANY(%(actors)s) AND removed_at IS NULL;

-- name: oldest_removal
-- Accounts whose data is not known to be removed yet, and when the first of them was seen to be hidden or gone.
SELECT count(*), min(coalesce(l.seen_at, greatest(r.fetched_at, r.told_at)))
FROM repo r LEFT JOIN lake_removal l USING (actor_id)
WHERE r.status IN ('deleted', 'deactivated', 'takendown', 'suspended', 'not-found') AND r.shard IS NOT NULL AND l.removed_at IS NULL;

-- name: loads
-- What the ledger has of every shard, and since when.
SELECT shard, fingerprint, loaded_at FROM load ORDER BY shard;
